//! The machine itself: inputs in, answers and one [`Disconnect`] out.

use super::close::{Close, CloseError, Flaw};
use super::code::CloseCode;
use super::config::Config;
use super::diagnosis::{Case, Cause};
use super::disconnect::{Disconnect, Exchange, Record};
use super::evidence::{End, Evidence};
use super::state::{State, Transport, Wait};
use super::traffic::Traffic;
use crate::{Instant, Role};
use bytes::Bytes;
use core::time::Duration;

/// The closing handshake of one connection, both roles. See the [module](super) for its states.
///
/// ```
/// use bowline_core::closing::{Closing, Config, Evidence, End, Transport};
/// use bowline_core::{Close, CloseCode, Instant, Role};
///
/// let mut closing = Closing::new(Config::default(), Role::Server, Instant::ZERO);
/// let goodbye = Close::new(CloseCode::GOING_AWAY, "tab closed").unwrap().encode();
/// let answer = closing.handle_close(Instant::from_secs(3), &goodbye);
/// assert_eq!(answer, Some(goodbye)); // to be written as the payload of our Close frame
/// closing.handle_close_flushed(Instant::from_secs(3));
/// assert_eq!(closing.transport(), Transport::FinishWriting);
/// closing.handle_end(Instant::from_secs(4), End::Eof);
///
/// let disconnect = closing.poll_disconnect(&Evidence::default()).unwrap();
/// assert_eq!(
///     disconnect.to_string(),
///     "received 1001 (going away) tab closed; then sent 1001 (going away) tab closed"
/// );
/// assert_eq!(closing.transport(), Transport::Drop);
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
    /// Our application wanted this end.
    asked: bool,
    /// We could not go on, and this is what we wanted to say.
    failed: Option<Close>,
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
            ignored: 0,
        }
    }

    /// Bytes came in, of any kind.
    pub fn handle_received(&mut self, now: Instant) {
        let now = self.at(now);
        if !self.is_over() {
            self.traffic.handle_received(now);
        }
    }

    /// The transport accepted bytes.
    pub fn handle_sent(&mut self, now: Instant) {
        let now = self.at(now);
        if !self.is_over() {
            self.traffic.handle_sent(now);
        }
    }

    /// The transport takes no more bytes for the time being.
    pub fn handle_blocked(&mut self, now: Instant) {
        let now = self.at(now);
        if !self.is_over() {
            self.traffic.handle_blocked(now);
        }
    }

    /// Our Close frame has left: the transport accepted its last byte.
    pub fn handle_close_flushed(&mut self, now: Instant) {
        let now = self.at(now);
        if let State::Sent(wait @ Wait::Flush { .. }) | State::Both(wait @ Wait::Flush { .. }) =
            &mut self.state
        {
            *wait = Wait::Peer { since: now };
        }
    }

    /// This process did not run, or the machine slept, for this long until now. Report it before the bytes that were
    /// found afterwards.
    pub fn handle_stalled(&mut self, now: Instant, lasted: Duration) {
        let now = self.at(now);
        if !self.is_over() {
            self.traffic.handle_stalled(now, lasted);
        }
    }

    /// The transport ended. Only the first report counts, except that a failed write is followed by what reading on
    /// finds.
    pub fn handle_end(&mut self, now: Instant, end: End) {
        let now = self.at(now);
        match (&self.state, end) {
            (State::Open, End::WriteFailed) => {
                self.state = State::Drain { since: now, idle: self.traffic.idle(now), skips: false };
            }
            (State::Drain { .. }, End::WriteFailed) => {}
            (State::Drain { idle, .. }, end) => {
                // Whoever does not read on drops a transport that had failed before.
                let then = (end != End::LocalAbort).then_some(end);
                self.finish(now, Cause::Drained { idle: *idle, then });
            }
            _ => self.finish(now, Cause::End(end)),
        }
    }

    /// A data frame came: whether it is to be interpreted and delivered.
    pub fn handle_data(&mut self, now: Instant) -> bool {
        self.at(now);
        self.wants_data() || self.ignore()
    }

    /// A Ping came: whether it is to be answered.
    pub fn handle_ping(&mut self, now: Instant) -> bool {
        self.at(now);
        // Nothing can be written while draining, which is no fault of the Ping.
        self.state.is_talking(self.failed.is_some())
            || (!matches!(self.state, State::Drain { .. }) && self.ignore())
    }

    /// A Close frame came with this payload. The answer, if there is one, is the payload of our own Close frame.
    ///
    /// Write it as soon as the frame that is being written is complete: data that waits behind it is not to follow,
    /// since the peer need not look at it any more.
    pub fn handle_close(&mut self, now: Instant, payload: &[u8]) -> Option<Bytes> {
        let now = self.at(now);
        match self.state {
            State::Open => {
                let (received, flaw) = Close::decode(payload);
                // RFC 6455 §5.5.1: the answer typically echoes the code.
                let echo = || Close::ours(received.code(), received.reason());
                let sent = flaw.map_or_else(echo, Flaw::answer);
                let payload = sent.encode();
                self.flaw = flaw;
                self.exchange = Exchange::ReceivedThenSent { received, sent };
                self.state = State::Both(Wait::Flush { since: now, limit: self.config.close_timeout });
                Some(payload)
            }
            State::Sent(wait) => {
                let (received, flaw) = Close::decode(payload);
                self.flaw = flaw;
                if let Exchange::Sent(sent) = core::mem::take(&mut self.exchange) {
                    self.exchange = Exchange::SentThenReceived { sent, received };
                }
                self.state = State::Both(match wait {
                    Wait::Peer { .. } => Wait::Peer { since: now },
                    flush @ Wait::Flush { .. } => flush,
                });
                None
            }
            State::Drain { idle, .. } => {
                let (received, flaw) = Close::decode(payload);
                self.flaw = flaw;
                self.exchange = Exchange::Received(received);
                self.finish(now, Cause::Drained { idle, then: None });
                None
            }
            State::Both(_) | State::Ending { .. } | State::Over => {
                self.ignore();
                None
            }
        }
    }

    /// What the peer sent cannot be gone on from: a violation of the protocol, or a limit that was passed.
    ///
    /// Drop the data that waits to be written. If there is an answer, it is the payload of our Close frame, to be
    /// written next. The input is not to be interpreted any further (RFC 6455 §7.1.7), except that a Close frame may
    /// be reported where the frames can still be told apart. A reason that is too long is cut.
    pub fn fail(&mut self, now: Instant, code: CloseCode, reason: &str) -> Option<Bytes> {
        let now = self.at(now);
        let close = Close::ours(if code.is_sendable() { code } else { CloseCode::INTERNAL_ERROR }, reason);
        match &mut self.state {
            State::Open => {
                let payload = close.encode();
                self.failed = Some(close.clone());
                self.exchange = Exchange::Sent(close);
                self.state = State::Sent(Wait::Flush { since: now, limit: self.config.close_timeout });
                Some(payload)
            }
            State::Sent(wait) => {
                // The application's Close stays the only one; with no data before it, it needs no more time than ours.
                if let Wait::Flush { limit, .. } = wait {
                    *limit = self.config.close_timeout;
                }
                self.failed.get_or_insert(close);
                None
            }
            State::Drain { idle, .. } => {
                let cause = Cause::Drained { idle: *idle, then: None };
                self.finish(now, cause);
                None
            }
            State::Both(_) | State::Ending { .. } | State::Over => None,
        }
    }

    /// The heartbeat found that nobody is there. The answer is the payload of a last Close frame for a peer that hears
    /// us although we do not hear it: offer it to the transport once, and drop it.
    pub fn dead(&mut self, now: Instant) -> Option<Bytes> {
        let now = self.at(now);
        let payload = match self.state {
            State::Open => {
                let close = Close::ours(CloseCode::INTERNAL_ERROR, "keepalive ping timeout");
                let payload = close.encode();
                self.exchange = Exchange::Sent(close);
                Some(payload)
            }
            State::Sent(_) | State::Both(_) => None,
            State::Drain { .. } | State::Ending { .. } | State::Over => return None,
        };
        self.finish(now, Cause::Dead);
        payload
    }

    /// Starts the closing handshake: the payload of the Close frame, to be written behind the data that was accepted
    /// before it. No message can be sent from here on; those that come are still delivered.
    ///
    /// # Errors
    /// If this Close must not be sent, or the connection is closing already.
    pub fn close(&mut self, now: Instant, close: Close) -> Result<Bytes, CloseError> {
        let now = self.at(now);
        close.check()?;
        if !self.is_open() {
            return Err(CloseError::AlreadyClosing);
        }
        let payload = close.encode();
        self.asked = true;
        self.exchange = Exchange::Sent(close);
        self.state = State::Sent(Wait::Flush { since: now, limit: self.config.stall_timeout });
        Ok(payload)
    }

    /// Nobody has made room for the data that is left after a failed write. Once the time for it is over, it is skipped:
    /// the peer's last words may stand behind it, and get as much time again. Call it before
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

    /// Gives up what has been waited for too long. Early calls change nothing.
    pub fn handle_timeout(&mut self, now: Instant) {
        let now = self.at(now);
        if self.poll_timeout().is_some_and(|deadline| deadline <= now) {
            if let Some(cause) = self.state.timed_out(&self.traffic) {
                self.finish(now, cause);
            }
        }
    }

    /// When to call [`handle_timeout`](Self::handle_timeout).
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.state.deadline(&self.config, &self.traffic, self.failed.is_some())
    }

    /// What to do with the transport.
    pub fn transport(&self) -> Transport {
        self.state.transport(self.role, self.failed.is_some())
    }

    /// The end, once: after the input that caused it, and with what the owner knows about it.
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
        let record = Record {
            verdict: case.verdict(),
            end: cause.end(),
            cut: evidence.cut,
            incomplete_message: evidence.incomplete_message,
            messages: evidence.messages,
            longest_message: evidence.longest_message,
            age: self.traffic.age(at),
            idle: case.idle(),
            longest_silence: self.traffic.survived(),
            unanswered_silence: self.traffic.broken().map(|broken| broken.lasted),
            heartbeat: None,
            flaw: self.flaw,
            ignored: self.ignored,
            exchange: core::mem::take(&mut self.exchange),
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

    /// When we last found that this process had not run, unless that was survived long ago.
    pub(crate) fn stalled_until(&self) -> Option<Instant> {
        self.traffic.stalled().map(|stall| stall.until)
    }

    /// The longest silence in both directions that was survived since the last call, from a second on.
    pub fn poll_survived(&mut self) -> Option<Duration> {
        self.traffic.poll_survived()
    }

    /// Whether no end is in sight: messages can be sent.
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Open)
    }

    /// Whether everything is over and [`poll_disconnect`](Self::poll_disconnect) has told, or will tell.
    pub fn is_over(&self) -> bool {
        self.state.is_over()
    }

    /// Whether data frames of the peer are to be interpreted and delivered.
    pub fn wants_data(&self) -> bool {
        self.state.is_talking(self.failed.is_some())
            || matches!(self.state, State::Drain { skips: false, .. })
    }

    /// Whether pings make sense: once our Close has left, its own time-out watches over the peer.
    pub fn wants_heartbeat(&self) -> bool {
        self.state.is_talking(self.failed.is_some()) && !matches!(self.state, State::Sent(Wait::Peer { .. }))
    }

    /// Whether writing has failed and only reading goes on.
    pub fn is_draining(&self) -> bool {
        matches!(self.state, State::Drain { .. })
    }

    /// The latest time seen: one that steps back stands still.
    fn at(&mut self, now: Instant) -> Instant {
        self.now = self.now.max(now);
        self.now
    }

    /// Counts a frame that came too late.
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
