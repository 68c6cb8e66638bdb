//! What lives as long as one transport: handles, the control queue, the peer's limits, the flow controller.

use super::ahead::Ahead;
use super::flow::Flow;
use super::guard::Guard;
use super::limiter::Limiter;
use super::wire::{self, Frame, Handle, Hello, Phase};
use super::{Config, TransferId};
use crate::message::Parts;
use crate::{Instant, Role};
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use core::time::Duration;

/// The time within which a rate limit must have let unsolicited bytes pass.
const DEBT: Duration = Duration::from_secs(30);
/// A peer that answers within this time is near: 3 MiB of credit in 5 ms are 5 Gbit/s.
const NEAR: Duration = Duration::from_millis(5);

/// What a handle refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// We send this transfer.
    Outgoing(TransferId),
    /// We receive this transfer.
    Incoming(TransferId),
    /// We requested this transfer, and wait for its offer.
    Wanted(TransferId),
    /// The peer requested this transfer, and we have not offered it yet.
    Asked(TransferId),
}

/// How many open handles there are of each kind.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Open {
    pub(super) outgoing: usize,
    pub(super) incoming: usize,
    pub(super) wanted: usize,
    pub(super) asked: usize,
}

impl Open {
    /// Whether there are any.
    pub(super) fn any(self) -> bool {
        self.outgoing + self.incoming + self.wanted + self.asked > 0
    }

    fn of(&mut self, route: Route) -> &mut usize {
        match route {
            Route::Outgoing(_) => &mut self.outgoing,
            Route::Incoming(_) => &mut self.incoming,
            Route::Wanted(_) => &mut self.wanted,
            Route::Asked(_) => &mut self.asked,
        }
    }
}

#[derive(Debug)]
pub(super) struct Link {
    role: Role,
    next_handle: Handle,
    last_peer_handle: Handle,
    routes: BTreeMap<Handle, Route>,
    open: Open,
    /// Our offers and requests that are not settled.
    pub(super) ahead: Ahead,
    /// The handles of paused transfers, and how many there are of each kind.
    resting: BTreeSet<Handle>,
    at_rest: Open,
    control: VecDeque<Parts>,
    /// Which transfers we are at work on and have to report. Only the latest report for each, however long the peer
    /// accepts nothing: reports are repeated, and a heap of old ones would look like a flood.
    working: BTreeMap<Handle, Phase>,
    /// What we requested on this link and no longer want: an offer of it may be on its way.
    pub(super) withdrawn: BTreeSet<TransferId>,
    pub(super) peer: Option<Hello>,
    max_transfers: u32,
    pub(super) flow: Flow,
    pub(super) guard: Guard,
    /// The peer, or this end, wants no new offers on this link.
    pub(super) closing: bool,
    /// A frame arrived damaged, here or there.
    pub(super) damaged: bool,
    /// The link violated the protocol: nothing that arrives on it counts any more.
    pub(super) broken: bool,
    /// How many bytes of files this link has carried, as far as the receiver has confirmed.
    pub(super) moved: u64,
    /// How many of them we received.
    pub(super) received: u64,
    /// The size of the last chunk received.
    pub(super) last_received: Option<u32>,
    /// How many bytes our credit promises to hold, for all transfers together.
    pub(super) promised: u64,
    /// The shortest time from an ACCEPT of ours to a chunk that answers it: a round trip or two, plus the time that the
    /// sender's disk took.
    answered: Option<Duration>,
    pub(super) limit_out: Option<Limiter>,
    pub(super) limit_in: Option<Limiter>,
    /// Whether a sender waits for `limit_in`.
    pub(super) hungry: bool,
}

impl Link {
    pub(super) fn new(
        now: Instant,
        role: Role,
        config: &Config,
        features: u64,
        ahead: Ahead,
        rtt: Option<Duration>,
    ) -> Self {
        let mut link = Self {
            role,
            next_handle: if role == Role::Client { 1 } else { 2 },
            last_peer_handle: 0,
            routes: BTreeMap::new(),
            open: Open::default(),
            ahead,
            resting: BTreeSet::new(),
            at_rest: Open::default(),
            control: VecDeque::new(),
            working: BTreeMap::new(),
            withdrawn: BTreeSet::new(),
            peer: None,
            max_transfers: config.max_transfers,
            flow: Flow::new(now, config.max_chunk, rtt),
            guard: Guard::new(now, config),
            closing: false,
            damaged: false,
            broken: false,
            moved: 0,
            received: 0,
            last_received: None,
            promised: 0,
            answered: None,
            limit_out: config.limit_rate.map(|rate| Limiter::new(now, rate)),
            limit_in: config.limit_rate.map(|rate| Limiter::new(now, rate)),
            hungry: false,
        };
        link.control(Frame::Hello(Hello {
            min_version: wire::VERSION,
            max_version: wire::VERSION,
            max_chunk: config.max_chunk,
            max_transfers: invited(config),
            max_offers_per_second: config.max_offers_per_second.max(1),
            credit: config.link_credit,
            features: features | wire::UNKNOWN_LENGTH,
            instance: config.instance,
            agent: config.agent.clone(),
        }));
        link
    }

