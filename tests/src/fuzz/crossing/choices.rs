//! What two ends send each other, and how their transports cut it.

use crate::fuzz::choice::{Blob, Many, choice};
use bowline_core::connection::Config;
use bowline_core::heartbeat::Mode;
use bowline_core::message::Delivery;
use bowline_core::{Connection, Instant, Role};

choice! {
    struct Traffic {
        client: Manner,
        server: Manner,
        ops: Many<Op>,
    }
}

choice! {
    /// The properties of an end.
    struct Manner {
        fragment: Option<Size>,
        send_buffer: Size,
        receive_buffer: Size,
        /// It receives messages in pieces.
        in_pieces: bool,
    }
}

choice! {
    /// A number of bytes: a few are as likely as some hundred thousand.
    struct Size {
        unit: u8,
        number: u16,
    }
}

choice! {
    /// Some bytes to send.
    struct Body {
        len: Size,
        /// Where in the pattern they begin.
        from: u8,
        /// Somebody else holds them, too.
        shared: bool,
    }
}

choice! {
    /// What the client does, or the server.
    enum Op {
        Text(by_client: bool, body: Body),
        Binary(by_client: bool, body: Body),
        Parts(by_client: bool, head: Body, body: Body, tail: Body),
        Piece(by_client: bool, is_text: bool, body: Body, is_last: bool),
        Ping(by_client: bool, payload: Blob),
        Close(by_client: bool),
        Fail(by_client: bool),
        /// The transport accepts this many of the bytes that are shown.
        Write(by_client: bool, most: Size),
        /// All that is shown.
        WriteAll(by_client: bool),
        /// The transport accepts some of what is shown, and the host reports more than there was.
        Miscount(by_client: bool, taken: Size, more: Size),
        Blocked(by_client: bool),
        /// This many bytes are read, into the buffer that is lent or into one of the host's own.
        Read(by_client: bool, most: Size, to_place: bool),
        ReadNothing(by_client: bool),
        /// The application takes one event, perhaps as a loan.
        Take(by_client: bool, lent: bool),
        TakeAll(by_client: bool, lent: bool),
        /// It drops the oldest messages that it holds.
        Drop(by_client: bool, messages: u8),
        KeepPlaces(by_client: bool, keep: bool),
        /// Nothing happens until the next heartbeat.
        Beat(by_client: bool),
        /// Everything crosses, and is taken.
        Settle,
    }
}

impl Size {
    /// Up to two mebibytes.
    pub(super) fn bytes(&self) -> usize {
        let number = usize::from(self.number);
        match self.unit % 4 {
            0 => number % 300,
            1 => number,
            2 => number * 8,
            _ => number * 32,
        }
    }
}

impl Manner {
    pub(super) fn connection(&self, role: Role) -> Connection {
        let mut config = Config::default();
        config.fragment = self.fragment();
        config.send_buffer = self.send_buffer.bytes();
        config.receive_buffer = self.receive_buffer.bytes();
        config.delivery = if self.in_pieces { Delivery::Pieces } else { Delivery::Whole };
        // A heartbeat frees memory, and requests none.
        config.heartbeat.mode = Mode::KeepaliveOnly;
        match role {
            Role::Client => Connection::client(config, [1; 32], Instant::ZERO),
            Role::Server => Connection::server(config, [2; 32], Instant::ZERO),
        }
    }

    pub(super) fn fragment(&self) -> Option<usize> {
        self.fragment.as_ref().map(|size| size.bytes().max(1))
    }
}
