//! The closing handshake: who said what when, what ended the connection, and what to do about it.
//!
//! [`Closing`] never touches a frame. Its owner reports facts (a Close came, ours has left, the transport ended, the
//! heartbeat found nobody there) and does what the answers say: write this payload, deliver that message, keep or
//! drop the transport. At the very end there is one [`Disconnect`].
//!
//! ```text
//!           close, fail                Close received
//!   ┌──────┐ ────────▶ ┌──────┐ ────────────────────▶ ┌──────┐
//!   │ Open │           │ Sent │                       │ Both │──┐
//!   └──────┘ ────┐     └──────┘     Close received    └──────┘  │
//!     │  │       └──────────│────────── (answered) ──────▲      │ the transport ended,
//!     │  │ a write failed   │ the transport ended,              │ or a time was over
//!     │  ▼                  │ or a time was over                ▼
//!     │ ┌───────┐ ──────────┴────────────────────────────▶ ┌────────┐ poll_disconnect ┌──────┐
//!     │ │ Drain │     Close received, end, time            │ Ending │ ──────────────▶ │ Over │
//!     │ └───────┘                                          └────────┘                 └──────┘
//!     └── the transport ended, dead ──────────────────────────▲
//! ```

mod clause;
mod close;
mod code;
mod disconnect;
mod evidence;
mod history;
mod retry;
mod suspect;

#[cfg(test)]
mod tests;

pub use close::{Close, CloseError, Flaw, MAX_REASON};
pub use code::{CloseCode, retry_status};
pub use disconnect::{Disconnect, Exchange, Kind, Who};
pub use evidence::{Cut, End, Evidence, Ping};
pub use history::History;
pub use retry::{Change, Retry, Why};
pub use suspect::Suspect;

use crate::{Instant, Role};
use bytes::Bytes;
use core::time::Duration;
use disconnect::Record;
use suspect::{Case, Cause, Gap, MIN_SILENCE};

/// How long to wait for what at the end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// How long the peer may take to answer our Close once it has left. Every byte received starts the wait again, up
    /// to three times as long: the peer may have much to say before it reads our Close.
    ///
    /// Default: 5 s, several round trips on the worst path, and short enough for somebody who waits for it.
    pub close_timeout: Duration,
    /// How long the transport may outlive the exchange of Close frames. RFC 6455 §7.1.1 wants the server to end it
    /// first, so a client waits this long; a server waits as long for the client to follow.
    ///
    /// Default: 2 s, since nothing depends on it any more.
    pub end_timeout: Duration,
    /// How long to go on reading after a write failed: the peer's Close is often in the receive buffer.
    ///
    /// Default: 1 s, since what is there is there at once.
    pub drain_timeout: Duration,
    /// How long the data before our Close may make no progress at all on its way out.
    ///
    /// Default: 20 s, what the heartbeat allows for a sign of life.
    pub stall_timeout: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            close_timeout: Duration::from_secs(5),
            end_timeout: Duration::from_secs(2),
            drain_timeout: Duration::from_secs(1),
            stall_timeout: Duration::from_secs(20),
        }
    }
}

/// What to do with the transport once everything queued has been written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Keep it: read, and write what there is.
    Keep,
    /// End our direction (shut down the writing side); go on reading until the peer ends its own.
    FinishWriting,
    /// Drop it without waiting. What is queued may be offered to it once, if it takes that without blocking.
    Drop,
}

/// The closing handshake of one connection, both roles. See the [module](self) for its states.
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
    opened: Instant,
    received: Instant,
    sent: Instant,
    blocked: Option<Instant>,
    survived: Duration,
    /// The silence that our own sending ended, until an answer proves that it was survived.
    woke: Option<Gap>,
    stalled: Option<Gap>,
    exchange: Exchange,
    flaw: Option<Flaw>,
    /// Our application wanted this end.
    asked: bool,
    /// We could not go on, and this is what we wanted to say.
    failed: Option<Close>,
    ignored: u64,
}

#[derive(Debug)]
enum State {
    Open,
    /// Our Close is queued, the peer's is missing.
    Sent(Wait),
    /// The peer's Close is here, ours is queued.
    Both(Wait),
    /// A write failed: reading what is left.
    Drain {
        since: Instant,
    },
    /// Ended, and nobody was told.
    Ending {
        at: Instant,
        cause: Cause,
        /// Our Close was queued and had not left.
        unsent: bool,
    },
    Over,
}

/// What we wait for, once our Close is queued.
#[derive(Clone, Copy, Debug)]
enum Wait {
    /// For the transport to take it, with at most this long without progress.
    Flush { progress: Instant, limit: Duration },
    /// For the peer, since then.
    Peer { since: Instant },
}

/// What is read this soon after a stall may have waited in the receive buffer; what comes later proves that the
/// connection has survived.
const BACKLOG: Duration = Duration::from_secs(1);

