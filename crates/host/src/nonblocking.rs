//! A non-blocking socket and a machine: what a loop over `mio`, `polling`, `async-io` or the like does with both when
//! the socket is ready, for reading or writing.

use std::io::{ErrorKind, Read, Write};

use bowline_core::{End, Instant};

use crate::{Machine, read_end, write_end};

/// Reads once into `place`, if the machine wants input, and passes it on. Returns whether there was anything to report:
/// then there may be more. A `place` without length, such as an empty `Vec` with capacity only, is replaced by one of 1
/// KiB.
pub fn read<S, M>(socket: &mut S, machine: &mut M, now: Instant, place: &mut [u8]) -> bool
where
    S: Read + ?Sized,
    M: Machine + ?Sized,
{
    if !machine.wants_input() {
        return false;
    }
    let mut own;
    // A read into an empty buffer returns 0, which would look like the end.
    let place = if place.is_empty() {
        own = [0; 1 << 10];
        &mut own[..]
    } else {
        place
    };
    match socket.read(place) {
        Ok(0) => machine.handle_end(now, End::Eof),
        Ok(n) => machine.handle_input(now, &place[..n]),
        Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
        Err(error) if error.kind() == ErrorKind::Interrupted => {}
        Err(error) => machine.handle_end(now, read_end(&error)),
    }
    true
}

/// Writes the machine's output once, and reports what the socket accepted. Returns whether there was anything to report
/// except that it accepts no more: then there may be more to write.
pub fn write<S, M>(socket: &mut S, machine: &mut M, now: Instant) -> bool
where
    S: Write + ?Sized,
    M: Machine + ?Sized,
{
    if machine.output().is_empty() {
        return false;
    }
    match socket.write(machine.output()) {
        Ok(n @ 1..) => machine.handle_written(now, n),
        Err(error) if error.kind() == ErrorKind::WouldBlock => {
            machine.handle_blocked(now);
            return false;
        }
        Err(error) if error.kind() == ErrorKind::Interrupted => {}
        // Received bytes can still be read.
        Ok(0) => machine.handle_end(now, End::WriteFailed),
        Err(error) => machine.handle_end(now, write_end(&error)),
    }
    true
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::io;

    use bowline_core::Connection;
    use bowline_core::Message;
    use bowline_core::closing::Kind;
    use bowline_core::connection::{Config, Event};

    use super::*;

    /// The result of each call: this many bytes, or this error.
    #[derive(Default)]
    struct Socket {
        answers: VecDeque<Result<usize, ErrorKind>>,
        bytes: Vec<u8>,
    }

    impl Socket {
        fn new(answers: impl IntoIterator<Item = Result<usize, ErrorKind>>, bytes: &[u8]) -> Self {
            Self { answers: answers.into_iter().collect(), bytes: bytes.to_vec() }
        }

        fn next(&mut self) -> io::Result<usize> {
            self.answers.pop_front().expect("an answer").map_err(io::Error::from)
        }
    }

    impl Read for Socket {
        fn read(&mut self, place: &mut [u8]) -> io::Result<usize> {
            let n = self.next()?;
            place[..n].copy_from_slice(&self.bytes[..n]);
            self.bytes.drain(..n);
            Ok(n)
        }
    }

    impl Write for Socket {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let n = self.next()?.min(bytes.len());
            self.bytes.extend_from_slice(&bytes[..n]);
            Ok(n)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn client() -> Connection {
        Connection::client(Config::default(), [1; 32], Instant::ZERO)
    }

    fn server() -> Connection {
        Connection::server(Config::default(), [2; 32], Instant::ZERO)
    }

    #[test]
    fn partial_writes_and_partial_reads_carry_a_whole_message() {
        let (now, mut near, mut far) = (Instant::ZERO, client(), server());
        near.send(now, Message::text("hello")).unwrap();
        let mut out =
            Socket::new([Ok(3), Err(ErrorKind::Interrupted), Err(ErrorKind::WouldBlock), Ok(1000)], &[]);
        let moved: Vec<bool> = (0..5).map(|_| write(&mut out, &mut near, now)).collect();
        assert_eq!(moved, [true, true, false, true, false]);
        assert_eq!(near.stats().blocked, 1);

        let whole = out.bytes.len();
        let mut inp = Socket::new(
            [Ok(2), Err(ErrorKind::Interrupted), Err(ErrorKind::WouldBlock), Ok(whole - 2)],
            &out.bytes,
        );
        let moved: Vec<bool> = (0..4).map(|_| read(&mut inp, &mut far, now, &mut [0; 64])).collect();
        assert_eq!(moved, [true, true, false, true]);
        assert_eq!(far.poll_event(), Some(Event::Message(Message::text("hello"))));
    }

    #[test]
    fn an_empty_read_buffer_does_not_end_the_connection() {
        let (now, mut near, mut far) = (Instant::ZERO, client(), server());
        far.send(now, Message::text("hello")).unwrap();
        let mut inp = far.output();
        // It has capacity, but no length to read into.
        let mut place = Vec::with_capacity(64);
        assert!(read(&mut inp, &mut near, now, &mut place));
        assert_eq!(near.poll_event(), Some(Event::Message(Message::text("hello"))));
    }

    #[test]
    fn an_end_of_file_is_told_from_a_reset() {
        let end = |answer| {
            let mut conn = client();
            assert!(read(&mut Socket::new([answer], &[]), &mut conn, Instant::ZERO, &mut [0; 64]));
            // The machine no longer wants input.
            assert!(!read(&mut Socket::default(), &mut conn, Instant::ZERO, &mut [0; 64]));
            let Some(Event::Closed(disconnect)) = conn.poll_event() else { panic!("it is over") };
            disconnect.to_string()
        };
        assert!(end(Ok(0)).contains("(EOF)"));
        assert!(end(Err(ErrorKind::ConnectionReset)).contains("reset"));
    }

    #[test]
    fn a_reset_that_a_write_was_told_is_a_reset() {
        let (now, mut conn) = (Instant::ZERO, client());
        conn.send(now, Message::text("hello")).unwrap();
        let mut socket = Socket::new([Err(ErrorKind::ConnectionReset), Ok(0)], &[]);
        assert!(write(&mut socket, &mut conn, now));
        assert!(read(&mut socket, &mut conn, now, &mut [0; 64]));
        let Some(Event::Closed(disconnect)) = conn.poll_event() else { panic!("it is over") };
        assert_eq!(disconnect.kind(), Kind::Reset);
    }

    #[test]
    fn after_a_failed_write_it_reads_on() {
        for failure in [Ok(0), Err(ErrorKind::BrokenPipe)] {
            let (now, mut near, mut far) = (Instant::ZERO, client(), server());
            far.send(now, Message::text("bye")).unwrap();
            near.send(now, Message::text("hello")).unwrap();
            assert!(write(&mut Socket::new([failure], &[]), &mut near, now));
            assert!(!write(&mut Socket::default(), &mut near, now));
            let mut inp = Socket::new([Ok(far.output().len())], far.output());
            assert!(read(&mut inp, &mut near, now, &mut [0; 64]));
            assert_eq!(near.poll_event(), Some(Event::Message(Message::text("bye"))));
        }
    }
}
