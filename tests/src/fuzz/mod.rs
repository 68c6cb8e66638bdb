//! What the fuzzers do with arbitrary bytes. The same functions replay the corpora in the ordinary tests, so that
//! nothing that was found once returns unnoticed.
//!
//! Each takes any bytes at all and panics if a machine misbehaves. Most of them let the bytes choose a value, which
//! says who does what and when. Then a fuzzer need not find out about masks, lengths and checksums, and a failing input
//! is printed as its meaning.

mod choice;
mod closing;
mod connection;
mod crossing;
mod decode;
mod differential;
mod exchange;
mod feed;
mod handshake;
mod journal;
mod listing;
mod pair;
mod reader;
mod seeds;
mod session;
mod transfers;
mod wire;

pub use closing::closing;
pub use connection::connection;
pub use crossing::crossing;
pub use decode::decode;
pub use differential::{conversation, differential, nearly_valid};
pub use exchange::exchange;
pub use handshake::handshake;
pub use journal::journal;
pub use listing::listing;
pub use pair::pair;
pub use seeds::{Seed, seeds};
pub use session::session;
pub use transfers::transfers;
pub use wire::wire;

use feed::Feed;
use wire::with_checksum;

/// The function that uses the bytes.
pub type Target = fn(&[u8]);

/// All targets, by the names of their corpora.
pub const TARGETS: [(&str, Target); 13] = [
    ("decode", decode),
    ("connection", connection),
    ("pair", pair),
    ("crossing", crossing),
    ("closing", closing),
    ("differential", differential),
    ("handshake", handshake),
    ("wire", wire),
    ("transfers", transfers),
    ("listing", listing),
    ("session", session),
    ("journal", journal),
    ("exchange", exchange),
];
