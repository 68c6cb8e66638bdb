//! Fragments of one message, joined where they were read to.
//!
//! ```text
//!  ┌──────────────── a place ────────────────┐
//!  │ joined │ gap │ the frame at hand │ room │
//!  └────────┴─────┴───────────────────┴──────┘
//!                 pos
//! ```
//!
//! The gap is what headers and control frames leave behind. What has come together with a header moves over it, and what
//! comes later is read to where it belongs.

use super::room::{BESIDE, ON_TRUST};
use super::{Decoder, State};
use bytes::{Buf, Bytes};
use core::ops::Range;

/// What is joined, in the buffer before `pos`.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Joint {
    from: usize,
    pub(super) len: usize,
}

impl Decoder {
    /// Takes what has arrived of the payload of the frame at hand, whole or not, and joins it to what was joined before.
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
            // So the next bytes are read to where they belong.
            self.buf.truncate(end + len);
            self.pos = self.buf.len();
        }
    }

    /// Takes all that was joined, as [`take`](Self::take) takes a payload.
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

    /// How many more bytes a message takes that is as long as the last one: the one at hand, unless its only header says
    /// how many, or the next one. None if frames are taken as they arrive.
    pub(super) fn usual_rest(&self) -> usize {
        let is_known = match &self.state {
            State::Header => false,
            State::Payload { header, .. } => header.fin && self.joint.len == 0,
            State::Failed(_) => true,
        };
        let usual = if is_known || !self.whole { 0 } else { (self.usual as usize).min(ON_TRUST - BESIDE) };
        usual.saturating_sub(self.joint.len + self.buffered())
    }

    /// Cuts off what nobody needs before `pos`.
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

    /// How much of what nobody needs lies behind what is joined.
    pub(super) fn gap(&self) -> usize {
        self.pos.saturating_sub(self.joint().end)
    }

    /// Where what is joined lies; at `pos`, if that is nothing. Whoever has the input may have cut it short.
    fn joint(&self) -> Range<usize> {
        let pos = self.pos.min(self.buf.len());
        match self.joint {
            Joint { len: 0, .. } => pos..pos,
            Joint { from, len } => from.min(pos)..(from + len).min(pos),
        }
    }
}
