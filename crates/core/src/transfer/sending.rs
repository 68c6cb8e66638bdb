//! Outgoing transfers: offered in the order in which they came, and served according to their shares.

use super::limiter::Limiter;
use super::send::{Chunk, Context, Fate, Outgoing};
use super::wire::Frame;
use super::{TransferId, Transfers, context};
use crate::Instant;
use crate::message::Parts;
use core::iter;

impl Transfers {
    /// Runs a step of an outgoing transfer; returns false if there is no such transfer.
    pub(super) fn outgoing_step(
        &mut self,
        now: Instant,
        id: TransferId,
        step: impl FnOnce(&mut Outgoing, &mut Context<'_>) -> Fate,
    ) -> bool {
        self.advance(now);
        let Some(outgoing) = self.outgoing.get_mut(&id) else { return false };
        let fate = step(outgoing, &mut context!(self));
        if outgoing.is_requested() && outgoing.is_verifying() {
            self.owed.insert(id);
        }
        if fate == Fate::Ended {
            self.forget_outgoing(id);
        }
        self.note(id);
        true
    }

    /// Offers the transfer that has waited longest.
    pub(super) fn poll_offer(&mut self) -> Option<Parts> {
        let now = self.now;
        let mut cx = context!(self);
        let link = cx.link.as_mut().filter(|link| !link.closing && link.guard.admits_ours(now))?;
        if link.opened().outgoing >= link.max_transfers() || !link.ahead.admits() {
            return None;
        }
        while let Some(id) = self.turns.first_waiting() {
            self.turns.drop_first();
            let Some(outgoing) = self.outgoing.get_mut(&id).filter(|outgoing| outgoing.wants_offer(now))
            else {
                continue;
            };
            if outgoing.is_open_ended() && !link.takes_unknown() {
                // The peer's HELLO will bring it back, or end it.
                continue;
            }
            self.turns.join(id, outgoing.priority());
            outgoing.send_offer(&mut cx);
            self.owed.remove(&id);
            if let Some(link) = &mut cx.link {
                link.guard.handle_ours(now);
            }
            self.note(id);
            return self.link.as_mut()?.poll_control();
        }
        None
    }

    /// A FIN, or a chunk of the transfer whose turn it is.
    pub(super) fn poll_bulk(&mut self) -> Option<Parts> {
        let now = self.now;
        let fin = iter::from_fn(|| self.fins.pop_front())
            .find_map(|id| Some((id, self.outgoing.get_mut(&id)?.poll_fin(now)?)));
        if let Some((id, fin)) = fin {
            self.note(id);
            return Some(fin.encode());
        }
        let link = self.link.as_mut()?;
        let most = match &link.limit_out {
            Some(limiter) if limiter.free_at() > now => return None,
            Some(limiter) => limiter.burst(),
            None => u64::MAX,
        };
        let (mut idle, mut chunk) = (0, None);
        for id in self.turns.ids() {
            let polled =
                self.outgoing.get_mut(&id).map(|outgoing| outgoing.poll_data(now, &mut link.flow, most));
            match polled {
                None | Some(Chunk::Nothing) => idle += 1,
                // All share the window: others must not use up what this one waits for.
                Some(Chunk::Full) => break,
                Some(Chunk::Sent(handle, data)) => {
                    chunk = Some((id, handle, data));
                    break;
                }
            }
        }
        self.turns.skip(idle);
        let (id, handle, data) = chunk?;
        let len = data.payload.len() as u64;
        self.turns.serve(len);
        if let Some(limiter) = &mut link.limit_out {
            limiter.pass(now, len);
        }
        if let Some(outgoing) = self.outgoing.get_mut(&id) {
            outgoing.step(&mut context!(self));
        }
        self.note(id);
        Some(Frame::Data(handle, data).encode())
    }

    /// A deadline of this transfer was reached; does nothing if it is not outgoing.
    pub(super) fn sending_timeout(&mut self, id: TransferId) {
        let Some(outgoing) = self.outgoing.get_mut(&id) else { return };
        if outgoing.handle_timeout(&mut context!(self)) == Fate::Ended {
            self.forget_outgoing(id);
        } else if outgoing.wants_offer(self.now) {
            self.turns.wait(id);
        }
    }

    /// An outgoing transfer has ended, and one of its events says how.
    fn forget_outgoing(&mut self, id: TransferId) {
        self.outgoing.remove(&id);
        self.owed.remove(&id);
        self.turns.leave(id);
        self.paused.remove(&id);
        self.try_sooner();
    }

    /// When a rate limit allows the next chunk.
    pub(super) fn sending_deadline(&self) -> Option<Instant> {
        let limiter = self.link.as_ref()?.limit_out.as_ref().filter(|_| !self.outgoing.is_empty())?;
        Some(Limiter::free_at(limiter)).filter(|free_at| *free_at > self.now)
    }
}
