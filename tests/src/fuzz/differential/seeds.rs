//! Streams and conversations to start from.

use super::Case;
use super::stream::{Damage, Say, Stream};
use super::talk::{Line, Talk};
use crate::fuzz::choice::{Blob, Many, Seed};

/// A correct stream, the same with each kind of damage, and some conversations.
pub(in crate::fuzz) fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let (abc, cuts) = (|| Blob::from(b"\0\x01\x09\x0d"), || Blob::from(b"\x01\x02"));
    let says = || {
        Many(vec![
            Say::Text(abc(), cuts()),
            Say::Ping("?".into(), true),
            Say::Binary("bytes".into(), Blob::default()),
            Say::Zeros(300, Blob::from(b"\x7d\x7e")),
            Say::Pong("!".into(), false),
            Say::Close(0, abc()),
        ])
    };
    let stream = |to_server, damage| {
        let stream = Stream { to_server, says: says(), damage, cuts: Blob::from(b"\x03\x01\x80") };
        Case::Nearly(stream).seed()
    };
    let broken = |damage| stream(true, Some(damage));
    let line = |ours, say| Line { ours, say };
    let talk = |we_dialled, lines: Vec<Line>| {
        let talk = Talk {
            we_dialled,
            in_pieces: !we_dialled,
            fragment: 50,
            lines: Many(lines),
            cuts: Blob::from(b"\x05\xff\x01"),
        };
        Case::Talk(talk).seed()
    };
    let both = || says().0.into_iter().flat_map(|say| [line(true, say.clone()), line(false, say)]).collect();
    vec![
        ("right_to_server", stream(true, None)),
        ("right_to_client", stream(false, None)),
        ("reserved", broken(Damage::Reserved(0, 3))),
        ("opcode", broken(Damage::Opcode(1, 11))),
        ("fin", broken(Damage::Fin(0))),
        ("fin_of_a_ping", broken(Damage::Fin(2))),
        ("mask", broken(Damage::Mask(3))),
        ("padded", broken(Damage::Padded(4, true, false))),
        ("padded_at_the_edge", broken(Damage::Padded(0, false, true))),
        ("huge", broken(Damage::Huge(4, 0))),
        ("claim", broken(Damage::Claim(5, 2000))),
        ("byte", broken(Damage::Byte(0, 0, 0xff))),
        ("no_letter", broken(Damage::NoLetter(1, 1, 7))),
        ("longer", broken(Damage::Longer(2, 1, 0))),
        ("longer_than_the_limit", broken(Damage::Longer(4, 4, 0))),
        ("half_a_code", broken(Damage::Shorter(9, 1))),
        ("swapped", broken(Damage::Swapped(0))),
        ("twice", broken(Damage::Twice(0))),
        ("missing", broken(Damage::Missing(0))),
        ("close_code", broken(Damage::CloseCode(6, 0))),
        ("flip", broken(Damage::Flip(77))),
        ("inserted", broken(Damage::Inserted(20, 0x81))),
        ("any_bytes", Case::Any(false, Blob::from(b"\x81\x03abc\x88\x00"), cuts()).seed()),
        ("talk_as_client", talk(true, both())),
        ("talk_as_server", talk(false, both())),
        (
            "they_close",
            talk(true, vec![line(true, Say::Zeros(2000, cuts())), line(false, Say::Close(1, abc()))]),
        ),
    ]
}
