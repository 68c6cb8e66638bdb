//! How much of a store each principal uses in partial files.
//!
//! A file in transfer counts with its whole length, since it is going to take that, or with what is written if its
//! length is unknown; a file at rest counts with what is safe. Files of other processes in the same folder are counted
//! as of the first look.

use crate::config::Quota;
use crate::error::{ErrorKind, StoreError};
use crate::journal;
use crate::live::lock;
use crate::principal::Principal;
use crate::root::Root;
use crate::sys::Access;
use bowline_core::transfer::TransferId;
use std::collections::BTreeMap;
use std::io::{self, Read as _};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

#[derive(Debug, Default)]
pub(crate) struct Ledger {
    books: Mutex<Books>,
}

#[derive(Debug, Default)]
struct Books {
    /// Whether the contents of staging at the first look have been entered.
    counted: bool,
    entries: BTreeMap<TransferId, Entry>,
    sums: BTreeMap<Principal, Sums>,
}

/// How a file counts.
#[derive(Clone, Debug)]
struct Entry {
    principal: Principal,
    bytes: u64,
    /// Whether nobody is sending it, so that it stays.
    rests: bool,
}

/// What a principal uses.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    all: Sum,
    /// The part of that at rest.
    resting: Sum,
}

#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    /// An announced length need not be real, so this may exceed any disk.
    bytes: u128,
    partials: u64,
}

/// Why there is no room for a file.
#[derive(Debug)]
pub(crate) struct Full {
    kind: ErrorKind,
    why: String,
}

impl Full {
    /// The same as an error for the file at this path.
    pub(crate) fn at(self, path: &Path) -> StoreError {
        StoreError::because(self.kind, path, self.why)
    }
}

impl Ledger {
    /// Enters a file of this length that is about to begin or continue.
    ///
    /// # Errors
    /// What the quota does not allow, with both numbers; then nothing has changed.
    pub(crate) fn enter(
        self: &Arc<Self>,
        root: &Root,
        quota: &Quota,
        principal: &Principal,
        key: TransferId,
        length: u64,
    ) -> Result<Hold, Full> {
        // Without a quota, the amount does not matter.
        let mut books = if quota.is_none() { lock(&self.books) } else { self.counted(root) };
        let before = books.entries.get(&key).map(|entry| entry.bytes);
        let others = books.beside(principal, key);
        if let Some(most) = quota.partials {
            others.check(
                |sum| sum.partials < most,
                |sum| format!("{} unfinished files are kept here; at most {most} may be", sum.partials),
            )?;
        }
        others.check_bytes(quota, length, |bytes, most| {
            format!("{bytes} of {most} bytes are taken by unfinished files, {length} more are needed")
        })?;
        books.set(key, Some(Entry { principal: principal.clone(), bytes: length, rests: false }));
        let ledger = Arc::clone(self);
        Ok(Hold {
            ledger,
            principal: principal.clone(),
            key,
            safe: before.unwrap_or(0),
            kept: before.is_some(),
        })
    }

    /// A file in transfer whose length is unknown is about to grow to this many bytes.
    ///
    /// # Errors
    /// What the quota does not allow, with both numbers; then nothing has changed.
    pub(crate) fn grow(&self, quota: &Quota, key: TransferId, length: u64) -> Result<(), Full> {
        let mut books = lock(&self.books);
        let Some(entry) = books.entries.get(&key).cloned() else { return Ok(()) };
        let others = books.beside(&entry.principal, key);
        others.check_bytes(quota, length, |bytes, most| {
            format!("{bytes} of {most} bytes are taken by other unfinished files, and this one has {length}")
        })?;
        books.set(key, Some(Entry { bytes: length, ..entry }));
        Ok(())
    }

    /// The bytes and the number of files of all principals.
    pub(crate) fn total(&self, root: &Root) -> (u64, u64) {
        let books = self.counted(root);
        let add =
            |(bytes, files): (u128, u64), sums: &Sums| (bytes + sums.all.bytes, files + sums.all.partials);
        let (bytes, files) = books.sums.values().fold((0, 0), add);
        (bytes.try_into().unwrap_or(u64::MAX), files)
    }

    /// Whether anything of this file exists.
    pub(crate) fn has(&self, root: &Root, key: TransferId) -> bool {
        self.counted(root).entries.contains_key(&key)
    }

    /// The books, including what was there before.
    fn counted(&self, root: &Root) -> MutexGuard<'_, Books> {
        let mut books = lock(&self.books);
        if !books.counted {
            books.count(root);
        }
        books
    }

    /// This file no longer exists.
    pub(crate) fn forget(&self, key: TransferId) {
        lock(&self.books).set(key, None);
    }
}

impl Books {
    /// What a principal uses besides this file.
    fn beside(&self, principal: &Principal, key: TransferId) -> Sums {
        let mut sums = self.sums.get(principal).copied().unwrap_or_default();
        if let Some(entry) = self.entries.get(&key) {
            sums.take(entry);
        }
        sums
    }

