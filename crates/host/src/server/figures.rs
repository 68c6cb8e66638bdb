//! What a server has done so far, as numbers.

mod text;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bowline_core::Disconnect;
use bowline_core::closing::Kind;
use bowline_core::connection::Stats;
use bowline_core::transfer::{Code, Stage};

/// The upper bounds of the histogram of round trips, in milliseconds: from a cable in the room to a satellite behind a
/// full queue.
pub const ROUND_TRIPS: [u64; 10] = [1, 5, 10, 25, 50, 100, 250, 500, 1000, 5000];

/// What a server has done so far, and its current state. All labels are our own words and few in number, whatever peers
/// do.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Figures {
    /// How many connections are open.
    pub connections: u64,
    /// How many were ever opened, including those still open.
    pub opened: u64,
    /// How many have ended, for each kind of end; a link that was dropped halfway counts as `local_abort`.
    pub ended: BTreeMap<&'static str, u64>,
    /// How many clients got no connection, for each reason.
    pub refused: BTreeMap<&'static str, u64>,
    /// How much has crossed the connections, including headers and control frames.
    pub traffic: Traffic,
    /// What clients send.
    pub sent_by_clients: Moved,
    /// What clients fetch.
    pub fetched_by_clients: Moved,
    /// How many pings were answered within each of [`ROUND_TRIPS`], and how many took longer.
    pub round_trips: [u64; ROUND_TRIPS.len() + 1],
    /// The sum of all these round trips.
    pub round_trip_sum: Duration,
    /// How many bytes of unfinished files the store keeps.
    pub unfinished_bytes: u64,
    /// How many unfinished files it keeps.
    pub unfinished_files: u64,
    /// How many bytes are free on its disk, if the system reports it.
    pub free_bytes: Option<u64>,
}

/// What has crossed connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Traffic {
    /// Bytes from clients.
    pub bytes_received: u64,
    /// Bytes to clients.
    pub bytes_sent: u64,
    /// Pings of the heartbeat.
    pub pings: u64,
    /// How many of them were answered.
    pub pongs: u64,
    /// Pings from clients.
    pub pings_received: u64,
}

/// The transfers in one direction.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Moved {
    /// How many are under way, in each stage.
    pub open: Stages,
    /// How many files have arrived. Folders and listings do not count.
    pub done: u64,
    /// How many of these were already there.
    pub already_there: u64,
    /// The bytes of those that have arrived and were not already there.
    pub bytes: u64,
    /// How many have ended early, for each reason.
    pub failed: BTreeMap<&'static str, u64>,
}

/// How many transfers are in each stage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stages {
    /// Their files are being opened.
    pub opening: u64,
    /// Their bytes move.
    pub moving: u64,
    /// One end has paused them.
    pub paused: u64,
    /// Digests are being compared, and disks are at work.
    pub finishing: u64,
}

/// Why there was no connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// The token is missing, wrong, or no longer valid.
    Token,
    /// The request came from a web page whose origin is not allowed.
    Origin,
    /// It was not a WebSocket request for this protocol, or was incomplete.
    Handshake,
    /// The TLS handshake failed.
    Tls,
    /// The principal already had the maximum number of connections.
    Crowd,
}

/// The direction of a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    In,
    Out,
}

impl Figures {
    pub(super) fn moved(&mut self, way: Way) -> &mut Moved {
        match way {
            Way::In => &mut self.sent_by_clients,
            Way::Out => &mut self.fetched_by_clients,
        }
    }

    fn handle_round_trip(&mut self, took: Duration) {
        let bin = ROUND_TRIPS.iter().position(|most| took <= Duration::from_millis(*most));
        self.round_trips[bin.unwrap_or(ROUND_TRIPS.len())] += 1;
        self.round_trip_sum += took;
    }
}

impl Stages {
    pub(super) fn count(&mut self, stage: Stage) {
        *match stage {
            Stage::Moving => &mut self.moving,
            Stage::Paused { .. } => &mut self.paused,
            Stage::Finishing => &mut self.finishing,
            _ => &mut self.opening,
        } += 1;
    }

    /// Replaces an earlier contribution by the present one.
    fn replace(&mut self, before: Self, these: Self) {
        self.opening = self.opening + these.opening - before.opening;
        self.moving = self.moving + these.moving - before.moving;
        self.paused = self.paused + these.paused - before.paused;
        self.finishing = self.finishing + these.finishing - before.finishing;
    }
}

impl Traffic {
    fn of(stats: &Stats) -> Self {
        let Stats { bytes_received, bytes_sent, pings, pongs, pings_received, .. } = *stats;
        Self { bytes_received, bytes_sent, pings, pongs, pings_received }
    }

    /// Adds what has been added since `before`.
    fn add(&mut self, now: Self, before: Self) {
        self.bytes_received += now.bytes_received - before.bytes_received;
        self.bytes_sent += now.bytes_sent - before.bytes_sent;
        self.pings += now.pings - before.pings;
        self.pongs += now.pongs - before.pongs;
        self.pings_received += now.pings_received - before.pings_received;
    }
}

impl Refusal {
    fn label(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Origin => "origin",
            Self::Handshake => "handshake",
            Self::Tls => "tls",
            Self::Crowd => "crowd",
        }
    }
}

/// The figures of a server, shared by all its links.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally(Arc<Mutex<Figures>>);

