//! Streams of frames that are correct, or correct except for one thing.

use crate::fuzz::choice::{Blob, Many, choice};
use bowline_core::Role;

/// The longest frame and the longest message that the readers of these streams accept.
pub(super) const FRAME: u64 = 1500;
pub(super) const MESSAGE: u64 = 2000;

choice! {
    /// What one end sends, what is wrong with it, and the pieces in which it arrives.
    struct Stream {
        to_server: bool,
        says: Many<Say>,
        damage: Option<Damage>,
        cuts: Blob,
    }
}

choice! {
    /// A message. If there are cuts, it arrives in fragments of these lengths.
    enum Say {
        /// Each byte chooses a letter.
        Text(letters: Blob, cuts: Blob),
        Binary(bytes: Blob, cuts: Blob),
        /// More bytes than a blob has.
        Zeros(len: u16, cuts: Blob),
        /// Inside the message before it, if that has fragments.
        Ping(payload: Blob, inside: bool),
        Pong(payload: Blob, inside: bool),
        /// With one of the codes that may be sent. In a stream it comes last, and once.
        Close(which: u8, reason: Blob),
    }
}

choice! {
    /// What is wrong with a stream. A frame is chosen by its number, a position in it by its distance from the start;
    /// both wrap around if there are fewer.
    enum Damage {
        Reserved(frame: u8, bits: u8),
        Opcode(frame: u8, opcode: u8),
        Fin(frame: u8),
        Mask(frame: u8),
        /// A length in more bytes than it needs; in eight, if requested, and otherwise the longest for which two are
        /// too many, if requested.
        Padded(frame: u8, eight: bool, longest: bool),
        /// A length of 2^63 and more.
        Huge(frame: u8, len: u64),
        /// Another length than the payload has.
        Claim(frame: u8, len: u16),
        Byte(frame: u8, at: u8, value: u8),
        /// Something that is no character.
        NoLetter(frame: u8, at: u8, which: u8),
        /// To one of the lengths at which something changes, or to any other.
        Longer(frame: u8, which: u8, len: u16),
        Shorter(frame: u8, len: u8),
        Swapped(frame: u8),
        Twice(frame: u8),
        Missing(frame: u8),
        /// One of the codes that must not be sent, or any other.
        CloseCode(which: u8, code: u16),
        Flip(bit: u16),
        Inserted(at: u16, byte: u8),
    }
}

/// Of all lengths that UTF-8 has, and at the edges of them.
const LETTERS: [&str; 14] = [
    "a",
    "Z",
    " ",
    "\0",
    "\u{7f}",
    "\u{80}",
    "\u{fc}",
    "\u{7ff}",
    "\u{800}",
    "\u{20ac}",
    "\u{d7ff}",
    "\u{e000}",
    "\u{10000}",
    "\u{10ffff}",
];

/// Bytes that are no character, or the beginning of one.
const NO_LETTERS: [&[u8]; 14] = [
    b"\x80",
    b"\xbf",
    b"\xc0\x80",
    b"\xc1\xbf",
    b"\xc3",
    b"\xe0\x80\x80",
    b"\xe2\x82",
    b"\xed\xa0\x80",
    b"\xef\xbf",
    b"\xf0\x80\x80\x80",
    b"\xf0\x9f\x98",
    b"\xf4\x90\x80\x80",
    b"\xf5\x80\x80\x80",
    b"\xff",
];

/// Where the form of a length changes, where a control frame is too long, and where a limit is.
const LENGTHS: [usize; 6] = [125, 126, 127, FRAME as usize, FRAME as usize + 1, MESSAGE as usize];

/// Close codes that may be sent.
const CODES: [u16; 17] =
    [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3003, 3999, 4000, 4999];

/// And those beside them.
const NO_CODES: [u16; 10] = [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000];

/// A frame before it is encoded.
#[derive(Clone, Debug)]
struct Draft {
    first: u8,
    masked: bool,
    /// In how many bytes besides the second one the length is written, if not in as few as possible.
    len_bytes: Option<usize>,
    /// What the header says, if it is not the length of the payload.
    len: Option<u64>,
    payload: Vec<u8>,
}

