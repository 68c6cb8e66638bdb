//! Requested files: from REQUEST to the offer, and back if the offer fails.

use super::event::{Event, Failure, Progress, Stage};
use super::pace::longest_work;
use super::places::asks_for_all;
use super::receive::{Earlier, Incoming};
use super::send::WORKING_EVERY;
use super::tries::Tries;
use super::wire::{Handle, Offer, Phase};
use super::{ByteRange, Code, Kind, Leftover, TransferId, Transfers, What};
use crate::Instant;
use crate::words::Span;
use alloc::format;
use core::time::Duration;

/// After how long a file is requested again if nothing of it is left here.
const ANEW: Duration = Duration::from_secs(1);

/// A file that we requested.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) what: What,
    /// For a listing this is the whole.
    pub(super) range: ByteRange,
    /// Its failures since something of it last arrived.
    tries: Tries,
    /// Whether it was ever offered, even to an earlier process: a part of it may be here.
    pub(super) was_offered: bool,
    pub(super) state: Asking,
    pub(super) earlier: Earlier,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Asking {
    /// For a link, or for the time of another attempt.
    Waiting { until: Option<Instant> },
    /// REQUEST left at `since`. `heard` is when the peer was last heard about it, if it was.
    Asked { handle: Handle, since: Instant, heard: Instant },
    /// The offer has arrived.
    Offered,
}

/// What the peer requested, and we have not offered yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub(super) handle: Handle,
    /// Whether it was offered on an earlier link.
    pub(super) again: bool,
    /// When we last told the peer that we are at work on it.
    pub(super) told: Instant,
}

impl Asked {
    pub(super) fn deadline(self) -> Instant {
        self.told + WORKING_EVERY
    }
}

impl Wanted {
    pub(super) fn new(what: What, range: ByteRange, was_offered: bool) -> Self {
        let state = Asking::Waiting { until: None };
        Self { what, range, tries: Tries::default(), was_offered, state, earlier: Earlier::default() }
    }

    /// The failure if an offer does not match: a listing must be a listing, and a part must be a file no longer than
    /// what was requested.
    pub(super) fn mismatch(&self, offer: &Offer) -> Option<Failure> {
        let range = self.range;
        if matches!(self.what, What::Listing(_)) && offer.kind != Kind::Listing {
            return Some(Failure::local(Code::Protocol, "a listing was asked for, but something else came"));
        }
        if !range.is_whole() && offer.kind != Kind::File {
            return Some(Failure::local(
                Code::Protocol,
                "a part of a file was asked for, but something else came",
            ));
        }
        let text = match offer.length {
            Some(length) if !range.admits(length) => format!("{length} bytes are offered for bytes {range}"),
            None if !range.is_whole() => format!("an unknown length is offered for bytes {range}"),
            _ => return None,
        };
        Some(Failure::local(Code::LengthMismatch, text))
    }

    /// Its progress before it is offered.
    pub(super) fn progress(&self, is_paused: bool) -> Progress {
        let stage = match self.state {
            _ if is_paused => Stage::Paused { here: true, there: false },
            Asking::Asked { .. } => Stage::Opening,
            Asking::Waiting { .. } | Asking::Offered => Stage::Waiting,
        };
        Progress { stage, length: None, received: 0, durable: 0, resent: 0 }
    }

    /// Since when we wait for the peer without hearing from it.
    pub(super) fn awaits_since(&self) -> Option<Instant> {
        if let Asking::Asked { heard, .. } = self.state { Some(heard) } else { None }
    }

    /// Whether it may be requested at once.
    pub(super) fn waits(&self) -> bool {
        matches!(self.state, Asking::Waiting { until: None })
    }

    /// Our side has resumed it: the time of another attempt may have passed meanwhile. Returns whether it may be
    /// requested at once.
    pub(super) fn wake(&mut self, now: Instant) -> bool {
        if let Asking::Waiting { until } = &mut self.state {
            *until = until.filter(|until| *until > now);
        }
        self.waits()
    }

    /// Whether it waits for a place at a busy peer.
    pub(super) fn wants_place(&self) -> bool {
        matches!(self.state, Asking::Waiting { .. }) && self.tries.wants_place()
    }

    /// Lets it be requested at once.
    pub(super) fn hurry(&mut self) {
        if let Asking::Waiting { until } = &mut self.state {
            *until = None;
        }
    }

    /// A link has brought this much of it.
    pub(super) fn learn(&mut self, earlier: Earlier) {
        self.tries.handle_received(earlier.received);
        self.earlier = earlier;
    }
}

/// Whether the sender says that the part here is no longer of use.
fn is_discarded(failure: &Failure) -> bool {
    let is_gone = failure.leftover == Some(Leftover::Discard);
    failure.by_peer && failure.code == Code::SourceChanged && is_gone
}

