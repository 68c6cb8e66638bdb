//! What two applications and the links between them do, and what a peer says that follows no rule.

use crate::fuzz::choice::{Blob, Many, Span, choice};

choice! {
    struct Affair {
        /// How many messages each end keeps, beyond one.
        most: u8,
        /// How many it takes unacknowledged, beyond one.
        window: u8,
        /// Messages are acknowledged when they are confirmed.
        confirms: bool,
        acts: Many<Act>,
    }
}

choice! {
    enum Act {
        /// Somebody says so many bytes.
        Say(by_client: bool, len: u8),
        /// Now or never.
        Shout(by_client: bool, len: u8),
        /// What has come is taken.
        Take(by_client: bool),
        /// So many frames are written, and so many read by the other end.
        Carry(by_client: bool, frames: u8),
        /// The client dials again; the server has noticed, or has not.
        Cut(noticed: bool),
        /// The link is gone, and none follows for so long.
        Gone(for_long: Span, last_word: bool),
        Wait(span: Span),
        /// The application of the server ends the session.
        Close,
        /// A frame that nobody has sent.
        Forge(to_client: bool, frame: Forged),
    }
}

choice! {
    enum Forged {
        Data(number: u64, ack: u64, len: u8),
        Ack(last: u64),
        /// For the session of the client, or for another one.
        Resume(own: bool, epoch: u32, last: u64),
        Resumed(epoch: u32, window: u32, last: u64),
        NewSession(why: u32, millis: u32),
        /// Of any type, with a checksum that fits.
        Bytes(bytes: Blob),
    }
}
