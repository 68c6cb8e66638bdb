//! What can go wrong, in words that say what to do about it.

use crate::slots::Overtaken;
use crate::sys;
use bowline_core::transfer::{Code, Leftover, SafeName};
use std::borrow::Cow;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, io};

/// The store could not do what was asked.
///
/// Prints one line: the file, what is wrong, what helps, and the system's own words if there are any.
#[derive(Clone)]
pub struct StoreError {
    kind: ErrorKind,
    path: PathBuf,
    /// The folder in which something was not permitted, relative to the opened folder.
    folder: Option<Arc<str>>,
    cause: Option<Arc<io::Error>>,
}

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Another sender has attached to the transfer since.
    Fenced,
    /// The name is taken.
    Exists,
    /// Something that is not a folder is where the name needs one.
    NoFolder,
    /// The disk or a quota is full. What has arrived is kept.
    NoSpace,
    /// The file system does not allow a file this long, or this process may not write one. What has arrived is kept.
    TooLong,
    /// The principal already keeps as much in unfinished files as it may.
    Quota,
    /// The file alone is larger than the quota.
    OverQuota,
    /// The principal's open transfers leave no room in its quota until they end.
    QuotaBusy,
    /// Nobody continued the transfer in time.
    Expired,
    /// The system does not allow it: permissions, or a read-only file system.
    Denied,
    /// The source is not the file it was when the transfer began.
    SourceChanged,
    /// Bytes of a pipe were requested that are gone because the other side had called them safe, or that never arrived.
    Forgotten,
    /// A pipe cannot be read to its end.
    PipeFailed,
    /// Another process is attached to the transfer.
    Busy,
    /// The name leads into the store's own folder.
    BadName,
    /// The bytes that arrived do not have the announced digest.
    DigestMismatch,
    /// The announced length, the sender's count and the bytes that arrived differ.
    LengthMismatch,
    /// Bytes were given for another offset than the next one.
    BadOffset,
    /// There is no such file, or no such transfer.
    NotFound,
    /// The file has none of the bytes that were asked for.
    OutOfRange,
    /// A folder, a symbolic link, a device: something that is not sent.
    NotAFile,
    /// Something that is neither a file nor a link to one has the name. It is never replaced.
    InTheWay,
    /// The folder holds more than a listing may contain.
    TooMuchToList,
    /// What the peer sent as the listing of a folder is not one.
    BadListing,
    /// This process, or the system, cannot open more files.
    TooManyOpen,
    /// The listings being sent leave no memory for another one.
    ListingsBusy,
    /// What should be opened as a store is not a folder.
    NotAFolder,
    /// The partial file does not match its journal.
    Corrupt,
    /// The file system provides no locks, which keep two processes from using one file.
    NoLocks,
    /// The system reported any other error.
    Io,
}

