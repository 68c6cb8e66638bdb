//! Files that nobody else may read.

use crate::report::print_line;
use std::fs;
use std::io::{self, Write as _};
use std::path::Path;
use std::time::Duration;
use tempfile::{Builder, NamedTempFile};

/// How the names of files begin that are being written.
const UNFINISHED: &str = ".bowline-unfinished-";

/// This long after its last write, such a file was abandoned: on any disk, writing it takes only a moment.
const LEFT: Duration = Duration::from_secs(3600);

/// The folder of a file.
pub(crate) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Writes a file in one step, so that nobody finds half of it. It may not survive a power cut.
pub(crate) fn write(path: &Path, text: &str) -> io::Result<()> {
    fill(path, text.as_bytes())?.persist(path)?;
    Ok(())
}

/// The same for a file that survives a power cut. If one exists, it stays, and the error is `AlreadyExists`.
pub(crate) fn write_new_durably(path: &Path, text: &str) -> io::Result<()> {
    let file = fill(path, text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist_noclobber(path)?;
    Ok(())
}

/// The new contents for this path, in a file that is private from the start (0600).
pub(crate) fn fill(path: &Path, bytes: &[u8]) -> io::Result<NamedTempFile> {
    let mut file = Builder::new().prefix(UNFINISHED).tempfile_in(folder_of(path))?;
    file.write_all(bytes)?;
    Ok(file)
}

/// Removes the files that processes left in a folder because they were killed while writing them.
pub(crate) fn clear(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_name().as_encoded_bytes().starts_with(UNFINISHED.as_bytes()) && is_left(&entry) {
            // Another process may have been faster.
            let _ = fs::remove_file(entry.path());
        }
    }
}

fn is_left(entry: &fs::DirEntry) -> bool {
    let modified = entry.metadata().and_then(|meta| meta.modified());
    modified.is_ok_and(|at| at.elapsed().is_ok_and(|age| age > LEFT))
}

/// Warns if every user of the machine can read a file that holds a secret.
pub(crate) fn warn_if_exposed(path: &Path, quiet: bool) {
    if !quiet && is_exposed(path) {
        print_line(&format!("every user of this machine can read {0}; chmod 600 {0}", path.display()));
    }
}

#[cfg(unix)]
fn is_exposed(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o004 != 0)
}

/// Other kinds of permissions are not checked.
#[cfg(not(unix))]
fn is_exposed(_: &Path) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::SystemTime;

    #[test]
    fn leftovers_of_a_killed_process_are_removed_once_they_are_old() {
        let dir = tempfile::tempdir().expect("a folder");
        let make = |name: &str, age| {
            let file = fs::File::create(dir.path().join(name)).expect("made");
            file.set_modified(SystemTime::now() - age).expect("set");
        };
        let kept = fill(&dir.path().join("secret"), b"abc").expect("written").keep().expect("left behind").1;
        make(&format!("{UNFINISHED}old"), 2 * LEFT);
        make(".tmp-of-others", 2 * LEFT);
        clear(dir.path());
        let names = fs::read_dir(dir.path()).expect("listed").map(|entry| entry.expect("read").file_name());
        let mut names: Vec<_> = names.collect();
        names.sort();
        let young = kept.file_name().expect("it has a name");
        assert_eq!(names, [young, ".tmp-of-others".as_ref()]);
        clear(&dir.path().join("nowhere"));
    }
}
