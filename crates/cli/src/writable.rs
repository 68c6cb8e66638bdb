//! Whether files can be put into a folder, as far as that shows without putting one there.

use crate::private::folder_of;
use std::path::Path;
use std::{fs, io};

/// Whether a folder that may not be there could have files.
pub(crate) fn may_make(dir: &Path) -> io::Result<()> {
    may_write(if dir.is_dir() { dir } else { around(dir)? })
}

/// The nearest folder around this one that is there.
fn around(dir: &Path) -> io::Result<&Path> {
    let folder = folder_of(dir);
    match fs::metadata(folder) {
        Ok(meta) if meta.is_dir() => Ok(folder),
        Ok(_) => Err(io::ErrorKind::NotADirectory.into()),
        Err(error) if error.kind() == io::ErrorKind::NotFound && folder != Path::new(".") => around(folder),
        Err(error) => Err(error),
    }
}

/// Whether this user may make something in a folder.
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
