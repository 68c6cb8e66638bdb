//! The same bytes through this library, through tungstenite, and through a third, plain reading of the standard.

use super::choice::{Blob, Many, Tell, choice, choose};
use super::oracle::{self, Outcome, Pipe};
use super::reader::{Fault, Heard, Most, Reader};
use super::stream::{FRAME, MESSAGE, Say, Stream, pieces};
use crate::sim::other;
use bowline_core::connection::{Config, Event};
use bowline_core::frame::{Decoder, Limits};
use bowline_core::{Close, CloseCode, Connection, Instant, Message, Role};
use bytes::Bytes;
use std::collections::VecDeque;
use tungstenite::protocol::WebSocketContext;
use tungstenite::protocol::frame::coding::{Data, OpCode};
use tungstenite::protocol::frame::{CloseFrame, Frame, FrameSocket};

choice! {
    enum Case {
        /// A stream that is right but for one thing.
        Nearly(stream: Stream),
        /// Any bytes to a server, or else to a client.
        Any(to_server: bool, bytes: Blob, cuts: Blob),
        /// This library and tungstenite talk.
        Talk(talk: Talk),
    }
}

choice! {
    struct Talk {
        we_dialled: bool,
        /// We cut messages into fragments of so many bytes and one.
        fragment: u8,
        lines: Many<Line>,
        cuts: Blob,
    }
}

choice! {
    struct Line {
        ours: bool,
        say: Say,
    }
}

/// Streams of frames, right and wrong: all three readers hear the same, and refuse the same with the same close code.
/// What one of the two libraries writes, the other one reads.
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

/// Of [`differential`], the streams that are right but for one thing.
pub fn nearly_valid(data: &[u8]) {
    agree_on(&choose(data));
}

/// Of [`differential`], the conversations.
pub fn conversation(data: &[u8]) {
    converse(&choose(data));
}

fn agree_on(stream: &Stream) {
    agree(stream.reader(), &stream.bytes(), &stream.cuts);
}

/// The stream is heard alike by all that read it in this role.
fn agree(role: Role, bytes: &[u8], cuts: &Blob) {
    let (bytes, expected) = expected(role, bytes);
    let ours = ours(role, &bytes, cuts);
    let what = format!("{role:?} reads {}", bytes.escape_ascii());
    assert_eq!(ours.messages, expected.messages, "{what}");
    assert!(expected.is_met_by(ours.answer), "{ours:?} or {expected:?}: {what}");
    // A ping may stay unanswered where a later one has come (RFC 6455 §5.5.3).
    assert!(is_part(&ours.pings, &expected.pings), "{ours:?} or {expected:?}: {what}");
    frames_agree(role, &bytes);
    if !expected.is_disputed() {
        let theirs = oracle::outcome(role, &bytes, cuts);
        assert_eq!(theirs.messages, expected.messages, "tungstenite: {what}");
        assert_eq!(theirs.pings, expected.pings, "tungstenite: {what}");
        assert!(expected.is_met_by(theirs.answer), "tungstenite: {theirs:?} or {expected:?}: {what}");
    }
}

/// What the standard says that a stream means.
#[derive(Debug, Default)]
struct Expected {
    messages: Vec<Message>,
    pings: Vec<Vec<u8>>,
    /// All rules that the last frame breaks.
    faults: Vec<Fault>,
    close: Option<Close>,
}

impl Expected {
    /// Whether tungstenite is known to see this otherwise; each of these cases has a test of its own.
    fn is_disputed(&self) -> bool {
        let laxer = |fault: &Fault| matches!(fault, Fault::Padded | Fault::Huge);
        let stricter = |close: &Close| close.code() == CloseCode::BAD_GATEWAY;
        self.faults.iter().any(laxer) || self.close.as_ref().is_some_and(stricter)
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

/// What the plain reader hears. If the stream ends inside a frame, it is brought to an end first, since not everybody
/// judges a frame before it is whole.
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
                // Somebody may look for the key before judging the length.
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

/// What this library makes of the bytes that come to it in this role.
fn ours(role: Role, bytes: &[u8], cuts: &Blob) -> Outcome {
    let now = Instant::ZERO;
    let mut outcome = Outcome::default();
    let mut connection = connection(role, 255);
    let mut reader = Reader::new(role, Most::default());
    for piece in pieces(bytes, cuts) {
        connection.handle_input(now, piece);
        reader.push(&drain(&mut connection));
        while let Some(heard) = reader.next() {
            match heard.expect("we write what is right") {
                Heard::Pong(payload) => outcome.pings.push(payload),
                Heard::Close(close) => outcome.answer = Some(close.code()),
                heard => panic!("nobody wanted {heard:?}"),
            }
        }
        while let Some(event) = connection.poll_event() {
            if let Event::Message(message) = event {
                outcome.messages.push(message);
            }
        }
    }
    outcome
}

/// With the limits of the streams, and fragments of at most so many bytes.
fn connection(role: Role, fragment: usize) -> Connection {
    let mut config = Config::default();
    config.limits.frame = Some(FRAME);
    config.limits.message = Some(MESSAGE);
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

/// As long as our decoder finds frames, tungstenite's finds the same ones; it leaves most of the rules to others.
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
            bowline_core::mask::apply(&mut payload, key, 0);
        }
        assert_eq!(payload, decoder.payload());
    }
}

