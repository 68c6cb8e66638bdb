#[cfg(target_os = "linux")]
mod patience;

use std::cell::Cell;
use std::io::{IoSlice, Read, Write};
use std::os::unix::net::UnixStream;

use bowline_core::Message;
use bowline_core::connection::{Config, Event};

use super::*;
use crate::stream::Handle;

/// A socket that counts how often it is read, and may hold bytes that it does not show to a poll.
struct Watched {
    stream: UnixStream,
    held: Vec<u8>,
    reads: usize,
    /// How often a read waited, and how often its timeout was set.
    patient: usize,
    set: Cell<usize>,
    /// How many unsent bytes the system may hold.
    unsent: Cell<u32>,
}

impl Watched {
    fn read_held(&mut self, place: &mut [u8]) -> usize {
        let n = self.held.len().min(place.len());
        place[..n].copy_from_slice(&self.held[..n]);
        self.held.drain(..n);
        n
    }
}

impl Read for Watched {
    fn read(&mut self, place: &mut [u8]) -> io::Result<usize> {
        self.patient += 1;
        self.stream.read(place)
    }
}

impl Write for Watched {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stream for Watched {
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
        !self.held.is_empty()
    }

    fn set_patience(&self, time: Duration) -> io::Result<bool> {
        self.set.set(self.set.get() + 1);
        self.stream.set_patience(time)
    }

    fn read_now(&mut self, place: &mut [u8]) -> io::Result<usize> {
        self.reads += 1;
        if self.held.is_empty() { self.stream.read_now(place) } else { Ok(self.read_held(place)) }
    }

    fn write_now(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.stream.write_now(slices)
    }
}

/// Generous: no test waits this long if all is well.
const LONG: Duration = Duration::from_secs(60);

/// A driver of a socket that holds these bytes, and the other end of it.
fn watched(held: &[u8]) -> (Driver<Watched>, UnixStream) {
    watched_with(held, Config::default())
}

fn watched_with(held: &[u8], config: Config) -> (Driver<Watched>, UnixStream) {
    let (watched, far) = socket(held);
    (Driver::client(watched, &[], config, Clock::start()).unwrap(), far)
}

/// A socket that holds these bytes, and the other end of it.
fn socket(held: &[u8]) -> (Watched, UnixStream) {
    let (stream, far) = UnixStream::pair().unwrap();
    let watched = Watched {
        stream,
        held: held.to_vec(),
        reads: 0,
        patient: 0,
        set: Cell::new(0),
        unsent: Cell::new(0),
    };
    (watched, far)
}

/// How often it was read, without waiting or patiently.
fn reads(driver: &Driver<Watched>) -> usize {
    driver.stream().unwrap().reads + patient(driver)
}

fn patient(driver: &Driver<Watched>) -> usize {
    driver.stream().unwrap().patient
}

#[test]
fn bytes_that_a_stream_already_holds_are_not_waited_for() {
    let (mut driver, _far) = watched(b"\x81\x05hello");
    let start = std::time::Instant::now();
    assert!(!driver.wait(Some(Duration::from_secs(60))), "nobody calls");
    assert!(start.elapsed() < Duration::from_secs(30), "the socket has nothing to show");
    driver.drive(None);
    assert_eq!(driver.conn_mut().poll_event(), Some(Event::Message(Message::text("hello"))));
    let time = Duration::from_millis(20);
    driver.wait(Some(time));
    assert!(start.elapsed() >= time, "it holds nothing any more");
}

#[test]
fn a_message_costs_one_read() {
    let (mut driver, mut far) = watched(b"");
    for n in 1..=5 {
        far.write_all(b"\x81\x05hello").unwrap();
        driver.drive(None);
        assert_eq!(driver.conn_mut().poll_event(), Some(Event::Message(Message::text("hello"))));
        assert_eq!(reads(&driver), n);
    }
}

