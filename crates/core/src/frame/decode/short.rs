//! Short frames, read without copying them into the decoder.

use super::{Decoder, Opcode, Role, State};
use crate::mask::{self, Key};

/// The longest payload whose length fits into the second byte of a header.
pub(crate) const MAX_SHORT_FRAME: usize = 125;

/// A complete short frame that is a message of its own.
pub(crate) struct ShortFrame<'a> {
    pub(crate) is_text: bool,
    mask: Option<Key>,
    /// As received, still masked.
    payload: &'a [u8],
}

impl Decoder {
    /// The frame at the start of these bytes, and what follows it. Returns it only if nothing is buffered before it,
    /// and if it is a complete, short and valid message; [push](Self::push) anything else.
    #[inline]
    pub(crate) fn short_frame<'a>(&mut self, bytes: &'a [u8]) -> Option<(ShortFrame<'a>, &'a [u8])> {
        let [first, second, rest @ ..] = bytes else { return None };
        if !matches!(self.state, State::Header) || self.in_message || self.buffered() > 0 {
            return None;
        }
        // RFC 6455 §5.2: FIN set, no extension bits, text or binary.
        let is_text = match first ^ 0x80 {
            opcode if opcode == Opcode::Text as u8 => true,
            opcode if opcode == Opcode::Binary as u8 => false,
            _ => return None,
        };
        // RFC 6455 §5.1: a client masks every frame, a server masks none.
        let (len, mask, rest) = match self.role {
            Role::Client => (*second, None, rest),
            Role::Server => {
                let (key, rest) = rest.split_first_chunk()?;
                (second ^ 0x80, Some(*key), rest)
            }
        };
        if usize::from(len) > MAX_SHORT_FRAME || u64::from(len) > self.limit {
            return None;
        }
        let (payload, rest) = rest.split_at_checked(len.into())?;
        (self.recent, self.usual) = (0, 0);
        Some((ShortFrame { is_text, mask, payload }, rest))
    }
}

impl ShortFrame<'_> {
    /// The length of the payload.
    pub(crate) fn len(&self) -> u64 {
        self.payload.len() as u64
    }

    /// Unmasks the payload into `place`.
    #[inline]
    pub(crate) fn unmask<'a>(&self, place: &'a mut [u8; MAX_SHORT_FRAME]) -> &'a [u8] {
        let place = &mut place[..self.payload.len()];
        match self.mask {
            Some(key) => mask::copy(place, self.payload, key, 0),
            None => place.copy_from_slice(self.payload),
        }
        place
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Limits;

    #[test]
    fn a_short_frame_ends_a_run_of_large_frames_and_messages() {
        let mut decoder = Decoder::new(Role::Client, &Limits { frame: None, message: None, fragments: None });
        (decoder.recent, decoder.usual) = (1 << 20, 1 << 20);
        assert!(decoder.short_frame(b"\x89\x01a").is_none(), "a Ping is none");
        assert_eq!((decoder.recent, decoder.usual), (1 << 20, 1 << 20));
        assert!(decoder.short_frame(b"\x82\x01a").is_some());
        assert_eq!((decoder.recent, decoder.usual), (0, 0));
    }
}
