//! Any WebSocket server, and how to dial it.

use crate::args::{Header, Way};
use crate::exit::Trouble;
use crate::{trust, url};
use bowline_core::Message;
use bowline_core::transfer::wire::{self, Frame, Hello};
use bowline_core::transfer::{self, SUBPROTOCOL};
use bowline_handshake::client::{Request, RequestError};
use bowline_host::client::renewed;
use bowline_tokio::dial::{self, Dialed};
use bowline_tokio::{DialError, MaybeTlsStream, ReconnectingConfig};
use std::path::PathBuf;
use std::time::Duration;
use tokio::task::spawn_blocking;

/// Where to connect, and what to request.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    request: Request,
    /// The file with the token, if it is read again for each connection.
    token_file: Option<PathBuf>,
    limits: dial::Config,
}

impl Target {
    /// The server at this URL. Bowline's subprotocol is requested unless others are given: a server that does not know
    /// it answers without one.
    pub(crate) fn new(
        url: &str,
        subprotocols: &[String],
        way: &Way,
        quiet: bool,
        patience: Duration,
    ) -> Result<Self, Trouble> {
        url::check(url)?;
        let token = way.token.read(quiet)?;
        let request = request(url, subprotocols, token.as_deref(), &way.headers);
        let request = request.map_err(|why| Trouble::usage(format!("{}: {why}", url::shown(url))))?;
        let mut limits = dial::Config::default();
        limits.connect_timeout = patience;
        limits.tls = trust::client(&way.trust, url)?;
        limits.proxies = way.proxies();
        limits.unix.clone_from(&way.unix);
        Ok(Self { request, token_file: way.token.token_file.clone(), limits })
    }

    /// How long an answer may take.
    pub(crate) fn patience(&self) -> Duration {
        self.limits.connect_timeout
    }

    /// The proxy in between, if there is one, without its password.
    pub(crate) fn proxy(&self) -> Option<String> {
        let proxy = self.limits.proxies.choose(&self.request).ok().flatten();
        // A connection to a Unix socket uses no proxy.
        proxy.filter(|_| self.limits.unix.is_none()).map(ToString::to_string)
    }

    /// Returns the request, and adds the settings for a WebSocket that dials like this.
    pub(crate) fn reconnecting(self, config: &mut ReconnectingConfig) -> Request {
        (config.dial, config.token_file) = (self.limits, self.token_file);
        self.request
    }

    pub(crate) async fn dial(&self) -> Result<Dialed<MaybeTlsStream>, DialError> {
        let (request, file) = (self.request.clone(), self.token_file.clone());
        let renewed = spawn_blocking(move || renewed(&request, file.as_deref())).await;
        dial::connect_with(renewed.as_ref().unwrap_or(&self.request), &self.limits).await
    }
}

/// The first message for a server of bowline, which ends connections that do not send one within a minute: a HELLO from
/// a client that neither sends nor fetches anything. `None` for any other server.
pub(crate) fn greeting(subprotocol: Option<&str>) -> Option<Message> {
    let config = transfer::Config::default();
    let hello = Hello {
        min_version: wire::VERSION,
        max_version: wire::VERSION,
        max_chunk: config.max_chunk,
        max_transfers: 1,
        max_offers_per_second: 1,
        credit: 0,
        features: 0,
        instance: config.instance,
        agent: config.agent,
    };
    (subprotocol == Some(SUBPROTOCOL)).then(|| Message::binary(Frame::Hello(hello).encode().into_bytes()))
}

fn request(
    url: &str,
    subprotocols: &[String],
    token: Option<&str>,
    headers: &[Header],
) -> Result<Request, RequestError> {
    let mut request = Request::new(url)?;
    if subprotocols.is_empty() {
        request = request.with_subprotocol(SUBPROTOCOL)?;
    }
    for name in subprotocols {
        request = request.with_subprotocol(name)?;
    }
    if let Some(token) = token {
        request = request.with_header("authorization", format!("Bearer {token}"))?;
    }
    for header in headers {
        request = request.with_header(&header.name, header.value.clone())?;
    }
    Ok(request)
}
