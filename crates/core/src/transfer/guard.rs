//! What a peer may demand of a link besides its transfers, and how long it may keep us waiting.

use super::limiter::Limiter;
use super::wire::{self, Frame, Handle, Place};
use super::{Code, Config, Event, Failure, Transfers};
use crate::Instant;
use crate::time::earliest;
use crate::words::Span;
use alloc::format;
use core::time::Duration;

/// How many frames per second may carry nothing. Honest peers stay far below.
const MOST_IDLE: u32 = 1000;
/// How many more such frames are allowed for each transfer that begins. It may end before its peer knows: if the file
/// already exists, its last bytes and its digest may still be on their way.
const LATE_EACH: u32 = 4;
/// A smaller chunk carries too little for a frame, unless its file ends with it.
const LEAST_CHUNK: usize = 64;
/// How much may arrive at once after a silence: a network that stalls delivers everything in one moment.
const BURST: Duration = Duration::from_secs(1);
/// How much of that we use towards a peer, so that it never has a reason to refuse.
const OUR_BURST: Duration = Duration::from_millis(250);

#[derive(Debug)]
pub(super) struct Guard {
    idle: Limiter,
    /// How many frames may still be on their way for transfers that have ended.
    late: u32,
    /// Whether there were more of them than allowed.
    flooded: bool,
    /// The rate limit on the peer's offers and requests, and its value.
    offers: Limiter,
    most_offers: u32,
    /// The rate limit on our offers and requests, once the peer has announced it.
    pub(super) pace: Option<Limiter>,
    since: Instant,
    /// When the peer said that it is going away.
    left: Option<Instant>,
}

impl Guard {
    pub(super) fn new(now: Instant, config: &Config) -> Self {
        let most_offers = config.max_offers_per_second.max(1);
        Self {
            idle: Limiter::new(now, MOST_IDLE.into()),
            late: 0,
            flooded: false,
            offers: Limiter::new(now, most_offers.into()),
            most_offers,
            pace: None,
            since: now,
            left: None,
        }
    }

    /// Since when the link is up.
    pub(super) fn since(&self) -> Instant {
        self.since
    }

    /// A frame arrived that carries nothing.
    pub(super) fn handle_idle(&mut self, now: Instant) {
        if self.idle.free_at() > now + BURST {
            self.flooded = true;
        } else {
            self.idle.pass(now, 1);
        }
    }

    /// A transfer has begun, in either direction.
    pub(super) fn handle_begun(&mut self) {
        // The transfers open at once leave fewer late frames than the maximum.
        self.late = (self.late + LATE_EACH).min(MOST_IDLE);
    }

    /// A frame arrived for a transfer that has ended.
    fn handle_late(&mut self, now: Instant) {
        match self.late.checked_sub(1) {
            Some(left) => self.late = left,
            None => self.handle_idle(now),
        }
    }

    /// The peer says that it is going away. Returns false if it said so before.
    pub(super) fn handle_leaving(&mut self, now: Instant) -> bool {
        let first = self.left.is_none();
        self.left.get_or_insert(now);
        first
    }

    /// An offer or a request arrived. If it is one too many, returns what to tell the peer.
    pub(super) fn handle_offer(&mut self, now: Instant) -> Option<Failure> {
        let most = now + BURST;
        if self.offers.free_at() <= most {
            self.offers.pass(now, 1);
            return None;
        }
        let retry_after = (self.offers.free_at() - most).max(Duration::from_millis(1));
        let text = format!("at most {} offers a second are accepted", self.most_offers);
        Some(Failure { retry_after, ..Failure::local(Code::RateLimited, text) })
    }

    /// Whether an offer or a request of ours may leave.
    pub(super) fn admits_ours(&self, now: Instant) -> bool {
        self.our_turn() <= now
    }

    /// An offer or a request of ours leaves.
    pub(super) fn handle_ours(&mut self, now: Instant) {
        self.handle_begun();
        if let Some(pace) = &mut self.pace {
            pace.pass(now, 1);
        }
    }

    fn our_turn(&self) -> Instant {
        self.pace.as_ref().map_or(Instant::ZERO, |pace| pace.free_at().saturating_sub(OUR_BURST))
    }
}

