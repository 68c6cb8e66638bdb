//! The cost of learning how much silence a path allows: a small model of middleboxes with the figures as a table, and
//! complete clients behind simulated ones.

use bowline_core::adapt::{Adapt, Config, Mode, Path};
use bowline_core::closing::Kind;
use bowline_core::connection::{Event, Lesson};
use bowline_core::heartbeat;
use bowline_core::{End, Instant, Role, session};
use bowline_tests::golden;
use bowline_tests::sim::{self, Link, Then, World, contents};
use std::fmt::Write as _;
use std::path::Path as File;
use std::time::Duration;

const THREE_DAYS: u64 = 3 * 24 * 3600;
/// How long a ping may stay unanswered.
const TIMEOUT: Duration = Duration::from_secs(20);

/// What a middlebox does to a connection that was silent for too long.
#[derive(Clone, Copy, PartialEq)]
enum Middlebox {
    /// It ends it.
    Active,
    /// It forgets it, and says nothing.
    Silent,
}

/// Connections that are idle except for their heartbeat. Returns how many of them the middlebox has ended in three
/// days, and the interval at the end.
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

// Complete clients.

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

/// A client that has nothing to send, and a middlebox on its path. The server never pings.
fn client(seed: u64, mode: Mode, interval: Duration, middlebox: Option<(Duration, Then)>) -> World {
    let mut config = session::Config::default();
    (config.adapt.mode, config.adapt.interval) = (mode, interval);
    config.unix = 1_790_000_000;
    let mut world = World::with(seed, config, session::Config::default());
    world.learns = true;
    world.connection.heartbeat.interval = interval;
    world.quiet_server = true;
    world.dialler = Box::new(move |_, now| {
        let mut link = Link::new(sim::Path::default(), now);
        if let Some((after, then)) = middlebox {
            link.drop_idle(after, then);
        }
        Some(link)
    });
    world
}

/// What the client was told about its heartbeat: from, to, why.
fn changes(world: &World) -> Vec<(Duration, Duration, Lesson)> {
    let changes = world.worker.told.iter().filter_map(|(_, event)| match event {
        session::Event::Link(Event::HeartbeatChanged { from, to, why }) => Some((*from, *to, *why)),
        _ => None,
    });
    changes.collect()
}

fn at(duration: Duration) -> Instant {
    Instant::ZERO + duration
}

#[test]
fn a_proxy_of_three_seconds_ends_one_connection_and_the_next_lives() {
    for seed in 0..20 {
        let mut world = client(seed, Mode::Learn, 10 * SECOND, Some((3 * SECOND, Then::Finish)));
        world.run_until(at(HOUR));
        assert_eq!(world.dials(), 2, "{:?}", world.past);
        let sentence = world.past[0].end.to_string();
        assert!(sentence.ends_with(" after 3 s of silence; heartbeat set to 2.3 s"), "{sentence}");
        let lesson = Lesson::Dropped { silence: 3 * SECOND };
        assert_eq!(changes(&world), [(10 * SECOND, Duration::from_millis(2250), lesson)]);
        let pings = world.pair().expect("a link").client.connection.stats().pings;
        assert!((1595..=1800).contains(&pings), "{pings} pings in an hour");
        let path = world.session.path().expect("a client has one");
        assert_eq!(path.hi(), Some(3 * SECOND));
        assert!(path.lo() > Some(2 * SECOND), "{path}");
    }
}

#[test]
fn few_connections_are_lost_behind_a_silent_nat() {
    for seed in 0..20 {
        for then in [Then::Swallow, Then::ResetLater] {
            let interval = heartbeat::Config::default().interval;
            let mut world = client(seed, Mode::Learn, interval, Some((15 * SECOND, then)));
            world.run_until(at(HOUR));
            assert!((1..=2).contains(&world.past.len()), "{:?}", world.past);
            let hi = world.session.path().and_then(Path::hi).expect("a limit");
            assert!(hi <= 20 * SECOND, "{hi:?}");
        }
    }
}

#[test]
fn the_sentence_says_what_the_next_connection_does() {
    let mut world = client(1, Mode::Learn, 120 * SECOND, Some((60 * SECOND, Then::Finish)));
    world.run_until(at(HOUR));
    assert_eq!(world.dials(), 2, "{:?}", world.past);
    assert_eq!(
        world.past[0].end.to_string(),
        "no close frame received or sent; connection ended (EOF) without a close frame after 60 s of silence: \
         idle limit of about 60 s (nginx proxy_read_timeout, AWS ALB and ELB); heartbeat set to 45 s"
    );
    let pings = world.pair().expect("a link").client.connection.stats().pings;
    assert!((78..=88).contains(&pings), "{pings} pings in an hour: one every 40 to 45 s");
}

#[test]
fn a_network_that_was_down_is_not_taken_for_a_limit() {
    let mut world = client(3, Mode::Learn, 20 * SECOND, None);
    world.dialler = Box::new(|n, now| {
        let mut link = Link::new(sim::Path::default(), now);
        if n == 0 {
            // Nothing gets through after 5 s, and nobody answers for a minute.
            for role in [Role::Client, Role::Server] {
                link.swallow(role, Instant::from_secs(5));
            }
        }
        (n == 0 || now > Instant::from_secs(65)).then_some(link)
    });
    world.run_until(at(HOUR));
    assert_eq!(world.past.len(), 1, "{:?}", world.past);
    assert_eq!(world.past[0].end.kind(), Kind::KeepaliveTimeout, "{}", world.past[0].end);
    assert_eq!(changes(&world), []);
    assert_eq!(world.session.path().and_then(Path::hi), None);
}

#[test]
fn a_client_that_explores_finds_the_limit_at_the_cost_of_one_connection() {
    let mut world = client(4, Mode::Explore, 20 * SECOND, Some((60 * SECOND, Then::Finish)));
    world.run_until(at(12 * HOUR));
    assert_eq!(world.past.len(), 1, "{:?}", world.past);
    let intervals: Vec<_> = changes(&world).iter().map(|(_, to, _)| to.as_millis()).collect();
    let last = *intervals.last().expect("it has learned");
    assert!((50_000..55_000).contains(&last), "{intervals:?}");
}

#[test]
fn a_client_that_explores_tries_nothing_during_a_transfer() {
    let mut world = client(5, Mode::Explore, 20 * SECOND, Some((60 * SECOND, Then::Swallow)));
    world.run_until(at(Duration::from_secs(160)));
    let tried = changes(&world).last().map(|(_, to, _)| *to).expect("three pings were answered");
    assert!(tried > 30 * SECOND, "{tried:?}");
    world.upload("file", contents(5, 1000));
    world.settle();
    let (_, calm, why) = *changes(&world).last().expect("a change");
    assert!(calm < 30 * SECOND && why == Lesson::Busy, "{calm:?} since {why}");
    assert!(world.run(SECOND));
    world.run_until(world.now() + SECOND);
    assert_eq!(changes(&world).last().map(|(_, to, why)| (*to, *why)), Some((tried, Lesson::Explores)));
}

#[test]
fn a_server_that_accepts_and_then_drops_is_not_stormed() {
    for seed in 0..300 {
        let mut world = World::new(seed);
        world.dialler = Box::new(|_, now| {
            let mut link = Link::new(sim::Path::default(), now);
            link.cut(now, End::Eof);
            Some(link)
        });
        world.run_until(Instant::from_secs(30));
        assert!((3..=12).contains(&world.dials()), "{} connections", world.dials());
    }
}
