//! The current dial of a client that dials again and again.

use std::future::{Future, pending};
use std::path::PathBuf;
use std::pin::Pin;

use bowline_core::connection;
use bowline_handshake::client::Request;
use bowline_host::DialError;
use bowline_host::client::{LinkEvent, renewed};

use crate::dial::{self, Dialed};
use crate::maybe_tls::MaybeTlsStream;

type Dial = Pin<Box<dyn Future<Output = Result<Dialed<MaybeTlsStream>, DialError>> + Send>>;

/// What to dial, and the current dial, if any.
pub(crate) struct Dialing {
    request: Request,
    token_file: Option<PathBuf>,
    dial: Option<Dial>,
}

impl Dialing {
    pub(crate) fn new(request: Request, token_file: Option<PathBuf>) -> Self {
        Self { request, token_file, dial: None }
    }

    /// Dials, and gives up any dial under way.
    pub(crate) fn start(&mut self, limits: dial::Config) {
        let (request, token_file) = (self.request.clone(), self.token_file.clone());
        self.dial = Some(Box::pin(async move {
            let request = with_token(request, token_file).await;
            dial::connect_with(&request, &limits).await
        }));
    }

    /// Gives up any dial under way.
    pub(crate) fn abandon(&mut self) {
        self.dial = None;
    }

    /// The result of the dial, once; waits while there is none. Cancel-safe: the next call continues.
    pub(crate) async fn result(&mut self) -> Result<Dialed<MaybeTlsStream>, DialError> {
        let Some(dial) = &mut self.dial else { return pending().await };
        let result = dial.await;
        self.dial = None;
        result
    }

    /// Uses this token instead of the previous one from the next dial on.
    pub(crate) fn set_token(&mut self, token: &str) {
        // It was checked when it was set.
        if let Ok(request) = self.request.clone().with_bearer(token) {
            self.request = request;
        }
    }
}

/// The request with the token that the file contains now.
async fn with_token(request: Request, token_file: Option<PathBuf>) -> Request {
    let Some(path) = token_file else { return request };
    let before = request.clone();
    tokio::task::spawn_blocking(move || renewed(&request, Some(&path))).await.unwrap_or(before)
}

/// Logs an event of the link.
pub(crate) fn log(event: &LinkEvent) {
    match event {
        LinkEvent::Up { link } => tracing::info!(link, "connected"),
        LinkEvent::Down { disconnect } => {
            tracing::info!(%disconnect, "disconnected");
            tracing::debug!("{}", disconnect.explain());
        }
        LinkEvent::DialFailed { disconnect, .. } => tracing::info!(%disconnect, "dial failed"),
        LinkEvent::GaveUp { why, .. } => tracing::info!(%why, "no more dials"),
        LinkEvent::Notice(connection::Event::HeartbeatChanged { from, to, why }) => {
            tracing::info!(?from, ?to, %why, "another heartbeat");
        }
        event => tracing::debug!("{event}"),
    }
}