impl Stream {
    /// Which end reads this.
    pub(super) fn reader(&self) -> Role {
        if self.to_server { Role::Server } else { Role::Client }
    }

    /// The bytes.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut drafts = Vec::new();
        let is_close = |say: &&Say| say.close().is_some();
        let before = self.says.0.iter().filter(|say| !is_close(say));
        for say in before.chain(self.says.0.iter().find(is_close)) {
            say.draft(&mut drafts);
        }
        for draft in &mut drafts {
            draft.masked = self.to_server;
        }
        if let Some(damage) = &self.damage {
            damage.hit(&mut drafts);
        }
        let mut bytes = Vec::new();
        for (number, draft) in drafts.iter().enumerate() {
            draft.encode(number, &mut bytes);
        }
        if let Some(damage) = &self.damage {
            damage.hit_bytes(&mut bytes);
        }
        bytes
    }
}

impl Say {
    /// The payload of a message and the lengths of its fragments; `None` for a control frame.
    pub(super) fn message(&self) -> Option<(bool, Vec<u8>, &Blob)> {
        match self {
            Self::Text(letters, cuts) => Some((true, text(letters).into_bytes(), cuts)),
            Self::Binary(bytes, cuts) => Some((false, bytes.0.clone(), cuts)),
            Self::Zeros(len, cuts) => Some((false, vec![0; (*len % 2500).into()], cuts)),
            _ => None,
        }
    }

    /// The code and the reason, if this is a Close.
    pub(super) fn close(&self) -> Option<(u16, String)> {
        match self {
            Self::Close(which, reason) => Some((CODES[usize::from(*which) % CODES.len()], reason_of(reason))),
            _ => None,
        }
    }

    fn draft(&self, drafts: &mut Vec<Draft>) {
        if let Some((is_text, payload, cuts)) = self.message() {
            let mut first = if is_text { 1 } else { 2 };
            let mut fragments = pieces(&payload, cuts).into_iter().peekable();
            while let Some(fragment) = fragments.next() {
                let fin = if fragments.peek().is_none() { 0x80 } else { 0 };
                drafts.push(Draft::new(fin | first, fragment));
                first = 0;
            }
            return;
        }
        let (opcode, payload, inside) = match self {
            Self::Ping(payload, inside) => (9, payload.0.clone(), *inside),
            Self::Pong(payload, inside) => (10, payload.0.clone(), *inside),
            _ => {
                let (code, reason) = self.close().unwrap_or_default();
                (8, [&code.to_be_bytes(), reason.as_bytes()].concat(), false)
            }
        };
        let draft = Draft::new(0x80 | opcode, &payload[..payload.len().min(125)]);
        let is_fragment = drafts.last().is_some_and(|last| last.first == 0x80);
        let at = if inside && is_fragment { drafts.len() - 1 } else { drafts.len() };
        drafts.insert(at, draft);
    }
}

impl Damage {
    fn hit(&self, drafts: &mut Vec<Draft>) {
        let count = drafts.len();
        let place = |number: &u8| usize::from(*number) % count.max(1);
        match self {
            Self::Swapped(frame) if count > 1 => drafts.swap(place(frame), (place(frame) + 1) % count),
            Self::Twice(frame) if count > 0 => drafts.insert(place(frame), drafts[place(frame)].clone()),
            Self::Missing(frame) if count > 0 => drop(drafts.remove(place(frame))),
            Self::CloseCode(which, code) => {
                let code = NO_CODES.get(usize::from(*which) % 16).unwrap_or(code);
                let closes = drafts.iter_mut().filter(|draft| draft.first & 15 == 8);
                for draft in closes.filter(|draft| draft.payload.len() >= 2) {
                    draft.payload[..2].copy_from_slice(&code.to_be_bytes());
                }
            }
            Self::Reserved(frame, ..)
            | Self::Opcode(frame, ..)
            | Self::Fin(frame)
            | Self::Mask(frame)
            | Self::Padded(frame, ..)
            | Self::Huge(frame, ..)
            | Self::Claim(frame, ..)
            | Self::Byte(frame, ..)
            | Self::NoLetter(frame, ..)
            | Self::Longer(frame, ..)
            | Self::Shorter(frame, ..) => {
                let at = place(frame);
                if let Some(draft) = drafts.get_mut(at) {
                    self.hit_frame(draft);
                }
            }
            _ => {}
        }
    }

