//! How many links of a server receive files at the moment, which share what may wait in memory for the disk.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The links that receive files.
#[derive(Clone, Debug, Default)]
pub(super) struct Crowd {
    links: Arc<AtomicU64>,
}

/// One of them; it counts until it is dropped.
#[derive(Debug)]
pub(super) struct Member {
    crowd: Crowd,
}

impl Crowd {
    /// One more link receives.
    pub(super) fn join(&self) -> Member {
        self.links.fetch_add(1, Ordering::Relaxed);
        Member { crowd: self.clone() }
    }
}

impl Member {
    /// The share of each.
    pub(super) fn share(&self, of: u64) -> u64 {
        of / self.crowd.links.load(Ordering::Relaxed).max(1)
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.crowd.links.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_has_an_equal_share_while_it_receives() {
        let crowd = Crowd::default();
        let first = crowd.join();
        assert_eq!(first.share(1000), 1000);
        let others = [crowd.join(), crowd.join(), crowd.join()];
        assert_eq!(first.share(1000), 250);
        drop(others);
        assert_eq!(first.share(1000), 1000);
    }
}
