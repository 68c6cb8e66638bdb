//! One incoming file.
//!
//! ```text
//!            answer(Take)              FIN, all written              finish
//!  Opening ────────────────▶ Receiving ─────────────────▶ Finishing ────────▶ Done
//!     │ answer(Present)                                       ▲
//!     └───────────────────▶ Present ── FIN, the same digest ──┘
//! ```
//!
//! Bytes pass three marks: `received` (in memory; acknowledged so that the window moves), `written` (given to the disk,
//! which frees memory and credit), `durable` (safe, and acknowledged as such).

mod acks;
mod ending;
mod input;
mod losses;
mod pause;
mod time;
mod unwritten;

use super::cancel::cancel;
use super::event::{Answer, Event, Failure, Offered, Progress, Stage};
use super::pace::Pace;
use super::pause::Halt;
use super::send::{Context, Fate};
use super::wire::{Accept, Data, Frame, Handle, Have, MAX_LENGTH, Offer, Whole};
use super::{Code, Digest, Leftover};
use crate::Instant;
use acks::Acks;
use alloc::collections::VecDeque;
use alloc::format;
use core::time::Duration;
use losses::Losses;
use pause::Pauses;
use unwritten::Unwritten;

/// How often the peer is told that the disk is still at work.
const FINISHING_EVERY: Duration = Duration::from_secs(1);

/// How often the last report is repeated to a sender that waits for a rate limit, or for our disk. 20 s: two of them
/// may be late within its 60 s, and it waits at least 30 s in any case.
const REMIND_EVERY: Duration = Duration::from_secs(20);

#[derive(Clone, Copy, Debug)]
enum State {
    /// The application has not answered yet. Early chunks wait.
    Opening,
    Receiving,
    /// A file from another source is there; a FIN decides whether it is the same.
    Present {
        digest: Digest,
    },
    /// The application verifies the file and moves it into place.
    Finishing {
        whole: Whole,
    },
}

#[derive(Debug)]
pub(super) struct Incoming {
    handle: Handle,
    offer: Offer,
    /// The length of the file, once the offer or FIN has said it.
    end: Option<u64>,
    state: State,
    early: VecDeque<Data>,
    early_len: u64,
    /// When the part is discarded.
    expires: Option<u64>,
    unwritten: Unwritten,
    fin: Option<Whole>,

    /// Where this link began.
    began: u64,
    received: u64,
    written: u64,
    durable: u64,
    credit: u64,
    /// How much of the link's memory this transfer uses.
    promised: u64,
    /// How far beyond `written` the credit may reach.
    ahead: u64,
    /// When the offer was accepted, until a chunk answers that.
    accepted: Option<Instant>,
    /// Whether all credit is used up, and only a rate limit prevents more.
    hungry: bool,
    /// The rate limit's count after the bytes that came before the offer was answered, and the earliest time at which
    /// they are paid for.
    owes: Option<(u64, Instant)>,
    duplicate: u64,
    /// How far earlier links had come; what they lost arrives again.
    earlier: Earlier,
    losses: Losses,

    syncing: bool,
    /// What the current or last sync covers.
    synced: u64,
    dirty_since: Option<Instant>,

    heard: Instant,
    pace: Pace,
    /// Since when the sender only says that it is at work.
    working: Option<Instant>,
    tell_finishing: Instant,
    ack: Acks,
    pauses: Pauses,
}

/// What earlier links brought of a file.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Earlier {
    pub(super) received: u64,
    resent: u64,
    /// Where the first of them began.
    resumed: Option<u64>,
}

