//! When a receiver acknowledges, and how much credit it gives.

use super::{Incoming, State};
use crate::Instant;
use crate::time::earliest;
use crate::transfer::Config;
use crate::transfer::limiter::Limiter;
use crate::transfer::link::{Link, Route};
use crate::transfer::send::Context;
use crate::transfer::wire::{Ack, Frame, INITIAL_CREDIT, Rewind};
use core::time::Duration;

/// When to acknowledge.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Acks {
    /// It is time.
    pub(super) ready: bool,
    pub(super) due: Option<Instant>,
    /// When the oldest chunk that is not acknowledged came.
    pub(super) since: Option<Instant>,
    pub(super) chunks: u32,
    pub(super) last_sent: Option<Instant>,
    pub(super) last_seq: u32,
    pub(super) rewind: Option<Rewind>,
}

impl Incoming {
    /// The acknowledgement, if one is due.
    pub(in crate::transfer) fn poll_ack(&mut self, cx: &mut Context<'_>) -> Option<Frame> {
        let due = self.ack.ready || self.ack.due.is_some_and(|due| due <= cx.now);
        if !due || !matches!(self.state, State::Receiving | State::Finishing { .. }) {
            return None;
        }
        self.extend_credit(cx);
        self.heard = cx.now;
        let held = self.ack.since.map_or(Duration::ZERO, |since| cx.now - since);
        let ack = Ack {
            received: self.received,
            durable: self.durable,
            credit: self.credit,
            last_seq: self.ack.last_seq,
            hold_us: held.as_micros().try_into().unwrap_or(u32::MAX),
            rewind: self.ack.rewind.take(),
        };
        self.ack = Acks { last_sent: Some(cx.now), last_seq: self.ack.last_seq, ..Acks::default() };
        // A limited rate gives credit in small steps: come back for the next one.
        if self.credit == self.received && self.credit < self.offer.length && self.written == self.received {
            let free_at = cx.link.as_ref().and_then(|link| link.limit_in.as_ref().map(Limiter::free_at));
            self.ack.due = free_at.filter(|free_at| *free_at > cx.now);
        }
        Some(Frame::Ack(self.handle, ack))
    }

    /// Gives the sender as much credit as memory, and a limit on the rate, allow.
    pub(super) fn extend_credit(&mut self, cx: &mut Context<'_>) {
        let Some(link) = &mut cx.link else { return };
        let open = link.count(|route| matches!(route, Route::Incoming(_))).max(1) as u64;
        self.ahead = cx.config.credit.min(cx.config.link_credit / open).max(INITIAL_CREDIT);
        // What others were promised when there were fewer of them stays promised.
        let others = link.promised.saturating_sub(self.promised);
        let free = cx.config.link_credit.saturating_sub(others).max(INITIAL_CREDIT);
        let mut credit = self.written.saturating_add(self.ahead.min(free)).min(self.offer.length);
        if let Some(limiter) = &mut link.limit_in {
            let burst = if limiter.free_at() <= cx.now { limiter.burst() } else { 0 };
            credit = credit.min(self.credit.saturating_add(burst));
            limiter.pass(cx.now, credit.saturating_sub(self.credit));
        }
        self.credit = self.credit.max(credit);
        self.promised = self.credit - self.written;
        link.promised = others + self.promised;
    }

    /// Gives the memory of a transfer that has ended back to its link.
    pub(in crate::transfer) fn release(&self, link: &mut Link) {
        link.promised = link.promised.saturating_sub(self.promised);
    }

    pub(super) fn rewind(&mut self, why: Rewind) {
        if !self.rewinding {
            self.rewinding = true;
            self.ack.rewind = Some(why);
            self.ack.ready = true;
        }
    }

    /// A chunk came: acknowledge at once if chunks are rare, every second one if they are not, and within the delay
    /// in any case.
    pub(super) fn note_chunk(&mut self, now: Instant, config: &Config) {
        self.ack.since.get_or_insert(now);
        self.ack.chunks += 1;
        let rare = self.ack.last_sent.is_none_or(|last| now - last >= config.ack_delay);
        let low = self.credit - self.received < self.ahead / 2 && self.credit < self.offer.length;
        if rare || self.ack.chunks >= 2 || low {
            self.ack.ready = true;
        } else {
            self.ack_within(now, config.ack_delay);
        }
    }

    pub(super) fn ack_within(&mut self, now: Instant, delay: Duration) {
        self.ack.due = earliest(self.ack.due, Some(now + delay));
    }
}
