//! What the demo shows: a commentary that reads well in eighty columns, a bar beneath it, and a table at the end.

use crate::args::Output;
use crate::plain::{beside, columns, plain};
use crate::report::bar::{Bar, Mood};
use crate::report::json::{self, Line};
use crate::stdout;
use crate::units::{Size, span};
use bowline_core::transfer::{Digest, Meter};
use bowline_tokio::Finished;
use console::Term;
use std::fmt::{Display, Write as _};
use std::io::IsTerminal as _;
use std::time::Instant;

/// The width, unless the terminal is narrower.
const COLUMNS: usize = 80;
/// Where the text of a comment begins.
const MARGIN: usize = 18;

/// Who a comment is about.
#[derive(Clone, Copy, Debug)]
pub(super) enum Who {
    Demo,
    Link,
    Client,
    Server,
}

/// A file that has crossed the link.
#[derive(Debug)]
pub(super) struct Crossing {
    pub(super) finished: Finished,
    /// How many bytes the link had to carry for it.
    pub(super) carried: u64,
}

/// The outcome of the demo.
#[derive(Debug)]
pub(super) struct Outcome {
    /// The digest of the file before anything was sent.
    pub(super) original: Digest,
    /// The digest of the file that came back, read from the disk.
    pub(super) back: Digest,
    pub(super) bytes: u64,
    pub(super) up: Crossing,
    pub(super) down: Crossing,
}

/// Shows the demo to people, or to programs.
#[derive(Debug)]
pub(super) struct View {
    started: Instant,
    output: Output,
    colour: bool,
    columns: usize,
    bar: Option<Bar>,
    meter: Meter,
    seen: u64,
}

impl View {
    pub(super) fn new(output: Output) -> Self {
        let people = !output.json && !output.quiet && output.level().is_none();
        let bar = (people && std::io::stderr().is_terminal()).then(|| Bar::new("making"));
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        let colour = wanted && std::io::stdout().is_terminal();
        let columns = columns(&Term::stdout()).map_or(COLUMNS, |columns| columns.min(COLUMNS));
        Self { started: Instant::now(), output, colour, columns, bar, meter: Meter::default(), seen: 0 }
    }

    /// Prints a comment, with the time and whom it is about.
    pub(super) fn say(&self, who: Who, text: &str) {
        let seconds = self.started.elapsed().as_secs_f64();
        if self.output.json {
            return Line::new("comment")
                .seconds("at", seconds)
                .with("who", who.name())
                .with("text", text)
                .print();
        }
        let (start, end) = if self.colour { (who.colour(), "\x1b[0m") } else { ("", "") };
        let mut comment = format!("{seconds:>5.1} s  {start}{:<7}{end}  ", who.name());
        comment.push_str(&beside(MARGIN, &plain(text), Some(self.columns)));
        comment.push('\n');
        self.print(&comment);
    }

    /// Starts showing the progress of a file.
    pub(super) fn begin(&mut self, title: &str) {
        (self.meter, self.seen) = (Meter::default(), 0);
        if let Some(bar) = &self.bar {
            bar.set_title(title);
        }
    }

    /// Shows how far the file has got; `mood` says what state the link is in.
    pub(super) fn progress(&mut self, position: u64, total: u64, mood: Option<Mood>) {
        let now = self.started.elapsed().into();
        self.meter.handle_moved(now, position.saturating_sub(self.seen));
        self.seen = self.seen.max(position);
        let Some(bar) = &self.bar else { return };
        let left = self.meter.time_for(now, total.saturating_sub(position));
        let rate = self.meter.rate(now).unwrap_or_default();
        bar.draw(position, Some(total), &mood.unwrap_or(Mood::Moving { verb: "", rate, left }));
    }

    /// Compares the digests, and shows what the mishaps have cost.
    pub(super) fn finish(&mut self, outcome: &Outcome) {
        drop(self.bar.take());
        if self.output.json {
            json::done(&outcome.up.finished).print();
            json::done(&outcome.down.finished).print();
        } else {
            self.print(&outcome.table());
        }
    }

    fn print(&self, text: &str) {
        let print = || stdout::print(text.as_bytes());
        match &self.bar {
            _ if self.output.quiet => {}
            Some(bar) => bar.above(print),
            None => print(),
        }
    }
}

impl Outcome {
    /// Whether all digests are equal.
    pub(super) fn is_equal(&self) -> bool {
        [self.up.finished.digest, self.down.finished.digest, self.back]
            .iter()
            .all(|digest| *digest == self.original)
    }

    fn table(&self) -> String {
        let mut table = String::from("\n");
        let mut row = |cells: [&dyn Display; 6]| {
            let [name, size, extra, time, links, digest] = cells.map(ToString::to_string);
            let _ = writeln!(table, "  {name:<9}{size:>10}{extra:>12}{time:>10}{links:>7}   {digest}");
        };
        row([&"", &"size", &"extra", &"time", &"links", &"BLAKE3"]);
        row([&"made", &Size(self.bytes), &"", &"", &"", &start(self.original)]);
        for (name, Crossing { finished, carried }) in [("sent", &self.up), ("fetched", &self.down)] {
            let (extra, time) = (Size(carried.saturating_sub(finished.bytes)), span(finished.seconds));
            row([&name, &Size(finished.bytes), &extra, &time, &finished.links, &start(finished.digest)]);
        }
        row([&"on disk", &Size(self.bytes), &"", &"", &"", &start(self.back)]);
        table.push_str("\n  extra: what the link carried beyond the file, bytes sent twice and headers\n");
        let verdict = if self.is_equal() { "all digests are equal" } else { "the digests differ" };
        let _ = writeln!(table, "\n  {verdict}:\n  {}", self.back);
        table
    }
}

impl Who {
    fn name(self) -> &'static str {
        match self {
            Self::Demo => "demo",
            Self::Link => "link",
            Self::Client => "client",
            Self::Server => "server",
        }
    }

    fn colour(self) -> &'static str {
        match self {
            Self::Demo => "\x1b[1m",
            Self::Link => "\x1b[33m",
            Self::Client => "\x1b[36m",
            Self::Server => "\x1b[35m",
        }
    }
}

/// The first digits, which are enough to compare by eye.
fn start(digest: Digest) -> String {
    format!("{}...", &digest.to_string()[..16])
}
