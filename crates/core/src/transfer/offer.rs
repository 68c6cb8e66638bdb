//! What a sender has to say of a file.

use super::{Batch, Kind, SafeName, TransferId, UnixMode, Validator};

/// A file, or a folder, to send.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Offer {
    /// The transfer: the same id goes on where an earlier process stopped.
    pub id: TransferId,
    /// The name that the receiver is to give it.
    pub name: SafeName,
    /// What it is.
    pub kind: Kind,
    /// How many bytes it has; a folder has none. `None` if that is known only at its end: say so then, by
    /// [`Transfers::end`](super::Transfers::end).
    pub length: Option<u64>,
    /// When it was changed last, in milliseconds since 1970; 0 if unknown.
    pub mtime_ms: i64,
    /// Who may use it. `None` leaves that to the receiver.
    pub unix_mode: Option<UnixMode>,
    /// What tells this version of the file from another.
    pub validator: Option<Validator>,
    /// Which other transfers it belongs to.
    pub batch: Option<Batch>,
    /// How many shares of the link it gets beside its first one, while others are under way. 0 by default.
    pub priority: u16,
}

impl Offer {
    /// A file of this name and length; its other properties can be set afterwards.
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

    /// The same for what has an end that nobody knows yet, such as what comes through a pipe. A peer that does not know
    /// [the feature](super::wire::UNKNOWN_LENGTH) is not offered it: the transfer fails.
    pub fn of_unknown_length(id: TransferId, name: SafeName) -> Self {
        Self { length: None, ..Self::new(id, name, 0) }
    }

    /// A folder of this name; its other properties can be set afterwards.
    pub fn folder(id: TransferId, name: SafeName) -> Self {
        Self { kind: Kind::Folder, ..Self::new(id, name, 0) }
    }
}
