//! Carries the bytes of an opening handshake, for either role.

use std::io;

use bowline_core::End;
use bowline_host::{Machine, read_end};

use crate::clock::Clock;
use crate::stream::Stream;
use crate::wait::{Interest, wait_for};

/// What is read at once. The limit on the head of a request or an answer is set in the handshake.
const READ: usize = 4 << 10;

/// Reads and writes for `machine` until `outcome` finds that it has come to one. The stream does not wait from here on.
pub(crate) fn exchange<S: Stream, M: Machine, T>(
    stream: &mut S,
    machine: &mut M,
    clock: Clock,
    mut outcome: impl FnMut(&mut M) -> Option<T>,
) -> T {
    let mut link = Link { stream, machine, clock, taken: 0, ended: false };
    if let Err(error) = link.stream.set_nonblocking() {
        link.end(read_end(&error));
    }
    loop {
        let read = link.read();
        link.machine.handle_timeout(clock.now());
        let written = link.write();
        if let Some(outcome) = outcome(link.machine) {
            return outcome;
        }
        if !read && !written {
            link.wait();
        }
    }
}

struct Link<'a, S, M> {
    stream: &'a mut S,
    machine: &'a mut M,
    clock: Clock,
    /// How much of the machine's output the transport took. The machine hears of it only when all of it is flushed,
    /// so that its deadline covers that, too.
    taken: usize,
    ended: bool,
}

impl<S: Stream, M: Machine> Link<'_, S, M> {
    fn read(&mut self) -> bool {
        if !self.wants_input() {
            return false;
        }
        let mut place = [0; READ];
        match self.stream.read(&mut place) {
            Ok(0) => self.end(End::Eof),
            Ok(n) => self.machine.handle_input(self.clock.now(), &place[..n]),
            Err(error) if is_passing(&error) => return false,
            Err(error) => self.end(read_end(&error)),
        }
        true
    }

    fn write(&mut self) -> bool {
        let output = self.machine.output();
        if output.is_empty() {
            return false;
        }
        let rest = output.get(self.taken..).unwrap_or_default();
        let written = if rest.is_empty() {
            self.stream.flush().map(|()| {
                let n = std::mem::take(&mut self.taken);
                self.machine.handle_written(self.clock.now(), n);
            })
        } else {
            match self.stream.write(rest) {
                Ok(0) => Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => {
                    self.taken += n;
                    Ok(())
                }
                Err(error) => Err(error),
            }
        };
        match written {
            Err(error) if is_passing(&error) => return false,
            Err(_) => self.machine.handle_end(self.clock.now(), End::WriteFailed),
            Ok(()) => {}
        }
        true
    }

    fn wait(&mut self) {
        let interest = Interest { read: self.wants_input(), write: !self.machine.output().is_empty() };
        let time = self.machine.poll_timeout().map(|due| due - self.clock.now());
        if wait_for(self.stream, interest, None, time).is_err() {
            self.end(End::ReadFailed);
        }
    }

    fn wants_input(&self) -> bool {
        !self.ended && self.machine.wants_input()
    }

    fn end(&mut self, end: End) {
        self.ended = true;
        self.machine.handle_end(self.clock.now(), end);
    }
}

fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
