//! How large and how many chunks may be on a path that damages them: smaller ones are more likely to arrive intact.

/// The minimum. 1 KiB, the first frame of a link: a receiver has memory for as many chunks as it has given KiB of
/// credit.
const LEAST: u32 = 1024;
/// The factor by which chunks shrink with each damaged one. 4: from 512 KiB to 8 KiB takes three.
const SHRINK: u32 = 4;
/// Chunks grow again after this many times the largest allowed chunk has arrived intact. 16: over a path that damages a
/// byte every 200 KB, a file is sent less than twice; with 8, two and a half times.
const GROW_AFTER: u64 = 16;
/// How many of the largest chunks may be under way. 16: nearly the distance between two damaged bytes, because
/// everything behind a damaged chunk is sent again.
const UNDER_WAY: u64 = 16;

/// A limit on chunks; none as long as nothing is damaged.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Damage {
    most: Option<u32>,
    /// How many bytes have arrived intact since it changed.
    whole: u64,
}

impl Damage {
    /// The size for a chunk that would have this size without damage.
    pub(super) fn bound(&self, chunk: u32) -> u32 {
        self.most.map_or(chunk, |most| most.min(chunk))
    }

    /// How many bytes may be under way.
    pub(super) fn reach(&self) -> u64 {
        self.most.map_or(u64::MAX, |most| u64::from(most) * UNDER_WAY)
    }

    /// A chunk arrived damaged; the next ones would have this size.
    pub(super) fn handle_damaged(&mut self, chunk: u32) {
        *self = Self { most: Some((chunk / SHRINK).max(LEAST)), whole: 0 };
    }

    /// This many bytes arrived intact; no chunk is ever larger than `max_chunk`.
    pub(super) fn handle_whole(&mut self, len: u64, max_chunk: u32) {
        let Some(most) = self.most else { return };
        self.whole += len;
        if self.whole >= GROW_AFTER * u64::from(most) {
            *self = Self { most: Some(most.saturating_mul(2)).filter(|most| *most < max_chunk), whole: 0 };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_shrink_at_once_and_grow_slowly() {
        let mut damage = Damage::default();
        assert_eq!(damage.bound(512 << 10), 512 << 10);
        for most in [128, 32, 8, 2, 1, 1] {
            damage.handle_damaged(damage.bound(512 << 10));
            assert_eq!(damage.bound(512 << 10), most << 10);
        }
        damage.handle_whole(16 * 1024 - 1, 512 << 10);
        assert_eq!(damage.bound(512 << 10), 1 << 10);
        for most in [2, 4, 8, 16, 32, 64, 128, 256, 512] {
            damage.handle_whole(most * 8 * 1024, 512 << 10);
            assert_eq!(damage.bound(1 << 20), if most < 512 { (most as u32) << 10 } else { 1 << 20 });
        }
    }

    #[test]
    fn a_small_chunk_is_not_made_larger() {
        let mut damage = Damage::default();
        damage.handle_damaged(512 << 10);
        assert_eq!(damage.bound(16 << 10), 16 << 10);
    }

    #[test]
    fn sixteen_chunks_may_be_in_flight_after_damage() {
        let mut damage = Damage::default();
        assert_eq!(damage.reach(), u64::MAX);
        damage.handle_damaged(64 << 10);
        assert_eq!(damage.reach(), 256 << 10);
    }
}
