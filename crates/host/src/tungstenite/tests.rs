//! Real sockets, and all kinds of peers.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant as Clock};

use ::tungstenite::error::{Error, ProtocolError};
use ::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use ::tungstenite::{Message, WebSocket};
use bowline_core::closing::Kind;
use bowline_core::connection::SendError;
use bowline_core::{Close, CloseCode, Disconnect, Instant};

use super::patience::Patience;
use super::watched::MOMENT;
use super::*;

/// Generous: no test waits this long if all is well.
const LIMIT: Duration = Duration::from_secs(30);

fn config(interval: u64, timeout: u64) -> Config {
    let mut config = Config::default();
    config.heartbeat.interval = Duration::from_millis(interval);
    config.heartbeat.timeout = Duration::from_millis(timeout);
    config
}

fn streams() -> (UnixStream, UnixStream) {
    let (near, far) = UnixStream::pair().unwrap();
    far.set_read_timeout(Some(LIMIT)).unwrap();
    far.set_write_timeout(Some(LIMIT)).unwrap();
    (near, far)
}

fn server(stream: UnixStream, config: Config) -> Watched<UnixStream> {
    let socket = WebSocket::from_raw_socket(Counted::new(stream), Role::Server, None);
    Watched::server(socket, config).unwrap()
}

fn client(stream: UnixStream, config: Config) -> Watched<UnixStream> {
    let socket = WebSocket::from_raw_socket(Counted::new(stream), Role::Client, None);
    Watched::client(socket, config).unwrap()
}

/// The result of an attempt in which every thread ran when it had to. In any other attempt the heartbeat also finds
/// what it should, but that is a different test.
fn undisturbed<T>(attempt: impl FnMut() -> Option<T>) -> T {
    std::iter::repeat_with(attempt).take(20).flatten().next().expect("a machine that runs this")
}

/// Reads until the end.
fn end(watched: &mut Watched<UnixStream>) -> Disconnect {
    loop {
        if let Err(end) = watched.read() {
            // Every later call returns the same.
            assert_eq!(watched.read().unwrap_err().to_string(), end.to_string());
            assert_eq!(watched.send(Message::text("late")), Err(SendError::Closing(Message::text("late"))));
            return end;
        }
    }
}

#[test]
fn messages_cross_both_ways_and_control_frames_do_not() {
    for message in [bowline_core::Message::text("häh"), bowline_core::Message::binary(vec![1, 2, 3])] {
        assert_eq!(from_message(to_message(message.clone())), Ok(message));
    }
    assert_eq!(to_message(bowline_core::Message::text("häh")), Message::text("häh"));
    for control in [Message::Ping(vec![1].into()), Message::Pong(vec![].into()), Message::Close(None)] {
        assert_eq!(from_message(control.clone()), Err(control));
    }
}

#[test]
fn close_frames_cross_both_ways_even_those_that_must_not_be_sent() {
    for code in [1000, 1001, 1006, 1012, 2999, 4000, 65535] {
        let frame = CloseFrame { code: code.into(), reason: "why".into() };
        let close = from_close(Some(&frame));
        assert_eq!((close.code(), close.reason()), (CloseCode::new(code), "why"));
        assert_eq!(to_close(&close), Some(frame));
    }
    let none = from_close(None);
    assert_eq!(none.code(), CloseCode::NO_STATUS);
    assert_eq!(to_close(&none), None);
}

#[test]
fn a_silence_is_lived_through_and_a_close_ends_it_at_both_ends() {
    let (near, far) = streams();
    let there = thread::spawn(move || end(&mut client(far, config(60_000, 60_000))));
    let mut here = server(near, config(20, 20_000));
    let pongs = Clock::now();
    while here.watch().heartbeat().pongs() < 3 {
        assert!(pongs.elapsed() < LIMIT);
        here.read_timeout(Duration::from_millis(5)).unwrap();
    }
    assert!(here.watch().heartbeat().rtt().srtt().is_some());
    here.close(&Close::new(CloseCode::GOING_AWAY, "night").unwrap()).unwrap();
    assert_eq!(
        end(&mut here).to_string(),
        "sent 1001 (going away) night; then received 1001 (going away) night"
    );
    drop(here);
    assert_eq!(
        there.join().unwrap().to_string(),
        "received 1001 (going away) night; then sent 1001 (going away) night"
    );
}