impl Closing {
    /// The machine of a connection that has just been opened.
    pub fn new(config: Config, role: Role, now: Instant) -> Self {
        Self {
            config,
            role,
            state: State::Open,
            now,
            opened: now,
            received: now,
            sent: now,
            blocked: None,
            survived: Duration::ZERO,
            woke: None,
            stalled: None,
            exchange: Exchange::Neither,
            flaw: None,
            asked: false,
            failed: None,
            ignored: 0,
        }
    }

    // Facts about the transport.

    /// Bytes came in, of any kind.
    pub fn handle_received(&mut self, now: Instant) {
        let now = self.at(now);
        let silence = now - self.received.max(self.sent);
        let woke = self.woke.take().map_or(Duration::ZERO, |gap| gap.lasted);
        self.survived = self.survived.max(silence).max(woke);
        if self.stalled.is_some_and(|stall| now - stall.until > BACKLOG) {
            self.stalled = None;
        }
        self.received = now;
    }

    /// The transport accepted bytes.
    pub fn handle_sent(&mut self, now: Instant) {
        let now = self.at(now);
        let silence = now - self.received.max(self.sent);
        if silence >= MIN_SILENCE {
            self.woke = Some(Gap { lasted: silence, until: now });
        }
        self.sent = now;
        self.blocked = None;
        if let State::Sent(Wait::Flush { progress, .. }) | State::Both(Wait::Flush { progress, .. }) =
            &mut self.state
        {
            *progress = now;
        }
    }

    /// The transport takes no more bytes for the time being.
    pub fn handle_blocked(&mut self, now: Instant) {
        let now = self.at(now);
        self.blocked.get_or_insert(now);
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
        self.stalled = Some(Gap { lasted, until: now });
    }

    /// The transport ended. Later reports of the same kind change nothing.
    pub fn handle_end(&mut self, now: Instant, end: End) {
        let now = self.at(now);
        match (&self.state, end) {
            (State::Open, End::WriteFailed) => self.state = State::Drain { since: now },
            (State::Drain { .. }, End::WriteFailed) => {}
            (State::Drain { since }, end) if end != End::LocalAbort => {
                self.finish(now, Cause::Drained { since: *since, then: Some(end) });
            }
            _ => self.finish(now, Cause::End(end)),
        }
    }

    // Facts about the peer's frames.

    /// A data frame came: whether it is to be interpreted and delivered.
    pub fn handle_data(&mut self, now: Instant) -> bool {
        self.at(now);
        self.wants_data() || self.ignore()
    }

