//! Files over messages: offered, cut into chunks, acknowledged, resumed.
//!
//! [`Transfers`] speaks the subprotocol `bowline.v1` over any channel of binary messages. It never touches a file:
//! whatever must be read, hashed, written or made durable comes out as an [`Event`], and the answer goes in as a call.
//!
//! ```text
//!  sender                                                                receiver
//!  offer ─────▶ OFFER ──────────────────────────────────────▶ Offered ─▶ (open the file)
//!  (file) ◀─ Read, Hash ◀──────────────────────────── ACCEPT ◀───────── answer
//!  provide ───▶ DATA ───────────────────────────────────────▶ Write ──▶ (write, hash)
//!           window, credit ◀───────────────────────────── ACK ◀───────── written
//!           durable ◀──────────────────────────────────── ACK ◀───────── commit ◀─ (sync) ◀─ Sync
//!  confirm, provide_digest ─▶ FIN ──────────────────────────▶ Finish ─▶ (verify, move to its place)
//!  Done ◀──────────────────────────────────────────────── DONE ◀──────── finish
//! ```
//!
//! A link may end at any moment. The sender keeps its transfers and offers them again on the next link under the same
//! ids. The receiver says how much it has made durable, and sending resumes from there. The
//! [manual](crate::manual::session) shows what a receiver must store for that, and a store in memory.

mod agenda;
mod ahead;
mod cancel;
mod code;
mod commands;
mod config;
mod digest;
mod discards;
mod event;
mod feeding;
mod flow;
mod guard;
mod id;
mod kind;
mod limiter;
mod link;
pub mod listing;
mod look;
mod meter;
mod name;
mod offer;
mod open_end;
mod pace;
mod pause;
mod places;
mod poll;
mod range;
mod receive;
mod route;
mod send;
mod sending;
#[cfg(test)]
mod tests;
mod traffic;
mod tries;
mod turns;
mod unseen;
mod validator;
mod wanted;
pub mod wire;

use crate::time::earliest;
use crate::{Instant, Role};
use agenda::Agenda;
use ahead::Ahead;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::string::String;
use alloc::vec::Vec;
use core::mem;
use core::time::Duration;
use discards::Discards;
use link::Link;
use receive::Incoming;
use send::{Context, Fate, Outgoing};
use turns::Turns;
pub(crate) use unseen::Unseen;
use wanted::{Asked, Asking, Wanted};
use wire::Frame;

pub use cancel::Leftover;
pub use code::{Code, Retry};
pub use config::Config;
pub use digest::{Checkpoint, CheckpointError, Digest, GROUP, Hasher};
pub use event::{Answer, Event, Failure, Offered, Progress, Stage};
pub use id::TransferId;
pub use kind::{Batch, Kind, UnixMode, What};
pub use listing::Listing;
pub use look::Passed;
pub use meter::Meter;
pub use name::{NameError, SafeName};
pub use offer::Offer;
pub use range::{ByteRange, RangeError};
pub use traffic::Traffic;
pub use validator::{Validator, ValidatorError};
pub use wire::SUBPROTOCOL;

/// A transfer was offered or requested twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("transfer {0} is already under way")]
pub struct AlreadyKnown(pub TransferId);

/// Many files over one channel of messages, link after link.
///
/// Report when a link begins and ends, pass in every message that arrives ([`handle_message`](Self::handle_message)),
/// and send what it produces ([`poll_message`](Self::poll_message)). Carry out its [`Event`]s and answer them.
///
/// ```
/// use bowline_core::transfer::{Config, Event, Offer, SafeName, TransferId};
/// use bowline_core::{Instant, Role, Transfers};
///
/// let now = Instant::ZERO;
/// let mut sender = Transfers::new(Role::Client, Config::default(), now);
/// sender.offer(now, Offer::new(TransferId::from_bytes([1; 16]), SafeName::parse("a.txt")?, 5))?;
/// sender.handle_link_up(now, None);
///
/// let mut receiver = Transfers::new(Role::Server, Config::default(), now);
/// receiver.handle_link_up(now, None);
/// while let Some(message) = sender.poll_message(now, usize::MAX) {
///     receiver.handle_message(now, message.into_bytes());
/// }
/// assert!(matches!(receiver.poll_event(), Some(Event::Offered(offered)) if offered.length == Some(5)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Transfers {
    role: Role,
    config: Config,
    /// The optional features announced in our HELLO.
    features: u64,
    now: Instant,
    link: Option<Link>,
    /// How many bytes of files the previous links have carried.
    carried: u64,
    /// How many offers and requests may be outstanding on the next link.
    ahead: Ahead,
    outgoing: BTreeMap<TransferId, Outgoing>,
    incoming: BTreeMap<TransferId, Incoming>,
    wanted: BTreeMap<TransferId, Wanted>,
    /// What the peer requested and we have not offered yet.
    asked: BTreeMap<TransferId, Asked>,
    /// What the peer requested that has no open handle and is not over: its OFFER waits to leave, and may never leave,
    /// or its digest is being computed here.
    owed: BTreeSet<TransferId>,
    /// What this end has paused, even while there is no link.
    paused: BTreeSet<TransferId>,
    /// Cancelled transfers whose parts the peer must discard once there is a link.
    discards: Discards,
    turns: Turns,
    /// Outgoing transfers that have sent everything and send FIN next.
    fins: VecDeque<TransferId>,
    /// Incoming transfers with something to acknowledge.
    acks: VecDeque<TransferId>,
    /// Whose turn it is to get credit, where a rate limit makes it scarce.
    shares: Turns,
    /// Which wanted transfers are requested next.
    asking: VecDeque<TransferId>,
    agenda: Agenda,
    /// Transfers that wait for a place at a busy peer, and until when.
    put_off: Agenda,
    events: VecDeque<Event>,
    unseen: Unseen,
}

