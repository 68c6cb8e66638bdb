//! The way in.

use std::io;
use std::pin::pin;
use std::task::{Context, Poll};

use bowline_core::{End, Instant};
use bowline_host::read_end;
use bytes::BufMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};

use super::{Driver, scratch};

impl<S: AsyncRead + AsyncWrite + Unpin> Driver<S> {
    /// Ready when something came, if only the end.
    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>, now: Instant) -> Poll<()> {
        let mut received = 0;
        let mut is_little = self.expects_little && self.conn.wanted() <= scratch::LEN;
        let most = self.turns.direction();
        while received < most && self.conn.wants_input() {
            // A read of nothing would look like the end.
            let left = self.turns.left();
            if left == 0 {
                break;
            }
            let end = match self.poll_read_once(cx, now, is_little, left) {
                Poll::Ready(Ok(0)) => End::Eof,
                Poll::Ready(Ok(n)) => {
                    received += n;
                    self.turns.handle_moved(n);
                    if is_little && n < scratch::LEN {
                        break;
                    }
                    is_little = false;
                    continue;
                }
                Poll::Ready(Err(error)) => read_end(&error),
                Poll::Pending => break,
            };
            self.conn.handle_end(now, end);
            return Poll::Ready(());
        }
        if received == 0 {
            return Poll::Pending;
        }
        self.expects_little = received < scratch::LEN;
        Poll::Ready(())
    }

    /// Reads once, and hands over what came.
    fn poll_read_once(
        &mut self,
        cx: &mut Context<'_>,
        now: Instant,
        is_little: bool,
        most: usize,
    ) -> Poll<io::Result<usize>> {
        let Some(stream) = &mut self.stream else { return Poll::Pending };
        if is_little {
            if let Some(read) = scratch::poll_read(stream, cx, |bytes| self.conn.handle_input(now, bytes)) {
                return read;
            }
        }
        let read = pin!(stream.read_buf(&mut self.conn.input().limit(most))).poll(cx);
        // If nothing came, the connection may want the place back that it has lent.
        self.conn.handle_read(now);
        read
    }
}
