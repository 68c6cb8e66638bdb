//! A session, and the files that it reads and writes.

use bowline_core::session::{Event, Session};
use bowline_core::{Connection, Instant, pump};
use bowline_store::Worker;
use bowline_store::worker::Report;

/// What clients and servers have in common: a session whose effects on files are carried out.
#[derive(Debug)]
pub(crate) struct Desk {
    pub(crate) session: Session,
    pub(crate) worker: Worker,
}

impl Desk {
    pub(crate) fn handle_report(&mut self, now: Instant, report: Report) {
        report.apply(now, self.session.transfers_mut(), &mut self.worker);
    }

    pub(crate) fn pump(&mut self, now: Instant, connection: &mut Connection) {
        pump(now, connection, &mut self.session);
    }

    /// The next event that is not an effect on files.
    pub(crate) fn poll_event(&mut self) -> Option<Event> {
        loop {
            match self.session.poll_event()? {
                Event::Transfer(event) => {
                    if let Some(event) = self.worker.carry_out(event) {
                        return Some(Event::Transfer(event));
                    }
                }
                event => return Some(event),
            }
        }
    }
}
