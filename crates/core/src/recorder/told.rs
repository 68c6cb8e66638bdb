//! The record in words.

use super::Opening;
use super::entry::{Counts, Entry, GaveUp, Note, Range, RoundTrips, Routine, Standing, What};
use crate::heartbeat::Mode;
use crate::words::{Count, Secs, Size, Span};
use crate::{End, Role};
use core::fmt;

/// A control frame is at most this long, with its header and mask. One that was not counted was a Close, which has an
/// entry of its own.
pub(crate) const CONTROL: u64 = 131;

impl fmt::Display for Opening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "opened as the {}; ", if self.role == Role::Client { "client" } else { "server" })?;
        match self.mode {
            Mode::Off => f.write_str("no heartbeat"),
            Mode::KeepaliveOnly => write!(f, "heartbeat {}, no timeout", Secs(self.interval.into())),
            _ => {
                write!(f, "heartbeat {}, timeout {}", Secs(self.interval.into()), Secs(self.timeout.into()))
            }
        }
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Routine(routine) => routine.fmt(f),
            Self::Note(note) => note.fmt(f),
        }
    }
}

impl fmt::Display for Routine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counts { bytes_sent, bytes_received, messages_sent, messages_received, .. } = self.sums;
        let Counts { pings, pongs, pings_received, .. } = self.sums;
        // More bytes than the control frames account for are parts of messages.
        let controls = 1 + u64::from(pings) + u64::from(pongs) + u64::from(pings_received);
        let has_parts = |bytes| bytes > CONTROL * controls;
        let mut list = List { f, is_begun: false };
        if messages_sent > 0 || has_parts(bytes_sent) {
            list.part()?.crossed("sent", bytes_sent, messages_sent)?;
        }
        if messages_received > 0 || has_parts(bytes_received) {
            list.part()?.crossed("received", bytes_received, messages_received)?;
        }
        if pings > 0 {
            list.part()?.pinged(pings, pongs, self.round_trips)?;
        } else if pongs > 0 {
            list.part()?.pinged(pongs, pongs, self.round_trips)?;
        }
        if pings_received > 0 {
            write!(list.part()?.f, "the peer sent {}", Count(pings_received.into(), "ping"))?;
        }
        Ok(())
    }
}

/// Parts with semicolons between them.
struct List<'a, 'b> {
    f: &'a mut fmt::Formatter<'b>,
    is_begun: bool,
}

impl List<'_, '_> {
    fn part(&mut self) -> Result<&mut Self, fmt::Error> {
        if self.is_begun {
            self.f.write_str("; ")?;
        }
        self.is_begun = true;
        Ok(self)
    }

    fn crossed(&mut self, verb: &str, bytes: u64, messages: u32) -> fmt::Result {
        if bytes == 0 {
            // None of it has left.
            return write!(self.f, "{} to send", Count(messages.into(), "message"));
        }
        write!(self.f, "{verb} {}", Size(bytes, 1))?;
        if messages > 0 {
            write!(self.f, " in {}", Count(messages.into(), "message"))?;
        }
        Ok(())
    }

    fn pinged(&mut self, pings: u32, pongs: u32, round_trips: RoundTrips) -> fmt::Result {
        match (pings, pongs) {
            (pings, 0) => write!(self.f, "{} without a pong", Count(pings.into(), "ping"))?,
            (pings, pongs) if pongs < pings => write!(self.f, "{pongs} of {pings} pings answered")?,
            (_, pongs) => write!(self.f, "{} answered", Count(pongs.into(), "ping"))?,
        }
        if round_trips.is_none() { Ok(()) } else { write!(self.f, " in {round_trips}") }
    }
}

impl fmt::Display for RoundTrips {
    /// `20 ms`, `11 to 40 ms`, `20 ms to 8.3 s`, `1 min 40 s to 2 min 40 s`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Ends { least: Span(self.least.into()), most: Span(self.most.into()) }.fmt(f)
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Ends { least: Span(self.least.into()), most: Span(self.most.into()) }.fmt(f)
    }
}