    fn set(&mut self, key: TransferId, entry: Option<Entry>) {
        let before = match entry.clone() {
            Some(entry) => self.entries.insert(key, entry),
            None => self.entries.remove(&key),
        };
        if let Some(before) = before {
            let sums = self.sums.entry(before.principal.clone()).or_default();
            sums.take(&before);
            if sums.all.partials == 0 {
                self.sums.remove(&before.principal);
            }
        }
        if let Some(entry) = entry {
            self.sums.entry(entry.principal.clone()).or_default().add(&entry);
        }
    }

    /// Enters the contents of staging. What cannot be read counts for nobody; a sweep removes it.
    fn count(&mut self, root: &Root) {
        self.counted = true;
        for shard in root.shards().unwrap_or_default() {
            let Ok(folder) = root.shard(&shard) else { continue };
            for name in folder.names().unwrap_or_default() {
                // Finished transfers have a journal and no part.
                let Some(hex) = name.strip_suffix(".part") else { continue };
                let read = || -> io::Result<Vec<u8>> {
                    let mut bytes = Vec::new();
                    let file = folder.open_file(&format!("{hex}.jnl"), Access::Read)?;
                    file.take(2 * journal::SLOT as u64).read_to_end(&mut bytes)?;
                    Ok(bytes)
                };
                let record = read().ok().and_then(|bytes| journal::newest(&bytes));
                let Some((_, record)) = record.filter(|(_, record)| record.id.to_hex() == hex) else {
                    continue;
                };
                if !self.entries.contains_key(&record.id) {
                    let entry = Entry { principal: record.principal, bytes: record.durable, rests: true };
                    self.set(record.id, Some(entry));
                }
            }
        }
    }
}

impl Sums {
    fn add(&mut self, entry: &Entry) {
        self.counting(entry).for_each(|sum| {
            (sum.bytes, sum.partials) = (sum.bytes + u128::from(entry.bytes), sum.partials + 1);
        });
    }

    fn take(&mut self, entry: &Entry) {
        self.counting(entry).for_each(|sum| {
            (sum.bytes, sum.partials) = (sum.bytes - u128::from(entry.bytes), sum.partials - 1);
        });
    }

    /// The sums in which this entry counts.
    fn counting(&mut self, entry: &Entry) -> impl Iterator<Item = &mut Sum> {
        let resting = entry.rests.then_some(&mut self.resting);
        std::iter::once(&mut self.all).chain(resting)
    }

    /// Whether there is room for this many bytes besides these sums; if not, `why` describes the current and the
    /// maximum bytes.
    fn check_bytes(
        &self,
        quota: &Quota,
        length: u64,
        why: impl FnOnce(u128, u64) -> String,
    ) -> Result<(), Full> {
        let Some(most) = quota.bytes else { return Ok(()) };
        if length > most {
            return Err(Full { kind: ErrorKind::OverQuota, why: why(self.all.bytes, most) });
        }
        self.check(|sum| sum.bytes + u128::from(length) <= u128::from(most), |sum| why(sum.bytes, most))
    }

    /// Whether there is room besides these sums. Open transfers will end by themselves, so if there is room without
    /// them, the caller should wait.
    fn check(&self, is_room: impl Fn(&Sum) -> bool, why: impl FnOnce(&Sum) -> String) -> Result<(), Full> {
        if is_room(&self.all) {
            return Ok(());
        }
        let kind = if is_room(&self.resting) { ErrorKind::QuotaBusy } else { ErrorKind::Quota };
        Err(Full { kind, why: why(&self.all) })
    }
}

/// A file in transfer, entered with what it is going to take. When this is dropped, what is safe of it counts.
#[derive(Debug)]
pub(crate) struct Hold {
    ledger: Arc<Ledger>,
    principal: Principal,
    key: TransferId,
    safe: u64,
    kept: bool,
}

impl Hold {
    /// This much of it will stay.
    pub(crate) fn keep(&mut self, safe: u64) {
        (self.safe, self.kept) = (safe, true);
    }

    /// Nothing of it will stay.
    pub(crate) fn drop_all(&mut self) {
        self.kept = false;
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let (principal, bytes) = (self.principal.clone(), self.safe);
        let entry = self.kept.then_some(Entry { principal, bytes, rests: true });
        lock(&self.ledger.books).set(self.key, entry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_principal_that_keeps_nothing_has_no_entry() {
        let mut books = Books::default();
        for n in 0..3 {
            let (id, name) = (TransferId::from_bytes([n; 16]), format!("guest {n}"));
            let principal = Principal::named(&name).expect("a short name");
            books.set(id, Some(Entry { principal, bytes: 7, rests: n == 0 }));
            books.set(id, None);
        }
        assert!(books.entries.is_empty() && books.sums.is_empty(), "{books:?}");
    }
}
