//! Removes abandoned transfers, a few at a time.

use crate::clock::{Clock, millis};
use crate::commit::{self, Settled};
use crate::copying::clear_copy;
use crate::error::StoreError;
use crate::journal::State;
use crate::live::lock;
use crate::store::DiskStore;
use bowline_core::transfer::TransferId;
use std::collections::BTreeSet;
use std::io;
use std::time::SystemTime;

/// The result of a sweep.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Swept {
    /// How many transfers were examined.
    pub examined: usize,
    /// How many of them were removed.
    pub removed: usize,
    /// How many bytes of partial files were removed with them.
    pub freed: u64,
    /// How many commits interrupted by a crash were finished.
    pub finished: usize,
    /// Whether the sweep has reached the end: the next one starts at the beginning.
    pub done: bool,
}

/// How far the sweeps have come: the last examined id, in hexadecimal.
pub(crate) type Cursor = String;

impl DiskStore {
    /// Examines the next `budget` transfers, and removes those that have expired or have no valid journal.
    ///
    /// Finishes commits that a crash interrupted. Leaves alone whatever has a holder, and files that are not the
    /// store's. Call it now and then; each call continues where the last one stopped.
    ///
    /// # Errors
    /// `Denied`, `Io`: staging cannot be listed. A single transfer that cannot be removed is skipped.
    pub fn sweep(&self, now: SystemTime, budget: usize) -> Result<Swept, StoreError> {
        let mut cursor = lock(self.cursor());
        let mut swept = Swept::default();
        let root = self.root();
        let shards = root.shards().map_err(StoreError::at(root.dir()))?;
        let is_empty = shards.is_empty();
        let from = cursor.get(..2).unwrap_or_default().to_owned();
        for shard in shards.into_iter().filter(|shard| *shard >= from) {
            for hex in self.ids(&shard)? {
                if hex <= *cursor {
                    continue;
                }
                if swept.examined == budget {
                    return Ok(swept);
                }
                swept.examined += 1;
                cursor.clone_from(&hex);
                if let Some(id) = parse(&hex) {
                    // Trouble with one must not prevent the others from being examined.
                    let _ = self.sweep_one(id, now, &mut swept);
                }
            }
            // A crash came between the last file and its folder.
            root.remove_empty(Some(&shard));
        }
        if is_empty {
            // A crash came between the last of them and staging itself.
            root.remove_empty(None);
        }
        cursor.clear();
        swept.done = true;
        Ok(swept)
    }

    /// The ids with a file in a folder of staging.
    fn ids(&self, shard: &str) -> Result<BTreeSet<String>, StoreError> {
        let names = match self.root().shard(shard).and_then(|folder| folder.names()) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Vec::new(),
            names => names.map_err(StoreError::at(self.dir()))?,
        };
        let stems = names.iter().filter_map(|name| name.strip_suffix(".part").or(name.strip_suffix(".jnl")));
        Ok(stems.filter(|stem| stem.starts_with(shard) && parse(stem).is_some()).map(str::to_owned).collect())
    }

    fn sweep_one(&self, id: TransferId, now: SystemTime, swept: &mut Swept) -> io::Result<()> {
        let ticket = self.registry().enter(id);
        let live = ticket.live();
        // Somebody is using it.
        let Some(_gate) = live.try_gate() else { return Ok(()) };
        if live.is_open() {
            return Ok(());
        }
        let place = self.root().place(id)?;
        // Held to the end: anyone else who wants the transfer meanwhile finds it locked.
        let (mut slots, record) = match place.open_slots()? {
            Some(found) => found,
            None => (self.root().make_place(id, None)?.1, None),
        };
        let length = place.part_meta()?.map_or(0, |meta| meta.id.len);
        let useless = match record.filter(|record| record.id == id) {
            None => true,
            Some(record) => {
                let expired = record.is_expired(self.config(), millis(now));
                if matches!(record.state, State::Complete { .. }) {
                    clear_copy(self, &record);
                    match commit::settle(self, &place, &mut slots, record, &Clock::started(now)) {
                        Ok(Settled::There { .. }) => {
                            swept.finished += 1;
                            false
                        }
                        Ok(Settled::Gone) => true,
                        // For example, the name is taken: the owner has until it expires to free it.
                        Err(_) => expired,
                    }
                } else {
                    expired
                }
            }
        };
        if useless {
            self.root().remove(&place)?;
            self.ledger().forget(id);
            swept.removed += 1;
            swept.freed += length;
        }
        Ok(())
    }
}

/// The id with these 32 hexadecimal digits.
fn parse(hex: &str) -> Option<TransferId> {
    let id = u128::from_str_radix(hex, 16).ok()?;
    let id = TransferId::from_bytes(id.to_be_bytes());
    (id.to_hex() == hex).then_some(id)
}
