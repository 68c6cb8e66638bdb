//! An incoming listing of a folder.

use crate::fault::time_of_day;
use crate::{Attach, Attached, DiskStore, ErrorKind, Mode, Partial, Spec, StoreError};
use bowline_core::transfer::{Digest, Listing, TransferId};

/// A listing in transfer. It is received into memory, where it is needed in the end. When a link ends, what has arrived
/// is also kept in staging, as the part of a file that never gets its name, so that another process can continue it,
/// unless that is disabled.
#[derive(Debug)]
pub(super) struct Coming {
    store: DiskStore,
    id: TransferId,
    /// This version of it.
    spec: Spec,
    pub(super) text: Vec<u8>,
}

impl Coming {
    /// Begins, or continues what arrived of this version over an earlier link, of this process or another one.
    pub(super) fn open(store: &DiskStore, id: TransferId, spec: Spec, earlier: Option<Self>) -> Self {
        let mut coming = Self { store: store.clone(), id, spec, text: Vec::new() };
        if coming.spec.validator.is_some() {
            coming.text = match earlier {
                Some(earlier) if earlier.spec == coming.spec => earlier.text,
                // If it cannot be read, only time is lost.
                _ => coming.kept().unwrap_or_default(),
            };
        }
        coming
    }

    /// Whether any of it is stored on disk.
    fn is_kept(&self) -> bool {
        self.spec.validator.is_some() && self.store.config().keep_listings
    }

    /// What another process has kept of it.
    fn kept(&self) -> Result<Vec<u8>, StoreError> {
        if !self.is_kept() {
            return Ok(Vec::new());
        }
        let partial = self.attach(Mode::AttachOnly)?;
        let text = partial.read()?;
        partial.detach()?;
        Ok(text)
    }

    /// Keeps what has arrived for another process.
    pub(super) fn keep(&self) -> Result<(), StoreError> {
        if !self.is_kept() || self.text.is_empty() {
            return Ok(());
        }
        let mut partial = match self.attach(Mode::AttachOrCreate) {
            Err(error) if error.kind() == ErrorKind::SourceChanged => self.attach(Mode::Restart)?,
            attached => attached?,
        };
        let from = partial.written();
        partial.write(from, self.text.get(from as usize..).unwrap_or_default())?;
        partial.detach().map(drop)
    }

    fn attach(&self, mode: Mode) -> Result<Partial, StoreError> {
        match self.store.attach(self.id, &self.spec, Attach::new(mode, [0; 16]), time_of_day())? {
            Attached::Partial { partial, .. } => Ok(partial),
            _ => Err(StoreError::new(ErrorKind::Exists, self.store.dir())),
        }
    }

    /// The complete listing.
    pub(super) fn finish(self, digest: Digest) -> Result<Listing, StoreError> {
        self.discard();
        if Digest::of(&self.text) != digest {
            return Err(StoreError::new(ErrorKind::DigestMismatch, self.store.dir()));
        }
        Listing::parse(self.text.into())
            .map_err(|error| StoreError::because(ErrorKind::BadListing, self.store.dir(), error.to_string()))
    }

    /// Discards what was kept.
    pub(super) fn discard(&self) {
        if self.is_kept() {
            // What cannot be removed will be recognised as outdated.
            let _ = self.store.discard(self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bowline_core::transfer::{SafeName, Validator};

    /// The version of a listing, if it is known to have one.
    fn spec(version: Option<&[u8]>) -> Spec {
        let mut spec = Spec::new(SafeName::parse("top").expect("safe"), Some(9));
        spec.validator = version.map(|bytes| Validator::from_bytes(bytes).expect("short enough"));
        spec
    }

    #[test]
    fn a_listing_that_is_not_to_be_kept_stays_in_memory() {
        let dir = tempfile::tempdir().expect("a folder");
        let config = crate::Config { keep_listings: false, ..crate::Config::default() };
        let store = DiskStore::open(dir.path(), config).expect("a store");
        let open =
            |earlier| Coming::open(&store, TransferId::from_bytes([1; 16]), spec(Some(b"one")), earlier);
        let mut before = open(None);
        before.text.push(b'd');
        before.keep().expect("nothing to do");
        assert_eq!(std::fs::read_dir(dir.path()).expect("readable").count(), 0);
        assert_eq!(open(Some(before)).text, b"d");
        assert!(open(None).text.is_empty());
    }

    #[test]
    fn a_listing_goes_on_only_if_its_version_is_known_to_be_the_same() {
        for (known, offered, expected) in [
            (Some(&b"one"[..]), Some(&b"one"[..]), "d"),
            (Some(b"one"), Some(b"two"), ""),
            (None, Some(b"one"), ""),
            (None, None, ""),
        ] {
            let dir = tempfile::tempdir().expect("a folder");
            let store = DiskStore::open(dir.path(), crate::Config::default()).expect("a store");
            let open = |version, earlier| {
                Coming::open(&store, TransferId::from_bytes([1; 16]), spec(version), earlier)
            };
            let mut before = open(known, None);
            before.text.push(b'd');
            before.keep().expect("there is room");
            for earlier in [Some(before), None] {
                let coming = open(offered, earlier);
                assert_eq!(coming.text, expected.as_bytes(), "{known:?} {offered:?}");
            }
        }
    }
}
