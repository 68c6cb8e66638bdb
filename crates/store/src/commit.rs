//! Gives a finished file its name, now or after a crash that came in between.
//!
//! ```text
//!   data synchronised ▸ journal: complete ▸ renamed ▸ folder synchronised ▸ journal: committed, or removed
//!                                        │         │                     │
//!   after a crash here:             rename it    it has its name, which its inode or its digest proves
//! ```

use crate::clock::Clock;
use crate::copying::copy_to;
use crate::error::{ErrorKind, StoreError};
use crate::fault::Op;
use crate::hashing::digest_of;
use crate::journal::{Record, State};
use crate::root::parents;
use crate::slots::Slots;
use crate::staging::Place;
use crate::store::DiskStore;
use crate::sys::{self, File, FileId, Folder, Kind, Meta};
use bowline_core::transfer::Digest;
use std::io;
use std::path::Path;

/// The outcome for a transfer that had all its bytes.
pub(crate) enum Settled {
    /// The file has its name.
    There { length: u64, digest: Digest },
    /// Neither the part nor the file exists; the transfer starts over.
    Gone,
}

/// Finishes what a journal calls complete, and confirms what it calls committed.
pub(crate) fn settle(
    store: &DiskStore,
    place: &Place,
    slots: &mut Slots,
    mut record: Record,
    clock: &Clock,
) -> Result<Settled, StoreError> {
    let root = store.root();
    let at = root.path(&record.spec.name);
    let length = record.durable;
    let name = record.spec.name.file_name();
    let io = |e| StoreError::io(&at, e);
    let (digest, file) = match record.state {
        State::Open => return Ok(Settled::Gone),
        State::Committed { digest, file } => {
            let found = root.find(&record.spec.name)?;
            let there = found.is_some_and(|(_, meta)| meta.id.is_same_version(&file));
            return Ok(if there { Settled::There { length, digest } } else { Settled::Gone });
        }
        State::Complete { digest, file } => (digest, file),
    };
    let part = place.part_meta().map_err(io)?;
    if part.is_none() && root.find(&record.spec.name)?.is_none() {
        return Ok(Settled::Gone);
    }
    let folder = root.make_parent(&record.spec.name)?;
    let found = folder.stat(name).map_err(io)?;
    let mut moved = Moved::No;
    if found.is_some_and(|found| found.id == file) {
        // The crash came after the rename.
    } else if part.map_or(Ok(false), |part| is_hashed(place, &part, &file, digest)).map_err(io)? {
        moved = put_in_place(store, place, &record, digest, (&folder, found))?;
    } else if !found.map_or(Ok(false), |found| holds(&folder, &found, name, length, digest)).map_err(io)? {
        return Ok(Settled::Gone);
    }
    let meta = folder.stat(name).map_err(io)?;
    let meta = meta.ok_or_else(|| StoreError::new(ErrorKind::NotFound, &at))?;
    // Once the new name is durable, the old one does no harm, so the staging folder needs no sync.
    root.sync_folder(&folder).map_err(io)?;
    // The file is safe under its name. What remains is clean-up, and the next sweep does whatever fails here.
    store.ledger().forget(record.id);
    if store.config().keep_committed.is_some() {
        record.state = State::Committed { digest, file: meta.id };
        record.progressed = clock.millis();
        let removed = if moved == Moved::Yes { Ok(()) } else { root.remove_part(place) };
        let _ = removed.and_then(|()| slots.write(&root.faults, &record));
    } else {
        let _ = root.remove(place);
    }
    Ok(Settled::There { length, digest })
}

/// Whether a file may replace what is there, if files may be replaced at all. Nobody has said that anything else may
/// go.
pub(crate) fn check_replaceable(at: &Path, there: &Meta) -> Result<(), StoreError> {
    let obstacle = match there.kind {
        Kind::File => return Ok(()),
        // Only the link would be replaced, not its target; but whoever made the link expects to find something behind
        // it.
        Kind::Link if std::fs::metadata(at).is_ok_and(|target| target.is_file()) => return Ok(()),
        Kind::Link => "a link that leads nowhere",
        Kind::Folder => "a folder",
        Kind::Other => "a device, a pipe or a socket",
    };
    Err(StoreError::because(ErrorKind::InTheWay, at, format!("{obstacle} has that name")))
}

