//! Data from a pipe: read once and in order, and kept until the receiver has made it durable.
//!
//! ```text
//!   reader ──▶ pump, a thread of its own ──▶ spill ──▶ the link
//!                     ▲                        │
//!                     └──── room ◀── durable over there: hashed and forgotten
//! ```
//!
//! A link may be cut at any moment, and whatever was under way is sent again; so nothing is forgotten before it is safe
//! at the other end. The spill is limited: when it is full, the pump stops reading, and the process that writes into
//! the pipe waits.

use crate::error::{ErrorKind, StoreError};
use crate::live::lock;
use bowline_core::transfer::{Digest, Hasher};
use bytes::Bytes;
use std::collections::VecDeque;
use std::fmt;
use std::io::{self, Read};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// How many bytes that are not durable at the receiver are kept: four of its syncs, so that a disk and a link can work
/// during another sync.
const ROOM: u64 = 64 << 20;
/// The capacity of a pipe on Linux.
const BLOCK: usize = 64 * 1024;
/// After a read shorter than this, the writer is given time to write more, so that not every line costs a frame.
const SMALL: usize = 4096;
const PATIENCE: Duration = Duration::from_millis(10);

/// Data from a pipe, which is sent without knowing its length.
///
/// Pass it to [`Worker::add_pipe`](crate::Worker::add_pipe). It is read on a thread of its own, since a pipe may be
/// silent for hours; dropping this ends the thread when its read returns.
pub struct Pipe(Arc<Shared>);

/// Receives the result of a read.
pub(crate) type Tell = Box<dyn Fn(Piece) + Send>;

/// The result of a read.
#[derive(Debug)]
pub(crate) enum Piece {
    Bytes { offset: u64, data: Bytes },
    End { length: u64 },
    Failed(StoreError),
}

#[derive(Default)]
struct Shared {
    spill: Mutex<Spill>,
    /// Something was forgotten, or nobody is interested any more.
    freed: Condvar,
}

/// What was read and not forgotten.
#[derive(Default)]
struct Spill {
    /// All but the last are full.
    blocks: VecDeque<Vec<u8>>,
    /// Where the first block begins.
    start: u64,
    /// Everything below this can no longer be requested.
    base: u64,
    /// Where the next byte of the pipe goes.
    end: u64,
    over: Option<Over>,
    /// The read that is unanswered because there are no bytes.
    wanted: Option<(u64, usize)>,
    tell: Option<Tell>,
    closed: bool,
}

/// Why nothing more arrives.
enum Over {
    End,
    Failed(String),
}

impl Pipe {
    /// Starts reading, up to 64 MiB ahead of what is durable at the receiver.
    ///
    /// # Errors
    /// The system allows no other thread.
    pub fn new(reader: impl Read + Send + 'static) -> io::Result<Self> {
        Self::with_room(reader, ROOM)
    }

    pub(crate) fn with_room(reader: impl Read + Send + 'static, room: u64) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let pump = Arc::clone(&shared);
        thread::Builder::new().name("bowline-pipe".into()).spawn(move || pump.pump(reader, room))?;
        Ok(Self(shared))
    }

    /// From here on, `tell` receives the results of [`read`](Self::read).
    pub(crate) fn connect(&self, tell: Tell) {
        lock(&self.0.spill).tell = Some(tell);
    }

    /// Up to `len` bytes from `offset` on, as soon as there is one; or the end. A later read replaces an earlier one.
    pub(crate) fn read(&self, offset: u64, len: usize) {
        let mut spill = lock(&self.0.spill);
        spill.wanted = Some((offset, len));
        spill.answer();
    }

    /// Hashes up to `upto`. Any earlier bytes must have been hashed already.
    pub(crate) fn hash(&self, hasher: &mut Hasher, upto: u64) -> Result<(), StoreError> {
        lock(&self.0.spill).reaches(upto)?;
        let mut block = Vec::with_capacity(BLOCK);
        while hasher.offset() < upto {
            block.clear();
            lock(&self.0.spill).copy(
                hasher.offset(),
                (upto - hasher.offset()).min(BLOCK as u64) as usize,
                &mut block,
            )?;
            hasher.update(&block);
        }
        Ok(())
    }

    /// The digest of the first `upto` bytes; `hasher` has hashed those that were forgotten.
    pub(crate) fn digest(&self, hasher: &Hasher, upto: u64) -> Result<Digest, StoreError> {
        if hasher.offset() > upto {
            return Err(gone(upto, hasher.offset()));
        }
        let mut hasher = hasher.clone();
        self.hash(&mut hasher, upto)?;
        Ok(hasher.digest())
    }

