//! Where the bytes of one transfer go.

use super::Outcome;
use crate::attach::Begun;
use crate::fault::time_of_day;
use crate::present::Present;
use crate::turn::Turn;
use crate::{Attach, Attached, DiskStore, ErrorKind, FolderSpec, Mode, Partial, Spec, StoreError};
use bowline_core::transfer::{Answer, Digest, Kind, Listing, Offered, Validator, wire};
use std::time::UNIX_EPOCH;

/// The longest listing that is taken: a million files with names of ordinary length.
const MOST: u64 = 64 << 20;

/// Where the bytes of one transfer go.
#[derive(Debug)]
pub(super) enum Place {
    /// To a file.
    File(Partial),
    /// To memory: this version of the listing of a folder.
    Listing { text: Vec<u8>, version: Option<Validator> },
}

impl Place {
    pub(super) fn write(&mut self, offset: u64, data: &[u8]) -> Result<Outcome, StoreError> {
        match self {
            Self::File(partial) => {
                partial.write(offset, data)?;
                Ok(Outcome::Written { upto: partial.written() })
            }
            Self::Listing { text, .. } => {
                text.extend_from_slice(data);
                Ok(Outcome::Written { upto: text.len() as u64 })
            }
        }
    }

    pub(super) fn finish(
        self,
        store: &DiskStore,
        length: u64,
        digest: Digest,
    ) -> Result<Outcome, StoreError> {
        match self {
            Self::File(partial) => partial.commit(length, digest).map(|_| Outcome::Finished),
            Self::Listing { text, .. } if Digest::of(&text) != digest => {
                Err(StoreError::new(ErrorKind::DigestMismatch, store.dir()))
            }
            Self::Listing { text, .. } => Listing::parse(text.into())
                .map(Outcome::Listed)
                .map_err(|error| StoreError::because(ErrorKind::BadListing, store.dir(), error.to_string())),
        }
    }

    /// Makes durable what may be asked for again, and keeps what is in memory for the next link.
    pub(super) fn detach(self) -> Option<Self> {
        let Self::File(partial) = self else { return Some(self) };
        // Nobody is left to be told; what could not be made durable is sent again.
        let _ = partial.detach();
        None
    }

    pub(super) fn discard(self) {
        if let Self::File(partial) = self {
            let _ = partial.discard();
        }
    }
}

/// What came of an offer.
pub(super) enum Opened {
    /// A place, if one is needed, and how to answer.
    Now(Option<Place>, Answer),
    /// A file has the name: the answer is its digest, and takes a while.
    Present(Present),
}

/// Opens a place for what is offered, or goes on with what was kept of it.
pub(super) fn open(
    store: &DiskStore,
    turn: Turn,
    offered: &Offered,
    kept: Option<Place>,
) -> Result<Opened, StoreError> {
    let error = |kind| StoreError::new(kind, store.dir());
    match offered.kind {
        Kind::File => open_file(store, turn, offered),
        // Nobody can ask for a folder, only for what it holds.
        Kind::Folder if offered.requested => Err(error(ErrorKind::NotAFile)),
        Kind::Folder => {
            let Offered { name, mtime_ms, unix_mode, .. } = offered.clone();
            let existed = store.make_folder(&FolderSpec { name, mtime_ms, unix_mode })?;
            Ok(Opened::Now(None, Answer::Folder { existed }))
        }
        Kind::Listing if !offered.requested => Err(error(ErrorKind::NotAFile)),
        Kind::Listing if offered.length.is_none_or(|length| length > MOST) => {
            let length = offered.length.map_or("who knows how many".into(), |length| length.to_string());
            let why = format!("{length} bytes, {MOST} are allowed");
            Err(StoreError::because(ErrorKind::TooMuchToList, store.dir(), why))
        }
        Kind::Listing => {
            let version = offered.validator;
            let text = come_earlier(kept, version).unwrap_or_default();
            let (from, prefix) = (text.len() as u64, Digest::of(&text));
            let answer = Answer::Take { from, prefix, epoch: 1, expires: None };
            Ok(Opened::Now(Some(Place::Listing { text, version }), answer))
        }
    }
}

/// What has come of this version of a listing over an earlier link.
fn come_earlier(kept: Option<Place>, version: Option<Validator>) -> Option<Vec<u8>> {
    match kept? {
        Place::Listing { text, version: known } if version.is_some() && known == version => Some(text),
        _ => None,
    }
}

fn open_file(store: &DiskStore, turn: Turn, offered: &Offered) -> Result<Opened, StoreError> {
    let spec = Spec {
        name: offered.name.clone(),
        length: offered.length,
        mtime_ms: offered.mtime_ms,
        validator: offered.validator,
    };
    let mode = match offered.mode {
        wire::Mode::AttachOrCreate => Mode::AttachOrCreate,
        wire::Mode::Create => Mode::CreateOnly,
        wire::Mode::Attach => Mode::AttachOnly,
        wire::Mode::Restart => Mode::Restart,
    };
    let attach = Attach { mode, epoch_seen: offered.epoch_seen, owner: offered.instance };
    let restart = Attach { mode: Mode::Restart, ..attach };
    let now = time_of_day();
    let begun = match store.attach_in_turn(turn, offered.id, &spec, attach, now) {
        // A file that we asked for may have changed since; nothing of the old one is committed, so begin again.
        Err(error) if offered.requested && error.kind() == ErrorKind::SourceChanged => {
            store.attach_in_turn(turn, offered.id, &spec, restart, now)?
        }
        other => other?,
    };
    let attached = match begun {
        Begun::Attached(attached) => attached,
        Begun::Present(present) => return Ok(Opened::Present(present)),
    };
    let (place, answer) = match attached {
        Attached::Partial { mut partial, durable, prefix, epoch, expires } => {
            partial.set_unix_mode(offered.unix_mode);
            let expires = expires.and_then(|end| Some(end.duration_since(UNIX_EPOCH).ok()?.as_secs()));
            (Some(Place::File(partial)), Answer::Take { from: durable, prefix, epoch, expires })
        }
        Attached::Present { digest, .. } => (None, Answer::Present { digest }),
        Attached::Committed { length, digest } => (None, Answer::Complete { length, digest }),
    };
    Ok(Opened::Now(place, answer))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_goes_on_only_if_its_version_is_known_to_be_the_same() {
        let version = |bytes: &[u8]| Validator::from_bytes(bytes).ok();
        for (known, offered, expected) in [
            (version(b"one"), version(b"one"), Some(b"d".to_vec())),
            (version(b"one"), version(b"two"), None),
            (None, version(b"one"), None),
            (None, None, None),
        ] {
            let kept = Place::Listing { text: b"d".to_vec(), version: known };
            assert_eq!(come_earlier(Some(kept), offered), expected, "{known:?} {offered:?}");
        }
    }
}
