//! The source of one transfer: read and hashed on one lane while hashing keeps up; otherwise it is hashed on another
//! lane, beside the reading.

use super::buffers::Buffers;
use super::lane::Lane;
use super::{Outcome, Reporter, Spawn};
use crate::strides::{STRIDE, Strides};
use crate::{Source, StoreError};
use bowline_core::transfer::{Digest, Hasher};
use std::collections::VecDeque;
use std::ops::ControlFlow::{Break, Continue};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many bytes at a time are read only to be hashed.
const READ: usize = 256 * 1024;
/// How many reads are in one stride of a digest.
const READS: u64 = STRIDE / READ as u64;
/// After how many bytes to check again whether the file has changed: rarely enough to cost nothing, and often enough
/// that little more is sent of a file that has changed.
const LOOK_EVERY: u64 = 1024 * 1024;
/// The distance between positions that hashing can return to, and how many are kept: a receiver that lost its memory
/// goes back by a few syncs, not to the beginning.
const MARK_EVERY: u64 = 1024 * 1024;
const MARKS: usize = 64;

pub(super) struct Sending {
    spawn: Spawn,
    strides: Strides,
    reporter: Reporter,
    buffers: Buffers,
    reading: Lane<Arc<Source>>,
    /// How many reads there were.
    reads: u64,
    /// How many reads there had been when the file was last checked, after all of them.
    looked: Arc<AtomicU64>,
    hashing: Arc<Hashing>,
    chasing: Arc<Lane<()>>,
}

impl Drop for Sending {
    fn drop(&mut self) {
        // Hashing a large file takes minutes, and closing waits for running work.
        self.hashing.gone.store(true, Ordering::Relaxed);
    }
}

impl Sending {
    /// Digests are computed in these strides.
    pub(super) fn new(
        spawn: &Spawn,
        strides: &Strides,
        reporter: Reporter,
        buffers: Buffers,
        source: Source,
    ) -> Self {
        let source = Arc::new(source);
        Self {
            spawn: Arc::clone(spawn),
            strides: strides.clone(),
            reporter,
            buffers,
            reading: Lane::new(spawn, Arc::clone(&source)),
            reads: 0,
            looked: Arc::default(),
            hashing: Arc::new(Hashing::new(source)),
            chasing: Arc::new(Lane::new(spawn, ())),
        }
    }

    pub(super) fn generation(&self) -> u64 {
        self.reporter.generation
    }

    pub(super) fn read(&mut self, offset: u64, len: usize) {
        self.reads += 1;
        let (read_no, looked) = (self.reads, Arc::clone(&self.looked));
        let (reporter, buffers) = (self.reporter.clone(), self.buffers.clone());
        let (hashing, chasing) = (Arc::clone(&self.hashing), Arc::clone(&self.chasing));
        self.reading.submit(move |source| {
            let read = buffers.filled(len, |buffer| {
                source.read_into(offset, buffer)?;
                if looks_behind(offset, len, source.length()) {
                    source.check()?;
                    looked.store(read_no, Ordering::Release);
                }
                Ok(())
            });
            let data = read.as_ref().ok().cloned();
            // First the socket, then the digest.
            reporter.report_result(read.map(|data| Outcome::Read { offset, data }));
            let Some(data) = data else { return };
            if !hashing.take_along(offset, &data) && hashing.begin_chase() {
                chasing.submit(move |()| hashing.chase());
            }
        });
    }

    pub(super) fn hash(&self, upto: u64) {
        if let Some(digest) = self.hashing.known(upto) {
            return self.reporter.report(Outcome::Hashed { upto, digest });
        }
        let (reporter, hashing) = (self.reporter.clone(), Arc::clone(&self.hashing));
        let mut earlier = None;
        self.strides.submit(&self.spawn, move || {
            if hashing.is_gone() {
                return Break(());
            }
            let Some(digest) = hashing.digest(upto, &mut earlier).transpose() else { return Continue(()) };
            reporter.report_result(digest.map(|digest| Outcome::Hashed { upto, digest }));
            Break(())
        });
    }

    pub(super) fn check(&self) {
        if self.reads > 0 && self.looked.load(Ordering::Acquire) == self.reads {
            return self.reporter.report(Outcome::Checked);
        }
        let reporter = self.reporter.clone();
        // After all reads, so that none of them can have seen a later version of the file.
        self.reading.submit(move |source| reporter.report_result(source.check().map(|()| Outcome::Checked)));
    }
}

/// Whether to check the file after these bytes, so that a long transfer of a file that changes does not continue to its
/// end in vain. Always after the last bytes, so that a short file takes one job.
fn looks_behind(offset: u64, len: usize, length: u64) -> bool {
    let end = offset + len as u64;
    offset / LOOK_EVERY != end / LOOK_EVERY || end == length
}

/// The digest of the source as far as it has been computed.
struct Hashing {
    source: Arc<Source>,
    state: Mutex<State>,
    /// How far the source has been read for sending.
    read: AtomicU64,
    /// Whether a chase is queued or running.
    chased: AtomicBool,
    /// Whether nobody wants the digest any more.
    gone: AtomicBool,
}

#[derive(Default)]
struct State {
    hasher: Hasher,
    marks: VecDeque<Hasher>,
    /// For reads that are only for hashing.
    buffer: Vec<u8>,
}

impl Hashing {
    fn new(source: Arc<Source>) -> Self {
        Self {
            source,
            state: Mutex::default(),
            read: AtomicU64::new(0),
            chased: AtomicBool::new(false),
            gone: AtomicBool::new(false),
        }
    }

