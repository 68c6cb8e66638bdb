//! A place to read small messages to, shared by all connections of a thread.
//!
//! A connection that waits for its next message has to try to read, and mostly finds nothing. With a place of its own
//! it would have to take memory each time and give it back. What does come is copied, which costs less.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, ReadBuf};

/// How much fits: as much as a connection asks for when it does not know what comes.
pub(super) const LEN: usize = 4 << 10;

thread_local! {
    static SCRATCH: RefCell<[u8; LEN]> = const { RefCell::new([0; LEN]) };
}

/// Reads once, and shows what came, unless nothing did. `None` if the place is taken: by a stream that is itself driven
/// on this thread, below the one at hand.
pub(super) fn poll_read<S: AsyncRead + Unpin>(
    stream: &mut S,
    cx: &mut Context<'_>,
    take: impl FnOnce(&[u8]),
) -> Option<Poll<io::Result<usize>>> {
    SCRATCH.with(|scratch| {
        let mut scratch = scratch.try_borrow_mut().ok()?;
        let mut buffer = ReadBuf::new(&mut scratch[..]);
        let read = Pin::new(stream).poll_read(cx, &mut buffer);
        let bytes = buffer.filled();
        if !bytes.is_empty() {
            take(bytes);
        }
        Some(read.map_ok(|()| bytes.len()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::task::Waker;

    /// Reads by a connection inside, which wants the place, too.
    struct Tunnel(&'static [u8]);

    impl AsyncRead for Tunnel {
        fn poll_read(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            buffer: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            assert!(poll_read(&mut self.0, cx, |_| unreachable!("the place is taken")).is_none());
            Pin::new(&mut self.0).poll_read(cx, buffer)
        }
    }

    #[test]
    fn a_place_that_is_taken_is_said_so() {
        let mut cx = Context::from_waker(Waker::noop());
        let mut seen = Vec::new();
        let read = poll_read(&mut Tunnel(b"hello"), &mut cx, |bytes| seen.extend_from_slice(bytes));
        assert!(matches!(read, Some(Poll::Ready(Ok(5)))), "{read:?}");
        assert_eq!(seen, b"hello");
    }
}