#[test]
fn a_drive_that_does_not_wait_still_reads() {
    let (mut driver, mut far) = watched(b"");
    for _ in 0..3 {
        far.write_all(b"\x81\x05hello").unwrap();
        let now = driver.now();
        assert_eq!(driver.drive(Some(now)), Driven::Busy);
        assert_eq!(driver.conn_mut().poll_event(), Some(Event::Message(Message::text("hello"))));
    }
    assert_eq!(driver.drive(Some(Instant::ZERO)), Driven::TimedOut);
}

#[test]
fn a_driver_that_is_busy_writing_still_reads() {
    let (mut driver, mut far) = watched(b"");
    far.write_all(b"\x81\x05hello").unwrap();
    driver.drive(None);
    assert!(driver.is_drained && driver.conn_mut().poll_event().is_some());

    far.write_all(b"\x81\x05again").unwrap();
    let mut place = vec![0; 1 << 20];
    for _ in 0..2 {
        // It is full, and the peer accepts something: there is room again each time.
        let now = driver.now();
        while driver.conn_mut().send(now, Message::binary(vec![7; 16 << 10])).is_ok() {}
        driver.drive(None);
        let _ = far.read(&mut place).unwrap();
    }
    assert_eq!(driver.conn_mut().poll_event(), Some(Event::Message(Message::text("again"))));
}

#[test]
fn a_message_in_fragments_is_not_kept_if_nothing_more_comes() {
    let (mut driver, mut far) = watched(b"");
    // Too long to be copied from where it was read.
    let part = [7; 4 << 10];
    far.write_all(&[b"\x02\x7e\x10\x00", &part[..], b"\x80\x7e\x10\x00", &part].concat()).unwrap();
    while driver.conn().stats().messages_received == 0 {
        driver.drive(None);
    }
    let Some(Event::Message(Message::Binary(message))) = driver.conn_mut().poll_event() else { panic!() };
    assert!(!message.is_unique(), "its memory may serve the next one");
    let limit = std::time::Instant::now() + LONG;
    std::thread::scope(|threads| {
        let driving = threads.spawn(|| driver.drive(None));
        while !message.is_unique() && std::time::Instant::now() < limit {
            std::thread::sleep(Duration::from_millis(5));
        }
        assert!(message.is_unique() && !driving.is_finished(), "given back, and nobody is told");
        far.write_all(b"\x81\x02hi").unwrap();
        assert_eq!(driving.join().unwrap(), Driven::Busy);
    });
    let now = driver.now();
    driver.came = Some(now - LULL);
    let before = reads(&driver);
    assert_eq!(driver.drive(Some(now + Duration::from_millis(100))), Driven::TimedOut);
    assert_eq!(reads(&driver) - before, 1, "one look, and it waits for as long as it may");
}

#[test]
fn everything_is_read_before_a_deadline_is_checked() {
    let (mut driver, mut far) = watched(b"");
    far.write_all(b"\x81\x05hello").unwrap();
    driver.drive(None);
    assert!(driver.is_drained && driver.conn_mut().poll_event().is_some());

    far.write_all(b"\x81\x05again").unwrap();
    let before = reads(&driver);
    assert!(!driver.step(driver.now(), false), "nothing is due");
    assert_eq!(reads(&driver), before);
    let due = driver.conn().poll_timeout().unwrap();
    driver.clock = driver.clock.set_forward(due - driver.now());
    assert!(driver.step(driver.now(), false));
    assert_eq!(driver.conn_mut().poll_event(), Some(Event::Message(Message::text("again"))));
    assert_eq!(driver.conn().stats().pings, 0, "the peer was not silent");
}

#[test]
fn a_step_that_does_not_read_does_not_delay_the_next_read() {
    let (mut driver, mut far) = watched(b"");
    far.write_all(b"\x81\x05hello").unwrap();
    driver.clock = driver.clock.set_forward(DEAF);
    driver.step(driver.now(), false);
    assert_eq!(reads(&driver), 0);
    driver.offer(driver.now());
    assert_eq!(driver.conn_mut().poll_event(), Some(Event::Message(Message::text("hello"))));
}

