//! A dial on a thread of its own, for whoever has other things to wait for meanwhile.

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

/// Whom to dial, and how.
#[derive(Clone, Debug)]
pub(crate) struct Dialing {
    pub(crate) request: Request,
    pub(crate) token_file: Option<PathBuf>,
}

impl Dialing {
    /// Dials, and hands on what comes of it.
    ///
    /// # Errors
    /// There is no thread.
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

    /// Shows this token from the next dial on, instead of the one before.
    pub(crate) fn set_token(&mut self, token: &str) {
        // It was looked at when it was set.
        if let Ok(request) = self.request.clone().with_bearer(token) {
            self.request = request;
        }
    }
}

/// Lets a link go whose end is known: what is still to be said to the peer is said on another thread, if it takes it soon.
pub(crate) fn let_go(mut driver: Driver<MaybeTlsStream>) {
    if !driver.is_over() {
        // Without a thread nothing more is said.
        let _ = thread::Builder::new().name("bowline end".into()).spawn(move || driver.say_last_words());
    }
}
