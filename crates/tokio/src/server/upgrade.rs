//! A server that lives in another HTTP server, on one of its routes.

use std::convert::Infallible;
use std::future::pending;
use std::sync::Arc;

use bowline_host::server::Guest;
use bytes::Bytes;
use http::{Request, Response};
use tokio::io::{AsyncRead, AsyncWrite};

use super::{Server, sweeping};

impl Server {
    /// Answers a request that another HTTP server, such as hyper or axum, has read. Checks whether it properly asks for
    /// a WebSocket, does not come from a page of another origin, has a token, and speaks the protocol. Send the answer;
    /// if there is a guest, take over the stream behind it, and [serve the guest](Self::serve_guest).
    pub fn answer<B>(&self, request: &Request<B>) -> (Response<Bytes>, Option<Guest>) {
        self.house.answer(request)
    }

    /// Serves a guest over the stream behind its answer, until the link ends. `peer` is for logs and events. When the
    /// future is dropped early, the client is cut off without a word.
    ///
    /// The connections of a server count at whoever accepts them; none of [`ServerConfig::max_connections`] applies.
    ///
    /// [`ServerConfig::max_connections`]: super::ServerConfig::max_connections
    pub async fn serve_guest<S>(&self, stream: S, guest: Guest, peer: String)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (accepted, pass) = guest.take_over(stream);
        self.serve_link(accepted, pass, peer, |_, _| {}, self.orders()).await;
    }

    /// Tells all clients, and those who come from now on and ask within a second, to come back later; clients in their
    /// handshake are dropped. For programs that accept streams themselves: a client is gone when its
    /// [`serve_stream`](Self::serve_stream) or [`serve_guest`](Self::serve_guest) has returned. A
    /// [`serve`](Self::serve) continues, and ends by its `shutdown`.
    pub fn stop(&self) {
        self.stopping.send_replace(true);
        self.house.talks().stop(self.clock.now());
    }

    /// Removes what nobody came back for, periodically, as [`serve`](Self::serve) does by itself. Runs until it is
    /// dropped.
    pub async fn sweep(&self) -> Infallible {
        match self.house.sweep_every() {
            Some(every) => sweeping::sweep(Arc::clone(&self.house), every).await,
            None => pending().await,
        }
    }
}
