//! Who came when: to a server, and to a transfer.

use std::sync::atomic::{AtomicU64, Ordering};

/// So many links and attaches there have been in this process.
static LAST: AtomicU64 = AtomicU64::new(0);

fn next_number() -> u64 {
    LAST.fetch_add(1, Ordering::Relaxed) + 1
}

/// The place of a link among all that this process has had. A sender has one link at a time, so what it says on an older one
/// than its latest is belated: it was held up on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LinkOrder(u64);

impl LinkOrder {
    /// Of a link that comes behind all others. Ask for it before the sender hears that the link is up, or it may be quicker
    /// with the next one.
    pub fn next() -> Self {
        Self(next_number())
    }
}

/// Whose turn an attach is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Turn {
    /// Above that of every attach before: epochs may begin anew, these never do.
    pub(crate) holder: u64,
    /// Of the link that it comes by.
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
