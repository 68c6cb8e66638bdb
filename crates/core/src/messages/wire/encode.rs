//! Frames to bytes.

use super::{Data, Frame, Resume, Resumed, kind};
use crate::Message;
use crate::envelope::{header, seal, seal_with};
use crate::message::Parts;
use crate::replay::Window;
use bytes::{BufMut, Bytes, BytesMut};
use core::time::Duration;

impl Frame {
    /// The frame as the parts of one binary message; a payload is moved, not copied.
    pub fn encode(self) -> Parts {
        match self {
            Self::Data(data) => encode_data(data),
            other => Parts::from(encode_control(&other)),
        }
    }
}

fn encode_data(Data { number, ack, message }: Data) -> Parts {
    let mut head = header(kind::DATA, 0);
    head.put_u64(number.unwrap_or(0));
    head.put_u64(ack);
    let (form, payload) = match message {
        Message::Text(text) => (1, text.into_bytes()),
        Message::Binary(bytes) => (2, bytes),
    };
    head.put_u8(form);
    head.put_bytes(0, 11);
    seal_with(head, payload)
}

fn encode_control(frame: &Frame) -> Bytes {
    seal(match frame {
        Frame::Ack(last) => {
            let mut out = header(kind::ACK, 0);
            out.put_u64(*last);
            out
        }
        Frame::Resume(resume) => encode_resume(resume),
        Frame::Resumed(resumed) => encode_resumed(resumed),
        Frame::NewSession { why, retry_after } => {
            let mut out = header(kind::NEW_SESSION, 0);
            out.put_u32(why.to_u32());
            out.put_u32(retry_after.as_millis().try_into().unwrap_or(u32::MAX));
            out
        }
        Frame::Unsupported(kind) => header(*kind, 0),
        Frame::Data(_) => BytesMut::new(), // encoded separately
    })
}

fn encode_resume(resume: &Resume) -> BytesMut {
    let mut out = header(kind::RESUME, 0);
    out.put_slice(resume.session.as_bytes());
    out.put_slice(resume.secret.as_bytes());
    out.put_u32(resume.epoch);
    put_window(&mut out, resume.window);
    out.put_u32(0);
    out.put_u64(resume.last);
    out
}

fn encode_resumed(resumed: &Resumed) -> BytesMut {
    let mut out = header(kind::RESUMED, 0);
    out.put_u32(resumed.epoch);
    put_window(&mut out, resumed.window);
    out.put_u32(seconds(resumed.keep));
    out.put_slice(resumed.secret.as_bytes());
    out.put_u64(resumed.last);
    out
}

fn put_window(out: &mut BytesMut, window: Window) {
    out.put_u32(window.messages);
    out.put_u32(window.bytes);
}

fn seconds(duration: Duration) -> u32 {
    duration.as_secs().try_into().unwrap_or(u32::MAX)
}
