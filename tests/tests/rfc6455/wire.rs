//! Frames written and read by hand, so that none of our codecs vouches for itself, and one of our endpoints between
//! them.

use bowline_core::closing::{Disconnect, Kind, Transport};
use bowline_core::connection::{Config, Event};
use bowline_core::{CloseCode, Connection, End, Instant, Message, Role};
use core::time::Duration;

pub(crate) const FIN: u8 = 0x80;
pub(crate) const CONTINUATION: u8 = 0;
pub(crate) const TEXT: u8 = 1;
pub(crate) const BINARY: u8 = 2;
pub(crate) const CLOSE: u8 = 8;
pub(crate) const PING: u8 = 9;
pub(crate) const PONG: u8 = 10;

/// A key whose bytes all differ, so that a wrong rotation shows.
pub(crate) const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// A frame as it was found on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    /// FIN, the reserved bits and the opcode.
    pub(crate) first: u8,
    pub(crate) key: Option<[u8; 4]>,
    /// Unmasked.
    pub(crate) payload: Vec<u8>,
    /// How many bytes stand before the payload.
    pub(crate) header: usize,
}

impl Frame {
    pub(crate) fn opcode(&self) -> u8 {
        self.first & 0x0f
    }

    pub(crate) fn is_final(&self) -> bool {
        self.first & FIN != 0
    }

    /// The code and the reason of a Close; `None` if its body is empty.
    pub(crate) fn close(&self) -> Option<(u16, String)> {
        assert_eq!(self.first, FIN | CLOSE, "{self:?}");
        let (code, reason) = self.payload.split_first_chunk()?;
        Some((u16::from_be_bytes(*code), String::from_utf8(reason.to_vec()).expect("a reason in UTF-8")))
    }
}

/// The other end.
pub(crate) fn peer_of(role: Role) -> Role {
    match role {
        Role::Client => Role::Server,
        Role::Server => Role::Client,
    }
}

/// The header that a sender in `role` puts before a payload of this length.
pub(crate) fn header(role: Role, first: u8, len: u64) -> Vec<u8> {
    let mask = if role == Role::Client { 0x80 } else { 0 };
    let mut bytes = vec![first];
    match len {
        0..126 => bytes.push(mask | len as u8),
        126..0x1_0000 => {
            bytes.push(mask | 0x7e);
            bytes.extend(&len.to_be_bytes()[6..]);
        }
        _ => {
            bytes.push(mask | 0x7f);
            bytes.extend(len.to_be_bytes());
        }
    }
    if role == Role::Client {
        bytes.extend(KEY);
    }
    bytes
}

/// A complete frame as a sender in `role` must write it.
pub(crate) fn frame(role: Role, first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = header(role, first, payload.len() as u64);
    match role {
        Role::Client => bytes.extend(masked(payload, KEY)),
        Role::Server => bytes.extend(payload),
    }
    bytes
}

/// The payload under the key, as §5.3 defines it.
pub(crate) fn masked(payload: &[u8], key: [u8; 4]) -> Vec<u8> {
    payload.iter().enumerate().map(|(i, byte)| byte ^ key[i % 4]).collect()
}

/// The body of a Close.
pub(crate) fn body(code: u16, reason: &str) -> Vec<u8> {
    [&code.to_be_bytes(), reason.as_bytes()].concat()
}

/// The frames in these bytes, which must end with one.
pub(crate) fn parse(mut bytes: &[u8]) -> Vec<Frame> {
    fn take<'a>(bytes: &mut &'a [u8], n: usize) -> &'a [u8] {
        let (taken, rest) = bytes.split_at(n);
        *bytes = rest;
        taken
    }
    let mut frames = Vec::new();
    while !bytes.is_empty() {
        let before = bytes.len();
        let [first, second] = *take(&mut bytes, 2) else { unreachable!() };
        let len = match second & 0x7f {
            126 => take(&mut bytes, 2).iter().fold(0, |len, byte| len << 8 | usize::from(*byte)),
            127 => take(&mut bytes, 8).iter().fold(0, |len, byte| len << 8 | usize::from(*byte)),
            short => usize::from(short),
        };
        let key = (second & 0x80 != 0).then(|| take(&mut bytes, 4).try_into().unwrap());
        let header = before - bytes.len();
        let payload = masked(take(&mut bytes, len), key.unwrap_or_default());
        frames.push(Frame { first, key, payload, header });
    }
    frames
}

/// One of our endpoints, its application, which takes each event at once, and a transport that accepts every byte.
pub(crate) struct Endpoint {
    pub(crate) role: Role,
    pub(crate) connection: Connection,
    pub(crate) now: Instant,
    pub(crate) events: Vec<Event>,
}

impl Endpoint {
    pub(crate) fn with(role: Role, config: Config) -> Self {
        Self::seeded(role, config, [7; 32])
    }

    pub(crate) fn seeded(role: Role, mut config: Config, seed: [u8; 32]) -> Self {
        // So that it pings after exactly 20 s.
        config.heartbeat.jitter_percent = 0;
        let connection = match role {
            Role::Client => Connection::client(config, seed, Instant::ZERO),
            Role::Server => Connection::server(config, seed, Instant::ZERO),
        };
        Self { role, connection, now: Instant::ZERO, events: Vec::new() }
    }

    pub(crate) fn client() -> Self {
        Self::with(Role::Client, Config::default())
    }

