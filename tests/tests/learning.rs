//! What it costs to learn how much silence a path bears: a small model of middleboxes, and the figures as a table.

use bowline_core::adapt::{Adapt, Config, Mode, Path};
use bowline_tests::golden;
use std::fmt::Write as _;
use std::path::Path as File;
use std::time::Duration;

const THREE_DAYS: u64 = 3 * 24 * 3600;
/// How long a ping may stay unanswered.
const TIMEOUT: Duration = Duration::from_secs(20);

/// What a middlebox does to a connection that has been silent for too long.
#[derive(Clone, Copy, PartialEq)]
enum Middlebox {
    /// It ends it.
    Active,
    /// It forgets it, and says nothing.
    Silent,
}

/// Connections that are idle but for their heartbeat. Returns how many of them the middlebox has ended in three days,
/// and the interval at the end.
fn idle(mode: Mode, start: u64, limit: Option<u64>, kind: Middlebox) -> (u32, Duration) {
    let mut config = Config::default();
    (config.mode, config.interval) = (mode, Duration::from_secs(start));
    let mut adapt = Adapt::new(config, Path::new("path"));
    let (mut now, mut drops) = (Duration::ZERO, 0);
    while now.as_secs() < THREE_DAYS {
        let interval = adapt.interval();
        let Some(limit) = limit.map(Duration::from_secs).filter(|limit| *limit <= interval) else {
            now += interval;
            adapt.handle_survived(now.as_secs(), interval);
            continue;
        };
        drops += 1;
        match kind {
            Middlebox::Active => {
                now += limit;
                adapt.handle_killed(now.as_secs(), limit, true);
            }
            Middlebox::Silent => {
                now += interval + TIMEOUT;
                adapt.handle_killed(now.as_secs(), interval, false);
            }
        }
        now += Duration::from_secs(1);
        adapt.handle_open(now.as_secs());
    }
    (drops, adapt.interval())
}

#[test]
fn learning_costs_as_many_connections_as_the_table_says() {
    let mut table = String::from(
        "A connection that is idle but for its heartbeat, behind a middlebox that ends silent connections (active) or\n\
         forgets them (silent): how many are lost until the heartbeat is right, and what it is then.\n\n\
         mode     start    limit     active              silent\n",
    );
    for (mode, start, limits) in [
        (Mode::Learn, 20, &[7, 15, 30, 60, 240][..]),
        (Mode::Learn, 120, &[15, 60, 100, 240]),
        (Mode::Explore, 20, &[7, 15, 30, 60, 100, 240, 350]),
    ] {
        for limit in limits.iter().map(|limit| Some(*limit)).chain([None]) {
            let name = limit.map_or("none".to_owned(), |limit| format!("{limit} s"));
            let cell = |kind| {
                let (drops, interval) = idle(mode, start, limit, kind);
                format!("{drops} lost, {:>7.3} s", interval.as_secs_f64())
            };
            let (active, silent) = (cell(Middlebox::Active), cell(Middlebox::Silent));
            let mode = format!("{mode:?}");
            let _ = writeln!(table, "{mode:<8} {start:>3} s {name:>8}     {active:<20}{silent}");
        }
    }
    let file = File::new(env!("CARGO_MANIFEST_DIR")).join("golden/learning.txt");
    golden::check(&file, &table).unwrap_or_else(|error| panic!("{error}"));
}
