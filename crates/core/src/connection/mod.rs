//! A WebSocket connection without I/O: bytes to messages and back, alive and in order until its end is explained.
//!
//! ```text
//!                     ┌────────────────────── Connection ──────────────────────┐
//!   handle_input ───▶ │ Decoder ──▶ Assembler ──▶ messages ──▶ events          │ ──▶ poll_event
//!                     │    └─ Ping, Pong, Close ─▶ Heartbeat, Closing ─┘       │
//!   output, written ◀─│ fragments, with pings and pongs between them ◀─ queue  │ ◀── send, close
//!                     └─────────────────────────────────────────────────────────┘
//! ```
//!
//! The host reads, writes and looks at the clock. Each time it wakes up, it follows this order: read what has arrived
//! ([`handle_input`](Connection::handle_input), or [`input`](Connection::input) and
//! [`handle_read`](Connection::handle_read)), report the time ([`handle_timeout`](Connection::handle_timeout)), take
//! all events ([`poll_event`](Connection::poll_event)), write what is queued ([`output`](Connection::output),
//! [`handle_written`](Connection::handle_written)), and sleep until [`poll_timeout`](Connection::poll_timeout) or until
//! the transport is ready. Events come before writing, because taking one may queue an answer. The
//! [manual](crate::manual::embedding) shows this as programs.

mod clock;
mod commands;
mod config;
mod drain;
mod ending;
mod event;
mod fault;
mod inbox;
mod intake;
mod jam;
mod liveness;
mod look;
mod output;
mod pace;
mod pings;
mod receive;
mod record;
mod stats;
mod transmit;

pub use crate::closing::Transport;
pub use config::Config;
pub use event::{Event, Lent, Lesson, SendError};
pub use pings::PingError;
pub use stats::Stats;

use crate::closing::{CloseCode, Closing, End, History, Overdue};
use crate::frame::{Decoder, Role};
use crate::heartbeat::{Heartbeat, PingLimit, SHORT_SLEEP};
use crate::mask::Keys;
use crate::message::Unfinished;
use crate::outbox::Outbox;
use crate::recorder::{Recorder, What};
use crate::{Instant, Rng};
use alloc::boxed::Box;
use bytes::BytesMut;
use core::time::Duration;
use drain::Meter;
use fault::Fault;
use inbox::Inbox;
use intake::Intake;
use jam::Jam;
use liveness::Probe;
use pace::Pace;
use pings::Asked;
use stats::Counters;

/// One WebSocket connection, from the end of its opening handshake to the end of its transport.
///
/// Nothing here does I/O or looks at a clock. Facts about the transport are reported by `handle_*`, which never fails:
/// a protocol error of the peer ends the connection by the rules, and the last event reports it.
///
/// ```
/// use bowline_core::connection::{Config, Connection, Event};
/// use bowline_core::{Instant, Message};
///
/// let now = Instant::ZERO;
/// let mut client = Connection::client(Config::default(), [1; 32], now);
/// let mut server = Connection::server(Config::default(), [2; 32], now);
///
/// client.send(now, Message::text("hello"))?;
/// let n = client.output().len();
/// server.handle_input(now, client.output()); // here a real host would use a socket
/// client.handle_written(now, n);
///
/// assert_eq!(server.poll_event(), Some(Event::Message(Message::text("hello"))));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Connection {
    now: Instant,
    decoder: Decoder,
    /// How many bytes the decoder held when last checked; anything beyond that has arrived since.
    known: usize,
    intake: Intake,
    inbox: Inbox,
    outbox: Outbox,
    meter: Meter,
    heartbeat: Heartbeat,
    closing: Closing,
    probe: Probe,
    pace: Pace,
    ping_limit: Option<Box<PingLimit>>,
    /// Present once the application has sent a ping.
    asked: Option<Box<Asked>>,
    jam: Jam,
    recorder: Recorder,
    /// Whether the host reads.
    reading: bool,
    /// What the heartbeat was last told about reading, and when.
    told_reading: bool,
    told_at: Instant,
    close_received: bool,
    /// The peer's protocol error, until it is answered.
    fault: Option<Box<Fault>>,
    /// The message that is being sent in pieces.
    unfinished: Unfinished,
    send_buffer: usize,
    write_timeout: Option<Duration>,
    fragment: Option<usize>,
    /// Present only if something is known.
    history: Option<Box<History>>,
    stats: Counters,
}

