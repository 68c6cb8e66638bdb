//! What has happened during a command, for users who ask afterwards: `--explain` prints it, `--report` draws it.
//!
//! However long a command runs, little is kept: the first and the last events, the records of the last connections, and
//! measurements that become coarser over time.

mod lines;
mod page;
mod place;
mod plot;
mod samples;
#[cfg(test)]
mod tests;
mod turns;

use crate::args::Record;
use crate::exit::Trouble;
use crate::report::print_unbroken;
use crate::units::Span;
use crate::url;
use bowline_core::Disconnect;
use bowline_core::transfer::{Digest, Traffic};
use bowline_tokio::{Finished, LinkEvent};
use place::Place;
use plot::Outage;
use samples::Samples;
use std::collections::VecDeque;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::watch;
use turns::{Kind, Turns};

/// How many records of connections are kept.
const LIVES: usize = 16;
/// How many files are listed one by one.
const FILES: u64 = 32;
/// How many times without a connection are drawn.
const OUTAGES: usize = 500;

/// Everything that has happened so far.
#[derive(Debug)]
pub(crate) struct Story {
    record: Record,
    /// The command, and what it is about.
    command: &'static str,
    title: String,
    server: String,
    day: SystemTime,
    start: Instant,
    turns: Turns,
    /// How many connections there were, and how many of them ended early.
    links: u32,
    cuts: u32,
    state: State,
    lives: VecDeque<Life>,
    outages: Vec<Outage>,
    /// How long there was no connection, after connections that had ended early.
    without: Duration,
    traffic: Option<watch::Receiver<Traffic>>,
    samples: Samples,
    sums: Sums,
    named: Vec<Arrival>,
    end: End,
}

/// Whether there is a connection, and since when.
#[derive(Clone, Copy, Debug)]
enum State {
    Up { since: Duration },
    Down { since: Duration, is_cut: bool },
}

/// A connection that has ended.
#[derive(Debug)]
struct Life {
    link: u32,
    began: Duration,
    disconnect: Disconnect,
}

/// A file that has arrived.
#[derive(Clone, Debug)]
pub(crate) struct Arrival {
    name: String,
    bytes: u64,
    resent: u64,
    links: u32,
    seconds: f64,
    deduplicated: bool,
    digest: Digest,
}

/// The totals of all files that have arrived.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    files: u64,
    bytes: u64,
    resent: u64,
}

/// When it was over, and what went wrong.
#[derive(Debug)]
struct End {
    at: Duration,
    trouble: Option<String>,
}

impl Story {
    /// For a command about these files at this server, as far as the user asks for it.
    ///
    /// # Errors
    /// No page can be put in the requested place.
    pub(crate) fn new(
        record: &Record,
        command: &'static str,
        title: String,
        server: &str,
    ) -> Result<Self, Trouble> {
        if let Some(path) = &record.report {
            place(path)?;
        }
        Ok(Self {
            record: record.clone(),
            command,
            title,
            server: url::without_query(server),
            day: SystemTime::now(),
            start: Instant::now(),
            turns: Turns::default(),
            links: 0,
            cuts: 0,
            state: State::Down { since: Duration::ZERO, is_cut: false },
            lives: VecDeque::new(),
            outages: Vec::new(),
            without: Duration::ZERO,
            traffic: None,
            samples: Samples::default(),
            sums: Sums::default(),
            named: Vec::new(),
            end: End { at: Duration::MAX, trouble: None },
        })
    }

    /// Follows what the links carry, from now on.
    #[must_use]
    pub(crate) fn watching(self, traffic: watch::Receiver<Traffic>) -> Self {
        Self { traffic: Some(traffic), ..self }
    }

    /// Records what the links carry.
    pub(crate) fn tick(&mut self) {
        let at = self.start.elapsed();
        // Without news there is nothing new to measure.
        let news = self.traffic.as_mut().filter(|traffic| traffic.has_changed().unwrap_or(false));
        if let Some(traffic) = news.map(|traffic| *traffic.borrow_and_update()) {
            self.samples.observe(at, &traffic);
        }
    }

