//! The heartbeat as one table: what each input does in each state.
//!
//! Each cell is a fresh machine, brought into the state of its column and, a second later, given the input of its row.

use super::tests::config;
use super::*;
use crate::table::{self, Table};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

const LEGEND: &str = "\
The heartbeat: interval 10 s, timeout 5 s, grace 2 s; no round trip is known yet. The input comes a second after the
state was entered. A cell says what comes out, → the state if it is another one, and the seconds from then to the next
deadline if it is another one; · nothing changes. Unsent: the transport is full, and the ping waits. Paused: we do not
read. Resuming: a ping that follows a delay of our own, and says so. Impatient: somebody would rather use another
connection than wait.

";

const NO_TIME: Duration = Duration::ZERO;

/// A heartbeat and its newest ping.
struct Bench {
    heartbeat: Heartbeat,
    now: Instant,
    ping: [u8; 8],
}

type Step = fn(&mut Bench) -> Option<Beat>;

/// The states, and how to get there.
const STATES: [(&str, Step); 9] = [
    ("Quiet", |_| None),
    ("Quiet, paused", |it| it.read(false)),
    ("Quiet, impatient", |it| it.hurry(true)),
    ("Unsent, full", |it| it.full().or_else(|| it.due(NO_TIME))),
    ("Probing", |it| it.due(NO_TIME).and_then(|_| it.leave())),
    ("Probing, impatient", |it| it.hurry(true).or_else(|| it.due(NO_TIME)).and_then(|_| it.leave())),
    ("Probing, paused", |it| it.due(NO_TIME).and_then(|_| it.leave()).or_else(|| it.read(false))),
    ("Resuming", |it| it.wake(300).and_then(|_| it.leave())),
    ("Dead", |it| it.full().or_else(|| it.due(NO_TIME)).and_then(|_| it.due(NO_TIME))),
];

const DEADLINES: [fn(&Heartbeat) -> Option<Instant>; 4] =
    [Heartbeat::ping_at, Heartbeat::doubt_at, Heartbeat::dead_at, Heartbeat::pong_at];

/// What can happen.
const INPUTS: [(&str, Step); 16] = [
    ("a byte comes", Bench::receive),
    ("the Pong of the ping", |it| it.pong(it.ping)),
    ("a Pong of nothing", |it| it.pong([0; 8])),
    ("bytes leave", Bench::send),
    ("the ping leaves", Bench::leave),
    ("no more can leave", Bench::full),
    ("we stop reading", |it| it.read(false)),
    ("we read again", |it| it.read(true)),
    ("somebody is impatient", |it| it.hurry(true)),
    ("nobody is", |it| it.hurry(false)),
    ("a sleep of 10 s", |it| it.wake(10)),
    ("a sleep of 11 s", |it| it.wake(11)),
    ("just too early", |it| it.heartbeat.handle_timeout(it.deadline() - Duration::from_nanos(1))),
    ("the deadline", |it| it.due(NO_TIME)),
    ("... 2 s late", |it| it.due(Duration::from_secs(2))),
    ("... more", |it| it.due(Duration::from_millis(2001))),
];

impl Bench {
    fn new(enter: Step) -> Self {
        let heartbeat = Heartbeat::new(config(Mode::Full), &mut Rng::from_seed([1; 32]), Instant::ZERO);
        let mut bench = Self { heartbeat, now: Instant::ZERO, ping: [0; 8] };
        enter(&mut bench);
        bench
    }

    fn receive(&mut self) -> Option<Beat> {
        self.heartbeat.handle_received(self.now);
        None
    }

    fn pong(&mut self, payload: [u8; 8]) -> Option<Beat> {
        self.heartbeat.handle_pong(self.now, &payload);
        None
    }

    fn send(&mut self) -> Option<Beat> {
        self.heartbeat.handle_sent(self.now);
        None
    }

    fn leave(&mut self) -> Option<Beat> {
        self.heartbeat.handle_ping_sent(self.now);
        None
    }

    fn full(&mut self) -> Option<Beat> {
        self.heartbeat.handle_blocked(self.now);
        None
    }

    fn read(&mut self, reading: bool) -> Option<Beat> {
        self.heartbeat.set_reading(self.now, reading);
        None
    }

