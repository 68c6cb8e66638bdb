//! Why a client could not start.

use std::io;

use bowline_handshake::client::RequestError;
use thiserror::Error;

/// Why a client could not start.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StartError {
    /// The URL, the token or a header in the settings is not valid.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The system provides no random bytes.
    #[error("no random bytes from the system: {0}")]
    Random(io::Error),
    /// The system provides no thread, or no means to wake one.
    #[error("no thread from the system: {0}")]
    Thread(io::Error),
}
