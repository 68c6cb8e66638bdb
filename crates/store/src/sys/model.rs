//! A device in memory, shared by several processes, which may keep or lose anything that was not synced.
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
    /// The process dies; a write is done in part.
    Death,
    /// The call fails.
    Once(io::ErrorKind),
    /// So does every later one.
    Always(io::ErrorKind),
}

/// How much of what was not synced survives a power cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    Nothing,
    Everything,
    /// Decided at random.
    Some,
}

#[cfg(test)]
mod tests;
