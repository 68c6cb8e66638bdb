//! The machine itself: inputs in, answers and one [`Disconnect`] out.

mod facts;
mod hear;
mod say;

use super::close::{Close, Flaw};
use super::config::Config;
use super::diagnosis::{Case, Cause};
use super::disconnect::{Disconnect, Record};
use super::evidence::{End, Evidence};
use super::exchange::Exchange;
use super::retry::{Retry, Why};
use super::state::{Hearing, Overdue, State, Transport, Wait};
use super::traffic::Traffic;
use crate::{Instant, Role};
use core::mem::take;
use core::time::Duration;

/// The closing handshake of one connection, both roles. See the [module](super) for its states.
///
/// ```
/// use bowline_core::closing::{Closing, Config, Evidence, End, Transport};
/// use bowline_core::{Close, CloseCode, Instant, Role};
///
/// let mut closing = Closing::new(Config::default(), Role::Server, Instant::ZERO);
/// let goodbye = Close::new(CloseCode::GOING_AWAY, "tab closed")?.encode();
/// let answer = closing.handle_close(Instant::from_secs(3), &goodbye);
/// assert_eq!(answer, Some(goodbye)); // to be written as the payload of our Close frame
/// closing.handle_close_flushed(Instant::from_secs(3), None);
/// assert_eq!(closing.transport(), Transport::FinishWriting);
/// closing.handle_end(Instant::from_secs(4), End::Eof);
///
/// let disconnect = closing.poll_disconnect(&Evidence::default()).unwrap();
/// assert_eq!(
///     disconnect.to_string(),
///     "received 1001 (going away) tab closed; then sent 1001 (going away) tab closed"
/// );
/// assert_eq!(closing.transport(), Transport::Drop);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Closing {
    config: Config,
    role: Role,
    state: State,
    now: Instant,
    traffic: Traffic,
    exchange: Exchange,
    flaw: Option<Flaw>,
    /// Our application asked for this end.
    asked: bool,
    /// We failed the connection with this Close.
    failed: Option<Close>,
    /// Whether our owner reads what comes in, as last reported.
    reading: bool,
    /// After a stall of ours the transport was given its time once more, and has accepted nothing since.
    is_spared: bool,
    ignored: u64,
}

impl Closing {
    /// The machine of a connection that has just been opened.
    pub fn new(config: Config, role: Role, now: Instant) -> Self {
        Self {
            config,
            role,
            state: State::Open,
            now,
            traffic: Traffic::new(now),
            exchange: Exchange::Neither,
            flaw: None,
            asked: false,
            failed: None,
            reading: true,
            is_spared: false,
            ignored: 0,
        }
    }

    /// Nobody has made room for the data that was left after a failed write. Once its time is over, the data is
    /// skipped, because the peer's last words may stand behind it; they get as much time again. Call this before
    /// [`handle_timeout`](Self::handle_timeout).
    pub fn skip_data(&mut self, now: Instant) {
        let now = self.at(now);
        let is_late = self.poll_timeout().is_some_and(|deadline| deadline <= now);
        if let State::Drain { since, skips: skips @ false, .. } = &mut self.state {
            if is_late {
                (*since, *skips) = (now, true);
            }
        }
    }

    /// Gives up whatever has taken too long, and says what the owner has to do about it. A call before the deadline
    /// changes nothing.
    pub fn handle_timeout(&mut self, now: Instant) -> Option<Overdue> {
        let now = self.at(now);
        let mut overdue = None;
        while self.poll_timeout().is_some_and(|deadline| deadline <= now) {
            match self.state {
                State::Held { .. } => overdue = self.answer(now).map(Overdue::Answer),
                State::Sent(Wait::Data { since }) => {
                    self.state = State::Sent(Wait::Flush { since, limit: self.config.close_timeout });
                    overdue = Some(Overdue::Data);
                }
                State::Both(Wait::Data { since }) => {
                    self.state = State::Both(Wait::Flush { since, limit: self.config.close_timeout });
                    overdue.get_or_insert(Overdue::Data);
                }
                // The answer may already be there, behind messages that we have not read.
                State::Sent(Wait::Peer { hearing: Hearing::Gaps, .. }) if self.failed.is_none() => {
                    self.state = State::Sent(Wait::Peer {
                        since: now,
                        transit: Duration::ZERO,
                        hearing: Hearing::Skips,
                    });
                }
                _ => match self.state.timed_out(&self.traffic) {
                    Some(cause) => self.finish(now, cause),
                    None => break,
                },
            }
        }
        overdue
    }

