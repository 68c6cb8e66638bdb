//! Carries the bytes of an opening handshake, for either role.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use bowline_core::Instant;
use bowline_host::{Exchange, Machine, Pending};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::time::{Sleep, sleep_until};

use crate::clock::Clock;

/// How much is read at once. The handshake itself limits the head of a request or an answer.
const READ: usize = 4 << 10;

/// Reads and writes for `machine` until `outcome` returns a result.
///
/// Cancel-safe in that nothing is lost that the machine was told; but bytes that were written and not flushed are not
/// reported.
pub(crate) async fn exchange<S, M, T>(
    stream: &mut S,
    machine: &mut M,
    clock: Clock,
    mut outcome: impl FnMut(&mut M) -> Option<T>,
) -> T
where
    S: AsyncRead + AsyncWrite + Unpin,
    M: Machine,
{
    let mut sleep = pin!(sleep_until(clock.deadline(Instant::MAX)));
    let mut link = Link { stream, exchange: Exchange::new(machine), clock, buffer: Vec::new() };
    poll_fn(|cx| {
        loop {
            let read = link.poll_read(cx);
            link.exchange.machine().handle_timeout(clock.now());
            let written = link.poll_write(cx);
            if let Some(outcome) = outcome(link.exchange.machine()) {
                return Poll::Ready(outcome);
            }
            if read.is_pending() && written.is_pending() && link.poll_timer(sleep.as_mut(), cx).is_pending() {
                return Poll::Pending;
            }
        }
    })
    .await
}

struct Link<'a, S, M> {
    stream: &'a mut S,
    exchange: Exchange<'a, M>,
    clock: Clock,
    buffer: Vec<u8>,
}

impl<S: AsyncRead + AsyncWrite + Unpin, M: Machine> Link<'_, S, M> {
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.exchange.wants_input() {
            return Poll::Pending;
        }
        self.buffer.clear();
        self.buffer.reserve(READ);
        let read = ready!(pin!(self.stream.read_buf(&mut self.buffer)).poll(cx));
        self.exchange.handle_read(self.clock.now(), read.map(|_| &self.buffer[..]));
        Poll::Ready(())
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let stream = Pin::new(&mut *self.stream);
        match self.exchange.pending() {
            None => return Poll::Pending,
            Some(Pending::Write(bytes)) => {
                let written = ready!(stream.poll_write(cx, bytes));
                self.exchange.handle_written(self.clock.now(), &written);
            }
            Some(Pending::Flush) => {
                let flushed = ready!(stream.poll_flush(cx));
                self.exchange.handle_flushed(self.clock.now(), &flushed);
            }
        }
        Poll::Ready(())
    }

    fn poll_timer(&mut self, mut sleep: Pin<&mut Sleep>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(due) = self.exchange.machine().poll_timeout() else { return Poll::Pending };
        let due = self.clock.deadline(due);
        if sleep.deadline() != due {
            sleep.as_mut().reset(due);
        }
        sleep.poll(cx)
    }
}