impl Connection {
    /// The end that dialled. The seed keys the masks (RFC 6455 §10.3), so it must be unpredictable: use 32 bytes from
    /// the operating system.
    pub fn client(config: Config, seed: [u8; 32], now: Instant) -> Self {
        Self::new(Role::Client, config, seed, now)
    }

    /// The end that accepted. The payloads of its pings and the jitter of their times are derived from the seed.
    pub fn server(config: Config, seed: [u8; 32], now: Instant) -> Self {
        Self::new(Role::Server, config, seed, now)
    }

    fn new(role: Role, config: Config, seed: [u8; 32], now: Instant) -> Self {
        let mut rng = Rng::from_seed(seed);
        let recorder = Recorder::new(role, &config.heartbeat, now);
        let heartbeat = Heartbeat::new(config.heartbeat, &mut rng, now);
        let meter = Meter::new(now);
        let decoder = Intake::decoder(config.delivery, role, &config.limits);
        let keys = (role == Role::Client).then(|| Keys::new(rng));
        Self {
            now,
            decoder,
            known: 0,
            intake: Intake::new(config.delivery, config.limits),
            unfinished: Unfinished::default(),
            inbox: Inbox::new(config.receive_buffer),
            outbox: Outbox::new(keys, config.fragment.unwrap_or(meter.fragment())),
            meter,
            heartbeat,
            closing: Closing::new(config.closing, role, now),
            probe: Probe::Answered,
            pace: Pace::new(config.message_timeout, config.min_receive_rate),
            ping_limit: config.min_ping_interval.map(|least| Box::new(PingLimit::new(least))),
            asked: None,
            jam: Jam::default(),
            recorder,
            reading: true,
            told_reading: true,
            told_at: now,
            close_received: false,
            fault: None,
            send_buffer: config.send_buffer.max(1),
            write_timeout: config.write_timeout,
            fragment: config.fragment,
            history: (config.history != History::default()).then(|| Box::new(config.history)),
            stats: Counters::default(),
        }
    }

    // Facts.

    /// These bytes were received from the transport. They are copied, and unmasked on the way; [`input`](Self::input)
    /// saves the copy if you can read into any buffer.
    pub fn handle_input(&mut self, now: Instant, bytes: &[u8]) {
        self.take_in(now, bytes);
    }

    /// A buffer to append received bytes to, with spare capacity for as many as are wanted next. Report them by
    /// [`handle_read`](Self::handle_read).
    pub fn input(&mut self) -> &mut BytesMut {
        self.decoder.input()
    }

    /// How many bytes are wanted next: the rest of the current frame or, after a large one, another like it, and a few
    /// more for the next header. For a host that reads into a buffer of its own while little is expected.
    pub fn wanted(&self) -> usize {
        self.decoder.wanted()
    }

    /// Bytes were appended to [`input`](Self::input), or none, because there was nothing to read. In the latter case,
    /// unused memory is freed, unless [places are kept](Self::keep_places).
    pub fn handle_read(&mut self, now: Instant) {
        self.take_in(now, &[]);
    }

    /// The transport accepted the first `n` bytes of [`output`](Self::output), or of [`outputs`](Self::outputs). If you
    /// would have given it more, report [`handle_blocked`](Self::handle_blocked) too.
    ///
    /// The transport cannot have accepted more than it was shown. A host that reports more has miscounted, and nobody
    /// knows what the peer was sent: this call drops the connection with [`End::Miscounted`], without a word to the
    /// peer.
    pub fn handle_written(&mut self, now: Instant, n: usize) {
        // First, because output caused by the new time was not shown.
        let flushed = self.outbox.written(n);
        let now = self.at(now);
        self.transmit(now, n, flushed);
        self.settle(now);
    }

    /// The transport accepts no more for now: a write would block, or was short.
    pub fn handle_blocked(&mut self, now: Instant) {
        let now = self.at(now);
        self.stats.blocked += 1;
        self.jam.handle_blocked(now);
        self.heartbeat.handle_blocked(now);
        self.closing.handle_blocked(now);
        self.meter.handle_blocked(now);
        self.measure();
    }

    /// The transport ended. After a [write that failed](End::is_write_failure), keep reading while
    /// [`wants_input`](Self::wants_input) says so.
    pub fn handle_end(&mut self, now: Instant, end: End) {
        let now = self.at(now);
        if !end.is_ours() {
            self.tell_fault(now);
        }
        if !self.closing.is_over() {
            self.note(now, What::TransportEnded(end));
        }
        self.closing.handle_end(now, end);
        if end.is_write_failure() {
            self.outbox.clear();
            self.jam = Jam::default();
        }
        self.settle(now);
    }

