//! Any WebSocket server, and how to dial it.

use crate::args::Token;
use bowline_core::transfer::SUBPROTOCOL;
use bowline_handshake::client::{Request, RequestError};
use bowline_tokio::DialError;
use bowline_tokio::dial::{self, Dialed};
use std::time::Duration;
use tokio::net::TcpStream;

/// Where to connect, and what to ask for.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    request: Request,
    /// How long an answer may take.
    patience: Duration,
}

impl Target {
    /// The server at this URL. It is asked for the subprotocol of bowline unless others are named: who does not know it
    /// answers without one.
    pub(crate) fn new(
        url: &str,
        subprotocols: &[String],
        token: &Token,
        patience: Duration,
    ) -> Result<Self, RequestError> {
        let mut request = Request::new(url)?;
        if subprotocols.is_empty() {
            request = request.with_subprotocol(SUBPROTOCOL)?;
        }
        for name in subprotocols {
            request = request.with_subprotocol(name)?;
        }
        if let Some(token) = &token.token {
            request = request.with_header("authorization", format!("Bearer {token}"))?;
        }
        Ok(Self { request, patience })
    }

    pub(crate) fn patience(&self) -> Duration {
        self.patience
    }

    pub(crate) async fn dial(&self) -> Result<Dialed<TcpStream>, DialError> {
        let mut limits = dial::Config::default();
        limits.connect_timeout = self.patience;
        dial::connect_with(&self.request, &limits).await
    }
}
