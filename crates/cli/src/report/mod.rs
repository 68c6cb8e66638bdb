//! Reports to people or programs how the transfers of one command are going.

pub(crate) mod bar;
pub(crate) mod json;
mod pace;
mod row;
mod stage;
mod status;
mod still;
mod sums;
mod tick;
mod waits;
mod words;

pub(crate) use status::StatusLine;
pub(crate) use still::Patience;
pub(crate) use words::{FETCH, LIST, Place, SEND, Verb};

use crate::args::Output;
use crate::exit::Trouble;
use crate::news::{Counted, Subject};
use crate::plain::{beside, columns, plain};
use crate::signals::Wish;
use crate::stderr;
use crate::story::Story;
use bar::Bar;
use bowline_core::transfer::{Code, Meter, Traffic};
use bowline_tokio::{Finished, LinkEvent, TransferProgress};
use console::Term;
use pace::Pace;
use row::{Row, State};
use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::time::{Duration, Instant};
use still::Still;
use sums::Sums;
use tokio::sync::watch;
use waits::Stuck;
use words::done_line;

/// How often [`Report::tick`] wants to be called.
pub(crate) const TICK: Duration = Duration::from_millis(100);
/// How often progress is reported to programs.
const NEWS: Duration = Duration::from_secs(1);

/// Where reports go.
#[derive(Debug)]
enum Voice {
    Bar(Bar),
    Lines,
    Json,
    Nobody,
}

/// Reports how the transfers of one command are going.
#[derive(Debug)]
pub(crate) struct Report {
    verb: Verb,
    /// Transfers that are not over, by their numbers.
    rows: BTreeMap<usize, Row>,
    sums: Sums,
    voice: Voice,
    began: Instant,
    meter: Meter,
    /// How much had moved of files that are over, and no tick has counted yet.
    over: u64,
    /// Why the last dial failed, until that is reported.
    unreachable: Option<String>,
    /// The last such reason that was reported.
    told: Option<String>,
    /// Why files had to wait, since the last one was done.
    delayed: Option<Code>,
    /// When something last moved or was done.
    moved: Instant,
    /// Whether something was done or created since the last tick.
    is_further: bool,
    stuck: Stuck,
    still: Still,
    story: Story,
    place: Place,
}

impl Report {
    /// For these files, which are numbered from 0; a length that is not known yet is 0. In this many trees, others will
    /// be found later.
    pub(crate) fn new(verb: Verb, output: Output, story: Story, files: Vec<Subject>, trees: usize) -> Self {
        let title = match &files[..] {
            [file] if trees == 0 => plain(&file.name).into_owned(),
            _ => String::new(),
        };
        let voice = match output {
            Output { json: true, .. } => Voice::Json,
            Output { quiet: true, .. } => Voice::Nobody,
            // Log lines would tear the bar apart.
            output if output.level().is_none() && std::io::stderr().is_terminal() => {
                Voice::Bar(Bar::new(&title))
            }
            _ => Voice::Lines,
        };
        let (rows, sums, began, meter) =
            (BTreeMap::new(), Sums::new(trees), Instant::now(), Meter::default());
        let mut report = Self {
            verb,
            rows,
            sums,
            voice,
            began,
            meter,
            over: 0,
            unreachable: None,
            told: None,
            delayed: None,
            moved: began,
            is_further: false,
            stuck: Stuck::default(),
            still: Still::new(began),
            story,
            place: Place::default(),
        };
        for (index, file) in files.into_iter().enumerate() {
            report.sums.name_one(file.bytes);
            report.add(index, file);
        }
        report
    }

    /// The direction of the files.
    pub(crate) fn verb(&self) -> Verb {
        self.verb
    }

    /// There is one more file or folder.
    pub(crate) fn add(&mut self, index: usize, subject: Subject) {
        let Subject { name, bytes, folder } = subject;
        self.sums.found += 1;
        let row = Row { name: plain(&name).into_owned(), bytes, folder, state: State::Queued };
        self.rows.insert(index, row);
    }

