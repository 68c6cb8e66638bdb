//! The state of the writing side of a driver.

/// What writing to a stream has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Writing {
    /// The stream accepts more.
    Open,
    /// The stream accepts no more for now, and the connection knows.
    Blocked,
    /// We ended it, and everything has left.
    Ended,
    /// It failed, and what was queued is lost.
    Failed,
}

impl Writing {
    /// Whether nothing more can be written.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Ended | Self::Failed)
    }
}
