//! The same bytes through this library, through tungstenite, and through a third, plain reading of the standard.

mod oracle;
mod seeds;
pub(super) mod stream;
mod talk;

pub(super) use seeds::seeds;

use super::choice::{Blob, Tell, choice, choose};
use super::reader::{Fault, Heard, Most, Reader};
use crate::sim::other;
use bowline_core::connection::{Config, Event};
use bowline_core::frame::{Decoder, Limits};
use bowline_core::message::{Delivery, Piece};
use bowline_core::{Close, CloseCode, Connection, Instant, Message, Role, mask};
use oracle::{Outcome, Pipe};
use std::collections::VecDeque;
use stream::{FRAME, MESSAGE, Stream, pieces};
use talk::{Talk, converse};
use tungstenite::protocol::frame::FrameSocket;

choice! {
    enum Case {
        /// A stream that is correct except for one thing.
        Nearly(stream: Stream),
        /// Any bytes to a server, or else to a client.
        Any(to_server: bool, bytes: Blob, cuts: Blob),
        /// A conversation between this library and tungstenite.
        Talk(talk: Talk),
    }
}

/// Streams of frames, right and wrong: all three readers receive the same, and refuse the same with the same close
/// code. What one of the two libraries writes, the other one reads.
pub fn differential(data: &[u8]) {
    let case: Case = choose(data);
    let _tell = Tell(&case);
    match &case {
        Case::Nearly(stream) => agree_on(stream),
        Case::Any(to_server, bytes, cuts) => {
            agree(if *to_server { Role::Server } else { Role::Client }, &bytes.0, cuts);
        }
        Case::Talk(talk) => converse(talk),
    }
}

/// Of [`differential`], the streams that are correct except for one thing. Returns the rules that this one breaks.
pub fn nearly_valid(data: &[u8]) -> Vec<String> {
    let stream = choose(data);
    let _tell = Tell(&stream);
    agree_on(&stream);
    let faults = expected(stream.reader(), &stream.bytes()).1.faults;
    if faults.is_empty() {
        return vec!["nothing".to_owned()];
    }
    faults.iter().map(|fault| format!("{fault:?}")).collect()
}

/// Of [`differential`], the conversations.
pub fn conversation(data: &[u8]) {
    let talk = choose(data);
    let _tell = Tell(&talk);
    converse(&talk);
}

fn agree_on(stream: &Stream) {
    agree(stream.reader(), &stream.bytes(), &stream.cuts);
}

/// Checks that all readers read the stream alike in this role.
fn agree(role: Role, bytes: &[u8], cuts: &Blob) {
    let (bytes, expected) = expected(role, bytes);
    let what = format!("{role:?} reads {}", bytes.escape_ascii());
    for delivery in [Delivery::Whole, Delivery::Pieces] {
        let ours = ours(role, &bytes, cuts, delivery);
        assert_eq!(ours.messages, expected.messages, "{delivery:?}: {what}");
        assert!(expected.is_met_by(ours.answer), "{delivery:?}, {ours:?} or {expected:?}: {what}");
        assert!(expected.pongs_meet(&ours.pings), "{delivery:?}, {ours:?} or {expected:?}: {what}");
    }
    frames_agree(role, &bytes);
    if !expected.is_disputed() {
        let theirs = oracle::outcome(role, &bytes, cuts);
        assert_eq!(theirs.messages, expected.messages, "tungstenite: {what}");
        assert_eq!(theirs.pings, expected.pings, "tungstenite: {what}");
        assert!(expected.is_met_by(theirs.answer), "tungstenite: {theirs:?} or {expected:?}: {what}");
    }
}

/// The meaning of a stream according to the standard.
#[derive(Debug, Default)]
struct Expected {
    messages: Vec<Message>,
    pings: Vec<Vec<u8>>,
    /// All rules that the last frame breaks.
    faults: Vec<Fault>,
    close: Option<Close>,
}

impl Expected {
    /// Whether tungstenite is known to see this differently; each of these cases has a test of its own.
    fn is_disputed(&self) -> bool {
        let laxer = |fault: &Fault| matches!(fault, Fault::Padded | Fault::Huge);
        let stricter = |close: &Close| close.code() == CloseCode::BAD_GATEWAY;
        self.faults.iter().any(laxer) || self.close.as_ref().is_some_and(stricter)
    }

    /// Whether these are the right answers to the pings. RFC 6455 §5.5.3: if a later one has arrived, it is enough to
    /// answer that.
    fn pongs_meet(&self, pongs: &[Vec<u8>]) -> bool {
        let pings = &self.pings;
        let are_enough = pongs.last() == pings.last() && is_part(pongs, pings);
        if pings.len() > PONGS { are_enough } else { pongs == pings }
    }

    /// Whether this is the right answer.
    fn is_met_by(&self, answer: Option<CloseCode>) -> bool {
        match (&self.close, answer) {
            (Some(close), answer) => answer == Some(close.code()),
            (None, None) => self.faults.is_empty(),
            (None, Some(answer)) => self.faults.iter().any(|fault| fault.code() == answer),
        }
    }
}

