//! What is known about the paths to servers, stored next to the secret between two runs.
//!
//! It only saves a lost connection now and then. So whatever goes wrong with the file goes to the detailed log, and
//! changes nothing else.

use crate::state;
use bowline_core::adapt;
use bowline_tokio::Paths;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use tracing::debug;

const FILE: &str = "paths";

/// What is known about paths: what the file said, and what has been learned since.
#[derive(Debug)]
pub(crate) struct Memory {
    dir: Option<PathBuf>,
    read: adapt::Paths,
    paths: Paths,
}

impl Memory {
    /// That of this user; empty if there is none.
    pub(crate) fn of_user() -> Self {
        Self::load(state::folder())
    }

    fn load(dir: Option<PathBuf>) -> Self {
        let read = dir.as_deref().map(read).unwrap_or_default();
        let paths = read.clone().into();
        Self { dir, read, paths }
    }

    /// For a client, which adds what it learns.
    pub(crate) fn paths(&self) -> Paths {
        self.paths.clone()
    }

    /// Writes what was learned to the file, if anything was. What other processes have written there is kept.
    pub(crate) fn save(&self) {
        let learned = self.paths.snapshot();
        let news: Vec<_> = learned.iter().filter(|path| self.read.path(path.key()) != **path).collect();
        let Some(dir) = self.dir.as_deref().filter(|_| !news.is_empty()) else { return };
        let mut paths = read(dir);
        for path in news {
            paths.insert(path.clone());
        }
        if let Err(error) = state::write(dir, FILE, &paths.to_string()) {
            debug!(path = %dir.join(FILE).display(), %error, "what was learned about paths cannot be kept");
        }
    }
}

fn read(dir: &Path) -> adapt::Paths {
    let path = dir.join(FILE);
    let text = match fs::read(&path) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) => {
            if error.kind() != io::ErrorKind::NotFound {
                debug!(path = %path.display(), %error, "what is known about paths cannot be read");
            }
            String::new()
        }
    };
    let (paths, bad) = adapt::Paths::read(&text);
    for bad in bad {
        debug!(path = %path.display(), %bad, "skipped");
    }
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: &str = "here:1 2.000 3.000 7\n";

    fn memory(dir: &Path) -> Memory {
        Memory::load(Some(dir.to_owned()))
    }

    fn learn(memory: &Memory, line: &str) {
        memory.paths().insert(line.trim().parse().expect("a line"));
    }

    #[test]
    fn knowledge_of_paths_is_there_at_the_next_run() {
        let dir = tempfile::tempdir().expect("a folder");
        let state = dir.path().join("deep/state");
        let first = memory(&state);
        first.save();
        assert!(!state.exists(), "there was nothing to keep");
        learn(&first, HERE);
        first.save();
        assert_eq!(memory(&state).paths().to_string(), HERE);
        assert_eq!(fs::read_dir(&state).expect("listed").count(), 1, "nothing else is left there");
    }

    #[test]
    fn knowledge_saved_by_another_process_meanwhile_stays() {
        let dir = tempfile::tempdir().expect("a folder");
        fs::write(dir.path().join(FILE), "old:1 2.000 - 1\n").expect("written");
        let (one, other) = (memory(dir.path()), memory(dir.path()));
        learn(&one, HERE);
        learn(&other, "there:1 - 4.000 8");
        one.save();
        other.save();
        let expected = format!("old:1 2.000 - 1\n{HERE}there:1 - 4.000 8\n");
        assert_eq!(memory(dir.path()).paths().to_string(), expected);
    }

    #[test]
    fn damage_costs_the_damaged_line() {
        let dir = tempfile::tempdir().expect("a folder");
        let mut damaged = b"here:1 2.0\xff 3.000 7\n\n".to_vec();
        damaged.extend_from_slice(HERE.as_bytes());
        fs::write(dir.path().join(FILE), damaged).expect("written");
        let memory = memory(dir.path());
        assert_eq!(memory.paths().to_string(), HERE);
        learn(&memory, "there:1 - 4.000 8");
        memory.save();
        let text = fs::read_to_string(dir.path().join(FILE)).expect("text");
        assert_eq!(text, format!("{HERE}there:1 - 4.000 8\n"));
    }

    #[test]
    fn without_a_place_nothing_is_kept_and_nothing_fails() {
        let nowhere = Memory::load(None);
        learn(&nowhere, HERE);
        nowhere.save();

        let dir = tempfile::tempdir().expect("a folder");
        let file = dir.path().join("file");
        fs::write(&file, "in the way").expect("written");
        let blocked = memory(&file);
        learn(&blocked, HERE);
        blocked.save();
        assert_eq!(fs::read_to_string(&file).expect("text"), "in the way");
    }

    #[test]
    #[cfg(unix)]
    fn only_the_owner_can_read_which_servers_were_visited() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().expect("a folder");
        let memory = memory(dir.path());
        learn(&memory, HERE);
        memory.save();
        let mode = fs::metadata(dir.path().join(FILE)).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
