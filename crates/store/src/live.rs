//! A transfer with a holder in this process.
//!
//! One [`Live`] represents an id, whoever holds it, as long as any [`Ticket`] to it exists. Taking over changes its
//! lease: the old holder's next call finds another number there. What the old holder had written stays, because the
//! files, the hasher and the journal belong to the `Live`, not to its holder.
//!
//! Locks are taken in this order: `gate`, `writer`, `journal`, `lease`. The lease is never held during I/O, so that a
//! fence takes effect at once; `writer` is held for one write, `journal` for one sync.

use crate::clock::Clock;
use crate::error::{ErrorKind, StoreError};
use crate::journal::{Claim, Record, Spec};
use crate::ledger::Hold;
use crate::root::Root;
use crate::slots::Slots;
use crate::staging::Place;
use crate::sys::{self, File};
use crate::turn::Turn;
use bowline_core::transfer::{Checkpoint, Hasher, TransferId};
use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Every transfer of this process that has a holder or is about to have one.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    live: Mutex<HashMap<TransferId, Arc<Live>>>,
}

impl Registry {
    pub(crate) fn enter(self: &Arc<Self>, id: TransferId) -> Ticket {
        let live = Arc::clone(lock(&self.live).entry(id).or_default());
        Ticket { registry: Arc::clone(self), id, live }
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        lock(&self.live).len()
    }
}

/// Keeps a [`Live`] in the registry. The last ticket closes its files when it is dropped, which unlocks the journal.
#[derive(Debug)]
pub(crate) struct Ticket {
    registry: Arc<Registry>,
    id: TransferId,
    live: Arc<Live>,
}

impl Ticket {
    pub(crate) fn live(&self) -> &Live {
        &self.live
    }

    pub(crate) fn id(&self) -> TransferId {
        self.id
    }
}

impl Clone for Ticket {
    fn clone(&self) -> Self {
        Self { registry: Arc::clone(&self.registry), id: self.id, live: Arc::clone(&self.live) }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut live = lock(&self.registry.live);
        // One in the map, one here: nobody can get another one while the map is locked.
        if Arc::strong_count(&self.live) == 2 {
            live.remove(&self.id);
            // Closed before anybody can open the journal again and find it locked by us.
            self.live.close();
        }
    }
}

/// One transfer and its open files.
#[derive(Debug, Default)]
pub(crate) struct Live {
    gate: Mutex<()>,
    pub(crate) writer: Mutex<Option<Writer>>,
    pub(crate) journal: Mutex<Option<Journal>>,
    lease: Mutex<Option<Lease>>,
}

/// Who holds a transfer.
#[derive(Clone, Debug)]
pub(crate) struct Lease {
    pub(crate) turn: Turn,
    pub(crate) claim: Claim,
    pub(crate) spec: Arc<Spec>,
    pub(crate) durable: u64,
    pub(crate) phase: Phase,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Bytes may be written.
    Held,
    /// A sync failed: nobody knows what the device holds beyond the last safe byte.
    Failed(ErrorKind),
    /// Committed, discarded or detached.
    Ended,
}

/// The bytes that arrive.
#[derive(Debug)]
pub(crate) struct Writer {
    pub(crate) part: Arc<File>,
    pub(crate) hasher: Hasher,
}

/// What is known to be safe.
#[derive(Debug)]
pub(crate) struct Journal {
    pub(crate) place: Place,
    pub(crate) slots: Slots,
    pub(crate) record: Record,
    pub(crate) part: Arc<File>,
    /// Whether the names of the two files are durable.
    pub(crate) listed: bool,
    pub(crate) clock: Clock,
    /// Its entry in the ledger.
    pub(crate) hold: Hold,
}

impl Journal {
    /// Moves the dates of the record along with a clock that was set: a machine without a battery-backed clock starts
    /// with an old date, and what it began then has not waited since. Returns whether the clock was set.
    pub(crate) fn follow_clock(&mut self) -> bool {
        let ahead = self.clock.catch_up();
        let now = self.clock.millis();
        for date in [&mut self.record.created, &mut self.record.progressed] {
            // A correct date is not moved into the future.
            *date = date.saturating_add(ahead).min(now).max(*date);
        }
        ahead > 0
    }

    /// Checks that the part still has its name: somebody may have cleared staging, and nobody can find the contents of
    /// a file without a name.
    pub(crate) fn check_part(&self) -> io::Result<()> {
        // Another process that took the transfer may have started over.
        self.slots.check()?;
        let (there, ours) = (self.place.part_meta()?, sys::meta(&self.part)?);
        if there.is_some_and(|there| there.is_same_inode(&ours)) { Ok(()) } else { Err(lost()) }
    }

    /// Removes everything of the transfer, and closes it.
    pub(crate) fn remove(mut self, root: &Root, writer: Option<Writer>) -> io::Result<()> {
        self.slots.check().and_then(|()| root.remove(&self.place))?;
        self.hold.drop_all();
        let Self { place, slots, part, .. } = self;
        drop((slots, part, writer));
        root.tidy(&place);
        Ok(())
    }

