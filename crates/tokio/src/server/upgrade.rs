//! A server inside another HTTP server, on one of its routes.

use std::convert::Infallible;
use std::future::pending;
use std::sync::Arc;

use bowline_host::server::Guest;
use bytes::Bytes;
use http::{Request, Response};
use tokio::io::{AsyncRead, AsyncWrite};

use super::{Server, sweeping};

impl Server {
    /// Answers a request that another HTTP server, such as hyper or axum, has read, after checking that it is a valid
    /// WebSocket request, comes from no page of another origin, has a valid token, and speaks the protocol. Send the
    /// answer; if there is a guest, take over the stream behind it, and [serve the guest](Self::serve_guest).
    ///
    /// Without an HTTP server, [`accept::receive`](crate::accept::receive) reads the request, so that the application
    /// can decide first, for as long as it likes:
    ///
    /// ```no_run
    /// use bowline_core::transfer::SUBPROTOCOL;
    /// use bowline_tokio::accept::{self, Accept};
    /// use bowline_tokio::{AcceptError, Server, tcp};
    /// use tokio::io::AsyncReadExt;
    /// use tokio::net::TcpStream;
    ///
    /// # async fn is_blocked(headers: &http::HeaderMap) -> bool { headers.contains_key("x-blocked") }
    /// async fn serve(server: Server, stream: TcpStream, peer: String) -> Result<(), AcceptError> {
    ///     tcp::tune(&stream);
    ///     let asked = accept::receive(stream, &accept::Config::default()).await?;
    ///     if is_blocked(asked.request().headers()).await {
    ///         let mut answer = http::Response::new("your account is blocked; ask the office\n");
    ///         *answer.status_mut() = http::StatusCode::FORBIDDEN;
    ///         return Err(asked.reject(&answer).await); // the client shows this text to its user
    ///     }
    ///     let (answer, guest) = server.answer(asked.request());
    ///     let Some(guest) = guest else { return Err(asked.reject(&answer).await) };
    ///     let accepted = asked.accept(&Accept::new().with_subprotocol(SUBPROTOCOL)).await?;
    ///     // What has arrived behind the request belongs to the guest.
    ///     let (reader, writer) = accepted.stream.into_split();
    ///     let reader = std::io::Cursor::new(accepted.leftover).chain(reader);
    ///     server.serve_guest(tokio::io::join(reader, writer), guest, peer).await;
    ///     Ok(())
    /// }
    /// ```
    pub fn answer<B>(&self, request: &Request<B>) -> (Response<Bytes>, Option<Guest>) {
        self.house.answer(request)
    }

    /// Serves a guest over the stream behind its answer, until the link ends. `peer` is for logs and events. If the
    /// future is dropped early, the client is cut off without a word.
    ///
    /// Whoever accepts these connections counts them; [`ServerConfig::max_connections`] does not apply.
    ///
    /// [`ServerConfig::max_connections`]: super::ServerConfig::max_connections
    pub async fn serve_guest<S>(&self, stream: S, guest: Guest, peer: String)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (accepted, pass) = guest.take_over(stream);
        self.serve_link(accepted, pass, peer, |_, _| {}, self.orders()).await;
    }

    /// Tells all clients, and those that connect from now on and send their request within a second, to come back
    /// later; clients in their handshake are dropped. For programs that accept streams themselves: a client is gone
    /// when its [`serve_stream`](Self::serve_stream) or [`serve_guest`](Self::serve_guest) has returned. A
    /// [`serve`](Self::serve) continues, and ends by its `shutdown`.
    pub fn stop(&self) {
        self.stopping.send_replace(true);
        self.house.talks().stop(self.clock.now());
    }

    /// Removes abandoned parts periodically, as [`serve`](Self::serve) does by itself. Runs until it is dropped.
    pub async fn sweep(&self) -> Infallible {
        match self.house.sweep_every() {
            Some(every) => sweeping::sweep(Arc::clone(&self.house), every).await,
            None => pending().await,
        }
    }
}
