//! Affairs to start from.

use super::choices::{Act, Affair, Fault, Manner, Way, What};
use crate::fuzz::choice::{Many, Seed, ms};

fn act(after: u64, by_client: bool, what: What) -> Act {
    Act { after: ms(after), by_client, what }
}

fn plain() -> Manner {
    Manner { pieces: None, late: ms(0), writes_first: false, clock_steps_back: false }
}

fn sloppy() -> Manner {
    Manner { pieces: Some(3), late: ms(5000), writes_first: true, clock_steps_back: true }
}

/// Messages, long silences, and each kind of fault and end.
pub(in crate::fuzz) fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let affair = |manner: &Manner, acts: &[Act], faults: &[Fault]| {
        let way = Way { latency: 20, rate: Some(2), segment: 1460, buffers: 60_000 };
        let (client, server) = (manner.clone(), manner.clone());
        let (acts, faults) = (Many(acts.to_vec()), Many(faults.to_vec()));
        Affair { way, client, server, acts, faults }.seed()
    };
    let talk = || {
        vec![
            act(10, true, What::Text("hello".into())),
            act(5, false, What::Binary(50_000)),
            act(0, true, What::Binary(60_000)),
            act(50_000, false, What::Text("still there".into())),
        ]
    };
    let and = |what| [talk(), vec![act(100, true, what)]].concat();
    let deaf = [
        vec![act(0, false, What::Listen(false))],
        talk(),
        talk(),
        vec![act(60_000, false, What::Listen(true))],
    ]
    .concat();
    let asleep = |span| {
        let others = talk().into_iter().chain(talk()).filter(|act| act.by_client);
        [act(0, false, What::Sleep(ms(span)))].into_iter().chain(others).collect::<Vec<_>>()
    };
    vec![
        ("talk", affair(&plain(), &talk(), &[])),
        ("talk_of_sloppy_hosts", affair(&sloppy(), &talk(), &[])),
        ("close", affair(&plain(), &and(What::Close(7)), &[])),
        (
            "closes_cross",
            affair(&plain(), &[and(What::Close(7)), vec![act(1, false, What::Close(8))]].concat(), &[]),
        ),
        ("fail", affair(&sloppy(), &and(What::Fail), &[])),
        ("abort", affair(&plain(), &and(What::Abort), &[])),
        ("nobody_listens", affair(&plain(), &deaf, &[])),
        ("a_process_sleeps", affair(&plain(), &asleep(50_000), &[])),
        ("a_process_sleeps_for_long", affair(&plain(), &asleep(600_000), &[])),
        ("the_machine_wakes", affair(&plain(), &and(What::Wake(ms(7_200_000))), &[])),
        ("cut", affair(&plain(), &talk(), &[Fault::Cut(false, 3000, false)])),
        ("reset", affair(&sloppy(), &talk(), &[Fault::Cut(true, 3, true)])),
        ("black_hole", affair(&plain(), &talk(), &[Fault::Swallow(true, true, ms(5000))])),
        ("half_a_black_hole", affair(&plain(), &talk(), &[Fault::Swallow(false, false, ms(9000))])),
        ("idle_limit", affair(&plain(), &talk(), &[Fault::Idle(ms(15_000), 0)])),
        ("forgetful_path", affair(&plain(), &talk(), &[Fault::Idle(ms(15_000), 3)])),
        ("a_header_is_damaged", affair(&plain(), &talk(), &[Fault::Damage(false, 0, 0x40)])),
        ("a_length_is_damaged", affair(&plain(), &talk(), &[Fault::Damage(false, 1, 1)])),
        ("text_is_damaged", affair(&plain(), &talk(), &[Fault::Damage(true, 8, 0x80)])),
    ]
}
