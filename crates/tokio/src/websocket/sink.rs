//! Sending as a `Sink`, for combinators such as `forward`.

use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bowline_core::connection::SendError;
use bowline_core::{Close, Message};
use bowline_host::Unsent;
use futures_sink::Sink;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc::{self, OwnedPermit};

use super::task::Command;
use super::{Sender, WebSocket};

/// Why a `Sink` of messages has not done what it should.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SinkError {
    /// A message was not accepted, and comes back.
    #[error(transparent)]
    Refused(#[from] SendError<Message>),
    /// Not all that was sent before has left.
    #[error(transparent)]
    Unsent(#[from] Unsent),
}

/// A connection that is closing or closed is ready, and gives each message back. Closing the sink starts the closing handshake
/// with 1000; it does not wait for the peer's answer, which is received.
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
        // Closing already is as good.
        let _ = self.close(Close::normal());
        self.poll_sent(cx).map_err(SinkError::from)
    }
}

/// What is sent has gone to the task when it is in the queue, so a flush has nothing to wait for. A place in the queue is
/// held from `poll_ready` on until a message is sent or this half is dropped; a clone has none. A connection that is over is
/// ready, and gives each message back. Closing the sink starts the closing handshake with 1000 as [`Sender::close`] does; it
/// does not wait for the peer's answer, which is received.
impl Sink<Message> for Sender {
    type Error = SinkError;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SinkError>> {
        let Self { commands, seat, .. } = &mut *self;
        seat.poll_reserve(commands, cx).map(Ok)
    }

    fn start_send(mut self: Pin<&mut Self>, message: Message) -> Result<(), SinkError> {
        // Without one the connection is over, or nobody has asked whether there is room.
        let Some(place) = self.seat.take().filter(|_| !self.is_closed()) else {
            return Ok(self.try_send(message)?);
        };
        let unfinished = self.unfinished.lock().unwrap_or_else(PoisonError::into_inner);
        if unfinished.is_some() {
            return Err(SendError::Unfinished(message).into());
        }
        place.send(Command::Send(message));
        Ok(())
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), SinkError>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SinkError>> {
        let Self { asker, closing, .. } = &mut *self;
        let closing = closing.get_mut().unwrap_or_else(PoisonError::into_inner);
        let wait = closing.get_or_insert_with(|| {
            let asker = asker.clone();
            // Closing already is as good.
            Box::pin(async move {
                let _ = asker.close(Close::normal()).await;
            })
        });
        ready!(wait.as_mut().poll(cx));
        *closing = None;
        Poll::Ready(Ok(()))
    }
}

/// A sink that closes waits for this.
pub(super) type Closing = Pin<Box<dyn Future<Output = ()> + Send>>;

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
    /// Waits for a place, if it has none; also ready if there will be none, for the connection is over.
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
