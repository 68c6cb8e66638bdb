//! Cancel: either end ends a transfer for good, and decides what happens to the part that the receiver has.
//!
//! | the transfer | what the peer hears |
//! |---|---|
//! | is open on this link: offered, moving, paused | CANCEL, at once; to discard the part, see below |
//! | was requested, by either end, and not offered yet | CANCEL, at once |
//! | waits, or there is no link | to keep the part: nothing; to discard it: OFFER and CANCEL on the next link |
//! | is being moved into place by the receiver | nothing, it is too late: the file is complete |
//!
//! To discard the part, a PROBE follows the CANCEL. If it is not answered, an OFFER and a CANCEL follow on the next
//! link.

use super::event::{Event, Failure};
use super::link::Route;
use super::send::Outgoing;
use super::wire::{self, Frame, Mode};
use super::{Code, TransferId, Transfers};
use crate::Instant;
use crate::closing::LONGEST;

/// What happens to the receiver's part of a transfer that ended early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leftover {
    /// It is kept until it expires: the same id continues from there.
    Keep,
    /// It is thrown away.
    Discard,
}

impl Failure {
    /// This end wants the transfer ended.
    fn cancelled(leftover: Leftover) -> Self {
        Self { leftover: Some(leftover), ..Self::local(Code::Cancelled, "cancelled") }
    }

    /// What a CANCEL from the peer means.
    pub(super) fn by_peer(cancel: wire::Cancel) -> Self {
        let wire::Cancel { code, retry_after, discard, text, .. } = cancel;
        let leftover = match (discard, code) {
            (true, _) => Some(Leftover::Discard),
            (false, Code::Cancelled) => Some(Leftover::Keep),
            (false, _) => None,
        };
        Self { code, text, by_peer: true, retry_after: retry_after.min(LONGEST), leftover }
    }
}

impl Transfers {
    /// Ends a transfer because this end wants it ended. An [`Event::Failed`] with [`Code::Cancelled`] follows here, and
    /// one at the peer as soon as it hears of it.
    ///
    /// A sender cannot know whether its receiver has just completed the file. To discard the part without a link, a
    /// sender tells the receiver on the next link; if there is none, the part expires. Returns false if there is no
    /// such transfer, or if it is too late because the file is being moved into place here.
    pub fn cancel(&mut self, now: Instant, id: TransferId, leftover: Leftover) -> bool {
        self.advance(now);
        let failure = Failure::cancelled(leftover);
        if let Some(outgoing) = self.outgoing.get(&id) {
            if let (Leftover::Discard, Some(offer)) = (leftover, outgoing.part()) {
                if outgoing.is_waiting() {
                    self.discards.insert(id, offer);
                } else {
                    self.discards.handle_told(id, offer);
                }
            }
            self.outgoing_step(now, id, |outgoing, cx| outgoing.give_up(cx, failure));
        } else if let Some(incoming) = self.incoming.get(&id) {
            if incoming.is_finishing() {
                return false;
            }
            self.wanted.remove(&id);
            self.incoming_step(now, id, |incoming, cx| incoming.fail(cx, failure));
        } else if self.asked.contains_key(&id) {
            self.fail(now, id, failure);
        } else if self.wanted.contains_key(&id) {
            if leftover == Leftover::Discard {
                self.events.push_back(Event::Discard { id });
            }
            self.fail(now, id, failure);
        } else {
            return false;
        }
        true
    }

    /// Tells the receiver to discard the part of a cancelled transfer, if it could not be told before, or may not have
    /// heard it.
    pub(super) fn tell_discard(&mut self) {
        let Some(link) = self.link.as_mut().filter(|link| !link.broken) else { return };
        if let Some(probe) = self.discards.probe() {
            link.control(Frame::Probe(probe));
        }
        if link.closing || !link.guard.admits_ours(self.now) {
            return;
        }
        if link.opened().outgoing >= link.max_transfers() {
            return;
        }
        let next = self.discards.next(|offer| offer.length.is_some() || link.takes_unknown());
        let Some((id, offer)) = next else { return };
        link.guard.handle_ours(self.now);
        let handle = link.open(Route::Outgoing(id));
        link.close(handle);
        link.control(Frame::Offer(handle, offer.clone()));
        link.control(Frame::Cancel(handle, cancel(&Failure::cancelled(Leftover::Discard), 0)));
        self.discards.handle_told(id, offer);
    }
}

impl Outgoing {
    /// What to offer the receiver on another link before it can be told to discard; `None` if there is no part, or if
    /// the receiver itself will ask again.
    fn part(&self) -> Option<wire::Offer> {
        let offer = || wire::Offer { mode: Mode::Attach, ..self.offer().clone() };
        (!self.is_requested() && !self.is_verifying()).then(offer)
    }
}

/// The CANCEL that reports a failure to the peer.
pub(super) fn cancel(failure: &Failure, durable: u64) -> wire::Cancel {
    wire::Cancel {
        code: failure.code,
        retry_after: failure.retry_after,
        durable,
        discard: failure.leftover == Some(Leftover::Discard),
        text: failure.text.clone(),
    }
}
