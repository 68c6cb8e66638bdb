//! The source of one transfer: read on one lane, hashed on another.

use super::buffers::Buffers;
use super::lane::Lane;
use super::{Outcome, Reporter, Spawn};
use crate::{Source, StoreError};
use bowline_core::transfer::{Digest, Hasher};
use bytes::Bytes;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// How many bytes at a time are read only to be hashed.
const STRIDE: usize = 256 * 1024;
/// How many bytes that were read for sending may wait to be hashed as well. Beyond that they are read again later.
const BACKLOG: usize = 2 * 1024 * 1024;
/// The distance of the places that hashing can go back to, and how many of them are kept: a receiver that lost its
/// memory goes back by a few syncs, not to the beginning.
const MARK_EVERY: u64 = 1024 * 1024;
const MARKS: usize = 64;

/// What all sources of a worker share.
#[derive(Default)]
pub(super) struct Memory {
    buffers: Buffers,
    /// Bytes that wait to be hashed.
    backlog: Arc<AtomicUsize>,
}

pub(super) struct Sending {
    reporter: Reporter,
    reading: Lane<Arc<Source>>,
    buffers: Buffers,
    hashing: Arc<Lane<Hashing>>,
    backlog: Arc<AtomicUsize>,
    /// Nobody wants to know the digest any more.
    gone: Arc<AtomicBool>,
}

impl Drop for Sending {
    fn drop(&mut self) {
        // A large file is hashed for minutes, and whoever closes waits for what is still at work.
        self.gone.store(true, Ordering::Relaxed);
    }
}

impl Sending {
    pub(super) fn new(spawn: &Spawn, reporter: Reporter, memory: &Memory, source: Source) -> Self {
        let source = Arc::new(source);
        let gone = Arc::new(AtomicBool::new(false));
        let hashing = Hashing {
            source: Arc::clone(&source),
            gone: Arc::clone(&gone),
            hasher: Hasher::new(),
            marks: VecDeque::new(),
            buffer: Vec::new(),
        };
        Self {
            reporter,
            reading: Lane::new(spawn, source),
            buffers: memory.buffers.clone(),
            hashing: Arc::new(Lane::new(spawn, hashing)),
            backlog: Arc::clone(&memory.backlog),
            gone,
        }
    }

    pub(super) fn generation(&self) -> u64 {
        self.reporter.generation
    }

    pub(super) fn read(&self, offset: u64, len: usize) {
        let (reporter, hashing, backlog) =
            (self.reporter.clone(), Arc::clone(&self.hashing), Arc::clone(&self.backlog));
        let buffers = self.buffers.clone();
        self.reading.submit(move |source| {
            let read = buffers.filled(len, |buffer| source.read_into(offset, buffer));
            if let Ok(data) = &read {
                hash_along(&hashing, &backlog, offset, data.clone());
            }
            reporter.report_result(read.map(|data| Outcome::Read { offset, data }));
        });
    }

    pub(super) fn hash(&self, upto: u64) {
        let reporter = self.reporter.clone();
        self.hashing.submit(move |hashing| {
            if let Some(digest) = hashing.digest(upto).transpose() {
                reporter.report_result(digest.map(|digest| Outcome::Hashed { upto, digest }));
            }
        });
    }

    pub(super) fn check(&self) {
        let reporter = self.reporter.clone();
        // Behind all reads, so that none of them can have seen a later file.
        self.reading.submit(move |source| reporter.report_result(source.check().map(|()| Outcome::Checked)));
    }
}

/// Hands bytes that were just read to the hasher, unless too many wait already.
fn hash_along(hashing: &Lane<Hashing>, backlog: &Arc<AtomicUsize>, offset: u64, data: Bytes) {
    let len = data.len();
    if backlog.fetch_add(len, Ordering::Relaxed) > BACKLOG {
        backlog.fetch_sub(len, Ordering::Relaxed);
        return;
    }
    let backlog = Arc::clone(backlog);
    hashing.submit(move |hashing| {
        hashing.update(offset, &data);
        backlog.fetch_sub(len, Ordering::Relaxed);
    });
}

struct Hashing {
    source: Arc<Source>,
    gone: Arc<AtomicBool>,
    hasher: Hasher,
    marks: VecDeque<Hasher>,
    /// For what is read only to be hashed.
    buffer: Vec<u8>,
}

impl Hashing {
    /// Takes bytes along that were read anyway, if they are the next ones.
    fn update(&mut self, offset: u64, data: &[u8]) {
        let Some(known) = self.hasher.offset().checked_sub(offset) else { return };
        if let Some(fresh) = data.get(known as usize..) {
            self.hasher.update(fresh);
            self.mark();
        }
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

    /// The digest of the first `upto` bytes; what has not come along is read. `None` if nobody waits for it.
    fn digest(&mut self, upto: u64) -> Result<Option<Digest>, StoreError> {
        if self.hasher.offset() > upto {
            let mut hasher =
                self.marks.iter().rev().find(|mark| mark.offset() <= upto).cloned().unwrap_or_default();
            while hasher.offset() < upto {
                if self.gone.load(Ordering::Relaxed) {
                    return Ok(None);
                }
                catch_up(&self.source, &mut hasher, &mut self.buffer, upto)?;
            }
            return Ok(Some(hasher.digest()));
        }
        while self.hasher.offset() < upto {
            if self.gone.load(Ordering::Relaxed) {
                return Ok(None);
            }
            catch_up(&self.source, &mut self.hasher, &mut self.buffer, upto)?;
            self.mark();
        }
        Ok(Some(self.hasher.digest()))
    }
}

fn catch_up(source: &Source, hasher: &mut Hasher, buffer: &mut Vec<u8>, upto: u64) -> Result<(), StoreError> {
    let offset = hasher.offset();
    buffer.resize((upto - offset).min(STRIDE as u64) as usize, 0);
    source.read_into(offset, buffer)?;
    hasher.update(buffer);
    Ok(())
}
