//! A terminal with the command in it: what it shows, what is typed, and the state in which it is left.

use crate::common::{LIMIT, watch};
use pty_process::blocking::{self, Pty};
use rustix::termios::{LocalModes, tcgetattr};
use std::collections::VecDeque;
use std::io::{Read as _, Write as _};
use std::mem;
use std::num::NonZero;
use std::process::{Child, Command};
use std::sync::{Arc, Condvar, Mutex, PoisonError, mpsc};
use std::thread::{self, JoinHandle};

const ROWS: NonZero<u16> = NonZero::new(24).unwrap();
/// What the terminal itself shows when Ctrl-C is pressed. It does so after telling the process, which may already have
/// printed its last words if the machine is busy.
const ECHO: &str = "^C";

/// A process in a terminal of its own.
pub(crate) struct Terminal {
    child: Child,
    pty: Arc<Pty>,
    /// How the terminal treats input, before anybody has changed that.
    modes: LocalModes,
    seen: Arc<Seen>,
    reader: JoinHandle<()>,
    /// Ends the watch over the process when dropped.
    _watch: mpsc::Sender<()>,
}

/// What a process has left in its terminal.
#[derive(Debug)]
pub(crate) struct Left {
    pub(crate) code: Option<i32>,
    /// What it has shown, without what was typed.
    pub(crate) screen: Screen,
    /// All bytes that it has written there.
    pub(crate) bytes: Vec<u8>,
    /// The cursor is visible, the previous screen is not hidden, no attribute is set, and input is treated as before.
    pub(crate) is_sane: bool,
}

/// What a person sees: the lines of the terminal, each no wider than the terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Screen(Vec<String>);

#[derive(Default)]
struct Seen {
    state: Mutex<State>,
    news: Condvar,
}

#[derive(Default)]
struct State {
    parser: vt100::Parser,
    /// What it has shown since the last screen that was waited for, including that one.
    shown: VecDeque<Screen>,
    bytes: Vec<u8>,
    is_over: bool,
}

impl Terminal {
    /// Starts a command in a terminal with this many columns and 24 rows.
    pub(crate) fn start(command: &Command, columns: u16) -> Self {
        let columns = NonZero::new(columns).expect("a width");
        let (pty, pts) = blocking::open().expect("the system has terminals");
        pty.resize(pty_process::Size::new(ROWS.get(), columns.get())).expect("it has a size");
        let modes = tcgetattr(&pty).expect("it is a terminal").local_modes;
        let mut inside = blocking::Command::new(command.get_program()).args(command.get_args());
        if let Some(folder) = command.get_current_dir() {
            inside = inside.current_dir(folder);
        }
        inside = inside.env("TERM", "xterm-256color");
        for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "COLUMNS", "LINES"] {
            inside = inside.env_remove(name);
        }
        for (name, value) in command.get_envs() {
            inside = match value {
                Some(value) => inside.env(name, value),
                None => inside.env_remove(name),
            };
        }
        let child = inside.spawn(pts).expect("the binary starts");
        let state = State { parser: vt100::Parser::new(ROWS, columns, 0), ..State::default() };
        let seen = Arc::new(Seen { state: Mutex::new(state), news: Condvar::new() });
        let pty = Arc::new(pty);
        let reader = {
            let (pty, seen) = (Arc::clone(&pty), Arc::clone(&seen));
            thread::spawn(move || seen.follow(&pty))
        };
        Self { _watch: watch(&child), child, pty, modes, seen, reader }
    }

    /// Waits until a screen has matched, however long that takes on a busy machine, and however briefly it was visible.
    pub(crate) fn wait(&self, what: &str, fits: impl Fn(&Screen) -> bool) -> Screen {
        let mut state = self.seen.state();
        loop {
            while let Some(screen) = state.shown.front() {
                if fits(screen) {
                    return screen.clone();
                }
                state.shown.pop_front();
            }
            let screen = Screen::of(&state.parser);
            assert!(!state.is_over, "it has ended without {what}:\n{screen}");
            let (next, timeout) =
                self.seen.news.wait_timeout(state, LIMIT).unwrap_or_else(PoisonError::into_inner);
            assert!(!timeout.timed_out(), "{what} is not shown:\n{screen}");
            state = next;
        }
    }

    /// Types this.
    pub(crate) fn press(&self, keys: &[u8]) {
        (&*self.pty).write_all(keys).expect("the terminal takes it");
    }

    /// Waits for the end of the process, and of its output.
    pub(crate) fn finish(mut self) -> Left {
        let code = self.child.wait().expect("it has ended").code();
        self.reader.join().expect("no panic");
        let modes = tcgetattr(&self.pty).expect("it is a terminal").local_modes;
        let mut state = self.seen.state();
        let screen = state.parser.screen();
        let is_plain = screen.fgcolor() == vt100::Color::Default && !screen.bold() && !screen.inverse();
        let is_shown = !screen.hide_cursor() && !screen.alternate_screen();
        let is_sane = is_plain && is_shown && modes == self.modes;
        let screen = Screen::of(&state.parser).without_echo();
        Left { code, screen, is_sane, bytes: mem::take(&mut state.bytes) }
    }
}

impl Seen {
    /// Reads what is written into a terminal, up to its end.
    fn follow(&self, pty: &Pty) {
        self.read(pty);
        // Linux may report the end before the last output, if that came during the check. Then it can be read now.
        self.read(pty);
        self.state().is_over = true;
        self.news.notify_all();
    }

