//! What two applications do, what their hosts are like, and what happens to the path between them.

use crate::fuzz::choice::{Blob, Many, Span, choice};
use crate::sim::{Link, Path, Then};
use bowline_core::{End, Instant, Role};
use std::time::Duration;

choice! {
    struct Affair {
        way: Way,
        client: Manner,
        server: Manner,
        acts: Many<Act>,
        faults: Many<Fault>,
    }
}

choice! {
    /// A path that is never so slow that a ping would have to wait for long.
    struct Way {
        /// In milliseconds.
        latency: u8,
        /// In steps of 100 kB/s.
        rate: Option<u8>,
        /// In addition to 100 bytes: with fewer, a run takes seconds and shows nothing else.
        segment: u16,
        /// In addition to 1000 bytes.
        buffers: u16,
    }
}

choice! {
    /// What a host is like.
    struct Manner {
        /// It reads and writes in pieces with this seed.
        pieces: Option<u8>,
        /// Its timers fire this late.
        late: Span,
        writes_first: bool,
        clock_steps_back: bool,
    }
}

choice! {
    struct Act {
        /// This long after the previous one.
        after: Span,
        by_client: bool,
        what: What,
    }
}

choice! {
    enum What {
        Text(letters: Blob),
        Binary(len: u16),
        Close(which: u8),
        Fail,
        Abort,
        /// The application takes its events, or leaves them.
        Listen(listens: bool),
        /// The process does not run, until this time is over or it does something else.
        Sleep(span: Span),
        /// The machine reports that it slept.
        Wake(span: Span),
    }
}

choice! {
    enum Fault {
        /// The connection is cut after this many bytes of one side.
        Cut(from_client: bool, bytes: u16, reset: bool),
        /// From this time on nothing gets through, in one or both directions.
        Swallow(from_client: bool, both: bool, at: Span),
        /// Something on the path drops silent connections.
        Idle(after: Span, then: u8),
        /// One byte arrives with these bits flipped.
        Damage(from_client: bool, byte: u16, bits: u8),
    }
}

/// No story takes longer than some hours.
pub(super) fn at_most_an_hour(span: Span) -> Duration {
    span.0.min(Duration::from_secs(3600))
}

pub(super) fn role(is_client: bool) -> Role {
    if is_client { Role::Client } else { Role::Server }
}

impl Affair {
    pub(super) fn link(&self) -> Link {
        let rate = self.way.rate.map(|rate| 100_000 * (u64::from(rate) + 1));
        let buffers = 1000 + usize::from(self.way.buffers);
        let path = Path {
            segment: 100 + usize::from(self.way.segment),
            send_buffer: buffers,
            receive_buffer: buffers,
            ..Path::new(Duration::from_millis(self.way.latency.into()), rate)
        };
        let mut link = Link::new(path, Instant::ZERO);
        for fault in &self.faults.0 {
            fault.strike(&mut link);
        }
        link
    }
}

impl Fault {
    fn strike(&self, link: &mut Link) {
        match self {
            Self::Cut(from_client, bytes, reset) => {
                let end = if *reset { End::Reset } else { End::Eof };
                link.cut_after(role(*from_client), (*bytes).into(), end);
            }
            Self::Swallow(from_client, both, at) => {
                let at = Instant::ZERO + at_most_an_hour(*at);
                link.swallow(role(*from_client), at);
                if *both {
                    link.swallow(role(!*from_client), at);
                }
            }
            Self::Idle(after, then) => {
                let thens = [Then::Finish, Then::Reset, Then::Swallow, Then::ResetLater];
                link.drop_idle(at_most_an_hour(*after), thens[usize::from(*then % 4)]);
            }
            Self::Damage(from_client, byte, bits) => {
                link.damage(role(*from_client), (*byte).into(), *bits);
            }
        }
    }
}
