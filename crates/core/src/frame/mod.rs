//! Frames of RFC 6455 §5: bytes to frames and back, with no notion of time.

/// Which end of the connection we are. A client masks what it sends; a server must not (RFC 6455 §5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// The end that dialled.
    Client,
    /// The end that accepted.
    Server,
}
