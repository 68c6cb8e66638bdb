//! Stories to start from.

use super::{Fact, Past, Story, Told};
use crate::fuzz::choice::{Blob, Many, Seed, ms};

/// The ways in which a connection can end, one by one.
pub(in crate::fuzz) fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    use Fact::{
        Answer, Blocked, Close, Data, Dead, End, Fail, Flushed, Pass, PeerCloses, PeerClosesBehindData,
        PeerClosesWith, Ping, Pong, Received, Sent, SetReading, SkipData, Sleep, Stalled, Timeout,
    };
    let quiet = || Told {
        place: 0,
        opcode: 2,
        got: 0,
        missing: 0,
        incomplete_message: 0,
        queued: 0,
        messages: 1,
        ping: 0,
        waited: ms(0),
        pings: 0,
        pongs: 0,
        answer_time: None,
    };
    let tell = |facts: &[Fact], evidence: Told, past: &[Past]| {
        let (facts, past) = (Many(facts.to_vec()), Many(past.to_vec()));
        Story { is_client: true, waits: None, facts, evidence, past }.seed()
    };
    let story = |facts: &[Fact]| tell(facts, quiet(), &[]);
    let unanswered = || Told { ping: 2, waited: ms(20_000), pings: 3, ..quiet() };
    let past = |age, silence, which| Past { age: ms(age), silence: ms(silence), which, got: 0 };
    vec![
        (
            "both_close",
            story(&[Close(1000, "done".into()), Flushed, PeerClosesWith(1000, "done".into()), End(0)]),
        ),
        (
            "peer_closes",
            story(&[PeerClosesWith(1012, "deploy".into()), Sent, Flushed, Data, Ping, Sleep, Timeout]),
        ),
        (
            "escapes_in_a_reason",
            story(&[PeerClosesWith(4000, Blob::from(b"\x1b]0;x\x07\r\n\xe2\x80\xae\xc2\x9b")), Flushed]),
        ),
        (
            "peer_closes_behind_data",
            story(&[
                PeerClosesBehindData(1001, "".into()),
                Data,
                Pong,
                SetReading(false),
                Answer,
                Sent,
                Flushed,
                End(0),
            ]),
        ),
        (
            "nobody_answers",
            story(&[PeerClosesBehindData(1001, "".into()), Sleep, Timeout, Sleep, Timeout, Sleep, Timeout]),
        ),
        ("half_a_code", story(&[PeerCloses(Blob::from(b"\x03")), Flushed, End(1)])),
        ("a_reason_that_is_no_text", story(&[PeerClosesWith(1000, Blob::from(b"\xff\xfe")), Flushed])),
        ("a_code_that_is_none", story(&[PeerClosesWith(1006, "".into()), Flushed, End(0)])),
        ("fails", story(&[Fail(1002, "reserved bits 100 set".into()), Flushed, Data, Sleep, Timeout])),
        (
            "fails_with_a_code_that_is_none",
            story(&[Fail(1005, "x".into()), Flushed, PeerClosesWith(1002, "".into())]),
        ),
        ("no_answer", story(&[Close(1001, "".into()), Flushed, Received, Sleep, Timeout, Sleep, Timeout])),
        ("our_close_does_not_leave", story(&[Close(1001, "".into()), Blocked, Sleep, Timeout])),
        (
            "a_write_fails",
            story(&[Pass(ms(30_000)), End(2), SkipData, PeerClosesWith(1011, "ping timeout".into())]),
        ),
        ("a_write_fails_for_good", story(&[End(2), Sleep, SkipData, Sleep, Timeout])),
        ("dead", tell(&[Received, Pass(ms(40_000)), Dead], unanswered(), &[])),
        ("never_ponged", tell(&[Pass(ms(65_000)), Sent, Pass(ms(20_000)), Dead], unanswered(), &[])),
        (
            "a_stall",
            tell(
                &[Pass(ms(9000)), Blocked, Pass(ms(40_000)), Dead],
                Told { ping: 1, queued: 5 << 20, ..quiet() },
                &[],
            ),
        ),
        ("idle_for_a_minute", story(&[Received, Pass(ms(60_040)), End(0)])),
        (
            "idle_for_a_minute_again",
            tell(&[Received, Pass(ms(60_000)), End(1)], quiet(), &[past(9, 60_000, 0), past(9, 60_000, 0)]),
        ),
        ("forgotten", story(&[Received, Pass(ms(360_000)), Sent, Pass(ms(50)), End(1)])),
        ("an_hour_old", story(&[Pass(ms(3_599_000)), Received, Pass(ms(1000)), End(1)])),
        ("suspended", story(&[Pass(ms(9000)), Stalled(ms(7_200_000)), End(1)])),
        (
            "cut_in_a_frame",
            tell(
                &[Pass(ms(10)), End(0)],
                Told { place: 2, got: 100, missing: 900, incomplete_message: 5000, ..quiet() },
                &[],
            ),
        ),
        (
            "dropped_at_once",
            tell(
                &[Pass(ms(5)), End(0)],
                Told { messages: 0, ..quiet() },
                &[past(5, 0, 0), past(5, 0, 0), past(5, 0, 0)],
            ),
        ),
        ("given_up", story(&[Data, Ping, End(6)])),
    ]
}
