//! Frames to bytes.

mod frames;
mod header;

pub(crate) use frames::Frames;
pub use header::EncodedHeader;

use super::{EncodeError, Header, MAX_CONTROL, Opcode};
use crate::mask::Keys;
use alloc::boxed::Box;
use core::fmt;

/// Takes frames and returns their bytes, for the peer's [`Decoder`](super::Decoder) to read: the way out for code that
/// uses frames alone.
///
/// [`encode`](Self::encode) copies a frame behind those already queued, and masks it on the way if we are the client.
/// [`output`](Self::output) returns all queued bytes; report with [`handle_written`](Self::handle_written) how many the
/// transport accepted. The queue has no limit of its own: its owner sees its length in `output`.
///
/// The memory of the queue is reused. When the queue grows longer than ever before, the system supplies new memory page
/// by page, which takes several times as long as the copy; so write large frames before adding more. A
/// [`Connection`](crate::Connection) holds messages as they are, and encodes only as much as one write may take.
///
/// A frame that RFC 6455 forbids is refused. What it demands of payloads and of the end is not checked: that text is
/// UTF-8, that a Close begins with a complete code, and that nothing follows a Close. An encoder with nothing to write
/// needs no memory: [`release`](Self::release) gives it back.
///
/// ```
/// use bowline_core::frame::{Encoder, Opcode};
///
/// let mut encoder = Encoder::server();
/// encoder.encode_fragment(Opcode::Text, b"Hel")?;
/// encoder.encode(Opcode::Ping, b"?")?; // control frames may stand between fragments
/// encoder.encode(Opcode::Continuation, b"lo")?;
/// assert_eq!(encoder.output(), b"\x01\x03Hel\x89\x01?\x80\x02lo");
///
/// encoder.handle_written(5);
/// assert_eq!(encoder.output(), b"\x89\x01?\x80\x02lo");
/// # Ok::<_, bowline_core::frame::EncodeError>(())
/// ```
pub struct Encoder {
    /// The client's mask keys; a server does not mask.
    keys: Option<Box<Keys>>,
    frames: Frames,
    /// How many bytes of `frames` have left.
    written: usize,
    /// Whether a message has begun and not ended.
    in_message: bool,
}

impl Encoder {
    /// An encoder for the client. Its keys must be unpredictable (RFC 6455 §5.3).
    pub fn client(keys: Keys) -> Self {
        Self::new(Some(Box::new(keys)))
    }

    /// An encoder for the server.
    pub fn server() -> Self {
        Self::new(None)
    }

    fn new(keys: Option<Box<Keys>>) -> Self {
        Self { keys, frames: Frames::default(), written: 0, in_message: false }
    }

    /// Adds the last frame of a message, or a control frame. The payload is copied.
    ///
    /// # Errors
    /// If RFC 6455 forbids this frame here. Nothing is added then.
    #[inline]
    pub fn encode(&mut self, opcode: Opcode, payload: &[u8]) -> Result<(), EncodeError> {
        self.add(opcode, true, payload)
    }

    /// Adds a fragment of a message other than the last, which [`encode`](Self::encode) adds. All fragments but the
    /// first are [continuations](Opcode::Continuation).
    ///
    /// # Errors
    /// If RFC 6455 forbids this frame here. Nothing is added then.
    #[inline]
    pub fn encode_fragment(&mut self, opcode: Opcode, payload: &[u8]) -> Result<(), EncodeError> {
        self.add(opcode, false, payload)
    }

    /// What to write next, in one piece; empty if there is nothing.
    #[inline]
    pub fn output(&self) -> &[u8] {
        &self.frames.as_slice()[self.written..]
    }

    /// The transport accepted the first `n` bytes of [`output`](Self::output).
    #[inline]
    pub fn handle_written(&mut self, n: usize) {
        self.written = self.written.saturating_add(n).min(self.frames.len());
        if self.written == self.frames.len() {
            self.frames.clear();
            self.written = 0;
        }
    }

    /// Whether the frames so far end with a complete message.
    pub fn is_between_messages(&self) -> bool {
        !self.in_message
    }

    /// Frees the memory, if nothing is queued.
    pub fn release(&mut self) {
        if self.output().is_empty() {
            self.frames = Frames::default();
        }
    }

    #[cfg(test)]
    pub(super) fn memory(&self) -> usize {
        self.frames.capacity()
    }

    #[inline]
    fn add(&mut self, opcode: Opcode, fin: bool, payload: &[u8]) -> Result<(), EncodeError> {
        match (opcode.is_control(), opcode == Opcode::Continuation) {
            // RFC 6455 §5.5: control frames must not be fragmented, and hold 125 bytes at most.
            (true, _) if !fin => return Err(EncodeError::FragmentedControl(opcode)),
            (true, _) if payload.len() > MAX_CONTROL => return Err(EncodeError::LongControl(payload.len())),
            // RFC 6455 §5.4: the fragments of one message must not be interleaved with those of another.
            (false, true) if !self.in_message => return Err(EncodeError::LooseContinuation),
            (false, false) if self.in_message => return Err(EncodeError::Interleaved),
            (true, _) => {}
            (false, _) => self.in_message = !fin,
        }
        if self.written > 0 {
            self.drop_written();
        }
        let mask = self.keys.as_mut().map(|keys| keys.next_key());
        let header = Header { fin, mask, ..Header::new(opcode, payload.len() as u64) };
        self.frames.append(&header, [payload]);
        Ok(())
    }

    /// Drops the written bytes once they are half of all: moving the rest then costs no more than writing them did.
    #[cold]
    fn drop_written(&mut self) {
        if self.written >= self.frames.len() / 2 {
            self.frames.drop_first(self.written);
            self.written = 0;
        }
    }
}

impl fmt::Debug for Encoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encoder")
            .field("masks", &self.keys.is_some())
            .field("waiting", &self.output().len())
            .field("capacity", &self.frames.capacity())
            .field("in_message", &self.in_message)
            .finish_non_exhaustive()
    }
}