    fn hit_frame(&self, draft: &mut Draft) {
        let len = draft.payload.len();
        match self {
            Self::Reserved(_, bits) => draft.first |= (bits % 7 + 1) << 4,
            Self::Opcode(_, opcode) => draft.first = draft.first & 0xf0 | opcode & 15,
            Self::Fin(_) => draft.first ^= 0x80,
            Self::Mask(_) => draft.masked = !draft.masked,
            Self::Padded(_, eight, longest) => {
                draft.len_bytes = Some(if *eight { 8 } else { 2 });
                if *longest {
                    draft.payload.resize(125, b'x');
                }
            }
            Self::Huge(_, len) => draft.len = Some(len | 1 << 63),
            Self::Claim(_, len) => draft.len = Some((*len).into()),
            Self::Byte(_, at, value) if len > 0 => draft.payload[usize::from(*at) % len] = *value,
            Self::NoLetter(_, at, which) => {
                let at = usize::from(*at) % (len + 1);
                let no_letter = NO_LETTERS[usize::from(*which) % NO_LETTERS.len()];
                draft.payload.splice(at..at, no_letter.iter().copied());
            }
            Self::Longer(_, which, longer) => {
                let longer =
                    LENGTHS.get(usize::from(*which) % 10).copied().unwrap_or(usize::from(*longer % 3000));
                draft.payload.resize(len.max(longer), b'x');
            }
            Self::Shorter(_, shorter) => draft.payload.truncate((*shorter).into()),
            _ => {}
        }
    }

    fn hit_bytes(&self, bytes: &mut Vec<u8>) {
        let len = bytes.len();
        match self {
            Self::Flip(bit) if len > 0 => bytes[usize::from(*bit) / 8 % len] ^= 1 << (bit % 8),
            Self::Inserted(at, byte) => bytes.insert(usize::from(*at) % (len + 1), *byte),
            _ => {}
        }
    }
}

impl Draft {
    fn new(first: u8, payload: &[u8]) -> Self {
        Self { first, masked: false, len_bytes: None, len: None, payload: payload.to_vec() }
    }

    fn encode(&self, number: usize, out: &mut Vec<u8>) {
        let len = self.len.unwrap_or(self.payload.len() as u64);
        let needed = match len {
            0..=125 => 0,
            126..=0xffff => 2,
            _ => 8,
        };
        let (short, long) = match self.len_bytes.unwrap_or(0).max(needed) {
            0 => (len as u8, &len.to_be_bytes()[8..]),
            2 => (126, &len.to_be_bytes()[6..]),
            _ => (127, &len.to_be_bytes()[..]),
        };
        out.extend([self.first, u8::from(self.masked) << 7 | short]);
        out.extend(long);
        let key = if self.masked { [number as u8, 0x5a, 0xff, 0] } else { [0; 4] };
        if self.masked {
            out.extend(key);
        }
        out.extend(self.payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
    }
}

/// Each byte chooses a letter.
pub(in crate::fuzz) fn text(letters: &Blob) -> String {
    letters.0.iter().map(|letter| LETTERS[usize::from(*letter) % LETTERS.len()]).collect()
}

/// The same, as long as a Close frame can carry it.
fn reason_of(letters: &Blob) -> String {
    let mut reason = text(letters);
    let fits = (0..=reason.len().min(123)).rev().find(|end| reason.is_char_boundary(*end));
    reason.truncate(fits.unwrap_or(0));
    reason
}

/// The bytes in pieces of these sizes; the rest is one more piece, even if it is empty.
pub(in crate::fuzz) fn pieces<'a>(bytes: &'a [u8], sizes: &Blob) -> Vec<&'a [u8]> {
    let mut rest = bytes;
    let mut pieces = Vec::new();
    for size in &sizes.0 {
        let (piece, after) = rest.split_at(usize::from(*size).min(rest.len()));
        pieces.push(piece);
        rest = after;
    }
    pieces.push(rest);
    pieces
}