    /// Something has happened to the link.
    pub(crate) fn link(&mut self, event: &LinkEvent) {
        self.tick();
        match event {
            LinkEvent::Dialing { attempt: 1 } => self.turn(Kind::Dial, format!("dials {}", self.server)),
            LinkEvent::Dialing { attempt } => {
                self.turn(Kind::Dial, format!("dials again, attempt {attempt}"));
            }
            LinkEvent::DialFailed { disconnect, .. } => {
                self.turn(Kind::Failure, format!("not reachable: {disconnect}"));
            }
            LinkEvent::DialingBeside => {
                self.turn(Kind::Dial, format!("connection {} is silent: dials a second one", self.links));
            }
            LinkEvent::DialBesideFailed { disconnect } => {
                self.turn(Kind::Failure, format!("the second one is not reachable: {disconnect}"));
            }
            LinkEvent::Kept => {
                let text = format!("connection {} carries again: the second one is closed", self.links);
                self.turn(Kind::Up, text);
            }
            LinkEvent::Up { link } => self.up(*link),
            LinkEvent::Down { disconnect } => self.down(disconnect),
            LinkEvent::Waiting { delay, .. } => {
                self.turn(Kind::Wait, format!("waits for {}", Span(*delay)));
            }
            LinkEvent::Retrying { name, failure, delay } => {
                let text = format!("{name} waits for {}: {failure}", Span(*delay));
                self.turn(Kind::Wait, text);
            }
            // After an end that was asked for, there is nothing to give up.
            LinkEvent::GaveUp { why, .. } => {
                if let Some((_, why)) = why.rsplit_once("; gave up: ") {
                    self.turn(Kind::Failure, format!("gives up: {why}"));
                }
            }
            _ => {}
        }
    }

    /// A file is complete. `words` describes it, and is called only if that is kept.
    pub(crate) fn done(&mut self, words: impl FnOnce() -> String, arrival: Arrival) {
        self.tick();
        self.sums.files += 1;
        self.sums.bytes += arrival.bytes;
        self.sums.resent += arrival.resent;
        if self.sums.files <= FILES {
            self.named.push(arrival);
            self.turn(Kind::Done, words());
        }
    }

    /// Something has failed, for this reason.
    pub(crate) fn failed(&mut self, trouble: &Trouble) {
        let text = trouble.to_string();
        // What concerns all files is recorded once.
        if self.turns.iter().next_back().is_none_or(|turn| turn.text != text) {
            self.turn(Kind::Failure, text);
        }
    }

    /// The command has ended like this. Only closing the connection remains.
    pub(crate) fn end(&mut self, outcome: &Result<(), Trouble>) {
        self.tick();
        let at = self.start.elapsed();
        self.end = End { at, trouble: outcome.as_ref().err().map(ToString::to_string) };
        if let State::Down { since, is_cut } = self.state {
            self.away(Outage { from: since, to: at, is_cut });
        }
    }

    /// Prints or writes the story, as requested.
    ///
    /// # Errors
    /// The page cannot be written.
    pub(crate) fn tell(&self) -> Result<(), Trouble> {
        if self.record.explain {
            self.lines().iter().for_each(|line| print_unbroken(line));
        }
        let Some(path) = &self.record.report else { return Ok(()) };
        let written = place(path)?.put(&page::page(self));
        written.map_err(|e| Trouble::failed(format!("{}: the report cannot be written: {e}", path.display())))
    }

    fn up(&mut self, link: u32) {
        let now = self.start.elapsed();
        self.turn(Kind::Up, format!("connection {link} is up"));
        if let State::Down { since, is_cut } = self.state {
            self.away(Outage { from: since, to: now, is_cut });
        }
        (self.links, self.state) = (link, State::Up { since: now });
    }

    fn down(&mut self, disconnect: &Disconnect) {
        let (link, now) = (self.links, self.start.elapsed());
        self.turn(Kind::Down, format!("connection {link} has ended: {disconnect}"));
        let is_cut = now < self.end.at;
        self.cuts += u32::from(is_cut);
        if self.lives.len() == LIVES {
            self.lives.pop_front();
        }
        if let State::Up { since: began } = self.state {
            self.lives.push_back(Life { link, began, disconnect: disconnect.clone() });
        }
        self.state = State::Down { since: now, is_cut };
    }

    fn away(&mut self, outage: Outage) {
        if outage.is_cut {
            self.without += outage.to.saturating_sub(outage.from);
        }
        if self.outages.len() < OUTAGES {
            self.outages.push(outage);
        }
    }

    fn turn(&mut self, kind: Kind, text: String) {
        self.turns.push(self.start.elapsed(), kind, text);
    }
}

/// Where the page is to go.
fn place(path: &Path) -> Result<Place, Trouble> {
    Place::at(path)
        .map_err(|why| Trouble::usage(format!("{}: no report can be written there: {why}", path.display())))
}

impl From<&Finished> for Arrival {
    fn from(finished: &Finished) -> Self {
        let Finished { name, bytes, resent, links, seconds, deduplicated, digest, .. } = finished;
        Self {
            name: name.as_str().to_owned(),
            bytes: *bytes,
            resent: *resent,
            links: *links,
            seconds: *seconds,
            deduplicated: *deduplicated,
            digest: *digest,
        }
    }
}
