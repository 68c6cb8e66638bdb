//! What holds for any order of events: the laws of the API, and the guarantees about life and death.

use super::tests::config;
use super::*;
use crate::Rng;
use alloc::format;
use alloc::vec::Vec;
use proptest::collection::vec;
use proptest::prelude::*;

#[derive(Clone, Copy, Debug)]
enum Op {
    Received,
    /// The Pong for one of the newest pings, or for none of them.
    Pong(usize),
    Sent,
    Flushed,
    Blocked,
    Reading(bool),
    Wake(u64),
    /// A new interval, in milliseconds.
    Pace(u64),
    Impatient(bool),
    Timeout,
}

fn any_op() -> impl Strategy<Value = Op> {
    prop_oneof![
        3 => Just(Op::Received),
        3 => (0..4_usize).prop_map(Op::Pong),
        2 => Just(Op::Sent),
        1 => Just(Op::Flushed),
        2 => Just(Op::Blocked),
        2 => any::<bool>().prop_map(Op::Reading),
        1 => (0..100_u64).prop_map(Op::Wake),
        2 => any::<bool>().prop_map(Op::Impatient),
        3 => Just(Op::Timeout),
    ]
}

/// Including changes of the interval.
fn any_op_at_any_pace() -> impl Strategy<Value = Op> {
    prop_oneof![9 => any_op(), 1 => (0..30_000_u64).prop_map(Op::Pace)]
}

/// Events without any sign of life.
fn noise() -> impl Strategy<Value = Op> {
    prop_oneof![
        Just(Op::Sent),
        Just(Op::Flushed),
        Just(Op::Blocked),
        any::<bool>().prop_map(Op::Reading),
        any::<bool>().prop_map(Op::Impatient),
    ]
}