    /// When to call [`handle_timeout`](Self::handle_timeout).
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.state.deadline(&self.config, &self.traffic, self.failed.is_some())
    }

    /// What to do with the transport.
    pub fn transport(&self) -> Transport {
        self.state.transport(self.role, self.failed.is_some())
    }

    /// The end, once: after the input that caused it. `evidence` is what the owner knows about it.
    pub fn poll_disconnect(&mut self, evidence: &Evidence) -> Option<Disconnect> {
        let State::Ending { at, cause, unsent } = self.state else { return None };
        self.state = State::Over;
        let case = Case {
            at,
            cause,
            unsent,
            exchange: &self.exchange,
            flaw: self.flaw,
            asked: self.asked,
            failed: self.failed.as_ref(),
            traffic: &self.traffic,
            evidence,
        };
        let mut verdict = case.verdict();
        if let Cause::Dead { replaced: true } = cause {
            verdict.retry = Retry::No(Why::Replaced);
        }
        let record = Record {
            verdict,
            end: cause.end(),
            cut: evidence.cut,
            incomplete_message: evidence.incomplete_message,
            lost: case.lost(),
            messages: evidence.messages,
            longest_message: evidence.longest_message,
            age: self.traffic.age(at),
            idle: case.idle(),
            longest_silence: self.traffic.survived(),
            is_owed: case.is_owed(),
            unanswered_silence: case.unanswered_silence(),
            heartbeat: None,
            flaw: self.flaw,
            ignored: self.ignored,
            exchange: take(&mut self.exchange),
        };
        Some(Disconnect::new(record))
    }

    /// The Close that we queued.
    pub(crate) fn sent(&self) -> Option<&Close> {
        self.exchange.sent()
    }

    /// When the last byte crossed, in either direction.
    pub(crate) fn crossed(&self) -> Instant {
        self.traffic.received().max(self.traffic.sent())
    }

    /// When we last noticed that this process had not run, unless the connection is known to have survived it.
    pub(crate) fn stalled_until(&self) -> Option<Instant> {
        self.traffic.stalled().map(|stall| stall.until)
    }

    /// The longest silence in both directions, of at least a second, that was survived since the last call.
    pub fn poll_survived(&mut self) -> Option<Duration> {
        self.traffic.poll_survived()
    }

    /// Whether messages can be sent: nobody has closed, or the peer has and our answer [waits](Self::hold_close).
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Open | State::Held { .. })
    }

    /// Whether neither side has closed, and nothing has failed.
    pub fn is_untouched(&self) -> bool {
        matches!(self.state, State::Open)
    }

    /// Whether the connection was [failed](Self::fail); the peer may have closed before.
    pub fn has_failed(&self) -> bool {
        self.failed.is_some()
    }

    /// How long the end of the connection may wait for our application to see what came before it.
    pub fn hold_time(&self) -> Duration {
        self.config.hold_time()
    }

    /// Whether a Close of the peer still waits for our [answer](Self::answer).
    pub fn is_held(&self) -> bool {
        matches!(self.state, State::Held { .. })
    }

    /// Whether everything is over; [`poll_disconnect`](Self::poll_disconnect) has returned the end, or will.
    pub fn is_over(&self) -> bool {
        self.state.is_over()
    }

    /// Whether to parse what comes in. Not once we have failed the connection (RFC 6455 §7.1.7), nor after the end.
    pub fn wants_frames(&self) -> bool {
        self.failed.is_none() && !self.is_over()
    }

    /// Whether to interpret and deliver the peer's data frames.
    pub fn wants_data(&self) -> bool {
        self.state.wants_data(self.failed.is_some())
    }

    /// Whether to send pings: once our Close has left, its own timeout watches the peer.
    pub fn wants_heartbeat(&self) -> bool {
        match self.state {
            State::Held { .. } => true,
            State::Sent(Wait::Peer { .. }) => false,
            _ => self.state.is_talking(self.failed.is_some()),
        }
    }

    /// Whether writing has failed and only reading goes on.
    pub fn is_draining(&self) -> bool {
        matches!(self.state, State::Drain { .. })
    }

    /// The latest time seen: if the clock steps back, time stands still.
    fn at(&mut self, now: Instant) -> Instant {
        self.now = self.now.max(now);
        self.now
    }

    /// Counts a frame that arrived too late.
    fn ignore(&mut self) -> bool {
        if !self.is_over() {
            self.ignored = self.ignored.saturating_add(1);
        }
        false
    }

    fn finish(&mut self, at: Instant, cause: Cause) {
        if !self.is_over() {
            self.state = State::Ending { at, cause, unsent: self.state.is_flushing() };
        }
    }
}

#[cfg(test)]
mod states;