    fn hurry(&mut self, impatient: bool) -> Option<Beat> {
        self.heartbeat.set_impatient(self.now, impatient);
        None
    }

    fn wake(&mut self, slept: u64) -> Option<Beat> {
        let beat = self.heartbeat.handle_wake(self.now, Duration::from_secs(slept));
        self.keep(beat)
    }

    /// Fires the timer this long after the deadline.
    fn due(&mut self, late: Duration) -> Option<Beat> {
        self.now = self.deadline() + late;
        let beat = self.heartbeat.handle_timeout(self.now);
        self.keep(beat)
    }

    fn keep(&mut self, beat: Option<Beat>) -> Option<Beat> {
        if let Some(Beat::Ping { payload, .. }) = beat {
            self.ping = payload;
        }
        beat
    }

    fn deadline(&self) -> Instant {
        self.heartbeat.poll_timeout().unwrap_or(self.now)
    }

    fn state(&self) -> String {
        let state = match self.heartbeat.state {
            State::Quiet => "Quiet",
            State::Dead => return "Dead".into(),
            State::Probing { resume: true, .. } => "Resuming",
            State::Probing { .. } if self.heartbeat.pings.newest_left().is_none() => "Unsent",
            State::Probing { .. } => "Probing",
        };
        let full = if self.heartbeat.blocked { ", full" } else { "" };
        let paused = if self.heartbeat.paused.is_some() { ", paused" } else { "" };
        let impatient = if self.heartbeat.doubt_at().or(self.heartbeat.probe_at()).is_some() {
            ", impatient"
        } else {
            ""
        };
        format!("{state}{full}{paused}{impatient}")
    }

    /// The next deadline and what it is for.
    fn next(&self) -> Option<(&'static str, Instant)> {
        let heartbeat = &self.heartbeat;
        let all = [
            ("ping", heartbeat.ping_at()),
            ("doubt", heartbeat.doubt_at()),
            ("dead", heartbeat.dead_at()),
            ("Pong", heartbeat.pong_at()),
        ];
        let all = all.into_iter().filter_map(|(name, at)| at.map(|at| (name, at)));
        all.min_by_key(|(_, at)| *at)
    }
}

fn outcome(enter: Step, input: Step) -> String {
    let mut bench = Bench::new(enter);
    bench.now += Duration::from_secs(1);
    let (was, waited) = (bench.state(), bench.next());
    let beat = input(&mut bench);
    let (is, waits) = (bench.state(), bench.next());
    let mut words = Vec::new();
    match beat {
        None => {}
        Some(Beat::Ping { news, .. }) => {
            assert_eq!(news.is_some(), is.starts_with("Resuming"));
            words.push("Ping".into());
        }
        Some(Beat::Pong) => words.push("Pong".into()),
        Some(Beat::Doubt { .. }) => words.push("doubt".into()),
        Some(Beat::Dead { .. }) => assert_eq!(is, "Dead"),
    }
    if is != was {
        words.push(format!("→ {is}"));
    }
    match waits {
        Some((what, at)) if waits != waited => words.push(format!("({what} {})", seconds(at - bench.now))),
        None if waited.is_some() && is != "Dead" => words.push("(none)".into()),
        _ => {}
    }
    words.join(" ")
}

fn seconds(duration: Duration) -> String {
    duration.as_secs_f64().to_string()
}

fn print() -> String {
    let mut table = Table::new(STATES.map(|(name, _)| name));
    let deadlines = ["ping in", "doubt in", "dead in", "Pong in"].into_iter().zip(DEADLINES);
    for (name, deadline) in deadlines {
        let cell = |bench: Bench| deadline(&bench.heartbeat).map(|at| seconds(at - bench.now));
        table.row(name, STATES.map(|(_, enter)| cell(Bench::new(enter)).unwrap_or_default()));
    }
    table.gap();
    for (name, input) in INPUTS {
        table.row(name, STATES.map(|(_, enter)| outcome(enter, input)));
    }
    LEGEND.to_string() + &table.to_string()
}

#[test]
fn every_state_is_reached() {
    for (name, enter) in STATES {
        assert_eq!(Bench::new(enter).state(), name);
    }
}

#[test]
fn every_input_follows_the_table_in_every_state() {
    table::check("heartbeat/states.txt", &print());
}
