//! What clients know about their paths, which they share, and which can be stored.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bowline_core::adapt;
use bowline_core::adapt::BadLine;

/// What is known about the paths to servers: how long a silence each of them allows. Clones share it, so give the same
/// one to all clients of a program.
///
/// A client reads what is known when it starts, and adds what it learns from the end of each link. To keep that between
/// two runs, store the text of this, and read it at the next start:
///
/// ```
/// use bowline_host::client::{ClientConfig, Paths};
///
/// let kept = "example.org:443 45.000 60.040 1790000000\n";
/// let (paths, bad) = Paths::read(kept);
/// assert!(bad.is_empty()); // damaged lines are skipped
///
/// let mut config = ClientConfig::default();
/// config.paths = paths.clone();
/// // ... and when the program ends:
/// assert_eq!(paths.to_string(), kept);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Paths(Arc<Mutex<adapt::Paths>>);

impl Paths {
    /// Reads what [`to_string`](ToString::to_string) has written. Damaged lines are skipped and reported.
    pub fn read(text: &str) -> (Self, Vec<BadLine>) {
        let (paths, bad) = adapt::Paths::read(text);
        (paths.into(), bad)
    }

    /// What is known about this path.
    pub fn path(&self, key: &str) -> adapt::Path {
        self.lock().path(key)
    }

    /// Remembers a path, replacing what was known about it.
    pub fn insert(&self, path: adapt::Path) {
        self.lock().insert(path);
    }

    /// Remembers a path if it has changed.
    pub(super) fn note(&self, path: &adapt::Path) {
        let mut paths = self.lock();
        if paths.path(path.key()) != *path {
            paths.insert(path.clone());
        }
    }

    /// A copy of everything that is known at the moment.
    pub fn snapshot(&self) -> adapt::Paths {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, adapt::Paths> {
        // Nothing panics halfway while holding this lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl From<adapt::Paths> for Paths {
    fn from(paths: adapt::Paths) -> Self {
        Self(Arc::new(Mutex::new(paths)))
    }
}

impl fmt::Display for Paths {
    /// One line for each path.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lock().fmt(f)
    }
}