/// The parts of `Transfers` that a step of one transfer needs.
macro_rules! context {
    ($self:ident) => {
        Context {
            now: $self.now,
            config: &$self.config,
            put_off: &$self.put_off,
            link: $self.link.as_mut().filter(|link| !link.broken),
            events: &mut $self.events,
        }
    };
}
use context;

impl Transfers {
    /// Starts without transfers and without a link. The role only decides which end uses odd handles.
    pub fn new(role: Role, config: Config, now: Instant) -> Self {
        Self {
            role,
            config: config.usable(),
            features: 0,
            now,
            link: None,
            carried: 0,
            ahead: Ahead::default(),
            outgoing: BTreeMap::new(),
            incoming: BTreeMap::new(),
            wanted: BTreeMap::new(),
            asked: BTreeMap::new(),
            owed: BTreeSet::new(),
            paused: BTreeSet::new(),
            discards: Discards::default(),
            turns: Turns::default(),
            fins: VecDeque::new(),
            acks: VecDeque::new(),
            shares: Turns::default(),
            asking: VecDeque::new(),
            agenda: Agenda::default(),
            put_off: Agenda::default(),
            events: VecDeque::new(),
            unseen: Unseen::default(),
        }
    }

    // ----- facts -----

    /// A link is up; its round-trip time may be known from the handshake. Everything open is offered or requested
    /// again.
    pub fn handle_link_up(&mut self, now: Instant, rtt: Option<Duration>) {
        self.handle_link_down(now);
        let ahead = mem::take(&mut self.ahead);
        self.link = Some(Link::new(self.now, self.role, &self.config, self.features, ahead, rtt));
    }

    /// The link is gone. Incoming transfers are made durable as far as they arrived ([`Event::Detach`]) and forgotten
    /// here unless this end requested them. Outgoing transfers wait for the next link, except those that the peer
    /// requested: they end by an [`Event::Failed`], and the peer requests them again.
    pub fn handle_link_down(&mut self, now: Instant) {
        self.advance(now);
        let Some(link) = self.link.take() else { return };
        self.carried += link.moved;
        self.discards.handle_link_down();
        self.ahead = link.ahead.next(link.opened().any());
        self.asked.clear();
        self.owed.clear();
        let mut cx = context!(self);
        for (id, incoming) in &mut self.incoming {
            incoming.handle_link_down(&mut cx);
            if let Some(wanted) = self.wanted.get_mut(id) {
                wanted.learn(incoming.earlier());
            }
        }
        self.incoming.clear();
        self.acks.clear();
        self.shares = Turns::default();
        self.outgoing.retain(|id, outgoing| {
            let lives = outgoing.handle_link_down(&mut cx) == Fate::Lives;
            if !lives {
                self.turns.leave(*id);
            }
            lives
        });
        let now = self.now;
        self.turns.wait_all(|id| self.outgoing.get(&id).is_some_and(|outgoing| outgoing.wants_offer(now)));
        self.ask_all_again();
        self.agenda.clear();
        self.put_off.clear();
        for id in self.outgoing.keys().copied().collect::<Vec<_>>() {
            self.note(id);
        }
    }

    /// The round-trip time of this link was measured, by a ping for example.
    pub fn handle_rtt(&mut self, now: Instant, rtt: Duration) {
        self.advance(now);
        if let Some(link) = &mut self.link {
            link.flow.handle_rtt(self.now, rtt);
        }
    }

