//! TLS over TCP: the client's and the server's handshake.

use std::io;

use bowline_handshake::client::Request;
use bowline_host::DialError;
use bowline_host::dial::place;
use tokio::net::TcpStream;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::{TlsAcceptor, TlsConnector};

pub use bowline_host::tls::{ClientTls, ServerTls, TlsError};

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
    // An address of IPv6 stands in brackets in a URL.
    let host = request.host().trim_start_matches('[').trim_end_matches(']').to_owned();
    let name = ServerName::try_from(host).map_err(|error| failed(io::Error::other(error)))?;
    let stream = TlsConnector::from(tls.config()).connect(name, stream).await.map_err(failed)?;
    Ok(MaybeTlsStream::Tls(Box::new(stream)))
}

/// Whom the system trusts; its files are read once.
async fn system() -> io::Result<ClientTls> {
    static SYSTEM: tokio::sync::OnceCell<ClientTls> = tokio::sync::OnceCell::const_new();
    let read = || async {
        let read = tokio::task::spawn_blocking(ClientTls::system).await.map_err(io::Error::other)?;
        read.map_err(io::Error::other)
    };
    SYSTEM.get_or_try_init(read).await.cloned()
}

/// Encrypts a server's connection.
pub(crate) async fn accept(
    stream: TcpStream,
    tls: &ServerTls,
) -> io::Result<tokio_rustls::server::TlsStream<TcpStream>> {
    TlsAcceptor::from(tls.config()).accept(stream).await
}
