//! TLS over TCP: the client's and the server's handshake, and the stream after it.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bowline_handshake::client::Request;
use bowline_host::tls::{Records, server_name, timed_out};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::{TlsAcceptor, TlsConnector};

pub use bowline_host::tls::{ClientTls, Fingerprint, NoFingerprint, ServerTls, TlsError, rustls};

use crate::clock::Clock;
use crate::dial::Config;

/// TLS over TCP, for either role. Data is written in records of the right size.
#[derive(Debug)]
pub(crate) struct TlsStream {
    stream: tokio_rustls::TlsStream<TcpStream>,
    records: Records,
    /// Decides when records become small again after a pause.
    clock: Clock,
}

/// Encrypts a client's connection, and verifies the server's identity.
pub(crate) async fn connect(stream: TcpStream, request: &Request, config: &Config) -> io::Result<TlsStream> {
    let tls = match &config.tls {
        Some(tls) => tls.clone(),
        None => system().await?,
    };
    let name = server_name(request.host())?;
    TlsConnector::from(tls.config()).connect(name, stream).await.map(TlsStream::new)
}

/// The authorities that the system trusts. Their files may have to be read.
async fn system() -> io::Result<ClientTls> {
    let read = tokio::task::spawn_blocking(ClientTls::system_once).await.map_err(io::Error::other)?;
    read.map_err(io::Error::other)
}

/// Encrypts a server's connection, if the client does its part in this time.
pub(crate) async fn accept(stream: TcpStream, tls: &ServerTls, patience: Duration) -> io::Result<TlsStream> {
    let accepted = timeout(patience, TlsAcceptor::from(tls.config()).accept(stream)).await;
    accepted.unwrap_or_else(|_| Err(timed_out(patience))).map(TlsStream::new)
}

impl TlsStream {
    fn new(stream: impl Into<tokio_rustls::TlsStream<TcpStream>>) -> Self {
        Self { stream: stream.into(), records: Records::default(), clock: Clock::start() }
    }

    /// The connection below.
    pub(crate) fn tcp(&self) -> &TcpStream {
        self.stream.get_ref().0
    }

    /// The version of TLS, such as `TLSv1_3`.
    pub(crate) fn version(&self) -> Option<&'static str> {
        self.stream.get_ref().1.protocol_version().and_then(|version| version.as_str())
    }
}

impl AsyncRead for TlsStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for TlsStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let (now, records) = (self.clock.now(), self.records);
        let wrote = records.offer(now, bufs, |bufs| Pin::new(&mut self.stream).poll_write_vectored(cx, bufs));
        let taken = ready!(wrote)?;
        self.records.handle_written(now, taken);
        Poll::Ready(Ok(taken))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
