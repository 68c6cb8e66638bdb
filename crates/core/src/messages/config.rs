//! Settings of a message session.

use crate::replay;
use core::time::Duration;

/// Settings of one end of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// How much is kept for the peer and taken from it, and how soon it is acknowledged.
    pub replay: replay::Config,
    /// How many volatile messages may wait, on the way out and on the way in each. 64: a moment of them; what is older
    /// is of no use.
    pub max_volatile: usize,
    /// How many bytes they may have, on each way. 256 KiB.
    pub max_volatile_bytes: usize,
    /// How long a server may take to answer for the session while its link lives. 30 s: it looks up a name.
    pub resume_timeout: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            replay: replay::Config::default(),
            max_volatile: 64,
            max_volatile_bytes: 256 << 10,
            resume_timeout: Duration::from_secs(30),
        }
    }
}