    /// Bytes below `upto` will not be requested again.
    pub(crate) fn forget(&self, upto: u64) {
        lock(&self.0.spill).forget(upto);
        self.0.freed.notify_all();
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        let mut spill = lock(&self.0.spill);
        (spill.closed, spill.tell) = (true, None);
        spill.blocks.clear();
        drop(spill);
        self.0.freed.notify_all();
    }
}

impl fmt::Debug for Pipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let spill = lock(&self.0.spill);
        f.debug_struct("Pipe").field("base", &spill.base).field("end", &spill.end).finish_non_exhaustive()
    }
}

impl Shared {
    /// Reads until the end.
    fn pump(&self, mut reader: impl Read, room: u64) {
        let mut buffer = vec![0; BLOCK];
        while let Some(free) = self.wait_for_room(room) {
            let most = free.min(BLOCK as u64) as usize;
            let read = match reader.read(&mut buffer[..most]) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                // Another process that shares the pipe has set it non-blocking; we want to wait.
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    thread::sleep(PATIENCE);
                    continue;
                }
                Err(e) => return lock(&self.spill).end(Over::Failed(e.to_string())),
                Ok(0) => return lock(&self.spill).end(Over::End),
                Ok(read) => read,
            };
            lock(&self.spill).append(&buffer[..read]);
            if read < SMALL {
                thread::sleep(PATIENCE);
            }
        }
    }

    /// How many bytes may be read; `None` if nobody wants them.
    fn wait_for_room(&self, room: u64) -> Option<u64> {
        let mut spill = lock(&self.spill);
        while !spill.closed && spill.end - spill.base >= room {
            spill = self.freed.wait(spill).unwrap_or_else(PoisonError::into_inner);
        }
        (!spill.closed).then(|| room - (spill.end - spill.base))
    }
}

impl Spill {
    fn append(&mut self, mut data: &[u8]) {
        self.end += data.len() as u64;
        while !data.is_empty() {
            let last = match self.blocks.back_mut() {
                Some(last) if last.len() < BLOCK => last,
                _ => {
                    self.blocks.push_back(Vec::with_capacity(BLOCK));
                    continue;
                }
            };
            let (now, later) = data.split_at(data.len().min(BLOCK - last.len()));
            last.extend_from_slice(now);
            data = later;
        }
        self.answer();
    }

    fn end(&mut self, over: Over) {
        self.over = Some(over);
        self.answer();
    }

    /// Answers the waiting read, if possible.
    fn answer(&mut self) {
        let (Some((offset, len)), Some(tell)) = (self.wanted, &self.tell) else { return };
        let piece = match &self.over {
            _ if offset != self.end => {
                let mut data = Vec::new();
                match self.copy(offset, len, &mut data) {
                    Ok(()) => Piece::Bytes { offset, data: data.into() },
                    Err(error) => Piece::Failed(error),
                }
            }
            None => return,
            Some(Over::End) => Piece::End { length: self.end },
            Some(Over::Failed(text)) => {
                Piece::Failed(StoreError::because(ErrorKind::PipeFailed, Path::new("-"), text.clone()))
            }
        };
        tell(piece);
        self.wanted = None;
    }

    /// Adds up to `len` bytes from `offset` on, at least one.
    fn copy(&self, mut offset: u64, len: usize, into: &mut Vec<u8>) -> Result<(), StoreError> {
        if offset < self.base {
            return Err(gone(offset, self.base));
        }
        self.reaches(offset.saturating_add(1))?;
        let upto = self.end.min(offset.saturating_add(len as u64));
        into.reserve_exact((upto - offset) as usize);
        while offset < upto {
            let place = offset - self.start;
            let Some(block) = self.blocks.get((place / BLOCK as u64) as usize) else { break };
            let rest = &block[(place % BLOCK as u64) as usize..];
            let some = rest.len().min((upto - offset) as usize);
            into.extend_from_slice(&rest[..some]);
            offset += some as u64;
        }
        Ok(())
    }

    /// Checks whether this many bytes have arrived.
    fn reaches(&self, upto: u64) -> Result<(), StoreError> {
        if upto <= self.end {
            return Ok(());
        }
        let why = format!("{upto} bytes are asked for, but only {} have come", self.end);
        Err(StoreError::because(ErrorKind::Forgotten, Path::new("-"), why))
    }

    fn forget(&mut self, upto: u64) {
        self.base = self.base.max(upto.min(self.end));
        while self.start + BLOCK as u64 <= self.base && self.blocks.pop_front().is_some() {
            self.start += BLOCK as u64;
        }
    }
}

fn gone(offset: u64, base: u64) -> StoreError {
    let why = format!("{offset} bytes are there of {base} that were safe");
    StoreError::because(ErrorKind::Forgotten, Path::new("-"), why)
}

#[cfg(test)]
mod tests;
