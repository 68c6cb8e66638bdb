//! The table of reconnection: the inputs, and when the next dial is due.
//!
//! Base 1 s, cap 30 s, floor 100 ms, stable after 10 s. Inputs, at times in seconds: `open`; `lost(u, retry,
//! retry-after)`, the loss of a link if there is one and of a dial otherwise, with the draw u from [0, 1], the advice
//! `backoff` unless given, and `retry-after` in milliseconds; `useful`, `replaced`, `network(u)`, `T` handle_timeout,
//! `dial`, and `stuck(s)`, for s seconds. A dial begins when it is due. Times in outputs are in milliseconds. After
//! `|`: the attempts.

use super::*;
use crate::closing::{Change, Why};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

const TABLE: &str = "
full jitter doubles, caps
    0 lost(0.5) => DialAt(500); 0.5 lost(0.5) => DialAt(1500); 1.5 lost(0.5) => DialAt(3500); 3.5 lost(0.5) => DialAt(7500); 7.5 lost(0.5) => DialAt(15500); 15.5 lost(0.5) => DialAt(30500); 30.5 lost(0.5) => DialAt(45500) | n=7
a lucky draw waits for the floor
    0 lost(0) => DialAt(100); 0.1 lost(0) => DialAt(200) | n=2
accept-then-close storm does not reset
    0 open; 0.01 lost(1.0,backoff) => DialAt(1010); 1.01 open; 1.02 lost(1.0,backoff) => DialAt(3020); 3.02 open; 3.03 lost(1.0,backoff) => DialAt(7030) | n=3
... and after the third, the window is the widest until a link is stable
    0 open; 0.01 lost(1.0) => DialAt(1010); 1.01 open; 1.02 lost(1.0) => DialAt(3020); 3.02 open; 3.03 lost(1.0) => DialAt(7030); 7.03 open; 7.04 lost(1.0) => DialAt(37040); 37.04 open; 39.04 lost(1.0) => DialAt(69040); 70 open; 80 lost(1.0) => DialAt(81000); 81 lost(1.0) => DialAt(83000) | n=2
a stable link wipes the quick drops out
    0 open; 0.01 lost(1.0) => DialAt(1010); 1.01 open; 1.02 lost(1.0) => DialAt(3020); 3.02 open; 3.03 lost(1.0) => DialAt(7030); 7.03 open; 17.03 lost(1.0) => DialAt(18030); 18.03 lost(1.0) => DialAt(20030) | n=2
two quick drops, a better link, a quick drop: no storm
    0 open; 0.01 lost(1.0) => DialAt(1010); 1.01 open; 1.02 lost(1.0) => DialAt(3020); 3.02 open; 4.02 lost(1.0) => DialAt(8020); 8.02 open; 8.03 lost(1.0) => DialAt(16030); 17 lost(1.0) => DialAt(33000) | n=5
links that are of use end the outage, however short they live
    0 lost(1.0) => DialAt(1000); 1 open; 1.2 useful; 1.9 lost(1.0) => DialAt(2900); 2.9 open; 3 useful; 3.1 lost(1.0) => DialAt(4100); 4.1 open; 4.2 useful; 4.3 lost(1.0) => DialAt(5300); 5.3 open; 5.4 useful; 5.5 lost(1.0) => DialAt(6500) | n=1
... and so do those that another one replaces
    0 lost(1.0) => DialAt(1000); 1 open; 2 useful; 3 replaced; 3 open; 3.5 lost(1.0) => DialAt(4500) | n=1
... unless they were of none
    0 lost(1.0) => DialAt(1000); 1 open; 3 replaced; 3 open; 3.5 lost(1.0) => DialAt(5500) | n=2
... and the other one begins anew, of no use so far
    0 lost(1.0) => DialAt(1000); 1 open; 4 replaced; 12 lost(1.0) => DialAt(14000) | n=2
... nor stuck
    0 lost(1.0) => DialAt(1000); 1 open; 13 stuck(5); 14 replaced; 27 lost(1.0) => DialAt(28000) | n=1
... and use without a link is nothing
    0 lost(1.0) => DialAt(1000); 0.5 useful; 1 lost(1.0) => DialAt(3000) | n=2
stable connection resets
    0 lost(0.5) => DialAt(500); 0.5 lost(0.5) => DialAt(1500); 1.5 open; 11.5 lost(0.5,now) => DialAt(12000) | n=1
one that is a millisecond short of it does not
    0 lost(0.5) => DialAt(500); 0.5 lost(0.5) => DialAt(1500); 1.5 open; 11.499 lost(0.5,now) => DialAt(13499) | n=3