    /// Writes the record and makes it durable. Whatever it describes must be durable before.
    pub(crate) fn save(&mut self, root: &Root) -> io::Result<()> {
        if !self.listed {
            // Otherwise the record might describe a part whose name still belongs to another one, with other bytes.
            root.sync_place(&self.place)?;
            self.listed = true;
        }
        self.slots.write(&root.faults, &self.record)?;
        root.sync_slots(&self.slots)
    }
}

impl Live {
    /// Held by whoever attaches, commits or sweeps.
    pub(crate) fn gate(&self) -> MutexGuard<'_, ()> {
        lock(&self.gate)
    }

    pub(crate) fn try_gate(&self) -> Option<MutexGuard<'_, ()>> {
        self.gate.try_lock().ok()
    }

    /// The lease of a transfer that can be taken over as it is.
    pub(crate) fn held(&self) -> Option<Lease> {
        lock(&self.lease).clone().filter(|lease| lease.phase == Phase::Held)
    }

    /// Whether its files are open here.
    pub(crate) fn is_open(&self) -> bool {
        lock(&self.journal).is_some()
    }

    /// Gives the transfer to another holder. The previous one is fenced from here on.
    pub(crate) fn regrant(&self, turn: Turn, claim: Claim) {
        if let Some(lease) = lock(&self.lease).as_mut() {
            (lease.turn, lease.claim) = (turn, claim);
        }
    }

    /// Gives the transfer to a holder, with the files opened for it.
    pub(crate) fn install(&self, lease: Lease, writer: Writer, journal: Journal) {
        *lock(&self.writer) = Some(writer);
        *lock(&self.journal) = Some(journal);
        *lock(&self.lease) = Some(lease);
    }

    /// Checks that this holder may continue.
    pub(crate) fn check(&self, holder: u64, at: &Path) -> Result<(), StoreError> {
        match &*lock(&self.lease) {
            Some(lease) if lease.turn.holder == holder => match lease.phase {
                Phase::Held => Ok(()),
                Phase::Failed(kind) => {
                    Err(StoreError::because(kind, at, "an earlier synchronisation failed"))
                }
                Phase::Ended => Err(StoreError::new(ErrorKind::Fenced, at)),
            },
            _ => Err(StoreError::new(ErrorKind::Fenced, at)),
        }
    }

    /// Makes the first `upto` bytes safe: the data first, then the journal that says so. Returns how many are safe.
    pub(crate) fn make_safe(
        &self,
        root: &Root,
        at: &Path,
        holder: u64,
        upto: u64,
        checkpoint: &Checkpoint,
    ) -> Result<u64, StoreError> {
        let mut guard = lock(&self.journal);
        let Some(journal) = guard.as_mut() else {
            drop(guard);
            return self.after_end(at, upto);
        };
        self.check(holder, at)?;
        let was_set = journal.follow_clock();
        if upto <= journal.record.durable {
            if was_set {
                journal.save(root).map_err(|e| self.fail(at, e))?;
            }
            return Ok(journal.record.durable);
        }
        let synced = root.sync_data(&journal.part).and_then(|()| journal.check_part());
        synced.map_err(|e| self.fail(at, e))?;
        journal.record.durable = upto;
        journal.record.checkpoint = checkpoint.clone();
        journal.record.progressed = journal.clock.millis();
        journal.save(root).map_err(|e| self.fail(at, e))?;
        journal.hold.keep(upto);
        self.note_safe(upto);
        Ok(upto)
    }

    /// For a sync that comes after the end, which made everything safe or removed it.
    fn after_end(&self, at: &Path, upto: u64) -> Result<u64, StoreError> {
        // The commit may still be running.
        let _gate = self.gate();
        let durable = lock(&self.lease).as_ref().map_or(0, |lease| lease.durable);
        if upto <= durable { Ok(durable) } else { Err(StoreError::new(ErrorKind::Fenced, at)) }
    }

    pub(crate) fn note_safe(&self, durable: u64) {
        if let Some(lease) = lock(&self.lease).as_mut() {
            lease.durable = durable;
        }
    }

    /// Gives up on the open files: after a failed sync, a second one on the same file may succeed without meaning,
    /// because the system has dropped what it could not write.
    pub(crate) fn fail(&self, at: &Path, cause: io::Error) -> StoreError {
        let error = StoreError::io(at, cause);
        if let Some(lease) = lock(&self.lease).as_mut() {
            lease.phase = Phase::Failed(error.kind());
        }
        error
    }

    /// Ends the transfer in this process, and returns its open files.
    pub(crate) fn end(&self) -> (Option<Writer>, Option<Journal>) {
        let writer = lock(&self.writer).take();
        let journal = lock(&self.journal).take();
        if let Some(lease) = lock(&self.lease).as_mut() {
            lease.phase = Phase::Ended;
        }
        (writer, journal)
    }

    /// Closes the files, which unlocks the journal.
    pub(crate) fn close(&self) {
        *lock(&self.writer) = None;
        *lock(&self.journal) = None;
    }
}

/// The error for a part that is no longer where it was.
pub(crate) fn lost() -> io::Error {
    io::Error::other("somebody has removed what had arrived")
}

/// Locks even after a panic of another thread: the digest at the end decides about what it did.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
