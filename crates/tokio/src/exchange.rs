//! Carries the bytes of an opening handshake, for either role.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use bowline_core::{End, Instant};
use bowline_host::{Machine, read_end};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::time::{Sleep, sleep_until};

use crate::clock::Clock;

/// What is read at once. The limit on the head of a request or an answer is set in the handshake.
const READ: usize = 4 << 10;

/// Reads and writes for `machine` until `outcome` finds that it has come to one.
///
/// Cancel-safe in that nothing is lost that the machine was told; but what was written and not flushed is not told.
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
    let mut link = Link { stream, machine, clock, taken: 0, ended: false, buffer: Vec::new() };
    poll_fn(|cx| {
        loop {
            let read = link.poll_read(cx);
            link.machine.handle_timeout(clock.now());
            let written = link.poll_write(cx);
            if let Some(outcome) = outcome(link.machine) {
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
    machine: &'a mut M,
    clock: Clock,
    /// How much of the machine's output the transport took. The machine hears of it only when all of it is flushed,
    /// so that its deadline covers that, too.
    taken: usize,
    ended: bool,
    buffer: Vec<u8>,
}

impl<S: AsyncRead + AsyncWrite + Unpin, M: Machine> Link<'_, S, M> {
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.ended || !self.machine.wants_input() {
            return Poll::Pending;
        }
        self.buffer.clear();
        self.buffer.reserve(READ);
        let read = std::task::ready!(pin!(self.stream.read_buf(&mut self.buffer)).poll(cx));
        let now = self.clock.now();
        match read {
            Ok(1..) => self.machine.handle_input(now, &self.buffer),
            Ok(0) => self.end(now, End::Eof),
            Err(error) => self.end(now, read_end(&error)),
        }
        Poll::Ready(())
    }

    fn end(&mut self, now: Instant, end: End) {
        self.ended = true;
        self.machine.handle_end(now, end);
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let output = self.machine.output();
        if output.is_empty() {
            return Poll::Pending;
        }
        let rest = output.get(self.taken..).unwrap_or_default();
        let written = if rest.is_empty() {
            std::task::ready!(Pin::new(&mut *self.stream).poll_flush(cx)).map(|()| {
                let n = std::mem::take(&mut self.taken);
                self.machine.handle_written(self.clock.now(), n);
            })
        } else {
            match std::task::ready!(Pin::new(&mut *self.stream).poll_write(cx, rest)) {
                Ok(0) => Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => {
                    self.taken += n;
                    Ok(())
                }
                Err(error) => Err(error),
            }
        };
        if written.is_err() {
            self.machine.handle_end(self.clock.now(), End::WriteFailed);
        }
        Poll::Ready(())
    }

    fn poll_timer(&mut self, mut sleep: Pin<&mut Sleep>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(due) = self.machine.poll_timeout() else { return Poll::Pending };
        let due = self.clock.deadline(due);
        if sleep.deadline() != due {
            sleep.as_mut().reset(due);
        }
        sleep.poll(cx)
    }
}
