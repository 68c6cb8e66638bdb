//! What is recorded. It is small, because a server has many connections.

use crate::connection::Lesson;
use crate::{CloseCode, End, Instant};
use core::time::Duration;

/// Something remarkable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// A timer fired this late.
    Stalled(Range),
    /// The machine slept.
    Slept(Range),
    /// The given time was before an earlier one by this much.
    ClockBack(Range),
    /// The transport accepted nothing for this long although there was something to write.
    Full(Range),
    /// ... and still does not accept anything.
    StillFull,
    /// Nobody read from the transport for this long.
    Deaf(Range),
    /// ... and still nobody does.
    StillDeaf,
    /// Nothing has arrived for this long, and a ping has not been answered.
    Doubtful(Millis),
    PeerDoesNotPong,
    Heartbeat {
        from: Millis,
        to: Millis,
        why: Lesson,
    },
    /// A heartbeat ping left, and nothing has arrived since.
    PingLeft,
    /// A heartbeat ping was queued, and could not leave.
    PingWaits,
    /// Our application closed the connection.
    Asked(CloseCode),
    /// We could not continue.
    Failed(CloseCode),
    CloseSent(CloseCode),
    CloseReceived(CloseCode),
    TransportEnded(End),
    /// This many bytes of messages were still queued at the end.
    NotLeft(u64),
    GaveUp(GaveUp),
    /// Another connection took the place of this one.
    GaveWay,
    /// It continues; this is when the timeline was read.
    Now(Standing),
}

/// Why we dropped a transport that had not ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GaveUp {
    NobodyThere,
    CloseUnanswered,
    NothingTaken,
    NothingToRead,
    BothClosed,
}

/// The state of a connection that has not ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Open { round_trip: Option<Micros> },
    Closing,
}

/// Milliseconds, up to seven weeks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Millis(u32);

/// Microseconds, up to an hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Micros(u32);

/// The shortest and the longest of some durations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    pub(super) least: Millis,
    pub(super) most: Millis,
}

/// A remarkable event and its time, or several of the same kind in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Note {
    pub(super) first: Instant,
    pub(super) last: Instant,
    pub(super) times: u32,
    pub(super) what: What,
}

/// What crossed while nothing remarkable happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Routine {
    /// When the last byte crossed.
    pub(super) until: Instant,
    pub(super) sums: Counts,
    pub(super) round_trips: RoundTrips,
}

/// The shortest and the longest of some round trips. While there are none, the shortest is greater than the longest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RoundTrips {
    pub(super) least: Micros,
    pub(super) most: Micros,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    Routine(Routine),
    Note(Note),
}

/// What a connection counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) bytes_sent: u64,
    pub(crate) bytes_received: u64,
    pub(crate) messages_sent: u32,
    pub(crate) messages_received: u32,
    /// Pings of our heartbeat, ...
    pub(crate) pings: u32,
    /// ... and how many of them were answered by a Pong.
    pub(crate) pongs: u32,
    /// Pings of the peer.
    pub(crate) pings_received: u32,
}

impl What {
    /// Both as one, if they are of a kind that recurs.
    fn merged(self, other: Self) -> Option<Self> {
        Some(match (self, other) {
            (Self::Stalled(a), Self::Stalled(b)) => Self::Stalled(a.with(b)),
            (Self::Slept(a), Self::Slept(b)) => Self::Slept(a.with(b)),
            (Self::ClockBack(a), Self::ClockBack(b)) => Self::ClockBack(a.with(b)),
            (Self::Full(a), Self::Full(b)) => Self::Full(a.with(b)),
            (Self::Deaf(a), Self::Deaf(b)) => Self::Deaf(a.with(b)),
            _ => return None,
        })
    }
}

impl Note {
    pub(super) fn new(at: Instant, what: What) -> Self {
        Self { first: at, last: at, times: 1, what }
    }

    /// How long it had lasted when it was noted, at most.
    pub(super) fn lasted(&self) -> Duration {
        match self.what {
            What::Stalled(lasted) | What::Slept(lasted) | What::Full(lasted) | What::Deaf(lasted) => {
                lasted.most.into()
            }
            _ => Duration::ZERO,
        }
    }

    /// Merges another one into this if it is of the same kind; returns whether it did.
    pub(super) fn take(&mut self, at: Instant, what: What) -> bool {
        let merged = self.what.merged(what);
        if let Some(what) = merged {
            (self.what, self.last, self.times) = (what, at, self.times.saturating_add(1));
        }
        merged.is_some()
    }
}

impl Counts {
    /// What was counted since `earlier`.
    pub(super) fn since(&self, earlier: &Self) -> Self {
        Self {
            bytes_sent: self.bytes_sent - earlier.bytes_sent,
            bytes_received: self.bytes_received - earlier.bytes_received,
            messages_sent: self.messages_sent.wrapping_sub(earlier.messages_sent),
            messages_received: self.messages_received.wrapping_sub(earlier.messages_received),
            pings: self.pings.wrapping_sub(earlier.pings),
            pongs: self.pongs.wrapping_sub(earlier.pongs),
            pings_received: self.pings_received.wrapping_sub(earlier.pings_received),
        }
    }
}

impl RoundTrips {
    pub(super) const NONE: Self = Self { least: Micros(u32::MAX), most: Micros(0) };

    pub(super) fn with(self, rtt: Duration) -> Self {
        let rtt = Micros::from(rtt);
        Self { least: self.least.min(rtt), most: self.most.max(rtt) }
    }

    pub(super) fn is_none(self) -> bool {
        self.least > self.most
    }
}

impl Range {
    fn with(self, other: Self) -> Self {
        Self { least: self.least.min(other.least), most: self.most.max(other.most) }
    }
}

impl From<Duration> for Range {
    fn from(duration: Duration) -> Self {
        let millis = Millis::from(duration);
        Self { least: millis, most: millis }
    }
}

impl From<Duration> for Millis {
    fn from(duration: Duration) -> Self {
        Self(u32::try_from(duration.as_millis()).unwrap_or(u32::MAX))
    }
}

impl From<Millis> for Duration {
    fn from(millis: Millis) -> Self {
        Self::from_millis(millis.0.into())
    }
}

impl From<Duration> for Micros {
    fn from(duration: Duration) -> Self {
        Self(u32::try_from(duration.as_micros()).unwrap_or(u32::MAX))
    }
}

impl From<Micros> for Duration {
    fn from(micros: Micros) -> Self {
        Self::from_micros(micros.0.into())
    }
}
