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
    /// What an end is like.
    struct Manner {
        fragment: Option<Size>,
        send_buffer: Size,
        receive_buffer: Size,
        /// It hears messages in pieces.
        in_pieces: bool,
    }
}

choice! {
    /// A number of bytes: as likely some as some hundred thousand.
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
        /// Somebody else holds them too.
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
        /// The transport takes so many bytes of those that are shown.
        Write(by_client: bool, most: Size),
        /// All that is shown.
        WriteAll(by_client: bool),
        /// The transport takes some of what is shown, and the host says that it was more than all.
        Miscount(by_client: bool, taken: Size, more: Size),
        Blocked(by_client: bool),
        /// So many bytes are read, to the place that is lent or from one of the host's own.
        Read(by_client: bool, most: Size, to_place: bool),
        ReadNothing(by_client: bool),
        /// The application takes one event, perhaps as it is lent.
        Take(by_client: bool, lent: bool),
        TakeAll(by_client: bool, lent: bool),
        /// It drops the oldest messages that it holds.
        Drop(by_client: bool, messages: u8),
        KeepPlaces(by_client: bool, keep: bool),
        /// Nothing goes on until the next beat.
        Beat(by_client: bool),
        /// Everything crosses, and is taken.
        Settle,
    }
}

impl Size {
    /// As many as two mebibytes.
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
        // A beat gives memory back, and asks for nothing.
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