    /// Hashes bytes that were read anyway. Returns false if earlier bytes are missing: they must be read again.
    fn take_along(&self, offset: u64, data: &[u8]) -> bool {
        self.read.fetch_max(offset + data.len() as u64, Ordering::Relaxed);
        // Whoever holds the state now is behind, and will get here.
        self.state.try_lock().is_ok_and(|mut state| state.take_along(offset, data))
    }

    /// The digest of the first `upto` bytes, if hashing is at that position, and nobody is hashing now.
    fn known(&self, upto: u64) -> Option<Digest> {
        let state = self.state.try_lock().ok()?;
        (state.hasher.offset() == upto).then(|| state.hasher.digest())
    }

    fn begin_chase(&self) -> bool {
        !self.chased.swap(true, Ordering::Relaxed)
    }

    /// Hashes what has been read in the meantime, until the reader can do it again.
    fn chase(&self) {
        self.chased.store(false, Ordering::Relaxed);
        while !self.is_gone() {
            let mut state = self.state();
            let read = self.read.load(Ordering::Relaxed);
            // The reader will find a source that cannot be read.
            if state.hasher.offset() >= read || state.catch_up(&self.source, read).is_err() {
                return;
            }
        }
    }

    /// One stride towards the digest of the first `upto` bytes; bytes that were not hashed along are read. If hashing
    /// has passed `upto`, `earlier` repeats it from a mark.
    fn digest(&self, upto: u64, earlier: &mut Option<Box<Hasher>>) -> Result<Option<Digest>, StoreError> {
        for _ in 0..READS {
            let mut state = self.state();
            if earlier.is_none() && state.hasher.offset() > upto {
                *earlier = Some(Box::new(state.last_mark(upto)));
            }
            let hasher = earlier.as_deref().unwrap_or(&state.hasher);
            if hasher.offset() == upto {
                return Ok(Some(hasher.digest()));
            }
            match earlier {
                Some(hasher) => read_on(&self.source, hasher, &mut state.buffer, upto)?,
                None => state.catch_up(&self.source, upto)?,
            }
        }
        Ok(None)
    }

    fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Relaxed)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Hashes what is new in these bytes. Returns false if earlier bytes are missing.
    fn take_along(&mut self, offset: u64, data: &[u8]) -> bool {
        let Some(known) = self.hasher.offset().checked_sub(offset) else { return false };
        // A sender that was sent back may be further behind than the length of any buffer.
        if let Some(fresh) = usize::try_from(known).ok().and_then(|known| data.get(known..)) {
            self.hasher.update(fresh);
            self.mark();
        }
        true
    }

    /// Reads and hashes on.
    fn catch_up(&mut self, source: &Source, upto: u64) -> Result<(), StoreError> {
        read_on(source, &mut self.hasher, &mut self.buffer, upto)?;
        self.mark();
        Ok(())
    }

    /// The last position up to `upto` that hashing can return to.
    fn last_mark(&self, upto: u64) -> Hasher {
        self.marks.iter().rev().find(|mark| mark.offset() <= upto).cloned().unwrap_or_default()
    }

    fn mark(&mut self) {
        let last = self.marks.back().map_or(0, Hasher::offset);
        if self.hasher.offset() >= last + MARK_EVERY {
            self.marks.push_back(self.hasher.clone());
            if self.marks.len() > MARKS {
                self.marks.pop_front();
            }
        }
    }
}

fn read_on(source: &Source, hasher: &mut Hasher, buffer: &mut Vec<u8>, upto: u64) -> Result<(), StoreError> {
    let offset = hasher.offset();
    buffer.resize((upto - offset).min(READ as u64) as usize, 0);
    source.read_into(offset, buffer)?;
    hasher.update(buffer);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use bowline_core::transfer::Checkpoint;

    /// A hasher at slightly more than 4 GiB, with any contents.
    fn far_on() -> Hasher {
        let groups = (1_u64 << 32) / (64 << 10) + 2;
        let values = vec![7; 32 * (1 + (groups - 1).count_ones() as usize)];
        Hasher::resume(
            &Checkpoint::decode(&[&groups.to_be_bytes()[..], &values].concat()).expect("a checkpoint"),
        )
    }

    #[test]
    fn bytes_that_are_read_again_are_not_hashed_again_however_far_back() {
        let mut state = State { hasher: far_on(), ..State::default() };
        let there = state.hasher.offset();
        for offset in [0, there % (1 << 32) - 1, there % (1 << 32), there - 3] {
            assert!(state.take_along(offset, b"old"));
            assert_eq!(state.hasher.offset(), there, "read again at {offset}");
        }
        assert!(state.take_along(there - 2, b"new"));
        assert_eq!(state.hasher.offset(), there + 1);
    }

    #[test]
    fn hashing_can_go_back_to_the_last_marks_and_no_others_are_kept() {
        let (mut state, piece) = (State::default(), vec![0; MARK_EVERY as usize]);
        for _ in 0..MARKS + 3 {
            state.hasher.update(&piece);
            state.mark();
        }
        let oldest = state.hasher.offset() - (MARKS as u64 - 1) * MARK_EVERY;
        assert_eq!(state.last_mark(u64::MAX).offset(), state.hasher.offset());
        assert_eq!(state.last_mark(oldest).offset(), oldest);
        assert_eq!(state.last_mark(oldest - 1).offset(), 0);
    }
}
