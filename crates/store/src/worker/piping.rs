//! A pipe as the source of one transfer. It is hashed once and in order, at the latest when it is forgotten.

use super::lane::Lane;
use super::{Outcome, Reporter, Spawn};
use crate::Pipe;
use crate::pipe::Piece;
use bowline_core::transfer::Hasher;
use std::sync::Arc;

pub(super) struct Piping {
    reporter: Reporter,
    pipe: Arc<Pipe>,
    /// The hasher of everything that was forgotten.
    hashing: Lane<Hasher>,
}

impl Piping {
    pub(super) fn new(spawn: &Spawn, reporter: Reporter, pipe: Pipe) -> Self {
        let to = reporter.clone();
        pipe.connect(Box::new(move |piece| {
            to.report_result(match piece {
                Piece::Bytes { offset, data } => Ok(Outcome::Read { offset, data }),
                Piece::End { length } => Ok(Outcome::Ended { length }),
                Piece::Failed(error) => Err(error),
            });
        }));
        Self { reporter, pipe: Arc::new(pipe), hashing: Lane::new(spawn, Hasher::new()) }
    }

    pub(super) fn generation(&self) -> u64 {
        self.reporter.generation
    }

    pub(super) fn read(&self, offset: u64, len: usize) {
        self.pipe.read(offset, len);
    }

    pub(super) fn hash(&self, upto: u64) {
        let (reporter, pipe) = (self.reporter.clone(), Arc::clone(&self.pipe));
        self.hashing.submit(move |hasher| {
            let digest = pipe.digest(hasher, upto);
            reporter.report_result(digest.map(|digest| Outcome::Hashed { upto, digest }));
        });
    }

    /// What was read through a pipe cannot have changed.
    pub(super) fn check(&self) {
        self.reporter.report(Outcome::Checked);
    }

    pub(super) fn release(&self, upto: u64) {
        let pipe = Arc::clone(&self.pipe);
        self.hashing.submit(move |hasher| {
            // A receiver that claims more than there is will learn of it when its digest is compared.
            if pipe.hash(hasher, upto).is_ok() {
                pipe.forget(upto);
            }
        });
    }
}
