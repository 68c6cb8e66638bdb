//! What a sender says about a file.

use super::{Batch, Kind, SafeName, TransferId, UnixMode, Validator};

/// A file, or a folder, to send.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Offer {
    /// The transfer: the same id continues where an earlier process stopped.
    pub id: TransferId,
    /// The name for the receiver to use.
    pub name: SafeName,
    /// What it is.
    pub kind: Kind,
    /// How many bytes it has; a folder has none. `None` if that is known only at its end: report it then by
    /// [`Transfers::end`](super::Transfers::end).
    pub length: Option<u64>,
    /// When it was last changed, in milliseconds since 1970; 0 if unknown.
    pub mtime_ms: i64,
    /// Its permissions. `None` leaves them to the receiver.
    pub unix_mode: Option<UnixMode>,
    /// A text that distinguishes this version of the file from others.
    pub validator: Option<Validator>,
    /// Which other transfers it belongs to.
    pub batch: Option<Batch>,
    /// How many shares of the link it gets besides its first one, while others are under way. 0 by default.
    pub priority: u16,
}

impl Offer {
    /// A file with this name and length; its other properties can be set afterwards.
    pub fn new(id: TransferId, name: SafeName, length: u64) -> Self {
        Self {
            id,
            name,
            kind: Kind::File,
            length: Some(length),
            mtime_ms: 0,
            unix_mode: None,
            validator: None,
            batch: None,
            priority: 0,
        }
    }

    /// The same for a source whose length is not known yet, such as a pipe. A peer that does not support [the
    /// feature](super::wire::UNKNOWN_LENGTH) is not offered it: the transfer fails.
    pub fn of_unknown_length(id: TransferId, name: SafeName) -> Self {
        Self { length: None, ..Self::new(id, name, 0) }
    }

    /// A folder with this name; its other properties can be set afterwards.
    pub fn folder(id: TransferId, name: SafeName) -> Self {
        Self { kind: Kind::Folder, ..Self::new(id, name, 0) }
    }
}
