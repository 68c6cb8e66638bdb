//! The way out.

use std::io::{self, IoSlice};

use bowline_core::connection::Transport;
use bowline_core::{End, Instant};

use super::{Driver, TURN, Writing};
use crate::stream::Stream;

/// The most that is handed to the stream in one write: what lies there, no ping overtakes. The connection shows no more
/// than one fragment or 64 KiB at a time, so on a slow path it is less.
const WRITE: usize = 256 << 10;
/// In at most so many pieces; fragments of the usual size come in fewer.
const PIECES: usize = 32;

impl<S: Stream> Driver<S> {
    /// Writes what the stream takes; says whether the owner may send again, or there is more to write.
    pub(super) fn write(&mut self, now: Instant) -> bool {
        let was_full = self.conn.room() == 0;
        let mut written = 0;
        while self.writing != Writing::Ended && written < TURN {
            match self.write_once() {
                None => {
                    self.finish(now);
                    break;
                }
                Some(Ok(n)) => {
                    written += n;
                    self.unflushed = true;
                    self.writing = Writing::Open;
                    self.conn.handle_written(now, n);
                }
                Some(Err(error)) => match error.kind() {
                    io::ErrorKind::Interrupted => {}
                    io::ErrorKind::WouldBlock => {
                        if self.writing == Writing::Open {
                            self.writing = Writing::Blocked;
                            self.conn.handle_blocked(now);
                        }
                        break;
                    }
                    _ => self.fail_writing(now),
                },
            }
        }
        written >= TURN || was_full && self.conn.room() > 0
    }

    /// Whether something is to be written, or was and may still be held back by the stream.
    pub(crate) fn has_output(&self) -> bool {
        let wants = self.unflushed || !self.conn.output().is_empty();
        wants && self.stream.is_some() && self.writing != Writing::Ended
    }

    /// Offers what is to be written to the stream, once; `None` if there is nothing.
    fn write_once(&mut self) -> Option<io::Result<usize>> {
        let stream = self.stream.as_mut()?;
        let mut slices = [IoSlice::new(&[]); PIECES];
        let (mut count, mut offered) = (0, 0);
        for (slice, piece) in slices.iter_mut().zip(self.conn.outputs()) {
            let piece = &piece[..piece.len().min(WRITE - offered)];
            *slice = IoSlice::new(piece);
            offered += piece.len();
            count += 1;
            if offered == WRITE {
                break;
            }
        }
        let wrote = match &slices[..count] {
            [] => return None,
            [only] => stream.write(only),
            several => stream.write_vectored(several),
        };
        Some(match wrote {
            Ok(0) => Err(io::ErrorKind::WriteZero.into()),
            Ok(n) => Ok(n.min(offered)),
            error => error,
        })
    }

    /// Everything has been written: brings it on its way, and ends our direction if it was the last.
    fn finish(&mut self, now: Instant) {
        let Some(stream) = &mut self.stream else { return };
        let finished = if self.unflushed { stream.flush() } else { Ok(()) };
        let finished = finished.and_then(|()| {
            self.unflushed = false;
            if self.conn.transport() == Transport::FinishWriting {
                stream.finish_writing()?;
                self.writing = Writing::Ended;
            }
            Ok(())
        });
        match finished {
            // What it holds back leaves when it can be written to again.
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
                self.unflushed = true;
            }
            Err(_) => self.fail_writing(now),
            Ok(()) => {}
        }
    }

    fn fail_writing(&mut self, now: Instant) {
        self.writing = Writing::Ended;
        self.unflushed = false;
        self.conn.handle_end(now, End::WriteFailed);
    }
}
