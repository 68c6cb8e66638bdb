//! TLS over TCP: the client's and the server's handshake.

use std::io;
use std::time::Duration;

use bowline_handshake::client::Request;
use bowline_host::DialError;
use bowline_host::dial::place;
use bowline_host::tls::{server_name, timed_out};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::{TlsAcceptor, TlsConnector};

pub use bowline_host::tls::{ClientTls, Fingerprint, NoFingerprint, ServerTls, TlsError};

use crate::dial::Config;
use crate::maybe_tls::MaybeTlsStream;

/// Encrypts a client's connection, and makes the server prove who it is.
pub(crate) async fn connect(
    stream: TcpStream,
    request: &Request,
    config: &Config,
) -> Result<MaybeTlsStream, DialError> {
    let failed = |source| DialError::Tls { place: place(request), source };
    let tls = match &config.tls {
        Some(tls) => tls.clone(),
        None => system().await.map_err(failed)?,
    };
    let name = server_name(request.host()).map_err(failed)?;
    let stream = TlsConnector::from(tls.config()).connect(name, stream).await.map_err(failed)?;
    Ok(MaybeTlsStream::encrypted(stream))
}

/// Whom the system trusts. Its files may have to be read.
async fn system() -> io::Result<ClientTls> {
    let read = tokio::task::spawn_blocking(ClientTls::system_once).await.map_err(io::Error::other)?;
    read.map_err(io::Error::other)
}

/// Encrypts a server's connection, if the client does its part in this time.
pub(crate) async fn accept(
    stream: TcpStream,
    tls: &ServerTls,
    patience: Duration,
) -> io::Result<tokio_rustls::server::TlsStream<TcpStream>> {
    let accepted = timeout(patience, TlsAcceptor::from(tls.config()).accept(stream)).await;
    accepted.unwrap_or_else(|_| Err(timed_out(patience)))
}
