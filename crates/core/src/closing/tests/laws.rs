//! Properties that hold for any events in any order.

use super::super::*;
use crate::{Instant, Role};
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;
use proptest::prelude::*;

/// Anything that can be reported to the machine.
#[derive(Clone, Debug)]
enum Op {
    Close(u16, String),
    HandleClose(Vec<u8>),
    HoldClose(Vec<u8>),
    Answer,
    Reading(bool),
    Fail(u16, String),
    Dead,
    End(End),
    Received,
    Sent,
    Blocked,
    Flushed,
    Stalled(Duration),
    Data,
    Ping,
    Timeout,
    /// Sleep to the deadline, if there is one.
    Sleep,
}

fn ends() -> impl Strategy<Value = End> {
    prop::sample::select(&[
        End::Eof,
        End::TlsTruncated,
        End::Reset,
        End::TimedOut,
        End::ReadFailed,
        End::WriteFailed,
        End::WriteReset,
        End::WriteTimedOut,
        End::LocalAbort,
        End::Miscounted,
    ])
}

fn codes() -> impl Strategy<Value = u16> {
    prop_oneof![3 => 995_u16..1020, 1 => 2990_u16..3010, 1 => 4395_u16..4435, 1 => any::<u16>()]
}

fn reasons() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(&['a', 'b', '\u{20ac}', '\n', '\u{7f}']), 0..60)
        .prop_map(|chars| chars.into_iter().collect())
}

fn payloads() -> impl Strategy<Value = Vec<u8>> {
    let valid =
        (codes(), reasons()).prop_map(|(code, reason)| [&code.to_be_bytes(), reason.as_bytes()].concat());
    prop_oneof![3 => valid, 1 => prop::collection::vec(any::<u8>(), 0..6)]
}

fn ops() -> impl Strategy<Value = Op> {
    prop_oneof![
        2 => (codes(), reasons()).prop_map(|(code, reason)| Op::Close(code, reason)),
        2 => payloads().prop_map(Op::HandleClose),
        2 => payloads().prop_map(Op::HoldClose),
        1 => Just(Op::Answer),
        1 => any::<bool>().prop_map(Op::Reading),
        1 => (codes(), reasons()).prop_map(|(code, reason)| Op::Fail(code, reason)),
        1 => Just(Op::Dead),
        2 => ends().prop_map(Op::End),
        3 => Just(Op::Received),
        3 => Just(Op::Sent),
        1 => Just(Op::Blocked),
        2 => Just(Op::Flushed),
        1 => (0_u64..100).prop_map(|secs| Op::Stalled(Duration::from_secs(secs))),
        2 => Just(Op::Data),
        1 => Just(Op::Ping),
        2 => Just(Op::Timeout),
        2 => Just(Op::Sleep),
    ]
}

/// Steps in time, now and then far, backwards, or to the end of time.
fn times() -> impl Strategy<Value = i64> {
    prop_oneof![10 => 0_i64..3_000, 3 => 0_i64..400_000, 1 => -5_000_i64..0, 1 => Just(i64::MAX)]
}

fn evidence() -> impl Strategy<Value = Evidence> {
    let cut = prop_oneof![
        Just(Cut::Boundary),
        Just(Cut::Header),
        (any::<u8>(), any::<u64>(), any::<u64>()).prop_map(|(opcode, got, of)| Cut::Payload {
            opcode,
            got,
            of
        }),
    ];
    let ping = prop_oneof![
        Just(Ping::None),
        Just(Ping::Unsent),
        any::<u64>().prop_map(|secs| Ping::Unanswered(Duration::from_secs(secs))),
    ];
    let answer = prop_oneof![Just(None), any::<u64>().prop_map(|secs| Some(Duration::from_secs(secs)))];
    (cut, ping, answer, any::<u64>(), any::<u64>(), 0_u64..5, 0_u64..2).prop_map(
        |(cut, ping, answer_time, incomplete_message, queued, pings, pongs)| Evidence {
            cut,
            incomplete_message,
            queued,
            lost: queued,
            messages: queued,
            longest_message: queued,
            ping,
            pings,
            pongs,
            answer_time,
            history: History::default(),
        },
    )
}

#[derive(Default)]
struct Seen {
    written: Vec<Close>,
    received: Option<Close>,
    /// Whether ours was written before theirs came.
    sent_first: bool,
    disconnects: Vec<Disconnect>,
    /// Whether the application closed, or we could not go on, before the peer closed.
    ours: bool,
    ignored: u64,
}