impl Transfers {
    /// Ends a link that is flooded.
    pub(super) fn judge(&mut self) {
        if self.link.as_ref().is_some_and(|link| link.guard.flooded) {
            let text = format!("more than {MOST_IDLE} frames that carry nothing came in a second");
            self.break_link(Code::Protocol, text);
        }
    }

    /// Counts a frame for an open transfer if it carries nothing, or too little.
    pub(super) fn count_idle(&mut self, frame: &Frame) {
        let idle = match frame {
            Frame::Finishing(..) | Frame::Pause(..) | Frame::Resume(..) => true,
            Frame::Data(handle, data) => data.payload.len() < LEAST_CHUNK && !self.ends(*handle, data),
            _ => false,
        };
        let now = self.now;
        if let Some(link) = self.link.as_mut().filter(|_| idle) {
            link.guard.handle_idle(now);
        }
    }

    /// Counts a frame for a transfer that has ended. A chunk is not counted: its bytes are its price.
    pub(super) fn count_late(&mut self, frame: &Frame) {
        let is_chunk = matches!(frame, Frame::Data(_, data) if data.payload.len() >= LEAST_CHUNK);
        let now = self.now;
        if let Some(link) = self.link.as_mut().filter(|_| !is_chunk) {
            link.guard.handle_late(now);
        }
    }

    /// Counts a damaged frame. Nobody knows what it carried; here too, a chunk is not counted.
    pub(super) fn count_damaged(&mut self, kind: u8, place: Place) {
        let is_chunk = kind == wire::kind::DATA && place.len >= LEAST_CHUNK as u64;
        let now = self.now;
        let Some(link) = &mut self.link else { return };
        link.damaged = true;
        if !is_chunk {
            link.guard.handle_idle(now);
        }
    }

    /// Ends a link that damages data if a transfer has waited in vain, according to one of the events from index `told`
    /// on. The length of a WebSocket frame may have been damaged: then nothing behind it arrives, although it seems to.
    pub(super) fn leave_stuck(&mut self, told: usize) {
        let is_stalled = |event: &Event| match event {
            Event::Retrying { failure, .. } | Event::Failed { failure, .. } => failure.code == Code::Stalled,
            _ => false,
        };
        if self.is_damaged() && self.events.iter().skip(told).any(is_stalled) {
            self.break_link(Code::Stalled, "the path damages data, and nothing gets an answer any more");
        }
    }

    /// Whether a frame arrived damaged over this link, here or there.
    pub(crate) fn is_damaged(&self) -> bool {
        self.link.as_ref().is_some_and(|link| link.damaged)
    }

    fn ends(&self, handle: Handle, data: &wire::Data) -> bool {
        let Some(super::link::Route::Incoming(id)) = self.link.as_ref().and_then(|link| link.route(handle))
        else {
            return false;
        };
        let end = data.offset.saturating_add(data.payload.len() as u64);
        self.incoming.get(&id).is_some_and(|incoming| incoming.end() == Some(end))
    }

    /// Ends a link whose peer says nothing, or stays although it said that it is going away.
    pub(super) fn guard_timeout(&mut self) {
        if self.guard_deadline().is_none_or(|deadline| deadline > self.now) {
            return;
        }
        let stall = Span(self.config.stall_timeout);
        if self.peer().is_none() {
            self.break_link(Code::Protocol, format!("no HELLO for {stall}"));
        } else {
            let text = format!("the connection is still open {stall} after GOAWAY, and transfers wait");
            self.break_link(Code::ShuttingDown, text);
        }
    }

    /// When the link itself has something to do, apart from its transfers.
    pub(super) fn guard_deadline(&self) -> Option<Instant> {
        let link = self.link.as_ref().filter(|link| !link.broken)?;
        let stall = self.config.stall_timeout;
        let hello = link.peer.is_none().then(|| link.guard.since + stall);
        let waits =
            self.turns.first_waiting().is_some() || !self.asking.is_empty() || self.discards.are_waiting();
        let opened = link.opened();
        let idle = opened.outgoing + opened.incoming + opened.wanted == 0;
        let left = link.guard.left.filter(|_| waits && idle).map(|left| left + stall);
        let ours = link.guard.our_turn();
        let pace = Some(ours).filter(|ours| waits && !link.closing && *ours > self.now);
        earliest(earliest(hello, left), pace)
    }
}
