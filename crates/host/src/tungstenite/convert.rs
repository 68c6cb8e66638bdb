//! Converts messages and close frames in both directions.

use ::tungstenite as foreign;
use ::tungstenite::protocol::CloseFrame;
use bowline_core::{Close, CloseCode, Message};

/// A tungstenite message as one of ours; a control frame is returned as it is.
///
/// # Errors
/// If it is a control frame.
pub fn from_message(message: foreign::Message) -> Result<Message, foreign::Message> {
    match message {
        foreign::Message::Text(text) => Ok(Message::text(text.as_str())),
        foreign::Message::Binary(bytes) => Ok(Message::binary(bytes)),
        other => Err(other),
    }
}

/// One of our messages as a tungstenite message.
pub fn to_message(message: Message) -> foreign::Message {
    match message {
        Message::Text(text) => foreign::Message::text(text.as_str()),
        Message::Binary(bytes) => foreign::Message::Binary(bytes),
    }
}

/// A tungstenite close frame as a [`Close`]; no frame is a Close without a code. The result may hold a code that must
/// not be sent.
pub fn from_close(frame: Option<&CloseFrame>) -> Close {
    Close::decode(&payload(frame)).0
}

/// A [`Close`] as a tungstenite close frame; `None` if it has no code.
pub fn to_close(close: &Close) -> Option<CloseFrame> {
    let (code, reason) = (close.code(), close.reason().into());
    (code != CloseCode::NO_STATUS).then(|| CloseFrame { code: code.as_u16().into(), reason })
}

/// The payload of the frame.
pub(super) fn payload(frame: Option<&CloseFrame>) -> Vec<u8> {
    frame.map_or_else(Vec::new, |frame| {
        let code = u16::from(frame.code).to_be_bytes();
        [&code[..], frame.reason.as_bytes()].concat()
    })
}
