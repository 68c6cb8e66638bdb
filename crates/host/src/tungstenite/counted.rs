//! A stream that counts the bytes that cross it.

use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::time::{Duration, Instant};

/// A stream that counts its bytes. Put it below tungstenite: one byte of a huge message is a sign of life, long before
/// there is a message.
#[derive(Debug)]
pub struct Counted<S> {
    stream: S,
    received: u64,
    sent: u64,
    /// From when on calls return `WouldBlock`: tungstenite goes on for as long as anything can be moved.
    until: Option<Instant>,
    /// What was tried since that was set, and is not tried again after that time. Each is tried once in any case: bytes
    /// left alone by a process that did not run for a moment would look like silence.
    tried: Tried,
    full: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Tried {
    read: bool,
    write: bool,
}

impl<S> Counted<S> {
    /// Counts from now on.
    pub fn new(stream: S) -> Self {
        Self { stream, received: 0, sent: 0, until: None, tried: Tried::default(), full: false }
    }

    /// The stream.
    pub fn get_ref(&self) -> &S {
        &self.stream
    }

    /// How many bytes were read.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// How many bytes were written.
    pub fn sent(&self) -> u64 {
        self.sent
    }
}

impl<S> Counted<S> {
    /// Lets bytes move for this long from now on, and at least once in each direction, however late that is.
    pub(super) fn allow(&mut self, time: Duration) {
        (self.until, self.tried, self.full) = (Instant::now().checked_add(time), Tried::default(), false);
    }

    /// Whether the stream itself has accepted no more since then, or less than it was given.
    pub(super) fn is_full(&self) -> bool {
        self.full
    }

    fn check_read(&mut self) -> io::Result<()> {
        let again = std::mem::replace(&mut self.tried.read, true);
        self.check(again)
    }

    fn check_write(&mut self) -> io::Result<()> {
        let again = std::mem::replace(&mut self.tried.write, true);
        self.check(again)
    }

    fn check(&self, again: bool) -> io::Result<()> {
        let is_late = again && self.until.is_some_and(|until| until <= Instant::now());
        if is_late { Err(ErrorKind::WouldBlock.into()) } else { Ok(()) }
    }

    fn wrote(&mut self, offered: usize, wrote: io::Result<usize>) -> io::Result<usize> {
        self.full |= match &wrote {
            Ok(n) => {
                self.sent += *n as u64;
                *n < offered
            }
            Err(error) => error.kind() == ErrorKind::WouldBlock,
        };
        wrote
    }
}

impl<S: Read> Read for Counted<S> {
    fn read(&mut self, place: &mut [u8]) -> io::Result<usize> {
        self.check_read()?;
        let n = self.stream.read(place)?;
        self.received += n as u64;
        Ok(n)
    }
}

impl<S: Write> Write for Counted<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.check_write()?;
        let wrote = self.stream.write(bytes);
        self.wrote(bytes.len(), wrote)
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.check_write()?;
        let wrote = self.stream.write_vectored(slices);
        self.wrote(slices.iter().map(|slice| slice.len()).sum(), wrote)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    #[test]
    fn each_direction_is_tried_once_even_if_it_is_late() {
        let mut stream = Counted::new(Cursor::new(vec![0; 10]));
        for sum in [2, 4] {
            stream.allow(Duration::ZERO);
            assert_eq!(stream.write(b"ab").unwrap(), 2);
            assert_eq!(stream.read(&mut [0; 2]).unwrap(), 2);
            assert_eq!((stream.sent(), stream.received()), (sum, sum));
            assert_eq!(stream.write(b"ab").unwrap_err().kind(), ErrorKind::WouldBlock);
            assert_eq!(stream.read(&mut [0; 2]).unwrap_err().kind(), ErrorKind::WouldBlock);
            assert!(!stream.is_full(), "it was we who turned it away");
        }
    }
}
