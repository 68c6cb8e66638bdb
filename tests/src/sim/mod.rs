//! A network without I/O: streams, links, and hosts that drive real machines over them, in virtual time.
//!
//! ```text
//!    Host ──▶ Stream ──▶ Host        a Link is two streams and the faults between them
//!   client ◀── Stream ◀── server     a Pair is two hosts on a link and a clock that jumps
//!                                    a World is a Session on many pairs, and disks at both ends
//! ```
//!
//! The verbs are those of the machines: `handle_timeout(now)` does what is due, `poll_timeout()` says when the next
//! thing is due. Nothing here looks at a clock, so a day passes in a moment, and a seed repeats a run exactly.

mod disk;
mod host;
mod link;
mod pair;
mod path;
mod pieces;
mod stream;
#[cfg(test)]
mod tests;
mod world;

pub use disk::{Disk, Worker};
pub use host::{Did, Host};
pub use link::{Idle, Link, Then, other};
pub use pair::Pair;
pub use path::Path;
pub use pieces::Pieces;
pub use stream::{Read, Stream, WriteFailed};
pub use world::{Dialler, Past, World};

use bowline_core::Rng;

/// A generator for this seed.
pub fn rng(seed: u64) -> Rng {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_be_bytes());
    Rng::from_seed(bytes)
}

/// The bytes of a file: they differ from place to place and from seed to seed.
pub fn contents(seed: u64, len: usize) -> Vec<u8> {
    let words = len.div_ceil(8) as u64;
    let start = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut bytes = Vec::with_capacity(len + 8);
    for word in 0..words {
        // Multiplication by an odd number is one-to-one: no two words of a file are the same.
        let mixed = (start ^ word).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bytes.extend_from_slice(&(mixed ^ mixed >> 31).to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}
