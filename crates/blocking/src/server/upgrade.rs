//! A server inside another HTTP server, on one of its routes.

use std::sync::PoisonError;
use std::time::Duration;

use bowline_host::server::Guest;
use bytes::Bytes;
use http::{Request, Response};

use super::{Letter, Server, sweeping};
use crate::stream::Stream;

impl Server {
    /// Answers a request that another HTTP server has read, after checking that it is a valid WebSocket request, comes
    /// from no page of another origin, has a valid token, and speaks the protocol. Send the answer; if there is a
    /// guest, take over the stream behind it, and [serve the guest](Self::serve_guest).
    pub fn answer<B>(&self, request: &Request<B>) -> (Response<Bytes>, Option<Guest>) {
        self.0.house.answer(request)
    }

    /// Serves a guest over the stream behind its answer, until the link ends. `peer` is for events.
    ///
    /// Whoever accepts these connections counts them; [`ServerConfig::max_connections`] does not apply.
    ///
    /// [`ServerConfig::max_connections`]: super::ServerConfig::max_connections
    pub fn serve_guest<S: Stream>(&self, stream: S, guest: Guest, peer: String) {
        let (accepted, pass) = guest.take_over(stream);
        if let Some(caller) = self.caller(&peer) {
            self.serve_link(caller, accepted, pass, peer);
        }
    }

    /// Tells all clients, and those that connect from now on and send their request within a second, to come back
    /// later; clients in their handshake are dropped. For programs that accept streams themselves: a client is gone
    /// when its [`serve_stream`](Self::serve_stream) or [`serve_guest`](Self::serve_guest) has returned. A
    /// [`serve`](Self::serve) continues, and ends by its listener.
    pub fn stop(&self) {
        self.lock().is_stopping = true;
        self.0.stopped.notify_all();
        self.tell_links(|| Letter::Away);
        self.0.house.talks().stop(self.0.clock.now());
    }

    /// Removes abandoned parts periodically, as [`serve`](Self::serve) does by itself. Returns when the server is
    /// [stopped](Self::stop), or at once if [sweeping](super::ServerConfig::sweep_every) is disabled.
    pub fn sweep(&self) {
        if let Some(every) = self.0.house.sweep_every() {
            sweeping::sweep(&self.0.house, every, |time| !self.stops_within(time));
        }
    }

    /// Waits this long, or until the server is stopped; returns whether it is.
    fn stops_within(&self, time: Duration) -> bool {
        let waited = self.0.stopped.wait_timeout_while(self.lock(), time, |links| !links.is_stopping);
        waited.unwrap_or_else(PoisonError::into_inner).0.is_stopping
    }
}
