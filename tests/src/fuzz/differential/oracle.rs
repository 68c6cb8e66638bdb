//! tungstenite over a stream in memory: a second opinion on what bytes mean.

use super::stream::{FRAME, MESSAGE, pieces};
use crate::fuzz::choice::Blob;
use crate::fuzz::reader::{Heard, Most, Reader};
use bowline_core::{CloseCode, Message, Role};
use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use tungstenite::protocol::{WebSocketConfig, WebSocketContext};
use tungstenite::{Error, protocol};

/// What was read, and how it ended.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Outcome {
    pub(super) messages: Vec<Message>,
    pub(super) pings: Vec<Vec<u8>>,
    /// The code with which the connection is closed in response, if it is.
    pub(super) answer: Option<CloseCode>,
}

/// A transport that holds what will be read, in pieces, and what was written.
#[derive(Debug, Default)]
pub(super) struct Pipe {
    pub(super) incoming: VecDeque<Vec<u8>>,
    pub(super) written: Vec<u8>,
}

impl Read for Pipe {
    fn read(&mut self, place: &mut [u8]) -> io::Result<usize> {
        let Some(piece) = self.incoming.front_mut() else { return Err(ErrorKind::WouldBlock.into()) };
        let n = piece.len().min(place.len());
        place[..n].copy_from_slice(&piece[..n]);
        piece.drain(..n);
        if piece.is_empty() {
            self.incoming.pop_front();
        }
        Ok(n)
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.written.extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// tungstenite in this role, with the limits of the streams.
pub(super) fn context(role: Role) -> WebSocketContext {
    let config = WebSocketConfig::default()
        .max_frame_size(Some(FRAME as usize))
        .max_message_size(Some(MESSAGE as usize))
        .read_buffer_size(4096);
    let role = match role {
        Role::Client => protocol::Role::Client,
        Role::Server => protocol::Role::Server,
    };
    WebSocketContext::new(role, Some(config))
}

/// What tungstenite makes of the bytes that arrive in this role.
pub(super) fn outcome(role: Role, bytes: &[u8], cuts: &Blob) -> Outcome {
    let (mut context, mut pipe, mut outcome) = (context(role), Pipe::default(), Outcome::default());
    let pieces = pieces(bytes, cuts).into_iter().filter(|piece| !piece.is_empty());
    pipe.incoming = pieces.map(<[u8]>::to_vec).collect();
    loop {
        match context.read(&mut pipe) {
            Ok(tungstenite::Message::Ping(payload)) => outcome.pings.push(payload.to_vec()),
            Ok(tungstenite::Message::Close(_)) => {
                // Its answer leaves with the next call.
                let _ = context.flush(&mut pipe);
                outcome.answer = Some(close_in(role, &pipe.written));
                return outcome;
            }
            Ok(message) => outcome.messages.extend(message_of(message)),
            Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => return outcome,
            Err(error) => {
                outcome.answer = Some(code_of(&error));
                return outcome;
            }
        }
    }
}

/// A message of ours, if it is one.
pub(super) fn message_of(message: tungstenite::Message) -> Option<Message> {
    match message {
        tungstenite::Message::Text(text) => Some(Message::text(text.as_str())),
        tungstenite::Message::Binary(bytes) => Some(Message::binary(bytes)),
        _ => None,
    }
}

/// The close code for this error. tungstenite sends none by itself.
pub(super) fn code_of(error: &Error) -> CloseCode {
    match error {
        Error::Protocol(_) => CloseCode::PROTOCOL_ERROR,
        Error::Utf8(_) => CloseCode::INVALID_DATA,
        Error::Capacity(_) => CloseCode::MESSAGE_TOO_BIG,
        other => panic!("no refusal: {other}"),
    }
}

/// The code of the Close frame among what `sender` wrote.
fn close_in(sender: Role, written: &[u8]) -> CloseCode {
    let mut reader = Reader::new(sender, Most::default());
    reader.push(written);
    while let Some(heard) = reader.next() {
        if let Heard::Close(close) = heard.expect("tungstenite writes what is right") {
            return close.code();
        }
    }
    panic!("a close was not answered");
}
