//! A device in memory that several processes share, and that keeps of what was not synchronised whatever it likes.
//!
//! ```text
//!   write ─▶ what processes see ──── sync ───▶ what is stored
//!                   │                              │
//!                   └── power cut: each piece of a file old or new, each length old or new,
//!                       each change of a name made or not; a rename loses neither name before it has the other
//! ```
//!
//! A call that changes something can be made to fail, or to be the last of its process.

mod files;
mod state;

pub(crate) use files::{ModelFile, ModelFolder};
pub(crate) use state::Device;

use std::io;

/// What happens at a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// The process dies; of a write a part is done.
    Death,
    /// The call fails.
    Once(io::ErrorKind),
    /// So does every later one.
    Always(io::ErrorKind),
}

/// How much of what was not synchronised survives a power cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    Nothing,
    Everything,
    /// Whatever the dice say.
    Some,
}

#[cfg(test)]
mod tests;
