//! What keeps a client from starting.

use std::io;

use bowline_handshake::client::RequestError;
use thiserror::Error;

/// Why there is no client.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StartError {
    /// The URL, the token or a header of the settings is not valid.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The system gives no random bytes.
    #[error("no random bytes from the system: {0}")]
    Random(io::Error),
    /// The system gives no thread, or nothing that wakes one.
    #[error("no thread from the system: {0}")]
    Thread(io::Error),
}
