//! A stream without system calls: reads copy from a prepared piece of wire, writes copy into a buffer that is reused.

use std::hint::black_box;
use std::io::{self, IoSlice, Read, Write};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::{Buf, BufMut, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The most that a call moves, and the capacity for writes: what a socket has at once on a good day.
pub const AT_ONCE: usize = 64 << 10;

/// Reads return the wire again and again. Writes are copied, as a system would do.
pub struct Memory {
    wire: Rc<[u8]>,
    at: usize,
    sink: Box<[u8]>,
}

impl Memory {
    pub fn new(wire: Rc<[u8]>) -> Self {
        Self { wire, at: 0, sink: vec![0; AT_ONCE].into() }
    }

    /// The next bytes of the wire, as many as there is space for.
    pub fn fill(&mut self, to: &mut impl BufMut) -> usize {
        let space = to.chunk_mut().len();
        let bytes = self.lend(space);
        to.put_slice(bytes);
        bytes.len()
    }

    /// The next bytes of the wire in place, as many as a read would return and at most `space`.
    pub fn lend(&mut self, space: usize) -> &[u8] {
        let from = self.at;
        let end = from + space.min(AT_ONCE).min(self.wire.len() - from);
        self.at = if end == self.wire.len() { 0 } else { end };
        &self.wire[from..end]
    }

    /// Accepts these bytes, or as many of them as fit.
    pub fn put(&mut self, bytes: &[u8]) -> usize {
        let n = bytes.len().min(AT_ONCE);
        self.sink[..n].copy_from_slice(&bytes[..n]);
        self.look();
        n
    }

    /// Takes everything, and leaves it empty.
    pub fn take_buffer(&mut self, bytes: &mut BytesMut) {
        while !bytes.is_empty() {
            let n = self.put(bytes);
            bytes.advance(n);
        }
        bytes.clear();
    }

    /// Accepts everything in these pieces, or as much as fits.
    pub fn take_all(&mut self, pieces: &[IoSlice<'_>]) -> usize {
        let mut taken = 0;
        for piece in pieces {
            let n = piece.len().min(AT_ONCE - taken);
            self.sink[taken..taken + n].copy_from_slice(&piece[..n]);
            taken += n;
            if n < piece.len() {
                break;
            }
        }
        self.look();
        taken
    }

    /// What was written might be read, so the compiler must not leave it out.
    fn look(&mut self) {
        black_box(&mut self.sink);
    }
}

impl Read for Memory {
    fn read(&mut self, mut buf: &mut [u8]) -> io::Result<usize> {
        Ok(self.fill(&mut buf))
    }
}

impl Write for Memory {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        Ok(self.put(buf))
    }

    fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        Ok(self.take_all(pieces))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsyncRead for Memory {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.wire.is_empty() {
            return Poll::Pending;
        }
        self.fill(buf);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Memory {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(self.put(buf)))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(self.take_all(pieces)))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