/// Both say their lines, over a stream that cuts them anywhere. Whatever was accepted arrives, unless somebody closes.
fn converse(talk: &Talk) {
    let role = if talk.we_dialled { Role::Client } else { Role::Server };
    let mut ours = connection(role, usize::from(talk.fragment) + 1);
    let (mut theirs, mut pipe) = (oracle::context(other(role)), Pipe::default());
    let (mut from_us, mut from_them) = (Vec::new(), Vec::new());
    let (mut to_us, mut to_them) = (Vec::new(), Vec::new());
    let mut sizes = talk.cuts.0.iter().map(|size| usize::from(*size).max(1)).cycle();
    for line in talk.lines.0.iter().map(Some).chain([None; 4]) {
        match line {
            Some(Line { ours: true, say }) => from_us.extend(we_say(&mut ours, say)),
            Some(Line { ours: false, say }) => from_them.extend(they_say(&mut theirs, &mut pipe, say)),
            None => {}
        }
        // A piece at a time, and at last everything.
        let most = if line.is_some() { sizes.next().unwrap_or(1) } else { usize::MAX };
        let output = if line.is_some() { ours.output().to_vec() } else { drain(&mut ours) };
        let n = output.len().min(most);
        if line.is_some() {
            ours.handle_written(Instant::ZERO, n);
        }
        if n > 0 {
            pipe.incoming.push_back(output[..n].to_vec());
        }
        to_them.extend(std::iter::from_fn(|| theirs.read(&mut pipe).ok()).filter_map(oracle::message_of));
        let _ = theirs.flush(&mut pipe);
        let n = pipe.written.len().min(most);
        ours.handle_input(Instant::ZERO, &pipe.written.drain(..n).collect::<Vec<_>>());
        to_us.extend(std::iter::from_fn(|| ours.poll_event()).filter_map(|event| match event {
            Event::Message(message) => Some(message),
            _ => None,
        }));
    }
    let closes = |ours| {
        let mut lines = talk.lines.0.iter();
        lines.any(|line| line.ours == ours && line.say.close().is_some())
    };
    assert!(from_us.starts_with(&to_them) && from_them.starts_with(&to_us), "{talk:?}");
    // Our Close leaves behind what was sent before it.
    assert!(closes(false) || to_them == from_us, "{talk:?}");
    assert!(closes(false) || closes(true) || to_us == from_them, "{talk:?}");
}

/// The message that we have accepted, if the line is one.
fn we_say(ours: &mut Connection, say: &Say) -> Option<Message> {
    if let Some((code, reason)) = say.close() {
        let _ = Close::new(code, reason).map(|close| ours.close(Instant::ZERO, close));
    }
    let (is_text, payload, _) = short(say)?;
    let message = message(is_text, payload);
    ours.send(Instant::ZERO, message.clone()).ok().map(|()| message)
}

/// The message that tungstenite has accepted, if the line is one.
fn they_say(theirs: &mut WebSocketContext, pipe: &mut Pipe, say: &Say) -> Option<Message> {
    let mut write = |message| theirs.write(pipe, message).is_ok();
    match say {
        Say::Ping(payload, _) => write(tungstenite::Message::Ping(control(payload))),
        Say::Pong(payload, _) => write(tungstenite::Message::Pong(control(payload))),
        _ => false,
    };
    if let Some((code, reason)) = say.close() {
        let frame = CloseFrame { code: code.into(), reason: reason.into() };
        write(tungstenite::Message::Close(Some(frame)));
    }
    let (is_text, payload, cuts) = short(say)?;
    let mut kind = if is_text { Data::Text } else { Data::Binary };
    let mut fragments = pieces(&payload, cuts).into_iter().peekable();
    while let Some(fragment) = fragments.next() {
        let frame = Frame::message(fragment.to_vec(), OpCode::Data(kind), fragments.peek().is_none());
        if !write(tungstenite::Message::Frame(frame)) {
            return None;
        }
        kind = Data::Continue;
    }
    Some(message(is_text, payload))
}

/// As much as a control frame can hold; tungstenite would write more.
fn control(payload: &Blob) -> Bytes {
    Bytes::copy_from_slice(&payload.0[..payload.0.len().min(125)])
}

/// A message that fits into one frame.
fn short(say: &Say) -> Option<(bool, Vec<u8>, &Blob)> {
    let (is_text, mut payload, cuts) = say.message()?;
    payload.truncate(FRAME as usize);
    Some((is_text, payload, cuts))
}

fn message(is_text: bool, payload: Vec<u8>) -> Message {
    if is_text {
        Message::text(String::from_utf8(payload).expect("chosen by letters"))
    } else {
        Message::binary(payload)
    }
}
