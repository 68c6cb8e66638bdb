//! Watches a tungstenite WebSocket: says when to ping, whether the peer is alive, and what ended it.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::time::Duration;

use ::tungstenite::error::{CapacityError, Error, ProtocolError};
use ::tungstenite::protocol::CloseFrame;
use ::tungstenite::{self as foreign};
use bowline_core::closing::{self, CloseError, Closing, Evidence, Ping};
use bowline_core::heartbeat::{self, Beat, News};
use bowline_core::time::earliest;
use bowline_core::{Close, CloseCode, Disconnect, End, Heartbeat, Instant, Rng, Role};

use super::convert::{payload, to_close};
use super::counted::Counted;
use crate::{read_end, write_end};

/// The settings of a [`Watch`].
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Config {
    /// When to ping, and when silence means death.
    pub heartbeat: heartbeat::Config,
    /// How long a closing handshake may take.
    pub closing: closing::Config,
}

/// A [`Heartbeat`] and a [`Closing`], in terms of tungstenite. Does no I/O.
///
/// Report what happens, and write what [`poll_message`](Self::poll_message) returns:
///
/// | the owner has | it reports |
/// |---|---|
/// | called `read` or `flush`, with any result | [`handle_traffic`](Self::handle_traffic), first of all |
/// | got a message from `read` | [`handle_message`](Self::handle_message) |
/// | got an error from `read` | [`handle_read_error`](Self::handle_read_error) |
/// | called `flush` with success | [`handle_flushed`](Self::handle_flushed) |
/// | got an error from `write` or `flush` | [`handle_write_error`](Self::handle_write_error) |
/// | waited until [`poll_timeout`](Self::poll_timeout) | [`handle_timeout`](Self::handle_timeout) |
pub struct Watch {
    heartbeat: Heartbeat,
    closing: Closing,
    evidence: Evidence,
    /// How much had been received and sent at the last report.
    crossed: (u64, u64),
    /// How many of our pings are queued, and not known to have left.
    unsent: u32,
    out: VecDeque<foreign::Message>,
}

impl Watch {
    /// Watches a WebSocket that has just been opened. Jitter and the payloads of pings are derived from the seed.
    pub fn new(role: Role, config: Config, seed: [u8; 32], now: Instant) -> Self {
        Self {
            heartbeat: Heartbeat::new(config.heartbeat, &mut Rng::from_seed(seed), now),
            closing: Closing::new(config.closing, role, now),
            evidence: Evidence::default(),
            crossed: (0, 0),
            unsent: 0,
            out: VecDeque::new(),
        }
    }

    /// Bytes may have crossed since the last call.
    pub fn handle_traffic<S>(&mut self, now: Instant, stream: &Counted<S>) {
        let (received, sent) = std::mem::replace(&mut self.crossed, (stream.received(), stream.sent()));
        if self.crossed.1 > sent {
            self.heartbeat.handle_sent(now);
            self.closing.handle_sent(now, usize::try_from(self.crossed.1 - sent).unwrap_or(usize::MAX));
        }
        if self.crossed.0 > received {
            self.heartbeat.handle_received(now);
            self.closing.handle_received(now);
        }
    }

    /// This message was read. tungstenite answers a Ping itself.
    pub fn handle_message(&mut self, now: Instant, message: &foreign::Message) {
        match message {
            foreign::Message::Text(_) | foreign::Message::Binary(_) => {
                self.closing.handle_data(now);
                self.evidence.messages += 1;
                self.evidence.longest_message = self.evidence.longest_message.max(message.len() as u64);
            }
            foreign::Message::Ping(_) => drop(self.closing.handle_ping(now)),
            foreign::Message::Pong(payload) => {
                if self.closing.handle_pong(now) {
                    self.heartbeat.handle_pong(now, payload);
                }
            }
            // tungstenite answers with the same code and reason.
            foreign::Message::Close(frame) => {
                drop(self.closing.handle_close(now, &payload(frame.as_ref())));
            }
            foreign::Message::Frame(_) => {}
        }
    }

    /// Everything written has left.
    pub fn handle_flushed(&mut self, now: Instant) {
        for _ in 0..std::mem::take(&mut self.unsent) {
            self.heartbeat.handle_ping_sent(now);
        }
        self.closing.handle_close_flushed(now, None);
    }

