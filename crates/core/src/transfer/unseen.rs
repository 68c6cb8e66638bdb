//! What a peer has had told, and the host has not looked at.

use alloc::format;
use alloc::string::String;

/// So many events may wait that were caused by what came; each holds what one frame has brought, at the most. One read brings
/// fewer than that, even of frames that are made for it.
const MOST: usize = 64 << 10;

/// How many of the events that wait were caused by what came.
#[derive(Debug, Default)]
pub(crate) struct Unseen(usize);

impl Unseen {
    /// A message came, before which so many events waited, and so many behind it. What is wrong with a host that never looks
    /// at them: nothing else bounds what is kept for it.
    pub(crate) fn handle_message(&mut self, before: usize, behind: usize) -> Option<String> {
        self.0 += behind.saturating_sub(before);
        (self.0 > MOST).then(|| format!("{} events are waiting, and the host does not read them", self.0))
    }

    /// The host has looked, and so many are left.
    pub(crate) fn handle_look(&mut self, left: usize) {
        self.0 = self.0.min(left);
    }
}
