//! Files that nobody else is to read.

use crate::report::print_line;
use std::io::{self, Write as _};
use std::path::Path;
use tempfile::NamedTempFile;

/// The folder that a file is in.
pub(crate) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Writes a file in one step, so that nobody finds half of it. It may not survive a power cut.
pub(crate) fn write(path: &Path, text: &str) -> io::Result<()> {
    fill(path, text.as_bytes())?.persist(path)?;
    Ok(())
}

/// The same of one that survives a power cut. One that is there stays, and is `AlreadyExists`.
pub(crate) fn write_new_durably(path: &Path, text: &str) -> io::Result<()> {
    let file = fill(path, text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist_noclobber(path)?;
    Ok(())
}

/// What is to become the file at this place. It is private from the start (0600).
pub(crate) fn fill(path: &Path, bytes: &[u8]) -> io::Result<NamedTempFile> {
    let mut file = NamedTempFile::new_in(folder_of(path))?;
    file.write_all(bytes)?;
    Ok(file)
}

/// Says so if every user of the machine can read a file that holds a secret.
pub(crate) fn warn_if_exposed(path: &Path, quiet: bool) {
    if !quiet && is_exposed(path) {
        print_line(&format!("every user of this machine can read {0}; chmod 600 {0}", path.display()));
    }
}

#[cfg(unix)]
fn is_exposed(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o004 != 0)
}

/// Where permissions are of another kind, nobody looks at them.
#[cfg(not(unix))]
fn is_exposed(_: &Path) -> bool {
    false
}
