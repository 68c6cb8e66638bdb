//! TLS over TCP: the client's and the server's handshake.

use std::io;
use std::time::Duration;

use bowline_handshake::client::Request;
use bowline_host::tls::{server_name, timed_out};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::{TlsAcceptor, TlsConnector};

pub use bowline_host::tls::{ClientTls, Fingerprint, NoFingerprint, ServerTls, TlsError};

use crate::dial::Config;

/// Encrypts a client's connection, and makes the server prove who it is.
pub(crate) async fn connect(
    stream: TcpStream,
    request: &Request,
    config: &Config,
) -> io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
    let tls = match &config.tls {
        Some(tls) => tls.clone(),
        None => system().await?,
    };
    TlsConnector::from(tls.config()).connect(server_name(request.host())?, stream).await
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
