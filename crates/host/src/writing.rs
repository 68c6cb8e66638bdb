//! The state of the writing side of a driver.

use std::io;

use bowline_core::End;

use crate::eof_after;

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
    /// It failed, and what was queued is lost. If a read finds that the stream has ended, this is the end.
    Failed(End),
}

impl Writing {
    /// A write failed with this error.
    pub fn failed(error: &io::Error) -> Self {
        Self::Failed(eof_after(error))
    }

    /// Whether a write failed.
    pub fn has_failed(self) -> bool {
        matches!(self, Self::Failed(_))
    }

    /// Whether nothing more can be written.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Ended | Self::Failed(_))
    }

    /// The end, if a read finds that the stream has ended.
    pub fn eof(self) -> End {
        if let Self::Failed(end) = self { end } else { End::Eof }
    }
}
