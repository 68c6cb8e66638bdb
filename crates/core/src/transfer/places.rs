//! Who waits for a place at an end that is busy.
//!
//! A transfer that was refused with BUSY is tried again at longer and longer distances, since many may wait. But a place that
//! becomes free is not to be left so: one of those who wait on a link asks soon again [for all](asks_for_all), and
//! with each transfer that ends [two more](Transfers::try_sooner) are tried at once: one for its place, and one because others
//! may have made room as well. So those who wait come back as quickly as there are places, and a peer that stays busy hears
//! little of them.

use super::Transfers;
use super::agenda::Agenda;
use super::tries::SOON;
use crate::Instant;

/// How many are tried when one has ended.
const AT_ONCE: usize = 2;

/// Whether nobody else asks in a moment.
pub(super) fn asks_for_all(now: Instant, put_off: &Agenda) -> bool {
    put_off.first().is_none_or(|first| first > now + SOON)
}

impl Transfers {
    /// A transfer has ended, and there may be places.
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
