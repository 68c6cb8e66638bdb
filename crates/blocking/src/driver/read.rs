//! The reading side.

use std::cell::RefCell;
use std::io;

use bowline_core::{End, Instant};
use bowline_host::read_end;

use super::{Driver, TURN};
use crate::stream::Stream;

/// How much is read at once if little is expected: onto the stack.
pub(super) const READ_LITTLE: usize = 4 << 10;
/// How much is read at once otherwise, unless the connection has a reason for less. The buffer for a large frame is
/// zeroed first, so more than a near cache holds would cost more than it saves.
const READ: usize = 64 << 10;
/// The longest ping or pong, with its header and its mask.
const CONTROL: usize = 2 + 4 + 125;

thread_local! {
    /// The buffer to read into, shared by all connections of a thread. It is freed when little arrives: a thread whose
    /// connection is idle, except for its heartbeat, holds no memory for later input.
    static PLACE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// How much the last read returned; the next may return as much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    Little,
    Much,
}

impl Flow {
    pub(super) fn of(read: usize) -> Self {
        if read < READ_LITTLE { Self::Little } else { Self::Much }
    }
}

impl<S: Stream> Driver<S> {
    /// Reads what there is; returns whether anything came, even if only the end.
    pub(super) fn read(&mut self, now: Instant) -> bool {
        let mut received = 0;
        self.looked = now;
        self.is_drained = false;
        while received < TURN && self.conn.wants_input() && !self.is_drained {
            let (read, place) = self.read_once(now);
            match self.judge(now, read, place) {
                Some(n) => received += n,
                None => return true,
            }
        }
        received > 0
    }

    /// Evaluates a read into a buffer of this length: returns the number of bytes, or `None` at the end.
    pub(super) fn judge(&mut self, now: Instant, read: io::Result<usize>, place: usize) -> Option<usize> {
        match read {
            Ok(0) => {
                self.conn.handle_end(now, End::Eof);
                None
            }
            Ok(n) => {
                // A ping or a pong leaves no memory to free.
                if n > CONTROL || self.conn.has_messages() {
                    self.came = Some(now);
                }
                // A buffer that was not filled has taken everything there was.
                self.is_drained = n < place && !self.stream.as_ref().is_some_and(S::has_input);
                Some(n)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.is_drained = true;
                Some(0)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Some(0),
            Err(error) => {
                self.conn.handle_end(now, read_end(&error));
                None
            }
        }
    }

    /// The result of a read, and the length of its buffer.
    fn read_once(&mut self, now: Instant) -> (io::Result<usize>, usize) {
        let (read, place) = match self.flow {
            Flow::Little => (self.read_little(now), READ_LITTLE),
            Flow::Much if self.conn.wanted() > READ => {
                let most = READ.min(self.conn.read_limit());
                (self.read_large(now, most), most)
            }
            Flow::Much => (self.read_much(now), READ),
        };
        if let Ok(n) = read {
            self.flow = Flow::of(n);
            if self.flow == Flow::Little {
                PLACE.take();
            }
        }
        (read, place)
    }

    fn read_little(&mut self, now: Instant) -> io::Result<usize> {
        let Some(stream) = &mut self.stream else { return Err(io::ErrorKind::WouldBlock.into()) };
        let mut place = [0; READ_LITTLE];
        let n = stream.read_now(&mut place)?;
        if n > 0 {
            self.conn.handle_input(now, &place[..n]);
        }
        Ok(n)
    }

    fn read_much(&mut self, now: Instant) -> io::Result<usize> {
        let Some(stream) = &mut self.stream else { return Err(io::ErrorKind::WouldBlock.into()) };
        // Taken out during the read: the stream may itself be driven on this thread.
        let mut place = PLACE.take();
        place.resize(READ, 0);
        let read = stream.read_now(&mut place);
        if let Ok(n @ 1..) = read {
            self.conn.handle_input(now, &place[..n]);
        }
        PLACE.set(place);
        read
    }

    /// Reads at most this much into the connection's buffer for a large frame.
    fn read_large(&mut self, now: Instant, most: usize) -> io::Result<usize> {
        let Some(stream) = &mut self.stream else { return Err(io::ErrorKind::WouldBlock.into()) };
        let input = self.conn.input();
        let (before, room) = (input.len(), input.capacity() - input.len());
        input.resize(before + room.min(most), 0);
        let read = stream.read_now(&mut input[before..]);
        input.truncate(before + read.as_ref().map_or(0, |n| *n));
        // If nothing arrived, the connection may want to reclaim the buffer that it has lent.
        self.conn.handle_read(now);
        read
    }
}
