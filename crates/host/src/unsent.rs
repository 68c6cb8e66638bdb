//! Why a flush did not succeed.

use thiserror::Error;

/// Not everything that was sent has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Unsent {
    /// The connection has ended, or ends without it, and some is lost. Receive to learn why.
    #[error("the connection ended before everything that was sent had left")]
    Lost,
    /// As many messages as allowed are queued to be received, and the peer may be waiting for that: receive first.
    /// Reported where nothing else can receive them meanwhile.
    #[error("messages are waiting to be received, and the peer may be waiting for that before it takes more")]
    Unheard,
}
