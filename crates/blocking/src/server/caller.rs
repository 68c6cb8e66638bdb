//! Somebody who has come, from his first byte on.

use std::io;
use std::time::Duration;

use bowline_host::LAST_WORDS;
use bowline_host::server::Hurry;

use super::Server;
use super::link::Letter;
use super::porch::Stand;
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
}

/// How long to wait for somebody who shakes hands.
pub(super) struct Patience<'a> {
    pub(super) time: Duration,
    /// Somebody calls when it is over before its time.
    pub(super) wakened: Option<&'a Wakened>,
}

impl<'a> Caller<'a> {
    pub(super) fn new(server: &'a Server) -> io::Result<Self> {
        let (waker, wakened) = waker()?;
        let post = Post::new(waker);
        Ok(Self { number: server.join(&post), server, post, wakened, stand: None })
    }

    /// He has a place of the server's, and may have to go for somebody else until he has [asked](Self::has_asked).
    pub(super) fn with_stand(mut self) -> Self {
        self.stand = Some(self.server.0.porch.enter(&self.post));
        self
    }

    /// Whoever has asked keeps his place.
    pub(super) fn has_asked(&self) {
        if let Some(stand) = &self.stand {
            stand.leave();
        }
    }

    /// Why it ended before its time, if it did.
    pub(super) fn hurry(&self) -> Option<Hurry> {
        if self.server.lock().is_stopping {
            return Some(Hurry::Stop);
        }
        self.stand.as_ref().is_some_and(Stand::has_to_go).then_some(Hurry::Others)
    }

    /// For the next part of the handshake. A server that stops calls: it has no time any more for those who are there. So
    /// does one that wants the place for somebody else.
    pub(super) fn patience(&self, time: Duration) -> Patience<'_> {
        if self.post.may_wait() {
            return Patience { time, wakened: Some(&self.wakened) };
        }
        // It has called already. Whoever comes after that is to hear so, and has little time to ask.
        Patience { time: time.min(LAST_WORDS), wakened: None }
    }
}

impl Drop for Caller<'_> {
    fn drop(&mut self) {
        drop(self.post.close());
        self.server.leave(self.number);
    }
}
