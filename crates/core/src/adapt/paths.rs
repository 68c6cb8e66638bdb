//! What is known about all paths, as one line of text for each.

use super::{ParsePathError, Path};
use alloc::vec::Vec;
use core::fmt;

/// How many paths are remembered at most; the one with the oldest lesson is dropped first.
const MOST: usize = 64;

/// What is known about up to 64 paths: what a program stores between two runs.
///
/// ```
/// use bowline_core::adapt::Paths;
///
/// let text = "example.org:443 45.000 60.040 1790000000\nexample.net:443 fourty five - 1790000001\n";
/// let (paths, bad) = Paths::read(text);
/// assert_eq!(paths.path("example.org:443").hi().map(|hi| hi.as_millis()), Some(60_040));
/// assert_eq!(bad[0].to_string(), "line 2: the field `lo` is \"five\"; expected seconds such as 45.000, or -");
/// assert_eq!(paths.to_string(), "example.org:443 45.000 60.040 1790000000\n");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Paths(Vec<Path>);

/// A line that was skipped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {error}")]
#[non_exhaustive]
pub struct BadLine {
    /// The line number, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub error: ParsePathError,
}

impl Paths {
    /// Reads what `to_string` has written. Damaged lines are skipped and reported; empty ones are ignored.
    pub fn read(text: &str) -> (Self, Vec<BadLine>) {
        let (mut paths, mut bad) = (Self::default(), Vec::new());
        for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            match line.parse() {
                Ok(path) => paths.insert(path),
                Err(error) => bad.push(BadLine { line: index + 1, error }),
            }
        }
        (paths, bad)
    }

    /// What is known about this path; nothing if it is new.
    pub fn path(&self, key: &str) -> Path {
        let new = Path::new(key);
        self.0.iter().find(|path| path.key() == new.key()).cloned().unwrap_or(new)
    }

    /// Remembers a path, replacing what was known about it.
    pub fn insert(&mut self, path: Path) {
        self.0.retain(|known| known.key() != path.key());
        if self.0.len() >= MOST {
            let oldest = self.0.iter().enumerate().min_by_key(|(_, path)| path.learned());
            if let Some((oldest, _)) = oldest {
                self.0.remove(oldest);
            }
        }
        self.0.push(path);
    }

    /// The paths, in the order in which they were last remembered.
    pub fn iter(&self) -> impl Iterator<Item = &Path> {
        self.0.iter()
    }
}

impl fmt::Display for Paths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|path| writeln!(f, "{path}"))
    }
}
