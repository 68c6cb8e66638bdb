//! Hashes files on disk.

use crate::sys::{self, Access, File, Folder};
use bowline_core::transfer::{Digest, Hasher};
use std::io;

/// Hashes a file up to an offset; `false` if the file ends before.
pub(crate) fn hash_file(file: &File, upto: u64, hasher: &mut Hasher) -> io::Result<bool> {
    let mut buffer = vec![0; 128 * 1024];
    while hasher.offset() < upto {
        let want = (upto - hasher.offset()).min(buffer.len() as u64) as usize;
        let read = sys::read_full_at(file, &mut buffer[..want], hasher.offset())?;
        hasher.update(&buffer[..read]);
        if read < want {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The digest of a file; `None` if its length is different.
pub(crate) fn digest_of(folder: &Folder, name: &str, length: u64) -> io::Result<Option<Digest>> {
    let file = folder.open_file(name, Access::Read)?;
    let mut hasher = Hasher::new();
    let all = hash_file(&file, length, &mut hasher)? && sys::meta(&file)?.id.len == length;
    Ok(all.then(|| hasher.digest()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_another_length_has_no_digest() {
        let dir = tempfile::tempdir().expect("a folder");
        std::fs::write(dir.path().join("a"), "abc").expect("written");
        let folder = Folder::open(dir.path()).expect("the folder");
        let digests = [2, 3, 4].map(|length| digest_of(&folder, "a", length).expect("readable"));
        assert_eq!(digests, [None, Some(Digest::of(b"abc")), None]);
    }
}
