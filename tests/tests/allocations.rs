//! How often a connection allocates while messages go through it, and what it keeps while none do.

use bowline_blocking::{Clock, Driver};
use bowline_core::connection::{Config, Event};
use bowline_core::frame::{Header, Opcode};
use bowline_core::{Connection, Instant, Message, Role};
use bowline_tests::heap::{self, Used};
use bytes::Bytes;
use std::collections::VecDeque;
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

#[global_allocator]
static HEAP: heap::Counting = heap::Counting;

const LENGTHS: [usize; 6] = [16, 125, 1 << 10, 16 << 10, 64 << 10, 256 << 10];
/// The most that one read returns.
const READ: usize = 64 << 10;
const MESSAGES: usize = 8;
const ROLES: [Role; 2] = [Role::Client, Role::Server];
/// Each message is a frame.
const WHOLE: usize = usize::MAX;
/// Each message is cut into frames of this length.
const CUT: usize = 16 << 10;

/// Two ends that exchange messages, at a time that advances by a millisecond for each.
struct Pair {
    now: Instant,
    sender: Connection,
    receiver: Connection,
    received: usize,
}

impl Pair {
    /// The sender has this role, and cuts its messages like this.
    fn new(role: Role, fragment: usize) -> Self {
        let now = Instant::ZERO;
        let mut config = Config::default();
        config.fragment = Some(fragment);
        let client = Connection::client(config.clone(), [1; 32], now);
        let server = Connection::server(config, [2; 32], now);
        let (sender, receiver) = match role {
            Role::Client => (client, server),
            Role::Server => (server, client),
        };
        Self { now, sender, receiver, received: 0 }
    }

    /// One message crosses; returns what each end allocated.
    fn pass(&mut self, message: &Message, wire: &mut Vec<u8>) -> [Used; 2] {
        self.now += Duration::from_millis(1);
        wire.clear();
        let (now, sender, receiver) = (self.now, &mut self.sender, &mut self.receiver);
        let (message, cloned) = heap::measure(|| message.clone());
        assert_eq!(cloned.calls, 0, "it is shared, and was before");
        let ((), sent) = heap::measure(|| {
            sender.send(now, message).expect("there is room");
            while !sender.output().is_empty() {
                let mut written = 0;
                for piece in sender.outputs() {
                    wire.extend_from_slice(piece);
                    written += piece.len();
                }
                sender.handle_written(now, written);
            }
        });
        let received = &mut self.received;
        let ((), taken) = heap::measure(|| {
            let mut rest = wire.as_slice();
            while !rest.is_empty() {
                let place = receiver.input();
                let n = rest.len().min(READ).min(place.capacity() - place.len());
                place.extend_from_slice(&rest[..n]);
                rest = &rest[n..];
                receiver.handle_read(now);
                while let Some(event) = receiver.poll_event() {
                    *received += usize::from(matches!(event, Event::Message(_)));
                }
            }
        });
        [sent, taken]
    }

    /// Only heartbeats cross.
    fn idle(&mut self, time: Duration) {
        let until = self.now + time;
        while self.now < until {
            self.now += Duration::from_secs(1);
            let now = self.now;
            cross(now, &mut self.sender, &mut self.receiver);
            cross(now, &mut self.receiver, &mut self.sender);
        }
    }
}

/// What one end has to send reaches the other at once.
fn cross(now: Instant, from: &mut Connection, to: &mut Connection) {
    from.handle_timeout(now);
    while !from.output().is_empty() {
        let n = from.output().len();
        to.handle_input(now, from.output());
        from.handle_written(now, n);
    }
    // Like an adapter that found nothing more to read.
    to.handle_read(now);
    while to.poll_event().is_some() {}
}

/// A body that is also held by somebody else.
fn shared(len: usize) -> Message {
    let body = Bytes::from(vec![b'a'; len]);
    drop(body.clone());
    Message::Binary(body)
}

fn text(len: usize) -> Message {
    Message::text("a".repeat(len))
}

/// How often the ends allocate once they have what they need: the most for one message.
fn steady(role: Role, fragment: usize, message: &Message) -> [usize; 2] {
    let mut pair = Pair::new(role, fragment);
    // The wire itself is not counted.
    let mut wire = Vec::with_capacity(2 * message.len() + READ);
    for _ in 0..MESSAGES {
        pair.pass(message, &mut wire);
    }
    let mut most = [0, 0];
    for _ in 0..MESSAGES {
        for (most, used) in most.iter_mut().zip(pair.pass(message, &mut wire)) {
            *most = used.calls.max(*most);
        }
    }
    assert_eq!(pair.received, 2 * MESSAGES, "of {} bytes", message.len());
    most
}

#[test]
fn sending_asks_for_no_memory() {
    for role in ROLES {
        for len in LENGTHS {
            let [sent, _] = steady(role, WHOLE, &shared(len));
            assert_eq!(sent, 0, "{role:?}, {len} bytes");
            let [sent, _] = steady(role, CUT, &shared(len));
            assert_eq!(sent, 0, "{role:?}, {len} bytes in fragments");
        }
    }
}

/// A short text is copied, and a long one shared, which takes a few words of memory.
#[test]
fn sending_a_text_asks_for_memory_once_if_it_is_long() {
    for role in ROLES {
        for len in LENGTHS {
            let [sent, _] = steady(role, WHOLE, &text(len));
            assert!(sent <= usize::from(len > 1 << 10), "{role:?}, {len} bytes: {sent}");
        }
    }
}

