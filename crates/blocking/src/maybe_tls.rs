//! A TCP connection, or TLS over one.

use std::io::{self, IoSlice, Read, Write};
use std::net::TcpStream;
#[cfg(unix)]
use std::os::unix::net::UnixStream;
use std::time::Duration;

use bowline_core::connection::Config;

use crate::clock::Clock;
use crate::dial::Dialed;
use crate::driver::Driver;
use crate::stream::{Handle, Stream};
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
    Tls(Box<TlsStream<TcpStream>>),
    #[cfg(unix)]
    Unix(UnixStream),
}

impl MaybeTlsStream {
    /// The TCP connection, for inspection, if it is one.
    pub fn tcp(&self) -> Option<&TcpStream> {
        match &self.0 {
            Kind::Plain(stream) => Some(stream),
            #[cfg(feature = "tls")]
            Kind::Tls(stream) => Some(stream.get_ref()),
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
            Kind::Tls(stream) => stream.tls_version(),
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

#[cfg(feature = "tls")]
impl From<TlsStream<TcpStream>> for MaybeTlsStream {
    fn from(stream: TlsStream<TcpStream>) -> Self {
        Self(Kind::Tls(Box::new(stream)))
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

impl Read for MaybeTlsStream {
    fn read(&mut self, place: &mut [u8]) -> io::Result<usize> {
        delegate!(&mut self.0, stream => stream.read(place))
    }
}

impl Write for MaybeTlsStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        delegate!(&mut self.0, stream => stream.write(bytes))
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        delegate!(&mut self.0, stream => stream.write_vectored(slices))
    }

    fn flush(&mut self) -> io::Result<()> {
        delegate!(&mut self.0, stream => stream.flush())
    }
}

impl Stream for MaybeTlsStream {
    fn set_nonblocking(&self) -> io::Result<()> {
        match &self.0 {
            Kind::Plain(stream) => Stream::set_nonblocking(stream),
            #[cfg(feature = "tls")]
            Kind::Tls(stream) => Stream::set_nonblocking(&**stream),
            #[cfg(unix)]
            Kind::Unix(stream) => Stream::set_nonblocking(stream),
        }
    }

    fn socket(&self) -> Handle<'_> {
        match &self.0 {
            Kind::Plain(stream) => Stream::socket(stream),
            #[cfg(feature = "tls")]
            Kind::Tls(stream) => Stream::socket(&**stream),
            #[cfg(unix)]
            Kind::Unix(stream) => Stream::socket(stream),
        }
    }

    fn finish_writing(&mut self) -> io::Result<()> {
        delegate!(&mut self.0, stream => stream.finish_writing())
    }

    fn has_input(&self) -> bool {
        delegate!(&self.0, stream => stream.has_input())
    }

    fn set_patience(&self, time: Duration) -> io::Result<bool> {
        delegate!(&self.0, stream => stream.set_patience(time))
    }

    fn read_now(&mut self, place: &mut [u8]) -> io::Result<usize> {
        delegate!(&mut self.0, stream => stream.read_now(place))
    }

    fn write_now(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        delegate!(&mut self.0, stream => stream.write_now(slices))
    }
}
