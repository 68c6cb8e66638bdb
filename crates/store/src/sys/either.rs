//! In tests, a file is a real one or one of a model. The code above does not know which.

use super::disk::{self, File as DiskFile, Folder as DiskFolder};
use super::model::{ModelFile, ModelFolder};
use super::{Access, Meta};
use bowline_core::transfer::UnixMode;
use std::ffi::{OsStr, OsString};
use std::io::{self, Read, Write};
use std::path::Path;
use std::time::SystemTime;

/// An open file.
#[derive(Debug)]
pub(crate) enum File {
    Disk(DiskFile),
    Model(ModelFile),
}

impl File {
    pub(crate) fn sync_data(&self) -> io::Result<()> {
        match self {
            Self::Disk(file) => doom::change(|| file.sync_data()),
            Self::Model(file) => file.sync(),
        }
    }

    pub(crate) fn sync_all(&self) -> io::Result<()> {
        match self {
            Self::Disk(file) => doom::change(|| file.sync_all()),
            Self::Model(file) => file.sync(),
        }
    }

    pub(crate) fn set_len(&self, len: u64) -> io::Result<()> {
        match self {
            Self::Disk(file) => doom::change(|| file.set_len(len)),
            Self::Model(file) => file.set_len(len),
        }
    }

    pub(crate) fn set_modified(&self, time: SystemTime) -> io::Result<()> {
        match self {
            Self::Disk(file) => doom::change(|| file.set_modified(time)),
            Self::Model(file) => file.set_modified(time),
        }
    }
}

impl Read for File {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Disk(file) => file.read(buffer),
            Self::Model(file) => file.read(buffer),
        }
    }
}

impl Write for File {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        match self {
            Self::Disk(file) => doom::change(|| file.write(data)),
            Self::Model(file) => file.write(data),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// An open folder.
#[derive(Clone, Debug)]
pub(crate) enum Folder {
    Disk(DiskFolder),
    Model(ModelFolder),
}

impl Folder {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        DiskFolder::open(path).map(Self::Disk)
    }

    pub(crate) fn enter(&self, name: &str) -> io::Result<Self> {
        match self {
            Self::Disk(folder) => folder.enter(name).map(Self::Disk),
            Self::Model(folder) => folder.enter(name).map(Self::Model),
        }
    }

    pub(crate) fn create(&self, name: &str, private: bool) -> io::Result<(Self, bool)> {
        match self {
            Self::Disk(folder) => {
                doom::change(|| folder.create(name, private)).map(|(folder, made)| (Self::Disk(folder), made))
            }
            Self::Model(folder) => folder.create(name).map(|(folder, made)| (Self::Model(folder), made)),
        }
    }

    pub(crate) fn open_file(&self, name: &str, access: Access) -> io::Result<File> {
        match self {
            Self::Disk(folder) if access == Access::New => {
                doom::change(|| folder.open_file(name, access)).map(File::Disk)
            }
            Self::Disk(folder) => folder.open_file(name, access).map(File::Disk),
            Self::Model(folder) => folder.open_file(name, access).map(File::Model),
        }
    }

    pub(crate) fn open_locked(&self, name: &str, create: bool) -> io::Result<File> {
        match self {
            Self::Disk(folder) => doom::change(|| folder.open_locked(name, create)).map(File::Disk),
            Self::Model(folder) => folder.open_locked(name, create).map(File::Model),
        }
    }

    pub(crate) fn stat(&self, name: &(impl AsRef<OsStr> + ?Sized)) -> io::Result<Option<Meta>> {
        match self {
            Self::Disk(folder) => folder.stat(name),
            // In the model all names are text.
            Self::Model(folder) => name.as_ref().to_str().map_or(Ok(None), |name| folder.stat(name)),
        }
    }

    pub(crate) fn meta(&self) -> io::Result<Meta> {
        match self {
            Self::Disk(folder) => folder.meta(),
            Self::Model(folder) => folder.meta(),
        }
    }

    pub(crate) fn rename_new(&self, from: &str, into: &Self, to: &str) -> io::Result<()> {
        match (self, into) {
            (Self::Disk(folder), Self::Disk(into)) => doom::change(|| folder.rename_new(from, into, to)),
            (Self::Model(folder), Self::Model(into)) => folder.rename(from, into, to, false),
            _ => Err(io::ErrorKind::CrossesDevices.into()),
        }
    }

