//! Messages and close frames, both ways.

use ::tungstenite as foreign;
use ::tungstenite::protocol::CloseFrame;
use bowline_core::{Close, CloseCode, Message};

/// A message of tungstenite's as one of ours; a control frame comes back.
///
/// # Errors
/// It is no message.
pub fn from_message(message: foreign::Message) -> Result<Message, foreign::Message> {
    match message {
        foreign::Message::Text(text) => Ok(Message::text(text.as_str())),
        foreign::Message::Binary(bytes) => Ok(Message::binary(bytes)),
        other => Err(other),
    }
}

/// A message of ours as one of tungstenite's.
pub fn to_message(message: Message) -> foreign::Message {
    match message {
        Message::Text(text) => foreign::Message::text(text.as_str()),
        Message::Binary(bytes) => foreign::Message::Binary(bytes),
    }
}

/// A close frame of tungstenite's as a [`Close`]; none is one without a code. What must not be sent can be received.
pub fn from_close(frame: Option<&CloseFrame>) -> Close {
    Close::decode(&payload(frame)).0
}

/// A [`Close`] as a close frame of tungstenite's; none if it has no code.
pub fn to_close(close: &Close) -> Option<CloseFrame> {
    let (code, reason) = (close.code(), close.reason().into());
    (code != CloseCode::NO_STATUS).then(|| CloseFrame { code: code.as_u16().into(), reason })
}

/// What stood in the frame.
pub(super) fn payload(frame: Option<&CloseFrame>) -> Vec<u8> {
    frame.map_or_else(Vec::new, |frame| {
        let code = u16::from(frame.code).to_be_bytes();
        [&code[..], frame.reason.as_bytes()].concat()
    })
}
