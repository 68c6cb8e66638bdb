//! A second reading of RFC 6455 §5, slow and plain, that shares nothing with the one under test.
//!
//! It only takes complete frames. If a frame breaks several rules, it names all of them: a reader that looks at the
//! bytes in another order may report any.

use bowline_core::{Close, CloseCode, Message, Role};

/// What a stream of frames says.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Heard {
    Message(Message),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Close),
}

/// A broken rule.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Fault {
    /// §5.2
    ReservedBits,
    /// §5.2
    ReservedOpcode,
    /// §5.2: a length of 2^63 or more.
    Huge,
    /// §5.2: a length not in its shortest form.
    Padded,
    /// §5.1
    Mask,
    /// §5.5: a control frame that is long or a fragment.
    Control,
    /// §5.4: a continuation of nothing, or a message inside another.
    Order,
    /// §10.4
    LongFrame,
    /// §10.4
    LongMessage,
    /// §8.1
    NotText,
    /// §5.5.1: half a code, or one that must not be sent.
    CloseCode,
    /// §5.5.1: a reason that is not text.
    CloseReason,
}

impl Fault {
    /// The close code that answers it (§7.4.1).
    pub(super) fn code(self) -> CloseCode {
        match self {
            Self::LongFrame | Self::LongMessage => CloseCode::MESSAGE_TOO_BIG,
            Self::NotText | Self::CloseReason => CloseCode::INVALID_DATA,
            _ => CloseCode::PROTOCOL_ERROR,
        }
    }

    /// Whether the header alone shows it, so that nobody waits for the rest of such a frame.
    fn is_endless(self) -> bool {
        matches!(self, Self::Huge | Self::LongFrame)
    }
}

/// Limits of the reader; the default is none.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Most {
    pub(super) frame: Option<u64>,
    pub(super) message: Option<u64>,
}

/// Reads what one end sends.
#[derive(Debug)]
pub(super) struct Reader {
    sender: Role,
    most: Most,
    rest: Vec<u8>,
    /// The message that has begun: whether it is text, and its bytes.
    begun: Option<(bool, Vec<u8>)>,
}

/// The header before a payload, without the key.
#[derive(Clone, Copy)]
struct Header {
    fin: bool,
    reserved: u8,
    opcode: u8,
    masked: bool,
    len: u64,
    /// In how many bytes besides the second one the length is written.
    len_bytes: usize,
}

impl Reader {
    pub(super) fn new(sender: Role, most: Most) -> Self {
        Self { sender, most, rest: Vec::new(), begun: None }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.rest.extend(bytes);
    }

    /// How many bytes wait for the rest of their frame.
    pub(super) fn unread(&self) -> usize {
        self.rest.len()
    }

    /// What the next frame says, or everything that is wrong with it; `None` if there is no complete frame, or if it
    /// only continues a message.
    pub(super) fn next(&mut self) -> Option<Result<Heard, Vec<Fault>>> {
        loop {
            let header = Header::read(&self.rest)?;
            let mut faults = self.header_faults(&header);
            if faults.iter().any(|fault| fault.is_endless()) {
                return Some(Err(faults));
            }
            let (payload, taken) = header.payload(&self.rest)?;
            faults.extend(self.payload_faults(&header, &payload));
            if !faults.is_empty() {
                return Some(Err(faults));
            }
            self.rest.drain(..taken);
            if let Some(heard) = self.hear(&header, payload) {
                return Some(Ok(heard));
            }
        }
    }

    fn header_faults(&self, header: &Header) -> Vec<Fault> {
        let is_control = header.opcode >= 8;
        let shortest = match header.len {
            0..=125 => 0,
            126..=0xffff => 2,
            _ => 8,
        };
        // An invalid length is not a long one either.
        let is_long = header.len < 1 << 63 && self.most.frame.is_some_and(|most| header.len > most);
        let rules = [
            (header.reserved != 0, Fault::ReservedBits),
            (matches!(header.opcode, 3..=7 | 11..=15), Fault::ReservedOpcode),
            (header.len >= 1 << 63, Fault::Huge),
            (header.len_bytes != shortest, Fault::Padded),
            (header.masked != (self.sender == Role::Client), Fault::Mask),
            (is_control && (!header.fin || header.len > 125), Fault::Control),
            (header.opcode == 0 && self.begun.is_none(), Fault::Order),
            (matches!(header.opcode, 1 | 2) && self.begun.is_some(), Fault::Order),
            (is_long, Fault::LongFrame),
        ];
        rules.into_iter().filter(|(is_broken, _)| *is_broken).map(|(_, fault)| fault).collect()
    }