codes
    0 lost(0.5,after-5-30) => DialAt(17500); 20 lost(0.5,backoff-after-10) => DialAt(31000); 40 lost(0.5,no) => GiveUp(no further attempt: refused) | n=2
a change goes with the usual backoff
    0 lost(0.5) => DialAt(500); 0.5 lost(0.5,change) => DialAt(1500) | n=2
Retry-After wins when longer
    0 lost(0.5,backoff,7000) => DialAt(7000); 8 lost(0.5,backoff,100) => DialAt(9000) | n=2
... and when longer than the range of a restart
    0 lost(0.5,after-5-30,7000) => DialAt(17500); 20 lost(0.5,after-5-30,60000) => DialAt(80000) | n=2
nobody is made to wait for longer than an hour
    0 lost(0.5,backoff,3600000) => DialAt(3600000); 3600 lost(0,backoff,3600001) => DialAt(7200000); 7200 lost(0,backoff,1000000000000000000) => DialAt(10800000) | n=3
given up is given up
    0 lost(0.5,no) => GiveUp(no further attempt: refused); 1 lost(0.5); 2 network(0.5); 3 T | n=0
... until somebody asks
    0 lost(0.5) => DialAt(500); 1 lost(0.5,no) => GiveUp(no further attempt: refused); 2 dial; 2 T => Dial; 2 lost(0.5) => DialAt(2500) | n=1
the button shortens a wait
    0 lost(1) => DialAt(1000); 1 lost(1) => DialAt(3000); 1.5 dial; 1.5 T => Dial; 1.5 lost(0.5) => DialAt(2000) | n=1
but not what goes on
    0 open; 1 dial; 1 T; 60 lost(0.5) => DialAt(60500); 60.5 T => Dial; 61 dial; 61 T; 62 lost(0.5) => DialAt(63000) | n=2
a dial that takes too long is abandoned
    0 T => Dial; 9.999 T; 10 T => DialAt(10000+); 25 open | n=1
a dial is due when the wait is over, and not before
    0 lost(0.5) => DialAt(500); 0.499 T; 0.5 T => Dial; 0.6 T | n=1
a failure that is told twice counts once
    0 lost(0.5) => DialAt(500); 0.1 lost(0.5); 0.5 T => Dial | n=1
a link on which all has waited in vain lived as long as it did not
    0 lost(1) => DialAt(1000); 1 open; 41 stuck(30.001); 41 lost(1) => DialAt(43000); 43 open; 83 stuck(30); 83 lost(1) => DialAt(84000); 84 lost(1) => DialAt(86000) | n=2
... unless it was of use
    0 lost(1) => DialAt(1000); 1 open; 2 useful; 41 stuck(39); 41 lost(1) => DialAt(42000) | n=1
... and of a dial nothing is said
    0 lost(1) => DialAt(1000); 1 stuck(1); 1 open; 41 lost(1) => DialAt(42000) | n=1
the network changes
    0 lost(1) => DialAt(1000); 1 lost(1) => DialAt(3000); 1.5 network(0.5) => DialAt(1750); 1.6 network(1); 1.75 T => Dial; 1.8 network(0.5); 2 lost(0.5) => DialAt(4000) | n=3
the network changes, but the server asked for time
    0 lost(0.5,after-5-30) => DialAt(17500); 1 network(0.5) => DialAt(5000); 2 network(0.5); 6 lost(0.5,backoff,7000) => DialAt(13000); 7 network(0.5) | n=2
the network changes under a link
    0 open; 5 network(0.5) | n=0
a clock that steps back stands still
    0 lost(0.5) => DialAt(500); 5 T => Dial; 3 lost(0.5) => DialAt(6000) | n=2
";

const TWO_ATTEMPTS: &str = "
budget
    0 lost(0.5) => DialAt(500); 1 lost(0.5) => DialAt(2000); 2 lost(0.5) => GiveUp(no connection after 2 attempts) | n=2
a stable link fills the budget up
    0 lost(0.5) => DialAt(500); 1 lost(0.5) => DialAt(2000); 2 open; 12 lost(0.5) => DialAt(12500) | n=1
one that does not last is not denied
    0 lost(0.5) => DialAt(500); 1 lost(0.5) => DialAt(2000); 2 open; 5 lost(0.5) => GiveUp(no connection was stable in 5 s) | n=2
the reason goes before the budget
    0 lost(0.5) => DialAt(500); 1 lost(0.5) => DialAt(2000); 2 lost(0.5,no) => GiveUp(no further attempt: refused) | n=2
