//! Which files there are, and what happens to the messages about them.

use crate::fuzz::choice::{Many, Span, choice};

choice! {
    struct Talk {
        /// Besides what every transfer gets, in steps of 4 KiB.
        credit: u8,
        /// How many bytes are written before they are made safe.
        sync: u16,
        goods: Many<Good>,
        acts: Many<Act>,
    }
}

choice! {
    struct Good {
        is_upload: bool,
        /// In steps of 7 bytes, so that some fit into no chunk.
        len: u16,
    }
}

choice! {
    enum Act {
        /// An end sends messages.
        Say(by_client: bool, messages: u8),
        /// An end receives messages.
        Hear(by_client: bool, messages: u8),
        /// An end's disk carries out effects.
        Work(by_client: bool),
        Drop(from_client: bool, at: u8),
        Twice(from_client: bool, at: u8),
        Swap(from_client: bool, at: u8),
        Flip(from_client: bool, at: u8, bit: u16),
        /// The link ends, and there is another one.
        Cut,
        /// The server's machine crashes, and what was not safe is gone.
        Crash,
        Later(after: Span),
    }
}
