//! Which transfer a command line means: ids are derived, so that the same command finds its transfer again.
//!
//! An id is a keyed hash of what makes a transfer the same one. The key is a secret of this user on this machine, in a
//! private file: whoever knows an id can resume its transfer, so nobody else may be able to compute it.

use crate::{private, state};
use bowline_core::transfer::{ByteRange, Digest, TransferId};
use std::io;
use std::path::{Path, PathBuf};
use std::{fmt, fs};

const SECRET: &str = "secret";

/// Derives the ids of transfers.
pub(crate) struct Identity {
    secret: [u8; 32],
}

/// Why there is no lasting secret.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoSecret {
    #[error("neither BOWLINE_STATE_DIR nor HOME is set")]
    NoPlace,
    #[error("{path}: {cause}", path = path.display())]
    Io { path: PathBuf, cause: io::Error },
    #[error("{path} has {found} bytes instead of 32; remove it, and a new one is made", path = path.display())]
    Damaged { path: PathBuf, found: usize },
}

impl Identity {
    /// The identity of this user, which is created the first time.
    pub(crate) fn of_user() -> Result<Self, NoSecret> {
        Self::load(&state::folder().ok_or(NoSecret::NoPlace)?)
    }

    /// An identity that no other process will ever have, so that nothing it starts can be resumed by one.
    pub(crate) fn passing() -> Result<Self, io::Error> {
        Ok(Self { secret: random()? })
    }

    fn load(dir: &Path) -> Result<Self, NoSecret> {
        private::clear(dir);
        let path = dir.join(SECRET);
        match read(&path) {
            Err(NoSecret::Io { cause, .. }) if cause.kind() == io::ErrorKind::NotFound => {}
            found => return found,
        }
        make(dir, &path).map_err(|cause| NoSecret::Io { path: path.clone(), cause })?;
        // Another process may have been first, so the file decides.
        read(&path)
    }

    /// The id of a file that is sent: this version of the file, under this name, to this server.
    pub(crate) fn of_send(&self, server: &str, name: &str, source: &Digest) -> TransferId {
        self.derive(&[b"send", server.as_bytes(), name.as_bytes(), source.as_bytes()])
    }

    /// The id of a folder that is sent, or of something else that belongs to it: under this name, to this server.
    pub(crate) fn of_folder(&self, server: &str, name: &str, what: &str) -> TransferId {
        self.derive(&[b"folder", server.as_bytes(), name.as_bytes(), what.as_bytes()])
    }

    /// The id of a file, or a part of one, that is fetched: this name, from this server, to this place.
    pub(crate) fn of_fetch(&self, server: &str, name: &str, range: ByteRange, output: &Path) -> TransferId {
        let output = output.as_os_str().as_encoded_bytes();
        if range.is_whole() {
            return self.derive(&[b"fetch", server.as_bytes(), name.as_bytes(), output]);
        }
        let ends = [range.from().to_be_bytes(), range.to().to_be_bytes()].concat();
        self.derive(&[b"range", server.as_bytes(), name.as_bytes(), output, &ends])
    }

    fn derive(&self, fields: &[&[u8]]) -> TransferId {
        let mut hasher = blake3::Hasher::new_keyed(&self.secret);
        for field in fields {
            // With its length, so that the boundaries between fields are unambiguous.
            hasher.update(&(field.len() as u64).to_be_bytes()).update(field);
        }
        let mut id = [0; 16];
        hasher.finalize_xof().fill(&mut id);
        TransferId::from_bytes(id)
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").finish_non_exhaustive()
    }
}

fn read(path: &Path) -> Result<Identity, NoSecret> {
    let bytes = fs::read(path).map_err(|cause| NoSecret::Io { path: path.into(), cause })?;
    let found = bytes.len();
    let secret = bytes.try_into().map_err(|_| NoSecret::Damaged { path: path.into(), found })?;
    Ok(Identity { secret })
}

/// Creates the file in one step, with 32 random bytes that only its owner can read.
fn make(dir: &Path, path: &Path) -> io::Result<()> {
    state::make_private(dir)?;
    let file = private::fill(path, &random()?)?;
    file.as_file().sync_all()?;
    match file.persist_noclobber(path) {
        Err(e) if e.error.kind() != io::ErrorKind::AlreadyExists => Err(e.error),
        _ => Ok(()),
    }
}

