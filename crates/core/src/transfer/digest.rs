//! The digest of a whole file, in a form that survives a crash in the middle.
//!
//! BLAKE3 is a tree. The file is cut into groups of 64 KiB. Each finished group is one chaining value, and a stack of
//! them, merged like the digits of a binary counter, stands for everything before. A [`Checkpoint`] is that stack:
//! under 2 KiB for any file, and all that a new process needs to continue hashing without reading the file again.

use alloc::vec::Vec;
use blake3::hazmat::{self, HasherExt as _, Mode};
use bytes::BufMut;
use core::fmt;

/// How many bytes one chaining value stands for. Checkpoints are taken at multiples of this.
pub const GROUP: u64 = 64 * 1024;

/// The 32-byte BLAKE3 digest of a file or of its beginning.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest with these bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The digest of `data`.
    pub fn of(data: &[u8]) -> Self {
        Self(*blake3::hash(data).as_bytes())
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&blake3::Hash::from_bytes(self.0).to_hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// BLAKE3 over a file from its beginning, which can stop and continue.
///
/// ```
/// use bowline_core::transfer::{Digest, Hasher};
///
/// let file = vec![7; 300_000];
/// let mut hasher = Hasher::new();
/// hasher.update(&file[..200_000]);
/// let checkpoint = hasher.checkpoint();        // ... and the process dies.
/// assert_eq!(checkpoint.offset(), 196_608);
///
/// let mut hasher = Hasher::resume(&checkpoint);
/// hasher.update(&file[196_608..]);
/// assert_eq!(hasher.digest(), Digest::of(&file));
/// ```
#[derive(Clone)]
pub struct Hasher {
    /// Chaining values of the finished groups, largest subtree first. The last one is merged into its neighbours only
    /// when another group is finished, so that two always remain to make the root from.
    stack: Vec<[u8; 32]>,
    /// How many groups the stack covers.
    groups: u64,
    /// The current group: 1 to `GROUP` bytes, once there are any.
    tail: blake3::Hasher,
    tail_len: u64,
}

impl Hasher {
    /// A hasher at the beginning of a file.
    pub fn new() -> Self {
        Self { stack: Vec::new(), groups: 0, tail: blake3::Hasher::new(), tail_len: 0 }
    }

    /// A hasher at the offset of a checkpoint.
    pub fn resume(checkpoint: &Checkpoint) -> Self {
        let mut hasher = Self {
            stack: checkpoint.stack.clone(),
            groups: checkpoint.groups,
            tail: blake3::Hasher::new(),
            tail_len: 0,
        };
        hasher.start_group();
        hasher
    }

    /// How many bytes have been hashed.
    pub fn offset(&self) -> u64 {
        self.groups * GROUP + self.tail_len
    }

    /// Hashes the next bytes of the file.
    pub fn update(&mut self, mut data: &[u8]) {
        while !data.is_empty() {
            // A full group is finished only when more bytes follow: a file of one group has no tree to merge.
            if self.tail_len == GROUP {
                self.finish_group();
            }
            let take = data.len().min((GROUP - self.tail_len) as usize);
            let (now, later) = data.split_at(take);
            self.tail.update(now);
            self.tail_len += take as u64;
            data = later;
        }
    }

    fn finish_group(&mut self) {
        let value = self.tail.finalize_non_root();
        merge_equal(&mut self.stack, self.groups);
        self.stack.push(value);
        self.groups += 1;
        self.start_group();
    }

    fn start_group(&mut self) {
        self.tail = blake3::Hasher::new();
        self.tail.set_input_offset(self.groups * GROUP);
        self.tail_len = 0;
    }

    /// The digest of everything hashed so far. Hashing can continue afterwards.
    pub fn digest(&self) -> Digest {
        if self.groups == 0 {
            return Digest(*self.tail.finalize().as_bytes());
        }
        let mut stack = self.stack.clone();
        if self.tail_len > 0 {
            merge_equal(&mut stack, self.groups);
            stack.push(self.tail.finalize_non_root());
        }
        // There are at least two entries: one for the newest group, and those before it.
        while stack.len() > 2 {
            merge_last(&mut stack);
        }
        match stack[..] {
            [left, right] => Digest(*hazmat::merge_subtrees_root(&left, &right, Mode::Hash).as_bytes()),
            _ => unreachable!("a checkpoint of a lone group is never issued"),
        }
    }

    /// What a new process needs to continue from the last finished group; offset 0 before there are two of them.
    pub fn checkpoint(&self) -> Checkpoint {
        let mut at_edge = self.clone();
        if at_edge.tail_len == GROUP {
            at_edge.finish_group();
        }
        // The chaining value of a lone group cannot become a root.
        if at_edge.groups < 2 {
            return Checkpoint::start();
        }
        Checkpoint { groups: at_edge.groups, stack: at_edge.stack }
    }
}

/// Merges finished subtrees of equal size, so that the stack of `groups` groups can take one more. If there are no
/// groups, there is nothing to merge.
fn merge_equal(stack: &mut Vec<[u8; 32]>, groups: u64) {
    (0..groups.trailing_zeros()).for_each(|_| merge_last(stack));
}

fn merge_last(stack: &mut Vec<[u8; 32]>) {
    if let (Some(right), Some(left)) = (stack.pop(), stack.pop()) {
        stack.push(hazmat::merge_subtrees_non_root(&left, &right, Mode::Hash));
    }
}

impl Default for Hasher {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hasher").field("offset", &self.offset()).finish_non_exhaustive()
    }
}

/// The state of a [`Hasher`] at the edge of a group, to be stored on a disk.
#[derive(Clone, PartialEq, Eq)]
pub struct Checkpoint {
    groups: u64,
    stack: Vec<[u8; 32]>,
}

