//! What an outgoing transfer sends next: its FIN, or a chunk.

use super::{Flight, Outgoing, State};
use crate::Instant;
use crate::transfer::flow::Flow;
use crate::transfer::link::Link;
use crate::transfer::wire::{Data, Frame, Handle, Have, Whole};

/// What a transfer has to send when it is its turn.
pub(in crate::transfer) enum Chunk {
    /// Nothing: no bytes have been read that the receiver accepts.
    Nothing,
    /// A chunk, but the window does not admit it.
    Full,
    /// This chunk, or a part of it.
    Sent(Handle, Data),
}

impl Outgoing {
    /// The FIN, if it is due.
    pub(in crate::transfer) fn poll_fin(&mut self, now: Instant) -> Option<Frame> {
        self.fin_queued = false;
        let (handle, next) = self.next_fin()?;
        let (digest, length) = (self.digest?, self.end?);
        self.state = next;
        self.said_fin = true;
        self.heard = now;
        Some(Frame::Fin(handle, Whole { length, digest, deduplicated: false }))
    }

    /// Whether a FIN can be sent and was not queued.
    pub(in crate::transfer) fn queue_fin(&mut self) -> bool {
        let was_queued = self.fin_queued;
        self.fin_queued = was_queued || self.digest.is_some() && self.next_fin().is_some();
        self.fin_queued && !was_queued
    }

    /// Where a FIN can be sent now, and the state after it.
    fn next_fin(&self) -> Option<(Handle, State)> {
        let sent_all = self.end == Some(self.sent) && self.checked && self.prefix.is_none();
        let next = match self.state {
            State::Sending { handle, have: Have::Present } => (handle, State::Finishing { handle }),
            State::Sending { handle, have: Have::Part } if sent_all => (handle, State::Finishing { handle }),
            // The receiver holds an early FIN until it has opened its file.
            State::Offered { handle, early: true, fin: false } if sent_all => {
                (handle, State::Offered { handle, early: true, fin: true })
            }
            _ => return None,
        };
        (!self.pauses.halt.is_on()).then_some(next)
    }

    /// The next chunk, or a part of it.
    pub(in crate::transfer) fn poll_data(&mut self, now: Instant, flow: &mut Flow, most: u64) -> Chunk {
        let (State::Offered { handle, early: true, .. } | State::Sending { handle, have: Have::Part }) =
            self.state
        else {
            return Chunk::Nothing;
        };
        if self.pauses.halt.is_on() {
            return Chunk::Nothing;
        }
        let Some(front) = self.ready.front_mut() else { return Chunk::Nothing };
        let is_begun = self.sent < self.chunk_end;
        let chunk = if is_begun {
            self.chunk_end - self.sent
        } else {
            u64::from(flow.chunk().min(self.max_chunk)).min(most)
        };
        let chunk = chunk.min(front.len() as u64);
        let whole = chunk.min(self.credit.saturating_sub(self.sent));
        // A small remainder of credit waits for more, unless nothing is under way that could bring it.
        if whole == 0 || (whole < chunk && !self.flights.is_empty()) {
            return Chunk::Nothing;
        }
        let len = flow.cut(whole);
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
        if self.flights.is_empty() {
            // Until now we were not waiting for the peer, however long that was.
            self.heard = now;
        }
        let stamp = flow.handle_sent(now, len);
        // If a rate limit delayed this part, the part that left before it has a time of its own.
        match self.flights.back_mut().filter(|flight| is_begun && flight.stamp.is_of(now)) {
            Some(flight) => (flight.end, flight.len) = (self.sent, flight.len + len),
            None => self.flights.push_back(Flight { end: self.sent, len, stamp }),
        }
        if !is_begun {
            self.chunk_end = offset + whole;
        }
        let seq = self.seq;
        self.seq = seq.wrapping_add(1);
        Chunk::Sent(handle, Data { offset, seq, payload })
    }

    /// Sending continues at `offset`; what is under way beyond it is given up.
    pub(super) fn rewind(&mut self, offset: u64, link: &mut Link) {
        self.give_up_flights(link);
        self.sent = offset;
        self.chunk_end = offset;
        if self.pauses.is_void {
            // What was lost before the pause has no credit either.
            self.credit = offset;
        }
        self.ready.clear();
        self.ready_len = 0;
        self.read_to = offset;
        if self.is_open_ended() {
            // A pipe has at most one outstanding read.
            self.reads = 0;
        }
        self.checked = false;
        self.asked_check = false;
    }

    /// Stops waiting for acknowledgements of what is under way.
    pub(super) fn give_up_flights(&mut self, link: &mut Link) {
        for flight in self.flights.drain(..) {
            link.flow.handle_lost(flight.len);
        }
    }
}