/// Whether the part itself was renamed, so that nothing of it is left in staging.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Moved {
    Yes,
    No,
}

/// Moves the part to its name in this folder, where `found` is at present.
fn put_in_place(
    store: &DiskStore,
    place: &Place,
    record: &Record,
    digest: Digest,
    (folder, found): (&Folder, Option<Meta>),
) -> Result<Moved, StoreError> {
    let (root, name) = (store.root(), &record.spec.name);
    let at = root.path(name);
    let overwrite = store.config().overwrite;
    if let Some(there) = found {
        check_replaceable(&at, &there)?;
    }
    let moved = root
        .faults
        .before(Op::Place)
        .and_then(|()| move_to(&place.folder, &place.part_name(), folder, name.file_name(), overwrite));
    let moved = match moved {
        Err(e) if e.kind() == io::ErrorKind::CrossesDevices => {
            copy_to(store, place, record, folder).map(|()| Moved::No)
        }
        moved => moved.map(|()| Moved::Yes),
    };
    match moved {
        // Another transfer has brought exactly the same bytes: nothing is lost, and there is nothing to report.
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
            let meta = folder.stat(name.file_name()).map_err(StoreError::at(&at))?;
            let same =
                meta.map_or(Ok(false), |meta| holds(folder, &meta, name.file_name(), record.durable, digest));
            if same.map_err(StoreError::at(&at))? {
                Ok(Moved::No)
            } else {
                Err(StoreError::new(ErrorKind::Exists, &at))
            }
        }
        moved => {
            moved.map_err(|e| StoreError::io(&at, e).within(&parents(name).collect::<Vec<_>>().join("/")))
        }
    }
}

pub(crate) fn move_to(from: &Folder, old: &str, into: &Folder, new: &str, overwrite: bool) -> io::Result<()> {
    if overwrite { from.rename_over(old, into, new) } else { from.rename_new(old, into, new) }
}

/// Whether the part is the file whose digest was compared, or at least has the same bytes: somebody may have replaced
/// it.
fn is_hashed(place: &Place, part: &Meta, file: &FileId, digest: Digest) -> io::Result<bool> {
    if part.id.len != file.len || (part.id.dev, part.id.ino) == (file.dev, file.ino) {
        return Ok(part.id.len == file.len);
    }
    is_digest(digest_of(&place.folder, &place.part_name(), file.len), digest)
}

/// Whether a file has these bytes.
fn holds(folder: &Folder, meta: &Meta, name: &str, length: u64, digest: Digest) -> io::Result<bool> {
    if meta.kind != Kind::File || meta.id.len != length {
        return Ok(false);
    }
    is_digest(digest_of(folder, name, length), digest)
}

/// An unreadable file counts as different, unless it can be read as soon as fewer files are open.
fn is_digest(found: io::Result<Option<Digest>>, digest: Digest) -> io::Result<bool> {
    match found {
        Err(e) if sys::is_too_many_open(&e) => Err(e),
        found => Ok(found.is_ok_and(|found| found == Some(digest))),
    }
}

/// Gives a file the modification time that it had at the sender. On a file system without times it keeps its own.
pub(crate) fn set_modified(file: &File, mtime_ms: i64) {
    if let Some(time) = sys::moment(mtime_ms) {
        let _ = file.set_modified(time);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unreadable_file_counts_as_another_and_a_lack_of_descriptors_decides_nothing() {
        let (digest, other) = (Digest::of(b"a"), Digest::of(b"b"));
        let found = |found: io::Result<Option<Digest>>| is_digest(found, digest).ok();
        let error = |code| Err(io::Error::from_raw_os_error(code));
        let too_many = if cfg!(windows) { 4 } else { 24 };
        assert_eq!(found(Ok(Some(digest))), Some(true));
        assert_eq!(found(Ok(Some(other))), Some(false));
        assert_eq!(found(Ok(None)), Some(false));
        assert_eq!(found(error(5)), Some(false));
        assert_eq!(found(error(too_many)), None);
    }
}
