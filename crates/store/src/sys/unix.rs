//! Folders by descriptor: every step is relative to an open folder, so no rename in between can misdirect it.

use super::{Access, FileId, Kind, Meta};
use bowline_core::transfer::UnixMode;
use rustix::fs::{AtFlags, Dir, FileType, FlockOperation, Mode, OFlags, RawMode, Stat};
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

/// An open folder. Clones share the descriptor.
#[derive(Clone, Debug)]
pub(crate) struct Folder(Arc<File>);

impl Folder {
    /// Opens a folder that the operator named. Symbolic links are followed only here.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self::of(rustix::fs::open(path, flags, Mode::empty())?))
    }

    fn of(descriptor: OwnedFd) -> Self {
        Self(Arc::new(descriptor.into()))
    }

    /// Opens a folder in this one. `NotADirectory` if the name refers to anything else.
    pub(crate) fn enter(&self, name: &str) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match rustix::fs::openat(&*self.0, name, flags, Mode::empty()) {
            Ok(fd) => Ok(Self::of(fd)),
            // Systems disagree on the error for a link in place of a folder.
            Err(Errno::LOOP | Errno::MLINK) => Err(Errno::NOTDIR.into()),
            Err(e) => Err(e.into()),
        }
    }

    /// Opens a folder in this one, making it first if necessary; the flag says whether it was made.
    pub(crate) fn create(&self, name: &str, private: bool) -> io::Result<(Self, bool)> {
        let mode = Mode::from_raw_mode(if private { 0o700 } else { 0o777 });
        let made = match rustix::fs::mkdirat(&*self.0, name, mode) {
            Ok(()) => true,
            Err(Errno::EXIST) => false,
            // Some systems check the permission to create before they check whether it exists.
            Err(e) => return self.enter(name).map(|folder| (folder, false)).map_err(|_| e.into()),
        };
        Ok((self.enter(name)?, made))
    }

    /// Opens a file in this folder.
    pub(crate) fn open_file(&self, name: &str, access: Access) -> io::Result<File> {
        // A pipe without a writer must not block the caller.
        let always = OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let flags = match access {
            Access::Read => OFlags::RDONLY,
            Access::Edit => OFlags::RDWR,
            Access::New => OFlags::RDWR | OFlags::CREATE | OFlags::EXCL,
        };
        let mode = Mode::from_raw_mode(0o666);
        Ok(rustix::fs::openat(&*self.0, name, flags | always, mode)?.into())
    }

    /// Opens a file that only one process may hold, or creates it. `WouldBlock` while another process holds it.
    pub(crate) fn open_locked(&self, name: &str, create: bool) -> io::Result<File> {
        let mut flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        flags.set(OFlags::CREATE, create);
        let fd = rustix::fs::openat(&*self.0, name, flags, Mode::from_raw_mode(0o600))?;
        match rustix::fs::flock(&fd, FlockOperation::NonBlockingLockExclusive) {
            // A file system without locks is used by one process only, or at the operator's risk.
            Ok(()) | Err(Errno::NOSYS | Errno::OPNOTSUPP) => Ok(fd.into()),
            Err(e) => Err(e.into()),
        }
    }

    /// What a name in this folder refers to, if anything.
    pub(crate) fn stat(&self, name: &(impl AsRef<OsStr> + ?Sized)) -> io::Result<Option<Meta>> {
        match rustix::fs::statat(&*self.0, name.as_ref(), AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(from_stat(&stat))),
            Err(Errno::NOENT) => Ok(None),
            Err(e) => Err(e.into()),
        }
    }

    /// The metadata of this folder.
    pub(crate) fn meta(&self) -> io::Result<Meta> {
        meta(&self.0)
    }

    /// Moves a file to a name that must be free.
    pub(crate) fn rename_new(&self, from: &str, into: &Self, to: &str) -> io::Result<()> {
        #[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
        match rustix::fs::renameat_with(&*self.0, from, &*into.0, to, rustix::fs::RenameFlags::NOREPLACE) {
            // Not every file system supports this.
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {}
            result => return Ok(result?),
        }
        self.link_new(from, into, to)
    }

    /// `rename_new` for file systems without it, but with hard links.
    fn link_new(&self, from: &str, into: &Self, to: &str) -> io::Result<()> {
        match rustix::fs::linkat(&*self.0, from, &*into.0, to, AtFlags::empty()) {
            Ok(()) => self.remove_file(from),
            Err(Errno::PERM | Errno::NOSYS | Errno::OPNOTSUPP | Errno::MLINK) => {
                self.claim_new(from, into, to)
            }
            Err(e) => Err(e.into()),
        }
    }

    /// `rename_new` for file systems without hard links: an empty file claims the name and is then replaced. A process
    /// killed in between leaves the empty file, and nobody can tell whose it is.
    fn claim_new(&self, from: &str, into: &Self, to: &str) -> io::Result<()> {
        into.open_file(to, Access::New)?;
        self.rename_over(from, into, to).inspect_err(|_| {
            let _ = into.remove_file(to);
        })
    }

    /// Moves a file to a name, replacing the file that has it.
    pub(crate) fn rename_over(&self, from: &str, into: &Self, to: &str) -> io::Result<()> {
        Ok(rustix::fs::renameat(&*self.0, from, &*into.0, to)?)
    }

    /// Removes a file or a link.
    pub(crate) fn remove_file(&self, name: &str) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&*self.0, name, AtFlags::empty())?)
    }

    /// Removes an empty folder.
    pub(crate) fn remove_folder(&self, name: &str) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&*self.0, name, AtFlags::REMOVEDIR)?)
    }

    /// Makes the names in this folder durable.
    pub(crate) fn sync(&self) -> io::Result<()> {
        match self.0.sync_all() {
            // Some network file systems have nothing to sync here, and report it in this way.
            Err(e) if e.kind() == io::ErrorKind::InvalidInput => Ok(()),
            result => result,
        }
    }

    /// The names in this folder, in no particular order. Those that are not UTF-8 are left out: none of them is ours.
    pub(crate) fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in Dir::read_from(&*self.0)? {
            if let Ok(name) = entry?.file_name().to_str() {
                if name != "." && name != ".." {
                    names.push(name.to_owned());
                }
            }
        }
        Ok(names)
    }

    /// All names in this folder, in no particular order.
    pub(crate) fn entries(&self) -> io::Result<Vec<OsString>> {
        let mut entries = Vec::new();
        for entry in Dir::read_from(&*self.0)? {
            let entry = entry?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if name != "." && name != ".." {
                entries.push(name.to_owned());
            }
        }
        Ok(entries)
    }

    /// Sets the time and mode of this folder.
    pub(crate) fn dress(&self, modified: Option<SystemTime>, mode: Option<UnixMode>) -> io::Result<()> {
        if let Some(mode) = mode {
            // Bits other than the permissions stay, and the owner always keeps access: otherwise a sender could lock up
            // a folder.
            let own = rustix::fs::fstat(&*self.0)?.st_mode & !0o777;
            let mode = Mode::from_raw_mode(own | mode.bits() as RawMode | 0o700);
            rustix::fs::fchmod(&*self.0, mode)?;
        }
        modified.map_or(Ok(()), |time| self.0.set_modified(time))
    }

    /// How many bytes may still be written to this file system, if known.
    pub(crate) fn free(&self) -> Option<u64> {
        let stat = rustix::fs::fstatvfs(&*self.0).ok()?;
        (stat.f_blocks > 0).then(|| stat.f_bavail.saturating_mul(stat.f_frsize))
    }
}

