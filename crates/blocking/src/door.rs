//! Where clients connect.

use std::net::{self, TcpListener, TcpStream};
#[cfg(unix)]
use std::os::unix::net::{self as unix, UnixListener, UnixStream};
use std::{fmt, io};

use crate::stream::{Handle, Socket};
use crate::tcp::tune;

/// What a [`Listener`](crate::Listener) can listen with, such as the listeners of the standard library.
pub trait Door {
    /// The stream to a client.
    type Stream: Send + 'static;
    /// The address of a client.
    type Address: fmt::Debug + Send + 'static;

    /// Accepts the next client, if there is one, with a blocking stream.
    ///
    /// # Errors
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) if there is none, or the system's error.
    fn accept(&self) -> io::Result<(Self::Stream, Self::Address)>;

    /// Makes [`accept`](Self::accept) non-blocking.
    ///
    /// # Errors
    /// The system's error.
    fn set_nonblocking(&self) -> io::Result<()>;

    /// The socket to wait for.
    fn socket(&self) -> Handle<'_>;
}

impl Door for TcpListener {
    type Stream = TcpStream;
    type Address = net::SocketAddr;

    fn accept(&self) -> io::Result<(TcpStream, net::SocketAddr)> {
        let (stream, peer) = self.accept()?;
        patient(stream.set_nonblocking(false))?;
        tune(&stream);
        Ok((stream, peer))
    }

    fn set_nonblocking(&self) -> io::Result<()> {
        self.set_nonblocking(true)
    }

    fn socket(&self) -> Handle<'_> {
        Socket::socket(self)
    }
}

#[cfg(unix)]
impl Door for UnixListener {
    type Stream = UnixStream;
    type Address = unix::SocketAddr;

    fn accept(&self) -> io::Result<(UnixStream, unix::SocketAddr)> {
        let (stream, peer) = self.accept()?;
        patient(stream.set_nonblocking(false))?;
        Ok((stream, peer))
    }

    fn set_nonblocking(&self) -> io::Result<()> {
        self.set_nonblocking(true)
    }

    fn socket(&self) -> Handle<'_> {
        Socket::socket(self)
    }
}

/// On some systems a stream inherits non-blocking mode from its listener, and must be reset; that fails if the client
/// is already gone.
fn patient(told: io::Result<()>) -> io::Result<()> {
    told.map_err(|_| io::ErrorKind::ConnectionAborted.into())
}

/// What to call a client of a Unix socket.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn unix_peer(stream: &UnixStream) -> String {
    let user = rustix::net::sockopt::socket_peercred(stream).ok().map(|peer| peer.uid.as_raw());
    bowline_host::unix::peer(user)
}

/// What to call a client of a Unix socket.
#[cfg(all(unix, not(any(target_os = "linux", target_os = "android"))))]
pub(crate) fn unix_peer(_: &UnixStream) -> String {
    bowline_host::unix::peer(None)
}
