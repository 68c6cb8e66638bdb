//! Conversations between this library and tungstenite.

use super::oracle::{self, Pipe};
use super::stream::{FRAME, Say, pieces};
use super::{connection, drain, message_in};
use crate::fuzz::choice::{Blob, Many, choice};
use crate::sim::other;
use bowline_core::message::{Delivery, Piece};
use bowline_core::{Close, Connection, Instant, Message, Role};
use bytes::Bytes;
use tungstenite::protocol::WebSocketContext;
use tungstenite::protocol::frame::coding::{Data, OpCode};
use tungstenite::protocol::frame::{CloseFrame, Frame};

choice! {
    struct Talk {
        we_dialled: bool,
        /// We receive and send messages in pieces.
        in_pieces: bool,
        /// We cut messages into fragments of this many bytes plus one.
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

/// Both send their lines, over a stream that cuts them anywhere. Whatever was accepted arrives, unless somebody closes.
pub(super) fn converse(talk: &Talk) {
    let role = if talk.we_dialled { Role::Client } else { Role::Server };
    let delivery = if talk.in_pieces { Delivery::Pieces } else { Delivery::Whole };
    let mut ours = connection(role, usize::from(talk.fragment) + 1, delivery);
    let mut begun = Vec::new();
    let (mut theirs, mut pipe) = (oracle::context(other(role)), Pipe::default());
    let (mut from_us, mut from_them) = (Vec::new(), Vec::new());
    let (mut to_us, mut to_them) = (Vec::new(), Vec::new());
    let mut sizes = talk.cuts.0.iter().map(|size| usize::from(*size).max(1)).cycle();
    for line in talk.lines.0.iter().map(Some).chain([None; 4]) {
        match line {
            Some(Line { ours: true, say }) => from_us.extend(we_say(&mut ours, say, talk.in_pieces)),
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
        let events = std::iter::from_fn(|| ours.poll_event());
        to_us.extend(events.filter_map(|event| message_in(event, &mut begun)));
        ours.handle_timeout(Instant::ZERO);
    }
    let closes = |ours| {
        let mut lines = talk.lines.0.iter();
        lines.any(|line| line.ours == ours && line.say.close().is_some())
    };
    assert!(from_us.starts_with(&to_them) && from_them.starts_with(&to_us), "{talk:?}");
    // Our Close leaves after what was sent before it.
    assert!(closes(false) || to_them == from_us, "{talk:?}");
    assert!(closes(false) || closes(true) || to_us == from_them, "{talk:?}");
}

/// The message that we have accepted, if the line is one.
fn we_say(ours: &mut Connection, say: &Say, in_pieces: bool) -> Option<Message> {
    if let Some((code, reason)) = say.close() {
        let _ = Close::new(code, reason).map(|close| ours.close(Instant::ZERO, close));
    }
    if let Say::Ping(payload, _) = say {
        let _ = ours.ping(Instant::ZERO, &control(payload));
    }
    let (is_text, payload, cuts) = short(say)?;
    let message = message(is_text, payload);
    if !in_pieces {
        return ours.send(Instant::ZERO, message.clone()).ok().map(|()| message);
    }
    for piece in pieces_of(&message, cuts) {
        ours.send_piece(Instant::ZERO, piece).ok()?;
    }
    Some(message)
}

/// The message in pieces, which end with a character where it is text.
fn pieces_of(message: &Message, cuts: &Blob) -> Vec<Piece> {
    let mut pieces: Vec<_> = match message {
        Message::Binary(bytes) => {
            pieces(bytes, cuts).into_iter().map(|part| Piece::binary(part.to_vec())).collect()
        }
        Message::Text(text) => text.split_inclusive('a').map(Piece::text).collect(),
    };
    let last = pieces.pop().map_or(Piece::from(Message::text("")), Piece::last);
    pieces.push(last);
    pieces
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
