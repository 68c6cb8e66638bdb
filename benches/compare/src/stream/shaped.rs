//! A path in virtual time: one direction carries a number of bytes per second and holds what waits, the other is
//! unlimited.
//!
//! Under tokio's paused clock, time is what the path takes and nothing else, so every run gives the same results.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::sleep;

/// How often the path makes progress: as finely as tokio's clock counts.
const TICK: Duration = Duration::from_millis(1);

#[derive(Default)]
struct Path {
    /// On their way to the far end.
    out: VecDeque<u8>,
    room: usize,
    /// On their way back.
    back: VecDeque<u8>,
    writer: Option<Waker>,
    reader: Option<Waker>,
}

/// The end that a peer runs on.
pub struct Near(Rc<RefCell<Path>>);

/// The other end, which accepts what arrives.
pub struct Far {
    path: Rc<RefCell<Path>>,
    per_tick: usize,
}

/// A path that carries `rate` bytes per second away from the near end, and holds `room` bytes.
pub fn pipe(rate: usize, room: usize) -> (Near, Far) {
    let path = Rc::new(RefCell::new(Path { room, ..Path::default() }));
    let per_tick = rate / (Duration::from_secs(1).as_micros() / TICK.as_micros()) as usize;
    (Near(Rc::clone(&path)), Far { path, per_tick })
}

impl Far {
    /// What arrives by the next tick.
    pub async fn receive(&mut self) -> Vec<u8> {
        sleep(TICK).await;
        let mut path = self.path.borrow_mut();
        let n = path.out.len().min(self.per_tick);
        if let Some(writer) = path.writer.take() {
            writer.wake();
        }
        path.out.drain(..n).collect()
    }

    /// Arrives at the near end at once.
    pub fn send(&mut self, bytes: &[u8]) {
        let mut path = self.path.borrow_mut();
        path.back.extend(bytes);
        if let Some(reader) = path.reader.take() {
            reader.wake();
        }
    }
}

impl AsyncRead for Near {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut path = self.0.borrow_mut();
        if path.back.is_empty() {
            path.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let n = path.back.len().min(buf.remaining());
        for byte in path.back.drain(..n) {
            buf.put_slice(&[byte]);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Near {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let mut path = self.0.borrow_mut();
        let n = buf.len().min(path.room - path.out.len());
        if n == 0 && !buf.is_empty() {
            path.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        path.out.extend(&buf[..n]);
        Poll::Ready(Ok(n))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