#[test]
fn receiving_asks_for_memory_once_at_most() {
    for role in ROLES {
        for len in LENGTHS {
            for message in [shared(len), text(len)] {
                let [_, received] = steady(role, WHOLE, &message);
                assert!(received <= 1, "{role:?} sends {message:?}: {received}");
            }
        }
    }
}

/// The memory of one message is reused for the next one, if the application has dropped it; sharing it takes a few
/// words.
#[test]
fn receiving_in_fragments_asks_for_memory_once_at_most() {
    for role in ROLES {
        for len in LENGTHS {
            let [_, received] = steady(role, CUT, &shared(len));
            assert!(received <= 1, "{role:?} sends {len} bytes: {received}");
        }
    }
}

#[test]
fn an_idle_connection_keeps_less_than_a_kib() {
    const IDLE: Duration = Duration::from_secs(120);
    for role in ROLES {
        for message in [shared(100), text(1 << 10), shared(1 << 20)] {
            let mut wire = Vec::with_capacity(4 << 20);
            let mut pair = Pair::new(role, CUT);
            pair.pass(&message, &mut wire);
            pair.idle(IDLE);
            let pings = pair.sender.stats().pings + pair.receiver.stats().pings;
            assert!(pings >= 3, "the heartbeat went on: {pings}");
            for (name, end) in [("sender", pair.sender), ("receiver", pair.receiver)] {
                let ((), used) = heap::measure(|| drop(end));
                let kept = -used.kept;
                assert!(0 < kept && kept <= 1 << 10, "{name}, {role:?} sends {message:?}: {kept} bytes");
            }
        }
    }
}

/// A connection that keeps buffers.
fn keeping() -> Connection {
    let mut receiver = Connection::client(Config::default(), [1; 32], Instant::ZERO);
    receiver.keep_places(true);
    receiver
}

/// Reads a message of one frame, at most this much of it at once.
fn read_message(receiver: &mut Connection, len: usize, most: usize) -> Event {
    let wire = [&Header::new(Opcode::Binary, len as u64).encode()[..], &vec![7; len]].concat();
    let mut rest = wire.as_slice();
    while !rest.is_empty() {
        let place = receiver.input();
        let n = rest.len().min(place.capacity() - place.len()).min(most);
        place.extend_from_slice(&rest[..n]);
        rest = &rest[n..];
        receiver.handle_read(Instant::ZERO);
    }
    receiver.poll_event().expect("a message")
}

#[test]
fn kept_buffers_take_a_few_mebibytes_whatever_comes() {
    let mut receiver = keeping();
    let lens = [256 << 10, 3 << 20, 100 << 10, 5 << 20, 900 << 10];
    let (receiver, used) = heap::measure(|| {
        let mut held = VecDeque::new();
        for len in lens.into_iter().cycle().take(100) {
            held.push_back(read_message(&mut receiver, len, usize::MAX));
            if held.len() > 2 {
                held.pop_front();
            }
        }
        receiver
    });
    assert!((1 << 20..12 << 20).contains(&used.kept), "{used:?}");
    drop(receiver);
}

#[test]
fn held_messages_take_little_more_memory_than_their_bytes() {
    const HELD: usize = 64;
    for (len, most) in
        [(64 << 10, usize::MAX), (64 << 10, 40 << 10), (17 << 10, 16 << 10 | 512), (200 << 10, 64 << 10)]
    {
        let (held, used) = heap::measure(|| {
            let mut receiver = keeping();
            drop(read_message(&mut receiver, 512 << 10, usize::MAX));
            (0..HELD).map(|_| read_message(&mut receiver, len, most)).collect::<Vec<_>>()
        });
        let (least, kept) = (HELD * len, used.kept.unsigned_abs());
        assert!((least..2 * least + (1 << 20)).contains(&kept), "{len}, {most} at once: {used:?}");
        drop(held);
    }
}

/// What the thread of a connection holds after reading a lot, and then only its heartbeat.
#[test]
fn an_idle_connection_without_a_runtime_has_no_read_buffer() {
    const LARGE: usize = 1 << 20;
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let near = TcpStream::connect(listener.local_addr().expect("bound")).expect("somebody listens");
    let (far, _) = listener.accept().expect("a connection");
    let peer = thread::spawn(move || {
        let mut peer = Driver::client(near, &[], Config::default(), Clock::start()).expect("a socket");
        let now = peer.now();
        peer.conn_mut().send(now, Message::binary(vec![7; LARGE])).expect("there is room");
        // It answers pings until the other end is gone.
        while !peer.is_over() {
            peer.drive(None);
            while peer.conn_mut().poll_event().is_some() {}
        }
    });
    let (driver, used) = heap::measure(|| {
        let mut config = Config::default();
        config.heartbeat.interval = Duration::from_millis(10);
        let mut driver = Driver::server(far, &[], config, Clock::start()).expect("a socket");
        let (mut received, mut pongs) = (0, 0);
        while received < LARGE || driver.conn().stats().pongs < pongs + 2 {
            assert!(!driver.is_over());
            driver.drive(None);
            while let Some(event) = driver.conn_mut().poll_event() {
                if let Event::Message(message) = event {
                    received += message.len();
                    pongs = driver.conn().stats().pongs;
                }
            }
        }
        driver
    });
    assert!(used.peak > LARGE, "{used:?}");
    assert!(used.kept < 4 << 10, "{used:?}");
    drop(driver);
    peer.join().expect("no panic");
}
