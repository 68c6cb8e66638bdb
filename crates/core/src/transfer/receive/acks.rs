//! When a receiver acknowledges, and how much credit it grants.

use super::{Incoming, State};
use crate::Instant;
use crate::time::earliest;
use crate::transfer::Config;
use crate::transfer::link::Link;
use crate::transfer::send::Context;
use crate::transfer::wire::{Ack, Frame, INITIAL_CREDIT, Rewind};
use core::time::Duration;

/// The most credit for a near sender: any more would only wait in memory for our disk.
const NEAR_CREDIT: u64 = 3 * 1024 * 1024;

/// When to acknowledge.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Acks {
    /// Whether one is due.
    pub(super) ready: bool,
    /// Whether the transfer is in the queue of those with one due.
    pub(super) queued: bool,
    pub(super) due: Option<Instant>,
    /// When the oldest unacknowledged chunk arrived.
    pub(super) since: Option<Instant>,
    pub(super) chunks: u32,
    pub(super) last_sent: Option<Instant>,
    pub(super) last_seq: u32,
    /// What was last reported: received, durable, credit.
    pub(super) told: (u64, u64, u64),
    pub(super) rewind: Option<Rewind>,
    /// Whether to repeat the last report.
    pub(super) again: bool,
}

impl Incoming {
    /// Whether to add this transfer to the queue of those with something to acknowledge.
    pub(in crate::transfer) fn queue_ack(&mut self) -> bool {
        let queue = self.wants_ack() && !self.ack.queued;
        self.ack.queued |= queue;
        queue
    }

    fn wants_ack(&self) -> bool {
        self.ack.ready && matches!(self.state, State::Receiving | State::Finishing { .. })
    }

    /// The acknowledgement, if one is due; the transfer has just been taken from the queue.
    pub(in crate::transfer) fn poll_ack(&mut self, cx: &mut Context<'_>) -> Option<Frame> {
        self.ack.queued = false;
        if !self.wants_ack() {
            return None;
        }
        self.extend_credit(cx);
        let told = (self.received, self.durable, self.credit);
        if told == self.ack.told && self.ack.chunks == 0 && self.ack.rewind.is_none() && !self.ack.again {
            // There is nothing new to report.
            self.ack.ready = false;
            return None;
        }
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
        self.ack = Acks { last_sent: Some(cx.now), last_seq: self.ack.last_seq, told, ..Acks::default() };
        Some(Frame::Ack(self.handle, ack))
    }

    /// What a sender may send before it has an answer may already be under way, so it is accepted in spite of a rate
    /// limit. Later credit, and the end of the file, wait until that is paid for.
    pub(super) fn promise_early(&mut self, cx: &mut Context<'_>, resume: u64) {
        // If it has paused, nothing follows except what is already here.
        let early = if self.pauses.is_void { self.early_len } else { INITIAL_CREDIT };
        self.credit = resume.max(early.min(self.bound()));
        self.promise(cx);
        if let Some(limiter) = cx.link.as_mut().and_then(|link| link.limit_in.as_mut()) {
            limiter.pass(cx.now, self.credit - resume);
            self.owes = Some((limiter.passed(), limiter.free_at()));
        }
    }

    /// Grants the sender as much credit as memory and the rate limit allow.
    pub(super) fn extend_credit(&mut self, cx: &mut Context<'_>) {
        let Some(link) = cx.link.as_mut().filter(|_| self.pauses.gives_credit()) else { return };
        let open = link.busy().incoming.max(1) as u64;
        let most = if link.is_far() { u64::MAX } else { NEAR_CREDIT };
        self.ahead = cx.config.credit.min(most).min(cx.config.link_credit / open).max(INITIAL_CREDIT);
        // What others were promised when there were fewer of them remains promised.
        let others = link.promised.saturating_sub(self.promised);
        let free = cx.config.link_credit.saturating_sub(others).max(INITIAL_CREDIT);
        let mut credit = self.written.saturating_add(self.ahead.min(free)).min(self.bound());
        if let Some(limiter) = &mut link.limit_in {
            // A transfer that waits for the limit is not overtaken by one that does not.
            let free = !link.hungry && limiter.free_at() <= cx.now;
            let burst = if free { limiter.burst() } else { 0 };
            let allowed = credit.min(self.credit.saturating_add(burst));
            limiter.pass(cx.now, allowed.saturating_sub(self.credit));
            self.hungry = allowed < credit && allowed <= self.received;
            link.hungry |= self.hungry;
            credit = allowed;
        }
        self.credit = self.credit.max(credit);
        self.promise(cx);
    }

    /// Tells the link how much of its memory this transfer uses.
    pub(super) fn promise(&mut self, cx: &mut Context<'_>) {
        let Some(link) = &mut cx.link else { return };
        let others = link.promised.saturating_sub(self.promised);
        self.promised = self.credit - self.written;
        link.promised = others + self.promised;
    }

    /// Whether the sender can send nothing until the rate limit allows more credit.
    pub(in crate::transfer) fn is_hungry(&self) -> bool {
        self.hungry && self.pauses.gives_credit() && matches!(self.state, State::Receiving)
    }

    /// Grants credit to a sender whose turn it is. Returns how much.
    pub(in crate::transfer) fn feed(&mut self, cx: &mut Context<'_>) -> u64 {
        let before = self.credit;
        self.extend_credit(cx);
        self.ack.ready |= self.credit > before;
        self.credit - before
    }

    /// Returns the memory of a transfer that has ended to its link.
    pub(in crate::transfer) fn release(&self, link: &mut Link) {
        link.promised = link.promised.saturating_sub(self.promised);
    }

    /// A chunk arrived: acknowledge it at once if chunks are rare, every second one otherwise, and within the delay in
    /// any case.
    pub(super) fn note_chunk(&mut self, now: Instant, config: &Config) {
        self.ack.since.get_or_insert(now);
        self.ack.chunks += 1;
        let rare = self.ack.last_sent.is_none_or(|last| now - last >= config.ack_delay);
        let low = self.credit - self.received < self.ahead / 2 && self.credit < self.bound();
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
