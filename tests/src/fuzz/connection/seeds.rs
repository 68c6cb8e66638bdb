//! Lives to start from.

mod ends;

use super::choices::{Life, Op, Settings, Times};
use crate::fuzz::choice::{Blob, Many, Seed, ms};
use std::convert::Into;

/// A server with plain settings.
fn server() -> Settings {
    Settings {
        is_client: false,
        start: 0,
        small_limits: false,
        in_pieces: false,
        send_buffer: 3000,
        receive_buffer: 3000,
        fragment: None,
        ping_limit: None,
        message_timeout: None,
        min_receive_rate: None,
        mode: 0,
        times: None,
    }
}

fn client() -> Settings {
    Settings { is_client: true, ..server() }
}

/// Pings after 100 ms, death 100 ms later.
fn hurried() -> Times {
    let (interval, timeout, timeout_max, grace) = (ms(100), ms(100), ms(200), ms(150));
    let (close, end, drain, stall) = (ms(50), ms(20), ms(10), ms(100));
    Times { interval, timeout, timeout_max, grace, jitter_percent: 0, close, end, drain, stall }
}

fn life(settings: Settings, ops: impl Into<Vec<Op>>) -> Vec<u8> {
    Life { settings, ops: Many(ops.into()) }.seed()
}

/// The ways a connection lives and ends, one by one.
pub(in crate::fuzz) fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    [talks(), ends::ends()].concat()
}