    /// A local folder has been created.
    pub(crate) fn made_folder(&mut self) {
        self.sums.make_folder();
        self.is_further = true;
    }

    /// A folder has these totals.
    pub(crate) fn expect(&mut self, counted: Counted) {
        self.sums.expect(counted);
    }

    /// This number only led to others; it is not one of them.
    pub(crate) fn forget(&mut self, index: usize) {
        let was_found = self.rows.remove(&index).is_some();
        // Nothing follows from a mere listing.
        if self.verb != LIST {
            self.sums.turn_into_tree(was_found);
        }
    }

    /// How much has failed, out of how much, in words.
    pub(crate) fn failure(&self) -> String {
        self.sums.failure()
    }

    /// How much has not arrived, out of how much, in words.
    pub(crate) fn loss(&self) -> String {
        self.sums.loss()
    }

    /// Whether there is more than one thing that the command names.
    pub(crate) fn is_many(&self) -> bool {
        self.sums.tree || self.sums.found > 1
    }

    pub(crate) fn name(&self, index: usize) -> &str {
        self.rows.get(&index).map_or("", |row| &row.name)
    }

    /// Whether the receiver has something of this number.
    pub(crate) fn has_arrived(&self, index: usize) -> bool {
        match self.rows.get(&index).map(|row| &row.state) {
            Some(State::Under { progress, most, .. }) => *most > 0 || progress.borrow().received > 0,
            _ => false,
        }
    }

    /// A file has been queued; its progress can be watched.
    pub(crate) fn begin(&mut self, index: usize, progress: watch::Receiver<TransferProgress>) {
        if let Some(row) = self.rows.get_mut(&index) {
            row.state = State::Under { progress, pace: Pace::default(), most: 0, open: false, told: None };
        }
    }

    pub(crate) fn done(&mut self, index: usize, finished: &Finished) {
        let row = self.rows.remove(&index);
        let folder = row.as_ref().is_some_and(|row| row.folder);
        self.sums.done(folder, finished);
        if let Some(State::Under { pace, .. }) = row.map(|row| row.state) {
            let crossed =
                if finished.deduplicated { 0 } else { finished.bytes.saturating_sub(finished.resumed) };
            self.over = self.over.saturating_add(pace.rest(crossed));
        }
        (self.delayed, self.moved, self.is_further) = (None, Instant::now(), true);
        let place = self.place.file.as_deref().filter(|_| !self.sums.tree);
        let words = |digits| done_line(self.verb, finished, place, digits);
        if !folder {
            self.story.done(|| words(16), finished.into());
        }
        match &self.voice {
            Voice::Json if folder => json::done(finished).with("folder", true).print(),
            Voice::Json => json::done(finished).print(),
            Voice::Bar(_) | Voice::Lines if !folder => {
                self.say(&words(digits(matches!(self.voice, Voice::Bar(_)))));
            }
            // Making a line takes long compared with everything else about a small file.
            _ => {}
        }
    }

    /// A file has failed. The caller reports that at the end, unless there are several.
    pub(crate) fn failed(&mut self, index: usize, trouble: &Trouble) {
        let Some(row) = self.rows.remove(&index) else { return };
        self.story.failed(trouble);
        self.sums.fail(row.folder, row.bytes);
        if matches!(self.voice, Voice::Json) {
            json::failed(&row.name, trouble).print();
        }
    }

    /// Something without a number is missing: this many files or folders.
    pub(crate) fn miss(&mut self, name: &str, trouble: &Trouble, things: u64) {
        self.story.failed(trouble);
        self.sums.miss(things);
        if matches!(self.voice, Voice::Json) {
            json::failed(&plain(name), trouble).print();
        }
    }

    /// Something is left out because it could not be transferred anyway.
    pub(crate) fn leave_out(&mut self, name: &str, why: &str) {
        self.sums.left_out += 1;
        if matches!(self.voice, Voice::Json) {
            json::Line::new("left_out").with("name", &*plain(name)).with("why", why).print();
        } else {
            self.say(&format!("left out: {name}: {why}"));
        }
    }