/// The failure if nothing was offered for `silent`. `at_work` says whether the peer reported that it is.
fn unanswered(what: &What, silent: Duration, at_work: bool) -> Failure {
    let silent = Span(silent);
    let text = match what {
        What::Named(_) => format!("no answer for {silent}"),
        What::Listing(_) if at_work => {
            format!("the listing has not come after {silent}, although the other end was working on it")
        }
        What::Listing(_) => format!(
            "the other end has said nothing about the listing for {silent}, not even that it is working on it"
        ),
    };
    Failure::local(Code::Stalled, text)
}

impl Transfers {
    /// An incoming transfer has ended, and one of its events says how; a file that we requested may be requested again.
    pub(super) fn forget_incoming(&mut self, id: TransferId) {
        self.ask_again_or_forget(id);
        self.note(id);
        if !self.wanted.contains_key(&id) {
            self.try_sooner();
        }
    }

    fn ask_again_or_forget(&mut self, id: TransferId) {
        let incoming = self.incoming.remove(&id);
        self.leave_shares(id);
        if let (Some(incoming), Some(link)) = (&incoming, &mut self.link) {
            incoming.release(link);
        }
        let Some(mut wanted) = self.wanted.remove(&id) else {
            self.paused.remove(&id);
            return;
        };
        let paused = self.paused.remove(&id);
        let went_on = incoming.as_ref().is_some_and(Incoming::went_on);
        if let Some(incoming) = incoming {
            wanted.learn(incoming.earlier());
        }
        // Others may have ended since: several may end at the same moment.
        let is_end = |event: &&mut Event| match event {
            Event::Done { id: ended, .. } | Event::Failed { id: ended, .. } => *ended == id,
            _ => false,
        };
        let Some(end) = self.events.iter_mut().rev().find(is_end) else { return };
        let Event::Failed { failure, .. } = &*end else { return };
        let asks_for_all = asks_for_all(self.now, &self.put_off);
        let again = if went_on && is_discarded(failure) && self.config.attempts > 0 {
            // The part here is not the beginning of what is there: it was damaged, or the file has changed. Everything
            // is new.
            wanted.earlier = Earlier::default();
            Some(ANEW)
        } else {
            wanted.tries.again(self.now, failure, &self.config, asks_for_all)
        };
        let Some(after) = again else { return };
        let failure = failure.clone();
        *end = Event::Retrying { id, failure, after };
        wanted.state = Asking::Waiting { until: Some(self.now + after) };
        self.wanted.insert(id, wanted);
        if paused {
            self.paused.insert(id);
        }
    }

    pub(super) fn wanted_deadline(&self, id: TransferId, wanted: &Wanted) -> Option<Instant> {
        match wanted.state {
            Asking::Waiting { until } => until.filter(|_| !self.is_paused(id)),
            Asking::Asked { heard, .. } => Some(heard + self.config.stall_timeout),
            Asking::Offered => None,
        }
    }

    /// A deadline of this transfer was reached, [ours](Self::wanted_deadline) or not; does nothing if we did not
    /// request it.
    pub(super) fn wanted_timeout(&mut self, id: TransferId) {
        let now = self.now;
        let Some(wanted) = self.wanted.get_mut(&id) else { return };
        match &mut wanted.state {
            // Otherwise it has just been put off.
            Asking::Waiting { until } if until.is_some_and(|until| until <= now) => {
                *until = None;
                self.asking.push_back(id);
            }
            Asking::Asked { handle, since, heard } => {
                let (handle, failure) = (*handle, unanswered(&wanted.what, now - *since, heard > since));
                if matches!(wanted.what, What::Listing(_)) {
                    // A peer that makes a listing says so; asking again would not help.
                    self.wanted.remove(&id);
                }
                self.refuse_open(handle, &failure);
                self.events.push_back(Event::Failed { id, failure });
                self.forget_incoming(id);
            }
            _ => {}
        }
    }

    /// The peer is at work on our request: listing a large folder takes a while.
    pub(super) fn handle_looking(&mut self, id: TransferId) {
        let now = self.now;
        let Some(Wanted { state: Asking::Asked { since, heard, .. }, .. }) = self.wanted.get_mut(&id) else {
            return;
        };
        if now - *since <= longest_work(0) {
            *heard = now;
        }
        self.note(id);
    }

    /// What the peer requested is answered.
    pub(super) fn take_asked(&mut self, id: TransferId) -> Option<Asked> {
        let asked = self.asked.remove(&id)?;
        self.note(id);
        Some(asked)
    }

    /// Tells the peer that we are at work on its request, if it is time.
    pub(super) fn asked_timeout(&mut self, id: TransferId) {
        let now = self.now;
        let Some(asked) = self.asked.get_mut(&id).filter(|asked| asked.deadline() <= now) else { return };
        asked.told = now;
        if let Some(link) = &mut self.link {
            link.tell_working(asked.handle, Phase::Verify);
        }
    }

    /// The link is gone: what was requested is requested first on the next one.
    pub(super) fn ask_all_again(&mut self) {
        for (id, wanted) in self.wanted.iter_mut().rev().filter(|(_, wanted)| !wanted.waits()) {
            wanted.state = Asking::Waiting { until: None };
            self.asking.push_front(*id);
        }
    }
}
