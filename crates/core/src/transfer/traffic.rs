//! Traffic figures, for measurements and displays.

use super::Transfers;
use core::time::Duration;

/// What the links carry at a moment. For measurements and displays; nothing depends on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Traffic {
    /// How many bytes of files all links together have carried: acknowledged by the peer, or received. Bytes that
    /// crossed again count again.
    pub moved: u64,
    /// The size of the last chunk on this link; `None` before the first, and without a link.
    pub chunk: Option<u32>,
    /// How many bytes are sent and not acknowledged.
    pub in_flight: u64,
    /// How many bytes may be sent and not acknowledged; `None` unless this end has sent some on this link.
    pub window: Option<u64>,
    /// The usual round-trip time on this link, including queues; `None` before the first.
    pub round_trip: Option<Duration>,
    /// How much longer that is than the minimum: the delay that queues add to a ping, or to anything else that is
    /// urgent. `None` unless this end has sent something on this link.
    pub control_delay: Option<Duration>,
}

impl Transfers {
    /// What the links carry.
    pub fn traffic(&self) -> Traffic {
        let Some(link) = &self.link else { return Traffic { moved: self.carried, ..Traffic::default() } };
        let flow = &link.flow;
        let sent = flow.last_sent();
        Traffic {
            moved: self.carried + link.moved,
            chunk: sent.or(link.last_received),
            in_flight: flow.in_flight(),
            window: sent.map(|_| flow.window()),
            round_trip: flow.round_trip(),
            control_delay: sent.and(flow.control_delay()),
        }
    }
}
