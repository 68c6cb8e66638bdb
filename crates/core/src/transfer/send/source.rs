//! A sender's source: what is requested from it, and what it provides: pieces, an end, digests, a last check.

use super::{Context, Fate, Outgoing, State};
use crate::transfer::event::{Event, Failure};
use crate::transfer::wire::{Have, MAX_LENGTH};
use crate::transfer::{Code, Digest, Kind};
use alloc::format;
use bytes::Bytes;

/// The least that is read at a time, however many transfers share the memory.
const LEAST_READ: u64 = 64 * 1024;

/// The most reads at a time. Two or three are useful; the others belong to offsets that a rewind has left behind, and a
/// receiver that rewinds without end must not pile them up.
const MOST_READS: u32 = 8;

impl Outgoing {
    /// Requests what will be needed next.
    pub(in crate::transfer) fn step(&mut self, cx: &mut Context<'_>) {
        self.tell_pause(cx);
        if self.pauses.halt.is_on() {
            return;
        }
        match self.state {
            State::Sending { have: Have::Present, .. } => self.ask_digest(cx),
            State::Offered { early: true, .. } | State::Sending { have: Have::Part, .. } => {
                self.read_ahead(cx);
                if self.all_read() {
                    self.ask_digest(cx);
                    if self.offer.kind == Kind::Folder {
                        self.checked = true;
                    } else if !self.asked_check {
                        self.asked_check = true;
                        cx.events.push_back(Event::Check { id: self.offer.id });
                    }
                }
            }
            _ => {}
        }
    }

    fn read_ahead(&mut self, cx: &mut Context<'_>) {
        let Some(link) = &cx.link else { return };
        let open = link.busy().outgoing.max(1) as u64;
        let share = (cx.config.read_ahead / open).max(LEAST_READ);
        let chunk = u64::from(link.flow.chunk().min(self.max_chunk)).max(1);
        // Whole chunks, so that no small remainder is left.
        let chunk = (chunk * (LEAST_READ / chunk).max(1)).min(share);
        let ahead = share.min(chunk * 2);
        // It is not known yet what the receiver has.
        let is_early = matches!(self.state, State::Offered { .. });
        let end = if is_early { self.credit } else { self.bound() };
        // A pipe may return any number of bytes for a read.
        let most = if self.is_open_ended() { 1 } else { MOST_READS };
        while self.reads < most && self.read_to < end && self.read_to - self.sent < ahead {
            self.reads += 1;
            let len = chunk.min(end - self.read_to);
            cx.events.push_back(Event::Read { id: self.offer.id, offset: self.read_to, len: len as usize });
            self.read_to += len;
        }
    }

    fn all_read(&self) -> bool {
        self.end == Some(self.given())
    }

    pub(super) fn ask_digest(&mut self, cx: &mut Context<'_>) {
        if let (false, Some(upto)) = (self.asked_digest, self.end) {
            self.asked_digest = true;
            cx.events.push_back(Event::Hash { id: self.offer.id, upto });
        }
    }

    /// Accepts a piece of the source, and requests what comes next. A piece that is not wanted is dropped.
    pub(in crate::transfer) fn provide(&mut self, cx: &mut Context<'_>, offset: u64, data: Bytes) -> Fate {
        let next = self.given();
        let is_over = data.is_empty() && offset == next && self.read_to > next;
        if let Some(length) = self.offer.length.filter(|_| is_over) {
            let text = format!("the source has nothing at {offset}, but should have {length} bytes");
            return self.give_up(cx, Failure::local(Code::SourceChanged, text));
        }
        self.take(offset, data);
        self.step(cx);
        Fate::Lives
    }

    fn take(&mut self, offset: u64, mut data: Bytes) {
        let next = self.given();
        if self.is_open_ended() && offset != next {
            // This answers a read that a rewind has cancelled; the one that counts is still outstanding.
            return;
        }
        self.reads = self.reads.saturating_sub(1);
        let known =
            next.checked_sub(offset).filter(|known| *known < data.len() as u64 && self.read_to > next);
        if let Some(known) = known {
            let _ = data.split_to(known as usize);
            data.truncate((self.read_to - next).min(usize::MAX as u64) as usize);
            self.ready_len += data.len() as u64;
            self.ready.push_back(data);
        }
        if self.is_open_ended() || self.reads == 0 {
            // What the answers did not bring is requested again.
            self.read_to = self.given();
        }
    }

    /// The end of what the source has provided.
    pub(in crate::transfer) fn given(&self) -> u64 {
        self.sent + self.ready_len
    }

    /// The end of what the source has ever provided, except for bytes that were never sent.
    pub(in crate::transfer) fn known(&self) -> u64 {
        self.given().max(self.highest)
    }

    pub(in crate::transfer) fn known_end(&self) -> Option<u64> {
        self.end
    }

    /// The source ends here, whatever was requested from it.
    pub(in crate::transfer) fn set_end(&mut self, end: u64) {
        if self.end.is_none() {
            self.end = Some(end);
            self.reads = 0;
            self.read_to = self.given();
        }
    }

    pub(in crate::transfer) fn provide_digest(
        &mut self,
        cx: &mut Context<'_>,
        upto: u64,
        digest: Digest,
    ) -> Fate {
        if let Some((at, expected)) = self.prefix {
            if at == upto && expected != digest {
                let text = if self.is_open_ended() {
                    "what the other side has is not the beginning of what came through the pipe; send it again from the start"
                } else {
                    "what was sent before is not the beginning of this file: the file has changed since, or what was sent is damaged; send it again from the start"
                };
                return self.give_up(cx, Failure::local(Code::SourceChanged, text));
            }
            if at == upto {
                self.prefix = None;
            }
        }
        if Some(upto) == self.end {
            self.digest = Some(digest);
        }
        self.step(cx);
        self.verify(cx)
    }

    pub(in crate::transfer) fn confirm(&mut self) {
        self.checked = self.asked_check;
    }

    /// The end of the file, as far as anybody knows: nothing is beyond it.
    pub(super) fn bound(&self) -> u64 {
        self.end.unwrap_or(MAX_LENGTH)
    }
}
