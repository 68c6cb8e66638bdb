//! A file in transfer: bytes in, safe bytes out, and three ways to end.

use crate::commit::{self, Settled};
use crate::error::{ErrorKind, StoreError};
use crate::fault::Op;
use crate::journal::{Spec, State};
use crate::live::{Journal, Lease, Ticket, lock, lost};
use crate::store::DiskStore;
use crate::sys::{self, File};
use crate::taken::check_name;
use bowline_core::transfer::{Checkpoint, Digest, UnixMode};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A file in transfer. There is one writer: whoever attached last.
///
/// ```text
///            write          flush ▸ run              commit ─▶ the file has its name
///   attach ─────────▶ written ─────────▶ safe ─────▶ detach ─▶ all that was written is safe; attach again later
///                                                    discard ─▶ nothing is left
/// ```
///
/// Dropping it keeps what is safe.
pub struct Partial {
    store: DiskStore,
    ticket: Ticket,
    holder: u64,
    epoch: u32,
    spec: Arc<Spec>,
    path: Arc<Path>,
    written: u64,
    unix_mode: Option<UnixMode>,
}

/// Where a file was committed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Location {
    /// The path of the file.
    pub path: PathBuf,
    /// Its length.
    pub length: u64,
    /// Its digest.
    pub digest: Digest,
}

impl Partial {
    pub(crate) fn new(store: DiskStore, ticket: Ticket, lease: &Lease, path: &Path, written: u64) -> Self {
        Self {
            store,
            ticket,
            holder: lease.turn.holder,
            epoch: lease.claim.epoch,
            spec: Arc::clone(&lease.spec),
            path: path.into(),
            written,
            unix_mode: None,
        }
    }

    /// Adds the next bytes. They are hashed and passed to the system: a crash of the process does not harm them, but
    /// only [`flush`](Self::flush) makes them count.
    ///
    /// # Errors
    /// `BadOffset` if `offset` is not [`written`](Self::written); `LengthMismatch` if there would be more bytes than
    /// announced; `Quota`, `OverQuota` or `QuotaBusy` if the length was not announced and there are now too many;
    /// `Fenced`, `NoSpace`, `Io`. Nothing has changed then, and the same bytes may be tried again.
    pub fn write(&mut self, offset: u64, data: &[u8]) -> Result<(), StoreError> {
        let live = self.ticket.live();
        let mut writer = lock(&live.writer);
        live.check(self.holder, &self.path)?;
        let Some(writer) = writer.as_mut() else { return Err(self.error(ErrorKind::Fenced)) };
        if offset != self.written {
            let why = format!("offset {offset}, {} is next", self.written);
            return Err(StoreError::because(ErrorKind::BadOffset, &self.path, why));
        }
        let end = offset.saturating_add(data.len() as u64);
        match self.spec.length {
            Some(length) if end > length => {
                let why = format!("{} bytes at offset {offset} of {length}", data.len());
                return Err(StoreError::because(ErrorKind::LengthMismatch, &self.path, why));
            }
            Some(_) => {}
            // Its length was unknown, so what it would take was not entered.
            None => {
                let grown = self.store.ledger().grow(self.store.quota(), self.ticket.id(), end);
                grown.map_err(|full| full.at(&self.path))?;
            }
        }
        let faults = &self.store.root().faults;
        let wrote = faults.before(Op::WriteData).and_then(|()| sys::write_all_at(&writer.part, data, offset));
        wrote.map_err(StoreError::at(&self.path))?;
        writer.hasher.update(data);
        self.written = end;
        Ok(())
    }

    /// Everything that was written.
    pub(crate) fn read(&self) -> Result<Vec<u8>, StoreError> {
        let writer = lock(&self.ticket.live().writer);
        let Some(writer) = writer.as_ref() else { return Err(self.error(ErrorKind::Fenced)) };
        let mut bytes = vec![0; self.written as usize];
        let read = sys::read_full_at(&writer.part, &mut bytes, 0).map_err(StoreError::at(&self.path))?;
        bytes.truncate(read);
        Ok(bytes)
    }

    /// Where the next bytes go.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// How often the transfer has been attached to, including this time.
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    /// What was announced.
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// Sets the permissions of the file for when it gets its name. `None`, the initial value, leaves them to the
    /// system. They are only attempted: a file system without modes is no obstacle.
    pub fn set_unix_mode(&mut self, mode: Option<UnixMode>) {
        self.unix_mode = mode;
    }

    /// Marks what is written so far, to be made safe by [`Flush::run`], if you like on another thread, while writing
    /// continues.
    pub fn flush(&mut self) -> Flush {
        let now = lock(&self.ticket.live().writer)
            .as_ref()
            .map(|writer| (writer.hasher.checkpoint(), Arc::clone(&writer.part)));
        let (checkpoint, part) = now.unzip();
        Flush {
            store: self.store.clone(),
            ticket: self.ticket.clone(),
            holder: self.holder,
            spec: Arc::clone(&self.spec),
            path: Arc::clone(&self.path),
            part,
            upto: self.written,
            checkpoint: checkpoint.unwrap_or(Checkpoint::start()),
        }
    }

