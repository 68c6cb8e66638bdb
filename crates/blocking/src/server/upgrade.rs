//! A server that lives in another HTTP server, on one of its routes.

use std::sync::PoisonError;
use std::time::Duration;

use bowline_host::server::Guest;
use bytes::Bytes;
use http::{Request, Response};

use super::{Letter, Server, sweeping};
use crate::stream::Stream;

impl Server {
    /// Answers a request that an HTTP server of somebody else has read: whether it asks for a WebSocket as it should,
    /// is of no page of another origin, has a token, and speaks the protocol. Send the answer; if there is a guest,
    /// take over the stream behind it, and [serve the guest](Self::serve_guest).
    pub fn answer<B>(&self, request: &Request<B>) -> (Response<Bytes>, Option<Guest>) {
        self.0.house.answer(request)
    }

    /// Serves a guest over the stream behind its answer, until the link ends. `peer` is for events.
    ///
    /// The connections of a server count at whoever accepts them; none of [`ServerConfig::max_connections`] applies.
    ///
    /// [`ServerConfig::max_connections`]: super::ServerConfig::max_connections
    pub fn serve_guest<S: Stream>(&self, stream: S, guest: Guest, peer: String) {
        let (accepted, pass) = guest.take_over(stream);
        if let Some(caller) = self.caller(&peer) {
            self.serve_link(caller, accepted, pass, peer);
        }
    }

    /// Tells all clients, and those who come from now on and ask within a second, to come back later; whoever is
    /// shaking hands is let go. For whoever accepts streams by himself: each client is gone when its
    /// [`serve_stream`](Self::serve_stream) or [`serve_guest`](Self::serve_guest) has returned. A
    /// [`serve`](Self::serve) goes on, and ends by its listener.
    pub fn stop(&self) {
        self.lock().is_stopping = true;
        self.0.stopped.notify_all();
        self.tell_links(|| Letter::Away);
        self.0.house.talks().stop(self.0.clock.now());
    }

    /// Removes what nobody came back for, periodically, as [`serve`](Self::serve) does by itself. Returns when the
    /// server is [stopped](Self::stop), or at once if nothing is to be [swept](super::ServerConfig::sweep_every).
    pub fn sweep(&self) {
        if let Some(every) = self.0.house.sweep_every() {
            sweeping::sweep(&self.0.house, every, |time| !self.stops_within(time));
        }
    }

    /// Waits so long, or until the server is stopped; says whether it is.
    fn stops_within(&self, time: Duration) -> bool {
        let waited = self.0.stopped.wait_timeout_while(self.lock(), time, |links| !links.is_stopping);
        waited.unwrap_or_else(PoisonError::into_inner).0.is_stopping
    }
}