#[test]
fn a_peer_that_does_not_answer_is_found_dead_and_told_why() {
    let (end, mut far) = undisturbed(|| {
        let (near, far) = streams();
        let mut here = server(near, config(30, 100));
        let began = Clock::now();
        let end = end(&mut here);
        assert!(began.elapsed() < LIMIT);
        (end.kind() != Kind::LocalSuspend).then_some((end, far))
    });
    assert_eq!(end.kind(), Kind::KeepaliveTimeout, "{end}");
    assert!(end.to_string().contains("ping unanswered for"), "{end}");
    let mut heard = Vec::new();
    far.read_to_end(&mut heard).unwrap();
    // A ping of eight bytes, and the last words.
    assert_eq!(heard[..2], [0x89, 8]);
    assert!(heard.ends_with(b"\x03\xf3keepalive ping timeout"), "{heard:?}");
}

#[test]
fn a_byte_of_a_long_message_is_a_sign_of_life() {
    const TIMEOUT: u64 = 2000;
    let (read, pongs) = undisturbed(|| {
        let (near, mut far) = streams();
        let (mut last, mut longest) = (Clock::now(), Duration::ZERO);
        let mut here = server(near, config(40, TIMEOUT));
        let trickle = thread::spawn(move || {
            // Ten thousand bytes announced; four zeros for a mask.
            let header = [0x82, 0xfe, 0x27, 0x10, 0, 0, 0, 0];
            for piece in std::iter::once(&header[..]).chain([&[7; 100][..]; 100]) {
                let written = far.write_all(piece);
                let now = Clock::now();
                longest = longest.max(now - last);
                last = now;
                // It was given up.
                if written.is_err() {
                    break;
                }
                thread::sleep(Duration::from_millis(30));
            }
            (far, longest)
        });
        let read = here.read();
        let (_far, longest) = trickle.join().unwrap();
        // There are at most two of these times between two writes, and longer silences are deadly.
        (longest < Duration::from_millis(TIMEOUT / 2)).then(|| (read, here.watch().heartbeat().pongs()))
    });
    assert_eq!(read.unwrap(), Message::binary(vec![7; 10_000]));
    assert_eq!(pongs, 0);
}

#[test]
fn only_a_queue_that_shrinks_is_a_sign_of_life() {
    const TIMEOUT: Duration = Duration::from_millis(700);
    undisturbed(|| {
        let (near, mut far) = streams();
        far.set_read_timeout(Some(TIMEOUT)).unwrap();
        let (mut last, mut longest) = (Clock::now(), Duration::ZERO);
        let mut here = server(near, config(30, TIMEOUT.as_millis() as u64));
        // Accepts a part of the message bit by bit, for longer than anybody would wait for a Pong, and then nothing.
        let reader = thread::spawn(move || {
            let mut place = vec![0; 64 << 10];
            for _ in 0..60 {
                let read = far.read_exact(&mut place);
                thread::sleep(Duration::from_millis(25));
                let now = Clock::now();
                longest = longest.max(now - last);
                last = now;
                if read.is_err() {
                    break;
                }
            }
            (far, last, longest)
        });
        let sent = here.send(Message::binary(vec![0; 12_000_000]));
        let ended = Clock::now();
        assert!(matches!(sent, Err(SendError::Closing(_))));
        let end = here.read().unwrap_err();
        let (_far, stopped, longest) = reader.join().unwrap();
        if end.kind() == Kind::LocalSuspend || longest >= TIMEOUT / 2 {
            return None;
        }
        assert!(ended > stopped && ended - stopped < LIMIT);
        assert_eq!(end.kind(), Kind::WriteStall, "{end}");
        assert_eq!(here.watch().heartbeat().pongs(), 0);
        Some(())
    });
}