impl Incoming {
    /// A file is offered. We requested it if `earlier` says anything about earlier links.
    pub(super) fn new(
        now: Instant,
        handle: Handle,
        offer: Offer,
        instance: [u8; 16],
        earlier: Option<Earlier>,
    ) -> (Self, Event) {
        let requested = earlier.is_some();
        let earlier = earlier.unwrap_or_default();
        let offered = Offered {
            id: offer.id,
            name: offer.name.clone(),
            kind: offer.kind,
            length: offer.length,
            mtime_ms: offer.mtime_ms,
            unix_mode: offer.unix_mode,
            validator: offer.validator,
            batch: offer.batch,
            mode: offer.mode,
            epoch_seen: offer.epoch_seen,
            instance,
            requested,
        };
        let incoming = Self {
            handle,
            end: offer.length,
            offer,
            state: State::Opening,
            early: VecDeque::new(),
            early_len: 0,
            expires: None,
            unwritten: Unwritten::default(),
            fin: None,
            began: 0,
            received: 0,
            written: 0,
            durable: 0,
            credit: 0,
            promised: 0,
            ahead: 0,
            accepted: None,
            hungry: false,
            owes: None,
            duplicate: 0,
            earlier,
            losses: Losses::default(),
            syncing: false,
            synced: 0,
            dirty_since: None,
            heard: now,
            pace: Pace::default(),
            working: None,
            tell_finishing: now + FINISHING_EVERY,
            ack: Acks::default(),
            pauses: Pauses::default(),
        };
        (incoming, Event::Offered(offered))
    }

    pub(super) fn handle_link_down(&mut self, cx: &mut Context<'_>) {
        // A file that is being moved into place is not interrupted.
        if !matches!(self.state, State::Finishing { .. }) {
            cx.events.push_back(Event::Detach { id: self.offer.id });
        }
    }

    // ----- what our own application says -----

    pub(super) fn answer(&mut self, cx: &mut Context<'_>, answer: Answer) -> Fate {
        let State::Opening = self.state else { return Fate::Lives };
        self.heard = cx.now;
        let (have, resume, prefix, epoch) = match answer {
            Answer::Take { from, .. } if self.offer.length.is_none() && from > self.bound() => {
                let text = format!("{from} bytes are here, but only {} were sent", self.bound());
                return self.fail(cx, Failure::local(Code::LengthMismatch, text));
            }
            Answer::Take { from, prefix, epoch, expires } => {
                self.state = State::Receiving;
                self.expires = expires;
                (Have::Part, from.min(self.bound()), prefix, epoch)
            }
            Answer::Present { digest } => {
                let Some(length) = self.offer.length else { return self.refuse_present(cx) };
                self.state = State::Present { digest };
                (Have::Present, length, digest, 0)
            }
            Answer::Complete { length, digest } => return self.complete(cx, length, digest, true),
            Answer::Folder { existed } => return self.complete(cx, 0, Digest::of(&[]), existed),
        };
        (self.received, self.written, self.durable, self.synced) = (resume, resume, resume, resume);
        self.began = resume;
        self.earlier.resumed.get_or_insert(resume);
        self.duplicate = self.earlier.resent + self.earlier.received.saturating_sub(resume);
        self.promise_early(cx, resume);
        self.accept(cx, have, resume, prefix, epoch);
        for data in core::mem::take(&mut self.early) {
            if let (State::Receiving, true) =
                (self.state, data.offset + data.payload.len() as u64 > self.received)
            {
                self.take(cx, &data);
                self.note_chunk(cx.now, cx.config);
            }
        }
        self.step(cx)
    }

    /// Nothing is left to send.
    fn complete(&mut self, cx: &mut Context<'_>, length: u64, digest: Digest, deduplicated: bool) -> Fate {
        let whole = Whole { length, digest, deduplicated };
        self.accept(cx, Have::Complete, length, digest, 0);
        self.done(cx, whole)
    }

    fn accept(&mut self, cx: &mut Context<'_>, have: Have, resume: u64, prefix: Digest, epoch: u32) {
        self.extend_credit(cx);
        let accept = Accept {
            resume,
            credit: self.credit.max(resume),
            max_chunk: cx.config.max_chunk,
            epoch,
            expires: self.expires.unwrap_or(0),
            ack_ms: cx.config.ack_delay.as_millis().try_into().unwrap_or(u32::MAX),
            have,
            prefix: (resume > 0).then_some(prefix),
        };
        cx.control(Frame::Accept(self.handle, accept));
        self.accepted = Some(cx.now);
    }

