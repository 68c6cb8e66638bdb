//! What holds for any order of events, and for a crowd.

use super::*;
use crate::Rng;
use crate::closing::Why;
use alloc::collections::BinaryHeap;
use alloc::vec::Vec;
use core::cmp::Reverse;
use proptest::collection::vec;
use proptest::prelude::*;

const SECOND: Duration = Duration::from_secs(1);

/// Ten thousand clients lose their server in the same instant. It is back after an outage, and takes everybody.
/// Returns how many dials it sees in each second from then on, `refused_after` being what a dial to a dead server
/// takes.
fn storm(seed: u8, config: Config, outage: Duration, refused_after: Duration) -> Vec<u32> {
    let mut rng = Rng::from_seed([seed; 32]);
    let lost = Instant::from_secs(100);
    let back = lost + outage;
    let mut clients: Vec<_> = (0..10_000).map(|_| Reconnect::new(config, &mut rng, Instant::ZERO)).collect();
    let mut due = BinaryHeap::new();
    for (id, client) in clients.iter_mut().enumerate() {
        client.handle_open(Instant::ZERO);
        client.handle_lost(lost, Retry::Backoff);
        due.push(Reverse((client.poll_timeout(), id)));
    }
    let mut dials = [0; 60].to_vec();
    while let Some(Reverse((Some(now), id))) = due.pop() {
        let client = &mut clients[id];
        assert_eq!(client.handle_timeout(now), Some(Next::Dial));
        if now < back {
            client.handle_dial_failed(now + refused_after, Retry::Backoff, None);
            due.push(Reverse((client.poll_timeout(), id)));
        } else {
            dials[(now - back).as_secs() as usize] += 1;
            client.handle_open(now);
        }
    }
    dials
}

/// The busiest second, once everybody was seen to be back within the cap.
fn peak(seed: u8, outage: u32, refused_after: u32) -> u32 {
    let dials = storm(seed, Config::default(), outage * SECOND, refused_after * SECOND);
    let (in_time, late) = dials.split_at(30 + refused_after as usize);
    assert_eq!((in_time.iter().sum(), late.iter().sum()), (10_000, 0));
    dials.into_iter().max().unwrap_or_default()
}

#[test]
fn a_crowd_of_ten_thousand_comes_back_at_seven_hundred_per_second() {
    for seed in [1, 2] {
        assert!(peak(seed, 60, 0) <= 700);
    }
    assert!(peak(3, 600, 0) <= 700);
}

#[test]
fn dials_that_take_their_time_thin_the_crowd_out() {
    assert!(peak(1, 60, 3) <= 600);
}

#[test]
fn after_a_short_outage_the_windows_are_still_narrow() {
    assert!((700..=1000).contains(&peak(1, 20, 0)));
}

#[derive(Clone, Copy, Debug)]
enum Op {
    Open,
    Lost(Retry),
    DialFailed(Retry, Option<Duration>),
    NetworkChange,
    Dial,
    Timeout,
}

fn any_op() -> impl Strategy<Value = Op> {
    prop_oneof![
        2 => Just(Op::Open),
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
        Op::Dial => {
            reconnect.dial(now);
            None
        }
    }
}

proptest! {
    /// Law 3, for any configuration and any clock, and on the way: nothing panics.
    #[test]
    fn after_a_timeout_the_next_deadline_lies_ahead(
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
    fn time_that_steps_back_is_time_that_stands_still(
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

    #[test]
    fn a_wait_is_neither_shorter_than_asked_nor_longer_than_needed(
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
            let least = least.max(config.floor).max(retry_after.unwrap_or_default());
            let most = most.max(least).max(Duration::from_millis(1));
            prop_assert!(now + least <= at && at <= now + most, "{at:?}");
            now = at;
            reconnect.handle_timeout(now);
        }
    }
}
