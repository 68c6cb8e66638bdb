//! The way in.

use std::cell::RefCell;
use std::io;

use bowline_core::{End, Instant};
use bowline_host::read_end;

use super::{Driver, TURN};
use crate::stream::Stream;

/// How much is read at once, unless a frame is on its way that is larger.
const READ: usize = 64 << 10;
/// How much of such a frame is read at once. The place for it is filled with zeros first: half of what a copy costs, but in
/// vain where little comes.
const READ_LARGE: usize = 256 << 10;

thread_local! {
    /// The place to read to, shared by all connections of a thread: one that waits holds no memory for what may come.
    static PLACE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

impl<S: Stream> Driver<S> {
    /// Reads what there is; says whether something came, if only the end.
    pub(super) fn read(&mut self, now: Instant) -> bool {
        let mut received = 0;
        self.is_drained = false;
        while received < TURN && self.conn.wants_input() && !self.is_drained {
            match self.read_once(now) {
                Ok(0) => {
                    self.conn.handle_end(now, End::Eof);
                    return true;
                }
                Ok(n) => {
                    received += n;
                    // A place that was not filled has taken all that there was.
                    self.is_drained = n < READ && !self.stream.as_ref().is_some_and(S::has_input);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.is_drained = true,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.conn.handle_end(now, read_end(&error));
                    return true;
                }
            }
        }
        received > 0
    }

    fn read_once(&mut self, now: Instant) -> io::Result<usize> {
        let is_large = self.reads_large && self.conn.wanted() > READ;
        let read = if is_large { self.read_large(now) } else { self.read_little(now) };
        if let Ok(n) = read {
            self.reads_large = n > READ / 2;
        }
        read
    }

    fn read_little(&mut self, now: Instant) -> io::Result<usize> {
        let Some(stream) = &mut self.stream else { return Err(io::ErrorKind::WouldBlock.into()) };
        // Taken out meanwhile: the stream may itself be driven on this thread.
        let mut place = PLACE.take();
        place.resize(READ, 0);
        let read = stream.read(&mut place);
        if let Ok(n @ 1..) = read {
            self.conn.handle_input(now, &place[..n]);
        }
        PLACE.set(place);
        read
    }

    /// Reads to the place that the connection has for a large frame.
    fn read_large(&mut self, now: Instant) -> io::Result<usize> {
        let Some(stream) = &mut self.stream else { return Err(io::ErrorKind::WouldBlock.into()) };
        let input = self.conn.input();
        let (before, room) = (input.len(), input.capacity() - input.len());
        input.resize(before + room.min(READ_LARGE), 0);
        let read = stream.read(&mut input[before..]);
        input.truncate(before + read.as_ref().map_or(0, |n| *n));
        // If nothing came, the connection may want the place back that it has lent.
        self.conn.handle_read(now);
        read
    }
}