    pub(super) fn written(&mut self, cx: &mut Context<'_>, upto: u64) -> Fate {
        let upto = upto.min(self.received);
        if upto > self.written {
            self.written = upto;
            self.unwritten.handle_written(cx.now, upto);
            self.dirty_since.get_or_insert(cx.now);
            let left = self.credit - self.received;
            if self.credit < self.bound() && left < self.ahead / 2 {
                self.ack.ready = true;
            }
        }
        self.step(cx)
    }

    pub(super) fn commit(&mut self, cx: &mut Context<'_>, safe: u64) -> Fate {
        self.syncing = false;
        if safe > self.durable {
            self.durable = safe.min(self.written);
            self.ack_within(cx.now, cx.config.ack_delay);
        }
        self.step(cx)
    }

    /// Gives up, and tells the sender and the application.
    pub(super) fn fail(&mut self, cx: &mut Context<'_>, mut failure: Failure) -> Fate {
        if self.offer.length.is_none() && failure.is_final() {
            // What came through a pipe cannot be read again: nobody can continue it.
            failure.leftover.get_or_insert(Leftover::Discard);
        }
        self.cancel(cx, &failure);
        let id = self.offer.id;
        cx.events.push_back(match failure.leftover {
            Some(Leftover::Discard) => Event::Discard { id },
            _ => Event::Detach { id },
        });
        cx.events.push_back(Event::Failed { id, failure });
        Fate::Ended
    }

    /// The same, when the application has already released its file.
    pub(super) fn cancel(&mut self, cx: &mut Context<'_>, failure: &Failure) {
        if let Some(link) = &mut cx.link {
            link.close(self.handle);
        }
        cx.control(Frame::Cancel(self.handle, cancel(failure, self.durable)));
    }

    // ----- looks -----

    pub(super) fn progress(&self) -> Progress {
        let Halt { here, there, .. } = self.pauses.halt;
        let stage = match self.state {
            State::Opening => Stage::Opening,
            State::Receiving | State::Present { .. } if self.pauses.halt.is_on() => {
                Stage::Paused { here, there: there.is_some() }
            }
            State::Receiving if self.received < self.bound() => Stage::Moving,
            _ => Stage::Finishing,
        };
        let (received, durable) = match self.state {
            // It may be another file.
            State::Present { .. } => (0, 0),
            _ => (self.received, self.durable),
        };
        Progress { stage, length: self.end, received, durable, resent: self.duplicate }
    }

    /// The length of the file, once known.
    pub(super) fn end(&self) -> Option<u64> {
        self.end
    }

    /// The end of the file, as far as anybody knows: nothing is beyond it.
    fn bound(&self) -> u64 {
        self.end.unwrap_or(MAX_LENGTH)
    }

    pub(super) fn priority(&self) -> u16 {
        self.offer.priority
    }

    /// Whether the file is being verified and moved into place.
    pub(super) fn is_finishing(&self) -> bool {
        matches!(self.state, State::Finishing { .. })
    }

    /// Whether this link continued what was here.
    pub(super) fn went_on(&self) -> bool {
        self.began > 0
    }

    /// What the next link must know about this one.
    pub(super) fn earlier(&self) -> Earlier {
        Earlier {
            received: self.received.max(self.earlier.received),
            resent: self.duplicate.max(self.earlier.resent),
            resumed: self.earlier.resumed,
        }
    }

    // ----- inside -----

    /// Finishes and syncs when due; in this order, since a FIN that is taken back makes a sync due.
    fn step(&mut self, cx: &mut Context<'_>) -> Fate {
        let fate = self.look_at_fin(cx);
        if self.tell_finishing <= cx.now && self.payday().is_some() {
            self.tell_finishing = cx.now + FINISHING_EVERY;
        }
        if fate == Fate::Lives && self.sync_due(cx.config).is_some_and(|due| due <= cx.now) {
            self.syncing = true;
            self.synced = self.written;
            self.dirty_since = None;
            cx.events.push_back(Event::Sync { id: self.offer.id });
        }
        fate
    }
}
