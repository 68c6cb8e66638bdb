//! What two applications and the links between them do, and what a peer sends that follows no rule.

use crate::fuzz::choice::{Blob, Many, Span, choice};

choice! {
    struct Affair {
        /// How many messages each end keeps, beyond one.
        most: u8,
        /// How many it accepts unacknowledged, beyond one.
        window: u8,
        /// Messages are acknowledged when they are confirmed.
        confirms: bool,
        acts: Many<Act>,
    }
}

choice! {
    enum Act {
        /// One side sends this many bytes.
        Say(by_client: bool, len: u8),
        /// Now or never.
        Shout(by_client: bool, len: u8),
        /// What has arrived is taken.
        Take(by_client: bool),
        /// This many frames are written, and this many read by the other end.
        Carry(by_client: bool, frames: u8),
        /// The client dials again; the server has noticed, or has not.
        Cut(noticed: bool),
        /// The link is lost, and none follows for this long.
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
        /// Of any type, with a matching checksum.
        Bytes(bytes: Blob),
    }
}
