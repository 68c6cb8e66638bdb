//! Outgoing messages: control frames first, then chunks, cut when the transport has room for them.

use super::link::Route;
use super::wire::{Frame, Request};
use super::{Asking, Context, TransferId, Transfers, context};
use crate::message::Parts;
use crate::{Instant, Role};

impl Transfers {
    /// The next message to send, if there is one and `room` is not 0.
    ///
    /// Chunks are cut here, as late as possible and never more than the window and the peer's credit allow; so call
    /// this only when the transport can accept more. A message may exceed `room`, by at most one chunk.
    pub fn poll_message(&mut self, now: Instant, room: usize) -> Option<Parts> {
        if room == 0 {
            return None;
        }
        self.poll_control(now).or_else(|| self.poll_file())
    }

    /// The next control message: nothing else goes before it.
    pub(crate) fn poll_control(&mut self, now: Instant) -> Option<Parts> {
        self.advance(now);
        self.tell_discard();
        let link = self.link.as_mut()?;
        if let Some(control) = link.poll_control() {
            return Some(control);
        }
        if link.broken {
            return None;
        }
        self.poll_ack().or_else(|| self.poll_request()).map(Frame::encode)
    }

    /// The next offer or chunk, if there is no [control message](Self::poll_control).
    pub(crate) fn poll_file(&mut self) -> Option<Parts> {
        if self.is_broken() {
            return None;
        }
        self.poll_offer().or_else(|| self.poll_bulk())
    }

    fn poll_ack(&mut self) -> Option<Frame> {
        self.feed();
        while let Some(id) = self.acks.pop_front() {
            let Some(incoming) = self.incoming.get_mut(&id) else { continue };
            let ack = incoming.poll_ack(&mut context!(self));
            self.note(id);
            if ack.is_some() {
                return ack;
            }
        }
        None
    }

    fn poll_request(&mut self) -> Option<Frame> {
        let now = self.now;
        let link = self.link.as_mut().filter(|link| !link.closing && link.guard.admits_ours(now))?;
        let open = link.opened().wanted + link.opened().incoming;
        if open >= link.max_transfers() || !link.ahead.admits() {
            return None;
        }
        while let Some(id) = self.asking.pop_front() {
            let paused = self.paused.contains(&id);
            let wanted = self.wanted.get_mut(&id).filter(|wanted| wanted.waits() && !paused);
            let Some(wanted) = wanted else { continue };
            let handle = link.open(Route::Wanted(id));
            link.guard.handle_ours(now);
            wanted.state = Asking::Asked { handle, since: now, heard: now };
            let (what, range) = (wanted.what.clone(), wanted.range);
            let (from, to, again) = (range.from(), range.to(), wanted.was_offered);
            let request = Request { id, what, from, to, if_digest: None, again };
            self.note(id);
            return Some(Frame::Request(handle, request));
        }
        None
    }

    /// Which end of the link this is.
    pub fn role(&self) -> Role {
        self.role
    }

    /// The outgoing transfers under way, in the order of their ids.
    pub fn sending(&self) -> impl Iterator<Item = TransferId> {
        self.outgoing.values().map(super::send::Outgoing::id)
    }
}
