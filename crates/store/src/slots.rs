//! A journal file: locked, read once, then written slot by slot.

use crate::fault::{Faults, Op};
use crate::journal::{self, Record, SLOT};
use crate::sys::{self, File, Folder};
use std::error::Error;
use std::{fmt, io};

/// Another process has written to the journal.
#[derive(Debug)]
pub(crate) struct Overtaken;

impl fmt::Display for Overtaken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("another process has written to the journal")
    }
}

impl Error for Overtaken {}

/// An open journal that no other process can open.
#[derive(Debug)]
pub(crate) struct Slots {
    file: File,
    /// The number of the newest valid slot; 0 if there is none.
    number: u64,
}

impl Slots {
    /// Opens a journal, or creates it. `NotFound` if there is none; `WouldBlock` if another process has it open.
    pub(crate) fn open(folder: &Folder, name: &str, create: bool) -> io::Result<(Self, Option<Record>)> {
        loop {
            let file = folder.open_locked(name, create)?;
            let here = folder.stat(name)?;
            // The previous holder of the lock may have removed the file; then our lock is on a file without a name.
            let meta =
                sys::meta(&file).ok().filter(|meta| here.is_some_and(|here| meta.is_same_inode(&here)));
            if let Some(meta) = meta {
                let newest = read(&file, meta.id.len)?;
                let number = newest.as_ref().map_or(0, |(number, _)| *number);
                return Ok((Self { file, number }, newest.map(|(_, record)| record)));
            }
        }
    }

    /// Writes a record to the slot that is not the newest.
    pub(crate) fn write(&mut self, faults: &Faults, record: &Record) -> io::Result<()> {
        let number = self.number + 1;
        self.put(faults, number, record)?;
        self.number = number;
        Ok(())
    }

    /// Writes the newest record again, in its place, and makes it survive a power cut. The process that wrote it may
    /// have died before that, and the next record will overwrite the slot that is certainly safe.
    pub(crate) fn confirm(&self, faults: &Faults, record: &Record) -> io::Result<()> {
        self.put(faults, self.number, record)?;
        self.sync(faults)
    }

    /// Checks whether another process has written since, in case locks do not work on this file system, or were lost.
    /// Without an error the transfer is ours, as far as anybody can know.
    pub(crate) fn check(&self) -> io::Result<()> {
        // A process that continued from our record has written to our next slot, and nobody writes a lower number
        // there.
        let mut head = [0; journal::HEAD];
        sys::read_full_at(&self.file, &mut head, place(self.number + 1))?;
        if journal::number(&head) <= self.number {
            return Ok(());
        }
        // Unless that slot was torn by a crash, and is not valid.
        let number = read(&self.file, u64::MAX)?.map_or(0, |(number, _)| number);
        if number > self.number { Err(io::Error::other(Overtaken)) } else { Ok(()) }
    }

    fn put(&self, faults: &Faults, number: u64, record: &Record) -> io::Result<()> {
        self.check()?;
        let bytes = journal::encode(number, record);
        faults.before(Op::WriteSlot)?;
        sys::write_all_at(&self.file, &bytes, place(number))
    }

    /// Makes what was written survive a power cut.
    pub(crate) fn sync(&self, faults: &Faults) -> io::Result<()> {
        faults.sync(Op::SyncSlot, || sys::meta(&self.file), || self.file.sync_data())
    }
}

/// Where the slot of this number is.
fn place(number: u64) -> u64 {
    (number % 2) * SLOT as u64
}

/// The newest valid slot of a journal with at least this length.
fn read(file: &File, len: u64) -> io::Result<Option<(u64, Record)>> {
    let mut bytes = vec![0; len.min(2 * SLOT as u64) as usize];
    sys::read_full_at(file, &mut bytes, 0)?;
    Ok(journal::newest(&bytes))
}
