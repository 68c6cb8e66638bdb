//! What a client reports of its link.

use std::fmt;
use std::time::Duration;

use bowline_core::closing::Span;
use bowline_core::transfer::{Failure, SafeName};
use bowline_core::{Disconnect, Instant, connection};

/// The state of a client's link. `I` is an instant of whatever clock the reader uses.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum LinkState<I = Instant> {
    /// It is being dialled.
    Dialing {
        /// The number of the attempt in this outage, from 1.
        attempt: u32,
    },
    /// It is up.
    Up,
    /// It is down, and will be dialled later.
    Waiting {
        /// The number of that attempt in this outage, from 1.
        attempt: u32,
        /// When.
        until: I,
        /// Why it is down, in one sentence.
        why: String,
    },
    /// It is down for good: it will not be dialled again, or the client was closed.
    Ended {
        /// Why, in one sentence.
        why: String,
    },
}

impl<I> LinkState<I> {
    /// The same, with its time converted to another clock.
    pub fn map<J>(self, time: impl FnOnce(I) -> J) -> LinkState<J> {
        match self {
            Self::Dialing { attempt } => LinkState::Dialing { attempt },
            Self::Up => LinkState::Up,
            Self::Waiting { attempt, until, why } => LinkState::Waiting { attempt, until: time(until), why },
            Self::Ended { why } => LinkState::Ended { why },
        }
    }
}

impl<I> fmt::Display for LinkState<I> {
    /// In words, for a person who looks at it: `connecting, attempt 2`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dialing { attempt } => connecting(f, *attempt),
            Self::Up => f.write_str("connected"),
            Self::Waiting { why, .. } => write!(f, "not connected, will connect again: {why}"),
            Self::Ended { why } => write!(f, "not connected: {why}"),
        }
    }
}

/// An event in the life of a client's link.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum LinkEvent {
    /// It is up.
    Up {
        /// The number of this link of the client, from 1.
        link: u32,
    },
    /// It is down; the disconnect says why in one sentence.
    Down {
        /// Everything known about the end.
        disconnect: Disconnect,
    },
    /// It is being dialled.
    Dialing {
        /// The number of the attempt in this outage, from 1.
        attempt: u32,
    },
    /// A dial failed; the disconnect says why in one sentence, in the same form as for the end of a link.
    DialFailed {
        /// The number of the attempt in this outage, from 1.
        attempt: u32,
        /// Whose fault it was, what kind of failure, and what to do.
        disconnect: Disconnect,
    },
    /// The link is up, but silent, and something is waiting for it: a second one is being dialled next to it. The one
    /// that carries something first is kept: [`Down`](Self::Down) and [`Up`](Self::Up) follow if that is the second.
    DialingBeside,
    /// The second link could not be opened. The first one is still up, and may or may not be dead.
    DialBesideFailed {
        /// Whose fault it was, and what kind of failure.
        disconnect: Disconnect,
    },
    /// The second link is open, but the first one is no longer in doubt: the first is kept, and the second closed.
    Kept,
    /// The next dial comes after this time.
    Waiting {
        /// The number of that attempt in this outage, from 1.
        attempt: u32,
        /// How long until then.
        delay: Duration,
    },
    /// There will be no more dials.
    GaveUp {
        /// Why, in one sentence.
        why: String,
        /// Whether there ever was a link.
        reached: bool,
    },
    /// The transfer of this file cannot continue at the moment; it will be tried again after this time.
    Retrying {
        /// The file.
        name: SafeName,
        /// Why.
        failure: Failure,
        /// How long until then.
        delay: Duration,
    },
    /// Something else that the connection has reported.
    Notice(connection::Event),
}

impl fmt::Display for LinkEvent {
    /// In words, on one line, for a log or a person: `connecting again in 1.5 s`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Up { link: 1 } => f.write_str("connected"),
            Self::Up { link } => write!(f, "connected again, link {link}"),
            Self::Down { disconnect } => write!(f, "disconnected: {disconnect}"),
            Self::Dialing { attempt } => connecting(f, *attempt),
            Self::DialFailed { disconnect, .. } => write!(f, "not reachable: {disconnect}"),
            Self::DialingBeside => {
                f.write_str("the connection is silent: connecting a second time beside it")
            }
            Self::DialBesideFailed { disconnect } => {
                write!(f, "the second connection could not be opened: {disconnect}")
            }
            Self::Kept => f.write_str("the connection carries again: the second one is closed"),
            Self::Waiting { delay, .. } => write!(f, "connecting again in {}", Span(*delay)),
            Self::GaveUp { why, .. } => f.write_str(why),
            Self::Retrying { name, failure, delay } => {
                write!(f, "{name} waits for {}: {failure}", Span(*delay))
            }
            Self::Notice(event) => event.fmt(f),
        }
    }
}

fn connecting(f: &mut fmt::Formatter<'_>, attempt: u32) -> fmt::Result {
    match attempt {
        1 => f.write_str("connecting"),
        attempt => write!(f, "connecting, attempt {attempt}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bowline_core::closing::Obstacle;
    use bowline_core::transfer::Code;

    const SECONDS: Duration = Duration::from_millis(1500);

    fn refused() -> Disconnect {
        Disconnect::connect_failed(Obstacle::Refused, "nothing is listening")
    }

    #[test]
    fn states_are_told_in_words() {
        let why = || "nothing is listening".to_owned();
        let told = [
            (LinkState::Dialing { attempt: 1 }, "connecting"),
            (LinkState::Dialing { attempt: 2 }, "connecting, attempt 2"),
            (LinkState::Up, "connected"),
            (
                LinkState::Waiting { attempt: 2, until: (), why: why() },
                "not connected, will connect again: nothing is listening",
            ),
            (LinkState::Ended { why: why() }, "not connected: nothing is listening"),
        ];
        for (state, words) in told {
            assert_eq!(state.to_string(), words);
        }
    }

    #[test]
    fn events_are_told_in_words() {
        let name = SafeName::parse("tea.txt").expect("a name");
        let failure = Failure::local(Code::Busy, "no place is free");
        let told = [
            (LinkEvent::Up { link: 1 }, "connected"),
            (LinkEvent::Up { link: 3 }, "connected again, link 3"),
            (LinkEvent::Down { disconnect: refused() }, "disconnected: nothing is listening"),
            (LinkEvent::Dialing { attempt: 1 }, "connecting"),
            (LinkEvent::Dialing { attempt: 2 }, "connecting, attempt 2"),
            (
                LinkEvent::DialFailed { attempt: 2, disconnect: refused() },
                "not reachable: nothing is listening",
            ),
            (LinkEvent::DialingBeside, "the connection is silent: connecting a second time beside it"),
            (
                LinkEvent::DialBesideFailed { disconnect: refused() },
                "the second connection could not be opened: nothing is listening",
            ),
            (LinkEvent::Kept, "the connection carries again: the second one is closed"),
            (LinkEvent::Waiting { attempt: 2, delay: SECONDS }, "connecting again in 1.5 s"),
            (
                LinkEvent::GaveUp { why: "the client was closed".to_owned(), reached: true },
                "the client was closed",
            ),
            (
                LinkEvent::Retrying { name, failure, delay: SECONDS },
                "tea.txt waits for 1.5 s: no place is free",
            ),
            (
                LinkEvent::Notice(connection::Event::Stalled { late: SECONDS }),
                "this process did not run for 1.5 s",
            ),
        ];
        for (event, words) in told {
            assert_eq!(event.to_string(), words);
        }
    }
}
