//! Lives whose point is their end.

use super::{client, hurried, life, server};
use crate::fuzz::choice::{Blob, ms};
use crate::fuzz::connection::choices::{Op, Settings};

/// Silence, sleep, failures, and Close frames in every order.
pub(super) fn ends() -> Vec<(&'static str, Vec<u8>)> {
    use Op::{
        Abort, AtLast, Blocked, Close, End, Fail, Frame, Pass, PeerCloses, PeerPongs, Read, Send, SendText,
        Sleep, Take, TakeAll, Timeout, Wake, Write, WriteAll,
    };
    let blob = |text: &str| Blob::from(text);
    let quick = Settings { times: Some(hurried()), ..server() };
    vec![
        (
            "dies_of_silence",
            life(
                quick.clone(),
                [Sleep, Timeout, WriteAll, Sleep, Timeout, WriteAll, Sleep, Timeout, WriteAll, TakeAll],
            ),
        ),
        (
            "cannot_write",
            life(
                quick.clone(),
                [Send(2000), Write(10), Blocked, Sleep, Timeout, Sleep, Timeout, Sleep, Timeout, TakeAll],
            ),
        ),
        (
            "write_fails",
            life(
                server(),
                [
                    Send(1000),
                    Write(16),
                    End(2),
                    Read(Blob::from(b"\x88\x82\0\0\0\0\x03\xf3")),
                    WriteAll,
                    TakeAll,
                ],
            ),
        ),
        ("write_fails_and_nothing_is_there", life(quick, [Send(9), End(2), Sleep, Timeout, TakeAll])),
        (
            "sleeps_and_wakes",
            life(
                client(),
                [
                    Pass(ms(100_000)),
                    Timeout,
                    WriteAll,
                    Wake(ms(3_600_000)),
                    WriteAll,
                    PeerPongs,
                    Sleep,
                    Timeout,
                    TakeAll,
                ],
            ),
        ),
        (
            "a_close_behind_a_message",
            life(
                server(),
                [
                    Frame(0x82, blob("a")),
                    PeerCloses(1000, blob("")),
                    Take,
                    SendText(blob("b")),
                    Take,
                    Timeout,
                    Close(1001, blob("")),
                    Sleep,
                    Timeout,
                    WriteAll,
                    End(0),
                    TakeAll,
                ],
            ),
        ),
        (
            "the_end_of_time",
            life(
                client(),
                [
                    AtLast,
                    Timeout,
                    WriteAll,
                    Frame(0x82, blob("a")),
                    Timeout,
                    Close(1000, blob("")),
                    WriteAll,
                    Timeout,
                    TakeAll,
                ],
            ),
        ),
        (
            "fails",
            life(
                client(),
                [Send(200), Write(3), Fail(1011, blob("why")), WriteAll, Frame(0x82, blob("x")), TakeAll],
            ),
        ),
        (
            "a_fault_behind_a_failed_write",
            life(server(), [End(2), Frame(0x81, Blob::from(b"good\xffbad")), TakeAll]),
        ),
        ("aborts", life(server(), [Send(200), Write(3), Abort, WriteAll, TakeAll])),
        (
            "closes_cross",
            life(
                server(),
                [
                    Close(1001, blob("")),
                    PeerCloses(1000, blob("")),
                    PeerCloses(1000, blob("")),
                    WriteAll,
                    End(0),
                    TakeAll,
                ],
            ),
        ),
        (
            "a_bad_close",
            life(client(), [PeerCloses(1005, Blob::from(b"\xff")), Frame(0x02, blob("")), WriteAll, TakeAll]),
        ),
        (
            "no_frames_behind_both_closes",
            life(
                client(),
                [
                    Frame(0x02, blob("begun")),
                    PeerCloses(1000, blob("")),
                    TakeAll,
                    Timeout,
                    WriteAll,
                    Frame(0x82, blob("another")),
                    WriteAll,
                    TakeAll,
                ],
            ),
        ),
        (
            "no_answer_to_our_close",
            life(
                Settings { times: Some(hurried()), ..client() },
                [Close(4000, blob("a")), WriteAll, Sleep, Timeout, TakeAll],
            ),
        ),
    ]
}