";

const TEN_SECONDS: &str = "
no dial is begun later than the budget allows
    0 open; 60 lost(1) => DialAt(61000); 61 lost(1) => DialAt(63000); 63 lost(1) => DialAt(67000); 67 lost(0.375) => DialAt(70000); 70 lost(0) => GiveUp(no connection for 10 s) | n=4
links that do not last do not count
    0 open; 60 lost(1) => DialAt(61000); 61 open; 70.5 lost(0) => GiveUp(no connection was stable in 10.5 s) | n=1
those that last do
    0 open; 60 lost(1) => DialAt(61000); 61 open; 71 lost(0.5) => DialAt(71500) | n=1
links that open and carry nothing do not end an outage
    0 lost(1) => DialAt(1000); 1 open; 5 stuck(4); 5 lost(1) => DialAt(7000); 7 open; 40 stuck(33); 40 lost(0) => GiveUp(connections open, but nothing has got across for 40 s: something on the path may drop large packets) | n=2
... which lasts until something has
    0 lost(1) => DialAt(1000); 1 open; 5 stuck(4); 5 lost(1) => DialAt(7000); 7 open; 8 useful; 40 lost(1) => DialAt(41000) | n=1
one such link may just have been cut, however late that is found out
    0 open; 40 stuck(40); 40 lost(0) => DialAt(40500); 40.5 open; 80 stuck(39.5); 80 lost(0) => GiveUp(connections open, but nothing has got across for 80 s: something on the path may drop large packets) | n=1
... also after hours in which nothing had to cross
    0 open; 7200 stuck(40); 7200 lost(1) => DialAt(7201000); 7201 lost(0) => GiveUp(no connection was stable in 41 s) | n=1
who was never reached is measured from the start
    0 lost(1) => DialAt(1000); 9.95 lost(1) => GiveUp(no connection for 10 s) | n=1
a wait that would be too long is shortened to one last dial, late in the time that is left
    0 open; 60 lost(1) => DialAt(61000); 61 lost(1) => DialAt(63000); 63 lost(1) => DialAt(67000); 67 lost(1) => DialAt(70000); 70 lost(0) => GiveUp(no connection for 10 s) | n=4
... and after it there is none, even if it was early
    0 open; 60 lost(1) => DialAt(61000); 61 lost(1) => DialAt(63000); 63 lost(1) => DialAt(67000); 67 lost(0.5) => DialAt(69250); 69.25 lost(0) => GiveUp(no connection for 9.3 s) | n=4
... until a link lasts
    0 lost(1) => DialAt(1000); 6 lost(1) => DialAt(8000); 8 lost(1) => DialAt(10000); 10 open; 20 lost(1) => DialAt(21000); 29 lost(1) => DialAt(30000) | n=2
the floor holds for it
    0 lost(1) => DialAt(1000); 9.9 lost(1) => DialAt(10000) | n=2
... and leaves some choice above it
    0 lost(1) => DialAt(1000); 9.85 lost(0.2) => DialAt(9950) | n=2
a server that asks for more time than there is, is asked once more, late in it
    0 lost(0.5,backoff,10001) => DialAt(7500); 1 network(0); 7.5 lost(0.5) => GiveUp(no connection for 7.5 s) | n=1
... one that asks for all of it is
    0 lost(0.5,backoff,10000) => DialAt(10000) | n=1
... one that asks for less is, when it wants
    0 lost(1,after-5-30) => DialAt(10000) | n=1
... and not sooner
    0 lost(0.5,after-5-30,9000) => DialAt(9000) | n=1
";

const FIRST_CONTACT: &str = "
a server that was never reached is given up soon
    0 lost(1) => DialAt(1000); 1 lost(0.5) => DialAt(2000); 2 lost(1) => DialAt(3000); 3 lost(1) => GiveUp(never connected in 3 s) | n=3
... but not sooner than said
    0 lost(1) => DialAt(1000); 1 lost(1) => DialAt(3000); 3 lost(0) => GiveUp(never connected in 3 s) | n=2
one that was reached is not
    0 lost(1) => DialAt(1000); 1 open; 1.5 lost(1) => DialAt(3500); 3.5 lost(1) => DialAt(7500) | n=3
";

const FLEET: &str = "
a crowd that loses its server spreads over the first window
    0 open; 60 lost(0.5,backoff) => DialAt(62500); 63 lost(0.5) => DialAt(65500); 66 lost(0.5) => DialAt(68500); 69 lost(0.5) => DialAt(73000) | n=4