struct Run {
    closing: Closing,
    now: Instant,
    /// The largest `now` so far.
    latest: Instant,
    seen: Seen,
}

impl Run {
    fn new(config: Config, role: Role) -> Self {
        let closing = Closing::new(config, role, Instant::ZERO);
        Self { closing, now: Instant::ZERO, latest: Instant::ZERO, seen: Seen::default() }
    }

    fn wrote(&mut self, payload: Option<bytes::Bytes>) {
        if let Some(payload) = payload {
            let (close, flaw) = Close::decode(&payload);
            assert_eq!(flaw, None, "we wrote a close frame that is not valid");
            assert!(payload.len() <= 125);
            self.seen.sent_first = self.seen.received.is_none();
            self.seen.written.push(close);
        }
    }

    fn received(&mut self, payload: &[u8], was_over: bool) {
        if self.seen.received.is_some() || !self.closing.wants_frames() {
            self.seen.ignored += u64::from(!was_over);
        } else if !was_over {
            self.seen.received = Some(Close::decode(payload).0);
        }
    }

    /// Carries out one step, and checks what must hold after each.
    fn step(&mut self, time: i64, op: &Op) {
        self.now = match time {
            i64::MAX => Instant::MAX,
            0.. => self.now + Duration::from_millis(time.unsigned_abs()),
            _ => self.now - Duration::from_millis(time.unsigned_abs()),
        };
        let now = self.now;
        self.latest = self.latest.max(now);
        let (was_over, was_open) = (self.closing.is_over(), self.closing.is_open());
        let was_held = self.closing.is_held();
        match op.clone() {
            Op::Close(code, reason) => {
                // As if the application returned what it had received, which may be anything.
                let close = Close::decode(&[&code.to_be_bytes(), reason.as_bytes()].concat()).0;
                let possible = was_open && CloseCode::new(code).is_sendable() && reason.len() <= MAX_REASON;
                let answer = self.closing.close(now, close);
                assert_eq!(answer.is_ok(), possible);
                self.seen.ours |= possible && !was_held;
                self.wrote(answer.ok());
            }
            Op::HandleClose(payload) => {
                self.received(&payload, was_over);
                let answer = self.closing.handle_close(now, &payload);
                assert_eq!(answer.is_some(), was_open && !was_held);
                self.wrote(answer);
            }
            Op::HoldClose(payload) => {
                self.received(&payload, was_over);
                self.closing.hold_close(now, &payload);
                assert_eq!(self.closing.is_held(), was_open);
            }
            Op::Answer => {
                let answer = self.closing.answer(now);
                assert_eq!(answer.is_some(), was_held);
                self.wrote(answer);
            }
            Op::Reading(reading) => self.closing.set_reading(now, reading),
            Op::Fail(code, reason) => {
                let answer = self.closing.fail(now, code.into(), &reason);
                assert_eq!(answer.is_some(), was_open);
                self.seen.ours |= was_open && !was_held;
                self.wrote(answer);
            }
            Op::Dead => {
                let answer = self.closing.dead(now);
                assert_eq!(answer.is_some(), was_open);
                self.wrote(answer);
            }
            Op::End(end) => self.closing.handle_end(now, end),
            Op::Received => self.closing.handle_received(now),
            Op::Sent => self.closing.handle_sent(now, 1),
            Op::Blocked => self.closing.handle_blocked(now),
            Op::Flushed => self.closing.handle_close_flushed(now, None),
            Op::Stalled(lasted) => self.closing.handle_stalled(now, lasted),
            Op::Data => {
                let wanted = self.closing.wants_data();
                assert_eq!(self.closing.handle_data(now), wanted);
                self.seen.ignored += u64::from(!wanted && !was_over);
            }
            Op::Ping => {
                let draining = self.closing.is_draining();
                let answered = self.closing.handle_ping(now);
                self.seen.ignored += u64::from(!answered && !was_over && !draining);
            }
            Op::Timeout => self.timeout(now),
            Op::Sleep => {
                self.now = self.closing.poll_timeout().unwrap_or(now).max(now);
                self.timeout(self.now);
            }
        }
        assert!(!was_over || self.closing.is_over(), "what is over stays over");
        assert_eq!(self.closing.transport() == Transport::Drop, self.closing.is_over());
        let waits = self.closing.is_held() || !self.closing.is_over() && !self.closing.is_open();
        assert_eq!(self.closing.poll_timeout().is_some(), waits);
    }

