//! Events that a peer has caused, and the host has not polled.

use alloc::format;
use alloc::string::String;

/// How many events caused by input may be queued; each holds at most what one frame has brought. One read brings fewer
/// than that, even if its frames are made for it.
const MOST: usize = 64 << 10;

/// How many of the queued events were caused by input.
#[derive(Debug, Default)]
pub(crate) struct Unseen(usize);

impl Unseen {
    /// A message arrived; `before` and `behind` are how many events were queued before and after it. Returns the fault
    /// of a host that never polls: nothing else limits what is kept for it.
    pub(crate) fn handle_message(&mut self, before: usize, behind: usize) -> Option<String> {
        self.0 += behind.saturating_sub(before);
        (self.0 > MOST).then(|| format!("{} events are waiting, and the host does not read them", self.0))
    }

    /// The host has polled, and this many events are left.
    pub(crate) fn handle_look(&mut self, left: usize) {
        self.0 = self.0.min(left);
    }
}