... and is not drawn together again by the narrower windows of those who are alone
    0 open; 60 lost(1) => DialAt(65000); 65 lost(1) => DialAt(70000) | n=2
a link that ends at a time of its own need not
    0 open; 60 lost(0.5,now) => DialAt(60500); 61 lost(0.5,now) => DialAt(62000) | n=2
";

const SMALL_FLEET: &str = "
the first window may be narrower than the base, which holds from the second on
    0 open; 60 lost(1) => DialAt(60200); 60.2 lost(1) => DialAt(62200) | n=2
";

fn client(config: Config) -> Reconnect {
    Reconnect::new(config, &mut Rng::from_seed([1; 32]), Instant::ZERO)
}

fn advice(name: &str) -> Retry {
    let secs = Duration::from_secs;
    match name {
        "backoff" => Retry::Backoff,
        "now" => Retry::Now,
        "no" => Retry::No(Why::Refused),
        "change" => Retry::AfterChange(Change::SmallerMessages),
        "after-5-30" => Retry::After { min: secs(5), max: secs(30) },
        "backoff-after-10" => Retry::BackoffAfter(secs(10)),
        _ => panic!("unknown advice {name}"),
    }
}

fn step(reconnect: &mut Reconnect, now: Instant, input: &str) -> String {
    let (name, arguments) = input.trim_end_matches(')').split_once('(').unwrap_or((input, "0"));
    let arguments: Vec<_> = arguments.split(',').collect();
    let draw: f64 = arguments[0].parse().expect("a draw");
    let next = match name {
        "open" => {
            reconnect.handle_open(now);
            None
        }
        "useful" => {
            reconnect.handle_progress(now);
            None
        }
        "replaced" => {
            reconnect.handle_replaced(now);
            None
        }
        "stuck" => {
            reconnect.handle_stuck(now, Duration::from_secs_f64(draw));
            None
        }
        "dial" => {
            reconnect.dial(now);
            None
        }
        "T" => reconnect.handle_timeout(now),
        "network" => reconnect.hurry(now, draw),
        "lost" => {
            let retry = arguments.get(1).map_or(Retry::Backoff, |name| advice(name));
            let retry_after = arguments.get(2).map(|millis| millis.parse().expect("milliseconds"));
            if let State::Waiting { .. } = reconnect.state {
                reconnect.handle_timeout(now);
            }
            reconnect.fail(now, retry, retry_after.map(Duration::from_millis), draw)
        }
        _ => panic!("unknown input {name}"),
    };
    match next {
        None => String::new(),
        Some(Next::Dial) => "Dial".to_string(),
        // The wait after a dial that took too long is drawn internally.
        Some(Next::DialAt(at)) if name == "T" => {
            assert!(at > now && at <= now + Duration::from_secs(1));
            format!("DialAt({}+)", now.since_start().as_millis())
        }
        Some(Next::DialAt(at)) => format!("DialAt({})", at.since_start().as_millis()),
        Some(Next::GiveUp(why)) => format!("GiveUp({why})"),
    }
}

fn holds(config: Config, table: &str) {
    let lines: Vec<_> = table.lines().filter(|line| !line.is_empty()).collect();
    for row in lines.chunks(2) {
        let (steps, _) = row[1].trim().split_once(" | ").expect("the attempts at the end of the row");
        let mut reconnect = client(config);
        let played: Vec<_> = steps
            .split("; ")
            .map(|step| {
                let input = step.split(" => ").next().unwrap_or(step);
                let (at, what) = input.split_once(' ').expect("a time and an input");
                let at: f64 = at.parse().expect("seconds");
                let output =
                    self::step(&mut reconnect, Instant::from_micros((at * 1e6).round() as u64), what);
                if output.is_empty() { input.to_string() } else { format!("{input} => {output}") }
            })
            .collect();
        let played = format!("    {} | n={}", played.join("; "), reconnect.attempts());
        assert_eq!(row[1], played, "{}", row[0]);
    }
}

#[test]
fn every_row_of_the_table_holds() {
    holds(Config::default(), TABLE);
}

#[test]
fn attempts_may_be_limited() {
    holds(Config { max_attempts: Some(2), ..Config::default() }, TWO_ATTEMPTS);
}

#[test]
fn time_may_be_limited() {
    holds(Config { max_elapsed: Some(Duration::from_secs(10)), ..Config::default() }, TEN_SECONDS);
}

#[test]
fn the_time_to_the_first_contact_may_be_limited() {
    holds(Config { first_contact: Some(Duration::from_secs(3)), ..Config::default() }, FIRST_CONTACT);
}

