//! The policy of reconnection as one table: what each input does in each state.
//!
//! Each cell is a machine of its own, brought into the state of its column and, half a second later, given the input
//! of its row.

use super::*;
use crate::closing::Why;
use crate::table::{self, Table};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

const LEGEND: &str = "\
When to dial again. Every draw is the middle of its window; the input comes a quarter of a second after the state was
entered. A cell says what is decided, the seconds from then to the dial if they are others than before, and → the state
if it is another one; · nothing changes. Waiting: after one loss. Asked: the server wanted 5 to 30 s. Useful: what the
link carried was acknowledged. Old: open for 10 s.

";

const DRAW: f64 = 0.5;
const RESTART: Retry = Retry::After { min: Duration::from_secs(5), max: Duration::from_secs(30) };

struct Bench {
    reconnect: Reconnect,
    now: Instant,
    /// A dial has taken too long, and the next wait was drawn internally.
    drew: bool,
}

type Step = fn(&mut Bench) -> Option<Next>;

/// The states, and how to get there.
const STATES: [(&str, Step); 8] = [
    ("New", |_| None),
    ("Waiting", |it| it.lose(Retry::Backoff)),
    ("Waiting, asked", |it| it.lose(RESTART)),
    ("Dialing", |it| it.lose(Retry::Backoff).and_then(|_| it.due())),
    ("Open", |it| it.lose(Retry::Backoff).and_then(|_| it.open())),
    ("Open, useful", |it| it.lose(Retry::Backoff).and_then(|_| it.open().or_else(|| it.progress()))),
    ("Open, old", |it| it.lose(Retry::Backoff).and_then(|_| it.open().or_else(|| it.pass(9750)))),
    ("Stopped", |it| it.lose(Retry::No(Why::Refused))),
];

/// What can happen.
const INPUTS: [(&str, Step); 13] = [
    ("the link opens", Bench::open),
    ("it is of use", Bench::progress),
    ("another link replaces it", |it| {
        it.reconnect.handle_replaced(it.now);
        None
    }),
    ("lost: now", |it| it.lose(Retry::Now)),
    ("lost: backoff", |it| it.lose(Retry::Backoff)),
    ("lost: 10 s and backoff", |it| it.lose(Retry::BackoffAfter(Duration::from_secs(10)))),
    ("lost: 5 to 30 s", |it| it.lose(RESTART)),
    ("lost: no", |it| it.lose(Retry::No(Why::Refused))),
    ("refused, Retry-After 7 s", |it| it.be_refused(Duration::from_secs(7))),
    ("the network changes", |it| it.reconnect.hurry(it.now, DRAW)),
    ("somebody wants a link", |it| {
        it.reconnect.dial(it.now);
        None
    }),
    ("just too early", Bench::just_before),
    ("the deadline", Bench::due),
];

impl Bench {
    fn new(enter: Step) -> Self {
        let reconnect = Reconnect::new(Config::default(), &mut Rng::from_seed([1; 32]), Instant::ZERO);
        let mut bench = Self { reconnect, now: Instant::ZERO, drew: false };
        enter(&mut bench);
        bench
    }

    fn open(&mut self) -> Option<Next> {
        self.reconnect.handle_open(self.now);
        None
    }

    fn progress(&mut self) -> Option<Next> {
        self.reconnect.handle_progress(self.now);
        None
    }

    fn lose(&mut self, retry: Retry) -> Option<Next> {
        self.reconnect.fail(self.now, retry, None, DRAW)
    }

    fn be_refused(&mut self, retry_after: Duration) -> Option<Next> {
        // A refusal ends a dial; what ends a link is no refusal.
        match self.reconnect.state {
            State::Open { .. } => {
                self.reconnect.handle_dial_failed(self.now, Retry::Backoff, Some(retry_after))
            }
            _ => self.reconnect.fail(self.now, Retry::Backoff, Some(retry_after), DRAW),
        }
    }

    fn due(&mut self) -> Option<Next> {
        self.now = self.now.max(self.deadline());
        self.drew = self.state() == "Dialing";
        self.reconnect.handle_timeout(self.now)
    }

    fn just_before(&mut self) -> Option<Next> {
        let deadline = self.reconnect.poll_timeout().filter(|deadline| *deadline > self.now)?;
        self.reconnect.handle_timeout(deadline - Duration::from_nanos(1))
    }

    fn pass(&mut self, millis: u64) -> Option<Next> {
        self.now += Duration::from_millis(millis);
        None
    }

    fn deadline(&self) -> Instant {
        self.reconnect.poll_timeout().unwrap_or(self.now)
    }

    fn state(&self) -> &'static str {
        match self.reconnect.state {
            State::Waiting { .. } => "Waiting",
            State::Dialing { .. } => "Dialing",
            State::Open { .. } => "Open",
            State::Stopped(_) => "Stopped",
        }
    }
}

fn outcome(enter: Step, input: Step) -> String {
    let mut bench = Bench::new(enter);
    bench.pass(250);
    let (was, waited) = (bench.state(), bench.reconnect.poll_timeout());
    let mut words = Vec::new();
    match input(&mut bench) {
        None => {}
        Some(Next::Dial) => words.push("dial".into()),
        Some(Next::DialAt(_)) if bench.drew => words.push("dial soon".into()),
        Some(Next::DialAt(at)) => words.push(format!("dial in {}", (at - bench.now).as_secs_f64())),
        Some(Next::GiveUp(_)) => words.push("give up".into()),
    }
    if words.is_empty() && bench.state() == "Waiting" && bench.reconnect.poll_timeout() != waited {
        words.push(format!("dial in {}", (bench.deadline() - bench.now).as_secs_f64()));
    }
    if bench.state() != was {
        words.push(format!("→ {}", bench.state()));
    }
    words.join(" ")
}

fn print() -> String {
    let mut table = Table::new(STATES.map(|(name, _)| name));
    let waits =
        |bench: Bench| bench.reconnect.poll_timeout().map(|at| (at - bench.now).as_secs_f64().to_string());
    table.row("waits", STATES.map(|(_, enter)| waits(Bench::new(enter)).unwrap_or_default()));
    table.gap();
    for (name, input) in INPUTS {
        table.row(name, STATES.map(|(_, enter)| outcome(enter, input)));
    }
    LEGEND.to_string() + &table.to_string()
}

#[test]
fn every_state_is_reached() {
    for (name, enter) in &STATES[1..] {
        assert!(name.starts_with(Bench::new(*enter).state()), "{name}");
    }
}

#[test]
fn every_input_follows_the_table_in_every_state() {
    table::check("reconnect/states.txt", &print());
}
