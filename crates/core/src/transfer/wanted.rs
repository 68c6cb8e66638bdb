//! Files that we asked for: from REQUEST to the offer, and back if the offer comes to nothing.

use super::event::{Event, Failure, Progress, Stage};
use super::pace::longest_work;
use super::places::asks_for_all;
use super::receive::{Earlier, Incoming};
use super::send::WORKING_EVERY;
use super::tries::Tries;
use super::wire::{Handle, Offer, Phase};
use super::{ByteRange, Code, Kind, Leftover, TransferId, Transfers, What};
use crate::Instant;
use alloc::format;
use core::time::Duration;

/// When a file is asked for again of which nothing is here any more.
const ANEW: Duration = Duration::from_secs(1);

/// A file that we asked for.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) what: What,
    /// Of a listing it is the whole.
    pub(super) range: ByteRange,
    /// What it has come to since something of it came last.
    tries: Tries,
    /// Whether it has ever been offered, also to an earlier process: something of it may be here.
    pub(super) was_offered: bool,
    pub(super) state: Asking,
    pub(super) earlier: Earlier,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Asking {
    /// For a link, or for the time of another try.
    Waiting { until: Option<Instant> },
    /// REQUEST is out `since` then. When the peer was `heard` of last about it, if it was.
    Asked { handle: Handle, since: Instant, heard: Instant },
    /// The offer has come.
    Offered,
}

/// What the peer asked us for, and we have not offered yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub(super) handle: Handle,
    /// It was offered on an earlier link.
    pub(super) again: bool,
    /// When the peer was told last that we are at work on it.
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

    /// What is wrong with an offer that comes for it: a listing is one, and a part is a file, and not longer than what was
    /// asked for.
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

    /// How far it is before it is offered.
    pub(super) fn progress(&self, is_paused: bool) -> Progress {
        let stage = match self.state {
            _ if is_paused => Stage::Paused { here: true, there: false },
            Asking::Asked { .. } => Stage::Opening,
            Asking::Waiting { .. } | Asking::Offered => Stage::Waiting,
        };
        Progress { stage, length: None, received: 0, durable: 0, resent: 0 }
    }

    /// Since when the peer is waited for, and was not heard of.
    pub(super) fn awaits_since(&self) -> Option<Instant> {
        if let Asking::Asked { heard, .. } = self.state { Some(heard) } else { None }
    }

    /// Whether it may be asked for at once.
    pub(super) fn waits(&self) -> bool {
        matches!(self.state, Asking::Waiting { until: None })
    }

    /// Our side has resumed it: the time of another try may have passed meanwhile. Says whether it may be asked for at
    /// once.
    pub(super) fn wake(&mut self, now: Instant) -> bool {
        if let Asking::Waiting { until } = &mut self.state {
            *until = until.filter(|until| *until > now);
        }
        self.waits()
    }

    /// Whether it waits for a place at an end that is busy.
    pub(super) fn wants_place(&self) -> bool {
        matches!(self.state, Asking::Waiting { .. }) && self.tries.wants_place()
    }

    /// It may be asked for at once.
    pub(super) fn hurry(&mut self) {
        if let Asking::Waiting { until } = &mut self.state {
            *until = None;
        }
    }

    /// A link has brought so much of it.
    pub(super) fn learn(&mut self, earlier: Earlier) {
        self.tries.handle_received(earlier.received);
        self.earlier = earlier;
    }
}

/// Whether the sender says that what is here is of no use any more.
fn is_discarded(failure: &Failure) -> bool {
    let is_gone = failure.leftover == Some(Leftover::Discard);
    failure.by_peer && failure.code == Code::SourceChanged && is_gone
}

/// What was asked for was not offered in `silent`. `at_work`: the peer has said that it is.
fn unanswered(what: &What, silent: Duration, at_work: bool) -> Failure {
    let silent = silent.as_secs();
    let text = match what {
        What::Named(_) => format!("no answer for {silent} s"),
        What::Listing(_) if at_work => {
            format!("the listing has not come after {silent} s, although the other end was working on it")
        }
        What::Listing(_) => format!(
            "the other end has said nothing about the listing for {silent} s, not even that it is working on it"
        ),
    };
    Failure::local(Code::Stalled, text)
}

impl Transfers {
    /// An incoming transfer has ended, well or badly, and an event of it says how; a file that we asked for may be
    /// asked for again.
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
        // Others may have ended since: several do in the same moment.
        let is_end = |event: &&mut Event| match event {
            Event::Done { id: ended, .. } | Event::Failed { id: ended, .. } => *ended == id,
            _ => false,
        };
        let Some(end) = self.events.iter_mut().rev().find(is_end) else { return };
        let Event::Failed { failure, .. } = &*end else { return };
        let asks_for_all = asks_for_all(self.now, &self.put_off);
        let again = if went_on && is_discarded(failure) && self.config.attempts > 0 {
            // What was here is not the beginning of what is there: it was damaged, or that has changed. All of it is new.
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

    /// The time of this transfer has come, be it [ours](Self::wanted_deadline) or not, if it is one that we asked for.
    pub(super) fn wanted_timeout(&mut self, id: TransferId) {
        let now = self.now;
        let Some(wanted) = self.wanted.get_mut(&id) else { return };
        match &mut wanted.state {
            // If not, it has just been put off.
            Asking::Waiting { until } if until.is_some_and(|until| until <= now) => {
                *until = None;
                self.asking.push_back(id);
            }
            Asking::Asked { handle, since, heard } => {
                let (handle, failure) = (*handle, unanswered(&wanted.what, now - *since, heard > since));
                if matches!(wanted.what, What::Listing(_)) {
                    // Whoever makes one says so, and does not get further by being asked again.
                    self.wanted.remove(&id);
                }
                self.refuse_open(handle, &failure);
                self.events.push_back(Event::Failed { id, failure });
                self.forget_incoming(id);
            }
            _ => {}
        }
    }

    /// The peer is at work on what we asked for: a large folder takes a while to be listed.
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

    /// What the peer asked for is answered.
    pub(super) fn take_asked(&mut self, id: TransferId) -> Option<Asked> {
        let asked = self.asked.remove(&id)?;
        self.note(id);
        Some(asked)
    }

    /// Tells the peer that we are at work on what it asked for, if it is time.
    pub(super) fn asked_timeout(&mut self, id: TransferId) {
        let now = self.now;
        let Some(asked) = self.asked.get_mut(&id).filter(|asked| asked.deadline() <= now) else { return };
        asked.told = now;
        if let Some(link) = &mut self.link {
            link.tell_working(asked.handle, Phase::Verify);
        }
    }

    /// The link is gone: what was asked for is asked for first on the next one.
    pub(super) fn ask_all_again(&mut self) {
        for (id, wanted) in self.wanted.iter_mut().rev().filter(|(_, wanted)| !wanted.waits()) {
            wanted.state = Asking::Waiting { until: None };
            self.asking.push_front(*id);
        }
    }
}
