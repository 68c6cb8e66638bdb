//! A dial on a thread of its own, for a client that must not wait for it.

use std::path::PathBuf;
use std::thread;

use bowline_core::Disconnect;
use bowline_core::closing::Obstacle;
use bowline_handshake::client::Request;
use bowline_host::DialError;
use bowline_host::client::renewed;

use crate::dial::{self, Dialed};
use crate::driver::Driver;
use crate::maybe_tls::MaybeTlsStream;

/// What to dial, and how.
#[derive(Clone, Debug)]
pub(crate) struct Dialing {
    pub(crate) request: Request,
    pub(crate) token_file: Option<PathBuf>,
}

impl Dialing {
    /// Dials, and passes on the result.
    ///
    /// # Errors
    /// If there is no thread.
    pub(crate) fn start(
        &self,
        limits: dial::Config,
        then: impl FnOnce(Result<Dialed<MaybeTlsStream>, DialError>) + Send + 'static,
    ) -> Result<(), Disconnect> {
        let Self { request, token_file } = self.clone();
        let dialing = thread::Builder::new().name("bowline dial".into()).spawn(move || {
            let request = renewed(&request, token_file.as_deref());
            then(dial::connect_with(&request, &limits));
        });
        dialing.map(drop).map_err(|error| {
            let why = format!("no thread could be started to dial: {error}");
            Disconnect::connect_failed(Obstacle::Local, why)
        })
    }

    /// Uses this token instead of the previous one from the next dial on.
    pub(crate) fn set_token(&mut self, token: &str) {
        // It was checked when it was set.
        if let Ok(request) = self.request.clone().with_bearer(token) {
            self.request = request;
        }
    }
}

/// Drops a link whose end is known. What is still to be sent is sent on another thread, if the peer accepts it soon.
pub(crate) fn let_go(mut driver: Driver<MaybeTlsStream>) {
    if !driver.is_over() {
        // Without a thread, nothing more is sent.
        let _ = thread::Builder::new().name("bowline end".into()).spawn(move || driver.say_last_words());
    }
}
