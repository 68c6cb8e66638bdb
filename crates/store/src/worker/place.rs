//! Where the bytes of one transfer go.

use super::Outcome;
use super::listing::Coming;
use crate::attach::Begun;
use crate::fault::time_of_day;
use crate::present::Present;
use crate::turn::Turn;
use crate::{Attach, Attached, DiskStore, ErrorKind, FolderSpec, Mode, Partial, Spec, StoreError};
use bowline_core::transfer::{Answer, Digest, Kind, Offered, wire};
use std::time::UNIX_EPOCH;

/// The longest listing that is accepted: a million files with names of ordinary length.
const MOST: u64 = 64 << 20;

/// Where the bytes of one transfer go.
#[derive(Debug)]
pub(super) enum Place {
    /// To a file.
    File(Partial),
    /// To memory.
    Listing(Coming),
}

impl Place {
    pub(super) fn write(&mut self, offset: u64, data: &[u8]) -> Result<Outcome, StoreError> {
        match self {
            Self::File(partial) => {
                partial.write(offset, data)?;
                Ok(Outcome::Written { upto: partial.written() })
            }
            Self::Listing(Coming { text, .. }) => {
                text.extend_from_slice(data);
                Ok(Outcome::Written { upto: text.len() as u64 })
            }
        }
    }

    pub(super) fn finish(self, length: u64, digest: Digest) -> Result<Outcome, StoreError> {
        match self {
            Self::File(partial) => partial.commit(length, digest).map(|_| Outcome::Finished),
            Self::Listing(coming) => coming.finish(digest).map(Outcome::Listed),
        }
    }

    /// Makes durable what may be requested again; what is in memory stays there for the next link.
    pub(super) fn detach(self) -> Option<Self> {
        // Nobody is left to be told; what could not be made durable is sent again.
        match self {
            Self::File(partial) => {
                let _ = partial.detach();
                None
            }
            Self::Listing(coming) => {
                let _ = coming.keep();
                Some(Self::Listing(coming))
            }
        }
    }

    pub(super) fn discard(self) {
        match self {
            Self::File(partial) => drop(partial.discard()),
            Self::Listing(coming) => coming.discard(),
        }
    }
}

/// The result of an offer.
pub(super) enum Opened {
    /// A place, if one is needed, and how to answer.
    Now(Option<Place>, Answer),
    /// A file has the name: its digest is the answer, and takes a while.
    Present(Present),
}

/// Opens a place for what is offered, or continues what was kept of it.
pub(super) fn open(
    store: &DiskStore,
    turn: Turn,
    offered: &Offered,
    kept: Option<Place>,
) -> Result<Opened, StoreError> {
    let error = |kind| StoreError::new(kind, store.dir());
    match offered.kind {
        Kind::File => open_file(store, turn, offered),
        // A folder itself cannot be requested, only its contents.
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
            let earlier = match kept {
                Some(Place::Listing(earlier)) => Some(earlier),
                _ => None,
            };
            let coming = Coming::open(store, offered.id, spec(offered), earlier);
            let (from, prefix) = (coming.text.len() as u64, Digest::of(&coming.text));
            let answer = Answer::Take { from, prefix, epoch: 1, expires: None };
            Ok(Opened::Now(Some(Place::Listing(coming)), answer))
        }
    }
}

fn spec(offered: &Offered) -> Spec {
    Spec {
        name: offered.name.clone(),
        length: offered.length,
        mtime_ms: offered.mtime_ms,
        validator: offered.validator,
    }
}

/// What the sender of an offer says when it attaches.
pub(super) fn attach(offered: &Offered) -> Attach {
    let mode = match offered.mode {
        wire::Mode::AttachOrCreate => Mode::AttachOrCreate,
        wire::Mode::Create => Mode::CreateOnly,
        wire::Mode::Attach => Mode::AttachOnly,
        wire::Mode::Restart => Mode::Restart,
    };
    Attach { mode, epoch_seen: offered.epoch_seen, owner: offered.instance }
}

fn open_file(store: &DiskStore, turn: Turn, offered: &Offered) -> Result<Opened, StoreError> {
    let spec = spec(offered);
    let attach = attach(offered);
    let restart = Attach { mode: Mode::Restart, ..attach };
    let now = time_of_day();
    let begun = match store.attach_in_turn(turn, offered.id, &spec, attach, now) {
        // A file that we requested may have changed since; nothing of the old one is committed, so start over.
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
