//! What an offer says besides its bytes: whether it is a file or a folder, which batch it belongs to, and its
//! permissions. Also what can be requested.

use super::SafeName;
use core::fmt;

/// What is offered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// A file.
    #[default]
    File,
    /// A folder. It has no bytes; its contents are offered separately. An offer of the folder makes empty folders
    /// arrive, and carries the time and mode of any folder.
    Folder,
    /// The contents of a folder, as a [`Listing`](super::Listing): the answer to a request that names a folder, or that
    /// asks only for a listing.
    Listing,
}

/// What can be requested from a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// The file with this name, or the listing of the folder with this name.
    Named(SafeName),
    /// A listing rather than a file: of the folder with this name, or of the file, which gives one line. `None`: of
    /// everything.
    Listing(Option<SafeName>),
}

impl What {
    /// The name used where there must be one: `listing` if it has none.
    pub fn label(&self) -> SafeName {
        match self {
            Self::Named(name) | Self::Listing(Some(name)) => name.clone(),
            Self::Listing(None) => SafeName::of_everything(),
        }
    }
}

/// Marks a transfer as one of several that belong together.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Batch {
    /// Identifies the batch.
    pub id: [u8; 16],
    /// The position of the transfer in the batch, from 0.
    pub index: u32,
    /// How many there are, as far as the sender knows; 0 while unknown.
    pub count: u32,
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Batch({self} {} of {})", self.index, self.count)
    }
}

impl fmt::Display for Batch {
    /// The first digits of the id: enough to distinguish batches in a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.id[..4].iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Who may read, write and execute a file: the nine permission bits of Unix, and no others. The bits that run a program
/// with another user's rights (set-user-id, set-group-id), or that keep files from being removed (sticky), are not
/// transferred.
///
/// ```
/// use bowline_core::transfer::UnixMode;
/// assert_eq!(UnixMode::from_bits(0o104_750).bits(), 0o750);
/// assert_eq!(UnixMode::from_bits(0o640).to_string(), "640");
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct UnixMode(u16);

impl UnixMode {
    /// The permission bits among these; others are dropped.
    pub const fn from_bits(bits: u32) -> Self {
        Self((bits & 0o777) as u16)
    }

    /// The bits.
    pub const fn bits(self) -> u32 {
        self.0 as u32
    }
}

impl fmt::Display for UnixMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:03o}", self.0)
    }
}

impl fmt::Debug for UnixMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UnixMode({self})")
    }
}
