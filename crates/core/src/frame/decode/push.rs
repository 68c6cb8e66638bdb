//! Input that the caller holds in a buffer of its own.

use super::{Decoder, State, phase};
use crate::mask;

/// How much is copied at once where frames may be short: it is still in the nearest cache when it is unmasked.
const PART: usize = 4 << 10;

impl Decoder {
    /// Takes these bytes by copying them. Payload bytes of the current frame are unmasked on the way.
    pub fn push(&mut self, mut bytes: &[u8]) {
        loop {
            match self.push_payload(bytes) {
                0 => return self.append(bytes),
                n => bytes = &bytes[n..],
            }
        }
    }

    /// Copies the first of these bytes and says how many. Call [`decode`](Self::decode) until it has nothing more
    /// before the next part.
    ///
    /// In this way almost all of a large frame is copied and unmasked in one pass, which takes two thirds of the time
    /// of two passes. It is meant for callers that get much at once: from TLS, or through a channel.
    ///
    /// ```
    /// use bowline_core::frame::{Decoder, Limits, Role};
    ///
    /// let mut decoder = Decoder::new(Role::Client, &Limits::default());
    /// let mut bytes: &[u8] = b"\x81\x05Hello\x81\x05World";
    /// let mut heard = Vec::new();
    /// while !bytes.is_empty() {
    ///     let n = decoder.push_part(bytes);
    ///     bytes = &bytes[n..];
    ///     while decoder.decode().unwrap().is_some() {
    ///         heard.push(decoder.take());
    ///     }
    /// }
    /// assert_eq!(heard, ["Hello", "World"]);
    /// ```
    pub fn push_part(&mut self, bytes: &[u8]) -> usize {
        if !self.whole {
            // Bytes that are taken as they arrive are not split without need.
            self.push(bytes);
            return bytes.len();
        }
        match self.push_payload(bytes) {
            0 => {
                let part = &bytes[..bytes.len().min(PART)];
                if self.recent > 0 && self.spare() < part.len() {
                    // Make room for another frame like the last one, so that it need not be moved.
                    self.input();
                }
                self.append(part);
                part.len()
            }
            n => n,
        }
    }

    /// Takes and unmasks as many bytes as belong to the current payload and fit.
    fn push_payload(&mut self, bytes: &[u8]) -> usize {
        let wanted = usize::try_from(self.expected()).unwrap_or(usize::MAX).min(bytes.len());
        if self.spare() < wanted {
            if self.whole {
                // Make room for the rest of the frame, within what is trusted.
                self.input();
            } else {
                self.make_room(wanted, wanted);
            }
        }
        let n = wanted.min(self.spare());
        if let State::Payload { header, taken, done, ahead } = &mut self.state {
            match header.mask {
                Some(key) => mask::append(&mut self.buf, &bytes[..n], key, phase(*taken, *done + *ahead)),
                None => self.buf.extend_from_slice(&bytes[..n]),
            }
            *ahead += n;
        }
        n
    }

    /// How many bytes of the current frame have not arrived, if all that have are unmasked.
    fn expected(&self) -> u64 {
        match &self.state {
            State::Payload { header, taken, done, ahead } if self.buffered() == *done + *ahead => {
                header.len - taken - (*done + *ahead) as u64
            }
            _ => 0,
        }
    }

    fn append(&mut self, bytes: &[u8]) {
        self.make_room(bytes.len(), bytes.len());
        self.buf.extend_from_slice(bytes);
    }
}
