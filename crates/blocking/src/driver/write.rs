//! The writing side.

use std::io;

use bowline_core::Instant;
use bowline_core::connection::Transport;
use bowline_host::{Writing, gather, write_end};

use super::{Driver, TURN};
use crate::stream::Stream;

impl<S: Stream> Driver<S> {
    /// Writes what the stream accepts. Returns whether the owner may send again or never, there is more to write,
    /// everything has left that could not leave before, or there is an event for an owner that had taken all.
    pub(crate) fn write(&mut self, now: Instant) -> bool {
        if !self.has_output() && self.conn.transport() != Transport::FinishWriting {
            return false;
        }
        let was_full = self.conn.room() == 0;
        // For the stream, for a flush, or for another connection's turn.
        let has_waited = self.writing == Writing::Blocked || self.unflushed;
        let had_events = self.conn.has_events();
        let mut written = 0;
        while !self.writing.is_over() && written < TURN {
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
                    _ => self.fail_writing(now, &error),
                },
            }
        }
        if let (Some(valve), Some(stream)) = (&mut self.valve, &self.stream) {
            valve.adjust(stream, &self.conn);
        }
        let may_send = was_full && self.conn.room() > 0;
        let is_flushed = has_waited && !self.has_output();
        let is_event = !had_events && self.conn.has_events();
        written >= TURN || may_send || self.writing == Writing::Failed || is_flushed || is_event
    }

    /// Whether something has to be written, or was written and may still be held back by the stream.
    pub(crate) fn has_output(&self) -> bool {
        let wants = self.unflushed || !self.conn.output().is_empty();
        wants && self.stream.is_some() && !self.writing.is_over()
    }

    /// Offers the output to the stream, once; `None` if there is none.
    fn write_once(&mut self) -> Option<io::Result<usize>> {
        let stream = self.stream.as_mut()?;
        gather(&self.conn, |slices, offered| match stream.write_now(slices)? {
            0 => Err(io::ErrorKind::WriteZero.into()),
            n => Ok(n.min(offered)),
        })
    }

    /// Everything has been written: flushes it, and ends our direction if it was the last.
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
            // What it holds back leaves when it is writable again.
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
                self.unflushed = true;
            }
            Err(error) => self.fail_writing(now, &error),
            Ok(()) => {}
        }
    }

    /// Whether something that was sent can no longer leave.
    pub(crate) fn has_lost_output(&self) -> bool {
        let has_failed = self.writing == Writing::Failed || self.is_over();
        self.conn.has_lost_messages() || has_failed && self.unflushed
    }

    fn fail_writing(&mut self, now: Instant, error: &io::Error) {
        self.writing = Writing::Failed;
        self.conn.handle_end(now, write_end(error));
    }
}
