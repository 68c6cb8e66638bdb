//! One outgoing file.
//!
//! ```text
//!                 OFFER               ACCEPT              FIN                 DONE
//!  Waiting ──────────────▶ Offered ──────────▶ Sending ──────▶ Finishing ──────────▶ Verifying ──▶ Done
//!     ▲ ▲                     │                   │                │
//!     │ └── link down ────────┴───────────────────┴────────────────┘
//!     └──── a failure that is worth another try, after a while
//! ```

mod ending;
mod input;
mod output;
mod pause;
mod source;
mod time;

pub(super) use output::Chunk;

use super::agenda::Agenda;
use super::event::{Event, Failure, Progress, Stage};
use super::flow::Stamp;
use super::link::{Link, Route};
use super::pause::Halt;
use super::tries::Tries;
use super::wanted::Asked;
use super::wire::{self, Frame, Handle, Have, Mode, Offer, Phase, Whole};
use super::{Code, Config, Digest, Kind, TransferId};
use crate::Instant;
use alloc::collections::VecDeque;
use bytes::Bytes;
use core::time::Duration;
use pause::Pauses;

/// What a step needs besides the transfer itself.
pub(super) struct Context<'a> {
    pub(super) now: Instant,
    pub(super) config: &'a Config,
    pub(super) put_off: &'a Agenda,
    pub(super) link: Option<&'a mut Link>,
    pub(super) events: &'a mut VecDeque<Event>,
}

impl Context<'_> {
    pub(super) fn control(&mut self, frame: Frame) {
        if let Some(link) = &mut self.link {
            link.control(frame);
        }
    }

    pub(super) fn tell_working(&mut self, handle: Handle, phase: Phase) {
        if let Some(link) = &mut self.link {
            link.tell_working(handle, phase);
        }
    }
}

/// How often to tell the peer that a digest, or the search for what it requested, takes time: often enough for its
/// patience.
pub(super) const WORKING_EVERY: Duration = Duration::from_secs(10);

/// How often to tell the peer that others have their turn, or that a disk is slow. 30 s: three of these may be late
/// within its 120 s, and for many transfers at once they take little of a slow path.
const TURN_EVERY: Duration = Duration::from_secs(30);

/// Whether a transfer continues after a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum Fate {
    Lives,
    Ended,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// For a link, for its turn, or for the time of another attempt.
    Waiting { until: Option<Instant> },
    /// OFFER has left. A small file follows it at once, up to its FIN, and so does the beginning of a link's first
    /// file.
    Offered { handle: Handle, early: bool, fin: bool },
    /// Chunks are being sent.
    Sending { handle: Handle, have: Have },
    /// FIN has left.
    Finishing { handle: Handle },
    /// DONE has arrived; our own digest is still missing.
    Verifying { whole: Whole },
}

/// A chunk that was not acknowledged yet.
#[derive(Debug)]
struct Flight {
    end: u64,
    len: u64,
    stamp: Stamp,
}

#[derive(Debug)]
pub(super) struct Outgoing {
    offer: Offer,
    /// The length, once known.
    end: Option<u64>,
    /// Whether the peer requested this file and will request it again: it ends with its link.
    requested: bool,
    /// The handle of its REQUEST, until the offer that answers it.
    request: Option<Handle>,
    /// Whether it was offered before on an earlier link, and is requested again.
    again: bool,
    state: State,
    tries: Tries,
    /// When the peer was last heard about this transfer, or since when we wait for it.
    heard: Instant,
    /// Since when the peer only says that it is at work.
    working: Option<Instant>,
    /// When we last told it that we are.
    told: Instant,