impl ErrorKind {
    fn text(self) -> &'static str {
        match self {
            Self::Fenced => "another connection has taken over this transfer, and continues it",
            Self::Exists => "the name is taken; choose another one, or allow files to be replaced",
            Self::NoFolder => {
                "a file or a link stands where a folder is needed; choose another folder, or rename what stands there"
            }
            Self::NoSpace => "no space left; make room for it",
            Self::TooLong => {
                "the file is longer than allowed here; use another disk, or let this program write longer files (ulimit -f, LimitFSIZE)"
            }
            Self::Quota => "quota exceeded; finish or cancel what is unfinished, or raise the quota",
            Self::OverQuota => "larger than the whole quota; send it in smaller files, or raise the quota",
            Self::QuotaBusy => {
                "the quota is taken by files that are under way; wait until they end, or raise it"
            }
            Self::Expired => "expired; send the file again from the start",
            Self::Denied => {
                "not permitted; check its owner and its mode, and those of the folders that it is in"
            }
            Self::SourceChanged => "the source file changed; send it again from the start",
            Self::Forgotten => {
                "the other side does not have what it said it had, and a pipe cannot be read again"
            }
            Self::PipeFailed => "the pipe reports an error; nothing that came through it is kept",
            Self::Busy => "another process is receiving this file; wait until it ends",
            Self::BadName => "the name cannot be used here; choose another one",
            Self::DigestMismatch => "the bytes that arrived are not those that were sent; send them again",
            Self::LengthMismatch => {
                "the number of bytes is not the one that was announced; send the file again"
            }
            Self::BadOffset => "bytes came for the wrong place; attach again and continue from there",
            Self::NotFound => "not found; check the name",
            Self::OutOfRange => "there are no such bytes; ask for some that the file has",
            Self::NotAFile => "not a regular file; only regular files are transferred",
            Self::InTheWay => "only files are ever replaced; choose another name, or move away what is there",
            Self::TooMuchToList => {
                "the folder holds too much for one listing; fetch the folders in it one by one"
            }
            Self::BadListing => "the listing of the folder is not valid; nothing of it was fetched",
            Self::TooManyOpen => {
                "too many files are open, so this waits until some are closed; let this program open more (ulimit -n, LimitNOFILE)"
            }
            Self::ListingsBusy => "too many folders are being listed; ask again in a moment",
            Self::NotAFolder => "not a folder; name the folder that the files are in",
            Self::Corrupt => "the stored part is damaged; send the file again from the start",
            Self::NoLocks => {
                "this file system provides no locks; start its lock service, mount it with locks (for NFS: local_lock=flock), or choose another folder"
            }
            Self::Io => "the disk reports an error; try again to continue from the last safe byte",
        }
    }
}

impl StoreError {
    pub(crate) fn new(kind: ErrorKind, path: &Path) -> Self {
        Self { kind, path: path.to_path_buf(), folder: None, cause: None }
    }

    /// An error with numbers or words that distinguish it from others of its kind.
    pub(crate) fn because(kind: ErrorKind, path: &Path, why: impl Into<String>) -> Self {
        Self { cause: Some(Arc::new(io::Error::other(why.into()))), ..Self::new(kind, path) }
    }

    /// A system error for this path, classified like an error of a store: for things that belong to a store without
    /// being in it, such as its own folder.
    pub fn io(path: &Path, cause: io::Error) -> Self {
        use io::ErrorKind as E;
        let is_overtaken = cause.get_ref().is_some_and(<dyn Error + Send + Sync>::is::<Overtaken>);
        let kind = match cause.kind() {
            _ if is_overtaken => ErrorKind::Fenced,
            _ if sys::is_too_many_open(&cause) => ErrorKind::TooManyOpen,
            // Some disks do not allow names of 255 bytes.
            _ if sys::is_bad_name(&cause) => ErrorKind::BadName,
            _ if sys::is_without_locks(&cause) => ErrorKind::NoLocks,
            E::NotFound => ErrorKind::NotFound,
            E::PermissionDenied | E::ReadOnlyFilesystem => ErrorKind::Denied,
            E::StorageFull | E::QuotaExceeded => ErrorKind::NoSpace,
            E::FileTooLarge => ErrorKind::TooLong,
            E::AlreadyExists | E::NotADirectory | E::IsADirectory => ErrorKind::Exists,
            // A lock is held; the system has no words of its own for that.
            E::WouldBlock => return Self::new(ErrorKind::Busy, path),
            _ => ErrorKind::Io,
        };
        Self { cause: Some(Arc::new(cause)), ..Self::new(kind, path) }
    }

    /// The same error; if it is about permissions, with the folder to check. An empty name means the opened folder.
    pub(crate) fn within(self, folder: &str) -> Self {
        if self.kind == ErrorKind::Denied { Self { folder: Some(folder.into()), ..self } } else { self }
    }

