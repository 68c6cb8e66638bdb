//! A TCP connection, or TLS over one.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bowline_core::connection::Config;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;

use crate::clock::Clock;
use crate::dial::Dialed;
use crate::driver::Driver;
use crate::tcp::set_unsent;
#[cfg(feature = "tls")]
use crate::tls::TlsStream;

/// What [`dial::connect`](crate::dial::connect) returns: a TCP connection for `ws://`, for `wss://` (feature `tls`) TLS
/// over one, or a [Unix socket](bowline_host::dial::Config::unix).
#[derive(Debug)]
pub struct MaybeTlsStream(Kind);

#[derive(Debug)]
enum Kind {
    Plain(TcpStream),
    #[cfg(feature = "tls")]
    Tls(Box<TlsStream>),
    #[cfg(unix)]
    Unix(UnixStream),
}

impl MaybeTlsStream {
    #[cfg(feature = "tls")]
    pub(crate) fn encrypted(stream: TlsStream) -> Self {
        Self(Kind::Tls(Box::new(stream)))
    }

    /// The TCP connection, for inspection, if it is one.
    pub fn tcp(&self) -> Option<&TcpStream> {
        match &self.0 {
            Kind::Plain(stream) => Some(stream),
            #[cfg(feature = "tls")]
            Kind::Tls(stream) => Some(stream.tcp()),
            #[cfg(unix)]
            Kind::Unix(_) => None,
        }
    }

    /// Sets how many unsent bytes the system may hold.
    pub(crate) fn set_unsent(&self, most: u32) {
        if let Some(tcp) = self.tcp() {
            set_unsent(tcp, most);
        }
    }

    /// The version of TLS, such as `TLSv1_3`; `None` without TLS.
    pub fn tls_version(&self) -> Option<&'static str> {
        match &self.0 {
            Kind::Plain(_) => None,
            #[cfg(unix)]
            Kind::Unix(_) => None,
            #[cfg(feature = "tls")]
            Kind::Tls(stream) => stream.version(),
        }
    }
}

impl Driver<MaybeTlsStream> {
    /// A driver for a connection that was dialled here, with a limit on what the system holds.
    pub(crate) fn dialed(dialed: Dialed<MaybeTlsStream>, config: Config, clock: Clock) -> io::Result<Self> {
        let driver = Self::client(dialed.stream, &dialed.leftover, config, clock)?;
        Ok(driver.with_valve(MaybeTlsStream::set_unsent))
    }
}

impl From<TcpStream> for MaybeTlsStream {
    fn from(stream: TcpStream) -> Self {
        Self(Kind::Plain(stream))
    }
}

#[cfg(unix)]
impl From<UnixStream> for MaybeTlsStream {
    fn from(stream: UnixStream) -> Self {
        Self(Kind::Unix(stream))
    }
}

/// Calls a method on whichever stream it is.
macro_rules! delegate {
    ($self:expr, $stream:ident => $call:expr) => {
        match $self {
            Kind::Plain($stream) => $call,
            #[cfg(feature = "tls")]
            Kind::Tls($stream) => $call,
            #[cfg(unix)]
            Kind::Unix($stream) => $call,
        }
    };
}

impl AsyncRead for MaybeTlsStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        delegate!(&mut self.get_mut().0, stream => Pin::new(stream).poll_read(cx, buf))
    }
}

impl AsyncWrite for MaybeTlsStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        delegate!(&mut self.get_mut().0, stream => Pin::new(stream).poll_write(cx, buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        delegate!(&mut self.get_mut().0, stream => Pin::new(stream).poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        delegate!(&self.0, stream => stream.is_write_vectored())
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        delegate!(&mut self.get_mut().0, stream => Pin::new(stream).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        delegate!(&mut self.get_mut().0, stream => Pin::new(stream).poll_shutdown(cx))
    }
}