#[test]
fn saying_last_words_leaves_calls_pending() {
    let (mut driver, _far) = watched(b"");
    let (waker, wakened) = crate::wait::waker().unwrap();
    driver.set_wakened(wakened.clone());
    waker.wake();
    driver.say_last_words();
    let is_called = wakened.wait(Some(Duration::ZERO)).unwrap();
    assert!(is_called, "the call was for whoever goes on");
}

/// A driver after its first message, with everything read. Its heartbeat is so slow that no deadline comes near on a
/// busy machine.
fn conversing() -> (Driver<Watched>, UnixStream) {
    let mut config = Config::default();
    config.heartbeat.interval = LONG;
    let (mut driver, mut far) = watched_with(b"", config);
    hear(&mut driver, &mut far);
    (driver, far)
}

/// The peer sends something, and it is received.
fn hear(driver: &mut Driver<Watched>, far: &mut UnixStream) {
    far.write_all(b"\x81\x05hello").unwrap();
    while driver.conn_mut().poll_event().is_none() {
        driver.drive(None);
    }
    // The memory that it leaves is freed after a second, for which nobody here waits.
    driver.came = None;
}

#[test]
fn a_step_that_writes_the_last_waiting_byte_reports_news() {
    let (mut driver, mut far) = conversing();
    block(&mut driver);
    // So little at a time that there is room for more long before everything has left.
    let mut place = vec![0; 4 << 10];
    loop {
        let _ = far.read(&mut place).unwrap();
        let is_news = driver.step(driver.now(), false);
        if !driver.has_output() {
            assert!(is_news, "somebody may wait for this");
            break;
        }
    }
}

#[test]
fn a_write_that_fails_is_reported_as_news() {
    let (mut driver, far) = conversing();
    drop(far);
    let now = driver.now();
    driver.conn_mut().send(now, Message::binary(vec![7; 1 << 20])).unwrap();
    assert!(driver.write(now), "who waits for room waits in vain");
    assert_eq!(driver.writing, Writing::Failed);
    assert!(!driver.write(now), "that is told once");
}

/// The system reports a reset only once: a read after that finds nothing but the end.
#[test]
fn a_reset_that_a_write_was_told_of_is_reported_as_one() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut near = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (far, _) = listener.accept().unwrap();
    near.write_all(b"?").unwrap();
    far.peek(&mut [0]).unwrap();
    // Closing before everything was read resets the connection.
    drop(far);
    let mut driver = Driver::client(near, &[], Config::default(), Clock::start()).unwrap();
    let now = driver.now();
    driver.conn_mut().send(now, Message::text("hello")).unwrap();
    driver.write(now);
    assert_eq!(driver.writing, Writing::Failed);
    driver.read(now);
    let end = std::iter::from_fn(|| driver.conn_mut().poll_event()).last();
    let Some(Event::Closed(disconnect)) = end else { panic!("{end:?}") };
    assert!(disconnect.to_string().contains("connection reset"), "{disconnect}");
}

/// Gives the stream more than it can hold.
fn block(driver: &mut Driver<Watched>) {
    let now = driver.now();
    driver.conn_mut().send(now, Message::binary(vec![7; 1 << 20])).unwrap();
    driver.step(driver.now(), false);
    assert_eq!(driver.writing, Writing::Blocked);
}

#[test]
fn large_messages_are_read_in_pieces_that_a_cache_holds() {
    const LEN: usize = 256 << 10;
    let now = Clock::start();
    let frame = |second: u8, mask: &[u8]| {
        [&[0x82, second, 0, 0, 0, 0, 0, 4, 0, 0], mask, &vec![7; LEN]].concat().repeat(20)
    };
    let (near, _far) = socket(&frame(127, &[]));
    let client = Driver::client(near, &[], Config::default(), now).unwrap();
    let (near, _other) = socket(&frame(0x80 | 127, &[1, 2, 3, 4]));
    let server = Driver::server(near, &[], Config::default(), now).unwrap();
    // 64 KiB at a time, or 32 KiB that are unmasked, and the end of a message in one.
    for (mut driver, least, most) in [(client, 4, 5), (server, 6, 8)] {
        let mut received = 0;
        while received < 20 {
            driver.drive(None);
            while let Some(event) = driver.conn_mut().poll_event() {
                assert!(matches!(event, Event::Message(message) if message.len() == LEN));
                received += 1;
            }
        }
        let reads = reads(&driver);
        assert!((20 * least..=20 * most + 3).contains(&reads), "{reads} reads");
    }
}

