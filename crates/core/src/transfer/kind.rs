//! What an offer is about, beside its bytes: a file or a folder, one of many or alone, and who may use it. And what
//! somebody asks for.

use super::SafeName;
use core::fmt;

/// What is offered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// A file.
    #[default]
    File,
    /// A folder. It has no bytes; what it holds is offered by itself. It makes empty folders arrive, and carries the
    /// time and the mode of any.
    Folder,
    /// What a folder holds, as a [`Listing`](super::Listing): the answer to a request that names a folder, or that wants
    /// nothing but a listing.
    Listing,
}

/// What somebody asks a peer for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// The file of this name, or the listing of the folder that has it.
    Named(SafeName),
    /// A listing, and no file: of the folder of this name, or of the file, which has one line. `None`: of all that there is.
    Listing(Option<SafeName>),
}

impl What {
    /// The name that it goes by where there must be one: `listing`, if it has none itself.
    pub fn label(&self) -> SafeName {
        match self {
            Self::Named(name) | Self::Listing(Some(name)) => name.clone(),
            Self::Listing(None) => SafeName::of_everything(),
        }
    }
}

/// That a transfer is one of many which belong together.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Batch {
    /// Names the batch.
    pub id: [u8; 16],
    /// Counts its transfers, from 0.
    pub index: u32,
    /// How many there are, as far as the sender knows; 0 while it does not.
    pub count: u32,
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Batch({self} {} of {})", self.index, self.count)
    }
}

impl fmt::Display for Batch {
    /// The first digits of the id: enough to tell batches apart in a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.id[..4].iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Who may read, write and execute a file: the nine permission bits of Unix, and never any other. What runs a program
/// in somebody else's name (set-user-id, set-group-id) or keeps files from being removed (sticky) does not travel.
///
/// ```
/// use bowline_core::transfer::UnixMode;
/// assert_eq!(UnixMode::from_bits(0o104_750).bits(), 0o750);
/// assert_eq!(UnixMode::from_bits(0o640).to_string(), "640");
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct UnixMode(u16);

impl UnixMode {
    /// The permission bits of these; others are dropped.
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