    fn poll(&mut self, evidence: &Evidence) {
        self.seen.disconnects.extend(self.closing.poll_disconnect(evidence));
    }

    /// After `handle_timeout(now)` the next deadline is later; an early call changes nothing.
    fn timeout(&mut self, now: Instant) {
        let (deadline, over) = (self.closing.poll_timeout(), self.closing.is_over());
        self.latest = self.latest.max(now);
        let latest = self.latest;
        match self.closing.handle_timeout(now) {
            Some(Overdue::Answer(payload)) => self.wrote(Some(payload)),
            Some(Overdue::Data) | None => {}
        }
        if deadline.is_none_or(|deadline| latest < deadline) {
            assert_eq!((self.closing.poll_timeout(), self.closing.is_over()), (deadline, over));
        }
        assert!(self.closing.poll_timeout().is_none_or(|next| next > latest));
    }
}

fn configs() -> impl Strategy<Value = Config> {
    const WAITS: &[Duration] =
        &[Duration::ZERO, Duration::from_secs(1), Duration::from_secs(5), Duration::MAX];
    let wait = || prop::sample::select(WAITS);
    (wait(), wait(), wait(), wait()).prop_map(|(close_timeout, end_timeout, drain_timeout, stall_timeout)| {
        Config { close_timeout, end_timeout, drain_timeout, stall_timeout }
    })
}

fn roles() -> impl Strategy<Value = Role> {
    prop_oneof![Just(Role::Client), Just(Role::Server)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// At most one Close is written, and it is valid; there is exactly one end, and its record is what happened.
    #[test]
    fn each_connection_has_one_close_frame_one_end_and_a_true_record(
        config in configs(),
        role in roles(),
        steps in prop::collection::vec((times(), ops()), 1..40),
        evidence in evidence(),
    ) {
        let mut run = Run::new(config, role);
        for (time, op) in &steps {
            run.step(*time, op);
            run.poll(&evidence);
        }
        run.step(0, &Op::End(End::Eof));
        run.poll(&evidence);
        let Run { seen, latest, .. } = run;

        prop_assert!(seen.written.len() <= 1);
        prop_assert_eq!(seen.disconnects.len(), 1);
        let disconnect = &seen.disconnects[0];
        prop_assert_eq!(disconnect.sent(), seen.written.first());
        prop_assert_eq!(disconnect.received(), seen.received.as_ref());
        prop_assert_eq!(disconnect.ignored_after_close(), seen.ignored);
        prop_assert_eq!(disconnect.cut(), evidence.cut);
        prop_assert_eq!(disconnect.incomplete_message(), evidence.incomplete_message);
        let order = match disconnect.exchange() {
            Exchange::SentThenReceived { .. } => Some(true),
            Exchange::ReceivedThenSent { .. } => Some(false),
            _ => None,
        };
        let both = !seen.written.is_empty() && seen.received.is_some();
        prop_assert_eq!(order, both.then_some(seen.sent_first));
        prop_assert!(disconnect.idle() <= disconnect.age());
        prop_assert!(disconnect.age() <= latest.since_start());

        if seen.ours {
            prop_assert_eq!(disconnect.who(), Who::Us);
        } else if seen.received.is_some() {
            prop_assert_eq!(disconnect.who(), Who::Peer);
        }

        let sentence = alloc::format!("{disconnect}");
        prop_assert!(!sentence.chars().any(char::is_control), "{}", sentence);
    }

    /// The same calls give the same end, and asking for it late changes nothing.
    #[test]
    fn events_after_the_end_change_nothing(
        config in configs(),
        role in roles(),
        before in prop::collection::vec((times(), ops()), 1..20),
        after in prop::collection::vec((times(), ops()), 1..10),
        evidence in evidence(),
    ) {
        let (mut early, mut late) = (Run::new(config, role), Run::new(config, role));
        let end = [(0, Op::End(End::Reset)), (0, Op::End(End::Reset))];
        for (time, op) in before.iter().chain(&end) {
            early.step(*time, op);
            early.poll(&evidence);
        }
        for (time, op) in before.iter().chain(&end).chain(&after) {
            late.step(*time, op);
        }
        late.poll(&evidence);
        prop_assert_eq!(early.seen.disconnects.len(), 1);
        prop_assert_eq!(early.seen.disconnects, late.seen.disconnects);
    }
}
