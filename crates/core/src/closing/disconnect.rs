//! The record of an end: what was said, what happened, who is to blame, and what to do.

use super::clause::{Clause, Heartbeat};
use super::close::{Close, Flaw};
use super::evidence::{Cut, End};
use super::exchange::Exchange;
use super::explain::Explanation;
use super::history::QUICK;
use super::kind::{Kind, Who};
use super::retry::Retry;
use super::suspect::Suspect;
use crate::closing::CloseCode;
use crate::recorder::Timeline;
use crate::words::Size;
use alloc::boxed::Box;
use core::fmt;
use core::time::Duration;

/// Everything known about the end of a connection, or about why there was none: the evidence, a verdict, and advice.
///
/// `Display` is the one sentence for the log. It starts with the words of the `websockets` library of Python, so
/// that searches and runbooks match; what the Close frames do not tell follows.
///
/// ```
/// use bowline_core::closing::{Closing, Config, End, Evidence, Kind, Who};
/// use bowline_core::{Instant, Retry, Role};
///
/// let mut closing = Closing::new(Config::default(), Role::Client, Instant::ZERO);
/// closing.handle_received(Instant::from_secs(15));
/// closing.handle_end(Instant::from_millis(75_040), End::Eof);
///
/// let disconnect = closing.poll_disconnect(&Evidence::default()).unwrap();
/// assert_eq!(
///     disconnect.to_string(),
///     "no close frame received or sent; connection ended (EOF) without a close frame after 60.0 s of silence: \
///      idle limit of about 60 s (nginx proxy_read_timeout, AWS ALB and ELB); set the heartbeat to 45.0 s or less"
/// );
/// assert_eq!(disconnect.who(), Who::Path);
/// assert!(matches!(disconnect.kind(), Kind::IdleDrop { .. }));
/// assert_eq!(disconnect.retry(), Retry::Now);
/// ```
///
/// Two are equal if evidence and verdict are; what had happened before is not compared.
#[derive(Clone, Debug)]
pub struct Disconnect {
    record: Box<Record>,
    timeline: Option<Box<Timeline>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) exchange: Exchange,
    pub(super) flaw: Option<Flaw>,
    pub(super) ignored: u64,
    pub(super) end: Option<End>,
    pub(super) cut: Cut,
    pub(super) incomplete_message: u64,
    pub(super) lost: u64,
    pub(super) messages: u64,
    pub(super) longest_message: u64,
    pub(super) age: Duration,
    pub(super) idle: Duration,
    pub(super) longest_silence: Duration,
    pub(super) is_owed: bool,
    pub(super) unanswered_silence: Option<Duration>,
    pub(super) heartbeat: Option<Duration>,
    pub(super) verdict: Verdict,
}

/// What the diagnosis makes of the evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) who: Who,
    pub(super) kind: Kind,
    pub(super) retry: Retry,
    pub(super) clause: Clause,
}

impl Disconnect {
    pub(super) fn new(record: Record) -> Self {
        Self { record: Box::new(record), timeline: None }
    }

