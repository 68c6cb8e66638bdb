//! Opens a transfer for writing, in each of its possible states.

use super::{Attached, Attaching, Mode, Remains};
use crate::error::{ErrorKind, StoreError};
use crate::fault::Op;
use crate::hashing::hash_file;
use crate::journal::{Record, State};
use crate::ledger::Hold;
use crate::live::{Journal, Lease, Phase, Writer, lock};
use crate::partial::Partial;
use crate::slots::Slots;
use crate::staging::Place;
use bowline_core::transfer::{Checkpoint, Hasher};
use std::sync::Arc;
use std::time::SystemTime;

impl Attaching<'_> {
    fn check_space(&self, have: u64) -> Result<(), StoreError> {
        // Without a known length, lack of space shows only when bytes arrive.
        let Some(length) = self.spec.length.filter(|_| self.store.config().check_space) else {
            return Ok(());
        };
        let root = self.store.root();
        let room = root.check_space(&self.spec.name, self.parent.as_ref(), length, have);
        room.map_err(|why| StoreError::because(ErrorKind::NoSpace, &self.at, why))
    }

    /// Enters the file in its principal's books: with its whole length, or with what is there if the length is unknown.
    fn hold(&self, have: u64) -> Result<Hold, StoreError> {
        let store = self.store;
        let quota = store.quota();
        let length = self.spec.length.unwrap_or(have);
        let entered = store.ledger().enter(store.root(), quota, store.principal(), self.ticket.id(), length);
        entered.map_err(|full| full.at(&self.at))
    }

    /// Begins at the first byte, with an existing journal or a new one.
    pub(super) fn begin(self, remains: Remains, epoch: u32) -> Result<Attached, StoreError> {
        self.check_space(0)?;
        let mut hold = self.hold(0)?;
        let root = self.store.root();
        let id = self.ticket.id();
        let (place, mut slots, used) = match remains {
            Some((place, Some(slots))) => (place, slots, true),
            remains => {
                let made = root.make_place(id, remains.map(|(place, _)| place));
                made.map(|(place, slots)| (place, slots, false)).map_err(|e| self.io(e))?
            }
        };
        let now = self.clock.millis();
        let record = Record {
            id,
            principal: self.store.principal().clone(),
            claim: self.claim(epoch),
            spec: self.spec.clone(),
            state: State::Open,
            durable: 0,
            checkpoint: Checkpoint::start(),
            created: now,
            progressed: now,
        };
        slots.write(&root.faults, &record).map_err(|e| self.io(e))?;
        if used {
            // An older record in the journal must not come back and vouch for the new bytes.
            root.sync_slots(&slots).map_err(|e| self.io(e))?;
        }
        let part = Arc::new(place.new_part(&root.faults).map_err(|e| self.io(e))?);
        hold.keep(0);
        let part_of_journal = Arc::clone(&part);
        let journal =
            Journal { place, slots, record, part: part_of_journal, listed: false, clock: self.clock, hold };
        Ok(self.install(Writer { part, hasher: Hasher::new() }, journal))
    }

    /// Continues from what the journal says, after the process that wrote it has gone.
    pub(super) fn resume(
        self,
        place: Place,
        slots: Slots,
        mut record: Record,
    ) -> Result<Attached, StoreError> {
        let root = self.store.root();
        let durable = record.durable;
        let part = place.part_meta().map_err(|e| self.io(e))?;
        if part.is_none_or(|part| part.id.len < durable) {
            if durable > 0 && self.attach.mode == Mode::AttachOnly {
                return Err(self.error(ErrorKind::Corrupt));
            }
            return self.begin(Some((place, Some(slots))), record.claim.epoch);
        }
        self.check_space(durable)?;
        let mut hold = self.hold(durable)?;
        hold.keep(durable);
        let part = place.open_part().map_err(|e| self.io(e))?;
        // Nobody knows what is beyond the last safe byte.
        root.faults.before(Op::WriteData).map_err(|e| self.io(e))?;
        part.set_len(durable).map_err(|e| self.io(e))?;
        let mut hasher = Hasher::resume(&record.checkpoint);
        let read = hash_file(&part, durable, &mut hasher).map_err(|e| self.io(e))?;
        if !read {
            return Err(self.error(ErrorKind::Corrupt));
        }
        root.confirm_slots(&slots, &record).map_err(|e| self.io(e))?;
        let part = Arc::new(part);
        record.claim = self.claim(record.claim.epoch);
        let part_of_journal = Arc::clone(&part);
        let mut journal =
            Journal { place, slots, record, part: part_of_journal, listed: false, clock: self.clock, hold };
        // If a power cut took back an epoch, the sender that was given it would be fenced.
        journal.save(root).map_err(|e| self.io(e))?;
        Ok(self.install(Writer { part, hasher }, journal))
    }

    /// Starts over, in place of a holder in this process.
    pub(super) fn start_over(self, lease: &Lease) -> Result<Attached, StoreError> {
        let live = self.ticket.live();
        // Fence it first, so that none of its bytes come in between.
        live.regrant(self.turn, self.claim(lease.claim.epoch));
        let (_, journal) = live.end();
        self.begin(journal.map(|journal| (journal.place, Some(journal.slots))), lease.claim.epoch)
    }

    /// Takes over from a holder in this process, at the last byte that was written.
    pub(super) fn take_over(self, mut lease: Lease) -> Result<Attached, StoreError> {
        let live = self.ticket.live();
        lease.turn = self.turn;
        lease.claim = self.claim(lease.claim.epoch);
        live.regrant(lease.turn, lease.claim);
        // From here on the old holder writes nothing, so what it has written is all there is to make safe.
        let hasher = lock(&live.writer).as_ref().map(|writer| writer.hasher.clone());
        let mut journal = lock(&live.journal);
        // A sync of the old holder may just have failed.
        live.check(lease.turn.holder, &self.at)?;
        let (Some(hasher), Some(journal)) = (hasher, journal.as_mut()) else {
            return Err(self.error(ErrorKind::Fenced));
        };
        let root = self.store.root();
        if hasher.offset() > journal.record.durable {
            root.sync_data(&journal.part).map_err(|e| live.fail(&self.at, e))?;
        }
        journal.check_part().map_err(|e| live.fail(&self.at, e))?;
        journal.follow_clock();
        journal.clock = self.clock;
        journal.record.claim = lease.claim;
        if hasher.offset() > journal.record.durable {
            journal.record.progressed = self.clock.millis();
        }
        journal.record.durable = hasher.offset();
        journal.record.checkpoint = hasher.checkpoint();
        journal.save(root).map_err(|e| live.fail(&self.at, e))?;
        journal.hold.keep(hasher.offset());
        let expires = journal.record.expires(self.store.config());
        live.note_safe(hasher.offset());
        Ok(self.attached(&lease, &hasher, expires))
    }

    fn install(&self, writer: Writer, journal: Journal) -> Attached {
        let lease = Lease {
            turn: self.turn,
            claim: journal.record.claim,
            spec: Arc::new(self.spec.clone()),
            durable: journal.record.durable,
            phase: Phase::Held,
        };
        let expires = journal.record.expires(self.store.config());
        let attached = self.attached(&lease, &writer.hasher, expires);
        self.ticket.live().install(lease, writer, journal);
        attached
    }

    fn attached(&self, lease: &Lease, hasher: &Hasher, expires: Option<SystemTime>) -> Attached {
        let durable = hasher.offset();
        let partial = Partial::new(self.store.clone(), self.ticket.clone(), lease, &self.at, durable);
        Attached::Partial { partial, durable, prefix: hasher.digest(), epoch: lease.claim.epoch, expires }
    }
}
