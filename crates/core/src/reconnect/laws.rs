//! What holds for any order of events.

use super::*;
use crate::Rng;
use crate::closing::{LONGEST, Why};
use proptest::collection::vec;
use proptest::prelude::*;

#[derive(Clone, Copy, Debug)]
enum Op {
    Open,
    Stuck(Duration),
    Replaced,
    Lost(Retry),
    DialFailed(Retry, Option<Duration>),
    NetworkChange,
    Dial,
    Timeout,
}

fn any_op() -> impl Strategy<Value = Op> {
    prop_oneof![
        2 => Just(Op::Open),
        1 => (0..60_000_u64).prop_map(|millis| Op::Stuck(Duration::from_millis(millis))),
        1 => Just(Op::Replaced),
        2 => any_retry().prop_map(Op::Lost),
        4 => (any_retry(), proptest::option::of(any_duration())).prop_map(|(retry, after)| Op::DialFailed(retry, after)),
        1 => Just(Op::NetworkChange),
        1 => Just(Op::Dial),
        4 => Just(Op::Timeout),
    ]
}

fn any_retry() -> impl Strategy<Value = Retry> {
    prop_oneof![
        1 => Just(Retry::No(Why::Refused)),
        4 => Just(Retry::Now),
        8 => Just(Retry::Backoff),
        2 => any_duration().prop_map(Retry::BackoffAfter),
        2 => (any_duration(), any_duration()).prop_map(|(min, max)| Retry::After { min, max }),
    ]
}

fn any_duration() -> impl Strategy<Value = Duration> {
    prop_oneof![
        6 => (0..60_000_u64).prop_map(Duration::from_millis),
        1 => Just(Duration::ZERO),
        1 => Just(Duration::MAX),
        1 => any::<u64>().prop_map(Duration::from_nanos),
    ]
}

fn any_instant() -> impl Strategy<Value = Instant> {
    prop_oneof![
        8 => (0..600_000_u64).prop_map(Instant::from_millis),
        1 => any::<u64>().prop_map(Instant::from_nanos),
        1 => Just(Instant::MAX),
    ]
}

fn any_config() -> impl Strategy<Value = Config> {
    let times =
        (any_duration(), any_duration(), any_duration(), any_duration(), any_duration(), any_duration());
    let limits = (
        proptest::option::weighted(0.2, 0..9_u32),
        proptest::option::weighted(0.2, any_duration()),
        proptest::option::weighted(0.2, any_duration()),
    );
    (times, limits).prop_map(|(times, (max_attempts, max_elapsed, first_contact))| {
        let (base, cap, floor, first_window, stable_after, connect_timeout) = times;
        Config {
            base,
            cap,
            floor,
            first_window,
            stable_after,
            connect_timeout,
            max_attempts,
            max_elapsed,
            first_contact,
        }
    })
}

fn client(config: Config) -> Reconnect {
    Reconnect::new(config, &mut Rng::from_seed([5; 32]), Instant::ZERO)
}

fn apply(reconnect: &mut Reconnect, now: Instant, op: Op) -> Option<Next> {
    match op {
        Op::Lost(retry) => reconnect.handle_lost(now, retry),
        Op::DialFailed(retry, after) => reconnect.handle_dial_failed(now, retry, after),
        Op::NetworkChange => reconnect.handle_network_change(now),
        Op::Timeout => reconnect.handle_timeout(now),
        Op::Open => {
            reconnect.handle_open(now);
            None
        }
        Op::Replaced => {
            reconnect.handle_replaced(now);
            None
        }
        Op::Stuck(lasts) => {
            reconnect.handle_stuck(now, lasts);
            None
        }
        Op::Dial => {
            reconnect.dial(now);
            None
        }
    }
}

