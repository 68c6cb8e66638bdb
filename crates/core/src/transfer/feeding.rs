//! Credit where a rate limit makes it scarce: senders get it in turns, as chunks are sent in turns.

use super::limiter::Limiter;
use super::{Context, Incoming, TransferId, Transfers, context};
use crate::Instant;

impl Transfers {
    /// Gives credit to the sender whose turn it is, if one waits for it and the limit allows it.
    pub(super) fn feed(&mut self) {
        let Some(link) = self.link.as_mut().filter(|link| link.hungry) else { return };
        if link.limit_in.as_ref().is_none_or(|limiter| limiter.free_at() > self.now) {
            return;
        }
        link.hungry = false;
        let is_hungry = |id| self.incoming.get(&id).is_some_and(Incoming::is_hungry);
        let mut hungry = self.shares.ids().enumerate().filter(|(_, id)| is_hungry(*id));
        let (first, others) = (hungry.next(), hungry.next().is_some());
        drop(hungry);
        let Some((place, id)) = first else { return };
        if let Some(incoming) = self.incoming.get_mut(&id) {
            let given = incoming.feed(&mut context!(self));
            self.shares.skip(place);
            self.shares.serve(given);
            self.shares.wake_all();
        }
        if let Some(link) = &mut self.link {
            link.hungry |= others;
        }
        self.note(id);
    }

    /// This transfer is received from here on, and takes part.
    pub(super) fn join_shares(&mut self, id: TransferId) {
        if let (Some(incoming), Some(_)) = (self.incoming.get(&id), self.config.limit_rate) {
            self.shares.join(id, incoming.priority());
        }
    }

    /// This transfer no longer takes part.
    pub(super) fn leave_shares(&mut self, id: TransferId) {
        if self.config.limit_rate.is_some() {
            self.shares.leave(id);
        }
    }

    /// When the limit allows more.
    pub(super) fn feeding_deadline(&self) -> Option<Instant> {
        let link = self.link.as_ref().filter(|link| link.hungry)?;
        link.limit_in.as_ref().map(Limiter::free_at)
    }
}
