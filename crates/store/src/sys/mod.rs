//! The few things that are needed from the operating system.
//!
//! A [`Folder`] is an open folder, not a path: whatever is done through it stays beneath it, even if it is renamed
//! meanwhile. No call on a `Folder` follows a symbolic link.

#[cfg(test)]
mod either;
#[cfg(test)]
pub(crate) mod model;
#[cfg(any(not(unix), test))]
mod portable;
#[cfg(unix)]
mod unix;

/// The real implementation.
mod disk {
    #[cfg(not(unix))]
    pub(crate) use super::portable::{
        Folder, is_bad_name, is_too_many_open, is_without_locks, meta, open_source, read_at, set_mode,
        write_all_at,
    };
    #[cfg(unix)]
    pub(crate) use super::unix::{
        Folder, is_bad_name, is_too_many_open, is_without_locks, meta, open_source, read_at, set_mode,
        write_all_at,
    };
    pub(crate) use std::fs::File;
}

#[cfg(not(test))]
pub(crate) use disk::{
    File, Folder, is_bad_name, is_too_many_open, is_without_locks, meta, open_source, read_at, set_mode,
    write_all_at,
};
#[cfg(test)]
pub(crate) use disk::{is_bad_name, is_too_many_open, is_without_locks};
#[cfg(all(test, unix))]
pub(crate) use either::doom;
#[cfg(test)]
pub(crate) use either::{File, Folder, meta, open_source, read_at, set_mode, write_all_at};

use bowline_core::transfer::UnixMode;
use std::io;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What a name refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    File,
    Folder,
    /// A symbolic link.
    Link,
    /// A device, a socket, a pipe.
    Other,
}

/// Identifies one version of one file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct FileId {
    pub(crate) dev: u64,
    pub(crate) ino: u64,
    pub(crate) len: u64,
    /// Time of the last change to the content, in nanoseconds since 1970.
    pub(crate) modified: i64,
}

impl FileId {
    /// Whether it is the same version of the same file, on a disk that may have been remounted: many systems number
    /// devices as they are mounted.
    pub(crate) fn is_same_version(&self, other: &Self) -> bool {
        let Self { dev: _, ino, len, modified } = *self;
        (ino, len, modified) == (other.ino, other.len, other.modified)
    }
}

/// What is known about a file without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Meta {
    pub(crate) kind: Kind,
    pub(crate) id: FileId,
    /// Time of the last change of any kind, in nanoseconds since 1970.
    pub(crate) changed: i64,
    /// The permissions, if the system has them.
    pub(crate) mode: Option<UnixMode>,
}

impl Meta {
    /// Time of the last change to the content, in milliseconds since 1970.
    pub(crate) fn mtime_ms(&self) -> i64 {
        self.id.modified.div_euclid(1_000_000)
    }

    pub(crate) fn is_same_inode(&self, other: &Self) -> bool {
        (self.id.dev, self.id.ino) == (other.id.dev, other.id.ino)
    }
}

/// What a file is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Reading an existing file.
    Read,
    /// Reading and writing an existing file.
    Edit,
    /// Reading and writing a new file.
    New,
}

/// The time this many milliseconds after 1970; `None` for 0, which means no time, and for times that no clock shows.
pub(crate) fn moment(mtime_ms: i64) -> Option<SystemTime> {
    let distance = Duration::from_millis(mtime_ms.unsigned_abs());
    let time = if mtime_ms < 0 { UNIX_EPOCH.checked_sub(distance) } else { UNIX_EPOCH.checked_add(distance) };
    time.filter(|_| mtime_ms != 0)
}

/// Fills `buffer` from `offset` as far as the file reaches.
pub(crate) fn read_full_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match read_at(file, &mut buffer[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    /// Both implementations of a folder behave alike.
    macro_rules! folder_tests {
        ($form:ident) => {
            mod $form {
                use super::super::{Access, Kind, $form::*};
                use std::io::ErrorKind as E;

                fn folder() -> (tempfile::TempDir, Folder) {
                    let dir = tempfile::tempdir().expect("a folder");
                    let folder = Folder::open(dir.path()).expect("the folder");
                    (dir, folder)
                }

                #[test]
                fn a_new_name_is_refused_when_it_is_taken() {
                    let (dir, folder) = folder();
                    std::fs::write(dir.path().join("a"), "new").expect("write");
                    std::fs::write(dir.path().join("b"), "old").expect("write");
                    let error = folder.rename_new("a", &folder, "b").expect_err("taken");
                    assert_eq!(error.kind(), E::AlreadyExists);
                    assert_eq!(std::fs::read(dir.path().join("b")).expect("read"), b"old");
                    folder.rename_new("a", &folder, "c").expect("free");
                    assert_eq!(std::fs::read(dir.path().join("c")).expect("read"), b"new");
                    assert!(folder.stat("a").expect("stat").is_none());
                    folder.rename_over("c", &folder, "b").expect("replace");
                    assert_eq!(std::fs::read(dir.path().join("b")).expect("read"), b"new");
                }

                #[cfg(unix)]
                #[test]
                fn links_are_seen_and_not_followed() {
                    let (dir, folder) = folder();
                    std::fs::create_dir(dir.path().join("real")).expect("create");
                    std::os::unix::fs::symlink("real", dir.path().join("link")).expect("link");
                    assert_eq!(folder.stat("link").expect("stat").map(|m| m.kind), Some(Kind::Link));
                    assert_eq!(folder.enter("link").expect_err("a link").kind(), E::NotADirectory);
                    assert_eq!(folder.create("link", false).expect_err("a link").kind(), E::NotADirectory);
                    assert!(!folder.create("real", false).expect("there already").1);
                    assert!(folder.create("fresh", true).expect("created").1);
                    std::fs::write(dir.path().join("f"), "x").expect("write");
                    std::os::unix::fs::symlink("f", dir.path().join("l")).expect("link");
                    assert!(folder.open_file("l", Access::Edit).is_err());
                    assert_eq!(folder.enter("f").expect_err("a file").kind(), E::NotADirectory);
                    assert_eq!(folder.enter("none").expect_err("nothing").kind(), E::NotFound);
                }

                #[test]
                fn files_are_read_where_they_were_written() {
                    let (_dir, folder) = folder();
                    let file = folder.open_file("x", Access::New).expect("new");
                    assert!(folder.open_file("x", Access::New).is_err());
                    write_all_at(&file, b"hello", 3).expect("write");
                    let mut buffer = [0; 2];
                    assert_eq!(read_at(&file, &mut buffer, 4).expect("read"), 2);
                    assert_eq!(&buffer, b"el");
                    let meta = meta(&file).expect("meta");
                    assert_eq!((meta.kind, meta.id.len), (Kind::File, 8));
                    assert_eq!(folder.stat("x").expect("stat").expect("there"), meta);
                    assert_eq!(folder.names().expect("names"), ["x"]);
                    assert_eq!(folder.entries().expect("entries"), ["x"]);
                    folder.remove_file("x").expect("remove");
                    assert!(folder.names().expect("names").is_empty());
                }

                #[test]
                fn a_folder_is_removed_only_when_empty() {
                    let (dir, folder) = folder();
                    let (inner, _) = folder.create("in", true).expect("create");
                    inner.open_file("x", Access::New).expect("new");
                    assert!(folder.remove_folder("in").is_err());
                    inner.remove_file("x").expect("remove");
                    folder.remove_folder("in").expect("empty");
                    folder.sync().expect("sync");
                    assert!(!dir.path().join("in").exists());
                }
            }
        };
    }

    #[cfg(unix)]
    folder_tests!(unix);
    folder_tests!(portable);
}