/// Whether this process, or the system, cannot open more files at the moment.
pub(crate) fn is_too_many_open(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE))
}

/// Whether the file system does not allow a file with this name, because it is too long or cannot be represented.
pub(crate) fn is_bad_name(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::NAMETOOLONG | Errno::ILSEQ))
}

/// Whether the file system supports locks but cannot provide any, like a network one whose lock service does not run.
pub(crate) fn is_without_locks(error: &io::Error) -> bool {
    Errno::from_io_error(error) == Some(Errno::NOLCK)
}

/// Opens a file that the sender named: symbolic links are followed.
pub(crate) fn open_source(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    Ok(rustix::fs::open(path, flags, Mode::empty())?.into())
}

/// Sets the permissions of a file.
pub(crate) fn set_mode(file: &File, mode: UnixMode) -> io::Result<()> {
    Ok(rustix::fs::fchmod(file, Mode::from_raw_mode(mode.bits() as RawMode))?)
}

/// The metadata of an open file.
pub(crate) fn meta(file: &File) -> io::Result<Meta> {
    Ok(from_stat(&rustix::fs::fstat(file)?))
}

// The widths and signs of these fields differ between systems.
#[allow(clippy::cast_lossless, clippy::cast_possible_wrap, clippy::unnecessary_cast)]
fn from_stat(stat: &Stat) -> Meta {
    let kind = match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Kind::File,
        FileType::Directory => Kind::Folder,
        FileType::Symlink => Kind::Link,
        _ => Kind::Other,
    };
    let nanos = |secs: i64, nanos: i64| secs.saturating_mul(1_000_000_000).saturating_add(nanos);
    Meta {
        kind,
        id: FileId {
            dev: stat.st_dev as u64,
            ino: stat.st_ino as u64,
            len: stat.st_size as u64,
            modified: nanos(stat.st_mtime as i64, stat.st_mtime_nsec as i64),
        },
        changed: nanos(stat.st_ctime as i64, stat.st_ctime_nsec as i64),
        mode: Some(UnixMode::from_bits(stat.st_mode as u32)),
    }
}