    /// All that is known, to be read by people: the sentence, what had happened before, and what to do.
    pub fn explain(&self) -> Explanation<'_> {
        Explanation(self)
    }

    /// What had happened before, if a [`Connection`](crate::Connection) kept the record.
    pub fn timeline(&self) -> Option<&Timeline> {
        self.timeline.as_deref()
    }

    pub(crate) fn set_retry(&mut self, retry: Retry) {
        self.record.verdict.retry = retry;
    }

    pub(crate) fn with_timeline(mut self, timeline: Timeline) -> Self {
        self.timeline = Some(Box::new(timeline));
        self
    }

    /// Who ended the connection.
    pub fn who(&self) -> Who {
        self.record.verdict.who
    }

    /// What kind of end it was.
    pub fn kind(&self) -> Kind {
        self.record.verdict.kind
    }

    /// Whether to connect again, and when.
    pub fn retry(&self) -> Retry {
        self.record.verdict.retry
    }

    /// The known limit that fits, or the one that the evidence suggests.
    pub fn suspect(&self) -> Option<Suspect> {
        self.record.verdict.clause.suspect()
    }

    /// The Close frames and their order.
    pub fn exchange(&self) -> &Exchange {
        &self.record.exchange
    }

    /// The Close that we queued; it may not have left before the end.
    pub fn sent(&self) -> Option<&Close> {
        self.record.exchange.sent()
    }

    /// The peer's Close.
    pub fn received(&self) -> Option<&Close> {
        self.record.exchange.received()
    }

    /// The close code of the connection as RFC 6455 §7.1.5 defines it: the one in the peer's Close, 1005 if that had none,
    /// and 1006 if there was no Close.
    pub fn code(&self) -> CloseCode {
        self.received().map_or(CloseCode::ABNORMAL, Close::code)
    }

    /// What was wrong with the peer's Close.
    pub fn flaw(&self) -> Option<Flaw> {
        self.record.flaw
    }

    /// How many frames came after the end was settled, and were ignored.
    pub fn ignored_after_close(&self) -> u64 {
        self.record.ignored
    }

    /// How the transport ended; `None` if it was still there when we gave up waiting.
    pub fn end(&self) -> Option<End> {
        self.record.end
    }

    /// Where in the stream of frames the input ended: between two, if it was not looked at any more.
    pub fn cut(&self) -> Cut {
        self.record.cut
    }

    /// Bytes received of a message whose end never came.
    pub fn incomplete_message(&self) -> u64 {
        self.record.incomplete_message
    }

    /// How old the connection was.
    pub fn age(&self) -> Duration {
        self.record.age
    }

    /// For how long no byte had crossed in either direction.
    pub fn idle(&self) -> Duration {
        self.record.idle
    }

    /// The longest silence in both directions after which something was received again.
    pub fn longest_silence(&self) -> Duration {
        self.record.longest_silence
    }

    /// Whether the peer had more to say when it fell silent.
    pub(crate) fn is_owed(&self) -> bool {
        self.record.is_owed
    }

    /// The silence in both directions that our own sending ended, if nothing was received any more after that, and it lasted for
    /// 10 s or longer: no path forgets a connection sooner. What begins
    /// while more than 16 KiB have left that nobody has answered is none, for the path may have been cut under them, nor is what
    /// begins in the middle of a frame, or while the peer has something to say
    /// ([`Connection::set_awaiting`](crate::Connection::set_awaiting)): it had more to say.
    pub fn unanswered_silence(&self) -> Option<Duration> {
        self.record.unanswered_silence
    }

    /// The next connection on this path pings at this interval, because of this end: the sentence says so, in the place
    /// of its advice. [`Adapt`](crate::Adapt) knows the interval.
    pub fn set_heartbeat(&mut self, interval: Duration) {
        self.record.heartbeat = Some(interval);
    }

    /// Whether there was a connection at all.
    pub fn was_open(&self) -> bool {
        !matches!(self.record.verdict.clause, Clause::Unopened(_))
    }

    /// How many bytes into a message or frame the input ended, if it did not end between two.
    pub(super) fn cut_at(&self) -> Option<u64> {
        cut_at(self.record.cut, self.record.incomplete_message)
    }

    /// The longest message that was received whole, in bytes.
    pub(super) fn longest_message(&self) -> u64 {
        self.record.longest_message
    }

    /// Dropped without a word, hardly opened.
    pub(super) fn is_quick(&self) -> bool {
        self.was_open()
            && self.record.age < QUICK
            && self.record.messages == 0
            && self.record.exchange == Exchange::Neither
            && !self.record.end.is_some_and(End::is_ours)
    }
}

pub(super) fn cut_at(cut: Cut, incomplete_message: u64) -> Option<u64> {
    match cut {
        Cut::Payload { got, .. } => Some(got.max(incomplete_message)),
        Cut::Header | Cut::Boundary => (incomplete_message > 0).then_some(incomplete_message),
    }
}

impl PartialEq for Disconnect {
    fn eq(&self, other: &Self) -> bool {
        self.record == other.record
    }
}

impl Eq for Disconnect {}

impl core::error::Error for Disconnect {}

impl fmt::Display for Disconnect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let clause = &self.record.verdict.clause;
        if !self.was_open() {
            return write!(f, "{clause}");
        }
        write!(f, "{}", self.record.exchange)?;
        if *clause != Clause::Nothing {
            write!(f, "; {clause}")?;
        }
        if self.record.lost > 0 {
            write!(f, "; {} of messages had not left", Size(self.record.lost, 1))?;
        }
        let advised = || clause.advice().map(Heartbeat::Advised);
        self.record
            .heartbeat
            .map(Heartbeat::Set)
            .or_else(advised)
            .map_or(Ok(()), |heartbeat| write!(f, "{heartbeat}"))
    }
}
