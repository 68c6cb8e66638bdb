//! Giving a finished file a name on another file system than that of staging: its bytes go there under a passing name
//! first.

use crate::commit::{move_to, set_modified};
use crate::fault::Op;
use crate::journal::Record;
use crate::space::Volume;
use crate::staging::Place;
use crate::store::DiskStore;
use crate::sys::{self, Access, Folder};
use std::io;

/// Copies a part into the folder of its name, and gives it that.
pub(crate) fn copy_to(store: &DiskStore, place: &Place, record: &Record, folder: &Folder) -> io::Result<()> {
    // Shows no more of the id than a log may.
    let passing = format!(".bowline-{}.tmp", record.id);
    let faults = &store.root().faults;
    if store.config().check_space {
        // Much may have come there since the first byte.
        let room = Volume::of(faults, folder)?.check(record.durable);
        room.map_err(|why| io::Error::new(io::ErrorKind::StorageFull, why))?;
    }
    faults.before(Op::Create)?;
    let _ = folder.remove_file(&passing);
    let mut copy = folder.open_file(&passing, Access::New)?;
    let mut part = place.read_part()?;
    let copied = io::copy(&mut part, &mut copy).and_then(|_| {
        set_modified(&copy, record.spec.mtime_ms);
        sys::meta(&part)?.mode.map_or(Ok(()), |mode| sys::set_mode(&copy, mode))?;
        store.root().sync_all(&copy)?;
        faults.before(Op::Place)?;
        move_to(folder, &passing, folder, record.spec.name.file_name(), store.config().overwrite)
    });
    copied.inspect_err(|_| {
        let _ = faults.before(Op::Remove).and_then(|()| folder.remove_file(&passing));
    })
}
