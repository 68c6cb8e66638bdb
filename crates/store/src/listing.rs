//! Listings of folders: made on request, held in memory until they are sent, and never too many at once.

use crate::error::{ErrorKind, StoreError};
use crate::live::lock;
use crate::principal::Principal;
use crate::source::Source;
use crate::store::DiskStore;
use crate::walk::{Found, LeftOut};
use bowline_core::transfer::listing::{Entry, ListingWriter};
use bowline_core::transfer::{Kind, SafeName};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex};

/// The least memory for a listing, and the step in which it grows.
const STEP: usize = 64 * 1024;

/// Memory that all listings share. A named principal may use at most half of it with several listings, because a peer
/// may hold what it was promised for as long as it pauses; a single listing may use all the room there is.
#[derive(Debug)]
pub(crate) struct Budget {
    most: usize,
    held: Mutex<BTreeMap<Principal, usize>>,
}

impl Budget {
    pub(crate) fn new(most: usize) -> Self {
        Self { most, held: Mutex::default() }
    }

    /// Takes more memory for a listing of this principal that already has `has`.
    fn take(&self, principal: &Principal, has: usize, more: usize) -> bool {
        let mut held = lock(&self.held);
        let all: usize = held.values().sum();
        let own = held.get(principal).copied().unwrap_or_default();
        let several = own > has && !principal.name().is_empty();
        let most = if several { self.most / 2 } else { self.most };
        if own + more > most || all + more > self.most {
            return false;
        }
        held.insert(principal.clone(), own + more);
        true
    }

    fn give_back(&self, principal: &Principal, bytes: usize) {
        let mut held = lock(&self.held);
        if let Some(own) = held.get_mut(principal) {
            *own -= bytes;
            if *own == 0 {
                held.remove(principal);
            }
        }
    }
}

/// A share of a budget; returned when it is dropped.
#[derive(Debug)]
struct Share {
    budget: Arc<Budget>,
    principal: Principal,
    bytes: usize,
}

impl Share {
    /// Grows until there is room for this many bytes plus a last line.
    fn cover(&mut self, bytes: usize, at: &Path) -> Result<(), StoreError> {
        while bytes + STEP / 2 > self.bytes {
            let most = self.budget.most;
            if self.bytes + STEP > most {
                let why = format!("{most} bytes are allowed");
                return Err(StoreError::because(ErrorKind::TooMuchToList, at, why));
            }
            if !self.budget.take(&self.principal, self.bytes, STEP) {
                return Err(StoreError::new(ErrorKind::ListingsBusy, at));
            }
            self.bytes += STEP;
        }
        Ok(())
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.give_back(&self.principal, self.bytes);
    }
}

/// A listing, and its share of the memory.
pub(crate) struct Text {
    pub(crate) bytes: Bytes,
    _share: Share,
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Text({} bytes)", self.bytes.len())
    }
}

impl DiskStore {
    /// Lists everything in a folder of the store, or in the whole store, at this moment, to be sent. Links and devices
    /// are left out and counted, and so is whatever cannot be read or has no safe name. A view of a folder that does
    /// not exist is empty.
    ///
    /// # Errors
    /// `TooMuchToList` and `ListingsBusy` if [`Config::listings`](crate::Config::listings) does not allow it, ever or
    /// at the moment; `NotFound`; `NotAFolder`; `BadName` in the staging folder; `TooManyOpen`, `Denied`, `Io`.
    pub fn listing(&self, name: Option<&SafeName>) -> Result<Source, StoreError> {
        let whole = name.map(|name| self.whole(name)).transpose()?.or_else(|| self.folder().cloned());
        let at = whole.map_or_else(|| self.dir().to_owned(), |whole| self.root().path(&whole));
        let mut share = self.share();
        let walk = match self.walk(name) {
            Err(error) if name.is_none() && error.kind() == ErrorKind::NotFound => None,
            walk => Some(walk?),
        };
        let (mtime_ms, unix_mode) =
            walk.as_ref().map_or((0, None), |walk| (walk.mtime_ms(), walk.unix_mode()));
        let mut writer = ListingWriter::new(mtime_ms, unix_mode);
        share.cover(writer.written(), &at)?;
        let (mut skipped, mut unnamed) = (0, 0);
        for found in walk.into_iter().flatten() {
            match found {
                Found::File(entry) | Found::Folder(entry) => writer.push(&entry),
                // Unfinished files cannot be fetched by anybody, nor can what has gone.
                Found::End(_) | Found::LeftOut { why: LeftOut::Staging | LeftOut::Vanished, .. } => {}
                Found::LeftOut { why, .. } if why.is_by_nature() => skipped += 1,
                // It would be missing from a listing that is otherwise complete.
                Found::LeftOut { why: LeftOut::Unreadable(error), .. }
                    if error.kind() == ErrorKind::TooManyOpen =>
                {
                    return Err(error);
                }
                Found::LeftOut { .. } => unnamed += 1,
            }
            share.cover(writer.written(), &at)?;
        }
        let text = Text { bytes: writer.finish(skipped, unnamed), _share: share };
        Ok(Source::from_listing(text, at))
    }

    /// Lists a file: in one line, with the last part of its name.
    ///
    /// # Errors
    /// Those of [`source`](Self::source); `ListingsBusy`.
    pub fn listing_of_file(&self, name: &SafeName) -> Result<Source, StoreError> {
        let file = self.source(name)?;
        let at = file.path().to_owned();
        let own = SafeName::parse(name.file_name());
        let name = own.map_err(|why| StoreError::because(ErrorKind::BadName, &at, why.to_string()))?;
        let mut writer = ListingWriter::new(0, None);
        writer.push(&Entry {
            name,
            kind: Kind::File,
            length: file.length(),
            mtime_ms: file.mtime_ms(),
            unix_mode: file.unix_mode(),
        });
        let mut share = self.share();
        share.cover(writer.written(), &at)?;
        let text = Text { bytes: writer.finish(0, 0), _share: share };
        Ok(Source::from_listing(text, at))
    }

    /// An empty share of the memory for listings.
    fn share(&self) -> Share {
        Share { budget: Arc::clone(self.listings()), principal: self.principal().clone(), bytes: 0 }
    }
}
