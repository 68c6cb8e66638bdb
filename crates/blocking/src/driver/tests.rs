use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use bowline_core::Message;
use bowline_core::connection::{Config, Event};

use super::*;
use crate::stream::Handle;

/// A stream that holds bytes which its socket does not show.
struct Held {
    stream: UnixStream,
    bytes: Vec<u8>,
}

impl Read for Held {
    fn read(&mut self, place: &mut [u8]) -> io::Result<usize> {
        let n = self.bytes.len().min(place.len());
        place[..n].copy_from_slice(&self.bytes[..n]);
        self.bytes.drain(..n);
        if n > 0 { Ok(n) } else { Err(io::ErrorKind::WouldBlock.into()) }
    }
}

impl Write for Held {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stream for Held {
    fn set_nonblocking(&self) -> io::Result<()> {
        self.stream.set_nonblocking(true)
    }

    fn socket(&self) -> Handle<'_> {
        Stream::socket(&self.stream)
    }

    fn finish_writing(&mut self) -> io::Result<()> {
        self.stream.finish_writing()
    }

    fn has_input(&self) -> bool {
        !self.bytes.is_empty()
    }
}

#[test]
fn what_a_stream_holds_is_not_waited_for() {
    let (near, _far) = UnixStream::pair().unwrap();
    let held = Held { stream: near, bytes: b"\x81\x05hello".to_vec() };
    let mut driver = Driver::client(held, &[], Config::default(), Clock::start()).unwrap();
    let start = std::time::Instant::now();
    assert!(!driver.wait(Some(Duration::from_secs(60))), "nobody calls");
    assert!(start.elapsed() < Duration::from_secs(30), "the socket has nothing to show");
    driver.drive(None);
    assert_eq!(driver.conn_mut().poll_event(), Some(Event::Message(Message::text("hello"))));
    let time = Duration::from_millis(20);
    driver.wait(Some(time));
    assert!(start.elapsed() >= time, "it holds nothing any more");
}

/// A socket that counts how often it is read.
struct Counted {
    stream: UnixStream,
    reads: usize,
}

impl Read for Counted {
    fn read(&mut self, place: &mut [u8]) -> io::Result<usize> {
        self.reads += 1;
        self.stream.read(place)
    }
}

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stream for Counted {
    fn set_nonblocking(&self) -> io::Result<()> {
        self.stream.set_nonblocking(true)
    }

    fn socket(&self) -> Handle<'_> {
        Stream::socket(&self.stream)
    }

    fn finish_writing(&mut self) -> io::Result<()> {
        self.stream.finish_writing()
    }
}

fn counted() -> (Driver<Counted>, UnixStream) {
    let (near, far) = UnixStream::pair().unwrap();
    let counted = Counted { stream: near, reads: 0 };
    (Driver::client(counted, &[], Config::default(), Clock::start()).unwrap(), far)
}

fn reads(driver: &Driver<Counted>) -> usize {
    driver.stream().unwrap().reads
}

#[test]
fn a_message_costs_one_read() {
    let (mut driver, mut far) = counted();
    for n in 1..=5 {
        far.write_all(b"\x81\x05hello").unwrap();
        driver.drive(None);
        assert_eq!(driver.conn_mut().poll_event(), Some(Event::Message(Message::text("hello"))));
        assert_eq!(reads(&driver), n);
    }
}

#[test]
fn who_does_not_wait_still_reads() {
    let (mut driver, mut far) = counted();
    for _ in 0..3 {
        far.write_all(b"\x81\x05hello").unwrap();
        let now = driver.now();
        assert_eq!(driver.drive(Some(now)), Driven::Busy);
        assert_eq!(driver.conn_mut().poll_event(), Some(Event::Message(Message::text("hello"))));
    }
    assert_eq!(driver.drive(Some(Instant::ZERO)), Driven::TimedOut);
}

#[test]
fn all_is_read_before_a_deadline_is_looked_at() {
    let (mut driver, mut far) = counted();
    far.write_all(b"\x81\x05hello").unwrap();
    driver.drive(None);
    assert!(driver.is_drained && driver.conn_mut().poll_event().is_some());

    far.write_all(b"\x81\x05again").unwrap();
    let before = reads(&driver);
    assert!(!driver.step(false), "nothing is due");
    assert_eq!(reads(&driver), before);
    let due = driver.conn().poll_timeout().unwrap();
    driver.clock = driver.clock.set_forward(due - driver.now());
    assert!(driver.step(false));
    assert_eq!(driver.conn_mut().poll_event(), Some(Event::Message(Message::text("again"))));
    assert_eq!(driver.conn().stats().pings, 0, "the peer was not silent");
}