/// A range, or a single value if both ends read the same.
struct Ends {
    least: Span,
    most: Span,
}

impl fmt::Display for Ends {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (least, most) = (alloc::format!("{}", self.least), alloc::format!("{}", self.most));
        match (least.split_once(' '), most.split_once(' ')) {
            _ if least == most => f.write_str(&most),
            (Some((number, a)), Some((_, b))) if a == b && !a.contains(' ') => {
                write!(f, "{number} to {most}")
            }
            _ => write!(f, "{least} to {most}"),
        }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A single stall or sleep is dated when it was over, and lasted until then.
        let recurring = |f: &mut fmt::Formatter<'_>, what: &str, lasted: Range| match self.times {
            1 => write!(f, "{what} for {lasted}"),
            times => write!(f, "{what} {times} times, for {lasted}"),
        };
        match self.what {
            What::Stalled(lasted) => recurring(f, "this process did not run", lasted),
            What::Slept(lasted) => recurring(f, "the machine slept", lasted),
            What::ClockBack(by) => match self.times {
                1 => write!(f, "the clock went back by {by}"),
                times => write!(f, "the clock went back {times} times, by {by}"),
            },
            What::Full(lasted) => recurring(f, "the transport took nothing", lasted),
            What::StillFull => f.write_str("the transport took a byte, and has taken nothing since"),
            What::Deaf(lasted) => recurring(f, "our application did not read", lasted),
            What::StillDeaf => f.write_str("our application stopped reading"),
            What::Doubtful(silent) => {
                write!(f, "nothing has come for {}, and a ping has no answer", Secs(silent.into()))
            }
            What::PeerDoesNotPong => {
                f.write_str("the peer answers pings with data, if at all, but never with a pong")
            }
            What::Heartbeat { from, to, why } => {
                write!(f, "heartbeat {} instead of {}: {why}", Secs(to.into()), Secs(from.into()))
            }
            What::PingLeft => f.write_str("sent a ping; nothing has come since"),
            What::PingWaits => f.write_str("a ping is due, but cannot leave"),
            What::Asked(code) => write!(f, "we close with {code}"),
            What::Failed(code) => write!(f, "we cannot go on, and close with {code}"),
            What::CloseSent(code) => write!(f, "sent close frame {code}"),
            What::CloseReceived(code) => write!(f, "received close frame {code}"),
            What::TransportEnded(end) => f.write_str(match end {
                End::Eof => "the stream ended (EOF)",
                End::TlsTruncated => "the stream ended (EOF), and TLS was not closed",
                End::Reset => "the connection was reset",
                End::TimedOut => "the operating system gave up waiting for an acknowledgement",
                End::ReadFailed => "a read failed",
                End::WriteFailed => "a write failed; reading what is left",
                End::WriteReset => "a write found the connection reset; reading what is left",
                End::WriteTimedOut => "a write found that the system had given up; reading what is left",
                End::LocalAbort => "we drop the connection",
                End::Miscounted => "this program miscounted its writes: we drop the connection",
            }),
            What::NotLeft(bytes) => write!(f, "{} had not left", Size(bytes, 1)),
            What::GaveWay => f.write_str("a new connection takes its place"),
            What::GaveUp(why) => f.write_str(match why {
                GaveUp::NobodyThere => "no sign of life: gave up",
                GaveUp::CloseUnanswered => "our close frame was not answered: gave up",
                GaveUp::NothingTaken => "nothing leaves any more: gave up",
                GaveUp::NothingToRead => "there is nothing more to read",
                GaveUp::BothClosed => "both sides have closed: dropped the transport",
            }),
            What::Now(Standing::Open { round_trip }) => {
                f.write_str("open")?;
                round_trip.map_or(Ok(()), |rtt| write!(f, "; round trip {}", Span(rtt.into())))
            }
            What::Now(Standing::Closing) => f.write_str("closing"),
        }
    }
}
