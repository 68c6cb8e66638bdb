//! Effects of the settings and the seed: intervals and their jitter, payloads, and settings of zero and of infinity.

use super::*;

#[test]
fn jitter_shortens_the_interval_by_a_tenth_at_most() {
    let intervals: Vec<_> = (0..64)
        .map(|seed| {
            let heartbeat = Heartbeat::new(Config::default(), &mut Rng::from_seed([seed; 32]), Instant::ZERO);
            heartbeat.poll_timeout().expect("a ping").since_start()
        })
        .collect();
    let (least, most) = (Duration::from_secs(18), Duration::from_secs(20));
    assert!(intervals.iter().all(|interval| (least..=most).contains(interval)));
    assert!(intervals.iter().any(|interval| *interval < Duration::from_millis(18_400)));
    assert!(intervals.iter().any(|interval| *interval > Duration::from_millis(19_600)));
}

#[test]
fn jitter_is_a_percentage_of_the_interval() {
    let shortest = |jitter_percent| {
        let config = Config { jitter_percent, interval: Duration::from_secs(100), ..config(Mode::Full) };
        let mut rng = Rng::from_seed([3; 32]);
        let pings = (0..1000).map(|_| Heartbeat::new(config, &mut rng, Instant::ZERO).poll_timeout());
        pings.flatten().min().expect("a ping").since_start()
    };
    assert!((Duration::from_secs(1)..Duration::from_millis(1500)).contains(&shortest(99)));
    assert!(shortest(100) < Duration::from_millis(500));
}

#[test]
fn no_jitter_makes_the_interval_zero() {
    let config = Config { jitter_percent: 255, interval: Duration::from_millis(1), ..config(Mode::Full) };
    for seed in 0..64 {
        let heartbeat = Heartbeat::new(config, &mut Rng::from_seed([seed; 32]), Instant::ZERO);
        assert_eq!(heartbeat.poll_timeout(), Some(Instant::from_millis(1)));
    }
}

#[test]
fn no_timeout_declares_a_peer_dead_at_the_instant_of_the_ping() {
    let config = Config { timeout: Duration::ZERO, timeout_max: Duration::ZERO, ..config(Mode::Full) };
    let mut bench = Bench::new(config);
    bench.step(Instant::from_secs(10), "T");
    assert_eq!(bench.next(), "dead@10.001");
}

#[test]
fn a_time_beyond_the_end_of_time_is_no_deadline() {
    let config = Config { interval: Duration::MAX, ..config(Mode::Full) };
    let heartbeat = Heartbeat::new(config, &mut Rng::from_seed([1; 32]), Instant::ZERO);
    assert_eq!(heartbeat.poll_timeout(), None);
}

#[test]
fn two_connections_have_payloads_of_their_own() {
    let mut rng = Rng::from_seed([1; 32]);
    let mut ping = || {
        let mut heartbeat = Heartbeat::new(config(Mode::Full), &mut rng, Instant::ZERO);
        heartbeat.handle_timeout(Instant::from_secs(10))
    };
    assert_ne!(ping(), ping());
}
