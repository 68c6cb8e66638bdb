//! Reuses buffers: a large one that is freed and allocated again costs a page fault for every 4 KiB.

use bytes::Bytes;
use std::mem;
use std::sync::{Arc, Mutex, PoisonError};

/// How many buffers are kept: as many as one transfer reads ahead, plus some on their way out.
const KEEP: usize = 8;

/// Buffers that wait to be reused.
#[derive(Clone, Default)]
pub(super) struct Buffers(Arc<Mutex<Vec<Vec<u8>>>>);

impl Buffers {
    /// `len` bytes, filled by `fill`. The buffer returns here when the last part of it is dropped.
    pub(super) fn filled<E>(
        &self,
        len: usize,
        fill: impl FnOnce(&mut [u8]) -> Result<(), E>,
    ) -> Result<Bytes, E> {
        let mut bytes = self.take(len);
        fill(&mut bytes[..len])?;
        Ok(Bytes::from_owner(Lent { bytes, len, home: self.clone() }))
    }

    fn take(&self, len: usize) -> Vec<u8> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut bytes = waiting.pop().unwrap_or_default();
        drop(waiting);
        if bytes.len() < len {
            bytes.resize(len, 0);
        }
        bytes
    }

    fn give_back(&self, bytes: Vec<u8>) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() < KEEP {
            waiting.push(bytes);
        }
    }
}

struct Lent {
    bytes: Vec<u8>,
    len: usize,
    home: Buffers,
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.home.give_back(mem::take(&mut self.bytes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(buffers: &Buffers, len: usize, with: u8) -> Bytes {
        let fill = |bytes: &mut [u8]| -> Result<(), ()> {
            bytes.fill(with);
            Ok(())
        };
        buffers.filled(len, fill).expect("it is filled")
    }

    #[test]
    fn a_buffer_is_used_again_once_all_of_it_is_dropped() {
        let buffers = Buffers::default();
        let first = filled(&buffers, 1000, 1);
        let place = first.as_ptr();
        let part = first.slice(10..20);
        drop(first);
        let second = filled(&buffers, 500, 2);
        assert_ne!(second.as_ptr(), place, "a part of the first is still in use");
        assert_eq!(part[..], [1; 10]);
        drop(part);
        let third = filled(&buffers, 300, 3);
        assert_eq!(third.as_ptr(), place);
        assert_eq!(third[..], [3; 300]);
    }

    #[test]
    fn no_more_buffers_are_kept_than_are_of_use() {
        let buffers = Buffers::default();
        let many: Vec<_> = (0..50).map(|n| filled(&buffers, 10, n)).collect();
        drop(many);
        assert_eq!(buffers.0.lock().expect("sound").len(), KEEP);
    }
}
