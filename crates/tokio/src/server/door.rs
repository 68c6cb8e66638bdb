//! Where clients connect.

use std::io;

use tokio::net::{TcpListener, TcpStream};
#[cfg(unix)]
use tokio::net::{UnixListener, UnixStream};

/// A listener of a server.
pub(super) enum Door {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix(UnixListener),
}

/// A new connection, and what to call its client in logs and events.
pub(super) enum Caller {
    Tcp(TcpStream, String),
    #[cfg(unix)]
    Unix(UnixStream, String),
}

impl Door {
    /// Waits for the next connection. Cancel-safe.
    pub(super) async fn accept(&self) -> io::Result<Caller> {
        match self {
            Self::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                Ok(Caller::Tcp(stream, peer.to_string()))
            }
            #[cfg(unix)]
            Self::Unix(listener) => {
                let (stream, _) = listener.accept().await?;
                let user = stream.peer_cred().ok().map(|peer| peer.uid());
                Ok(Caller::Unix(stream, bowline_host::unix::peer(user)))
            }
        }
    }
}
