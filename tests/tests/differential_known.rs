//! Known differences between this library and tungstenite 0.30, and who is right. One test for each line, which fails
//! as soon as tungstenite changes; for everything else, `differential.rs` checks that the two agree.
//!
//! | RFC 6455 | what | this library | tungstenite |
//! |---|---|---|---|
//! | §5.2 | a length not in its shortest form | refuses with 1002 | takes the frame |
//! | §5.2 | a length of 2^63 and more | refuses with 1002 | refuses as too big (1009) |
//! | §10.4 | a length that no machine can hold, no limit set | refuses with 1009 | makes room for it, and panics |
//! | §5.2, §5.5, §5.1 | reserved bits; control frames that are long or fragments; a wrong mask | refuses at the header | refuses when the whole frame has come |
//! | §8.1 | text that is not UTF-8 inside a frame that is not whole | refuses at the bad byte | waits for the frame |
//! | §10.4 | a message of ever more empty fragments | refuses with 1008 | takes them for ever |
//! | §7.1.7 | a frame that is refused | sends a Close that says why | leaves that to the application |
//! | §7.4.2 | close code 1014, registered since | takes and echoes it | refuses with 1002 |
//! | §7.1.5 | an invalid close code | tells the number | tells 1002 instead |
//! | §7.4.1 | Close with a bad code and a bad reason | answers the code (1002) | answers the reason (1007) |
//! | §1.4 | frames behind the peer's Close, at a client | ignores and counts them | an error |
//! | §5.5.2 | a ping behind our own Close | answers | does not answer |
//! | §5.5.3 | many pings while nothing can be written | answers up to 16 | those that fit into its buffer, and the newest |
//! | §5.5 | an application that wants to send a ping of 126 bytes | cannot | sends it |
//! | §7.4.1 | an application that wants to send close code 1005 | cannot | sends it |

use bowline_core::closing::CloseError;
use bowline_core::connection::{Config, Event, PingError};
use bowline_core::frame::{Decoder, Header, Limits, Opcode};
use bowline_core::{Close, CloseCode, Connection, Disconnect, End, Instant, Role, mask};
use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use tungstenite::error::{CapacityError, ProtocolError};
use tungstenite::protocol::{CloseFrame, WebSocket, WebSocketConfig};
use tungstenite::{Error, protocol};

const NOW: Instant = Instant::ZERO;

/// A transport in memory.
#[derive(Debug, Default)]
struct Pipe {
    incoming: VecDeque<u8>,
    written: Vec<u8>,
    is_blocked: bool,
}

