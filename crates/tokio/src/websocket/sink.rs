//! Sending as a `Sink`, for combinators such as `forward`.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bowline_core::connection::SendError;
use bowline_core::{Close, Message};
use bowline_host::Unsent;
use futures_sink::Sink;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc::{self, OwnedPermit};

use super::flush::flush;
use super::task::Command;
use super::{Sender, WebSocket};

/// Why a `Sink` of messages failed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SinkError {
    /// A message was not accepted, and is returned.
    #[error(transparent)]
    Refused(#[from] SendError<Message>),
    /// Not everything that was sent before has left.
    #[error(transparent)]
    Unsent(#[from] Unsent),
}

/// A connection that is closing or closed is ready, and returns each message. Closing the sink starts the closing
/// handshake with 1000. It does not wait for the peer's answer, which is received.
impl<S: AsyncRead + AsyncWrite + Unpin> Sink<Message> for WebSocket<S> {
    type Error = SinkError;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SinkError>> {
        self.poll_room(cx).map(Ok)
    }

    fn start_send(mut self: Pin<&mut Self>, message: Message) -> Result<(), SinkError> {
        Ok(self.try_send(message)?)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SinkError>> {
        self.poll_sent(cx).map_err(SinkError::from)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SinkError>> {
        // Already closing is just as good.
        let _ = self.close(Close::normal());
        self.poll_sent(cx).map_err(SinkError::from)
    }
}

/// A flush waits as [`Sender::flush`] does. A place in the queue is held from `poll_ready` until a message is sent or
/// this half is dropped; a clone has none. A connection that is over is ready, and returns each message. Closing the
/// sink starts the closing handshake with 1000 as [`Sender::close`] does, and waits until everything has left. It does
/// not wait for the peer's answer, which is received.
impl Sink<Message> for Sender {
    type Error = SinkError;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SinkError>> {
        let Self { commands, seat, .. } = &mut *self;
        seat.poll_reserve(commands, cx).map(Ok)
    }

    fn start_send(mut self: Pin<&mut Self>, message: Message) -> Result<(), SinkError> {
        self.leaving.outdate();
        // Without one the connection is over, or `poll_ready` was not called.
        let Some(place) = self.seat.take().filter(|_| !self.is_closed()) else {
            return Ok(self.try_send(message)?);
        };
        Ok(self.desk.accept(message, |command| drop(place.send(command)))?)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SinkError>> {
        let Self { commands, asker, has_left, leaving, .. } = &mut *self;
        let begin = || flush(commands.clone(), asker.clone(), Arc::clone(has_left));
        leaving.poll(cx, Last::Flush, begin).map_err(SinkError::from)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SinkError>> {
        let Self { commands, asker, has_left, leaving, .. } = &mut *self;
        let begin = || {
            let (commands, asker, has_left) = (commands.clone(), asker.clone(), Arc::clone(has_left));
            async move {
                // Already closing is just as good.
                let _ = asker.close(Close::normal()).await;
                flush(commands, asker, has_left).await
            }
        };
        leaving.poll(cx, Last::Close, begin).map_err(SinkError::from)
    }
}

/// What a sink was last asked to do.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Last {
    Flush,
    Close,
}

type Flushing = Pin<Box<dyn Future<Output = Result<(), Unsent>> + Send>>;

/// A flush or a close that a sink waits for.
#[derive(Default)]
pub(super) struct Leaving {
    /// The lock is never taken: it only lets the half be shared.
    begun: Mutex<Option<(Last, Flushing)>>,
    /// Something was sent since it began.
    is_outdated: AtomicBool,
}

impl Leaving {
    /// Continues what was begun, if it was the same and is not outdated, or begins it.
    fn poll<F>(
        &mut self,
        cx: &mut Context<'_>,
        what: Last,
        begin: impl FnOnce() -> F,
    ) -> Poll<Result<(), Unsent>>
    where
        F: Future<Output = Result<(), Unsent>> + Send + 'static,
    {
        let state = self.begun.get_mut().unwrap_or_else(PoisonError::into_inner);
        let is_outdated = std::mem::take(self.is_outdated.get_mut());
        let waiting = match state.take() {
            Some((last, waiting)) if last == what && !is_outdated => waiting,
            _ => Box::pin(begin()),
        };
        let (_, waiting) = state.insert((what, waiting));
        let result = ready!(waiting.as_mut().poll(cx));
        *state = None;
        Poll::Ready(result)
    }

    /// Something was sent, in any way: an earlier flush does not wait for that.
    pub(super) fn outdate(&self) {
        self.is_outdated.store(true, Ordering::Relaxed);
    }
}

type Reserving = Pin<Box<dyn Future<Output = Option<OwnedPermit<Command>>> + Send>>;

/// The place in the queue that a sink holds, or waits for. The lock is never taken: it only lets the half be shared.
#[derive(Default)]
pub(super) struct Seat(Mutex<State>);

#[derive(Default)]
enum State {
    #[default]
    None,
    Reserving(Reserving),
    Reserved(OwnedPermit<Command>),
}

impl Seat {
    /// Waits for a place, if it has none; also ready if there will be none because the connection is over.
    fn poll_reserve(&mut self, commands: &mpsc::Sender<Command>, cx: &mut Context<'_>) -> Poll<()> {
        let state = self.state();
        if let State::None = state {
            let reserving = commands.clone().reserve_owned();
            *state = State::Reserving(Box::pin(async { reserving.await.ok() }));
        }
        if let State::Reserving(reserving) = state {
            *state = ready!(reserving.as_mut().poll(cx)).map_or(State::None, State::Reserved);
        }
        Poll::Ready(())
    }

    /// The place, if there is one.
    fn take(&mut self) -> Option<OwnedPermit<Command>> {
        match std::mem::take(self.state()) {
            State::Reserved(place) => Some(place),
            _ => None,
        }
    }

    fn state(&mut self) -> &mut State {
        self.0.get_mut().unwrap_or_else(PoisonError::into_inner)
    }
}