    /// Queues a frame other than DATA; it leaves before any chunk.
    pub(super) fn control(&mut self, frame: Frame) {
        self.control.push_back(frame.encode());
    }

    /// Reports that we are at work on a transfer, as soon as something can be sent.
    pub(super) fn tell_working(&mut self, handle: Handle, phase: Phase) {
        self.working.insert(handle, phase);
    }

    pub(super) fn poll_control(&mut self) -> Option<Parts> {
        self.control.pop_front().or_else(|| self.poll_working().map(Frame::encode))
    }

    fn poll_working(&mut self) -> Option<Frame> {
        // Nothing may follow an ERROR.
        let (handle, phase) = if self.broken { None } else { self.working.pop_first() }?;
        Some(Frame::Finishing(handle, phase))
    }

    /// How many frames are queued.
    pub(super) fn unsent(&self) -> usize {
        self.control.len()
    }

    /// A new handle of ours.
    pub(super) fn open(&mut self, route: Route) -> Handle {
        let handle = self.next_handle;
        self.next_handle = handle.saturating_add(2);
        self.enter(handle, route);
        self.ahead.handle_sent(handle);
        handle
    }

    /// Registers a handle that the peer chose; returns false if the peer may not choose it.
    pub(super) fn open_by_peer(&mut self, handle: Handle, route: Route) -> bool {
        let parity = u32::from(self.role == Role::Server);
        if handle % 2 != parity || handle <= self.last_peer_handle {
            return false;
        }
        self.last_peer_handle = handle;
        self.enter(handle, route);
        true
    }

    fn enter(&mut self, handle: Handle, route: Route) {
        self.routes.insert(handle, route);
        *self.open.of(route) += 1;
    }

    pub(super) fn close(&mut self, handle: Handle) {
        self.working.remove(&handle);
        self.rest(handle, false);
        self.ahead.handle_settled(handle);
        if let Some(route) = self.routes.remove(&handle) {
            *self.open.of(route) -= 1;
        }
    }

    pub(super) fn route(&self, handle: Handle) -> Option<Route> {
        self.routes.get(&handle).copied()
    }

    /// Whether this handle was once in use: what still arrives for it is late, not wrong.
    pub(super) fn was_open(&self, handle: Handle) -> bool {
        let ours = u32::from(self.role == Role::Client);
        handle != 0
            && if handle % 2 == ours { handle < self.next_handle } else { handle <= self.last_peer_handle }
    }

    /// How many handles are open.
    pub(super) fn opened(&self) -> Open {
        self.open
    }

    /// The same, without the handles of paused transfers, which take no share.
    pub(super) fn busy(&self) -> Open {
        let (open, at_rest) = (self.open, self.at_rest);
        Open {
            outgoing: open.outgoing - at_rest.outgoing,
            incoming: open.incoming - at_rest.incoming,
            ..open
        }
    }

    /// Records whether the transfer of an open handle is paused.
    pub(super) fn rest(&mut self, handle: Handle, rests: bool) {
        let Some(route) = self.route(handle) else { return };
        if rests && self.resting.insert(handle) {
            self.ahead.handle_settled(handle);
            *self.at_rest.of(route) += 1;
        } else if !rests && self.resting.remove(&handle) {
            *self.at_rest.of(route) -= 1;
        }
    }

    /// A sender has answered an ACCEPT with a chunk after this long.
    pub(super) fn handle_answer(&mut self, after: Duration) {
        self.answered = Some(self.answered.map_or(after, |least| least.min(after)));
    }

    /// Whether credit takes long to be used. False until that is known: the first chunks use little of it.
    pub(super) fn is_far(&self) -> bool {
        self.answered.is_some_and(|after| after > NEAR)
    }

    /// How many transfers may be open at once in each direction: as many as both sides accept, or a few before the peer
    /// has said how many.
    pub(super) fn max_transfers(&self) -> usize {
        let theirs = self.peer.as_ref().map_or(16, |peer| peer.max_transfers.max(1));
        theirs.min(self.max_transfers) as usize
    }
}

/// How many transfers the peer is invited to open at once. Each may send its first bytes unsolicited, so there are
/// fewer if the rate limit is low: those bytes are paid for while the peer waits, and while others that share the rate
/// have their turns.
fn invited(config: &Config) -> u32 {
    let paid = config.limit_rate.map(|rate| rate.saturating_mul(DEBT.as_secs()) / wire::INITIAL_CREDIT);
    let paid = paid.map_or(u32::MAX, |paid| paid.try_into().unwrap_or(u32::MAX));
    config.max_transfers.min(paid.max(1))
}
