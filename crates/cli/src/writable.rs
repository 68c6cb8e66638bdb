//! Whether files can be put into a folder, as far as that can be checked without doing it.

use crate::private::folder_of;
use std::path::Path;
use std::{fs, io};

/// Checks that files could be put into a folder that may not exist yet.
pub(crate) fn may_make(dir: &Path) -> io::Result<()> {
    may_write(if dir.is_dir() { dir } else { around(dir)? })
}

/// The nearest existing folder around this one.
fn around(dir: &Path) -> io::Result<&Path> {
    let folder = folder_of(dir);
    match fs::metadata(folder) {
        Ok(meta) if meta.is_dir() => Ok(folder),
        Ok(_) => Err(io::ErrorKind::NotADirectory.into()),
        Err(error) if error.kind() == io::ErrorKind::NotFound && folder != Path::new(".") => around(folder),
        Err(error) => Err(error),
    }
}

/// Checks that this user may create something in a folder.
#[cfg(unix)]
pub(crate) fn may_write(folder: &Path) -> io::Result<()> {
    use rustix::fs::{Access, access};
    Ok(access(folder, Access::WRITE_OK | Access::EXEC_OK)?)
}

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "the form for Unix needs it")]
pub(crate) fn may_write(_: &Path) -> io::Result<()> {
    Ok(())
}
