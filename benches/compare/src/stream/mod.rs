//! What the peers run on, apart from TCP.

mod counted;
mod memory;
mod shaped;

pub use counted::{Calls, Counted};
pub use memory::{AT_ONCE, Memory};
pub use shaped::{Far, Near, pipe};

use tokio::io::{AsyncRead, AsyncWrite};

/// Whatever a peer can run on.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + 'static {}

impl<S: AsyncRead + AsyncWrite + Unpin + 'static> Stream for S {}
