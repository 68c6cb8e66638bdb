//! The contents of a folder as text: a line for each entry, and nothing that a receiver has to take on trust.
//!
//! ```text
//! bowline listing 1 755 1767225602000
//! d 755 1767225600000 0 2026
//! f 644 1767225601000 52428800 2026/beach 1.jpg
//! f - 0 12 notes.txt
//! end 3 1 0
//! ```
//!
//! The first line has the mode and the time of the folder itself. Every other line has the kind (`d` for a folder, `f`
//! for a file), the mode in octal or `-`, the time in milliseconds since 1970 or 0, the length, and the name up to the
//! end of the line, relative to the listed folder. The last line has counts: the entries, those left out because they
//! are neither file nor folder, and those left out because they could not be read or named.
//!
//! The order is strict: a folder precedes its contents, all of its contents precede its next sibling, and the entries
//! of one folder are in ascending order of the bytes of their names. So a reader detects duplicates, entries without a
//! folder, and files with contents, while remembering nothing but the enclosing folders.

use super::{Kind, SafeName, UnixMode};
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use bytes::Bytes;
use core::fmt::Write as _;
use core::str;

/// The beginning of every listing in this format.
const HEAD: &str = "bowline listing 1 ";

/// One file or folder of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name, relative to the listed folder.
    pub name: SafeName,
    /// [`Kind::File`] or [`Kind::Folder`].
    pub kind: Kind,
    /// How many bytes it had when the listing was made; 0 for a folder.
    pub length: u64,
    /// When it was last changed, in milliseconds since 1970; 0 if unknown.
    pub mtime_ms: i64,
    /// Its permissions, if known.
    pub unix_mode: Option<UnixMode>,
}

/// The contents of a folder when the listing was made. Every name in a `Listing` is safe and unique, and comes after
/// the folder that contains it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// The lines after the first.
    lines: Bytes,
    mtime_ms: i64,
    unix_mode: Option<UnixMode>,
    totals: Totals,
}

/// The totals of a listing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Totals {
    /// How many files there are.
    pub files: u64,
    /// How many folders, without the listed one.
    pub folders: u64,
    /// How many bytes the files have together.
    pub bytes: u64,
    /// How many entries were left out because they are neither files nor folders.
    pub skipped: u64,
    /// How many entries were left out because they could not be read, or have no name that is safe everywhere.
    pub unnamed: u64,
}

/// Why bytes are not a listing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the listing: {why}")]
#[non_exhaustive]
pub struct ListingError {
    /// Which line, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub why: Wrong,
}

/// What is wrong with a line of a listing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Wrong {
    /// It does not have the form required at its position.
    #[error("it does not have the right form")]
    Form,
    /// The name is not safe.
    #[error("{0}")]
    Name(super::NameError),
    /// The name does not come after the previous one.
    #[error("\"{0}\" appears twice, or out of order")]
    Order(SafeName),
    /// The name is not in any folder of the listing.
    #[error("\"{0}\" is in no folder that comes before it")]
    NoFolder(SafeName),
    /// The counts in the last line do not match the entries.
    #[error("it counts {counted} entries, but has {found}")]
    Count {
        /// The count in the last line.
        counted: u64,
        /// How many entries there are.
        found: u64,
    },
}

impl Listing {
    /// Checks a listing.
    ///
    /// # Errors
    /// The first line that is wrong.
    pub fn parse(mut text: Bytes) -> Result<Self, ListingError> {
        let (unix_mode, mtime_ms, end) = read_head(&text).map_err(|why| ListingError { line: 1, why })?;
        let lines = text.split_off(end);
        let mut line = 1;
        let totals = check(&lines, &mut line).map_err(|why| ListingError { line, why })?;
        Ok(Self { lines, mtime_ms, unix_mode, totals })
    }

    /// When the folder itself was last changed, in milliseconds since 1970; 0 if unknown.
    pub fn mtime_ms(&self) -> i64 {
        self.mtime_ms
    }

    /// The permissions of the folder itself, if known.
    pub fn unix_mode(&self) -> Option<UnixMode> {
        self.unix_mode
    }

    /// Its sums.
    pub fn totals(&self) -> Totals {
        self.totals
    }

    /// Its entries, each folder before its contents.
    pub fn entries(&self) -> impl Iterator<Item = Entry> + use<> {
        let mut rest = self.lines.clone();
        // Every line was checked; the only one that is not an entry is the last.
        core::iter::from_fn(move || {
            let (line, after) = split_line(&rest)?;
            let entry = read_entry(line).ok();
            rest = rest.slice_ref(after);
            entry
        })
    }
}

/// The first line, and the rest.
fn split_line(text: &[u8]) -> Option<(&str, &[u8])> {
    let end = text.iter().position(|byte| *byte == b'\n')?;
    Some((str::from_utf8(&text[..end]).ok()?, &text[end + 1..]))
}

/// The mode, the time, and where the first line ends.
fn read_head(text: &[u8]) -> Result<(Option<UnixMode>, i64, usize), Wrong> {
    let (line, after) = split_line(text).ok_or(Wrong::Form)?;
    let fields = line.strip_prefix(HEAD).and_then(|fields| fields.split_once(' '));
    let (mode, time) = fields.ok_or(Wrong::Form)?;
    Ok((read_mode(mode)?, read_number(time).ok_or(Wrong::Form)?, text.len() - after.len()))
}

