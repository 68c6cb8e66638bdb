//! How a host cuts what it reads and writes.

use bowline_core::Rng;

/// The sizes of a host's reads and writes. Nobody should be able to tell the difference, except by its speed.
#[derive(Clone, Debug)]
pub enum Pieces {
    /// As much as there is.
    Whole,
    /// One byte at a time.
    Bytes,
    /// From one byte to 64 KiB, small ones as likely as large ones.
    Random(Box<Rng>),
}

impl Pieces {
    /// Random pieces that are always the same for the same seed.
    pub fn random(seed: u64) -> Self {
        Self::Random(Box::new(super::rng(seed)))
    }

    /// The size of the next piece of `len` bytes: at least 1, at most `len`, if that is not 0.
    pub fn next(&mut self, len: usize) -> usize {
        match self {
            Self::Whole => len,
            Self::Bytes => len.min(1),
            Self::Random(rng) => {
                let most = 1_usize << (rng.next_u32() % 17);
                len.min(1 + rng.next_u32() as usize % most)
            }
        }
    }
}
