//! A session, and the files that it reads and writes.

use bowline_core::message::Delivery;
use bowline_core::messages::MAX_MESSAGE;
use bowline_core::session::{Event, Session};
use bowline_core::transfer::wire::CHUNK_LIMITS;
use bowline_core::{Connection, Instant, connection, pump, transfer};
use bowline_store::Worker;
use bowline_store::worker::Report;

/// The most bytes that a frame of the protocol has besides its payload: 64 KiB of fields, plus the fixed ones.
const BESIDE: u64 = (64 << 10) + 64;

/// The settings of a connection for these transfers, and for messages if enabled. It accepts no longer messages than
/// the protocol needs, whatever was configured: incomplete messages are held in memory, and only these limits bound it.
pub(crate) fn carrying(
    connection: &connection::Config,
    transfers: &transfer::Config,
    messages: bool,
) -> connection::Config {
    let chunk = u64::from(transfers.max_chunk.max(*CHUNK_LIMITS.start()));
    let message = if messages { MAX_MESSAGE as u64 } else { 0 };
    let longest = chunk.max(message) + BESIDE;
    let no_more = |limit: Option<u64>| Some(limit.map_or(longest, |limit| limit.min(longest)));
    let mut config = connection.clone();
    config.limits.frame = no_more(config.limits.frame);
    config.limits.message = no_more(config.limits.message);
    // None of these messages is large.
    config.delivery = Delivery::Whole;
    config
}

/// What clients and servers have in common: a session whose file effects are carried out.
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

#[cfg(test)]
mod tests {
    use super::*;
    use bowline_core::frame::Limits;
    use bowline_core::transfer::wire;

    fn limits(transfers: &transfer::Config, messages: bool) -> [Option<u64>; 2] {
        let mut connection = connection::Config::default();
        connection.limits = Limits::none();
        let limits = carrying(&connection, transfers, messages).limits;
        [limits.frame, limits.message]
    }

    #[test]
    fn a_connection_accepts_nothing_longer_than_the_protocol_sends() {
        let mut transfers = transfer::Config::default();
        let fields = u64::from(u16::MAX);
        for chunk in [CHUNK_LIMITS.start(), &transfers.max_chunk.clone(), CHUNK_LIMITS.end()] {
            transfers.max_chunk = *chunk;
            let longest = u64::from(*chunk) + wire::DATA_OVERHEAD as u64 + fields;
            // The frames that leave before anything is known about a receiver.
            let longest = longest.max(wire::INITIAL_CREDIT + wire::DATA_OVERHEAD as u64);
            for limit in limits(&transfers, false) {
                let limit = limit.expect("there is one");
                assert!((longest..longest + 1024).contains(&limit), "{chunk}: {limit}");
            }
        }
        transfers.max_chunk = *CHUNK_LIMITS.start();
        for limit in limits(&transfers, true) {
            assert!(limit.is_some_and(|limit| limit > MAX_MESSAGE as u64 + fields), "{limit:?}");
        }
    }

    #[test]
    fn lower_configured_limits_are_kept() {
        let mut connection = connection::Config::default();
        (connection.limits.frame, connection.limits.message) = (Some(1000), Some(2000));
        let limits = carrying(&connection, &transfer::Config::default(), true).limits;
        assert_eq!((limits.frame, limits.message), (Some(1000), Some(2000)));
    }
}