/// What may be sent, and what must not be.
fn talks() -> Vec<(&'static str, Vec<u8>)> {
    use Op::{
        At, Blocked, Close, End, Frame, Header, Input, Miscount, Pass, PeerCloses, PeerPongs, Ping,
        ReadNothing, Send, SendParts, SendPiece, SendText, SendTextPiece, SetHeartbeat, SetReading, Sleep,
        Take, TakeAll, Timeout, Write, WriteAll, Zeros,
    };
    let blob = |text: &str| Blob::from(text);
    let small = Settings { small_limits: true, ..server() };
    let pieces = Settings { fragment: Some(100), ..client() };
    let quick = Settings { times: Some(hurried()), ..server() };
    let guarded = Settings { ping_limit: Some(ms(50)), message_timeout: Some(ms(500)), ..server() };
    let slow = Settings { min_receive_rate: Some(100), ..server() };
    vec![
        (
            "hello_and_close",
            life(
                client(),
                [
                    Frame(0x81, blob("Hello")),
                    TakeAll,
                    SendText(blob("abc")),
                    WriteAll,
                    Close(1000, blob("z")),
                    WriteAll,
                    PeerCloses(1000, blob("bye")),
                    End(0),
                    TakeAll,
                ],
            ),
        ),
        (
            "fragments_around_a_ping",
            life(
                server(),
                [
                    Frame(0x01, blob("Hel")),
                    Frame(0x89, blob("?")),
                    Frame(0x80, blob("lo")),
                    WriteAll,
                    TakeAll,
                ],
            ),
        ),
        ("invalid_text", life(server(), [Frame(0x81, Blob::from(b"ab\xff")), WriteAll, End(0), TakeAll])),
        (
            "bytes_that_are_no_frames",
            life(client(), [Input(Blob::from(b"HTTP/1.1 200 OK\r\n")), WriteAll, TakeAll]),
        ),
        (
            "over_the_limits",
            life(
                small,
                [Zeros(0x02, 1000), Take, Zeros(0x80, 1500), WriteAll, Frame(0x82, blob("late")), TakeAll],
            ),
        ),
        (
            "a_header_that_promises_much",
            life(
                server(),
                [
                    Header(0x82, 1 << 40),
                    Input(blob("and little comes")),
                    ReadNothing,
                    Header(0x82, u64::MAX),
                    WriteAll,
                ],
            ),
        ),
        (
            "sends_in_pieces",
            life(
                pieces,
                [
                    Send(700),
                    Frame(0x89, blob("?")),
                    Write(50),
                    Blocked,
                    Write(200),
                    SendParts(3, 2000, 4),
                    WriteAll,
                    Send(60_000),
                    Send(1),
                    Write(4000),
                    WriteAll,
                ],
            ),
        ),
        (
            "stops_reading",
            life(
                Settings { receive_buffer: 100, ..server() },
                [
                    Zeros(0x82, 200),
                    Frame(0x82, blob("more")),
                    SetReading(false),
                    Pass(ms(60_000)),
                    Timeout,
                    WriteAll,
                    SetReading(true),
                    Take,
                    Timeout,
                    TakeAll,
                ],
            ),
        ),
        (
            "answers_pings",
            life(
                quick.clone(),
                [
                    Sleep,
                    Timeout,
                    WriteAll,
                    Pass(ms(30)),
                    PeerPongs,
                    TakeAll,
                    Sleep,
                    Timeout,
                    WriteAll,
                    PeerPongs,
                    TakeAll,
                ],
            ),
        ),
        (
            "the_heartbeat_is_set",
            life(
                client(),
                [SetHeartbeat(ms(5000)), Sleep, Timeout, WriteAll, SetHeartbeat(ms(0)), Timeout, TakeAll],
            ),
        ),
        (
            "pings_of_its_own",
            life(
                client(),
                [
                    Ping(blob("1")),
                    Ping(blob("2")),
                    WriteAll,
                    Pass(ms(50)),
                    PeerPongs,
                    TakeAll,
                    Ping(blob("3")),
                    TakeAll,
                ],
            ),
        ),
        (
            "sends_a_message_in_pieces",
            life(
                client(),
                [
                    SendTextPiece(blob("ab"), false),
                    Ping(blob("between")),
                    SendPiece(5, false),
                    Send(5),
                    SendTextPiece(blob(""), false),
                    Write(9),
                    SendTextPiece(blob("c"), true),
                    SendPiece(5000, false),
                    SendPiece(0, true),
                    WriteAll,
                ],
            ),
        ),
        (
            "gives_up_a_message_in_pieces",
            life(client(), [SendPiece(5, false), Close(1000, blob("")), SendPiece(5, true), WriteAll]),
        ),
        (
            "takes_a_message_in_pieces",
            life(
                Settings { in_pieces: true, ..server() },
                [
                    Frame(0x01, Blob::from(b"gr\xc3")),
                    TakeAll,
                    Frame(0x89, blob("between")),
                    Frame(0x80, Blob::from(b"\xbcn")),
                    Take,
                    TakeAll,
                    Header(0x82, 4000),
                    Input(blob("a part")),
                    TakeAll,
                    Input(blob("and another")),
                    End(0),
                    TakeAll,
                ],
            ),
        ),
        (
            "clock_steps_back",
            life(
                Settings { start: 1 << 40, ..client() },
                [
                    Pass(ms(5000)),
                    Frame(0x82, blob("a")),
                    At(0),
                    Timeout,
                    Frame(0x82, blob("b")),
                    Sleep,
                    Timeout,
                    WriteAll,
                    TakeAll,
                ],
            ),
        ),
        (
            "too_many_pings",
            life(
                guarded.clone(),
                [
                    Frame(0x89, blob("")),
                    Frame(0x89, blob("")),
                    Frame(0x89, blob("")),
                    Frame(0x89, blob("")),
                    WriteAll,
                    TakeAll,
                ],
            ),
        ),
        (
            "a_message_that_trickles",
            life(
                guarded,
                [
                    Frame(0x01, blob("a")),
                    Pass(ms(300)),
                    Frame(0x00, blob("b")),
                    Sleep,
                    Timeout,
                    WriteAll,
                    TakeAll,
                ],
            ),
        ),
        ("too_slow", life(slow, [Frame(0x01, blob("a")), Sleep, Timeout, Sleep, Timeout, WriteAll, TakeAll])),
        ("miscounts", life(client(), [Send(100), Write(7), Ping(blob("?")), Miscount(7), Send(5), TakeAll])),
        ("miscounts_nothing", life(server(), [Miscount(0), Miscount(60_000), WriteAll])),
    ]
}