/// This many pings that arrive at once are all answered.
const PONGS: usize = 16;

/// What the plain reader receives. If the stream ends inside a frame, the frame is completed first, since not every
/// reader judges a frame before it is complete.
fn expected(role: Role, bytes: &[u8]) -> (Vec<u8>, Expected) {
    let mut bytes = bytes.to_vec();
    let mut reader = Reader::new(other(role), Most { frame: Some(FRAME), message: Some(MESSAGE) });
    let mut expected = Expected::default();
    reader.push(&bytes);
    loop {
        match reader.next() {
            Some(Ok(Heard::Message(message))) => expected.messages.push(message),
            Some(Ok(Heard::Ping(payload))) => expected.pings.push(payload),
            Some(Ok(Heard::Pong(_))) => {}
            Some(Ok(Heard::Close(close))) => {
                expected.close = Some(close);
                return (bytes, expected);
            }
            Some(Err(faults)) => {
                // A reader may look for the key before it judges the length.
                bytes.extend([0; 4]);
                expected.faults = faults;
                return (bytes, expected);
            }
            None if reader.unread() == 0 => return (bytes, expected),
            None => {
                reader.push(&[0]);
                bytes.push(0);
            }
        }
    }
}

/// What this library makes of the bytes that arrive in this role.
fn ours(role: Role, bytes: &[u8], cuts: &Blob, delivery: Delivery) -> Outcome {
    let now = Instant::ZERO;
    let mut outcome = Outcome::default();
    let mut connection = connection(role, 255, delivery);
    let mut begun = Vec::new();
    let mut reader = Reader::new(role, Most::default());
    for piece in pieces(bytes, cuts) {
        connection.handle_input(now, piece);
        let events = std::iter::from_fn(|| connection.poll_event());
        outcome.messages.extend(events.filter_map(|event| message_in(event, &mut begun)));
        // A Close is answered when the application has seen it.
        connection.handle_timeout(now);
        reader.push(&drain(&mut connection));
        while let Some(heard) = reader.next() {
            match heard.expect("we write what is right") {
                Heard::Pong(payload) => outcome.pings.push(payload),
                Heard::Close(close) => outcome.answer = Some(close.code()),
                heard @ (Heard::Message(_) | Heard::Ping(_)) => panic!("nobody wanted {heard:?}"),
            }
        }
    }
    outcome
}

/// The message that an event completes; `begun` holds the pieces before it.
fn message_in(event: Event, begun: &mut Vec<u8>) -> Option<Message> {
    match event {
        Event::Message(message) => Some(message),
        Event::Piece(Piece { part, is_last }) => {
            begun.extend(part.as_bytes());
            let whole = is_last.then(|| std::mem::take(begun))?;
            Some(match part {
                Message::Text(_) => Message::text(String::from_utf8(whole).expect("pieces of text are text")),
                Message::Binary(_) => Message::binary(whole),
            })
        }
        _ => None,
    }
}

/// With the limits of the streams, and fragments of at most this many bytes.
fn connection(role: Role, fragment: usize, delivery: Delivery) -> Connection {
    let mut config = Config::default();
    config.delivery = delivery;
    config.limits.frame = Some(FRAME);
    config.limits.message = Some(MESSAGE);
    config.send_buffer = 1 << 20;
    config.fragment = Some(fragment);
    match role {
        Role::Client => Connection::client(config, [1; 32], Instant::ZERO),
        Role::Server => Connection::server(config, [1; 32], Instant::ZERO),
    }
}

fn drain(connection: &mut Connection) -> Vec<u8> {
    let mut written = Vec::new();
    loop {
        let more = connection.outputs().collect::<Vec<_>>().concat();
        if more.is_empty() {
            return written;
        }
        connection.handle_written(Instant::ZERO, more.len());
        written.extend(more);
    }
}

fn is_part(part: &[Vec<u8>], whole: &[Vec<u8>]) -> bool {
    let mut whole = whole.iter();
    part.iter().all(|item| whole.any(|other| other == item))
}

/// As long as our decoder finds frames, tungstenite's finds the same ones; it leaves most of the rules to other code.
fn frames_agree(role: Role, bytes: &[u8]) {
    let mut limits = Limits::default();
    limits.frame = Some(FRAME);
    let mut decoder = Decoder::new(role, &limits);
    decoder.push(bytes);
    let incoming = VecDeque::from([bytes.to_vec()]);
    let mut theirs = FrameSocket::new(Pipe { incoming, written: Vec::new() });
    while let Ok(Some(header)) = decoder.decode() {
        let frame = theirs.read(Some(FRAME as usize)).expect("a frame").expect("one more");
        let theirs = frame.header();
        assert_eq!((theirs.is_final, theirs.rsv1, theirs.mask), (header.fin, header.rsv1, header.mask));
        assert_eq!(u8::from(theirs.opcode), header.opcode as u8);
        let mut payload = frame.into_payload().to_vec();
        if let Some(key) = header.mask {
            mask::apply(&mut payload, key, 0);
        }
        assert_eq!(payload, decoder.payload());
    }
}
