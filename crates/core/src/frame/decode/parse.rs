//! Parses the header of a frame, and finds everything that can be wrong with it.

use super::{Decoder, FrameError, Header, MAX_CONTROL, Opcode, Role, State};

impl Decoder {
    /// Parses the header at `pos` and steps behind it, if it is complete. Faults are reported in the order of the
    /// bytes, so that the result does not depend on how the input was split.
    #[inline]
    pub(super) fn parse(&mut self) -> Result<bool, FrameError> {
        let bytes = self.buf.get(self.pos..).unwrap_or_default();
        let Some(&first) = bytes.first() else { return Ok(false) };
        let (fin, reserved) = (first & 0x80 != 0, first >> 4 & 0b111);
        // An extension may claim RSV1 on the first frame of a message; none is supported yet.
        if reserved != 0 {
            return Err(FrameError::ReservedBits(reserved));
        }
        let opcode = Opcode::from_u8(first & 0x0f).ok_or(FrameError::ReservedOpcode(first & 0x0f))?;
        match (opcode.is_control(), opcode == Opcode::Continuation) {
            // RFC 6455 §5.5: control frames must not be fragmented.
            (true, _) if !fin => return Err(FrameError::FragmentedControl),
            // RFC 6455 §5.4: the fragments of one message must not be interleaved with those of another.
            (false, true) if !self.in_message => return Err(FrameError::LooseContinuation),
            (false, false) if self.in_message => return Err(FrameError::Interleaved),
            _ => {}
        }

        let Some(&second) = bytes.get(1) else { return Ok(false) };
        // RFC 6455 §5.1: a client masks every frame, a server masks none.
        let masked = match (self.role, second & 0x80 != 0) {
            (Role::Server, false) => return Err(FrameError::Unmasked),
            (Role::Client, true) => return Err(FrameError::Masked),
            (_, masked) => masked,
        };
        let short = second & 0x7f;
        if opcode.is_control() && usize::from(short) > MAX_CONTROL {
            return Err(FrameError::LongControl);
        }

        let rest = &bytes[2..];
        let (len, rest) = match short {
            126 => {
                let Some((long, rest)) = rest.split_first_chunk() else { return Ok(false) };
                (u64::from(u16::from_be_bytes(*long)), rest)
            }
            127 => {
                let Some((long, rest)) = rest.split_first_chunk() else { return Ok(false) };
                (u64::from_be_bytes(*long), rest)
            }
            short => (u64::from(short), rest),
        };
        // RFC 6455 §5.2: the highest bit must be 0, and the shortest form must be used.
        if len >> 63 != 0 {
            return Err(FrameError::HugeLength);
        }
        if short == 126 && len < 126 || short == 127 && u16::try_from(len).is_ok() {
            return Err(FrameError::PaddedLength(len));
        }
        if len > self.limit && !opcode.is_control() {
            return Err(FrameError::FrameTooLong { len, limit: self.limit });
        }

        let (mask, rest) = match rest.split_first_chunk() {
            Some((key, rest)) if masked => (Some(*key), rest),
            None if masked => return Ok(false),
            _ => (None, rest),
        };
        if !opcode.is_control() {
            self.in_message = !fin;
        }
        self.pos += bytes.len() - rest.len();
        let header = Header { fin, rsv1: false, opcode, mask, len };
        self.state = State::Payload { header, taken: 0, done: 0, ahead: 0 };
        Ok(true)
    }
}
