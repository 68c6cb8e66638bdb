//! How an outgoing transfer ends: completed, given up, or put off.

use super::{Context, Fate, Outgoing, State};
use crate::transfer::cancel::cancel;
use crate::transfer::event::{Event, Failure};
use crate::transfer::places::asks_for_all;
use crate::transfer::wire::Frame;
use crate::transfer::{Code, Leftover};

impl Outgoing {
    /// Gives up, and tells the peer and the application.
    pub(in crate::transfer) fn give_up(&mut self, cx: &mut Context<'_>, mut failure: Failure) -> Fate {
        if self.is_open_ended() {
            // What came through a pipe cannot be read again: nobody can continue it.
            failure.leftover.get_or_insert(Leftover::Discard);
        }
        self.cancel(cx, &failure);
        cx.events.push_back(Event::Failed { id: self.offer.id, failure });
        Fate::Ended
    }

    /// Checks whether the file is the same, once both ends have their digests.
    pub(super) fn verify(&mut self, cx: &mut Context<'_>) -> Fate {
        let (State::Verifying { whole }, Some(digest), Some(length)) = (self.state, self.digest, self.end)
        else {
            return Fate::Lives;
        };
        let id = self.offer.id;
        cx.events.push_back(if whole.digest == digest && whole.length == length {
            Event::Done {
                id,
                kind: self.offer.kind,
                length,
                digest,
                deduplicated: whole.deduplicated && !self.carried,
                resumed: self.resumed.unwrap_or(0),
                resent: self.resent,
            }
        } else {
            let text = "the file on the other side differs from the one here; send it again";
            Event::Failed { id, failure: Failure::local(Code::DigestMismatch, text) }
        });
        Fate::Ended
    }

    /// The peer failed, or was not heard: tries again after a while, if that may help.
    pub(super) fn retry_or_end(&mut self, cx: &mut Context<'_>, failure: Failure) -> Fate {
        let id = self.offer.id;
        let asks_for_all = asks_for_all(cx.now, cx.put_off);
        let again =
            if self.requested { None } else { self.tries.again(cx.now, &failure, cx.config, asks_for_all) };
        let Some(after) = again else {
            cx.events.push_back(Event::Failed { id, failure });
            return Fate::Ended;
        };
        self.state = State::Waiting { until: Some(cx.now + after) };
        cx.events.push_back(Event::Retrying { id, failure, after });
        Fate::Lives
    }

    /// Tells the peer, if it knows of the transfer: by its offer, or because it has requested it and waits for one.
    pub(super) fn cancel(&mut self, cx: &mut Context<'_>, failure: &Failure) {
        if let Some(handle) = self.close_handle(cx).or(self.request.take()) {
            let mut cancel = cancel(failure, 0);
            // The received part of a file that has changed is of no use.
            cancel.discard |= failure.code == Code::SourceChanged;
            cx.control(Frame::Cancel(handle, cancel));
        }
    }
}
