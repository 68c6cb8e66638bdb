//! How many links of a server receive files at the moment, which share what may wait in memory for the disk.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bowline_core::Instant;

/// A file that is paused, or comes from a pipe which nobody writes to, takes no share from others after so long.
const STILL: Duration = Duration::from_secs(10);

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

/// What comes over a link while a file is on its way in: how much had, and when the last of it came or the file began.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Feed(Option<(u64, Instant)>);

impl Feed {
    /// So many bytes have come in over the link by now, if a file is on its way in.
    pub(super) fn look(&mut self, now: Instant, received: Option<u64>) {
        self.0 = received.map(|came| self.0.filter(|(seen, _)| *seen == came).unwrap_or((came, now)));
    }

    /// Whether something comes, or may be about to.
    pub(super) fn is_live(&self, now: Instant) -> bool {
        self.0.is_some_and(|(_, at)| now - at < STILL)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_feed_is_live_while_something_comes() {
        let (mut feed, at) = (Feed::default(), Instant::from_millis);
        assert!(!feed.is_live(at(0)), "no file is on its way");
        feed.look(at(50_000), Some(7));
        assert!(feed.is_live(at(59_999)) && !feed.is_live(at(60_000)));
        feed.look(at(59_000), Some(7));
        assert!(!feed.is_live(at(60_000)), "nothing more has come");
        feed.look(at(61_000), Some(8));
        assert!(feed.is_live(at(70_999)));
        feed.look(at(62_000), None);
        assert!(!feed.is_live(at(62_000)));
    }

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