    /// A read failed. It is not an error if nothing has arrived yet.
    pub fn handle_read_error(&mut self, now: Instant, error: &Error) {
        match error {
            error if is_patience(error) => {}
            Error::Io(error) => self.closing.handle_end(now, read_end(error)),
            // This is what tungstenite returns for the end of the stream, and after both Closes.
            Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) | Error::ConnectionClosed => {
                self.closing.handle_end(now, End::Eof);
            }
            Error::Protocol(_) | Error::AttackAttempt => self.fail(now, CloseCode::PROTOCOL_ERROR, error),
            Error::Utf8(_) => self.fail(now, CloseCode::INVALID_DATA, error),
            Error::Capacity(CapacityError::MessageTooLong { .. }) => {
                self.fail(now, CloseCode::MESSAGE_TOO_BIG, error);
            }
            _ => self.closing.handle_end(now, End::ReadFailed),
        }
    }

    /// A write failed. It is not an error if the stream accepts no more for now.
    pub fn handle_write_error(&mut self, now: Instant, error: &Error) {
        match error {
            error if is_patience(error) => {
                self.heartbeat.handle_blocked(now);
                self.closing.handle_blocked(now);
            }
            Error::ConnectionClosed | Error::AlreadyClosed => self.closing.handle_end(now, End::Eof),
            // Reading will say more.
            Error::Io(error) => self.closing.handle_end(now, write_end(error)),
            Error::Tls(_) => self.closing.handle_end(now, End::WriteFailed),
            // Something could not be written, but the stream is intact.
            _ => {}
        }
    }

    /// The owner stops reading for a while, or starts again: silence does not count while nobody reads.
    pub fn set_reading(&mut self, now: Instant, reading: bool) {
        self.heartbeat.set_reading(now, reading);
        self.closing.set_reading(now, reading);
    }

    /// The owner drops the WebSocket.
    pub fn abort(&mut self, now: Instant) {
        self.closing.handle_end(now, End::LocalAbort);
    }

    /// Time has passed. Early and repeated calls do nothing.
    pub fn handle_timeout(&mut self, now: Instant) {
        // Its advice to drop what is queued cannot be followed here; another deadline follows.
        let _ = self.closing.handle_timeout(now);
        if !self.closing.wants_heartbeat() {
            return;
        }
        let beat = self.heartbeat.handle_timeout(now);
        self.beat(now, beat);
    }

    /// The machine slept this long: see [`SleepWatch`](crate::SleepWatch).
    pub fn handle_wake(&mut self, now: Instant, slept: Duration) {
        self.closing.handle_stalled(now, slept);
        if self.closing.wants_heartbeat() {
            let beat = self.heartbeat.handle_wake(now, slept);
            self.beat(now, beat);
        }
    }

    /// When to call [`handle_timeout`](Self::handle_timeout).
    pub fn poll_timeout(&self) -> Option<Instant> {
        let heartbeat = self.heartbeat.poll_timeout().filter(|_| self.closing.wants_heartbeat());
        earliest(heartbeat, self.closing.poll_timeout()).filter(|_| !self.closing.is_over())
    }

    /// Starts the closing handshake.
    ///
    /// # Errors
    /// If this Close must not be sent, or the WebSocket is closing already.
    pub fn close(&mut self, now: Instant, close: &Close) -> Result<(), CloseError> {
        self.closing.close(now, close.clone())?;
        self.out.push_back(foreign::Message::Close(to_close(close)));
        Ok(())
    }

    /// What to write and then flush.
    pub fn poll_message(&mut self) -> Option<foreign::Message> {
        self.out.pop_front()
    }

    /// The end, once. Offer the stream what [`poll_message`](Self::poll_message) still returns, and drop it.
    pub fn poll_disconnect(&mut self) -> Option<Disconnect> {
        (self.evidence.pings, self.evidence.pongs) = (self.heartbeat.pings(), self.heartbeat.pongs());
        self.evidence.answer_time = self.heartbeat.rtt().pto();
        self.closing.poll_disconnect(&self.evidence)
    }

    /// Whether messages can be sent.
    pub fn is_open(&self) -> bool {
        self.closing.is_open()
    }

    /// The heartbeat, for inspection.
    pub fn heartbeat(&self) -> &Heartbeat {
        &self.heartbeat
    }

    /// Does what the heartbeat asks for.
    fn beat(&mut self, now: Instant, beat: Option<Beat>) {
        match beat {
            Some(Beat::Ping { payload, news }) => {
                if let Some(News::Stalled { late }) = news {
                    self.closing.handle_stalled(now, late);
                }
                self.unsent += 1;
                self.out.push_back(foreign::Message::Ping(payload.to_vec().into()));
            }
            Some(Beat::Pong) => self.out.push_back(foreign::Message::Pong(Vec::new().into())),
            Some(Beat::Dead { ping, .. }) => {
                self.evidence.ping = ping.map_or(Ping::Unsent, Ping::Unanswered);
                let close = self.closing.dead(now).map(|payload| Close::decode(&payload).0);
                self.out.extend(close.map(|close| foreign::Message::Close(to_close(&close))));
            }
            _ => {}
        }
    }

    /// The peer has violated the protocol, or exceeded a limit.
    fn fail(&mut self, now: Instant, code: CloseCode, error: &Error) {
        let close = self.closing.fail(now, code, &error.to_string());
        let frame = close.and_then(|payload| to_close(&Close::decode(&payload).0));
        self.out.extend(frame.map(|frame: CloseFrame| foreign::Message::Close(Some(frame))));
        // What follows must not be read, and tungstenite would read it.
        self.closing.handle_end(now, End::LocalAbort);
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch")
            .field("closing", &self.closing)
            .field("crossed", &self.crossed)
            .field("unsent", &self.unsent)
            .finish_non_exhaustive()
    }
}

/// Whether this only says that nothing can be moved for now. Where a system distinguishes a timeout of ours from one of
/// the transport, it reports ours as `WouldBlock`.
pub(super) fn is_patience(error: &Error) -> bool {
    let Error::Io(error) = error else { return false };
    let late = cfg!(windows) && error.kind() == io::ErrorKind::TimedOut;
    late || matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
