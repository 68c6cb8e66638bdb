//! Any WebSocket server, and how to dial it.

use bowline_core::transfer::SUBPROTOCOL;
use bowline_handshake::client::{Request, RequestError};
use bowline_tokio::dial::{self, Dialed};
use bowline_tokio::tls::ClientTls;
use bowline_tokio::{DialError, MaybeTlsStream};
use std::time::Duration;

/// Where to connect, and what to ask for.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    request: Request,
    /// Whom to believe; `None`: whom the system trusts.
    tls: Option<ClientTls>,
    /// How long an answer may take.
    patience: Duration,
}

impl Target {
    /// The server at this URL. It is asked for the subprotocol of bowline unless others are named: who does not know it
    /// answers without one.
    pub(crate) fn new(
        url: &str,
        subprotocols: &[String],
        token: Option<&str>,
        tls: Option<ClientTls>,
        patience: Duration,
    ) -> Result<Self, RequestError> {
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
        Ok(Self { request, tls, patience })
    }

    pub(crate) fn patience(&self) -> Duration {
        self.patience
    }

    pub(crate) async fn dial(&self) -> Result<Dialed<MaybeTlsStream>, DialError> {
        let mut limits = dial::Config::default();
        limits.connect_timeout = self.patience;
        limits.tls.clone_from(&self.tls);
        dial::connect_with(&self.request, &limits).await
    }
}