    /// Time has passed. Early and repeated calls change nothing.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.advance(now);
        let told = self.events.len();
        for id in self.agenda.due(self.now) {
            self.sending_timeout(id);
            self.incoming_step(now, id, Incoming::handle_timeout);
            self.wanted_timeout(id);
            self.asked_timeout(id);
            self.note(id);
        }
        self.leave_stuck(told);
        self.feed();
        self.guard_timeout();
    }

    // ----- outputs -----

    /// The next thing to do or to know. If a host never calls this, the link ends once the peer has caused some 65,000
    /// events.
    pub fn poll_event(&mut self) -> Option<Event> {
        let event = self.events.pop_front();
        self.unseen.handle_look(self.events.len());
        event
    }

    /// When to call [`handle_timeout`](Self::handle_timeout).
    pub fn poll_timeout(&self) -> Option<Instant> {
        let limits = earliest(self.sending_deadline(), self.feeding_deadline());
        earliest(self.agenda.first(), earliest(limits, self.guard_deadline()))
    }

    /// Announces these features in the HELLO of each later link.
    pub(crate) fn announce(&mut self, features: u64) {
        self.features = features;
    }

    /// Whether this link violated the protocol, so that nothing on it counts any more.
    pub(crate) fn is_broken(&self) -> bool {
        self.link.as_ref().is_some_and(|link| link.broken)
    }

    // ----- inside -----

    /// If time steps back, it stands still.
    fn advance(&mut self, now: Instant) {
        self.now = self.now.max(now);
    }

    /// An id identifies one transfer, and a transfer has one direction.
    fn sends(&self, id: TransferId) -> bool {
        self.outgoing.contains_key(&id) || self.asked.contains_key(&id)
    }

    fn receives(&self, id: TransferId) -> bool {
        self.incoming.contains_key(&id) || self.wanted.contains_key(&id)
    }

    fn incoming_step(
        &mut self,
        now: Instant,
        id: TransferId,
        step: impl FnOnce(&mut Incoming, &mut Context<'_>) -> Fate,
    ) -> bool {
        self.advance(now);
        let Some(incoming) = self.incoming.get_mut(&id) else { return false };
        if step(incoming, &mut context!(self)) == Fate::Ended {
            self.forget_incoming(id);
        }
        self.note(id);
        true
    }

    /// Something has happened to this transfer: its deadline, and whether it has something to send, may have changed.
    fn note(&mut self, id: TransferId) {
        let mut outgoing = self.outgoing.get_mut(&id);
        if outgoing.as_mut().is_some_and(|outgoing| outgoing.queue_fin()) {
            self.fins.push_back(id);
        }
        if let (Some(outgoing), Some(link)) = (&outgoing, &mut self.link) {
            link.ahead.look(outgoing);
        }
        let wants_place = outgoing.as_ref().is_some_and(|outgoing| outgoing.wants_place())
            || self.wanted.get(&id).is_some_and(Wanted::wants_place);
        let outgoing = outgoing.and_then(|outgoing| outgoing.deadline(&self.config));
        self.turns.wake(id);
        let wanted = self.wanted.get(&id).and_then(|wanted| self.wanted_deadline(id, wanted));
        self.put_off.enter(id, earliest(outgoing, wanted).filter(|_| wants_place));
        let mut incoming = self.incoming.get_mut(&id);
        if let Some(incoming) = &mut incoming {
            incoming.track(self.now);
        }
        let deadline = incoming.as_ref().and_then(|incoming| incoming.deadline(&self.config));
        let asked = self.asked.get(&id).map(|asked| asked.deadline());
        self.agenda.enter(id, earliest(earliest(deadline, asked), earliest(outgoing, wanted)));
        if incoming.is_some_and(Incoming::queue_ack) {
            self.acks.push_back(id);
        }
    }

    /// Ends what a REQUEST has opened.
    fn refuse_open(&mut self, handle: wire::Handle, failure: &Failure) {
        if let Some(link) = &mut self.link {
            link.close(handle);
            link.control(Frame::Cancel(handle, cancel::cancel(failure, 0)));
        }
    }

    /// Reports that the link cannot continue.
    pub(crate) fn break_link(&mut self, code: Code, text: impl Into<String>) {
        let text = text.into();
        if let Some(link) = self.link.as_mut().filter(|link| !link.broken) {
            link.control(Frame::Error { code, text: text.clone() });
            link.broken = true;
            self.events.push_back(Event::Broken { code, text });
        }
    }
}
