//! Clients that connect through another HTTP server, on one of its routes.

use bowline_core::transfer::SUBPROTOCOL;
use bowline_handshake::server::Upgrade;
use bytes::Bytes;
use http::{Request, Response, StatusCode};

use super::{House, Pass};
use crate::accept::{Accepted, Decision};

/// A client that may connect, and its server: see [`House::answer`].
#[derive(Debug)]
#[must_use = "the client waits to be served"]
pub struct Guest {
    pass: Pass,
    request: Request<()>,
}

impl House {
    /// Answers a request that other code has read, after checking that it is a valid WebSocket request, comes from no
    /// page of another origin, has a valid token, and speaks the protocol. If this returns a guest, serve it over the
    /// stream behind the answer.
    pub fn answer<B>(&self, request: &Request<B>) -> (Response<Bytes>, Option<Guest>) {
        let upgrade = match Upgrade::of(request) {
            Ok(upgrade) => upgrade,
            Err(error) => return (error.response().map(Bytes::from), None),
        };
        let (accept, pass) = match self.decide(upgrade.request(), upgrade.subprotocols()) {
            (Decision::Accept(accept), pass) => (accept, pass),
            (Decision::Reject(answer), _) => return (answer, None),
        };
        match upgrade.accept(&accept) {
            Ok(answer) => {
                let guest = pass.map(|pass| Guest { pass, request: upgrade.into_request() });
                (answer.map(|()| Bytes::new()), guest)
            }
            Err(error) => {
                let mut answer = Response::new(Bytes::from(format!("{error}\n")));
                *answer.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
                (answer, None)
            }
        }
    }
}

impl Guest {
    /// Takes over the stream behind the answer: returns what to run a connection on, and what the guest may do.
    pub fn take_over<S>(self, stream: S) -> (Accepted<S>, Pass) {
        (Accepted::handed_over(stream, self.request, SUBPROTOCOL), self.pass)
    }
}
