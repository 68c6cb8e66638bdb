//! Folders by path, with what the standard library provides: for systems without `openat`.
//!
//! Links are checked before each step. Somebody who can write to the served folder and wins a race could still slip one
//! in between, as with any program that works by path.

use super::{Access, FileId, Kind, Meta};
#[cfg(not(unix))]
use bowline_core::transfer::UnixMode;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Allows folders to be opened too.
#[cfg(windows)]
const FILE_FLAG_BACKUP_SEMANTICS: u32 = 0x0200_0000;

/// A folder that existed when it was opened.
#[derive(Clone, Debug)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        if !fs::metadata(path)?.is_dir() {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        Ok(Self(path.to_path_buf()))
    }

    pub(crate) fn enter(&self, name: &str) -> io::Result<Self> {
        match self.stat(name)?.map(|meta| meta.kind) {
            Some(Kind::Folder) => Ok(Self(self.0.join(name))),
            Some(_) => Err(io::ErrorKind::NotADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    pub(crate) fn create(&self, name: &str, _private: bool) -> io::Result<(Self, bool)> {
        let made = match fs::create_dir(self.0.join(name)) {
            Ok(()) => true,
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => false,
            Err(e) => return self.enter(name).map(|folder| (folder, false)).map_err(|_| e),
        };
        Ok((self.enter(name)?, made))
    }

    pub(crate) fn open_file(&self, name: &str, access: Access) -> io::Result<File> {
        if access != Access::New && self.stat(name)?.is_some_and(|meta| meta.kind != Kind::File) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let mut options = OpenOptions::new();
        options.read(true).write(access != Access::Read).create_new(access == Access::New);
        options.open(self.0.join(name))
    }

    #[cfg(windows)]
    pub(crate) fn open_locked(&self, name: &str, create: bool) -> io::Result<File> {
        use std::os::windows::fs::OpenOptionsExt as _;
        const FILE_SHARE_DELETE: u32 = 4;
        const ERROR_SHARING_VIOLATION: i32 = 32;
        let mut options = OpenOptions::new();
        // Nobody else may open it, but it may be removed while it is open.
        options.read(true).write(true).create(create).share_mode(FILE_SHARE_DELETE);
        options.open(self.0.join(name)).map_err(|e| match e.raw_os_error() {
            Some(ERROR_SHARING_VIOLATION) => io::ErrorKind::WouldBlock.into(),
            _ => e,
        })
    }

    pub(crate) fn stat(&self, name: &(impl AsRef<OsStr> + ?Sized)) -> io::Result<Option<Meta>> {
        match look(&self.0.join(name.as_ref())) {
            Ok(meta) => Ok(Some(meta)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e),
        }
    }

    #[cfg(not(unix))]
    pub(crate) fn meta(&self) -> io::Result<Meta> {
        look(&self.0)
    }

    pub(crate) fn rename_new(&self, from: &str, into: &Self, to: &str) -> io::Result<()> {
        match fs::hard_link(self.0.join(from), into.0.join(to)) {
            Ok(()) => self.remove_file(from),
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Err(e),
            // There are no links here: an empty file claims the name and is then replaced.
            Err(_) => {
                into.open_file(to, Access::New)?;
                self.rename_over(from, into, to).inspect_err(|_| {
                    let _ = into.remove_file(to);
                })
            }
        }
    }

    pub(crate) fn rename_over(&self, from: &str, into: &Self, to: &str) -> io::Result<()> {
        fs::rename(self.0.join(from), into.0.join(to))
    }

    pub(crate) fn remove_file(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.0.join(name))
    }

    pub(crate) fn remove_folder(&self, name: &str) -> io::Result<()> {
        fs::remove_dir(self.0.join(name))
    }

    /// Does nothing: the standard library cannot sync a folder.
    #[allow(clippy::unused_self, clippy::unnecessary_wraps)]
    pub(crate) fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    pub(crate) fn names(&self) -> io::Result<Vec<String>> {
        let names =
            fs::read_dir(&self.0)?.map(|entry| entry.map(|entry| entry.file_name().into_string().ok()));
        names.filter_map(Result::transpose).collect()
    }

    pub(crate) fn entries(&self) -> io::Result<Vec<OsString>> {
        fs::read_dir(&self.0)?.map(|entry| entry.map(|entry| entry.file_name())).collect()
    }

    /// Does nothing: there are no such modes, and the standard library cannot set the times of folders.
    #[cfg(not(unix))]
    #[allow(clippy::unused_self, clippy::unnecessary_wraps)]
    pub(crate) fn dress(&self, _: Option<SystemTime>, _: Option<UnixMode>) -> io::Result<()> {
        Ok(())
    }

    #[cfg(windows)]
    pub(crate) fn free(&self) -> Option<u64> {
        fs4::available_space(&self.0).ok()
    }

    #[cfg(not(any(unix, windows)))]
    #[allow(clippy::unused_self)]
    pub(crate) fn free(&self) -> Option<u64> {
        None
    }
}

/// Opens a folder too, so that the caller can report what it is.
#[cfg(windows)]
pub(crate) fn open_source(path: &Path) -> io::Result<File> {
    use std::os::windows::fs::OpenOptionsExt as _;
    OpenOptions::new().read(true).custom_flags(FILE_FLAG_BACKUP_SEMANTICS).open(path)
}

#[cfg(not(any(unix, windows)))]
pub(crate) fn open_source(path: &Path) -> io::Result<File> {
    File::open(path)
}

/// Whether this process cannot open more files at the moment.
#[cfg(not(unix))]
pub(crate) fn is_too_many_open(error: &io::Error) -> bool {
    const ERROR_TOO_MANY_OPEN_FILES: i32 = 4;
    cfg!(windows) && error.raw_os_error() == Some(ERROR_TOO_MANY_OPEN_FILES)
}

/// Whether the file system does not allow a file with this name.
#[cfg(not(unix))]
pub(crate) fn is_bad_name(error: &io::Error) -> bool {
    const ERROR_INVALID_NAME: i32 = 123;
    const ERROR_FILENAME_EXCED_RANGE: i32 = 206;
    cfg!(windows) && matches!(error.raw_os_error(), Some(ERROR_INVALID_NAME | ERROR_FILENAME_EXCED_RANGE))
}

/// No such error exists here.
#[cfg(not(unix))]
pub(crate) fn is_without_locks(_: &io::Error) -> bool {
    false
}

/// Does nothing: there are no such modes.
#[cfg(not(unix))]
#[allow(clippy::unnecessary_wraps)]
pub(crate) fn set_mode(_: &File, _: UnixMode) -> io::Result<()> {
    Ok(())
}

/// The metadata of what is at this path, without following a link.
#[cfg(windows)]
fn look(path: &Path) -> io::Result<Meta> {
    use std::os::windows::fs::OpenOptionsExt as _;
    const FILE_FLAG_OPEN_REPARSE_POINT: u32 = 0x0020_0000;
    let mut options = OpenOptions::new();
    // With these flags folders can be opened too, without conflicts with other users of the file, even one that has
    // locked it.
    options.access_mode(0).custom_flags(FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OPEN_REPARSE_POINT);
    meta(&options.open(path)?)
}

#[cfg(not(windows))]
fn look(path: &Path) -> io::Result<Meta> {
    fs::symlink_metadata(path).map(|metadata| from_metadata(&metadata, by_time(&metadata)))
}

#[cfg(windows)]
pub(crate) fn meta(file: &File) -> io::Result<Meta> {
    let ids = winapi_util::file::information(file)?;
    Ok(from_metadata(&file.metadata()?, (ids.volume_serial_number(), ids.file_index())))
}

#[cfg(not(windows))]
pub(crate) fn meta(file: &File) -> io::Result<Meta> {
    file.metadata().map(|metadata| from_metadata(&metadata, by_time(&metadata)))
}

/// Where neither device nor inode is available, the creation time distinguishes most files.
#[cfg(not(windows))]
fn by_time(metadata: &Metadata) -> (u64, u64) {
    (0, nanos(metadata.created()).unsigned_abs())
}

fn from_metadata(metadata: &Metadata, (dev, ino): (u64, u64)) -> Meta {
    let kind = if metadata.is_file() {
        Kind::File
    } else if metadata.is_dir() {
        Kind::Folder
    } else if metadata.is_symlink() {
        Kind::Link
    } else {
        Kind::Other
    };
    let modified = nanos(metadata.modified());
    Meta { kind, id: FileId { dev, ino, len: metadata.len(), modified }, changed: modified, mode: None }
}

/// Nanoseconds since 1970; 0 if the system does not know the time.
fn nanos(time: io::Result<SystemTime>) -> i64 {
    let whole = |d: Duration| i64::try_from(d.as_nanos()).unwrap_or(i64::MAX);
    time.unwrap_or(UNIX_EPOCH)
        .duration_since(UNIX_EPOCH)
        .map_or_else(|before| -whole(before.duration()), whole)
}

#[cfg(windows)]
pub(crate) fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buffer, offset)
}

#[cfg(windows)]
pub(crate) fn write_all_at(file: &File, mut data: &[u8], mut offset: u64) -> io::Result<()> {
    while !data.is_empty() {
        match std::os::windows::fs::FileExt::seek_write(file, data, offset) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(n) => {
                data = &data[n..];
                offset += n as u64;
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

#[cfg(all(test, unix))]
pub(crate) use super::unix::{read_at, write_all_at};