#[test]
fn giving_up_at_once_names_no_time() {
    let said = |millis| GiveUp::NeverReached(Duration::from_millis(millis)).to_string();
    assert_eq!((&*said(49), &*said(50)), ("never connected", "never connected in 50 ms"));
}

#[test]
fn a_large_fleet_may_spread_wider() {
    holds(Config { first_window: Duration::from_secs(5), ..Config::default() }, FLEET);
}

#[test]
fn a_small_fleet_may_come_back_sooner() {
    holds(Config { first_window: Duration::from_millis(200), ..Config::default() }, SMALL_FLEET);
}

#[test]
fn quick_drops_are_counted_until_a_link_survives() {
    let mut reconnect = client(Config::default());
    let counts: Vec<_> = [0, 10, 999, 1000, 5]
        .map(|lives| {
            let now = reconnect.clock + Duration::from_secs(60);
            reconnect.handle_open(now);
            reconnect.handle_lost(now + Duration::from_millis(lives), Retry::Backoff);
            reconnect.quick_drops()
        })
        .into();
    assert_eq!(counts, [1, 2, 3, 0, 1]);
}

#[test]
fn a_link_that_replaces_a_useful_one_may_be_dropped_quickly_itself() {
    let mut reconnect = client(Config::default());
    let now = Instant::from_secs(1);
    reconnect.handle_open(now);
    reconnect.handle_progress(now);
    reconnect.handle_replaced(now + Duration::from_secs(5));
    reconnect.handle_lost(now + Duration::from_millis(5500), Retry::Backoff);
    assert_eq!(reconnect.quick_drops(), 1);
}

#[test]
fn an_abandoned_dial_does_not_end_an_open_link() {
    let mut reconnect = client(Config::default());
    reconnect.handle_open(Instant::from_secs(1));
    assert_eq!(reconnect.handle_dial_failed(Instant::from_secs(2), Retry::Backoff, None), None);
    assert_eq!(reconnect.poll_timeout(), None);
    assert!(reconnect.handle_lost(Instant::from_secs(3), Retry::Backoff).is_some());
}

#[test]
fn no_configuration_causes_a_busy_loop() {
    let zero = Duration::ZERO;
    let config = Config { base: zero, cap: zero, floor: zero, first_window: zero, ..Config::default() };
    let mut reconnect = client(Config { connect_timeout: zero, ..config });
    reconnect.handle_timeout(Instant::ZERO);
    assert_eq!(reconnect.poll_timeout(), Some(Instant::from_millis(1)));
    let next = reconnect.handle_dial_failed(Instant::ZERO, Retry::Backoff, Some(zero));
    assert_eq!(next, Some(Next::DialAt(Instant::from_millis(1))));
}

#[test]
fn the_widest_window_has_room_for_the_highest_draw() {
    let forever = Config { first_window: Duration::MAX, ..Config::default() };
    let next = client(forever).fail(Instant::ZERO, Retry::Backoff, None, 1.0 - f64::EPSILON / 2.0);
    assert_eq!(next, Some(Next::DialAt(Instant::MAX)));
}

#[test]
fn a_time_beyond_the_end_of_time_is_no_deadline() {
    let mut reconnect = client(Config::default());
    reconnect.handle_timeout(Instant::ZERO);
    let never = Retry::BackoffAfter(Duration::MAX);
    let next = reconnect.handle_dial_failed(Instant::ZERO, never, None);
    assert_eq!((next, reconnect.poll_timeout()), (Some(Next::DialAt(Instant::MAX)), None));
}

#[test]
fn a_network_change_shortens_the_wait_to_half_a_second_at_most() {
    let now = Instant::from_secs(60);
    for seed in 0..32 {
        let mut reconnect = Reconnect::new(Config::default(), &mut Rng::from_seed([seed; 32]), Instant::ZERO);
        reconnect.handle_open(Instant::ZERO);
        reconnect.handle_lost(now, Retry::Backoff);
        let before = reconnect.poll_timeout();
        let next = reconnect.handle_network_change(now);
        let after = reconnect.poll_timeout();
        assert!(after <= Some(now + Duration::from_millis(500)));
        assert_eq!(next, after.filter(|_| after != before).map(Next::DialAt));
    }
}

#[test]
fn two_clients_draw_differently() {
    let mut rng = Rng::from_seed([1; 32]);
    let mut draw = || {
        Reconnect::new(Config::default(), &mut rng, Instant::ZERO).handle_lost(Instant::ZERO, Retry::Backoff)
    };
    assert_ne!(draw(), draw());
}
