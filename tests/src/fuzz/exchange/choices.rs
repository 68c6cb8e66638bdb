//! Which files there are, and what happens to the messages about them.

use crate::fuzz::choice::{Many, Span, choice};

choice! {
    struct Talk {
        /// Beyond what every transfer gets, in steps of 4 KiB.
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
        /// In steps of 7 bytes, so that some fit no chunk.
        len: u16,
    }
}

choice! {
    enum Act {
        /// An end puts messages on their way.
        Say(by_client: bool, messages: u8),
        /// An end hears messages.
        Hear(by_client: bool, messages: u8),
        /// An end does what its disk has to do.
        Work(by_client: bool),
        Drop(from_client: bool, at: u8),
        Twice(from_client: bool, at: u8),
        Swap(from_client: bool, at: u8),
        Flip(from_client: bool, at: u8, bit: u16),
        /// The link ends, and there is another one.
        Cut,
        /// The server's machine goes down, and what was not safe is gone.
        Crash,
        Later(after: Span),
    }
}
