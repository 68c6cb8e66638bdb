//! The flight recorder of a connection: the last things that happened to it, and when.
//!
//! Remarkable events are noted one by one, or together if they recur; the traffic between two of them is only summed
//! up. So a connection that has only pinged for hours owns no memory for this, and one with many events owns a few KiB.
//! The record contains no payloads, and nothing else that must stay private.

mod entry;
mod timeline;

#[cfg(test)]
mod tests;
mod told;

pub(crate) use entry::{Counts, GaveUp, Standing, What};
pub use timeline::Timeline;
pub(crate) use told::CONTROL;

use crate::heartbeat::{self, Mode};
use crate::{Instant, Role};
use alloc::vec::Vec;
use core::time::Duration;
use entry::{Entry, Millis, Note, RoundTrips, Routine};

/// How many entries are kept.
const KEPT: usize = 64;

/// What happened to one connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Recorder {
    opening: Opening,
    /// Oldest first.
    entries: Vec<Entry>,
    /// How many older ones were dropped.
    dropped: u32,
    /// The counts when the newest entry was made.
    counted: Counts,
    /// The round trips since then.
    round_trips: RoundTrips,
}

/// How it began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Opening {
    at: Instant,
    role: Role,
    mode: Mode,
    interval: Millis,
    timeout: Millis,
}

impl Recorder {
    pub(crate) fn new(role: Role, heartbeat: &heartbeat::Config, now: Instant) -> Self {
        let (interval, timeout) = (heartbeat.interval.into(), heartbeat.timeout.into());
        Self {
            opening: Opening { at: now, role, mode: heartbeat.mode, interval, timeout },
            entries: Vec::new(),
            dropped: 0,
            counted: Counts::default(),
            round_trips: RoundTrips::NONE,
        }
    }

    /// A ping was answered after this time.
    pub(crate) fn round_trip(&mut self, rtt: Duration) {
        self.round_trips = self.round_trips.with(rtt);
    }

    /// Something remarkable happened. `crossed` is when the last byte before it crossed, and `counts` are the counts so
    /// far.
    pub(crate) fn note(&mut self, now: Instant, what: What, counts: Counts, crossed: Instant) {
        let newest = self.entries.iter_mut().rev().find_map(|entry| match entry {
            Entry::Note(note) => Some(note),
            Entry::Routine(_) => None,
        });
        if newest.is_some_and(|newest| newest.take(now, what)) {
            return;
        }
        self.sum_up(counts, crossed);
        self.push(Entry::Note(Note::new(now, what)));
    }

    /// The whole record; `open` is what has begun and not ended, with its times.
    pub(crate) fn timeline(
        &self,
        open: impl Iterator<Item = (Instant, What)>,
        counts: Counts,
        crossed: Instant,
    ) -> Timeline {
        let mut whole = self.clone();
        whole.sum_up(counts, crossed);
        let open = open.map(|(since, what)| Entry::Note(Note::new(since, what)));
        whole.entries.extend(open);
        Timeline::new(whole)
    }

    #[cfg(test)]
    pub(crate) fn memory(&self) -> usize {
        self.entries.capacity() * size_of::<Entry>()
    }

    /// Adds an entry for the routine traffic since the newest entry.
    fn sum_up(&mut self, counts: Counts, crossed: Instant) {
        let sums = counts.since(&self.counted);
        if sums != Counts::default() {
            let round_trips = core::mem::replace(&mut self.round_trips, RoundTrips::NONE);
            self.push(Entry::Routine(Routine { until: crossed, sums, round_trips }));
        }
        self.counted = counts;
    }

    fn push(&mut self, entry: Entry) {
        if self.entries.len() >= KEPT {
            self.entries.remove(0);
            self.dropped = self.dropped.saturating_add(1);
        }
        self.entries.push(entry);
    }
}
