//! A crowd that loses its server: how many dials per second the server sees when it is back, as a table.

use bowline_core::closing::Retry;
use bowline_core::reconnect::{Config, Next};
use bowline_core::{Instant, Reconnect};
use bowline_tests::{golden, sim};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

const CROWD: usize = 10_000;
const SECOND: Duration = Duration::from_secs(1);

/// The dials in the busiest second, counted from the server's return, and the seconds until everybody is back.
fn storm(seed: u64, config: Config, retry: Retry, outage: Duration, refused_after: Duration) -> (u32, u64) {
    let mut rng = sim::rng(seed);
    let lost = Instant::from_secs(100);
    let back = lost + outage;
    let mut clients: Vec<_> = (0..CROWD).map(|_| Reconnect::new(config, &mut rng, Instant::ZERO)).collect();
    let mut due = BinaryHeap::new();
    for (id, client) in clients.iter_mut().enumerate() {
        client.handle_open(Instant::ZERO);
        client.handle_lost(lost, retry);
        due.push(Reverse((client.poll_timeout(), id)));
    }
    let mut dials: Vec<u32> = Vec::new();
    while let Some(Reverse((Some(now), id))) = due.pop() {
        let client = &mut clients[id];
        assert_eq!(client.handle_timeout(now), Some(Next::Dial));
        if now < back {
            client.handle_dial_failed(now + refused_after, Retry::Backoff, None);
            due.push(Reverse((client.poll_timeout(), id)));
        } else {
            let second = (now - back).as_secs() as usize;
            dials.resize(dials.len().max(second + 1), 0);
            dials[second] += 1;
            client.handle_open(now);
        }
    }
    assert_eq!(dials.iter().sum::<u32>() as usize, CROWD);
    (dials.iter().copied().max().unwrap_or_default(), dials.len() as u64)
}

fn fleet(first_window: u64) -> Config {
    let mut config = Config::default();
    config.first_window = Duration::from_secs(first_window);
    config
}

#[test]
fn a_crowd_comes_back_as_the_table_says() {
    let mut table = String::from(
        "Ten thousand clients lose their server in one instant. Dials in the busiest second, counted from its return, and\n\
         seconds until everybody is back.\n\n\
         outage   as configured   first_window 5 s   first_window 15 s   told 1012      dials fail after 3 s\n",
    );
    let told = Retry::After { min: 5 * SECOND, max: 30 * SECOND };
    for outage in [1, 5, 20, 60, 600] {
        let cell = |config, retry, refused_after| {
            let (peak, seconds) = storm(outage, config, retry, outage as u32 * SECOND, refused_after);
            format!("{peak:>5}, {seconds:>2} s")
        };
        let _ = writeln!(
            table,
            "{outage:>4} s   {:<15} {:<18} {:<19} {:<14} {}",
            cell(fleet(1), Retry::Backoff, Duration::ZERO),
            cell(fleet(5), Retry::Backoff, Duration::ZERO),
            cell(fleet(15), Retry::Backoff, Duration::ZERO),
            cell(fleet(1), told, Duration::ZERO),
            cell(fleet(1), Retry::Backoff, 3 * SECOND),
        );
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/storm.txt");
    golden::check(&file, &table).unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn after_a_minute_or_more_the_busiest_second_sees_less_than_seven_hundred() {
    for outage in [60, 100, 600] {
        let storms = (0..4).map(|seed| {
            let (peak, seconds) =
                storm(seed, Config::default(), Retry::Backoff, outage * SECOND, Duration::ZERO);
            assert!(seconds <= 30, "{seconds} s after {outage} s");
            peak
        });
        // Two clients for each second of the widest window amount to 667; chance adds or removes some dozens.
        let peaks: Vec<u32> = storms.collect();
        assert!(peaks.iter().sum::<u32>() <= 700 * 4 && peaks.iter().all(|peak| *peak <= 750), "{peaks:?}");
    }
}

#[test]
fn a_wide_first_window_bounds_the_crowd_after_any_outage() {
    for first_window in [5, 15] {
        for outage in [0, 1, 3, 5, 8, 13, 15, 20, 60] {
            let config = fleet(first_window);
            let (peak, _) = storm(7, config, Retry::Backoff, outage * SECOND, Duration::ZERO);
            let bound = 3 * CROWD as u64 / first_window;
            assert!(u64::from(peak) <= bound, "{peak} after {outage} s");
        }
    }
}