    /// The same error for a user of a view of the store, who is told nothing about the folders around it.
    pub(crate) fn seen_in(self, view: Option<&SafeName>) -> Self {
        let (Some(view), Some(folder)) = (view, self.folder.as_deref()) else { return self };
        let inner = folder.strip_prefix(view.as_str()).and_then(|inner| inner.strip_prefix('/'));
        Self { folder: Some(inner.unwrap_or_default().into()), ..self }
    }

    /// For `map_err`.
    pub(crate) fn at(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        move |cause| Self::io(path, cause)
    }

    /// What is wrong.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The file that the error is about: the finished file's path, never the private name of a partial one.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The system's own error, if there is one. `Display` already includes it, so `source` does not return it.
    pub fn io_error(&self) -> Option<&io::Error> {
        self.cause.as_deref()
    }

    /// What went wrong and what to do, without the path: for a peer, which has no business with our paths.
    pub fn reason(&self) -> String {
        let text = match self.folder.as_deref() {
            Some("") => {
                "not permitted in the folder that all files are in; check its owner and its mode".into()
            }
            Some(folder) => {
                format!("not permitted in the folder {folder}; check its owner and its mode").into()
            }
            None => Cow::Borrowed(self.kind.text()),
        };
        match &self.cause {
            Some(cause) => format!("{text} ({cause})"),
            None => text.into_owned(),
        }
    }

    /// When to try again, if waiting may help; otherwise zero.
    pub fn retry_after(&self) -> Duration {
        Duration::from_secs(match self.kind {
            // Somebody must make room first.
            ErrorKind::NoSpace => 30,
            // About as long as sending a listing, or receiving a small file, takes.
            ErrorKind::ListingsBusy | ErrorKind::TooManyOpen | ErrorKind::QuotaBusy => 1,
            // An old process releases the transfer once it notices that its link is gone; after a disk error, files are
            // reopened.
            ErrorKind::Busy | ErrorKind::NoLocks | ErrorKind::Io => 5,
            _ => 0,
        })
    }

    /// What happened to the part, if it was not kept.
    pub(crate) fn leftover(&self) -> Option<Leftover> {
        (self.kind == ErrorKind::DigestMismatch).then_some(Leftover::Discard)
    }

    /// The code to send to the peer.
    pub fn code(&self) -> Code {
        match self.kind {
            ErrorKind::Fenced => Code::Fenced,
            ErrorKind::Exists => Code::Exists,
            ErrorKind::NoSpace => Code::NoSpace,
            ErrorKind::Quota | ErrorKind::OverQuota => Code::Quota,
            ErrorKind::Expired => Code::Expired,
            ErrorKind::Denied
            | ErrorKind::NoFolder
            | ErrorKind::InTheWay
            | ErrorKind::NotAFile
            | ErrorKind::NotAFolder => Code::Rejected,
            ErrorKind::SourceChanged | ErrorKind::Forgotten => Code::SourceChanged,
            ErrorKind::BadListing => Code::Protocol,
            ErrorKind::TooLong | ErrorKind::TooMuchToList => Code::TooLarge,
            ErrorKind::Busy | ErrorKind::ListingsBusy | ErrorKind::TooManyOpen | ErrorKind::QuotaBusy => {
                Code::Busy
            }
            ErrorKind::BadName => Code::NameInvalid,
            // To a sender, a damaged part is the same as a wrong digest: a reason to start over.
            ErrorKind::DigestMismatch | ErrorKind::Corrupt => Code::DigestMismatch,
            ErrorKind::LengthMismatch => Code::LengthMismatch,
            ErrorKind::BadOffset => Code::BadOffset,
            ErrorKind::NotFound => Code::NotFound,
            ErrorKind::OutOfRange => Code::OutOfRange,
            // To a receiver it makes no difference what a source consists of.
            ErrorKind::Io | ErrorKind::NoLocks | ErrorKind::PipeFailed => Code::StoreFailed,
        }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.reason())
    }
}