    /// A Ping came: whether it is to be answered.
    pub fn handle_ping(&mut self, now: Instant) -> bool {
        self.at(now);
        // A write that failed leaves no way for an answer; the Ping is not what is ignored then.
        self.is_talking() || (!matches!(self.state, State::Drain { .. }) && self.ignore())
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
                let sent = flaw.map_or_else(|| received.clone(), Flaw::answer);
                let payload = sent.encode();
                self.flaw = flaw;
                self.exchange = Exchange::ReceivedThenSent { received, sent };
                self.state = State::Both(Wait::Flush { progress: now, limit: self.config.close_timeout });
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
            State::Drain { since } => {
                let (received, flaw) = Close::decode(payload);
                self.flaw = flaw;
                self.exchange = Exchange::Received(received);
                self.finish(now, Cause::Drained { since, then: None });
                None
            }
            State::Both(_) | State::Ending { .. } | State::Over => {
                self.ignore();
                None
            }
        }
    }

    // Verdicts from elsewhere.

    /// What the peer sent cannot be gone on from: a violation of the protocol, or a limit that was passed.
    ///
    /// Drop the data that waits to be written. If there is an answer, it is the payload of our Close frame, to be
    /// written next. The input is not to be interpreted any further (RFC 6455 §7.1.7), except that a Close frame may
    /// be reported where the frames can still be told apart. A reason that is too long is cut.
    pub fn fail(&mut self, now: Instant, code: CloseCode, reason: &str) -> Option<Bytes> {
        let now = self.at(now);
        match self.state {
            State::Open => {
                let close =
                    Close::ours(if code.is_sendable() { code } else { CloseCode::INTERNAL_ERROR }, reason);
                let payload = close.encode();
                self.failed = Some(close.clone());
                self.exchange = Exchange::Sent(close);
                self.state = State::Sent(Wait::Flush { progress: now, limit: self.config.close_timeout });
                Some(payload)
            }
            State::Sent(_) => {
                self.failed.get_or_insert_with(|| Close::ours(code, reason));
                None
            }
            State::Drain { since } => {
                self.finish(now, Cause::Drained { since, then: None });
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

    // Commands.

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
        self.state = State::Sent(Wait::Flush { progress: now, limit: self.config.stall_timeout });
        Ok(payload)
    }

    // Time.

    /// Gives up what has been waited for too long. Early calls change nothing.
    pub fn handle_timeout(&mut self, now: Instant) {
        let now = self.at(now);
        if self.poll_timeout().is_none_or(|deadline| now < deadline) {
            return;
        }
        let cause = match self.state {
            State::Sent(Wait::Flush { progress, .. }) => Cause::Stuck { since: progress },
            State::Sent(Wait::Peer { since }) => Cause::Unanswered { since },
            State::Both(_) => Cause::Settled,
            State::Drain { since } => Cause::Drained { since, then: None },
            State::Open | State::Ending { .. } | State::Over => return,
        };
        self.finish(now, cause);
    }

    /// When to call [`handle_timeout`](Self::handle_timeout).
    pub fn poll_timeout(&self) -> Option<Instant> {
        match self.state {
            State::Sent(Wait::Flush { progress, limit }) | State::Both(Wait::Flush { progress, limit }) => {
                Some(progress + limit)
            }
            State::Sent(Wait::Peer { since }) if self.failed.is_some() => {
                Some(since + self.config.close_timeout)
            }
            State::Sent(Wait::Peer { since }) => {
                let wait = self.config.close_timeout;
                Some((self.received.max(since) + wait).min(since + wait.saturating_mul(3)))
            }
            State::Both(Wait::Peer { since }) => Some(since + self.config.end_timeout),
            State::Drain { since } => Some(since + self.config.drain_timeout),
            State::Open | State::Ending { .. } | State::Over => None,
        }
    }

    // Outputs.

    /// What to do with the transport.
    pub fn transport(&self) -> Transport {
        match (&self.state, self.role) {
            (State::Ending { .. } | State::Over, _) => Transport::Drop,
            // RFC 6455 §7.1.1: the server ends the TCP connection first, so that it is the one that waits in TIME_WAIT.
            (State::Both(_), Role::Server) => Transport::FinishWriting,
            (State::Sent(_), Role::Server) if self.failed.is_some() => Transport::FinishWriting,
            _ => Transport::Keep,
        }
    }

    /// The end, once: after the input that caused it, and with what the owner knows about it.
    pub fn poll_disconnect(&mut self, evidence: &Evidence) -> Option<Disconnect> {
        let State::Ending { at, cause, unsent } = self.state else { return None };
        self.state = State::Over;
        let ended = if let Cause::Drained { since, .. } = cause { since } else { at };
        let case = Case {
            at,
            cause,
            unsent,
            exchange: &self.exchange,
            flaw: self.flaw,
            asked: self.asked,
            failed: self.failed.as_ref(),
            age: at - self.opened,
            idle: ended - self.received.max(self.sent),
            silent: at - self.received,
            survived: self.survived,
            woke: self.woke,
            stalled: self.stalled,
            blocked: self.blocked,
            sent: self.sent,
            evidence,
        };
        let record = Record {
            verdict: case.verdict(),
            end: cause.end(),
            cut: evidence.cut,
            incomplete_message: evidence.incomplete_message,
            age: case.age,
            idle: case.idle,
            survived: case.survived,
            flaw: self.flaw,
            ignored: self.ignored,
            exchange: core::mem::take(&mut self.exchange),
        };
        Some(Disconnect(record.into()))
    }

    // Looking.

    /// Whether no end is in sight: messages can be sent.
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Open)
    }

    /// Whether everything is over and [`poll_disconnect`](Self::poll_disconnect) has told, or will tell.
    pub fn is_over(&self) -> bool {
        matches!(self.state, State::Ending { .. } | State::Over)
    }

    /// Whether data frames of the peer are to be interpreted and delivered.
    pub fn wants_data(&self) -> bool {
        self.is_talking() || matches!(self.state, State::Drain { .. })
    }

    /// Whether pings make sense: once our Close has left, its own time-out watches over the peer.
    pub fn wants_heartbeat(&self) -> bool {
        self.is_talking() && !matches!(self.state, State::Sent(Wait::Peer { .. }))
    }

    /// Whether writing has failed and only reading goes on.
    pub fn is_draining(&self) -> bool {
        matches!(self.state, State::Drain { .. })
    }

    // Private.

    /// The latest time seen: one that steps back stands still.
    fn at(&mut self, now: Instant) -> Instant {
        self.now = self.now.max(now);
        self.now
    }

    /// Whether both directions are in use.
    fn is_talking(&self) -> bool {
        match self.state {
            State::Open => true,
            State::Sent(_) => self.failed.is_none(),
            State::Both(_) | State::Drain { .. } | State::Ending { .. } | State::Over => false,
        }
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
            let unsent =
                matches!(self.state, State::Sent(Wait::Flush { .. }) | State::Both(Wait::Flush { .. }));
            self.state = State::Ending { at, cause, unsent };
        }
    }
}