    /// Five offsets: the next to send, the end of its chunk, the end of everything sent on this link, of everything
    /// ever sent, and of everything sent on previous links.
    sent: u64,
    chunk_end: u64,
    reached: u64,
    highest: u64,
    brought: u64,
    /// Where the first link began.
    resumed: Option<u64>,
    resent: u64,
    seq: u32,
    flights: VecDeque<Flight>,
    received: u64,
    durable: u64,
    /// How often in a row the receiver has asked to go back to the same place.
    rewinds: u8,
    /// Whether FIN has left on this link.
    said_fin: bool,
    /// Whether a FIN that can be sent is queued.
    fin_queued: bool,
    /// Whether the receiver has acknowledged bytes that we sent, so that it did not have the file from elsewhere.
    carried: bool,
    /// Whether the receiver has a file of that name from elsewhere that may or may not be this one.
    found: bool,
    credit: u64,
    max_chunk: u32,

    /// What was read and not sent: it begins at `sent`. Reads have been requested up to `read_to`.
    ready: VecDeque<Bytes>,
    ready_len: u64,
    read_to: u64,
    /// How many reads are unanswered.
    reads: u32,

    /// The receiver's digest of the beginning that it has, to be compared with our own.
    prefix: Option<(u64, Digest)>,
    digest: Option<Digest>,
    asked_digest: bool,
    checked: bool,
    asked_check: bool,

    pauses: Pauses,
}

impl Outgoing {
    pub(super) fn new(now: Instant, offer: Offer, asked: Option<Asked>) -> Self {
        // A folder has nothing to read, hash or check.
        let digest = (offer.kind == Kind::Folder).then(|| Digest::of(&[]));
        Self {
            pauses: Pauses::default(),
            end: offer.length,
            offer,
            requested: asked.is_some(),
            request: asked.map(|asked| asked.handle),
            again: asked.is_some_and(|asked| asked.again),
            state: State::Waiting { until: None },
            tries: Tries::default(),
            heard: now,
            working: None,
            told: now,
            sent: 0,
            chunk_end: 0,
            reached: 0,
            highest: 0,
            brought: 0,
            resumed: None,
            resent: 0,
            seq: 0,
            flights: VecDeque::new(),
            received: 0,
            durable: 0,
            rewinds: 0,
            said_fin: false,
            fin_queued: false,
            carried: false,
            found: false,
            credit: 0,
            max_chunk: u32::MAX,
            ready: VecDeque::new(),
            ready_len: 0,
            read_to: 0,
            reads: 0,
            prefix: None,
            digest,
            asked_digest: digest.is_some(),
            checked: false,
            asked_check: false,
        }
    }

    // ----- what the link does -----

    /// Whether an OFFER should go out now.
    pub(super) fn wants_offer(&self, now: Instant) -> bool {
        let is_due = matches!(self.state, State::Waiting { until } if until.is_none_or(|until| until <= now));
        is_due && !self.rests()
    }

    /// Whether it waits for a place at a busy receiver.
    pub(super) fn wants_place(&self) -> bool {
        self.is_waiting() && self.tries.wants_place()
    }

    /// Lets it be offered at once.
    pub(super) fn hurry(&mut self) {
        if let State::Waiting { until } = &mut self.state {
            *until = None;
        }
    }

    /// Sends the OFFER. A small file that was not sent before follows at once, within the initial credit, and
    /// so does the beginning of a larger one if it is the first of its link; with many files, any of them may already
    /// be there. This is done only once: if the receiver loses the link before it has opened its file, the bytes are
    /// lost.
    pub(super) fn send_offer(&mut self, cx: &mut Context<'_>) {
        let Some(link) = &mut cx.link else { return };
        let handle = link.open(Route::Outgoing(self.offer.id));
        self.request = None;
        let is_first = link.flow.is_fresh() && link.busy().outgoing == 1;
        let early = self.offer.length.is_some_and(|length| is_first || length <= wire::INITIAL_CREDIT)
            && self.offer.epoch_seen == 0
            && self.tries.is_first()
            && !self.again
            && self.highest == 0
            && self.offer.mode == Mode::AttachOrCreate;
        self.heard = cx.now;
        self.rewind(0, link);
        self.reached = 0;
        self.brought = self.highest;
        self.seq = 0;
        self.rewinds = 0;
        self.said_fin = false;
        self.working = None;
        self.credit = if early { wire::INITIAL_CREDIT.min(self.bound()) } else { 0 };
        self.pauses.begin_link();
        self.state = State::Offered { handle, early, fin: false };
        cx.control(Frame::Offer(handle, self.offer.clone()));
        self.step(cx);
    }

