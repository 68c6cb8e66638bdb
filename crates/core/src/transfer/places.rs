//! Waiting for a place at a busy peer.
//!
//! A transfer that was refused with BUSY is tried again at increasing intervals, since many may wait. But a free place
//! should not stay unused: one of those waiting on a link asks again soon [for all](asks_for_all), and whenever a
//! transfer ends, [two more](Transfers::try_sooner) are tried at once: one for its place, and one because others may
//! have made room as well. So waiting transfers return as quickly as places become free, and a peer that stays busy is
//! asked little.

use super::Transfers;
use super::agenda::Agenda;
use super::tries::SOON;
use crate::Instant;

/// How many are tried when one has ended.
const AT_ONCE: usize = 2;

/// Whether no other transfer will ask in a moment.
pub(super) fn asks_for_all(now: Instant, put_off: &Agenda) -> bool {
    put_off.first().is_none_or(|first| first > now + SOON)
}

impl Transfers {
    /// A transfer has ended, so there may be places.
    pub(super) fn try_sooner(&mut self) {
        for id in self.put_off.next(AT_ONCE) {
            if let Some(outgoing) = self.outgoing.get_mut(&id) {
                outgoing.hurry();
                self.turns.wait(id);
            }
            if let Some(wanted) = self.wanted.get_mut(&id) {
                wanted.hurry();
                self.asking.push_back(id);
            }
            self.note(id);
        }
    }
}
