//! Gives a finished file a name on another file system than that of staging: its bytes are first copied there under a
//! temporary name.

use crate::commit::{move_to, set_modified};
use crate::fault::Op;
use crate::journal::Record;
use crate::space::Volume;
use crate::staging::Place;
use crate::store::DiskStore;
use crate::sys::{self, Access, Folder};
use bowline_core::transfer::{Digest, TransferId};
use std::io;

/// Copies a part into the folder of its name, and renames it.
pub(crate) fn copy_to(store: &DiskStore, place: &Place, record: &Record, folder: &Folder) -> io::Result<()> {
    let passing = passing_name(record.id);
    let faults = &store.root().faults;
    if store.config().check_space {
        // The free space may have shrunk since the first byte.
        let room = Volume::of(faults, folder)?.check(record.durable);
        room.map_err(|why| io::Error::new(io::ErrorKind::StorageFull, why))?;
    }
    faults.before(Op::Create)?;
    let _ = folder.remove_file(&passing);
    let mut copy = folder.open_file(&passing, Access::New)?;
    let ours = sys::meta(&copy)?;
    let is_ours = || folder.stat(&passing).is_ok_and(|there| there.is_some_and(|it| it.is_same_inode(&ours)));
    let mut part = place.read_part()?;
    let copied = io::copy(&mut part, &mut copy).and_then(|_| {
        set_modified(&copy, record.spec.mtime_ms);
        if let Some(mode) = sys::meta(&part)?.mode {
            // Only attempted, as elsewhere: some disks have no modes, or let only their owner set them.
            let _ = faults.before(Op::Mode).and_then(|()| sys::set_mode(&copy, mode));
        }
        store.root().sync_all(&copy)?;
        if !is_ours() {
            return Err(io::Error::other("its temporary name was given to another file"));
        }
        faults.before(Op::Place)?;
        move_to(folder, &passing, folder, record.spec.name.file_name(), store.config().overwrite)
    });
    copied.inspect_err(|_| {
        if is_ours() {
            let _ = faults.before(Op::Remove).and_then(|()| folder.remove_file(&passing));
        }
    })
}

/// Removes the copy that a crash has left, if there is one. The journal must be held.
pub(crate) fn clear_copy(store: &DiskStore, record: &Record) {
    let (root, passing) = (store.root(), passing_name(record.id));
    let Ok(Some(folder)) = root.find_parent(&record.spec.name) else { return };
    if let Ok(Some(_)) = folder.stat(&passing) {
        let _ = root.faults.before(Op::Remove).and_then(|()| folder.remove_file(&passing));
    }
}

/// Unique for each transfer, and reveals nothing of the id, which only the two ends know.
fn passing_name(id: TransferId) -> String {
    format!(".bowline-{}.tmp", &Digest::of(id.as_bytes()).to_string()[..32])
}