impl fmt::Debug for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreError")
            .field("kind", &self.kind)
            .field("path", &self.path)
            .field("folder", &self.folder)
            .field("cause", &self.cause)
            .finish()
    }
}

impl Error for StoreError {}

#[cfg(test)]
mod tests {
    use super::*;
    use bowline_core::transfer::Retry;

    #[test]
    fn an_error_names_the_file_the_trouble_and_the_remedy_in_one_line() {
        let full = io::Error::from(io::ErrorKind::StorageFull);
        let error = StoreError::io(Path::new("/srv/a.bin"), full);
        assert_eq!(error.kind(), ErrorKind::NoSpace);
        assert_eq!(error.to_string(), "/srv/a.bin: no space left; make room for it (no storage space)");
        assert_eq!(error.code().retry(), Retry::Wait);
    }

    #[test]
    fn a_sender_that_has_to_wait_is_told_how_long() {
        use ErrorKind as K;
        let all = [
            K::Fenced,
            K::Exists,
            K::NoFolder,
            K::NoSpace,
            K::TooLong,
            K::Denied,
            K::SourceChanged,
            K::Busy,
            K::Quota,
            K::OverQuota,
            K::QuotaBusy,
            K::ListingsBusy,
            K::BadName,
            K::DigestMismatch,
            K::LengthMismatch,
            K::BadOffset,
            K::NotFound,
            K::OutOfRange,
            K::NotAFile,
            K::InTheWay,
            K::TooManyOpen,
            K::NotAFolder,
            K::Corrupt,
            K::NoLocks,
            K::Io,
        ];
        for kind in all {
            let error = StoreError::new(kind, Path::new("x"));
            // If told to wait without a time, it would give up.
            assert_eq!(error.code().retry() == Retry::Wait, !error.retry_after().is_zero(), "{kind:?}");
        }
    }

    #[test]
    fn system_errors_are_classified_by_their_remedy() {
        let kind = |k: io::ErrorKind| StoreError::io(Path::new("x"), k.into()).kind();
        assert_eq!(kind(io::ErrorKind::ReadOnlyFilesystem), ErrorKind::Denied);
        assert_eq!(kind(io::ErrorKind::QuotaExceeded), ErrorKind::NoSpace);
        assert_eq!(kind(io::ErrorKind::NotADirectory), ErrorKind::Exists);
        assert_eq!(kind(io::ErrorKind::FileTooLarge), ErrorKind::TooLong);
        assert_eq!(kind(io::ErrorKind::InvalidData), ErrorKind::Io);
        let busy = StoreError::io(Path::new("x"), io::ErrorKind::WouldBlock.into());
        assert_eq!(busy.to_string(), "x: another process is receiving this file; wait until it ends");
    }

    #[cfg(unix)]
    #[test]
    fn a_name_that_the_disk_rejects_is_a_bad_name() {
        for number in [rustix::io::Errno::NAMETOOLONG, rustix::io::Errno::ILSEQ] {
            let error = StoreError::io(Path::new("x"), number.into());
            assert_eq!((error.kind(), error.code()), (ErrorKind::BadName, Code::NameInvalid));
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_file_system_without_locks_is_reported_as_such() {
        let error = StoreError::io(Path::new("x"), rustix::io::Errno::NOLCK.into());
        assert_eq!((error.kind(), error.code()), (ErrorKind::NoLocks, Code::StoreFailed));
        assert!(error.reason().starts_with("this file system provides no locks; "), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn a_process_that_may_open_no_more_files_is_busy_and_not_broken() {
        for number in [rustix::io::Errno::MFILE, rustix::io::Errno::NFILE] {
            let error = StoreError::io(Path::new("x"), number.into());
            assert_eq!((error.kind(), error.code()), (ErrorKind::TooManyOpen, Code::Busy));
            let why =
                "too many files are open, so this waits until some are closed; let this program open more";
            assert!(error.reason().starts_with(why) && error.reason().contains("os error"), "{error}");
        }
    }
}