    /// The link is gone. Chunks that have left may or may not have arrived.
    pub(super) fn handle_link_down(&mut self, cx: &mut Context<'_>) -> Fate {
        self.flights.clear();
        self.pauses.begin_link();
        if self.requested {
            let failure = Failure::local(Code::Stalled, "the connection ended; the other side may ask again");
            cx.events.push_back(Event::Failed { id: self.offer.id, failure });
            return Fate::Ended;
        }
        if !matches!(self.state, State::Waiting { .. } | State::Verifying { .. }) {
            self.state = State::Waiting { until: None };
        }
        Fate::Lives
    }

    // ----- looks -----

    pub(super) fn progress(&self) -> Progress {
        let Halt { here, there, .. } = self.pauses.halt;
        let paused = Stage::Paused { here, there: there.is_some() };
        let stage = match self.state {
            State::Waiting { .. } if here => paused,
            State::Waiting { .. } => Stage::Waiting,
            State::Sending { .. } if self.pauses.halt.is_on() => paused,
            State::Offered { .. } => Stage::Opening,
            State::Sending { have: Have::Part, .. } if self.received < self.bound() => Stage::Moving,
            _ => Stage::Finishing,
        };
        let Self { resent, .. } = *self;
        let (received, durable) = if self.found { (0, 0) } else { (self.received, self.durable) };
        Progress { stage, length: self.end, received, durable, resent }
    }

    /// Its offer.
    pub(super) fn offer(&self) -> &Offer {
        &self.offer
    }

    /// Whether the receiver has not heard of it on this link.
    pub(super) fn is_waiting(&self) -> bool {
        matches!(self.state, State::Waiting { .. })
    }

    /// Whether the receiver has requested it, and will again.
    pub(super) fn is_requested(&self) -> bool {
        self.requested
    }

    /// Whether the receiver has said that it is done.
    pub(super) fn is_verifying(&self) -> bool {
        matches!(self.state, State::Verifying { .. })
    }

    /// Its handle, once others may be offered: all that can be sent of a small file has left, or a large one has begun.
    pub(super) fn settled(&self) -> Option<Handle> {
        let is_small = self.end.is_some_and(|end| end <= wire::INITIAL_CREDIT);
        let has_begun = self.reads == 0 || !self.ready.is_empty() || !self.flights.is_empty();
        match self.state {
            State::Offered { handle, fin: true, .. } | State::Finishing { handle } => Some(handle),
            State::Sending { handle, .. } => {
                (self.is_open_ended() || !is_small && has_begun).then_some(handle)
            }
            _ => None,
        }
    }

    pub(super) fn id(&self) -> TransferId {
        self.offer.id
    }

    /// How much the receiver has reported as durable.
    pub(super) fn durable(&self) -> u64 {
        self.durable
    }

    pub(super) fn priority(&self) -> u16 {
        self.offer.priority
    }

    // ----- inside -----

    fn close_handle(&mut self, cx: &mut Context<'_>) -> Option<Handle> {
        let handle = self.handle()?;
        if let Some(link) = &mut cx.link {
            let sent = self.sent;
            self.rewind(sent, link);
            link.close(handle);
        }
        Some(handle)
    }

    /// The handle, while the transfer is open on this link.
    fn handle(&self) -> Option<Handle> {
        match self.state {
            State::Offered { handle, .. } | State::Sending { handle, .. } | State::Finishing { handle } => {
                Some(handle)
            }
            State::Waiting { .. } | State::Verifying { .. } => None,
        }
    }
}
