//! Discards a transfer that nobody continues.

use crate::attach::Attach;
use crate::error::StoreError;
use crate::live::Lease;
use crate::store::DiskStore;
use crate::turn::Turn;
use bowline_core::transfer::TransferId;
use std::io;

impl DiskStore {
    /// Removes the part of this principal's transfer, and its journal. A holder is fenced; a file that already has its
    /// name stays. Returns whether there was anything.
    ///
    /// # Errors
    /// `Busy`: another process has the transfer. `Fenced`: the same, if locks do not keep others out. `Denied`, `Io`.
    pub fn discard(&self, id: TransferId) -> Result<bool, StoreError> {
        self.discard_for(None, id)
    }

    /// The same for a sender that came in this turn: it takes nothing from those that came later.
    pub(crate) fn discard_for(
        &self,
        sender: Option<(Turn, Attach)>,
        id: TransferId,
    ) -> Result<bool, StoreError> {
        let key = self.principal().key(id);
        let ticket = self.registry().enter(key);
        let live = ticket.live();
        let _gate = live.gate();
        let root = self.root();
        let io = |e| StoreError::io(self.dir(), e);
        let is_overtaken = |claim| sender.is_some_and(|(_, attach)| attach.is_overtaken(claim));
        let has_gone_on = |lease: &Lease| {
            sender.is_some_and(|(turn, attach)| attach.successor(turn, lease).is_some())
                || is_overtaken(lease.claim)
        };
        if live.held().is_some_and(|lease| has_gone_on(&lease)) {
            return Ok(false);
        }
        if let (writer, Some(journal)) = live.end() {
            journal.remove(root, writer).map_err(io)?;
            return Ok(true);
        }
        let place = match root.place(key) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(false),
            place => place.map_err(io)?,
        };
        // Held until nothing is left.
        let slots = place.open_slots().map_err(io)?;
        let part = place.part_meta().map_err(io)?;
        let record = slots.as_ref().and_then(|(_, record)| record.as_ref());
        if slots.is_none() && part.is_none() || record.is_some_and(|record| is_overtaken(record.claim)) {
            return Ok(false);
        }
        root.remove(&place).map_err(io)?;
        self.ledger().forget(key);
        drop(slots);
        root.tidy(&place);
        Ok(true)
    }
}