impl Tally {
    pub(super) fn figures(&self) -> Figures {
        self.lock().clone()
    }

    pub(super) fn handle_refused(&self, why: Refusal) {
        *self.lock().refused.entry(why.label()).or_default() += 1;
    }

    /// A share for a new link.
    pub(super) fn join(&self) -> Share {
        let mut figures = self.lock();
        (figures.connections, figures.opened) = (figures.connections + 1, figures.opened + 1);
        drop(figures);
        Share { tally: self.clone(), traffic: Traffic::default(), open: Default::default(), has_ended: false }
    }

    fn lock(&self) -> MutexGuard<'_, Figures> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What one link has contributed. When it is dropped, its current state is subtracted.
#[derive(Debug)]
pub(super) struct Share {
    tally: Tally,
    traffic: Traffic,
    /// Incoming and outgoing.
    open: (Stages, Stages),
    /// Whether its end was counted.
    has_ended: bool,
}

impl Share {
    pub(super) fn handle_stats(&mut self, stats: &Stats) {
        let traffic = Traffic::of(stats);
        if traffic != self.traffic {
            self.tally.lock().traffic.add(traffic, self.traffic);
            self.traffic = traffic;
        }
    }

    pub(super) fn handle_round_trip(&mut self, took: Duration) {
        self.tally.lock().handle_round_trip(took);
    }

    pub(super) fn handle_open(&mut self, open: (Stages, Stages)) {
        if open != self.open {
            let mut figures = self.tally.lock();
            figures.sent_by_clients.open.replace(self.open.0, open.0);
            figures.fetched_by_clients.open.replace(self.open.1, open.1);
            drop(figures);
            self.open = open;
        }
    }

    pub(super) fn handle_done(&mut self, way: Way, bytes: u64, was_there: bool) {
        let mut figures = self.tally.lock();
        let moved = figures.moved(way);
        moved.done += 1;
        if was_there {
            moved.already_there += 1;
        } else {
            moved.bytes += bytes;
        }
    }

    pub(super) fn handle_failed(&mut self, way: Way, code: Code) {
        *self.tally.lock().moved(way).failed.entry(code_label(code)).or_default() += 1;
    }

    pub(super) fn handle_ended(&mut self, disconnect: &Disconnect) {
        self.count_end(disconnect.kind());
    }

    fn count_end(&mut self, kind: Kind) {
        *self.tally.lock().ended.entry(kind_label(kind)).or_default() += 1;
        self.has_ended = true;
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        // A link that is dropped halfway was cut on this side.
        if !self.has_ended {
            self.count_end(Kind::LocalAbort);
        }
        self.handle_open(Default::default());
        self.tally.lock().connections -= 1;
    }
}

/// A label for each kind of end.
fn kind_label(kind: Kind) -> &'static str {
    match kind {
        Kind::Clean | Kind::CleanUnacknowledged => "clean",
        Kind::GoingAway => "going_away",
        Kind::Restart => "restart",
        Kind::Overload => "overload",
        Kind::Gateway => "gateway",
        Kind::PeerError => "peer_error",
        Kind::PeerTimedUsOut => "peer_timed_us_out",
        Kind::Rejected(_) => "rejected",
        Kind::App(_) => "app",
        Kind::ProtocolViolation => "protocol_violation",
        Kind::WeFailed(_) => "we_failed",
        Kind::KeepaliveTimeout => "keepalive_timeout",
        Kind::WriteStall => "write_stall",
        Kind::CloseTimeout => "close_timeout",
        Kind::IdleDrop { .. } => "idle_drop",
        Kind::LifetimeLimit { .. } => "lifetime_limit",
        Kind::DroppedAtOnce { .. } => "dropped_at_once",
        Kind::Reset => "reset",
        Kind::Eof => "eof",
        Kind::Truncated { .. } => "truncated",
        Kind::TimedOut => "timed_out",
        Kind::ReadError => "read_error",
        Kind::WriteError => "write_error",
        Kind::LocalSuspend => "local_suspend",
        Kind::LocalAbort => "local_abort",
        _ => "other",
    }
}

/// A label for each code; unknown codes share one.
fn code_label(code: Code) -> &'static str {
    match code {
        Code::Internal => "internal",
        Code::Protocol => "protocol",
        Code::Unsupported => "unsupported",
        Code::NotFound => "not_found",
        Code::Expired => "expired",
        Code::Busy => "busy",
        Code::Fenced => "fenced",
        Code::Unauthorized => "unauthorized",
        Code::Quota => "quota",
        Code::TooLarge => "too_large",
        Code::NoSpace => "no_space",
        Code::SourceChanged => "source_changed",
        Code::CorruptFrame => "corrupt_frame",
        Code::DigestMismatch => "digest_mismatch",
        Code::BadOffset => "bad_offset",
        Code::Cancelled => "cancelled",
        Code::Stalled => "stalled",
        Code::ShuttingDown => "shutting_down",
        Code::Rejected => "rejected",
        Code::LengthMismatch => "length_mismatch",
        Code::RateLimited => "rate_limited",
        Code::NameInvalid => "name_invalid",
        Code::StoreFailed => "store_failed",
        Code::Exists => "exists",
        Code::OutOfRange => "out_of_range",
        _ => "unknown",
    }
}
