//! Settings of a server's sessions, and what they tell.

use crate::messages::{Config, Event, SessionId};
use core::time::Duration;

/// Settings of [`Sessions`](super::Sessions).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionsConfig {
    /// Of each session.
    pub session: Config,
    /// How long a session is kept without a link. 120 s: longer than a train in a tunnel.
    pub keep: Duration,
    /// How many sessions there are at once, with and without links. 1024, as many as a server has connections. For another
    /// one the one without a link goes that has waited longest, of the principal that has most of those. 0 counts as 1:
    /// a server that wants none does not [speak](crate::session::Config::messages) of messages.
    pub max_sessions: usize,
    /// How many bytes are kept for sessions without a link. 64 MiB; beyond it those go that have waited longest, of the
    /// principal for whom most is kept.
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

/// A number that stands for one link of a server, never used for another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub u64);

/// What happens to the sessions of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SessionsEvent {
    /// Something of one session.
    Session(SessionId, Event),
    /// A session is without a link. It is kept for a while.
    Detached(SessionId),
}

impl SessionsEvent {
    /// Whether whoever does not hear of it has lost no message.
    pub(super) fn is_passing(&self) -> bool {
        match self {
            Self::Session(_, event) => event.is_passing(),
            Self::Detached(_) => true,
        }
    }
}