fn any_mode() -> impl Strategy<Value = Mode> {
    prop_oneof![4 => Just(Mode::Full), 2 => Just(Mode::KeepaliveOnly), 1 => Just(Mode::Off)]
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A heartbeat, its pings, and everything that it asked for.
struct Player {
    heartbeat: Heartbeat,
    payloads: Vec<[u8; 8]>,
    said: Vec<(Instant, Beat)>,
}

impl Player {
    fn new(mode: Mode) -> Self {
        Self::with(config(mode), Instant::ZERO)
    }

    fn with(config: Config, start: Instant) -> Self {
        let heartbeat = Heartbeat::new(config, &mut Rng::from_seed([5; 32]), start);
        Self { heartbeat, payloads: Vec::new(), said: Vec::new() }
    }

    fn apply(&mut self, now: Instant, op: Op) {
        let heartbeat = &mut self.heartbeat;
        let beat = match op {
            Op::Timeout => heartbeat.handle_timeout(now),
            Op::Wake(slept) => heartbeat.handle_wake(now, Duration::from_secs(slept)),
            Op::Received => {
                heartbeat.handle_received(now);
                None
            }
            Op::Pong(back) => {
                let newest_first = self.payloads.iter().rev();
                heartbeat.handle_pong(now, newest_first.copied().nth(back).unwrap_or_default().as_slice());
                None
            }
            Op::Sent => {
                heartbeat.handle_sent(now);
                None
            }
            Op::Flushed => {
                heartbeat.handle_ping_sent(now);
                None
            }
            Op::Blocked => {
                heartbeat.handle_blocked(now);
                None
            }
            Op::Reading(reading) => {
                heartbeat.set_reading(now, reading);
                None
            }
            Op::Impatient(impatient) => {
                heartbeat.set_impatient(now, impatient);
                None
            }
            Op::Pace(interval) => {
                heartbeat.set_interval(now, ms(interval));
                None
            }
        };
        if let Some(Beat::Ping { payload, .. }) = beat {
            self.payloads.push(payload);
            if !heartbeat.blocked {
                heartbeat.handle_ping_sent(now);
            }
        }
        self.said.extend(beat.map(|beat| (now, beat)));
    }

    /// Sleeps until then, like a host with a timer of one millisecond.
    fn sleep(&mut self, until: Instant) {
        while let Some(at) = self.heartbeat.poll_timeout().map(next_millisecond).filter(|at| *at <= until) {
            self.apply(at, Op::Timeout);
            assert!(self.heartbeat.poll_timeout().is_none_or(|next| next > at), "law 3");
        }
    }

    fn death(&self) -> Option<Instant> {
        self.said.iter().find(|(_, beat)| matches!(beat, Beat::Dead { .. })).map(|(at, _)| *at)
    }
}

fn next_millisecond(at: Instant) -> Instant {
    Instant::from_millis(at.as_nanos().div_ceil(1_000_000))
}

/// Events, each with the milliseconds before it.
fn script(longest: u64) -> impl Strategy<Value = Vec<(u64, Op)>> {
    vec((0..longest, any_op()), 0..60)
}

proptest! {
    /// A byte is received, or a full transport drains, at least once per timeout.
    #[test]
    fn a_link_that_carries_anything_is_never_declared_dead(
        lives in vec((1..5000_u64, any::<bool>(), 0..1000_u64, noise()), 1..60)
    ) {
        let mut player = Player::new(Mode::Full);
        let mut now = Instant::ZERO;
        for (gap, byte, permille, noise) in lives {
            let noise_at = now + ms(gap * permille / 1000);
            now += ms(gap);
            player.sleep(noise_at);
            player.apply(noise_at, noise);
            player.sleep(now);
            if byte {
                player.apply(now, Op::Received);
            } else {
                player.apply(now, Op::Blocked);
                player.apply(now, Op::Sent);
            }
            prop_assert_eq!(player.death(), None);
        }
    }

    /// Silence, and timers that fire late, but within `grace`.
    #[test]
    fn a_silent_peer_is_declared_dead_in_time(
        before in script(6000), lateness in vec(0..=2000_u64, 8), full in any::<bool>(), tx in any::<bool>()
    ) {
        let mut player = Player::new(Mode::Full);
        let mut now = Instant::ZERO;
        for (gap, op) in before {
            player.sleep(now + ms(gap));
            now += ms(gap);
            player.apply(now, op);
        }
        player.apply(now, Op::Reading(true));
        player.apply(now, if full { Op::Blocked } else { Op::Sent });
        let last_sign = now;
        let timeout = player.heartbeat.config.timeout.max(player.heartbeat.rtt.pto().unwrap_or_default() * 3).min(ms(60_000));
        let mut pings_and_death = Duration::ZERO;
        for late in lateness {
            let Some(at) = player.heartbeat.poll_timeout() else { break };
            now = now.max(at + ms(late));
            if tx && !full {
                player.apply(now, Op::Sent);
            }
            let said = player.said.len();
            player.apply(now, Op::Timeout);
            if !matches!(player.said.get(said), Some((_, Beat::Pong))) {
                pings_and_death += ms(late);
            }
        }
        let death = player.death();
        prop_assert!(death.is_some());
        prop_assert!(death <= Some(last_sign + ms(10_000) + timeout + pings_and_death));
    }

    #[test]
    fn only_one_ping_is_out_at_a_time_unless_the_delay_was_ours(mode in any_mode(), script in script(9000)) {
        let mut player = Player::new(mode);
        let mut now = Instant::ZERO;
        let (mut answered, mut last) = (true, None);
        for (gap, op) in script {
            now += ms(gap);
            let said = player.said.len();
            player.apply(now, op);
            if matches!(op, Op::Received | Op::Pong(_)) && player.heartbeat.pings.newest_left().is_some() {
                answered = true;
            }
            if let Some((_, Beat::Ping { news, .. })) = player.said.get(said) {
                if !matches!(news, Some(News::Stalled { .. } | News::Resumed { .. })) {
                    prop_assert!(answered || mode == Mode::KeepaliveOnly);
                    prop_assert!(last.is_none_or(|last| now - last >= ms(10_000)));
                }
                (answered, last) = (false, Some(now));
            }
        }
    }

    /// Law 3, for any configuration and any clock; and nothing panics on the way.
    #[test]
    fn the_deadline_after_a_timeout_lies_in_the_future(
        mode in any_mode(), script in vec((any_instant(), any_op_at_any_pace()), 0..60),
        times in (any_duration(), any_duration(), any_duration(), any_duration()), jitter_percent in any::<u8>()
    ) {
        let (interval, timeout, timeout_max, grace) = times;
        let config = Config { mode, interval, timeout, timeout_max, grace, jitter_percent };
        let mut player = Player::with(config, Instant::from_secs(50));
        for (at, op) in script {
            player.apply(at, op);
            player.apply(at, Op::Timeout);
            let now = player.heartbeat.clock;
            prop_assert!(player.heartbeat.poll_timeout().is_none_or(|next| next > now), "{now:?}");
        }
    }

    /// Law 4.
    #[test]
    fn an_early_timeout_changes_nothing(mode in any_mode(), script in vec((0..9000_u64, any_op_at_any_pace()), 0..60)) {
        let (mut plain, mut eager) = (Player::new(mode), Player::new(mode));
        let mut now = Instant::ZERO;
        for (gap, op) in script {
            if plain.heartbeat.poll_timeout().is_none_or(|at| at > now + ms(gap / 2)) {
                let before = eager.heartbeat.poll_timeout();
                prop_assert_eq!(eager.heartbeat.handle_timeout(now + ms(gap / 2)), None);
                prop_assert_eq!(eager.heartbeat.poll_timeout(), before);
            }
            now += ms(gap);
            plain.apply(now, op);
            eager.apply(now, op);
            prop_assert_eq!(format!("{:?}", plain.heartbeat), format!("{:?}", eager.heartbeat));
        }
        prop_assert_eq!(plain.said, eager.said);
    }

    /// Law 9.
    #[test]
    fn a_clock_that_steps_back_equals_one_that_stands_still(
        mode in any_mode(), script in vec((0..9000_u64, any_op_at_any_pace(), 0..9000_u64), 0..60)
    ) {
        let (mut steady, mut jumping) = (Player::new(mode), Player::new(mode));
        let mut now = Instant::ZERO;
        for (gap, op, back) in script {
            now += ms(gap);
            steady.apply(now, Op::Timeout);
            jumping.apply(now, Op::Timeout);
            steady.apply(now, op);
            jumping.apply(now - ms(back), op);
            prop_assert_eq!(steady.heartbeat.poll_timeout(), jumping.heartbeat.poll_timeout());
        }
        let beats = |player: Player| player.said.into_iter().map(|(_, beat)| beat).collect::<Vec<_>>();
        prop_assert_eq!(beats(steady), beats(jumping));
    }

    #[test]
    fn the_start_of_time_does_not_matter(mode in any_mode(), script in script(9000), start in 0..1_u64 << 60) {
        let start = Instant::from_nanos(start);
        let (mut early, mut late) = (Player::new(mode), Player::with(config(mode), start));
        let mut now = Duration::ZERO;
        for (gap, op) in script {
            now += ms(gap);
            early.apply(Instant::ZERO + now, op);
            late.apply(start + now, op);
        }
        let shifted: Vec<_> = early.said.into_iter().map(|(at, beat)| (start + at.since_start(), beat)).collect();
        prop_assert_eq!(shifted, late.said);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Law 5.
    #[test]
    fn sleeping_to_the_deadline_equals_ticking(mode in any_mode(), script in vec((0..6000_u64, any_op_at_any_pace()), 0..20)) {
        let (mut sleeping, mut ticking) = (Player::new(mode), Player::new(mode));
        let mut now = Instant::ZERO;
        for (gap, op) in script {
            // What became due at the last step is due at once, neither before nor a tick later.
            sleeping.apply(now, Op::Timeout);
            sleeping.sleep(now + ms(gap));
            ticking.apply(now, Op::Timeout);
            for _ in 0..gap {
                now += ms(1);
                ticking.apply(now, Op::Timeout);
            }
            sleeping.apply(now, op);
            ticking.apply(now, op);
        }
        prop_assert_eq!(sleeping.said, ticking.said);
    }
}

fn any_instant() -> impl Strategy<Value = Instant> {
    prop_oneof![
        6 => (0..200_000_u64).prop_map(Instant::from_millis),
        1 => any::<u64>().prop_map(Instant::from_nanos),
        1 => Just(Instant::MAX),
    ]
}

fn any_duration() -> impl Strategy<Value = Duration> {
    prop_oneof![
        4 => (0..30_000_u64).prop_map(ms),
        1 => Just(Duration::ZERO),
        1 => Just(Duration::MAX),
        1 => any::<u64>().prop_map(Duration::from_nanos),
    ]
}
