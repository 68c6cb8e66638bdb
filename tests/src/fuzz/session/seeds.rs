//! Affairs to start from.

use super::choices::{Act, Affair, Forged};
use crate::fuzz::choice::{Blob, Many, Seed, ms};

const CLIENT: bool = true;
const SERVER: bool = false;

fn affair(confirms: bool, acts: &[&[Act]]) -> Vec<u8> {
    Affair { most: 7, window: 3, confirms, acts: Many(acts.concat()) }.seed()
}

/// Both send something, and both receive it.
fn talk() -> Vec<Act> {
    vec![
        Act::Say(CLIENT, 5),
        Act::Carry(CLIENT, 2),
        Act::Carry(SERVER, 2),
        Act::Carry(CLIENT, 4),
        Act::Say(SERVER, 9),
        Act::Shout(SERVER, 2),
        Act::Carry(SERVER, 4),
        Act::Take(CLIENT),
        Act::Take(SERVER),
        Act::Wait(ms(200)),
        Act::Carry(CLIENT, 2),
        Act::Carry(SERVER, 2),
    ]
}

/// Messages over links that are cut, sessions that are lost in each way, and each kind of frame that nobody has sent.
pub(in crate::fuzz) fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let many = |by_client| vec![Act::Say(by_client, 20); 12];
    let forged = |to_client, frame| affair(false, &[&talk(), &[Act::Forge(to_client, frame)], &talk()]);
    let own = |epoch, last| Forged::Resume(true, epoch, last);
    vec![
        ("talk", affair(false, &[&talk(), &talk()])),
        ("talk_that_is_confirmed", affair(true, &[&talk(), &talk()])),
        ("full", affair(false, &[&many(CLIENT), &talk(), &many(SERVER), &talk()])),
        (
            "cut",
            affair(false, &[&talk(), &[Act::Say(CLIENT, 1), Act::Carry(CLIENT, 1), Act::Cut(true)], &talk()]),
        ),
        (
            "cut_unnoticed",
            affair(true, &[&talk(), &many(SERVER), &[Act::Carry(SERVER, 3), Act::Cut(false)], &talk()]),
        ),
        (
            "answer_is_lost",
            affair(false, &[&[Act::Carry(CLIENT, 1), Act::Cut(false)], &talk(), &[Act::Cut(true)], &talk()]),
        ),
        (
            "expired",
            affair(
                false,
                &[
                    &talk(),
                    &many(SERVER),
                    &[Act::Gone(ms(60_000), false)],
                    &talk(),
                    &[Act::Gone(ms(200_000), false)],
                    &talk(),
                ],
            ),
        ),
        ("goodbye", affair(false, &[&talk(), &many(SERVER), &[Act::Gone(ms(1), true)], &talk()])),
        ("closed", affair(true, &[&talk(), &many(CLIENT), &[Act::Carry(CLIENT, 2), Act::Close], &talk()])),
        ("a_gap", forged(SERVER, Forged::Data(9, 0, 3))),
        ("ack_of_unsent", forged(CLIENT, Forged::Ack(u64::MAX))),
        ("a_stolen_name", forged(SERVER, own(1, 0))),
        (
            "an_old_epoch",
            affair(false, &[&talk(), &[Act::Cut(true), Act::Forge(SERVER, own(0, 0))], &talk()]),
        ),
        ("another_session", forged(SERVER, Forged::Resume(false, 0, 0))),
        ("resumed_twice", forged(CLIENT, Forged::Resumed(u32::MAX, u32::MAX, u64::MAX))),
        (
            "busy",
            affair(
                false,
                &[&[Act::Carry(CLIENT, 1), Act::Forge(CLIENT, Forged::NewSession(0, 5000))], &talk()],
            ),
        ),
        ("forgotten", forged(CLIENT, Forged::NewSession(1, 0))),
        ("unknown_type", forged(SERVER, Forged::Bytes(Blob::from(b"\x5f\0\0\0\0\0\0\0")))),
        ("short", forged(SERVER, Forged::Bytes(Blob::from(b"\x52\0\0\0\0\0\0\0")))),
    ]
}