    fn payload_faults(&self, header: &Header, payload: &[u8]) -> Vec<Fault> {
        let mut faults = Vec::new();
        if header.opcode == 8 {
            let code = payload.first_chunk().map(|code| u16::from_be_bytes(*code));
            if payload.len() == 1 || code.is_some_and(|code| !may_be_sent(code)) {
                faults.push(Fault::CloseCode);
            }
            if !may_be_text(payload.get(2..).unwrap_or_default(), true) {
                faults.push(Fault::CloseReason);
            }
        }
        if let 0..=2 = header.opcode {
            let begun = self.begun.as_ref();
            let whole = [begun.map_or(&[][..], |(_, bytes)| bytes), payload].concat();
            if self.most.message.is_some_and(|most| whole.len() as u64 > most) {
                faults.push(Fault::LongMessage);
            }
            let is_text = begun.map_or(header.opcode == 1, |(is_text, _)| *is_text);
            if is_text && !may_be_text(&whole, header.fin) {
                faults.push(Fault::NotText);
            }
        }
        faults
    }

    fn hear(&mut self, header: &Header, payload: Vec<u8>) -> Option<Heard> {
        match header.opcode {
            8 => Some(Heard::Close(Close::decode(&payload).0)),
            9 => Some(Heard::Ping(payload)),
            10 => Some(Heard::Pong(payload)),
            opcode => {
                let (is_text, mut bytes) = self.begun.take().unwrap_or((opcode == 1, Vec::new()));
                bytes.extend(payload);
                if !header.fin {
                    self.begun = Some((is_text, bytes));
                    return None;
                }
                Some(Heard::Message(match String::from_utf8(bytes) {
                    Ok(text) if is_text => Message::text(text),
                    Ok(text) => Message::binary(text.into_bytes()),
                    Err(error) => Message::binary(error.into_bytes()),
                }))
            }
        }
    }
}

impl Header {
    fn read(bytes: &[u8]) -> Option<Self> {
        let [first, second, rest @ ..] = bytes else { return None };
        let short = second & 0x7f;
        let len_bytes = match short {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let long = rest.get(..len_bytes)?.iter().fold(0, |len, byte| len << 8 | u64::from(*byte));
        Some(Self {
            fin: first & 0x80 != 0,
            reserved: first >> 4 & 7,
            opcode: first & 15,
            masked: second & 0x80 != 0,
            len: if len_bytes == 0 { short.into() } else { long },
            len_bytes,
        })
    }

    /// The payload, unmasked, and the length of the frame, if it is whole.
    fn payload(&self, bytes: &[u8]) -> Option<(Vec<u8>, usize)> {
        let mut rest = &bytes[2 + self.len_bytes..];
        let mut key = [0; 4];
        if self.masked {
            key = *rest.first_chunk()?;
            rest = &rest[4..];
        }
        let payload = rest.get(..usize::try_from(self.len).ok()?)?;
        let unmasked = payload.iter().enumerate().map(|(at, byte)| byte ^ key[at % 4]).collect();
        Some((unmasked, bytes.len() - rest.len() + payload.len()))
    }
}

/// RFC 6455 §7.4 and the registry of close codes.
fn may_be_sent(code: u16) -> bool {
    const REGISTERED: [u16; 12] = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014];
    REGISTERED.contains(&code) || (3000..5000).contains(&code)
}

/// Whether this is a text, or the beginning of one that is not `whole` yet.
fn may_be_text(bytes: &[u8], whole: bool) -> bool {
    match std::str::from_utf8(bytes) {
        Ok(_) => true,
        Err(error) => !whole && error.error_len().is_none(),
    }
}
