//! What did not arrive as it was sent: damaged chunks, and gaps. The sender is asked to go back, once for each.
//!
//! Of what was under way behind a lost chunk nothing counts: it is sent again. It follows without a gap, and so is told
//! from what the sender sends once it has gone back.

use super::{Incoming, State};
use crate::transfer::Code;
use crate::transfer::event::Failure;
use crate::transfer::send::{Context, Fate};
use crate::transfer::wire::{Place, Rewind};
use alloc::format;

/// After so many damaged chunks that no good one came between the path is given up. 8: a sender makes its chunks smaller with
/// each, from 512 KiB to 1 KiB with five.
const MOST_DAMAGED: u8 = 8;

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Losses {
    /// How many chunks came, and how many of them damaged.
    pub(super) chunks: u64,
    damaged: u64,
    /// How many of those since the last one that brought something.
    pub(super) row: u8,
    /// The sender has been told to go back, and has not done so yet: how far what came since then reaches.
    pub(super) beyond: Option<u64>,
}

impl Incoming {
    /// A chunk came damaged, which says of itself that it has this place.
    pub(in crate::transfer) fn handle_damaged(&mut self, cx: &mut Context<'_>, place: Place) -> Fate {
        if !matches!(self.state, State::Opening | State::Receiving) {
            // Everything is here.
            return Fate::Lives;
        }
        self.heard = cx.now;
        self.losses.chunks += 1;
        self.losses.damaged += 1;
        // It may be wrong about that, but hardly so that it fits.
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

    /// A chunk came, and not what is before it.
    pub(super) fn handle_gap(&mut self, offset: u64, end: u64) {
        match self.losses.beyond {
            Some(beyond) if offset >= beyond => self.losses.beyond = Some(end),
            // It has not been asked, or it has gone back, and what it sent then was lost, too.
            _ => self.rewind(Rewind::Gap, end),
        }
    }

    /// Asks the sender to go back. What has come reaches so far.
    pub(super) fn rewind(&mut self, why: Rewind, end: u64) {
        self.losses.beyond = Some(end);
        self.ack.rewind = Some(why);
        self.ack.ready = true;
    }
}
