//! Carries the bytes of an opening handshake, for either role.

use std::io;

use bowline_core::End;
use bowline_host::{Exchange, Machine, Pending, read_end};

use crate::clock::Clock;
use crate::stream::Stream;
use crate::wait::{Interest, Wakened, wait_for};

/// How much is read at once. The handshake itself limits the head of a request or an answer.
const READ: usize = 4 << 10;

/// Reads and writes for `machine` until `outcome` returns a result, or another thread calls and ends it. The stream is
/// non-blocking from here on.
pub(crate) fn exchange<S: Stream, M: Machine, T>(
    stream: &mut S,
    machine: &mut M,
    clock: Clock,
    wakened: Option<&Wakened>,
    mut outcome: impl FnMut(&mut M) -> Option<T>,
) -> T {
    let mut link = Link { stream, exchange: Exchange::new(machine), clock, wakened };
    if let Err(error) = link.stream.set_nonblocking() {
        link.exchange.handle_end(clock.now(), read_end(&error));
    }
    loop {
        let read = link.read();
        link.exchange.machine().handle_timeout(clock.now());
        let written = link.write();
        if let Some(outcome) = outcome(link.exchange.machine()) {
            return outcome;
        }
        if !read && !written {
            link.wait();
        }
    }
}

struct Link<'a, S, M> {
    stream: &'a mut S,
    exchange: Exchange<'a, M>,
    clock: Clock,
    wakened: Option<&'a Wakened>,
}

impl<S: Stream, M: Machine> Link<'_, S, M> {
    fn read(&mut self) -> bool {
        if !self.exchange.wants_input() {
            return false;
        }
        let mut place = [0; READ];
        let read = self.stream.read(&mut place);
        if is_passing(&read) {
            return false;
        }
        self.exchange.handle_read(self.clock.now(), read.map(|n| &place[..n]));
        true
    }

    fn write(&mut self) -> bool {
        match self.exchange.pending() {
            None => return false,
            Some(Pending::Write(bytes)) => {
                let written = self.stream.write(bytes);
                if is_passing(&written) {
                    return false;
                }
                self.exchange.handle_written(self.clock.now(), &written);
            }
            Some(Pending::Flush) => {
                let flushed = self.stream.flush();
                if is_passing(&flushed) {
                    return false;
                }
                self.exchange.handle_flushed(self.clock.now(), &flushed);
            }
        }
        true
    }

    fn wait(&mut self) {
        let (read, write) = (self.exchange.wants_input(), self.exchange.pending().is_some());
        let time = self.exchange.machine().poll_timeout().map(|due| due - self.clock.now());
        let end = match wait_for(self.stream, Interest { read, write }, self.wakened, time) {
            Ok(false) => return,
            Ok(true) => End::LocalAbort,
            Err(_) => End::ReadFailed,
        };
        self.exchange.handle_end(self.clock.now(), end);
    }
}

/// Whether the call should only be repeated later.
fn is_passing<T>(result: &io::Result<T>) -> bool {
    let kind = result.as_ref().err().map(io::Error::kind);
    matches!(kind, Some(io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted))
}