    pub(crate) fn server() -> Self {
        Self::with(Role::Server, Config::default())
    }

    /// One of each role, for the rules that bind both.
    pub(crate) fn both() -> [Self; 2] {
        [Self::client(), Self::server()]
    }

    /// One of each role with this configuration.
    pub(crate) fn both_with(config: &Config) -> [Self; 2] {
        [Self::with(Role::Client, config.clone()), Self::with(Role::Server, config.clone())]
    }

    /// A frame arrives from the peer, as a peer of its role must write it.
    pub(crate) fn hears(&mut self, first: u8, payload: &[u8]) {
        let bytes = frame(peer_of(self.role), first, payload);
        self.hears_bytes(&bytes);
    }

    /// These bytes arrive from the peer.
    pub(crate) fn hears_bytes(&mut self, bytes: &[u8]) {
        self.connection.handle_input(self.now, bytes);
        self.take_events();
    }

    /// Time passes, and deadlines are kept.
    pub(crate) fn waits(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(deadline) = self.connection.poll_timeout().filter(|deadline| *deadline <= until) {
            self.now = self.now.max(deadline);
            self.connection.handle_timeout(self.now);
            self.take_events();
        }
        self.now = until;
    }

    pub(crate) fn sends(&mut self, message: Message) {
        self.connection.send(self.now, message).expect("room for a message");
    }

    pub(crate) fn closes(&mut self, code: u16, reason: &str) {
        let close = bowline_core::Close::new(code, reason).expect("a Close that can be sent");
        self.connection.close(self.now, close).expect("a connection that is open");
    }

    /// All the bytes that it writes.
    pub(crate) fn writes(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        while !self.connection.output().is_empty() {
            let n = self.connection.output().len();
            bytes.extend(self.connection.output());
            self.connection.handle_written(self.now, n);
        }
        self.take_events();
        bytes
    }

    /// All the frames that it writes.
    pub(crate) fn says(&mut self) -> Vec<Frame> {
        parse(&self.writes())
    }

    /// The only frame that it writes.
    pub(crate) fn says_one(&mut self) -> Frame {
        let [frame] = <[Frame; 1]>::try_from(self.says()).expect("one frame");
        frame
    }

    /// The messages that have arrived since the last call.
    pub(crate) fn messages(&mut self) -> Vec<Message> {
        let events = core::mem::take(&mut self.events).into_iter();
        let messages =
            events.filter_map(|event| if let Event::Message(message) = event { Some(message) } else { None });
        messages.collect()
    }

    /// The peer ends the transport. Returns what is reported about the connection.
    pub(crate) fn ends(&mut self) -> Disconnect {
        self.connection.handle_end(self.now, End::Eof);
        self.take_events();
        self.told()
    }

    /// The last event, which must be the end.
    pub(crate) fn told(&self) -> Disconnect {
        match self.events.last() {
            Some(Event::Closed(disconnect)) => disconnect.clone(),
            other => panic!("no end but {other:?}"),
        }
    }

    fn take_events(&mut self) {
        self.events.extend(core::iter::from_fn(|| self.connection.poll_event()));
    }
}

/// Checks that an endpoint fails the connection over these bytes, at the last one and not before: it sends a Close with
/// this code and nothing after it, ignores what else arrives, and ends the transport as its role must.
pub(crate) fn fails(mut us: Endpoint, bytes: &[u8], code: u16) {
    let context = format!("{:?} over {bytes:02x?}", us.role);
    let (last, before) = bytes.split_last().expect("something to fail over");
    for byte in before {
        us.hears_bytes(&[*byte]);
    }
    assert!(us.connection.is_open(), "too early: {context}");
    us.says();
    let heard = us.messages();

    us.hears_bytes(&[*last]);
    let [close] = &us.says()[..] else { panic!("not over the last byte: {context}") };
    assert_eq!(close.close().map(|(code, _)| code), Some(code), "{context}");
    us.hears(FIN | TEXT, b"not looked at");
    us.hears(FIN | PING, b"not answered");
    assert_eq!(us.writes(), b"", "{context}");
    assert_eq!(us.messages(), [], "after {heard:?}: {context}");
    assert_ends_as_its_role_has_to(us, &context);
}

/// Checks the end of a connection whose Close has left: the server ends TCP, and the client waits for that, both for a
/// limited time.
fn assert_ends_as_its_role_has_to(mut us: Endpoint, context: &str) {
    let transport = us.connection.transport();
    let expected = if us.role == Role::Server { Transport::FinishWriting } else { Transport::Keep };
    assert_eq!(transport, expected, "{context}");
    let disconnect = us.ends();
    assert!(
        matches!(disconnect.kind(), Kind::WeFailed(_) | Kind::ProtocolViolation),
        "{context}: {disconnect}"
    );
    assert_eq!(us.connection.transport(), Transport::Drop, "{context}");
}

/// The codes that are allowed in a Close, at the edges of their ranges, and those that are not.
pub(crate) const VALID_CODES: [u16; 14] =
    [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1014, 3000, 3999, 4000];
pub(crate) const INVALID_CODES: [u16; 15] =
    [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 1999, 2000, 2999, 5000, 5999, u16::MAX];

/// The code as the core names it.
pub(crate) fn code(code: u16) -> CloseCode {
    CloseCode::new(code)
}
