//! A network without I/O: streams, links, and hosts that drive real machines over them, in virtual time.
//!
//! ```text
//!    Host ──▶ Stream ──▶ Host        a Link is two streams and the faults between them
//!   client ◀── Stream ◀── server     a Pair is two hosts on a link and a clock that jumps
//! ```
//!
//! The verbs are those of the machines: `handle_timeout(now)` does what is due, `poll_timeout()` says when the next
//! thing is. Nothing here looks at a clock, so a day passes in a moment, and a run is repeated exactly by its seed.

mod host;
mod link;
mod pair;
mod path;
mod pieces;
mod stream;
#[cfg(test)]
mod tests;

pub use host::Host;
pub use link::{Idle, Link, Then, other};
pub use pair::Pair;
pub use path::Path;
pub use pieces::Pieces;
pub use stream::{Read, Stream, WriteFailed};

use bowline_core::Rng;

/// A generator for this seed.
pub fn rng(seed: u64) -> Rng {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_be_bytes());
    Rng::from_seed(bytes)
}
