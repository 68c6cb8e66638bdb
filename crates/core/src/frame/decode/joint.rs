//! Fragments of one message, joined in the buffer they were read into.
//!
//! ```text
//!  ┌──────────────── a place ────────────────┐
//!  │ joined │ gap │ the frame at hand │ room │
//!  └────────┴─────┴───────────────────┴──────┘
//!                 pos
//! ```
//!
//! The gap is left by headers and control frames. Bytes that arrived together with a header are moved across it; later
//! ones are read directly to where they belong.

use super::room::{BESIDE, ON_TRUST};
use super::{Decoder, State};
use bytes::{Buf, Bytes};
use core::ops::Range;

/// What is joined: a part of the buffer before `pos`.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Joint {
    from: usize,
    pub(super) len: usize,
}

impl Decoder {
    /// Takes what has arrived of the current frame's payload, complete or not, and appends it to what is already
    /// joined.
    pub(crate) fn join_arrived(&mut self) {
        let len = self.payload().len();
        let joint = self.joint();
        let end = joint.end;
        if end < self.pos && len > 0 {
            self.buf.copy_within(self.pos..self.pos + len, end);
        }
        self.joint = Joint { from: joint.start, len: joint.len() + len };
        self.pos += len;
        self.step();
        if self.buffered() == 0 {
            // Now the next bytes are read to where they belong.
            self.buf.truncate(end + len);
            self.pos = self.buf.len();
        }
    }

    /// Takes all that is joined, in the way that [`take`](Self::take) takes a payload.
    pub(crate) fn take_joined(&mut self) -> Bytes {
        let joint = self.joint();
        self.joint = Joint::default();
        if self.is_copied(joint.len()) {
            return Bytes::copy_from_slice(&self.buf[joint]);
        }
        self.buf.advance(joint.start);
        self.pos = self.pos.saturating_sub(joint.end);
        self.buf.split_to(joint.len()).freeze()
    }

    /// How many more bytes are needed for a message as long as the last one: for the current message, or for the next.
    /// 0 if the message's only header says how long it is, or if frames are taken as they arrive.
    pub(super) fn usual_rest(&self) -> usize {
        let is_known = match &self.state {
            State::Header => false,
            State::Payload { header, .. } => header.fin && self.joint.len == 0,
            State::Failed(_) => true,
        };
        let usual = if is_known || !self.whole { 0 } else { (self.usual as usize).min(ON_TRUST - BESIDE) };
        usual.saturating_sub(self.joint.len + self.buffered())
    }

    /// Removes the bytes before `pos` that are not needed any more.
    pub(super) fn drop_consumed(&mut self) {
        let (joint, left) = (self.joint(), self.buffered());
        if joint.end < self.pos {
            let behind = self.buf.len() - left..self.buf.len();
            self.buf.copy_within(behind, joint.end);
            self.buf.truncate(joint.end + left);
        }
        self.buf.advance(joint.start);
        self.pos = joint.len();
        self.joint = Joint { from: 0, len: joint.len() };
    }

    /// How many bytes between the joined ones and `pos` are not needed any more.
    pub(super) fn gap(&self) -> usize {
        self.pos.saturating_sub(self.joint().end)
    }

    /// Where the joined bytes are; an empty range at `pos` if there are none. The owner of the input may have shortened
    /// it.
    fn joint(&self) -> Range<usize> {
        let pos = self.pos.min(self.buf.len());
        match self.joint {
            Joint { len: 0, .. } => pos..pos,
            Joint { from, len } => from.min(pos)..(from + len).min(pos),
        }
    }
}