impl Read for Pipe {
    fn read(&mut self, place: &mut [u8]) -> io::Result<usize> {
        match self.incoming.read(place)? {
            0 => Err(ErrorKind::WouldBlock.into()),
            n => Ok(n),
        }
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.is_blocked {
            return Err(ErrorKind::WouldBlock.into());
        }
        self.written.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// tungstenite in this role, after these bytes have arrived.
fn theirs(role: Role, bytes: &[u8]) -> WebSocket<Pipe> {
    theirs_with(role, bytes, WebSocketConfig::default().read_buffer_size(256))
}

fn theirs_with(role: Role, bytes: &[u8], config: WebSocketConfig) -> WebSocket<Pipe> {
    let role = match role {
        Role::Client => protocol::Role::Client,
        Role::Server => protocol::Role::Server,
    };
    let pipe = Pipe { incoming: bytes.iter().copied().collect(), ..Pipe::default() };
    WebSocket::from_raw_socket(pipe, role, Some(config))
}

/// Whether tungstenite wants to see more before it returns anything.
fn waits(result: &Result<tungstenite::Message, Error>) -> bool {
    matches!(result, Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock)
}

/// This library in this role, after these bytes have arrived.
fn ours(role: Role, bytes: &[u8]) -> Connection {
    let mut connection = match role {
        Role::Client => Connection::client(Config::default(), [1; 32], NOW),
        Role::Server => Connection::server(Config::default(), [2; 32], NOW),
    };
    connection.handle_input(NOW, bytes);
    connection
}

/// The frames that we send.
fn sent(role: Role, connection: &mut Connection) -> Vec<(Opcode, Vec<u8>)> {
    let mut decoder = Decoder::new(bowline_tests::sim::other(role), &Limits::default());
    while !connection.output().is_empty() {
        let n = connection.output().len();
        decoder.push(connection.output());
        connection.handle_written(NOW, n);
    }
    let mut frames = Vec::new();
    while let Some(header) = decoder.decode().expect("we send what is right") {
        frames.push((header.opcode, decoder.payload().to_vec()));
    }
    frames
}

/// The code of the Close that we send.
fn close_code(role: Role, connection: &mut Connection) -> Option<CloseCode> {
    let sent = sent(role, connection);
    sent.iter()
        .find(|(opcode, _)| *opcode == Opcode::Close)
        .map(|(_, payload)| Close::decode(payload).0.code())
}

fn end(connection: &mut Connection) -> Disconnect {
    connection.handle_end(NOW, End::Eof);
    match std::iter::from_fn(|| connection.poll_event()).last() {
        Some(Event::Closed(disconnect)) => disconnect,
        other => panic!("{other:?}"),
    }
}

/// A frame from a client.
fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let opcode = Opcode::from_u8(first & 15).expect("an opcode");
    let header = Header { fin: first & 0x80 != 0, ..Header::new(opcode, payload.len() as u64) };
    let mut body = payload.to_vec();
    mask::apply(&mut body, [1, 2, 3, 4], 0);
    [&header.masked([1, 2, 3, 4]).encode(), &body[..]].concat()
}

#[test]
fn a_length_not_in_its_shortest_form_is_refused_here_only() {
    for padded in [&b"\x82\x7e\x00\x01x"[..], b"\x82\x7f\0\0\0\0\0\0\0\x01x"] {
        assert_eq!(
            close_code(Role::Client, &mut ours(Role::Client, padded)),
            Some(CloseCode::PROTOCOL_ERROR)
        );
        let message = theirs(Role::Client, padded).read().expect("a message");
        assert_eq!(message, tungstenite::Message::binary(b"x".to_vec()));
    }
}

#[test]
fn a_length_beyond_2_to_the_63rd_is_a_wrong_length_here_and_a_large_one_there() {
    let huge = b"\x82\x7f\x80\0\0\0\0\0\0\0";
    assert_eq!(close_code(Role::Client, &mut ours(Role::Client, huge)), Some(CloseCode::PROTOCOL_ERROR));
    let error = theirs(Role::Client, huge).read().expect_err("refused");
    assert!(matches!(error, Error::Capacity(CapacityError::MessageTooLong { .. })), "{error}");
}

#[test]
fn a_length_that_no_machine_can_hold_is_refused_here_and_panics_there() {
    let large = Header::new(Opcode::Binary, isize::MAX as u64).encode();
    let mut config = Config::default();
    (config.limits.frame, config.limits.message) = (None, None);
    let mut connection = Connection::client(config, [1; 32], NOW);
    connection.handle_input(NOW, &large);
    assert_eq!(close_code(Role::Client, &mut connection), Some(CloseCode::MESSAGE_TOO_BIG));
    let config = WebSocketConfig::default().max_frame_size(None).max_message_size(None);
    let mut theirs = theirs_with(Role::Client, &large, config);
    assert!(catch_unwind(AssertUnwindSafe(|| theirs.read())).is_err());
}

#[test]
fn a_wrong_header_is_refused_here_before_its_payload() {
    for (role, header) in [
        (Role::Client, &b"\xc2\x05"[..]),
        (Role::Client, b"\x89\x7e\x00\x7e"),
        (Role::Client, b"\x09\x05"),
        (Role::Client, b"\x82\x85\x01\x02\x03\x04"),
        (Role::Server, b"\x82\x05"),
    ] {
        assert_eq!(close_code(role, &mut ours(role, header)), Some(CloseCode::PROTOCOL_ERROR));
        assert!(waits(&theirs(role, header).read()), "{header:x?}");
        let whole = [header, &[0; 126]].concat();
        assert!(matches!(theirs(role, &whole).read(), Err(Error::Protocol(_))), "{header:x?}");
    }
}

#[test]
fn invalid_text_is_refused_here_before_its_frame_is_complete() {
    let begun = b"\x81\x05a\xff";
    assert_eq!(close_code(Role::Client, &mut ours(Role::Client, begun)), Some(CloseCode::INVALID_DATA));
    assert!(waits(&theirs(Role::Client, begun).read()));
    let whole = [&begun[..], b"bcd"].concat();
    assert!(matches!(theirs(Role::Client, &whole).read(), Err(Error::Utf8(_))));
}

#[test]
fn empty_fragments_have_an_end_here() {
    let most = Limits::default().fragments.expect("a limit") as usize;
    let endless = [&b"\x02\x00"[..], &b"\x00\x00".repeat(most)].concat();
    assert_eq!(close_code(Role::Client, &mut ours(Role::Client, &endless)), Some(CloseCode::POLICY));
    let message = theirs(Role::Client, &[&endless[..], b"\x80\x00"].concat()).read().expect("a message");
    assert!(message.is_binary() && message.is_empty());
}

#[test]
fn the_peer_is_told_of_a_refusal_here() {
    let reserved = b"\xc1\x00";
    let sent = sent(Role::Client, &mut ours(Role::Client, reserved));
    assert_eq!(sent, [(Opcode::Close, b"\x03\xeareserved bits 100 set".to_vec())]);
    let mut theirs = theirs(Role::Client, reserved);
    let error = theirs.read().expect_err("refused");
    assert!(matches!(error, Error::Protocol(ProtocolError::NonZeroReservedBits)), "{error}");
    assert!(theirs.flush().is_ok() && theirs.get_ref().written.is_empty());
}

#[test]
fn only_the_close_code_bad_gateway_is_judged_differently() {
    for code in 0..=u16::MAX {
        let close = [&b"\x88\x02"[..], &code.to_be_bytes()].concat();
        let ours = close_code(Role::Client, &mut ours(Role::Client, &close)).expect("an answer");
        let mut theirs = theirs(Role::Client, &close);
        theirs.read().expect("a close");
        theirs.flush().expect("written");
        let mut answer = Decoder::new(Role::Server, &Limits::default());
        answer.push(&theirs.get_ref().written);
        answer.decode().expect("right").expect("whole");
        let theirs = Close::decode(answer.payload()).0.code();
        assert_eq!(ours == theirs, code != 1014, "{code} is answered with {ours} and {theirs}");
    }
}

#[test]
fn an_invalid_close_code_is_reported_as_it_came_here() {
    let close = b"\x88\x02\x03\xec"; // 1004
    assert_eq!(end(&mut ours(Role::Client, close)).received().map(Close::code), Some(CloseCode::new(1004)));
    let message = theirs(Role::Client, close).read().expect("a close");
    let reason = "Protocol violation".into();
    assert_eq!(message, tungstenite::Message::Close(Some(CloseFrame { code: 1002.into(), reason })));
}

#[test]
fn the_code_is_judged_before_the_reason_of_a_close_here() {
    let close = b"\x88\x03\x03\xec\xff";
    assert_eq!(close_code(Role::Client, &mut ours(Role::Client, close)), Some(CloseCode::PROTOCOL_ERROR));
    assert!(matches!(theirs(Role::Client, close).read(), Err(Error::Utf8(_))));
}

#[test]
fn bytes_after_a_close_are_ignored_here() {
    let late = b"\x88\x02\x03\xe8\x82\x01x";
    let mut ours = ours(Role::Client, late);
    assert_eq!(close_code(Role::Client, &mut ours), Some(CloseCode::NORMAL));
    let disconnect = end(&mut ours);
    assert_eq!((disconnect.ignored_after_close(), disconnect.flaw()), (1, None));
    let mut theirs = theirs(Role::Client, late);
    assert!(theirs.read().expect("a close").is_close());
    let error = theirs.read().expect_err("refused");
    assert!(matches!(error, Error::Protocol(ProtocolError::ReceivedAfterClosing)), "{error}");
}

#[test]
fn a_ping_after_our_close_is_answered_here() {
    let mut ours = ours(Role::Server, b"");
    ours.close(NOW, Close::normal()).expect("open");
    sent(Role::Server, &mut ours);
    ours.handle_input(NOW, &masked(0x89, b"?"));
    assert_eq!(sent(Role::Server, &mut ours), [(Opcode::Pong, b"?".to_vec())]);

    let mut theirs = theirs(Role::Server, &masked(0x89, b"?"));
    theirs.close(None).expect("open");
    theirs.get_mut().written.clear();
    assert!(theirs.read().expect("a ping").is_ping());
    theirs.flush().expect("written");
    assert!(theirs.get_ref().written.is_empty());
}

#[test]
fn pings_that_come_while_nothing_can_be_written_are_all_answered_here() {
    let pings = b"\x89\x011\x89\x012\x89\x013";
    let pongs = sent(Role::Client, &mut ours(Role::Client, pings));
    assert_eq!(pongs, [b"1", b"2", b"3"].map(|payload| (Opcode::Pong, payload.to_vec())));

    // Room for one answer; a second one waits for its place, and the third one takes that.
    let config = WebSocketConfig::default().write_buffer_size(0).max_write_buffer_size(10);
    let mut theirs = theirs_with(Role::Client, pings, config);
    theirs.get_mut().is_blocked = true;
    for _ in 0..3 {
        assert!(theirs.read().expect("a ping").is_ping());
    }
    theirs.get_mut().is_blocked = false;
    theirs.flush().and_then(|()| theirs.flush()).expect("written");
    let mut pongs = Decoder::new(Role::Server, &Limits::default());
    pongs.push(&theirs.get_ref().written);
    let mut answered = Vec::new();
    while pongs.decode().expect("right").is_some() {
        answered.push(pongs.payload().to_vec());
    }
    assert_eq!(answered, [b"1", b"3"]);
}

#[test]
fn a_close_code_that_must_not_be_sent_cannot_be_sent_here() {
    assert_eq!(Close::new(1005, ""), Err(CloseError::InvalidCode(1005)));
    let mut theirs = theirs(Role::Server, b"");
    theirs.close(Some(CloseFrame { code: 1005.into(), reason: "".into() })).expect("open");
    assert_eq!(theirs.get_ref().written, b"\x88\x02\x03\xed");
}

#[test]
fn a_long_ping_is_sent_there_only() {
    assert_eq!(ours(Role::Server, b"").ping(NOW, &[0; 126]), Err(PingError::TooLong(126)));
    let mut theirs = theirs(Role::Server, b"");
    theirs.send(tungstenite::Message::Ping(vec![0; 126].into())).expect("open");
    assert_eq!(theirs.get_ref().written[..4], *b"\x89\x7e\x00\x7e");
    // The receiver refuses it, and tungstenite would, too.
    let written = theirs.get_ref().written.clone();
    assert_eq!(close_code(Role::Client, &mut ours(Role::Client, &written)), Some(CloseCode::PROTOCOL_ERROR));
    assert!(self::theirs(Role::Client, &written).read().is_err());
}