#[test]
fn the_received_part_of_a_large_message_is_read_in_one_turn() {
    const LEN: usize = 100 << 10;
    let (mut driver, mut far) = watched(b"");
    let mut frame = vec![0x82, 127, 0, 0, 0, 0, 0, 1, 0x90, 0];
    frame.resize(frame.len() + LEN, 7);
    far.write_all(&frame).unwrap();
    driver.drive(None);
    assert!(matches!(driver.conn_mut().poll_event(), Some(Event::Message(message)) if message.len() == LEN));
}

#[test]
fn a_ping_or_a_pong_alone_wakes_nobody_afterwards() {
    let (mut driver, mut far) = watched(b"");
    let mut ping = vec![0x89, 125];
    ping.resize(2 + 125, 7);
    far.write_all(&ping).unwrap();
    driver.drive(None);
    assert_eq!(
        (driver.conn().stats().pings_received, driver.came),
        (1, None),
        "there is nothing to give back"
    );
    far.write_all(b"\x82\x00").unwrap();
    driver.drive(None);
    assert!(driver.came.is_some(), "the place of the smallest message is kept for more");
}

#[test]
fn a_frame_that_has_only_begun_may_hold_something() {
    let (mut driver, mut far) = watched(b"");
    let mut frame = vec![0x82, 127, 0, 0, 0, 0, 0, 4, 0, 0];
    frame.resize(200, 7);
    far.write_all(&frame).unwrap();
    driver.drive(None);
    assert!(driver.came.is_some());
}

#[test]
fn the_system_may_hold_more_if_much_drains() {
    let (driver, _far) = watched(b"");
    let mut driver = driver.with_valve(|stream, most| stream.unsent.set(most));
    // With virtual time, in which nothing is slow.
    let now = driver.now() + Duration::from_secs(2);
    let message = Message::binary(vec![7; 1 << 20]);
    for _ in 0..20 {
        driver.conn_mut().send(now, message.clone()).unwrap();
        while let n @ 1.. = driver.conn().output().len() {
            driver.conn_mut().handle_written(now, n);
        }
    }
    driver.conn_mut().send(now, Message::text("hello")).unwrap();
    let until = driver.now();
    driver.drive(Some(until));
    assert_eq!(driver.stream().unwrap().unsent.get(), 1 << 20);
}

#[test]
fn a_connection_dialled_here_has_a_valve() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || crate::WebSocket::accept(listener.accept().unwrap().0).unwrap());
    let dialed = crate::dial::connect(&url, &crate::dial::Config::default()).unwrap();
    let driver = Driver::dialed(dialed, Config::default(), Clock::start()).unwrap();
    assert!(driver.valve.is_some());
    drop(server.join().unwrap());
}

#[test]
fn many_messages_take_one_look_at_the_clock() {
    let (driver, _far) = watched(b"");
    let mut socket = crate::WebSocket::new(driver);
    socket.try_send(Message::text("first")).unwrap();
    let mut driver = socket.into_driver();
    let first = driver.conn().time_to_send();
    assert!(first.is_some());
    while Some(driver.now()) == first {
        std::thread::yield_now();
    }
    let mut socket = crate::WebSocket::new(driver);
    socket.try_send(Message::text("second")).unwrap();
    driver = socket.into_driver();
    assert_eq!((driver.conn().time_to_send(), driver.conn().stats().messages_sent), (first, 2));
}