    fn read(&self, mut pty: &Pty) {
        let mut buffer = [0; 4096];
        // On Linux the end is an error: nobody has the other side open any longer.
        while let Ok(n @ 1..) = pty.read(&mut buffer) {
            let mut state = self.state();
            state.bytes.extend_from_slice(&buffer[..n]);
            // A line that changes is redrawn from its start.
            for drawn in buffer[..n].split_inclusive(|byte| *byte == b'\r') {
                state.parser.process(drawn);
                let screen = Screen::of(&state.parser);
                if state.shown.back() != Some(&screen) {
                    state.shown.push_back(screen);
                }
            }
            self.news.notify_all();
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Screen {
    fn of(parser: &vt100::Parser) -> Self {
        let screen = parser.screen();
        Self::of_rows(screen.rows(0, screen.size().1.get()))
    }

    fn of_rows(rows: impl Iterator<Item = String>) -> Self {
        let mut rows: Vec<_> = rows.map(|row| row.trim_end().to_owned()).collect();
        while rows.last().is_some_and(String::is_empty) {
            rows.pop();
        }
        Self(rows)
    }

    fn without_echo(&self) -> Self {
        Self::of_rows(self.0.iter().map(|row| row.replace(ECHO, "")))
    }

    pub(crate) fn contains(&self, words: &str) -> bool {
        self.0.iter().any(|line| line.contains(words))
    }

    /// Whether a line continues after such a margin.
    pub(crate) fn has_margin(&self, margin: usize) -> bool {
        self.0.iter().any(|line| line.len() - line.trim_start().len() == margin)
    }

    /// The lines with `#` for each number with its unit, and with bars of one length.
    pub(crate) fn masked(&self) -> String {
        self.0.iter().map(|line| masked(line)).collect::<Vec<_>>().join("\n")
    }

    /// The same, regardless of where lines are broken.
    pub(crate) fn text(&self) -> String {
        masked(&self.0.join(" ")).replace("less than #", "#")
    }

    /// The last lines, masked.
    pub(crate) fn last_masked(&self, count: usize) -> String {
        let skipped = self.0.len().saturating_sub(count);
        Self(self.0[skipped..].to_vec()).masked()
    }
}

impl std::fmt::Display for Screen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

const UNITS: [&str; 8] = ["B", "KiB", "MiB", "GiB", "ms", "s", "min", "h"];

/// What remains of a line without figures, their units, the lengths of bars and the widths of columns.
fn masked(line: &str) -> String {
    let mut words: Vec<String> = Vec::new();
    for word in without_bar(line).split_whitespace() {
        let word = without_numbers(word);
        let is_unit = |unit: &&&str| word.strip_prefix(**unit).is_some_and(|rest| !starts_alphanumeric(rest));
        match (words.last_mut(), UNITS.iter().find(is_unit)) {
            (Some(number), Some(unit)) if number.ends_with('#') => {
                number.push_str(&word[unit.len()..]);
            }
            // As in "3 min 20 s": figures in a row are one.
            (Some(number), _) if number == "#" && word == "#" => {}
            _ => words.push(word),
        }
    }
    words.join(" ")
}

fn starts_alphanumeric(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphanumeric())
}

/// `[====>    ]` becomes `[=>]`.
fn without_bar(line: &str) -> String {
    let Some((before, rest)) = line.split_once('[') else { return line.to_owned() };
    match rest.split_once(']') {
        Some((bar, after)) if bar.chars().all(|c| "=> ".contains(c)) => format!("{before}[=>]{after}"),
        _ => line.to_owned(),
    }
}

/// Among words of letters and digits, those without letters become `#`; so does `50Z`, in a time.
fn without_numbers(word: &str) -> String {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '.';
    let mut text = String::new();
    let mut rest = word;
    while !rest.is_empty() {
        let end = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
        let (part, after) = rest.split_at(end);
        let digits = part.trim_end_matches('.');
        let number = digits.strip_suffix('Z').unwrap_or(digits);
        if number.starts_with(|c: char| c.is_ascii_digit())
            && !number.contains(|c: char| c.is_ascii_alphabetic())
        {
            text.push('#');
            text.push_str(&part[digits.len()..]);
        } else {
            text.push_str(part);
        }
        let sign = after.chars().next().map_or(0, char::len_utf8);
        text.push_str(&after[..sign]);
        rest = &after[sign..];
    }
    text
}

#[test]
fn a_late_echo_of_the_terminal_is_not_part_of_the_final_screen() {
    for late in [&["watched for 3 s", "^C"][..], &["^Cwatched for 3 s"]] {
        let screen = Screen::of_rows(late.iter().map(|row| (*row).to_owned())).without_echo();
        assert_eq!(screen.to_string(), "watched for 3 s");
    }
}

#[test]
fn figures_are_masked_and_words_are_not() {
    for (line, expected) in [
        ("a.bin [==>   ]  38%  2.7 MiB/s, 3 min 20 s left", "a.bin [=>] #% #/s, # left"),
        (
            "15:58:50Z connected, handshake in 0.5 ms; pings after 20 s.",
            "#:#:# connected, handshake in #; pings after #.",
        ),
        ("  made      8.0 MiB      3   8b665ca43a233bca...", "made # 8b665ca43a233bca..."),
        ("ws://127.0.0.1:52806 is BLAKE3 [x]", "ws://#:# is BLAKE3 [x]"),
    ] {
        assert_eq!(masked(line), expected);
    }
}
