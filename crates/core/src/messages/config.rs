//! Settings of a message session.

use crate::replay;
use core::time::Duration;

/// Settings of one end of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// How much is kept for the peer and accepted from it, and how soon it is acknowledged.
    pub replay: replay::Config,
    /// How many volatile messages may be queued, for each direction. 64: a moment's worth, and older ones are useless.
    pub max_volatile: usize,
    /// How many bytes they may have, for each direction. 256 KiB.
    pub max_volatile_bytes: usize,
    /// How long a server may take to answer a resume while its link is alive. 30 s: it only looks up a name.
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