proptest! {
    /// Law 3, for any configuration and any clock; and nothing panics on the way.
    #[test]
    fn the_deadline_after_a_timeout_lies_in_the_future(
        config in any_config(), script in vec((any_instant(), any_op()), 0..60)
    ) {
        let mut reconnect = client(config);
        for (at, op) in script {
            apply(&mut reconnect, at, op);
            reconnect.handle_timeout(at);
            let now = reconnect.clock;
            prop_assert!(reconnect.poll_timeout().is_none_or(|next| next > now), "{now:?}");
        }
    }

    /// Law 4.
    #[test]
    fn an_early_timeout_changes_nothing(script in vec((0..40_000_u64, any_op()), 0..60)) {
        let (mut plain, mut eager) = (client(Config::default()), client(Config::default()));
        let mut now = Instant::ZERO;
        for (gap, op) in script {
            let between = now + Duration::from_millis(gap / 2);
            if plain.poll_timeout().is_none_or(|at| at > between) {
                prop_assert_eq!(eager.handle_timeout(between), None);
            }
            now += Duration::from_millis(gap);
            prop_assert_eq!(apply(&mut plain, now, op), apply(&mut eager, now, op));
            prop_assert_eq!(plain.poll_timeout(), eager.poll_timeout());
        }
    }

    /// Law 9.
    #[test]
    fn a_clock_that_steps_back_equals_one_that_stands_still(
        script in vec((0..40_000_u64, any_op(), 0..40_000_u64), 0..60)
    ) {
        let (mut steady, mut jumping) = (client(Config::default()), client(Config::default()));
        let mut now = Instant::ZERO;
        for (gap, op, back) in script {
            now += Duration::from_millis(gap);
            prop_assert_eq!(steady.handle_timeout(now), jumping.handle_timeout(now));
            let earlier = now - Duration::from_millis(back);
            prop_assert_eq!(apply(&mut steady, now, op), apply(&mut jumping, earlier, op));
        }
    }

    /// Law 1, on the way: both have the same seed.
    #[test]
    fn the_start_of_time_does_not_matter(script in vec((0..40_000_u64, any_op()), 0..60), start in 0..1_u64 << 62) {
        let start = Instant::from_nanos(start);
        let later = |at: Instant| (at < Instant::MAX).then(|| start + at.since_start());
        let mut early = client(Config::default());
        let mut late = Reconnect::new(Config::default(), &mut Rng::from_seed([5; 32]), start);
        let mut now = Duration::ZERO;
        for (gap, op) in script {
            now += Duration::from_millis(gap);
            let (at_early, at_late) = (apply(&mut early, Instant::ZERO + now, op), apply(&mut late, start + now, op));
            match (at_early, at_late) {
                (Some(Next::DialAt(sooner)), Some(Next::DialAt(then))) if then < Instant::MAX => {
                    prop_assert_eq!(later(sooner), Some(then));
                }
                // Beyond the end of time, which is nearer for the one that began later.
                (Some(Next::DialAt(_)), Some(Next::DialAt(_))) => return Ok(()),
                (at_early, at_late) => prop_assert_eq!(at_early, at_late),
            }
        }
    }

    #[test]
    fn a_wait_is_at_least_as_long_as_asked_and_no_longer_than_needed(
        config in any_config(), quick in any::<bool>(),
        ends in vec((any_retry(), proptest::option::of(any_duration()), any::<bool>()), 0..40)
    ) {
        let mut reconnect = client(config);
        let mut now = Instant::ZERO;
        for (retry, retry_after, opens) in ends {
            let retry_after = retry_after.filter(|_| !opens);
            let next = if opens {
                reconnect.handle_open(now);
                now += Duration::from_millis(if quick { 5 } else { 5000 });
                reconnect.handle_lost(now, retry)
            } else {
                reconnect.handle_dial_failed(now, retry, retry_after)
            };
            let Some(Next::DialAt(at)) = next else { break };
            prop_assert!(at == Instant::MAX || reconnect.poll_timeout() == Some(at));
            let (least, most) = match retry {
                Retry::After { min, max } => (min, max),
                Retry::BackoffAfter(min) => (min, min.saturating_add(config.cap.max(config.first_window))),
                _ => (Duration::ZERO, config.cap.max(config.first_window)),
            };
            let least = least.max(config.floor).max(retry_after.unwrap_or_default().min(LONGEST));
            let most = most.max(least).max(Duration::from_millis(1));
            // The budget decides when a last dial is.
            prop_assert!((now + least <= at || reconnect.last_dial) && at <= now + most, "{at:?}");
            now = at;
            reconnect.handle_timeout(now);
        }
    }

    /// The time that is allowed for trying is used: dials that are refused at once continue for at least half of it,
    /// and none begins after it.
    #[test]
    fn a_time_budget_is_used_and_not_exceeded(millis in 100..200_000_u64, seed in any::<u8>(), reached in any::<bool>()) {
        let budget = Duration::from_millis(millis);
        let config = Config { max_elapsed: Some(budget), first_contact: Some(budget), ..Config::default() };
        let mut reconnect = Reconnect::new(config, &mut Rng::from_seed([seed; 32]), Instant::ZERO);
        let mut now = Instant::ZERO;
        reconnect.handle_timeout(now);
        if reached {
            reconnect.handle_open(now);
        }
        loop {
            let next = if reached && now == Instant::ZERO {
                reconnect.handle_lost(now, Retry::Backoff)
            } else {
                reconnect.handle_dial_failed(now, Retry::Backoff, None)
            };
            let Some(Next::DialAt(at)) = next else { break };
            prop_assert!(at.since_start() <= budget);
            now = at;
            reconnect.handle_timeout(now);
        }
        prop_assert!(now.since_start() + config.floor >= budget / 2, "{now:?}");
    }
}
