//! What a sender wants next: pieces of its source, digests, and room for chunks.

use super::{Context, Flight, Outgoing, State};
use crate::Instant;
use crate::transfer::Kind;
use crate::transfer::event::Event;
use crate::transfer::flow::Flow;
use crate::transfer::link::Link;
use crate::transfer::wire::{Data, Frame, Handle, Have, Whole};

/// The least that is read at a time, however many transfers share the memory.
const LEAST_READ: u64 = 64 * 1024;

/// The most reads at a time. Two or three are of use; the others answer for offsets that a rewind has left behind,
/// and a receiver that rewinds without end must not pile them up.
const MOST_READS: u32 = 8;

/// What a transfer has for its turn.
pub(in crate::transfer) enum Chunk {
    /// Nothing that is read, and that the receiver takes.
    Nothing,
    /// A chunk, but the window does not admit it.
    Full,
    /// This chunk.
    Sent(Handle, Data),
}

impl Outgoing {
    /// Asks for what will be needed next.
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

    pub(super) fn read_ahead(&mut self, cx: &mut Context<'_>) {
        let Some(link) = &cx.link else { return };
        let open = link.busy().outgoing.max(1) as u64;
        let share = (cx.config.read_ahead / open).max(LEAST_READ);
        let chunk = u64::from(link.flow.chunk().min(self.max_chunk)).max(1);
        // Whole chunks, so that no cut leaves a crumb.
        let chunk = (chunk * (LEAST_READ / chunk).max(1)).min(share);
        let ahead = share.min(chunk * 2);
        let end = self.bound();
        // Nobody knows how much an answer of a pipe will bring.
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

    /// The FIN, if it is time for it.
    pub(in crate::transfer) fn poll_fin(&mut self, now: Instant) -> Option<Frame> {
        let sent_all = self.end == Some(self.sent) && self.checked && self.prefix.is_none();
        let (handle, next) = match self.state {
            State::Sending { handle, have: Have::Present } => (handle, State::Finishing { handle }),
            State::Sending { handle, have: Have::Part } if sent_all => (handle, State::Finishing { handle }),
            // The receiver holds an early FIN until it has opened its file.
            State::Offered { handle, early: true, fin: false } if sent_all => {
                (handle, State::Offered { handle, early: true, fin: true })
            }
            _ => return None,
        };
        if self.pauses.halt.is_on() {
            return None;
        }
        let (digest, length) = (self.digest?, self.end?);
        self.state = next;
        self.said_fin = true;
        self.heard = now;
        Some(Frame::Fin(handle, Whole { length, digest, deduplicated: false }))
    }

    /// The next chunk.
    pub(in crate::transfer) fn poll_data(&mut self, now: Instant, flow: &mut Flow, most: u64) -> Chunk {
        let (State::Offered { handle, early: true, .. } | State::Sending { handle, have: Have::Part }) =
            self.state
        else {
            return Chunk::Nothing;
        };
        if self.pauses.is_void || self.pauses.halt.is_on() {
            return Chunk::Nothing;
        }
        let Some(front) = self.ready.front_mut() else { return Chunk::Nothing };
        let chunk = u64::from(flow.chunk().min(self.max_chunk)).min(most).min(front.len() as u64);
        let len = chunk.min(self.credit.saturating_sub(self.sent));
        // A sliver of credit waits for more, unless nothing is left that could bring it.
        if len == 0 || (len < chunk && !self.flights.is_empty()) {
            return Chunk::Nothing;
        }
        if !flow.admits(len) {
            return Chunk::Full;
        }
        let payload = front.split_to(len as usize);
        if front.is_empty() {
            self.ready.pop_front();
        }
        self.ready_len -= len;
        let offset = self.sent;
        self.sent += len;
        self.resent += self.highest.min(self.sent).saturating_sub(offset);
        self.reached = self.reached.max(self.sent);
        self.highest = self.highest.max(self.sent);
        let stamp = flow.handle_sent(now, len);
        self.flights.push_back(Flight { end: self.sent, len, stamp });
        let seq = self.seq;
        self.seq = seq.wrapping_add(1);
        Chunk::Sent(handle, Data { offset, seq, payload })
    }

    /// Sending goes on at `offset`; what is out beyond it is given up.
    pub(super) fn rewind(&mut self, offset: u64, link: &mut Link) {
        for flight in self.flights.drain(..) {
            link.flow.handle_lost(flight.len);
        }
        self.sent = offset;
        self.ready.clear();
        self.ready_len = 0;
        self.read_to = offset;
        if self.is_open_ended() {
            // Whoever waits for its source does not wait for two places of it.
            self.reads = 0;
        }
        self.checked = false;
        self.asked_check = false;
    }
}
