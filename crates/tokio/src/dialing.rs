//! The dial that is under way for whoever dials again and again.

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

/// Whom to dial, and the dial if one is under way.
pub(crate) struct Dialing {
    request: Request,
    token_file: Option<PathBuf>,
    dial: Option<Dial>,
}

impl Dialing {
    pub(crate) fn new(request: Request, token_file: Option<PathBuf>) -> Self {
        Self { request, token_file, dial: None }
    }

    /// Dials, and gives up the dial that may be under way.
    pub(crate) fn start(&mut self, limits: dial::Config) {
        let (request, token_file) = (self.request.clone(), self.token_file.clone());
        self.dial = Some(Box::pin(async move {
            let request = with_token(request, token_file).await;
            dial::connect_with(&request, &limits).await
        }));
    }

    /// Gives up the dial that may be under way.
    pub(crate) fn abandon(&mut self) {
        self.dial = None;
    }

    /// What comes of the dial, once; waits as long as there is none. Cancel-safe: it goes on with the next call.
    pub(crate) async fn result(&mut self) -> Result<Dialed<MaybeTlsStream>, DialError> {
        let Some(dial) = &mut self.dial else { return pending().await };
        let result = dial.await;
        self.dial = None;
        result
    }

    /// Shows this token from the next dial on, instead of the one before.
    pub(crate) fn set_token(&mut self, token: &str) {
        // It was looked at when it was set.
        if let Ok(request) = self.request.clone().with_bearer(token) {
            self.request = request;
        }
    }
}

/// The request with the token that is in this file by now.
async fn with_token(request: Request, token_file: Option<PathBuf>) -> Request {
    let Some(path) = token_file else { return request };
    let before = request.clone();
    tokio::task::spawn_blocking(move || renewed(&request, Some(&path))).await.unwrap_or(before)
}

/// Writes a turn of a link to the log.
pub(crate) fn log(event: &LinkEvent) {
    match event {
        LinkEvent::Up { link } => tracing::info!(link, "connected"),
        LinkEvent::Down { disconnect } => {
            tracing::info!(%disconnect, "disconnected");
            tracing::debug!("{}", disconnect.explain());
        }
        LinkEvent::DialFailed { disconnect, .. } => tracing::info!(%disconnect, "dial failed"),
        LinkEvent::GaveUp { why, .. } => tracing::info!(%why, "gave up"),
        LinkEvent::Notice(connection::Event::HeartbeatChanged { from, to, why }) => {
            tracing::info!(?from, ?to, %why, "another heartbeat");
        }
        event => tracing::debug!(?event, "link"),
    }
}