fn random() -> Result<[u8; 32], io::Error> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: Digest = Digest::from_bytes([7; 32]);

    #[test]
    fn another_process_derives_the_same_id() {
        let dir = tempfile::tempdir().expect("a folder");
        let state = dir.path().join("deep/state");
        let first = Identity::load(&state).expect("a new secret");
        let second = Identity::load(&state).expect("the same secret");
        assert_eq!(first.of_send("ws://h:1/", "a", &FILE), second.of_send("ws://h:1/", "a", &FILE));
        let (path, all) = (Path::new("/tmp/a"), ByteRange::WHOLE);
        assert_eq!(first.of_fetch("ws://h:1/", "a", all, path), second.of_fetch("ws://h:1/", "a", all, path));
    }

    #[test]
    fn any_difference_changes_the_id() {
        let identity = Identity { secret: [1; 32] };
        let other_file = Digest::from_bytes([8; 32]);
        let of_fetch = |range: &str, path| {
            identity.of_fetch("ws://h:1/", "a", range.parse().expect("a range"), Path::new(path))
        };
        let ids = [
            identity.of_send("ws://h:1/", "a", &FILE),
            identity.of_send("ws://h:2/", "a", &FILE),
            identity.of_send("ws://h:1/", "b", &FILE),
            identity.of_send("ws://h:1/", "a", &other_file),
            // The same bytes, split in another place.
            identity.of_send("ws://h:1/a", "", &FILE),
            identity.of_folder("ws://h:1/", "a", "folder"),
            identity.of_folder("ws://h:1/", "a", "batch"),
            identity.of_folder("ws://h:1/", "b", "folder"),
            of_fetch("0-", "/tmp/a"),
            of_fetch("0-", "/tmp/b"),
            of_fetch("0-9", "/tmp/a"),
            of_fetch("1-9", "/tmp/a"),
            of_fetch("1-", "/tmp/a"),
            of_fetch("1-", "/tmp/b"),
            Identity { secret: [2; 32] }.of_send("ws://h:1/", "a", &FILE),
        ];
        let different: std::collections::BTreeSet<_> = ids.into_iter().collect();
        assert_eq!(different.len(), ids.len());
    }

    #[test]
    fn processes_that_start_together_agree() {
        let dir = tempfile::tempdir().expect("a folder");
        let ids: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| Identity::load(dir.path()))).collect();
            let identities =
                threads.into_iter().map(|thread| thread.join().expect("no panic").expect("a secret"));
            identities.map(|identity| identity.of_send("s", "n", &FILE)).collect()
        });
        assert!(ids.iter().all(|id| *id == ids[0]));
        assert_eq!(fs::read_dir(dir.path()).expect("readable").count(), 1);
    }

    #[test]
    fn leftovers_of_a_process_killed_at_its_start_are_cleared_away() {
        let dir = tempfile::tempdir().expect("a folder");
        let left = private::fill(&dir.path().join(SECRET), b"").expect("written").keep().expect("left").1;
        let long_ago = std::time::SystemTime::UNIX_EPOCH;
        fs::File::options().write(true).open(&left).and_then(|f| f.set_modified(long_ago)).expect("set");
        Identity::load(dir.path()).expect("a new secret");
        assert!(!left.exists());
    }

    #[test]
    #[cfg(unix)]
    fn the_secret_is_private() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().expect("a folder");
        let state = dir.path().join("state");
        Identity::load(&state).expect("a new secret");
        let mode = |path: &Path| fs::metadata(path).expect("it exists").permissions().mode() & 0o777;
        assert_eq!((mode(&state), mode(&state.join(SECRET))), (0o700, 0o600));
    }

    #[test]
    fn a_damaged_secret_is_named_and_not_replaced() {
        let dir = tempfile::tempdir().expect("a folder");
        fs::write(dir.path().join(SECRET), b"short").expect("writable");
        let error = Identity::load(dir.path()).expect_err("5 bytes are no secret");
        assert!(
            error.to_string().ends_with("secret has 5 bytes instead of 32; remove it, and a new one is made")
        );
    }
}
