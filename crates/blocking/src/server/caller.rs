//! Somebody who has come, from his first byte on.

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

/// Somebody who has come, while he shakes hands and while he is served: what is left in his post reaches his thread.
pub(super) struct Caller<'a> {
    pub(super) server: &'a Server,
    pub(super) post: Post<Letter>,
    pub(super) wakened: Wakened,
    /// His number among all who are there.
    number: u64,
    /// If he came in by a door of the server's.
    stand: Option<Stand>,
    /// It was started when he came.
    pub(super) clock: Clock,
    /// How long he may shake hands.
    time: Duration,
    /// The server had stopped when he came.
    is_late: bool,
}

/// How long to wait for somebody who shakes hands.
pub(super) struct Patience<'a> {
    /// From the moment on in which he came.
    pub(super) time: Duration,
    /// Somebody calls when it is over before its time.
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

    /// He has a place of the server's, and may have to go for somebody else until he has [asked](Self::has_asked).
    pub(super) fn with_stand(mut self) -> Self {
        self.stand = Some(self.server.0.porch.enter(&self.post));
        self
    }

    /// Whoever has asked keeps his place; says whether he has one of the server's.
    pub(super) fn has_asked(&self) -> bool {
        self.stand.as_ref().map(Stand::leave).is_some()
    }

    /// Why it ended before its time, if it did.
    pub(super) fn hurry(&self) -> Option<Hurry> {
        if self.server.lock().is_stopping {
            return Some(Hurry::Stop);
        }
        self.stand.as_ref().is_some_and(Stand::has_to_go).then_some(Hurry::Others)
    }

    /// For all parts of the handshake together. A server that stops calls: it has no time any more for those who are
    /// there. So does one that wants the place for somebody else.
    pub(super) fn patience(&self) -> Patience<'_> {
        if !self.is_late {
            return Patience { time: self.time, wakened: Some(&self.wakened) };
        }
        // It has called already. Whoever comes after that is to hear so, and has little time to ask.
        Patience { time: self.time.min(LAST_WORDS), wakened: None }
    }
}

impl Drop for Caller<'_> {
    fn drop(&mut self) {
        drop(self.post.close());
        self.server.leave(self.number);
    }
}
