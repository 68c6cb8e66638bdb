//! Throwing away what there is of a transfer that nobody goes on with.

use crate::error::StoreError;
use crate::store::DiskStore;
use bowline_core::transfer::TransferId;
use std::io;

impl DiskStore {
    /// Removes the part of a transfer of this principal, and its journal. Whoever is attached is fenced; a file that
    /// has its name stays. Returns whether there was anything.
    ///
    /// # Errors
    /// `Busy`: another process has the transfer. `Fenced`: it has, where locks keep nobody out. `Denied`, `Io`.
    pub fn discard(&self, id: TransferId) -> Result<bool, StoreError> {
        let key = self.principal().key(id);
        let ticket = self.registry().enter(key);
        let live = ticket.live();
        let _gate = live.gate();
        let root = self.root();
        let io = |e| StoreError::io(self.dir(), e);
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
        if slots.is_none() && part.is_none() {
            return Ok(false);
        }
        root.remove(&place).map_err(io)?;
        self.ledger().forget(key);
        drop(slots);
        root.tidy(&place);
        Ok(true)
    }
}
