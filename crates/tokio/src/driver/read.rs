//! The reading side.

use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use bowline_core::End;
use bowline_host::read_end;
use bytes::BufMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

use super::{Driver, scratch};

impl<S: AsyncRead + AsyncWrite + Unpin> Driver<S> {
    /// Ready when something arrived, even if only the end, or when the machine is found to have slept. The clock has
    /// been read then.
    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let (mut received, mut slept) = (0, false);
        let mut is_little = self.expects_little && self.conn.wanted() <= scratch::LEN;
        let most = self.turns.direction();
        while received < most && self.conn.wants_input() {
            // A read of zero bytes would look like the end.
            let left = self.turns.left();
            if left == 0 {
                break;
            }
            let little = if is_little { self.poll_read_little(cx) } else { None };
            let read = little.unwrap_or_else(|| {
                slept |= self.look();
                self.poll_read_much(cx, left.min(self.conn.read_limit()))
            });
            let end = match read {
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
            self.look();
            self.conn.handle_end(self.driven, end);
            return Poll::Ready(());
        }
        if received == 0 {
            return if slept { Poll::Ready(()) } else { Poll::Pending };
        }
        self.expects_little = received < scratch::LEN;
        Poll::Ready(())
    }

    /// Reads into the shared buffer, and passes on what arrived. `None` if the buffer is taken.
    fn poll_read_little(&mut self, cx: &mut Context<'_>) -> Option<Poll<io::Result<usize>>> {
        scratch::lend(|place| {
            let Some(stream) = &mut self.stream else { return Poll::Pending };
            let mut place = ReadBuf::new(place);
            ready!(Pin::new(stream).poll_read(cx, &mut place))?;
            let bytes = place.filled();
            if !bytes.is_empty() {
                self.look();
                self.conn.handle_input(self.driven, bytes);
            }
            Poll::Ready(Ok(bytes.len()))
        })
    }

    /// Reads into the connection's own buffer, and reports what arrived.
    fn poll_read_much(&mut self, cx: &mut Context<'_>, most: usize) -> Poll<io::Result<usize>> {
        let Some(stream) = &mut self.stream else { return Poll::Pending };
        let read = pin!(stream.read_buf(&mut self.conn.input().limit(most))).poll(cx);
        // If nothing arrived, the connection may want to reclaim the buffer that it has lent.
        self.conn.handle_read(self.driven);
        read
    }
}
