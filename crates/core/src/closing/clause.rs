//! The second half of the sentence: what the Close frames do not say.

use super::close::Close;
use super::evidence::{Cut, End, Ping};
use super::suspect::{Limit, Suspect};
use super::traffic::NOTABLE;
use crate::frame::Opcode;
use crate::words::{OneLine, Secs, Size};
use alloc::string::String;
use core::fmt;
use core::time::Duration;

/// One clause, with the facts that it states.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Clause {
    /// The Close frames say it all.
    Nothing,
    /// Both sides closed, but our Close was still queued.
    NotLeft,
    FoundAfterFailedWrite,
    /// We failed the connection, and our Close frame did not say so.
    Failed(Close),
    Ended {
        end: Ended,
        cut: Cut,
        incomplete_message: u64,
        announced: bool,
        /// How long nothing had crossed, if that is long enough to mention.
        silence: Option<Duration>,
        hint: Hint,
    },
    Idle {
        end: Ended,
        idle: Duration,
        limit: Option<&'static Limit>,
        seen_before: bool,
    },
    Forgotten {
        end: Ended,
        silence: Duration,
        limit: Option<&'static Limit>,
        seen_before: bool,
    },
    Lifetime {
        age: Duration,
        idle: Duration,
        limit: Option<&'static Limit>,
        seen_before: bool,
    },
    Dead {
        silent: Duration,
        ping: Ping,
        hint: Hint,
    },
    Stuck {
        lasted: Duration,
        queued: u64,
    },
    Suspended {
        lasted: Duration,
        ago: Duration,
    },
    /// The peer gave up on us because this process did not run for so long.
    Slept(Duration),
    Unanswered(Duration),
    /// There was no connection; these are the words of whoever tried to make one.
    Unopened(String),
}

/// How the transport ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ended {
    pub(super) end: End,
    /// A write failed before. The system reports a reset only once, so the reading side may see no more than an EOF.
    pub(super) after_failed_write: bool,
}

/// What the way it ended suggests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hint {
    Nothing,
    CloseNotLeft,
    NeverPonged { pings: u64 },
    LongSilence { silence: Duration, survived: Duration },
    SameSize { at: u64 },
    AtOnce { times: u32 },
}

impl Clause {
    /// What to do against an idle limit: ping at an interval that stays a quarter below it.
    pub(super) fn advice(&self) -> Option<Duration> {
        let (silence, limit) = match *self {
            Self::Idle { idle, limit, .. } => (idle, limit),
            Self::Forgotten { silence, limit, .. } => (silence, limit),
            _ => return None,
        };
        Some(limit.map_or(silence, Limit::duration) * 3 / 4)
    }

    pub(super) fn suspect(&self) -> Option<Suspect> {
        let (limit, measured, seen_before) = match *self {
            Self::Idle { idle, limit, seen_before, .. } => (limit, idle, seen_before),
            Self::Forgotten { silence, limit, seen_before, .. } => (limit, silence, seen_before),
            Self::Lifetime { age, limit, seen_before, .. } => (limit, age, seen_before),
            _ => return None,
        };
        Some(Suspect {
            limit: limit.map_or(measured, Limit::duration),
            names: limit.map_or("", |limit| limit.names),
            seen_before,
        })
    }
}