    /// Reports how a tree went as a whole.
    pub(crate) fn sum_up(&self) {
        if !self.sums.tree {
            return;
        }
        if matches!(self.voice, Voice::Json) {
            self.sums.line().print();
        } else {
            self.say(&self.sums.sentence(self.verb, self.place.folder.as_deref()));
        }
    }

    /// Whatever is neither done nor failed will not be done.
    pub(crate) fn abandon(&mut self, trouble: &Trouble) {
        while let Some(index) = self.rows.keys().next().copied() {
            self.failed(index, trouble);
        }
    }

    pub(crate) fn link(&mut self, event: &LinkEvent) {
        self.story.link(event);
        if let LinkEvent::Retrying { name, failure, delay } = event {
            return self.put_off(name.as_str(), failure, *delay);
        }
        if matches!(self.voice, Voice::Json) {
            return json::link(event).map_or((), json::Line::print);
        }
        match event {
            // The first connection is no news.
            LinkEvent::Up { link: 2.. } => self.say("connected again"),
            LinkEvent::Down { disconnect } => self.say(&format!("disconnected: {disconnect}")),
            // Reported if there is another try; if not, the command's last line says it.
            LinkEvent::DialFailed { disconnect, .. } => self.unreachable = Some(disconnect.to_string()),
            LinkEvent::Waiting { delay, .. } => self.wait(*delay),
            _ => {}
        }
    }

    /// This many events of the link were dropped while nobody read.
    pub(crate) fn miss_turns(&self, missed: u64) {
        if matches!(self.voice, Voice::Json) {
            json::missed(missed).print();
        }
    }

    /// Lets the story follow what the links carry.
    #[must_use]
    pub(crate) fn watching(self, traffic: watch::Receiver<Traffic>) -> Self {
        Self { story: self.story.watching(traffic), ..self }
    }

    /// Tells people where it goes.
    #[must_use]
    pub(crate) fn putting_it(self, place: Place) -> Self {
        Self { place, ..self }
    }

    /// Nothing more is reported except the story.
    pub(crate) fn into_story(self) -> Story {
        self.story
    }

    /// Somebody has paused or resumed everything.
    pub(crate) fn wish(&mut self, wish: Wish) {
        self.say(match wish {
            Wish::Pause => "paused; SIGUSR2 resumes",
            Wish::Resume => "resumed",
        });
    }

    /// Tells people something, in one line.
    pub(crate) fn say(&self, line: &str) {
        match &self.voice {
            Voice::Bar(bar) => bar.above(|| print_line(line)),
            Voice::Lines => print_line(line),
            Voice::Json | Voice::Nobody => {}
        }
    }

    /// Tells people about trouble, in one line, whatever else they want to see.
    pub(crate) fn complain(&self, trouble: &Trouble) {
        match &self.voice {
            Voice::Bar(bar) => bar.above(|| complain(trouble)),
            _ => complain(trouble),
        }
    }
}

/// How many digits of a digest are shown: on a terminal, all of them would not fit into a line.
pub(crate) fn digits(is_terminal: bool) -> usize {
    if is_terminal { 16 } else { 64 }
}

/// Prints an error in the common form.
pub(crate) fn complain(trouble: &Trouble) {
    print_line(&format!("bowline: {trouble}"));
}

/// Prints a sentence on stderr. On a terminal, it is wrapped between words. If nobody reads it, nothing is lost that
/// could be saved.
pub(crate) fn print_line(line: &str) {
    print_lines(&beside(0, &plain(line), columns(&Term::stderr())));
}

/// Prints a line in which a break would be wrong, such as a command that people copy.
pub(crate) fn print_unbroken(line: &str) {
    print_lines(&plain(line));
}

/// Prints harmless text of one or more lines, in a single write, so that no other output gets in between.
fn print_lines(text: &str) {
    stderr::print(format!("{text}\n").as_bytes());
}