#[test]
fn two_ends_that_both_send_first_do_not_wait_for_each_other() {
    let message = || Message::binary(vec![5; 8_000_000]);
    let (near, far) = streams();
    let there = thread::spawn(move || {
        let mut there = client(far, Config::default());
        there.send(message()).unwrap();
        let heard = there.read().unwrap();
        there.close(&Close::normal()).unwrap();
        (heard, end(&mut there))
    });
    let mut here = server(near, Config::default());
    here.send(message()).unwrap();
    assert!(here.read().unwrap() == message());
    assert_eq!(end(&mut here).to_string(), "received 1000 (OK); then sent 1000 (OK)");
    drop(here);
    let (heard, end) = there.join().unwrap();
    assert!(heard == message());
    assert_eq!(end.to_string(), "sent 1000 (OK); then received 1000 (OK)");
}

/// A socket of a process that does not run for a while, just when it is about to read.
struct Paused(UnixStream);

impl Read for Paused {
    fn read(&mut self, place: &mut [u8]) -> std::io::Result<usize> {
        self.0.read(place)
    }
}

impl Write for Paused {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

impl Patience for Paused {
    fn set_read_timeout(&self, time: Option<Duration>) -> std::io::Result<()> {
        thread::sleep(time.unwrap_or_default() + Duration::from_millis(1));
        self.0.set_read_timeout(time)
    }