    pub(crate) fn rename_over(&self, from: &str, into: &Self, to: &str) -> io::Result<()> {
        match (self, into) {
            (Self::Disk(folder), Self::Disk(into)) => doom::change(|| folder.rename_over(from, into, to)),
            (Self::Model(folder), Self::Model(into)) => folder.rename(from, into, to, true),
            _ => Err(io::ErrorKind::CrossesDevices.into()),
        }
    }

    pub(crate) fn remove_file(&self, name: &str) -> io::Result<()> {
        match self {
            Self::Disk(folder) => doom::change(|| folder.remove_file(name)),
            Self::Model(folder) => folder.remove_file(name),
        }
    }

    pub(crate) fn remove_folder(&self, name: &str) -> io::Result<()> {
        match self {
            Self::Disk(folder) => doom::change(|| folder.remove_folder(name)),
            Self::Model(folder) => folder.remove_folder(name),
        }
    }

    pub(crate) fn sync(&self) -> io::Result<()> {
        match self {
            Self::Disk(folder) => doom::change(|| folder.sync()),
            Self::Model(folder) => folder.sync(),
        }
    }

    pub(crate) fn names(&self) -> io::Result<Vec<String>> {
        match self {
            Self::Disk(folder) => folder.names(),
            Self::Model(folder) => folder.names(),
        }
    }

    pub(crate) fn entries(&self) -> io::Result<Vec<OsString>> {
        match self {
            Self::Disk(folder) => folder.entries(),
            Self::Model(folder) => Ok(folder.names()?.into_iter().map(OsString::from).collect()),
        }
    }

    pub(crate) fn dress(&self, modified: Option<SystemTime>, mode: Option<UnixMode>) -> io::Result<()> {
        match self {
            Self::Disk(folder) => doom::change(|| folder.dress(modified, mode)),
            Self::Model(_) => Ok(()),
        }
    }

    pub(crate) fn free(&self) -> Option<u64> {
        match self {
            Self::Disk(folder) => folder.free(),
            Self::Model(_) => None,
        }
    }
}

pub(crate) fn open_source(path: &Path) -> io::Result<File> {
    disk::open_source(path).map(File::Disk)
}

pub(crate) fn meta(file: &File) -> io::Result<Meta> {
    match file {
        File::Disk(file) => disk::meta(file),
        File::Model(file) => file.meta(),
    }
}

pub(crate) fn set_mode(file: &File, mode: UnixMode) -> io::Result<()> {
    match file {
        File::Disk(file) => doom::change(|| disk::set_mode(file, mode)),
        File::Model(_) => Ok(()),
    }
}

pub(crate) fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    match file {
        File::Disk(file) => disk::read_at(file, buffer, offset),
        File::Model(file) => file.read_at(buffer, offset),
    }
}

pub(crate) fn write_all_at(file: &File, data: &[u8], offset: u64) -> io::Result<()> {
    match file {
        File::Disk(file) => doom::write(data, |data| disk::write_all_at(file, data, offset)),
        File::Model(file) => file.write_all_at(data, offset),
    }
}

/// Kills the process at one of its system calls.
pub(crate) mod doom {
    use std::io;
    use std::sync::{Mutex, OnceLock, PoisonError};

    /// How many calls that change something on a real disk this process may still make.
    static LEFT: OnceLock<Mutex<u32>> = OnceLock::new();

    /// Allows this many more such calls, and death instead of the next.
    #[cfg(unix)]
    pub(crate) fn seal(left: u32) {
        assert!(LEFT.set(Mutex::new(left)).is_ok(), "once for a process");
    }

    pub(super) fn change<T>(call: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        if is_due() {
            die();
        }
        call()
    }

    /// The last write is done by half.
    pub(super) fn write(data: &[u8], call: impl FnOnce(&[u8]) -> io::Result<()>) -> io::Result<()> {
        if is_due() {
            let _ = call(&data[..data.len() / 2]);
            die();
        }
        call(data)
    }

    fn is_due() -> bool {
        let Some(left) = LEFT.get() else { return false };
        let mut left = left.lock().unwrap_or_else(PoisonError::into_inner);
        let rest = left.checked_sub(1);
        *left = rest.unwrap_or_default();
        rest.is_none()
    }

    fn die() -> ! {
        #[cfg(unix)]
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
        std::process::abort()
    }
}
