//! Checks whether somebody else has taken the name of a file in transfer, so that the rest of it need not be sent in
//! vain.

use crate::commit::check_replaceable;
use crate::error::{ErrorKind, StoreError};
use crate::journal::Spec;
use crate::store::DiskStore;
use crate::sys::{Access, File, Folder, Kind, read_full_at};
use std::io;
use std::path::Path;

/// How many bytes of both files are compared at each check: the latest ones.
const COMPARED: u64 = 64 * 1024;

/// Checks whether a file with `upto` bytes in `part` may still get its name. What cannot be determined here is left to
/// the end, which decides.
///
/// # Errors
/// `Exists` if another file has the name; `InTheWay` if something else has.
pub(crate) fn check_name(
    store: &DiskStore,
    at: &Path,
    spec: &Spec,
    part: &File,
    upto: u64,
) -> Result<(), StoreError> {
    let Ok(Some((folder, there))) = store.root().find(&spec.name) else { return Ok(()) };
    check_replaceable(at, &there)?;
    if store.config().overwrite {
        return Ok(());
    }
    let is_like = there.kind == Kind::File && spec.length.is_none_or(|length| length == there.id.len);
    // The very same file may have arrived in another way, and is no obstacle then.
    if is_like && same_end(&folder, spec.name.file_name(), part, upto).unwrap_or(true) {
        return Ok(());
    }
    Err(StoreError::new(ErrorKind::Exists, at))
}

/// Whether a file has the same bytes as the part, judging by the last ones below `upto`.
fn same_end(folder: &Folder, name: &str, part: &File, upto: u64) -> io::Result<bool> {
    let there = folder.open_file(name, Access::Read)?;
    let len = upto.min(COMPARED);
    let last = |file: &File| {
        let mut bytes = vec![0; len as usize];
        let read = read_full_at(file, &mut bytes, upto - len)?;
        bytes.truncate(read);
        io::Result::Ok(bytes)
    };
    Ok(last(part)? == last(&there)?)
}
