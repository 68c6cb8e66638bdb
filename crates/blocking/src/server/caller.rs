//! A client's connection, from its first byte on.

use std::io;
use std::time::Duration;

use bowline_host::LAST_WORDS;
use bowline_host::server::Hurry;

use super::Server;
use super::link::Letter;
use super::porch::Stand;
use crate::clock::Clock;
use crate::post::Post;
use crate::wait::{Wakened, waker};

/// A client during its handshake and while it is served; letters in its post reach its thread.
pub(super) struct Caller<'a> {
    pub(super) server: &'a Server,
    pub(super) post: Post<Letter>,
    pub(super) wakened: Wakened,
    /// Its number among all connected clients.
    number: u64,
    /// Present if it came by one of the server's listeners.
    stand: Option<Stand>,
    /// Started when the client connected.
    pub(super) clock: Clock,
    /// How long its handshake may take.
    time: Duration,
    /// Whether the server had stopped when it connected.
    is_late: bool,
}

/// How long to wait for a client's handshake.
pub(super) struct Patience<'a> {
    /// From when the client connected.
    pub(super) time: Duration,
    /// Woken if the time is cut short.
    pub(super) wakened: Option<&'a Wakened>,
}

impl<'a> Caller<'a> {
    pub(super) fn new(server: &'a Server) -> io::Result<Self> {
        let (waker, wakened) = waker()?;
        let (post, clock) = (Post::new(waker), Clock::start());
        let (number, time) = (server.join(&post), server.0.house.config().accept.timeout);
        let is_late = !post.may_wait();
        Ok(Self { number, server, post, wakened, stand: None, clock, time, is_late })
    }

    /// It uses one of the server's places, and may have to leave in favour of another client until it has [sent its
    /// request](Self::has_asked).
    pub(super) fn with_stand(mut self) -> Self {
        self.stand = Some(self.server.0.porch.enter(&self.post));
        self
    }

    /// A client that has sent its request keeps its place. Returns whether it uses one of the server's places.
    pub(super) fn has_asked(&self) -> bool {
        self.stand.as_ref().map(Stand::leave).is_some()
    }

    /// Why its time was cut short, if it was.
    pub(super) fn hurry(&self) -> Option<Hurry> {
        if self.server.lock().is_stopping {
            return Some(Hurry::Stop);
        }
        self.stand.as_ref().is_some_and(Stand::has_to_go).then_some(Hurry::Others)
    }

    /// The time for all parts of the handshake together. It is cut short if the server stops, which leaves no more time
    /// for connected clients, or if it needs the place for another.
    pub(super) fn patience(&self) -> Patience<'_> {
        if !self.is_late {
            return Patience { time: self.time, wakened: Some(&self.wakened) };
        }
        // The server has already stopped. A client that connects after that has little time to send its request, only
        // to be told.
        Patience { time: self.time.min(LAST_WORDS), wakened: None }
    }
}

impl Drop for Caller<'_> {
    fn drop(&mut self) {
        drop(self.post.close());
        self.server.leave(self.number);
    }
}
