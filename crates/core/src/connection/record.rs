//! What is reported to the application, and what is recorded for the report of the end.

use super::jam::LASTING;
use super::{Connection, Event, Probe};
use crate::Instant;
use crate::closing::{Disconnect, Kind};
use crate::recorder::{CONTROL, Counts, GaveUp, Standing, Timeline, What};
use core::time::Duration;

/// The clock may go back by less than this without being recorded.
const NOISE: Duration = Duration::from_millis(1);

impl Connection {
    /// What has happened so far, for people to read: for a bug report about a connection that has not ended.
    pub fn timeline(&self, now: Instant) -> Timeline {
        let now = now.max(self.now);
        let standing = (!self.closing.is_over()).then_some(if self.closing.is_open() {
            Standing::Open { round_trip: self.rtt().map(Into::into) }
        } else {
            Standing::Closing
        });
        self.timeline_with(now, standing.map(|standing| (now, What::Now(standing))))
    }

    /// Reports an event to the application, and records it if it is remarkable.
    pub(super) fn tell(&mut self, now: Instant, event: Event) {
        match &event {
            Event::Message(_)
            | Event::Piece(_)
            | Event::WriteBlocked { .. }
            | Event::Unblocked { .. }
            | Event::Closed(_) => {}
            Event::Pong { rtt } | Event::Answered { rtt, .. } => self.recorder.round_trip(*rtt),
            Event::Stalled { late } => self.note(now, What::Stalled((*late).into())),
            Event::Resumed { slept } => self.note(now, What::Slept((*slept).into())),
            Event::Doubtful { silent } => self.note(now, What::Doubtful((*silent).into())),
            Event::PeerDoesNotPong => self.note(now, What::PeerDoesNotPong),
            Event::HeartbeatChanged { from, to, why } => {
                let (from, to) = ((*from).into(), (*to).into());
                self.note(now, What::Heartbeat { from, to, why: *why });
            }
            Event::CloseSent(close) => self.note(now, What::CloseSent(close.code())),
            Event::CloseReceived(close) => self.note(now, What::CloseReceived(close.code())),
        }
        self.inbox.push(event);
    }

    /// Records something remarkable, unless all is over.
    pub(super) fn note(&mut self, now: Instant, what: What) {
        if !self.inbox.is_closed() {
            self.recorder.note(now, what, self.counts(), self.crossed());
        }
    }

    /// The transport accepted something: reports it if it had accepted nothing for long.
    pub(super) fn unblock(&mut self, now: Instant) {
        if let Some(over) = self.jam.handle_written(now) {
            self.note(now, What::Full(over.lasted.into()));
            if over.was_told {
                self.tell(now, Event::Unblocked { lasted: over.lasted });
            }
        }
    }

    /// Reading resumed after this long.
    pub(super) fn note_deaf(&mut self, now: Instant, lasted: Duration) {
        if lasted >= LASTING {
            self.note(now, What::Deaf(lasted.into()));
        }
    }

    pub(super) fn note_clock(&mut self, by: Duration) {
        if by >= NOISE {
            self.note(self.now, What::ClockBack(by.into()));
        }
    }

    /// Adds the last entries, and attaches the record to the end.
    pub(super) fn record_end(&mut self, now: Instant, disconnect: Disconnect, queued: u64) -> Disconnect {
        let gave_up = match (disconnect.end(), disconnect.kind()) {
            (Some(end), _) if end.is_write_failure() && disconnect.received().is_none() => {
                Some(GaveUp::NothingToRead)
            }
            (Some(_), _) => None,
            (None, Kind::WriteStall) => Some(GaveUp::NothingTaken),
            (None, Kind::KeepaliveTimeout | Kind::LocalSuspend) => Some(GaveUp::NobodyThere),
            (None, Kind::CloseTimeout | Kind::WeFailed(_)) => Some(GaveUp::CloseUnanswered),
            (None, _) => Some(GaveUp::BothClosed),
        };
        // The sentence already mentions our own Close.
        if queued > CONTROL {
            self.note(now, What::NotLeft(queued));
        }
        if let Some(gave_up) = gave_up {
            self.note(now, What::GaveUp(gave_up));
        }
        let timeline = self.timeline_with(now, None);
        disconnect.with_timeline(timeline)
    }

    fn timeline_with(&self, now: Instant, last: Option<(Instant, What)>) -> Timeline {
        let ping = match self.probe {
            Probe::Answered => None,
            Probe::Queued { since, .. } => Some((since, What::PingWaits)),
            Probe::Left { at, .. } => Some((at, What::PingLeft)),
        };
        let full = self.jam.lasting(now).map(|since| (since, What::StillFull));
        let is_deaf = !self.told_reading && now - self.told_at >= LASTING && !self.closing.is_over();
        let deaf = is_deaf.then_some((self.told_at, What::StillDeaf));
        let open = full.into_iter().chain(deaf).chain(ping).chain(last);
        self.recorder.timeline(open, self.counts(), self.crossed())
    }

    /// When the last byte crossed. An outstanding ping has an entry of its own, which says how long it was silent
    /// before.
    fn crossed(&self) -> Instant {
        match self.probe {
            Probe::Left { at, before } if at == self.closing.crossed() => before,
            _ => self.closing.crossed(),
        }
    }

    fn counts(&self) -> Counts {
        // An outstanding ping has an entry of its own.
        let out = match self.probe {
            Probe::Answered => 0,
            Probe::Queued { waiting, .. } => waiting.into(),
            Probe::Left { .. } => 1,
        };
        self.with_asked(Counts {
            bytes_sent: self.stats.bytes_sent,
            bytes_received: self.stats.bytes_received,
            messages_sent: self.stats.messages_sent as u32,
            messages_received: self.stats.messages_received as u32,
            pings: self.heartbeat.pings().saturating_sub(out) as u32,
            pongs: self.heartbeat.pongs() as u32,
            pings_received: self.stats.pings_received as u32,
        })
    }
}