/// Reads once at an offset, independent of the file's cursor.
pub(crate) fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    file.read_at(buffer, offset)
}

/// Writes all of `data` at an offset.
pub(crate) fn write_all_at(file: &File, data: &[u8], offset: u64) -> io::Result<()> {
    file.write_all_at(data, offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    type Way = fn(&Folder, &str, &Folder, &str) -> io::Result<()>;

    #[test]
    fn each_way_to_a_new_name_refuses_a_taken_one() {
        let dir = tempfile::tempdir().expect("a folder");
        let folder = Folder::open(dir.path()).expect("the folder");
        for way in [Folder::rename_new as Way, Folder::link_new, Folder::claim_new] {
            std::fs::write(dir.path().join("a"), "new").expect("write");
            std::fs::write(dir.path().join("b"), "old").expect("write");
            let error = way(&folder, "a", &folder, "b").expect_err("taken");
            assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
            assert_eq!(std::fs::read(dir.path().join("b")).expect("read"), b"old");
            way(&folder, "a", &folder, "c").expect("free");
            assert_eq!(std::fs::read(dir.path().join("c")).expect("read"), b"new");
            assert!(!dir.path().join("a").exists());
            std::fs::remove_file(dir.path().join("c")).expect("remove");
        }
    }

    #[test]
    #[cfg(not(target_vendor = "apple"))]
    fn opening_a_pipe_in_the_way_does_not_block() {
        let dir = tempfile::tempdir().expect("a folder");
        let folder = Folder::open(dir.path()).expect("the folder");
        let kind = FileType::Fifo;
        rustix::fs::mknodat(&*folder.0, "pipe", kind, Mode::from_raw_mode(0o600), 0).expect("a pipe");
        let pipe = folder.open_file("pipe", Access::Read).expect("opened at once");
        assert_eq!(meta(&pipe).expect("meta").kind, Kind::Other);
    }

    #[test]
    fn a_locked_file_is_busy_until_its_holder_is_gone() {
        let dir = tempfile::tempdir().expect("a folder");
        let folder = Folder::open(dir.path()).expect("the folder");
        assert!(folder.open_locked("j", false).is_err());
        let held = folder.open_locked("j", true).expect("made");
        let error = folder.open_locked("j", true).expect_err("held");
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        drop(held);
        folder.open_locked("j", false).expect("free again");
    }
}