fn check(mut lines: &[u8], number: &mut u64) -> Result<Totals, Wrong> {
    let mut totals = Totals::default();
    let mut order = Order::default();
    loop {
        *number += 1;
        let (line, after) = split_line(lines).ok_or(Wrong::Form)?;
        lines = after;
        if let Some(counts) = line.strip_prefix("end ") {
            let [counted, skipped, unnamed] = read_counts(counts).ok_or(Wrong::Form)?;
            let found = totals.files + totals.folders;
            if counted != found {
                return Err(Wrong::Count { counted, found });
            }
            return if lines.is_empty() {
                Ok(Totals { skipped, unnamed, ..totals })
            } else {
                Err(Wrong::Form)
            };
        }
        let entry = read_entry(line)?;
        totals.bytes = totals.bytes.saturating_add(entry.length);
        if entry.kind == Kind::Folder {
            totals.folders += 1;
        } else {
            totals.files += 1;
        }
        order.note(&entry)?;
    }
}

fn read_counts(text: &str) -> Option<[u64; 3]> {
    let mut fields = text.split(' ').map(read_number::<u64>);
    let counts = [fields.next()??, fields.next()??, fields.next()??];
    fields.next().is_none().then_some(counts)
}

fn read_entry(line: &str) -> Result<Entry, Wrong> {
    let mut fields = line.splitn(5, ' ');
    let mut field = || fields.next().ok_or(Wrong::Form);
    let (kind, mode, mtime_ms, length, name) = (field()?, field()?, field()?, field()?, field()?);
    let kind = match kind {
        "d" => Kind::Folder,
        "f" => Kind::File,
        _ => return Err(Wrong::Form),
    };
    let length =
        read_number(length).filter(|length| kind == Kind::File || *length == 0).ok_or(Wrong::Form)?;
    let mtime_ms = read_number(mtime_ms).ok_or(Wrong::Form)?;
    let unix_mode = read_mode(mode)?;
    let name = SafeName::parse(name).map_err(Wrong::Name)?;
    Ok(Entry { name, kind, length, mtime_ms, unix_mode })
}

/// Three octal digits, or `-` for none.
fn read_mode(text: &str) -> Result<Option<UnixMode>, Wrong> {
    match text {
        "-" => Ok(None),
        octal if octal.len() == 3 && octal.bytes().all(|digit| (b'0'..=b'7').contains(&digit)) => {
            let bits = u32::from_str_radix(octal, 8).map_err(|_| Wrong::Form)?;
            Ok(Some(UnixMode::from_bits(bits)))
        }
        _ => Err(Wrong::Form),
    }
}

/// A number in its only valid form.
fn read_number<N: str::FromStr + ToString>(text: &str) -> Option<N> {
    text.parse().ok().filter(|number: &N| number.to_string() == text)
}

/// Where the next entry may be.
#[derive(Debug, Default)]
struct Order {
    /// The enclosing folders, the listed one first, each with the last name in it.
    above: Vec<(String, String)>,
    /// The last name in the innermost folder.
    last: String,
}

impl Order {
    fn note(&mut self, entry: &Entry) -> Result<(), Wrong> {
        let (parent, own) = entry.name.as_str().rsplit_once('/').unwrap_or(("", entry.name.as_str()));
        while self.folder() != parent {
            // A folder that was left once is complete.
            let (_, last) = self.above.pop().ok_or_else(|| Wrong::NoFolder(entry.name.clone()))?;
            self.last = last;
        }
        if own <= self.last.as_str() {
            return Err(Wrong::Order(entry.name.clone()));
        }
        self.last.clear();
        self.last.push_str(own);
        if entry.kind == Kind::Folder {
            self.above.push((entry.name.as_str().into(), core::mem::take(&mut self.last)));
        }
        Ok(())
    }

    fn folder(&self) -> &str {
        self.above.last().map_or("", |(folder, _)| folder)
    }
}

/// Writes a listing. Push entries in the order of a listing.
#[derive(Debug)]
pub struct ListingWriter {
    text: String,
    entries: u64,
}

impl ListingWriter {
    /// The listing of a folder with this time and mode, without entries so far.
    pub fn new(mtime_ms: i64, unix_mode: Option<UnixMode>) -> Self {
        let mut text = String::from(HEAD);
        // Writing to a string does not fail.
        let _ = match unix_mode {
            Some(mode) => writeln!(text, "{mode} {mtime_ms}"),
            None => writeln!(text, "- {mtime_ms}"),
        };
        Self { text, entries: 0 }
    }

    /// Adds an entry.
    pub fn push(&mut self, entry: &Entry) {
        let Entry { name, kind, length, mtime_ms, unix_mode } = entry;
        let kind = if *kind == Kind::Folder { 'd' } else { 'f' };
        self.entries += 1;
        let _ = match unix_mode {
            Some(mode) => writeln!(self.text, "{kind} {mode} {mtime_ms} {length} {name}"),
            None => writeln!(self.text, "{kind} - {mtime_ms} {length} {name}"),
        };
    }

    /// How many bytes there are so far.
    pub fn written(&self) -> usize {
        self.text.len()
    }

    /// The complete text. See [`Totals`] for the meaning of the two numbers.
    pub fn finish(mut self, skipped: u64, unnamed: u64) -> Bytes {
        let _ = writeln!(self.text, "end {} {skipped} {unnamed}", self.entries);
        self.text.into()
    }
}

#[cfg(test)]
mod tests;
