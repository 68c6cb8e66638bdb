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

/// Everything known about why a connection ended, or was never made: the evidence, a verdict, and advice.
///
/// `Display` prints one sentence for the log. It starts with the words of the Python library `websockets`, so that
/// searches and runbooks match, and adds what the Close frames do not say.
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
///     "no close frame received or sent; connection ended (EOF) without a close frame after 60 s of silence: \
///      idle limit of about 60 s (nginx proxy_read_timeout, AWS ALB and ELB); set the heartbeat to 45 s or less"
/// );
/// assert_eq!(disconnect.who(), Who::Path);
/// assert!(matches!(disconnect.kind(), Kind::IdleDrop { .. }));
/// assert_eq!(disconnect.retry(), Retry::Now);
/// ```
///
/// Two are equal if their evidence and verdicts are; the timeline is not compared.
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

/// What the diagnosis concludes from the evidence.
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

    /// Everything that is known, for people to read: the sentence, the timeline, and what to do.
    pub fn explain(&self) -> Explanation<'_> {
        Explanation(self)
    }

    /// What happened before the end, if a [`Connection`](crate::Connection) recorded it.
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

    /// The known limit that matches, or the one that the evidence suggests.
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

    /// The close code of the connection as RFC 6455 §7.1.5 defines it: the code in the peer's Close, 1005 if it had
    /// none, and 1006 if there was no Close.
    pub fn code(&self) -> CloseCode {
        self.received().map_or(CloseCode::ABNORMAL, Close::code)
    }

    /// What was wrong with the peer's Close.
    pub fn flaw(&self) -> Option<Flaw> {
        self.record.flaw
    }

    /// How many frames arrived after the end was settled, and were ignored.
    pub fn ignored_after_close(&self) -> u64 {
        self.record.ignored
    }

    /// How the transport ended; `None` if it was still open when we stopped waiting.
    pub fn end(&self) -> Option<End> {
        self.record.end
    }

    /// Where in the stream of frames the input ended; between two frames if we had stopped parsing it.
    pub fn cut(&self) -> Cut {
        self.record.cut
    }

    /// Bytes received of a message whose end never came.
    pub fn incomplete_message(&self) -> u64 {
        self.record.incomplete_message
    }

    /// The age of the connection.
    pub fn age(&self) -> Duration {
        self.record.age
    }

    /// How long no byte had crossed in either direction.
    pub fn idle(&self) -> Duration {
        self.record.idle
    }

    /// The longest silence in both directions that the connection survived: something was received after it.
    pub fn longest_silence(&self) -> Duration {
        self.record.longest_silence
    }

    /// Whether the peer was in the middle of something when it fell silent.
    pub(crate) fn is_owed(&self) -> bool {
        self.record.is_owed
    }

    /// The silence in both directions that our own sending ended, if nothing was received afterwards, and it lasted for
    /// 4 s or longer: no path forgets a connection sooner. A silence does not count if it began while more than 16 KiB
    /// that we had sent were unanswered, because the path may have been cut under them. Nor does one that began in the
    /// middle of a frame, or while the peer owed an answer
    /// ([`Connection::set_awaiting`](crate::Connection::set_awaiting)): the peer had more to say.
    pub fn unanswered_silence(&self) -> Option<Duration> {
        self.record.unanswered_silence
    }

    /// Says that, because of this end, the next connection on this path pings at this interval. The sentence then
    /// reports that instead of its advice. [`Adapt`](crate::Adapt) knows the interval.
    pub fn set_heartbeat(&mut self, interval: Duration) {
        self.record.heartbeat = Some(interval);
    }

    /// Whether there ever was a connection.
    pub fn was_open(&self) -> bool {
        !matches!(self.record.verdict.clause, Clause::Unopened(_))
    }

    /// How many bytes into a message or frame the input ended, if it did not end between two of them.
    pub(super) fn cut_at(&self) -> Option<u64> {
        cut_at(self.record.cut, self.record.incomplete_message)
    }

    /// The longest message that was received in full, in bytes.
    pub(super) fn longest_message(&self) -> u64 {
        self.record.longest_message
    }

    /// Whether it was dropped without a word right after it opened.
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
