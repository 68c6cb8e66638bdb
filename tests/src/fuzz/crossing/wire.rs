//! A plain reading of the bytes that leave, frame by frame. It knows what was sent.

use super::pattern::Message;
use bowline_core::Role;
use std::collections::VecDeque;

/// What may be in front of a ping besides what has begun to leave: other control frames, and headers.
const CONTROLS: usize = 30 * 131;

/// What one end sends.
#[derive(Debug)]
pub(super) struct Wire {
    sender: Role,
    /// How long a fragment may be.
    fragment: usize,
    /// How many bytes have left.
    pub(super) left: usize,
    /// The part of a header, or of the payload of a control frame after it.
    head: Vec<u8>,
    frame: Option<Frame>,
    /// Which message is leaving, and how much of it has left.
    pub(super) message: usize,
    at: usize,
    in_message: bool,
    pub(super) has_close: bool,
    /// Pings that were accepted, and what had left by then.
    pub(super) pings: VecDeque<(Vec<u8>, usize)>,
}

#[derive(Clone, Copy, Debug)]
struct Frame {
    opcode: u8,
    fin: bool,
    key: [u8; 4],
    len: usize,
    got: usize,
}

impl Wire {
    pub(super) fn new(sender: Role, fragment: usize) -> Self {
        Self {
            sender,
            fragment,
            left: 0,
            head: Vec::new(),
            frame: None,
            message: 0,
            at: 0,
            in_message: false,
            has_close: false,
            pings: VecDeque::new(),
        }
    }

    /// How long a fragment may be.
    pub(super) fn fragment(&self) -> usize {
        self.fragment
    }

    /// Whether all frames have left completely.
    pub(super) fn is_between_frames(&self) -> bool {
        self.frame.is_none() && self.head.is_empty()
    }

    /// These bytes leave.
    pub(super) fn push(&mut self, mut bytes: &[u8], messages: &[Message]) {
        while !bytes.is_empty() || self.frame.is_some_and(|frame| frame.got == frame.len) {
            let n = match self.frame {
                None => self.push_head(bytes[0]),
                Some(frame) => {
                    let n = bytes.len().min(frame.len - frame.got);
                    self.push_payload(frame, &bytes[..n], messages);
                    n
                }
            };
            self.left += n;
            bytes = &bytes[n..];
        }
    }

    fn push_head(&mut self, byte: u8) -> usize {
        self.head.push(byte);
        let (len_bytes, key_len) = match self.head[..] {
            [first, second, ..] => {
                assert_eq!(first & 0x70, 0, "reserved bits");
                assert_eq!(second & 0x80 != 0, self.sender == Role::Client, "RFC 6455 §5.1");
                ([126, 127].iter().position(|long| second & 0x7f == *long), usize::from(second >> 7) * 4)
            }
            _ => return 1,
        };
        let long = len_bytes.map_or(0, |which| [2, 8][which]);
        if self.head.len() == 2 + long + key_len {
            let (long, key) = self.head[2..].split_at(long);
            let len = long.iter().fold(0, |len, byte| len << 8 | usize::from(*byte));
            let len = if long.is_empty() { usize::from(self.head[1] & 0x7f) } else { len };
            let key = key.try_into().unwrap_or_default();
            let frame = Frame { opcode: self.head[0] & 15, fin: self.head[0] & 0x80 != 0, key, len, got: 0 };
            self.begin(&frame);
            self.frame = Some(frame);
            self.head.clear();
        }
        1
    }

    fn begin(&self, frame: &Frame) {
        assert!(!self.has_close || frame.opcode == 10, "something follows a Close");
        match frame.opcode {
            0..=2 => {
                assert_eq!(frame.opcode == 0, self.in_message, "RFC 6455 §5.4");
                assert!(frame.len <= self.fragment, "{} bytes in one fragment", frame.len);
            }
            8..=10 => assert!(frame.fin && frame.len <= 125, "RFC 6455 §5.5"),
            reserved => panic!("opcode {reserved}"),
        }
    }

    fn push_payload(&mut self, mut frame: Frame, bytes: &[u8], messages: &[Message]) {
        let unmasked = bytes.iter().zip(frame.got..).map(|(byte, at)| byte ^ frame.key[at % 4]);
        if frame.opcode < 8 {
            let message = messages.get(self.message).expect("a message that was sent");
            assert!(frame.opcode == 0 || message.is_text == (frame.opcode == 1), "of the other kind");
            message.check(self.at, &unmasked.collect::<Vec<_>>());
            self.at += bytes.len();
        } else {
            self.head.extend(unmasked);
        }
        frame.got += bytes.len();
        self.frame = Some(frame);
        if frame.got == frame.len {
            self.end(frame, messages);
        }
    }

    fn end(&mut self, frame: Frame, messages: &[Message]) {
        self.frame = None;
        let payload = std::mem::take(&mut self.head);
        match frame.opcode {
            8 => self.has_close = true,
            9 => {
                // The heartbeat has pings of its own.
                if let Some((_, asked)) = self.pings.front().filter(|(ping, _)| *ping == payload) {
                    let behind = self.left - asked;
                    self.pings.pop_front();
                    assert!(behind <= self.fragment + CONTROLS, "{behind} bytes in front of a ping");
                }
            }
            10 => {}
            _ => {
                self.in_message = !frame.fin;
                if frame.fin {
                    let message = &messages[self.message];
                    assert!(message.is_whole && message.len() == self.at, "it ends too early");
                    (self.message, self.at) = (self.message + 1, 0);
                }
            }
        }
    }
}
