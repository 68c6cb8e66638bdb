//! Chunks that arrived damaged, and gaps. The sender is asked to go back, once for each.
//!
//! Whatever was under way behind a lost chunk is ignored, because it is sent again. Those chunks are contiguous, which
//! distinguishes them from what the sender sends after it has gone back.

use super::{Incoming, State};
use crate::transfer::Code;
use crate::transfer::event::Failure;
use crate::transfer::send::{Context, Fate};
use crate::transfer::wire::{Place, Rewind};
use alloc::format;

/// The path is given up after this many damaged chunks with no good one in between. 8: a sender makes its chunks
/// smaller with each, from 512 KiB to 1 KiB with five.
const MOST_DAMAGED: u8 = 8;

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Losses {
    /// How many chunks arrived, and how many of them were damaged.
    pub(super) chunks: u64,
    damaged: u64,
    /// How many were damaged since the last one that brought something.
    pub(super) row: u8,
    /// While the sender has been asked to go back and has not done so: the end of what has arrived since then.
    pub(super) beyond: Option<u64>,
}

impl Incoming {
    /// A damaged chunk arrived that claims to have this place.
    pub(in crate::transfer) fn handle_damaged(&mut self, cx: &mut Context<'_>, place: Place) -> Fate {
        if !matches!(self.state, State::Opening | State::Receiving) {
            // Everything is here.
            return Fate::Lives;
        }
        self.heard = cx.now;
        self.losses.chunks += 1;
        self.losses.damaged += 1;
        // The claim may be wrong, but hardly so that it fits.
        if self.losses.beyond == Some(place.offset) {
            self.losses.beyond = Some(place.end());
            return Fate::Lives;
        }
        let here = self.received.max(self.early_len);
        self.losses.row += 1;
        if self.losses.row >= MOST_DAMAGED {
            let Losses { chunks, damaged, row, .. } = self.losses;
            let text = format!(
                "the path damages data: {damaged} of {chunks} chunks, {row} times at byte {here}; use another network, or TLS if there is a proxy on the way"
            );
            return self.fail(cx, Failure::local(Code::CorruptFrame, text));
        }
        self.rewind(Rewind::Corrupt, here.saturating_add(place.len));
        Fate::Lives
    }

    /// A chunk arrived, but not the bytes before it.
    pub(super) fn handle_gap(&mut self, offset: u64, end: u64) {
        match self.losses.beyond {
            Some(beyond) if offset >= beyond => self.losses.beyond = Some(end),
            // The sender was not asked to go back; or it has gone back, and what it sent then was lost as well.
            _ => self.rewind(Rewind::Gap, end),
        }
    }

    /// Asks the sender to go back. What has arrived ends at `end`.
    pub(super) fn rewind(&mut self, why: Rewind, end: u64) {
        self.losses.beyond = Some(end);
        self.ack.rewind = Some(why);
        self.ack.ready = true;
    }
}
