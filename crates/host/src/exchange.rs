//! Runs a machine on a stream that may hold back what it has accepted until it is flushed.

use std::io;

use bowline_core::{End, Instant};

use crate::{Machine, read_end, write_end};

/// Carries the bytes of a machine, usually an opening handshake: an adapter reads, writes and flushes, and reports the
/// results.
///
/// The machine is told that its output has left only when it was flushed, so that its deadline covers that too.
#[derive(Debug)]
pub struct Exchange<'a, M> {
    machine: &'a mut M,
    /// How much of the machine's output the stream has accepted since it was flushed.
    taken: usize,
}

/// What to do with the stream next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pending<'a> {
    /// Write these bytes, or some of them.
    Write(&'a [u8]),
    /// Flush what it holds back.
    Flush,
}

impl<'a, M: Machine> Exchange<'a, M> {
    /// For this machine, with a stream that holds nothing back.
    pub fn new(machine: &'a mut M) -> Self {
        Self { machine, taken: 0 }
    }

    /// The result of a read; no bytes mean the end.
    pub fn handle_read(&mut self, now: Instant, read: io::Result<&[u8]>) {
        match read {
            Ok([]) => self.handle_end(now, End::Eof),
            Ok(bytes) => self.machine.handle_input(now, bytes),
            Err(error) => self.handle_end(now, read_end(&error)),
        }
    }

    /// The stream cannot be read any more.
    pub fn handle_end(&mut self, now: Instant, end: End) {
        self.machine.handle_end(now, end);
    }

    /// The stream accepted this many of the [pending](Self::pending) bytes; accepting none is as bad as an error. Bytes
    /// that have arrived can still be read then.
    pub fn handle_written(&mut self, now: Instant, written: &io::Result<usize>) {
        match written {
            Ok(n @ 1..) => self.taken += *n,
            Ok(0) => self.machine.handle_end(now, End::WriteFailed),
            Err(error) => self.machine.handle_end(now, write_end(error)),
        }
    }

    /// The stream was flushed.
    pub fn handle_flushed(&mut self, now: Instant, flushed: &io::Result<()>) {
        match flushed {
            Ok(()) => self.machine.handle_written(now, std::mem::take(&mut self.taken)),
            Err(error) => self.machine.handle_end(now, write_end(error)),
        }
    }

    /// What to do with the stream next, if anything.
    pub fn pending(&self) -> Option<Pending<'_>> {
        match self.machine.output() {
            [] => None,
            output => match output.get(self.taken..) {
                None | Some([]) => Some(Pending::Flush),
                Some(rest) => Some(Pending::Write(rest)),
            },
        }
    }

    /// Whether to read.
    pub fn wants_input(&self) -> bool {
        self.machine.wants_input()
    }

    /// The machine, to inspect it and to report the time.
    pub fn machine(&mut self) -> &mut M {
        self.machine
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bowline_handshake::Config;
    use bowline_handshake::client::{Error, Handshake, Request};

    const NOW: Instant = Instant::ZERO;

    fn handshake() -> Handshake {
        Handshake::new(&Request::new("ws://h/").unwrap(), [7; 16], Config::default(), NOW)
    }

    #[test]
    fn output_has_left_when_it_is_flushed() {
        let mut machine = handshake();
        let mut exchange = Exchange::new(&mut machine);
        let Some(Pending::Write(request)) = exchange.pending() else { panic!("nothing to write") };
        let (request, len) = (request.to_vec(), request.len());
        exchange.handle_written(NOW, &Ok(10));
        assert_eq!(exchange.pending(), Some(Pending::Write(&request[10..])));
        exchange.handle_written(NOW, &Ok(len - 10));
        assert_eq!(exchange.pending(), Some(Pending::Flush));
        assert_eq!(exchange.machine().output().len(), len, "it may still be held back");
        exchange.handle_flushed(NOW, &Ok(()));
        assert_eq!(exchange.pending(), None);
        assert!(exchange.machine().output().is_empty() && exchange.wants_input());
    }

    #[test]
    fn a_stream_that_takes_nothing_has_failed_but_is_still_read() {
        let failures: [fn(&mut Exchange<Handshake>); 3] = [
            |exchange| exchange.handle_written(NOW, &Ok(0)),
            |exchange| exchange.handle_written(NOW, &Err(io::ErrorKind::BrokenPipe.into())),
            |exchange| exchange.handle_flushed(NOW, &Err(io::ErrorKind::BrokenPipe.into())),
        ];
        for fail in failures {
            let mut machine = handshake();
            let mut exchange = Exchange::new(&mut machine);
            fail(&mut exchange);
            assert_eq!(exchange.pending(), None);
            assert!(exchange.wants_input(), "a refusal may have come");
            exchange.handle_read(NOW, Ok(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"));
            let result = exchange.machine().poll_result();
            assert!(matches!(result, Some(Err(Error::Refused(_)))), "{result:?}");
        }
    }

    #[test]
    fn a_stream_that_has_ended_is_not_read_again() {
        for (read, expected) in
            [(Ok(&b""[..]), End::Eof), (Err(io::ErrorKind::ConnectionReset.into()), End::Reset)]
        {
            let mut machine = handshake();
            let mut exchange = Exchange::new(&mut machine);
            exchange.handle_read(NOW, read);
            assert!(!exchange.wants_input());
            let result = exchange.machine().poll_result();
            assert!(matches!(result, Some(Err(Error::Closed { end, .. })) if end == expected), "{result:?}");
        }
    }
}