    /// The deadline of [`poll_timeout`](Self::poll_timeout) was reached. Early or repeated calls do nothing.
    pub fn handle_timeout(&mut self, now: Instant) {
        let now = self.at(now);
        if self.closing.wants_heartbeat() {
            let beat = self.heartbeat.handle_timeout(now);
            self.beat(now, beat);
        }
        if self.is_paced() && self.pace.handle_timeout(now) {
            self.fail(now, CloseCode::POLICY, "too slow");
        }
        if let Some(lasted) = self.jam.handle_timeout(now) {
            self.tell(now, Event::WriteBlocked { lasted });
        }
        if self.jam_deadline().is_some_and(|deadline| deadline <= now) {
            self.fail(now, CloseCode::POLICY, "takes nothing");
        }
        if self.inbox.is_full() {
            self.closing.skip_data(now);
        }
        self.tell_late_fault(now);
        // Last, because failing may shorten its patience.
        match self.closing.handle_timeout(now) {
            Some(Overdue::Answer(payload)) => self.outbox.close(payload),
            Some(Overdue::Data) => self.outbox.drop_messages(),
            None => {}
        }
        self.settle(now);
    }

    /// The machine slept this long: the wall clock advanced by that much more than the monotonic one, which stands
    /// still during sleep on some systems. After a sleep of more than 10 s, the connection asks whether the peer is
    /// still there.
    pub fn handle_wake(&mut self, now: Instant, slept: Duration) {
        let now = self.at(now);
        if slept > SHORT_SLEEP {
            self.forgive(now, slept);
            self.tell(now, Event::Resumed { slept });
        }
        if self.closing.wants_heartbeat() {
            let beat = self.heartbeat.handle_wake(now, slept);
            self.beat(now, beat);
        }
        self.settle(now);
    }

    /// The host stops reading for reasons of its own, or starts again. Silence does not count against a peer while
    /// nobody reads.
    pub fn set_reading(&mut self, now: Instant, reading: bool) {
        self.at(now);
        self.reading = reading;
        self.tell_reading();
    }

    /// Whether the peer's application owes an answer, which only this application knows. A silence during that time is
    /// not taken for an idle limit of the path: the path may have been cut under what was sent, or under the answer.
    ///
    /// `pump` sets this while chunks of files are unacknowledged, while more of them may arrive, or while a client
    /// would rather [open another connection](Self::set_impatient).
    pub fn set_awaiting(&mut self, now: Instant, awaiting: bool) {
        self.closing.set_awaiting(now, awaiting);
    }

    /// Whether the application is impatient: it waits for the peer, and would rather open another connection than wait
    /// until this one is found dead. Meanwhile, silence is probed early, and [`Event::Doubtful`] reports a late answer:
    /// see [`Heartbeat::set_impatient`].
    ///
    /// `pump` sets this for a client's `Session`, which then asks for another connection.
    pub fn set_impatient(&mut self, now: Instant, impatient: bool) {
        self.heartbeat.set_impatient(now, impatient);
    }

    /// Use this where large single-frame messages follow each other and the application holds some of them for a while.
    /// The buffers in which they arrived are then kept, at most 4 MiB in total, and reused once the application has
    /// dropped them. By default, each message gets memory of its own, and nothing is kept while nothing arrives.
    ///
    /// `pump` sets this while files arrive. When the heartbeat finds that nothing is happening, everything is freed.
    pub fn keep_places(&mut self, keep: bool) {
        self.decoder.keep_places(keep);
    }

    // Private.

    #[cfg(test)]
    pub(crate) fn keeps_places(&self) -> bool {
        self.decoder.keeps_places()
    }

    /// Moves what has been read to the decoder, and these bytes behind it.
    fn take_in(&mut self, now: Instant, bytes: &[u8]) {
        let now = self.at(now);
        if self.closing.is_over() {
            return self.decoder.clear();
        }
        match self.decoder.buffered().saturating_sub(self.known) + bytes.len() {
            0 => {
                if !self.decoder.keeps_places() {
                    self.decoder.release();
                }
                self.inbox.release();
            }
            fresh => self.receive(now, fresh as u64, bytes),
        }
        self.settle(now);
    }

    fn is_reading(&self) -> bool {
        self.reading && self.wants_input()
    }

    /// Frees spare memory while nothing happens.
    fn rest(&mut self) {
        self.decoder.release();
        self.known = self.decoder.buffered();
        self.outbox.release();
        self.inbox.release();
    }
}

#[cfg(test)]
mod tests;
