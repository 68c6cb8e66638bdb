//! Traffic to start from.

use super::choices::{Body, Manner, Op, Size, Traffic};
use crate::fuzz::choice::{Blob, Many, Seed};

fn size(bytes: usize) -> Size {
    let (unit, number) = match bytes {
        0..0x1_0000 => (1, bytes),
        0x1_0000..0x8_0000 => (2, bytes / 8),
        _ => (3, bytes / 32),
    };
    Size { unit, number: u16::try_from(number).expect("not longer") }
}

fn body(len: usize, shared: bool) -> Body {
    Body { len: size(len), from: (len % 251) as u8, shared }
}

/// Large messages in one frame.
fn generous() -> Manner {
    let fragment = Some(size(1 << 20));
    Manner { fragment, send_buffer: size(2_000_000), receive_buffer: size(2_000_000), in_pieces: false }
}

/// Fragments of as many bytes.
fn cutting(fragment: usize) -> Manner {
    Manner { fragment: Some(size(fragment)), ..generous() }
}

fn ping() -> Op {
    Op::Ping(true, Blob::from("?"))
}

/// Each way in which a body can be sent, and each way to stop in the middle of it.
pub(in crate::fuzz) fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    use Op::{
        Beat, Binary, Blocked, Close, Drop, Fail, KeepPlaces, Miscount, Parts, Piece, Read, ReadNothing,
        Settle, Take, TakeAll, Text, Write, WriteAll,
    };
    let traffic =
        |client: Manner, ops: &[Op]| Traffic { client, server: generous(), ops: Many(ops.to_vec()) }.seed();
    let masked_late = || Binary(true, body(700_000, true));
    vec![
        (
            "masked_as_it_leaves",
            traffic(
                generous(),
                &[masked_late(), Write(true, size(5)), ping(), WriteAll(true), masked_late()],
            ),
        ),
        (
            "masked_where_it_lies",
            traffic(generous(), &[Binary(true, body(700_000, false)), Write(true, size(99_999)), ping()]),
        ),
        (
            "parts_of_each_kind",
            traffic(
                cutting(20_000),
                &[
                    Parts(true, body(20, true), body(50_000, true), body(9, false)),
                    Write(true, size(20_010)),
                    Parts(true, body(5000, false), body(50_000, false), body(5000, true)),
                    ping(),
                    Write(true, size(20_010)),
                    Parts(false, body(20, true), body(700_000, true), body(5000, false)),
                    Write(false, size(30)),
                    Op::Ping(false, Blob::from("!")),
                ],
            ),
        ),
        (
            "pieces_with_pings_between",
            traffic(
                cutting(300_000),
                &[
                    Piece(true, false, body(280_000, true), false),
                    ping(),
                    Write(true, size(10)),
                    Piece(true, false, body(0, false), false),
                    Piece(true, false, body(10, false), false),
                    ping(),
                    Write(true, size(280_000)),
                    Piece(true, false, body(400_000, false), true),
                ],
            ),
        ),
        (
            "places_serve_again",
            traffic(
                generous(),
                &[
                    KeepPlaces(false, true),
                    masked_late(),
                    Settle,
                    masked_late(),
                    WriteAll(true),
                    Read(false, size(100_000), true),
                    WriteAll(true),
                    WriteAll(true),
                    Read(false, size(1 << 20), true),
                    TakeAll(false, false),
                    Drop(false, 1),
                    masked_late(),
                    Settle,
                    Drop(false, 9),
                    masked_late(),
                    Settle,
                    Beat(false),
                    ReadNothing(false),
                    KeepPlaces(false, false),
                ],
            ),
        ),
        (
            "lent_and_given",
            traffic(
                generous(),
                &[
                    Text(true, body(10, false)),
                    Binary(true, body(20, false)),
                    Text(true, body(30, false)),
                    Binary(true, body(40, false)),
                    Text(true, body(70_000, false)),
                    Binary(true, body(5000, false)),
                    Text(true, body(0, false)),
                    WriteAll(true),
                    Read(false, size(1 << 20), false),
                    Take(false, true),
                    Take(false, true),
                    Take(false, false),
                    TakeAll(false, true),
                ],
            ),
        ),
        (
            "a_failure_inside_what_is_masked",
            traffic(generous(), &[masked_late(), Write(true, size(5)), masked_late(), ping(), Fail(true)]),
        ),
        (
            "a_close_behind_what_is_masked",
            traffic(
                generous(),
                &[masked_late(), Write(true, size(300_000)), Blocked(true), masked_late(), Close(true)],
            ),
        ),
        (
            "a_miscount_inside_what_is_masked",
            traffic(
                generous(),
                &[masked_late(), Write(true, size(5)), ping(), Miscount(true, size(100_000), size(0))],
            ),
        ),
        (
            "a_miscount_of_what_is_not_masked_yet",
            traffic(generous(), &[masked_late(), Miscount(true, size(100), size(200_000))]),
        ),
        (
            "a_miscount_of_an_idle_host",
            traffic(generous(), &[masked_late(), Settle, Miscount(true, size(0), size(0)), Settle]),
        ),
        ("small_fragments", traffic(cutting(3), &[Binary(true, body(2000, true)), ping(), Close(false)])),
    ]
}
