//! The record of a connection, for people to read.

use super::Recorder;
use super::entry::Entry;
use crate::Instant;
use crate::words::{Count, Secs, Wrap};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{self, Write as _};
use core::time::Duration;

/// Gaps of at least this length without a byte are shown.
const SILENCE: Duration = Duration::from_secs(10);
/// Times up to this one are written in seconds. Beyond it, hours and minutes are easier to read.
const LONG: Duration = Duration::from_secs(10_000);

/// What happened on a connection, in chronological order: at most the last 64 entries, with routine traffic summed up.
///
/// `Display` prints a line for each entry, with the time since the connection was opened; two dots before a time mean
/// "until then". It contains no payloads, masks, tokens or reasons of Close frames, so it can go into a bug report.
///
/// ```
/// use bowline_core::connection::{Config, Connection};
/// use bowline_core::{Instant, Message};
///
/// let mut client = Connection::client(Config::default(), [1; 32], Instant::ZERO);
/// client.send(Instant::from_secs(2), Message::text("hello"))?;
/// let n = client.output().len();
/// client.handle_written(Instant::from_secs(2), n);
/// assert_eq!(
///     client.timeline(Instant::from_secs(15)).to_string(),
///     concat!(
///         "      0.000 s  opened as the client; heartbeat 20 s, timeout 20 s\n",
///         "   .. 2.000 s  sent 11 bytes in 1 message\n",
///         "               ... 13 s of silence ...\n",
///         "     15.000 s  open\n",
///     )
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timeline(Recorder);

/// A line to print.
struct Row {
    /// When it began, to show the silence before it; `None` for a sum, whose beginning is unknown.
    from: Option<Instant>,
    /// The time that is printed.
    at: Instant,
    is_sum: bool,
    text: String,
}

impl Timeline {
    pub(super) fn new(recorder: Recorder) -> Self {
        Self(recorder)
    }

    fn rows(&self) -> Vec<Row> {
        let mut rows: Vec<_> = self.0.entries.iter().map(Row::of).collect();
        rows.sort_by_key(|row| row.at);
        let at = self.0.opening.at;
        rows.insert(0, Row { from: None, at, is_sum: false, text: format!("{}", self.0.opening) });
        rows
    }

    /// The time to print in front of a row.
    fn label(&self, row: &Row, is_long: bool) -> String {
        let dots = if row.is_sum { ".. " } else { "" };
        let millis = (row.at - self.0.opening.at).as_millis();
        let (secs, millis) = (millis / 1000, millis % 1000);
        if is_long {
            format!("{dots}{}:{:02}:{:02}.{millis:03}", secs / 3600, secs / 60 % 60, secs % 60)
        } else {
            format!("{dots}{secs}.{millis:03} s")
        }
    }
}

impl Row {
    fn of(entry: &Entry) -> Self {
        let text = format!("{entry}");
        match entry {
            Entry::Routine(routine) => Self { from: None, at: routine.until, is_sum: true, text },
            Entry::Note(note) => {
                Self { from: Some(note.first - note.lasted()), at: note.last, is_sum: note.times > 1, text }
            }
        }
    }
}

impl fmt::Display for Timeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = self.rows();
        let is_long = rows.last().is_some_and(|row| row.at - self.0.opening.at >= LONG);
        let labels: Vec<_> = rows.iter().map(|row| self.label(row, is_long)).collect();
        // At least as wide as most timelines need, so that they look alike.
        let width = labels.iter().map(String::len).max().unwrap_or(0).max(11) + 2;
        let mut heard = Some(self.0.opening.at);
        for (index, (row, label)) in rows.iter().zip(&labels).enumerate() {
            let silence = row.from.zip(heard).map_or(Duration::ZERO, |(from, heard)| from - heard);
            if silence >= SILENCE {
                writeln!(f, "{:width$}  ... {} of silence ...", "", Secs(silence))?;
            }
            heard = heard.max(Some(row.at));
            if !row.text.is_empty() {
                write!(f, "{label:>width$}  ")?;
                let mut wrap = Wrap::new(f, width + 2, width + 2);
                wrap.write_str(&row.text)?;
                wrap.finish()?;
                f.write_str("\n")?;
            }
            if index == 0 && self.0.dropped > 0 {
                let dropped = Count(self.0.dropped.into(), "older line");
                writeln!(f, "{:width$}  ... {dropped} not kept ...", "")?;
                // What was dropped is unknown, so a silence after it is, too.
                heard = None;
            }
        }
        Ok(())
    }
}
