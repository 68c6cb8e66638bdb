//! The settings of a server's sessions, and their events.

use crate::messages::{Config, Event, SessionId};
use core::time::Duration;

/// Settings of [`Sessions`](super::Sessions).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionsConfig {
    /// The settings of each session.
    pub session: Config,
    /// How long a session without a link is kept. 120 s: longer than a train in a tunnel.
    pub keep: Duration,
    /// How many sessions may exist at once, with and without links. 1024, the number of connections of a server. To
    /// make room for another, the principal with the most sessions without a link loses the one of them that has waited
    /// longest. 0 counts as 1: a server that wants no sessions does not [offer](crate::session::Config::messages)
    /// messages.
    pub max_sessions: usize,
    /// How many bytes are kept for sessions without a link. 64 MiB; beyond that, the principal for which most is kept
    /// loses its sessions without a link, the longest waiting first.
    pub max_detached_bytes: usize,
}

impl Default for SessionsConfig {
    fn default() -> Self {
        Self {
            session: Config::default(),
            keep: Duration::from_secs(120),
            max_sessions: 1024,
            max_detached_bytes: 64 << 20,
        }
    }
}

/// Identifies one link of a server; never reused for another link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub u64);

/// What happens to the sessions of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SessionsEvent {
    /// An event of one session.
    Session(SessionId, Event),
    /// A session has lost its link. It is kept for a while.
    Detached(SessionId),
}

impl SessionsEvent {
    /// Whether missing this event loses no message.
    pub(super) fn is_passing(&self) -> bool {
        match self {
            Self::Session(_, event) => event.is_passing(),
            Self::Detached(_) => true,
        }
    }
}
