//! The sender's frames.

use super::{Incoming, State};
use crate::Instant;
use crate::transfer::event::{Event, Failure};
use crate::transfer::pace::longest_work;
use crate::transfer::send::{Context, Fate};
use crate::transfer::wire::{Cancel, Data, INITIAL_CREDIT};
use crate::transfer::{Code, Config};
use alloc::format;

/// How many chunks may be queued, besides one for each KiB of credit: smaller chunks take memory that credit does not
/// account for.
const SPARE_CHUNKS: u64 = 64;
const LEAST_MEAN: u64 = 1024;

impl Incoming {
    pub(in crate::transfer) fn handle_data(&mut self, cx: &mut Context<'_>, data: Data) -> Fate {
        self.heard = cx.now;
        self.losses.chunks += 1;
        match self.state {
            State::Opening => return self.hold_early(cx, data),
            State::Receiving => {}
            // Late or repeated: everything is here.
            State::Present { .. } | State::Finishing { .. } => return Fate::Lives,
        }
        let end = data.offset.saturating_add(data.payload.len() as u64);
        if let Some(failure) = self.beyond_end(end) {
            return self.fail(cx, failure);
        }
        if end > self.credit {
            let text = format!("a chunk ends at {end}, the credit at {}", self.credit);
            return self.fail(cx, Failure::local(Code::Protocol, text));
        }
        self.ack.last_seq = data.seq;
        self.note_answer(cx, end);
        if data.offset > self.received {
            self.handle_gap(data.offset, end);
            return Fate::Lives;
        }
        self.losses.beyond = None;
        if end <= self.received {
            self.duplicate += data.payload.len() as u64;
            self.note_chunk(cx.now, cx.config);
            return Fate::Lives;
        }
        self.take(cx, &data);
        self.note_chunk(cx.now, cx.config);
        if let Some(failure) = too_many(self.unwritten.len(), cx.config.credit) {
            return self.fail(cx, failure);
        }
        Fate::Lives
    }

    fn hold_early(&mut self, cx: &mut Context<'_>, data: Data) -> Fate {
        let len = data.payload.len() as u64;
        let end = data.offset.saturating_add(len);
        if let Some(failure) = self.beyond_end(end) {
            return self.fail(cx, failure);
        }
        if data.offset < self.early_len || end > INITIAL_CREDIT {
            let text = format!("{len} bytes at {} before the offer was answered", data.offset);
            return self.fail(cx, Failure::local(Code::Protocol, text));
        }
        if data.offset > self.early_len {
            // A chunk before it was damaged. It is requested when the offer is answered.
            self.handle_gap(data.offset, end);
            return Fate::Lives;
        }
        self.early_len += len;
        self.early.push_back(data);
        if let Some(failure) = too_many(self.early.len(), INITIAL_CREDIT) {
            return self.fail(cx, failure);
        }
        Fate::Lives
    }

    /// The failure for a chunk that ends there, if the file ends before.
    fn beyond_end(&self, end: u64) -> Option<Failure> {
        let text = || format!("a chunk ends at {end}, the file at {}", self.bound());
        (end > self.bound()).then(|| Failure::local(Code::LengthMismatch, text()))
    }

    /// The first chunk that answers our ACCEPT shows how long that took.
    fn note_answer(&mut self, cx: &mut Context<'_>, end: u64) {
        if let (Some(accepted), Some(link), true) = (self.accepted, &mut cx.link, end > INITIAL_CREDIT) {
            self.accepted = None;
            link.handle_answer(cx.now - accepted);
        }
    }

    /// Writes the new part of a chunk that begins at or below `received`.
    pub(super) fn take(&mut self, cx: &mut Context<'_>, data: &Data) {
        let known = self.received - data.offset;
        let offset = self.received;
        let data = data.payload.slice(known as usize..);
        self.duplicate += known;
        self.received += data.len() as u64;
        self.pace.handle_bytes(data.len() as u64);
        self.working = None;
        self.losses.row = 0;
        if let Some(link) = &mut cx.link {
            link.moved += data.len() as u64;
            link.received += data.len() as u64;
            link.last_received = u32::try_from(data.len()).ok();
        }
        self.unwritten.push(cx.now, self.received);
        cx.events.push_back(Event::Write { id: self.offer.id, offset, data });
    }

    /// The sender is computing a digest, or its source has nothing to give: nothing arrives until that is over.
    pub(in crate::transfer) fn handle_finishing(&mut self, now: Instant, config: &Config) {
        let since = *self.working.get_or_insert(now);
        if now - since <= self.end.map_or(config.pause_timeout, longest_work) {
            self.heard = now;
        }
    }

    pub(in crate::transfer) fn handle_cancel(&mut self, cx: &mut Context<'_>, cancel: Cancel) -> Fate {
        if self.is_finishing() && cancel.code == Code::Cancelled {
            // Too late: the file is complete and is being moved into place.
            return Fate::Lives;
        }
        if let Some(link) = &mut cx.link {
            link.close(self.handle);
        }
        let id = self.offer.id;
        cx.events.push_back(if cancel.discard { Event::Discard { id } } else { Event::Detach { id } });
        cx.events.push_back(Event::Failed { id, failure: Failure::by_peer(cancel) });
        Fate::Ended
    }
}

/// The failure for too many chunks that wait for the disk.
fn too_many(chunks: usize, credit: u64) -> Option<Failure> {
    let most = credit / LEAST_MEAN + SPARE_CHUNKS;
    let text = || format!("{chunks} small chunks are waiting to be written; at most {most} may");
    (chunks as u64 > most).then(|| Failure::local(Code::Protocol, text()))
}