    /// Gives the file its name, once all its bytes are there and correct.
    ///
    /// # Errors
    /// - `LengthMismatch`: `length` is not what was announced and written. What is there is kept.
    /// - `DigestMismatch`: these are not the sender's bytes. They are discarded.
    /// - `Exists`: the name was taken meanwhile, by other bytes. Ours are kept, and an attach tries again.
    /// - `Fenced`, `NoSpace`, `Denied`, `Io`: what is safe is kept.
    pub fn commit(self, length: u64, digest: Digest) -> Result<Location, StoreError> {
        let announced = self.spec.length.unwrap_or(length);
        if length != announced || length != self.written {
            let why = format!("{length} announced at the end, {announced} before, {} there", self.written);
            let path = Arc::clone(&self.path);
            self.detach()?;
            return Err(StoreError::because(ErrorKind::LengthMismatch, &path, why));
        }
        let live = self.ticket.live();
        let _gate = live.gate();
        live.check(self.holder, &self.path)?;
        let (Some(writer), Some(mut journal)) = live.end() else { return Err(self.error(ErrorKind::Fenced)) };
        let root = self.store.root();
        let io = |e| StoreError::io(&self.path, e);
        if writer.hasher.digest() != digest {
            journal.remove(root, Some(writer)).map_err(io)?;
            return Err(self.error(ErrorKind::DigestMismatch));
        }
        commit::set_modified(&writer.part, self.spec.mtime_ms);
        let give_mode = |also: u32| {
            if let Some(mode) = self.unix_mode {
                let _ = sys::set_mode(&writer.part, UnixMode::from_bits(mode.bits() | also));
            }
        };
        // A part that its owner cannot open would block another attempt.
        give_mode(0o600);
        root.sync_all(&writer.part).map_err(io)?;
        let file = sys::meta(&writer.part).map_err(io)?.id;
        // An existing file with that name is compared only if the announced length matches; without an announced
        // length, only the journal knows that the transfer is finished.
        let is_needed = journal.record.durable > 0 || self.spec.length.is_none();
        journal.record.state = State::Complete { digest, file };
        journal.record.durable = length;
        journal.follow_clock();
        journal.record.progressed = journal.clock.millis();
        if is_needed {
            journal.save(root).map_err(io)?;
        } else {
            // The sender was never told of a safe byte. If a power cut takes the journal, it starts over, or finds the
            // finished file. This saves two syncs for every small file.
            journal.slots.write(&root.faults, &journal.record).map_err(io)?;
        }
        // From here on nobody opens it again for writing.
        give_mode(0);
        let Journal { place, mut slots, record, clock, part, mut hold, .. } = journal;
        hold.keep(length);
        let settled = commit::settle(&self.store, &place, &mut slots, record, &clock)?;
        hold.drop_all();
        match settled {
            Settled::There { length, digest } => {
                live.note_safe(length);
                drop((slots, part, writer));
                root.tidy(&place);
                Ok(Location { path: self.path.to_path_buf(), length, digest })
            }
            Settled::Gone => Err(io(lost())),
        }
    }

    /// Makes everything written safe and releases the file. Returns how many bytes are safe.
    ///
    /// # Errors
    /// `Fenced`, `NoSpace`, `Io`: what was safe before is kept.
    pub fn detach(mut self) -> Result<u64, StoreError> {
        let safe = self.flush().make_safe()?;
        let live = self.ticket.live();
        let _gate = live.gate();
        live.check(self.holder, &self.path)?;
        live.end();
        Ok(safe)
    }

    /// Removes every trace of the transfer.
    ///
    /// # Errors
    /// `Fenced`, `Denied`, `Io`.
    pub fn discard(self) -> Result<(), StoreError> {
        let live = self.ticket.live();
        let _gate = live.gate();
        live.check(self.holder, &self.path)?;
        match live.end() {
            (writer, Some(journal)) => {
                journal.remove(self.store.root(), writer).map_err(StoreError::at(&self.path))
            }
            (_, None) => Ok(()),
        }
    }

    fn error(&self, kind: ErrorKind) -> StoreError {
        StoreError::new(kind, &self.path)
    }
}

impl fmt::Debug for Partial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Partial")
            .field("id", &self.ticket.id())
            .field("path", &self.path)
            .field("length", &self.spec.length)
            .field("written", &self.written)
            .field("epoch", &self.epoch)
            .finish_non_exhaustive()
    }
}

/// Bytes to be made safe. It owns what it needs: run it on any thread, at any time, even after the [`Partial`] has
/// ended.
#[must_use = "nothing is safe before `run`"]
pub struct Flush {
    store: DiskStore,
    ticket: Ticket,
    holder: u64,
    spec: Arc<Spec>,
    path: Arc<Path>,
    part: Option<Arc<File>>,
    upto: u64,
    checkpoint: Checkpoint,
}

impl Flush {
    /// Makes the bytes safe, the data first and then the journal that says so. Returns how many are safe.
    ///
    /// Afterwards it checks whether the file can still get its name.
    ///
    /// # Errors
    /// `Fenced` if another sender attached, which then makes safe what was written. After `NoSpace` or `Io` the partial
    /// accepts no more: attach again, and continue from the last safe byte. `Exists` or `InTheWay` if something else
    /// has the name by now: the bytes are safe, and an attach continues with them once the name is free.
    pub fn run(self) -> Result<u64, StoreError> {
        let safe = self.make_safe()?;
        if let Some(part) = &self.part {
            check_name(&self.store, &self.path, &self.spec, part, self.upto)?;
        }
        Ok(safe)
    }

    fn make_safe(&self) -> Result<u64, StoreError> {
        let live = self.ticket.live();
        live.make_safe(self.store.root(), &self.path, self.holder, self.upto, &self.checkpoint)
    }
}

impl fmt::Debug for Flush {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flush").field("upto", &self.upto).finish_non_exhaustive()
    }
}
