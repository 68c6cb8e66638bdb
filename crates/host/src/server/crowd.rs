//! How many links of a server are receiving files. They share the memory for data that waits for the disk.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bowline_core::Instant;

/// After this long, a file that is paused, or comes from an idle pipe, takes no share from others.
const STILL: Duration = Duration::from_secs(10);

/// The links that are receiving files.
#[derive(Clone, Debug, Default)]
pub(super) struct Crowd {
    links: Arc<AtomicU64>,
}

/// One of these links; it counts until it is dropped.
#[derive(Debug)]
pub(super) struct Member {
    crowd: Crowd,
}

impl Crowd {
    /// One more link is receiving.
    pub(super) fn join(&self) -> Member {
        self.links.fetch_add(1, Ordering::Relaxed);
        Member { crowd: self.clone() }
    }
}

impl Member {
    /// Each link's share.
    pub(super) fn share(&self, of: u64) -> u64 {
        of / self.crowd.links.load(Ordering::Relaxed).max(1)
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.crowd.links.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Progress on a link while it receives a file: how many bytes had arrived, and when the last of them did or the file
/// began.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Feed(Option<(u64, Instant)>);

impl Feed {
    /// This many bytes have arrived over the link by now, if it is receiving a file.
    pub(super) fn look(&mut self, now: Instant, received: Option<u64>) {
        self.0 = received.map(|came| self.0.filter(|(seen, _)| *seen == came).unwrap_or((came, now)));
    }

    /// Whether something arrives, or may be about to.
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
