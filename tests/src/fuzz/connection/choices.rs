//! What a host can do to its connection, and what can arrive.

use crate::fuzz::choice::{Blob, Many, Span, choice};
use bowline_core::connection::Config;
use bowline_core::heartbeat::Mode;
use bowline_core::message::Delivery;
use bowline_core::{Connection, End, Instant, Role};

choice! {
    /// A connection and its life.
    struct Life {
        settings: Settings,
        ops: Many<Op>,
    }
}

choice! {
    struct Settings {
        is_client: bool,
        /// When it opens, in nanoseconds.
        start: u64,
        small_limits: bool,
        /// Messages are handed out in pieces, as they arrive.
        in_pieces: bool,
        send_buffer: u16,
        receive_buffer: u16,
        fragment: Option<u16>,
        ping_limit: Option<Span>,
        message_timeout: Option<Span>,
        min_receive_rate: Option<u16>,
        mode: u8,
        times: Option<Times>,
    }
}

choice! {
    /// If they are not the usual ones.
    struct Times {
        interval: Span,
        timeout: Span,
        timeout_max: Span,
        grace: Span,
        jitter_percent: u8,
        close: Span,
        end: Span,
        drain: Span,
        stall: Span,
    }
}

choice! {
    enum Op {
        /// Any bytes arrive.
        Input(bytes: Blob),
        /// A frame arrives, correct except perhaps for its first byte.
        Frame(first: u8, payload: Blob),
        /// A longer one.
        Zeros(first: u8, len: u16),
        /// Only the header of a frame of this length.
        Header(first: u8, len: u64),
        PeerCloses(code: u16, reason: Blob),
        /// The peer answers our newest ping.
        PeerPongs,
        /// The same as input, read into the buffer that is lent.
        Read(bytes: Blob),
        /// There was nothing to read.
        ReadNothing,
        Write(n: u16),
        WriteAll,
        /// The host reports that more was written than there was.
        Miscount(n: u16),
        Blocked,
        Timeout,
        /// Time passes.
        Pass(span: Span),
        /// To the next deadline.
        Sleep,
        /// It is this time now, even if that is earlier, in nanoseconds.
        At(nanos: u64),
        /// At the very end of time.
        AtLast,
        SendText(text: Blob),
        Send(len: u16),
        SendParts(head: u8, body: u16, tail: u8),
        SendTextPiece(letters: Blob, is_last: bool),
        SendPiece(len: u16, is_last: bool),
        Ping(payload: Blob),
        Close(code: u16, reason: Blob),
        Fail(code: u16, reason: Blob),
        Abort,
        End(which: u8),
        SetReading(reading: bool),
        Wake(slept: Span),
        SetHeartbeat(interval: Span),
        /// The application takes one event.
        Take,
        TakeAll,
    }
}

impl Settings {
    pub(super) fn role(&self) -> Role {
        if self.is_client { Role::Client } else { Role::Server }
    }

    pub(super) fn connection(&self) -> Connection {
        let (config, now) = (self.config(), Instant::from_nanos(self.start));
        match self.role() {
            Role::Client => Connection::client(config, [1; 32], now),
            Role::Server => Connection::server(config, [1; 32], now),
        }
    }

    fn config(&self) -> Config {
        let mut config = Config::default();
        if self.small_limits {
            config.limits.frame = Some(1500);
            config.limits.message = Some(2000);
            config.limits.fragments = Some(3);
        }
        if self.in_pieces {
            config.delivery = Delivery::Pieces;
        }
        config.send_buffer = self.send_buffer.into();
        config.receive_buffer = self.receive_buffer.into();
        config.fragment = self.fragment.map(usize::from);
        config.min_ping_interval = self.ping_limit.map(|span| span.0);
        config.message_timeout = self.message_timeout.map(|span| span.0);
        config.min_receive_rate = self.min_receive_rate.map(u64::from);
        config.heartbeat.mode = [Mode::Full, Mode::KeepaliveOnly, Mode::Off][usize::from(self.mode % 3)];
        if let Some(times) = &self.times {
            config.heartbeat.interval = times.interval.0;
            config.heartbeat.timeout = times.timeout.0;
            config.heartbeat.timeout_max = times.timeout_max.0;
            config.heartbeat.grace = times.grace.0;
            config.heartbeat.jitter_percent = times.jitter_percent;
            config.closing.close_timeout = times.close.0;
            config.closing.end_timeout = times.end.0;
            config.closing.drain_timeout = times.drain.0;
            config.closing.stall_timeout = times.stall.0;
        }
        config
    }
}

/// One of the ways in which a transport ends.
pub(in crate::fuzz) fn end(which: u8) -> End {
    const ENDS: [End; 7] = [
        End::Eof,
        End::Reset,
        End::WriteFailed,
        End::TlsTruncated,
        End::TimedOut,
        End::ReadFailed,
        End::LocalAbort,
    ];
    let (which, round) = (usize::from(which) % ENDS.len(), usize::from(which) / ENDS.len());
    match (ENDS[which], round % 3) {
        (End::WriteFailed, 1) => End::WriteReset,
        (End::WriteFailed, 2) => End::WriteTimedOut,
        (end, _) => end,
    }
}
