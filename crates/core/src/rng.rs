//! Seeded randomness for masks, jitter and nonces.
//!
//! The machines draw from a ChaCha stream that the caller seeds once, so a run can be repeated byte for byte, and
//! mask keys stay unpredictable to the application's peer (RFC 6455 §5.3 asks for a strong source of entropy).

use core::fmt;
use core::time::Duration;
use rand_chacha::ChaCha12Rng;
use rand_core::{Rng as _, SeedableRng as _};

/// A generator of random numbers that is wholly determined by its seed.
///
/// Give it 32 bytes from the operating system in production, and any constant in a test.
///
/// ```
/// use bowline_core::Rng;
/// let mut a = Rng::from_seed([7; 32]);
/// let mut b = Rng::from_seed([7; 32]);
/// assert_eq!(a.next_u64(), b.next_u64());
/// ```
#[derive(Clone)]
pub struct Rng(ChaCha12Rng);

impl Rng {
    /// A generator that always yields the same numbers for the same seed.
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self(ChaCha12Rng::from_seed(seed))
    }

    /// A new, independent generator, seeded from this one: for a child machine.
    #[must_use]
    pub fn fork(&mut self) -> Self {
        Self::from_seed(self.bytes())
    }

    /// The next 32 bits.
    pub fn next_u32(&mut self) -> u32 {
        self.0.next_u32()
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// The next `N` bytes.
    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.0.fill_bytes(&mut bytes);
        bytes
    }

    /// A number drawn evenly from `[0, 1)`.
    pub fn unit(&mut self) -> f64 {
        // 53 bits fill the mantissa of an f64 exactly.
        (self.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A duration drawn evenly from `[low, high)`; `low` if the range is empty.
    pub fn between(&mut self, low: Duration, high: Duration) -> Duration {
        low + high.saturating_sub(low).mul_f64(self.unit())
    }
}

impl fmt::Debug for Rng {
    /// The state is a secret: whoever knows it knows the masks to come.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rng { .. }")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    #[test]
    fn a_fork_differs_from_its_parent_yet_repeats() {
        let mut a = Rng::from_seed([1; 32]);
        let mut b = Rng::from_seed([1; 32]);
        let (mut fa, mut fb) = (a.fork(), b.fork());
        assert_eq!(fa.next_u64(), fb.next_u64());
        assert_ne!(fa.next_u64(), a.next_u64());
    }

    #[test]
    fn draws_stay_within_their_range() {
        let mut rng = Rng::from_seed([2; 32]);
        let (low, high) = (Duration::from_secs(5), Duration::from_secs(30));
        let draws: alloc::vec::Vec<_> = (0..1000).map(|_| rng.between(low, high)).collect();
        assert!(draws.iter().all(|d| (low..high).contains(d)));
        assert!(draws.iter().any(|d| *d < Duration::from_secs(7)));
        assert!(draws.iter().any(|d| *d > Duration::from_secs(28)));
        assert_eq!(rng.between(high, low), high);
    }

    #[test]
    fn debug_keeps_the_state_secret() {
        assert_eq!(format!("{:?}", Rng::from_seed([3; 32])), "Rng { .. }");
    }
}