/// These bytes are not a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a hash checkpoint of {len} bytes does not fit {groups} groups")]
pub struct CheckpointError {
    groups: u64,
    len: usize,
}

impl Checkpoint {
    /// The checkpoint at the beginning of a file.
    pub const fn start() -> Self {
        Self { groups: 0, stack: Vec::new() }
    }

    /// Where hashing continues.
    pub fn offset(&self) -> u64 {
        self.groups * GROUP
    }

    /// The length of the encoded form: 8 bytes, plus 32 for each chaining value; at most 1,864.
    pub fn encoded_len(&self) -> usize {
        8 + 32 * self.stack.len()
    }

    /// Writes the checkpoint: the number of groups (u64, big-endian), then the chaining values.
    pub fn encode(&self, out: &mut impl BufMut) {
        out.put_u64(self.groups);
        for value in &self.stack {
            out.put_slice(value);
        }
    }

    /// Reads what [`encode`](Self::encode) wrote.
    ///
    /// # Errors
    /// If the number of bytes does not match the number of groups.
    pub fn decode(bytes: &[u8]) -> Result<Self, CheckpointError> {
        let len = bytes.len();
        let Some((groups, values)) = bytes.split_first_chunk::<8>() else {
            return Err(CheckpointError { groups: 0, len });
        };
        let groups = u64::from_be_bytes(*groups);
        let bad = CheckpointError { groups, len };
        let depth = match groups {
            0 => 0,
            1 => return Err(bad),
            // The newest group is kept separate from the others, which form a binary counter.
            more => 1 + (more - 1).count_ones() as usize,
        };
        if groups > u64::MAX / GROUP || values.len() != 32 * depth {
            return Err(bad);
        }
        let stack = values.chunks_exact(32).filter_map(|value| value.try_into().ok()).collect();
        Ok(Self { groups, stack })
    }
}

impl fmt::Debug for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Checkpoint").field("offset", &self.offset()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;

    fn file(len: usize) -> Vec<u8> {
        (0..len).map(|i| (i / 3 + i / 65_536) as u8).collect()
    }

    #[test]
    fn digests_equal_those_of_the_plain_hash_at_every_boundary() {
        let group = GROUP as usize;
        let data = file(9 * group + 2);
        for groups in 0..=9 {
            for delta in [-1_isize, 0, 1] {
                let Some(len) = (groups * group).checked_add_signed(delta) else { continue };
                let mut hasher = Hasher::new();
                hasher.update(&data[..len]);
                assert_eq!(hasher.digest(), Digest::of(&data[..len]), "length {len}");
                assert_eq!(hasher.offset(), len as u64);
            }
        }
    }

    #[test]
    fn a_checkpoint_at_any_position_leads_to_the_same_digest() {
        let group = GROUP as usize;
        let data = file(11 * group + 77);
        for stop in (0..data.len()).step_by(group / 2 + 1).chain((0..11).map(|g| g * group)) {
            let mut first = Hasher::new();
            first.update(&data[..stop]);
            let mut bytes = vec![];
            let checkpoint = first.checkpoint();
            checkpoint.encode(&mut bytes);
            assert_eq!(bytes.len(), checkpoint.encoded_len());
            let restored = Checkpoint::decode(&bytes).expect("what was encoded");
            assert_eq!(restored, checkpoint);
            // The end of the last whole group, if there are two.
            let whole = if stop < 2 * group { 0 } else { stop / group * group };
            assert_eq!(restored.offset(), whole as u64);

            let mut second = Hasher::resume(&restored);
            second.update(&data[restored.offset() as usize..stop]);
            assert_eq!(second.digest(), Digest::of(&data[..stop]), "prefix of {stop}");
            second.update(&data[stop..]);
            assert_eq!(second.digest(), Digest::of(&data), "resumed at {stop}");
        }
    }

    #[test]
    fn a_lone_group_gives_no_checkpoint() {
        let mut hasher = Hasher::new();
        hasher.update(&file(GROUP as usize + 1));
        assert_eq!(hasher.checkpoint().offset(), 0);
    }

    #[test]
    fn a_checkpoint_of_a_tebibyte_fits_a_journal_slot() {
        let groups = (1_u64 << 40) / GROUP;
        let depth = 1 + (groups - 1).count_ones() as usize;
        let checkpoint = Checkpoint { groups, stack: vec![[0; 32]; depth] };
        assert!(checkpoint.encoded_len() < 1024, "{}", checkpoint.encoded_len());
    }

    #[test]
    fn damaged_checkpoints_are_refused() {
        let mut hasher = Hasher::new();
        hasher.update(&file(5 * GROUP as usize));
        let mut bytes = vec![];
        hasher.checkpoint().encode(&mut bytes);
        assert!(Checkpoint::decode(&bytes[..bytes.len() - 1]).is_err());
        assert!(Checkpoint::decode(&bytes[..7]).is_err());
        assert!(Checkpoint::decode(&[0, 0, 0, 0, 0, 0, 0, 1]).is_err());
        assert!(Checkpoint::decode(&[255; 8]).is_err());
    }

    #[test]
    fn a_checkpoint_beyond_the_largest_file_is_refused() {
        let decoded = |groups: u64| {
            let depth = 1 + (groups - 1).count_ones() as usize;
            let mut bytes = vec![];
            Checkpoint { groups, stack: vec![[0; 32]; depth] }.encode(&mut bytes);
            Checkpoint::decode(&bytes).map(|checkpoint| checkpoint.offset()).ok()
        };
        let most = u64::MAX / GROUP;
        let offsets = [most - 1, most, most + 1].map(decoded);
        assert_eq!(offsets, [Some((most - 1) * GROUP), Some(most * GROUP), None]);
    }
}
