//! Talks to start from.

use super::choices::{Act, Good, Talk};
use crate::fuzz::choice::{Many, Seed, ms};

/// An upload and a download, with one thing after another going wrong in the middle.
pub(in crate::fuzz) fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let goods = [
        Good { is_upload: true, len: 20_000 },
        Good { is_upload: false, len: 12_000 },
        Good { is_upload: true, len: 0 },
    ];
    let round = [
        Act::Say(true, 8),
        Act::Say(false, 8),
        Act::Hear(false, 8),
        Act::Hear(true, 8),
        Act::Work(true),
        Act::Work(false),
    ];
    let talk = |faults: &[Act]| {
        let acts = [&round[..], &round[..2], faults, &round[2..], &round[..2], faults, &round[2..]].concat();
        Talk { credit: 3, sync: 20_000, goods: Many(goods.to_vec()), acts: Many(acts) }.seed()
    };
    vec![
        ("quiet", talk(&[])),
        ("cut", talk(&[Act::Cut])),
        ("crash", talk(&[Act::Crash])),
        ("crash_after_a_sync", talk(&[Act::Later(ms(1500)), Act::Work(false), Act::Crash])),
        ("a_message_is_lost", talk(&[Act::Drop(true, 1)])),
        ("an_answer_is_lost", talk(&[Act::Drop(false, 0)])),
        ("a_message_comes_twice", talk(&[Act::Twice(true, 0), Act::Twice(false, 0)])),
        ("answers_change_places", talk(&[Act::Swap(false, 0)])),
        ("chunks_change_places", talk(&[Act::Swap(true, 1)])),
        ("a_message_is_damaged", talk(&[Act::Flip(true, 1, 300)])),
        ("an_answer_is_damaged", talk(&[Act::Flip(false, 0, 70)])),
        ("nothing_for_minutes", talk(&[Act::Later(ms(65_000)), Act::Later(ms(65_000))])),
    ]
}