impl fmt::Display for Clause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Nothing => Ok(()),
            Self::NotLeft => f.write_str("our close frame had not left"),
            Self::FoundAfterFailedWrite => {
                f.write_str("our write had failed; the close frame was found in the receive buffer")
            }
            Self::Failed(ref close) => write!(f, "failed with {close}"),
            Self::Ended { end, cut, incomplete_message, announced, silence, hint } => {
                write!(f, "{end}")?;
                let mut silent = " after";
                match cut {
                    Cut::Payload { opcode, got, of } => {
                        let name = Opcode::from_u8(opcode).map_or("reserved", Opcode::name);
                        write!(f, " inside a {name} frame, {got} of {of} bytes")?;
                        silent = ", after";
                    }
                    Cut::Header => {
                        f.write_str(" inside a frame header")?;
                        silent = ", after";
                    }
                    Cut::Boundary if incomplete_message > 0 => {
                        write!(f, " inside a message, after {incomplete_message} bytes")?;
                        silent = " and";
                    }
                    Cut::Boundary if announced || !end.is_eof() => {}
                    Cut::Boundary => f.write_str(" without a close frame")?,
                }
                if let Some(silence) = silence {
                    write!(f, "{silent} {} of silence", Secs(silence))?;
                }
                write!(f, "{hint}")
            }
            Self::Idle { end, idle, limit, seen_before } => {
                write!(f, "{end}")?;
                if end.end != End::Reset {
                    f.write_str(" without a close frame")?;
                }
                write!(f, " after {} of silence: ", Secs(idle))?;
                match limit {
                    Some(limit) => write!(f, "idle limit of about {} s ({})", limit.secs, limit.names)?,
                    None if seen_before => write!(f, "idle limit near {}", Secs(idle))?,
                    None => write!(f, "looks like an idle limit near {}", Secs(idle))?,
                }
                write!(f, "{}", Again(seen_before))
            }
            Self::Forgotten { end, silence, limit, seen_before } => {
                write!(f, "{end}: ")?;
                write!(f, "state for this connection was dropped within {} of silence", Secs(silence))?;
                match limit {
                    Some(limit) => {
                        write!(f, " (NAT or L4 balancer, e.g. {} {} s)", limit.names, limit.secs)?;
                    }
                    None => f.write_str(" (NAT or L4 balancer)")?,
                }
                write!(f, "{}", Again(seen_before))
            }
            Self::Lifetime { age, idle, limit, seen_before } => {
                write!(f, "cut at age {}", Secs(age))?;
                if idle < NOTABLE {
                    f.write_str(" although busy")?;
                } else {
                    write!(f, ", {} after the last byte", Secs(idle))?;
                }
                f.write_str(": connection lifetime limit")?;
                match limit {
                    Some(limit) => write!(f, " ({} {} s)", limit.names, limit.secs),
                    None => write!(f, "{}", Again(seen_before)),
                }
            }
            Self::Dead { silent, ping, hint } => {
                write!(f, "nothing received for {}", Secs(silent))?;
                match ping {
                    Ping::None => {}
                    Ping::Unsent => f.write_str(", ping not sent")?,
                    Ping::Unanswered(waited) => write!(f, ", ping unanswered for {}", Secs(waited))?,
                }
                write!(f, "{hint}")
            }
            Self::Stuck { lasted, queued } => write!(
                f,
                "peer or path stopped taking data: {} waiting, nothing accepted for {}",
                Size(queued, 1),
                Secs(lasted)
            ),
            Self::Suspended { lasted, ago } => write!(
                f,
                "this process did not run for {}; the connection was found dead {} later",
                Secs(lasted),
                Secs(ago)
            ),
            Self::Slept(lasted) => write!(f, "this process did not run for {}", Secs(lasted)),
            Self::Unopened(ref words) => write!(f, "{}", OneLine(words)),
            Self::Unanswered(waited) => write!(f, "the other side did not answer within {}", Secs(waited)),
        }
    }
}

impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Nothing => Ok(()),
            Self::CloseNotLeft => f.write_str(" before our close frame had left"),
            Self::NeverPonged { pings } => write!(f, "; the peer has never answered a ping (0 of {pings})"),
            Self::LongSilence { silence, survived } => write!(
                f,
                "; the longest silence before that was {}, this one {}: perhaps a NAT or balancer forgot the connection",
                Secs(survived),
                Secs(silence)
            ),
            Self::SameSize { at } => write!(
                f,
                "; cut twice near {}, and nothing longer has ever arrived: perhaps a size limit on the path",
                Size(at, 2)
            ),
            Self::AtOnce { times } => write!(f, "; server accepts, then drops at once ({times} times)"),
        }
    }
}

impl Ended {
    fn is_eof(self) -> bool {
        matches!(self.end, End::Eof | End::TlsTruncated)
    }
}

impl fmt::Display for Ended {
    /// The start of a clause.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.end {
            End::Eof if self.after_failed_write => "connection ended (EOF, after a write had failed)",
            End::Eof => "connection ended (EOF)",
            End::TlsTruncated => "connection ended (EOF, and TLS was not closed)",
            End::Reset | End::WriteReset => "connection reset",
            End::TimedOut | End::WriteTimedOut => "connection timed out",
            End::ReadFailed => "read failed",
            End::WriteFailed => "write failed",
            End::LocalAbort => "connection dropped by this side",
            End::Miscounted => "connection dropped by this side (it reported more as written than there was)",
        })
    }
}

/// Adds "as before" if an earlier link ended in the same way.
struct Again(bool);

impl fmt::Display for Again {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0 { ", as before" } else { "" })
    }
}

/// What the end means for the heartbeat interval.
pub(super) enum Heartbeat {
    /// The interval should be at most this.
    Advised(Duration),
    /// The interval has been set to this.
    Set(Duration),
}

impl fmt::Display for Heartbeat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Advised(interval) => write!(f, "; set the heartbeat to {} or less", Secs(interval)),
            Self::Set(interval) => write!(f, "; heartbeat set to {}", Secs(interval)),
        }
    }
}
