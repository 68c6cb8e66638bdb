//! The order in which links came to a server, and attaches to a transfer.

use std::sync::atomic::{AtomicU64, Ordering};

/// How many links and attaches there have been in this process.
static LAST: AtomicU64 = AtomicU64::new(0);

fn next_number() -> u64 {
    LAST.fetch_add(1, Ordering::Relaxed) + 1
}

/// The position of a link among all links of this process. A sender has one link at a time, so whatever arrives on a
/// link older than its latest was held up on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LinkOrder(u64);

impl LinkOrder {
    /// For a link after all others. Call it before the sender learns that the link is up; otherwise its next link might
    /// come first.
    pub fn next() -> Self {
        Self(next_number())
    }
}

/// The position of an attach in the order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Turn {
    /// Higher than that of every earlier attach: epochs may start over, these never do.
    pub(crate) holder: u64,
    /// That of the link that it came by.
    pub(crate) link: LinkOrder,
}

impl Turn {
    /// The next attach, by this link.
    pub(crate) fn on(link: LinkOrder) -> Self {
        Self { holder: next_number(), link }
    }

    /// The next attach, by a link of its own.
    pub(crate) fn alone() -> Self {
        Self::on(LinkOrder::next())
    }
}
