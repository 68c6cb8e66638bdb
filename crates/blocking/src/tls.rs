//! TLS over blocking sockets: which servers a client trusts, a server's identity, and the stream between them.

mod stream;

use std::io;
use std::net::TcpStream;

use bowline_core::Instant;
use bowline_handshake::client::Request;

pub use bowline_host::tls::{ClientTls, Fingerprint, NoFingerprint, ServerTls, TlsError, rustls};
pub use stream::TlsStream;

use crate::clock::Clock;
use crate::dial::Config;

/// Encrypts a client's connection, and verifies the server's identity; `None` if that was not done by then.
pub(crate) fn connect(
    stream: TcpStream,
    request: &Request,
    config: &Config,
    clock: Clock,
    until: Instant,
) -> Option<io::Result<TlsStream<TcpStream>>> {
    let tls = match &config.tls {
        Some(tls) => Ok(tls.clone()),
        None => ClientTls::system_once().map_err(io::Error::other),
    };
    match tls.and_then(|tls| TlsStream::client(stream, request.host(), &tls)) {
        Ok(stream) => stream.shake_hands(clock, until, None),
        Err(error) => Some(Err(error)),
    }
}