    fn set_write_timeout(&self, time: Option<Duration>) -> std::io::Result<()> {
        self.0.set_write_timeout(time)
    }
}

#[test]
fn a_message_that_has_come_is_read_even_without_time_left() {
    let (near, mut far) = streams();
    let socket = WebSocket::from_raw_socket(Counted::new(Paused(near)), Role::Client, None);
    let mut here = Watched::client(socket, Config::default()).unwrap();
    far.write_all(b"\x81\x05hello").unwrap();
    assert_eq!(here.read_timeout(Duration::ZERO).unwrap(), Some(Message::text("hello")));
}

#[test]
fn an_end_without_a_close_is_reported_as_such() {
    let (near, far) = streams();
    let mut here = server(near, Config::default());
    drop(far);
    assert_eq!(end(&mut here).kind(), Kind::Eof);
}

#[test]
fn a_reset_that_a_write_was_told_is_reported_as_a_reset() {
    let now = Instant::ZERO;
    let mut watch = Watch::new(bowline_core::Role::Client, Config::default(), [1; 32], now);
    watch.handle_write_error(now, &Error::Io(ErrorKind::ConnectionReset.into()));
    watch.handle_read_error(now, &Error::Protocol(ProtocolError::ResetWithoutClosingHandshake));
    assert_eq!(watch.poll_disconnect().unwrap().kind(), Kind::Reset);
}

#[test]
fn a_peer_that_breaks_a_rule_is_told_which_one() {
    // A frame without a mask, invalid text, and a frame that begins nothing.
    for (bytes, code) in [
        (&b"\x81\x01a"[..], CloseCode::PROTOCOL_ERROR),
        (b"\x81\x81\0\0\0\0\xff", CloseCode::INVALID_DATA),
        (b"\x80\x81\0\0\0\0a", CloseCode::PROTOCOL_ERROR),
    ] {
        let (near, mut far) = streams();
        let mut here = server(near, Config::default());
        far.write_all(bytes).unwrap();
        let end = end(&mut here);
        assert_eq!(end.kind(), Kind::WeFailed(code), "{end}");
        drop(here);
        let mut heard = Vec::new();
        far.read_to_end(&mut heard).unwrap();
        assert_eq!(heard[0], 0x88);
        assert_eq!(heard[2..4], code.as_u16().to_be_bytes());
    }
}

#[test]
fn an_unanswered_close_ends_on_time() {
    let (near, _far) = streams();
    let mut config = Config::default();
    config.closing.close_timeout = Duration::from_millis(100);
    let mut here = server(near, config);
    here.close(&Close::normal()).unwrap();
    assert!(here.close(&Close::normal()).is_err());
    assert!(matches!(here.send(Message::text("late")), Err(SendError::Closing(_))));
    assert_eq!(end(&mut here).kind(), Kind::CloseTimeout);
}

#[test]
fn a_message_sent_to_a_closing_peer_is_lost_without_harm() {
    let (near, far) = streams();
    let mut here = server(near, Config::default());
    let mut there = client(far, Config::default());
    there.send(Message::text("first")).unwrap();
    there.close(&Close::normal()).unwrap();
    there.read_timeout(Duration::ZERO).unwrap();
    let there = thread::spawn(move || end(&mut there));
    while here.watch().is_open() {
        here.listen(MOMENT);
    }
    let late = Message::text("late");
    assert_eq!(here.send(late.clone()), Err(SendError::Closing(late)));
    assert_eq!(here.read().unwrap(), Message::text("first"));
    assert_eq!(end(&mut here).to_string(), "received 1000 (OK); then sent 1000 (OK)");
    drop(here);
    assert_eq!(there.join().unwrap().kind(), Kind::Clean);
}

#[test]
fn a_message_too_large_for_the_queue_comes_back() {
    let (near, mut far) = streams();
    let config = WebSocketConfig::default().write_buffer_size(0).max_write_buffer_size(500_000);
    let socket = WebSocket::from_raw_socket(Counted::new(near), Role::Server, Some(config));
    let mut here = Watched::server(socket, Config::default()).unwrap();
    let reader = thread::spawn(move || far.read_exact(&mut vec![0; 5 * 400_010]).map(|()| far));
    for _ in 0..5 {
        here.send(Message::binary(vec![0; 400_000])).unwrap();
    }
    let _far = reader.join().unwrap().unwrap();
    let long = here.send(Message::binary(vec![0; 600_000])).unwrap_err();
    assert_eq!(long.to_string(), "no room in the send queue: 600000 of 500000 are taken");
    here.send(Message::text("short")).unwrap();
}

#[test]
fn an_application_that_sends_without_reading_is_told_to_read() {
    let (near, far) = streams();
    let mut here = server(near, Config::default());
    // Sends more than is held for anybody, and reads nothing before all of it has left.
    let there = thread::spawn(move || {
        let mut there = WebSocket::from_raw_socket(far, Role::Client, None);
        for _ in 0..50 {
            there.send(Message::binary(vec![1; 1 << 20])).unwrap();
        }
        (0..10).map(|_| there.read().unwrap().len()).sum::<usize>()
    });
    let (mut heard, mut fulls) = (0, 0);
    for _ in 0..10 {
        let mut message = Message::binary(vec![2; 1 << 20]);
        while let Err(full) = here.send(message) {
            let SendError::Full { held, limit, .. } = full else { panic!("{full}") };
            assert!((limit..limit + (2 << 20)).contains(&held), "{full}");
            fulls += 1;
            message = full.into_inner();
            heard += here.read().unwrap().len();
        }
    }
    while heard < 50 << 20 {
        heard += here.read().unwrap().len();
    }
    here.read_timeout(Duration::ZERO).unwrap_or_default();
    assert_eq!(there.join().unwrap(), 10 << 20);
    assert!(fulls > 0);
}

#[test]
fn messages_without_bytes_count_while_they_are_held() {
    let (near, mut far) = streams();
    let mut here = client(near, Config::default());
    far.write_all(&[0x82, 0].repeat(3)).unwrap();
    let start = Clock::now();
    while here.held_bytes < 3 * size_of::<Message>() {
        here.listen(MOMENT);
        assert!(start.elapsed() < LIMIT, "{here:?}");
    }
    for _ in 0..3 {
        assert_eq!(here.read().unwrap(), Message::binary(vec![]));
    }
    assert_eq!(here.held_bytes, 0);
}
