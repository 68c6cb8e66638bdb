//! The writing side.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bowline_core::Instant;
use bowline_core::connection::Transport;
use bowline_host::{Writing, gather, write_end};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::coop::has_budget_remaining;

use super::Driver;

impl<S: AsyncRead + AsyncWrite + Unpin> Driver<S> {
    /// Ready when the owner may send again or never, or when there is more to write.
    pub(super) fn poll_write(&mut self, cx: &mut Context<'_>, now: Instant) -> Poll<()> {
        if !self.wants_write() || self.writing.is_over() {
            return Poll::Pending;
        }
        let was_full = self.conn.room() == 0;
        let (mut written, most) = (0, self.turns.direction());
        while !self.writing.is_over() && written < most {
            match self.poll_write_once(cx) {
                Some(Poll::Ready(Ok(n))) => {
                    written += n;
                    self.turns.handle_moved(n);
                    self.unflushed = true;
                    self.writing = Writing::Open;
                    self.conn.handle_written(now, n);
                }
                Some(Poll::Ready(Err(error))) => self.fail_writing(cx, now, &error),
                Some(Poll::Pending) => {
                    // A task that has used up its budget is turned away too; that says nothing about the stream.
                    if self.writing == Writing::Open && has_budget_remaining() {
                        self.writing = Writing::Blocked;
                        self.conn.handle_blocked(now);
                    }
                    break;
                }
                None => {
                    if let Poll::Ready(Err(error)) = self.poll_written(cx) {
                        self.fail_writing(cx, now, &error);
                    }
                    break;
                }
            }
        }
        if let (Some(valve), Some(stream)) = (&mut self.valve, &self.stream) {
            valve.adjust(stream, &self.conn);
        }
        let is_settled = self.writing == Writing::Failed || was_full && self.conn.room() > 0;
        let is_due = written >= most || is_settled;
        if is_due { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Whether there is anything to do for the writing side, even if only to end it.
    pub(super) fn wants_write(&self) -> bool {
        self.has_output() || self.conn.transport() == Transport::FinishWriting
    }

    /// Whether something has to be written, or was written and may still be held back by the stream.
    pub(crate) fn has_output(&self) -> bool {
        let wants = self.unflushed || !self.conn.output().is_empty();
        wants && self.stream.is_some() && !self.writing.is_over()
    }

    /// Offers the output to the stream, once; `None` if there is none.
    fn poll_write_once(&mut self, cx: &mut Context<'_>) -> Option<Poll<io::Result<usize>>> {
        let stream = self.stream.as_mut()?;
        gather(&self.conn, |slices, offered| {
            let wrote = match slices {
                [only] => Pin::new(stream).poll_write(cx, only),
                several => Pin::new(stream).poll_write_vectored(cx, several),
            };
            match wrote {
                Poll::Ready(Ok(0)) => Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(n)) => Poll::Ready(Ok(n.min(offered))),
                other => other,
            }
        })
    }

    /// Everything has been written: flushes it, and ends our direction if it was the last.
    fn poll_written(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(stream) = &mut self.stream else { return Poll::Ready(Ok(())) };
        if self.unflushed {
            ready!(Pin::new(&mut *stream).poll_flush(cx))?;
            self.unflushed = false;
        }
        if self.conn.transport() == Transport::FinishWriting {
            ready!(Pin::new(stream).poll_shutdown(cx))?;
            self.writing = Writing::Ended;
        }
        Poll::Ready(Ok(()))
    }

    /// Whether something that was sent can no longer leave.
    pub(crate) fn has_lost_output(&self) -> bool {
        let has_failed = self.writing == Writing::Failed || self.is_over();
        self.conn.has_lost_messages() || has_failed && self.unflushed
    }

    fn fail_writing(&mut self, cx: &Context<'_>, now: Instant, error: &io::Error) {
        self.writing = Writing::Failed;
        self.conn.handle_end(now, write_end(error));
        // The other half may be waiting with a timer set later than what is left now.
        cx.waker().wake_by_ref();
    }
}
