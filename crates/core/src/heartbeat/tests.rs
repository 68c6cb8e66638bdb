//! The heartbeat's table: the inputs, the expected outputs, and the next deadline at the end.
//!
//! Interval 10 s, timeout 5 s (at most 60 s), grace 2 s, no jitter; times in seconds. Inputs: `T` handle_timeout, `rx`
//! a byte of anything, `pong(n)` the Pong for ping n, `block` the transport is full, `tx` it accepted bytes, `flush` a
//! ping has left, `pause`/`resume` reading, `pace(s)` another interval, `wake(s)` the machine slept for s seconds. A
//! ping leaves at the instant at which it is requested, unless the transport is full. After `=>`: the outputs, if any.

mod doubt;
mod resume;
mod settings;

use super::*;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

const TABLE: &str = "
idle, answered
    10 T => Ping#1; 10.05 pong(1) => rtt=50; 20 T; 20.05 T => Ping#2 | dead@25.05
silent death
    10 T => Ping#1; 14.999 T; 15 T => Dead(silent=15000, ping=5000, pongs=0/1) | none
data answers the probe
    10 T => Ping#1; 12 rx; 15 T; 22 T => Ping#2 | dead@27
never pongs, always talks
    9 rx; 12.5 T => Pong; 18 rx; 25 T => Pong; 27 rx; 36 rx | pong@37.5
never pongs, talks only after pings
    10 T => Ping#1; 14 rx; 24 T => Ping#2; 28.9 rx; 38.9 T => Ping#3 | dead@43.9
... until the third answer without a Pong, which is news, once
    10 T => Ping#1; 14 rx; 24 T => Ping#2; 28.9 rx; 38.9 T => Ping#3; 39 rx; 49 T => PeerDoesNotPong, Ping#4; 49.1 rx; 59.1 T => Ping#5 | dead@64.1
what comes while the transport is full is no answer: the pings wait in it
    9.9 block; 10 T => Ping#1; 10.1 flush; 10.1 block; 14 rx; 24 T => Ping#2; 24.1 flush; 24.1 block; 28.9 rx; 38.9 T => Ping#3; 39 flush; 39 block; 39.1 rx; 49.1 T => Ping#4; 50 pong(1) => rtt=39900 | dead@110
nor is what comes while a ping may lie in a transport that has been full since
    10 T => Ping#1; 10.5 block; 11 tx; 12 rx; 22 T => Ping#2; 22.5 block; 23 tx; 24 rx; 34 T => Ping#3; 34.5 block; 35 tx; 36 rx; 46 T => Ping#4 | dead@51
nor if the ping was what made it drain: all that had filled it is on the way before
    9.9 block; 10 T => Ping#1; 10.1 flush; 11 rx; 21 T => Ping#2; 22 rx; 32 T => Ping#3; 33 rx; 43 T => Ping#4 | dead@48
one Pong is proof of Pongs
    10 T => Ping#1; 11 pong(1) => rtt=1000; 21 T => Ping#2; 22 rx; 32 T => Ping#3; 33 rx; 43 T => Ping#4; 44 rx; 54 T => Ping#5 | dead@63
a Pong that is late for its ping is still one
    10 T => Ping#1; 11 rx; 21 T => Ping#2; 22 rx; 32 T => Ping#3; 33 rx; 34 pong(3) => rtt=2000; 44 T => Ping#4 | dead@62
a ping that nothing answered says nothing about Pongs
    10 T => Ping#1; 40 T => Stalled(25000), Ping#2; 41 rx; 51 T => Ping#3; 52 rx; 62 T => Ping#4; 63 rx; 73 T => PeerDoesNotPong, Ping#5 | dead@78
news of a stall goes before news of the peer
    10 T => Ping#1; 11 rx; 21 T => Ping#2; 22 rx; 32 T => Ping#3; 33 rx; 63 T => Stalled(20000), Ping#4; 64 rx; 74 T => PeerDoesNotPong, Ping#5 | dead@79
one byte of a huge frame is life
    10 T => Ping#1; 14.9 rx; 19.8 rx; 22.5 T => Pong; 24.7 rx; 29.6 rx; 34.5 rx; 35 T => Pong; 39.4 rx | pong@47.5
busy upload: the ping waits, the link drains slowly, no input; then the drain stops
    9.9 block; 10 T => Ping#1; 11 tx; 11 block; 13 flush; 14 tx; 14 block; 17 tx; 17 block; 20 tx; 20 block; 24.999 T; 25 T => Dead(silent=25000, ping=12000, pongs=0/1) | none
a ping that leaves a full transport is a drain too
    9.9 block; 10 T => Ping#1; 13 flush; 14 tx; 17.9 T | dead@18
accepting into a free buffer is no life
    2 tx; 10 T => Ping#1; 11 tx; 12 tx; 13 tx; 14 tx; 15 T => Dead(silent=15000, ping=5000, pongs=0/1) | none
ping cannot leave (send buffer full, dead path)
    5 block; 10 T => Ping#1; 14.9 T; 15 T => Dead(silent=15000, ping=unsent, pongs=0/1) | none
what comes before the ping has left does not answer it
    9.9 block; 10 T => Ping#1; 11 rx; 13 flush; 14 T | dead@18
what comes after does
    9.9 block; 10 T => Ping#1; 11 rx; 13 flush; 14 rx | ping@24
the clock of a ping starts when it has left, also in a transport that was free meanwhile
    9.9 block; 10 T => Ping#1; 11 tx; 13 flush; 17.9 T; 18 T => Dead(silent=18000, ping=5000, pongs=0/1) | none
a Pong may come before the report that its ping has left
    9.9 block; 10 T => Ping#1; 10.2 pong(1); 10.3 flush | ping@20.2
one-way download: we only receive
    3 rx; 6 rx; 9 rx; 12 rx; 12.5 T => Pong; 15 rx; 18 rx; 24 rx; 25 T => Pong | ping@34
what we send replaces the Pong
    3 rx; 6 rx; 9 rx; 12 rx; 12 tx; 12.5 T; 20 rx | pong@24.5
no Pong is put behind a full transport
    3 rx; 9 rx; 12 block; 12.5 T; 15 rx; 24 rx; 24.5 T; 24.6 tx | ping@34
our application stopped reading
    4 pause; 9 T => Pong; 14 T => Pong; 19 T => Pong; 60 T => Pong; 61 resume; 71 T => Ping#1 | dead@76
a pause told twice is one pause
    4 pause; 6 pause; 9 T => Pong; 10 resume; 11 resume | ping@20
no verdict while we do not read, and a full timeout after it
    10 T => Ping#1; 11 pause; 16 T => Pong; 20.9 T; 21 T => Pong; 24 resume; 28.9 T; 29 T => Dead(silent=29000, ping=19000, pongs=0/1) | none
while neither side reads, Pongs do not pile up
    4 pause; 5 block; 9 T; 3600 T | none
stale pong
    10 T => Ping#1; 11 rx; 21 T => Ping#2; 22 pong(1) => rtt=12000; 23 pong(2) => rtt=2000 | ping@33
a Pong for the newest ping settles the older ones
    10 T => Ping#1; 11 rx; 21 T => Ping#2; 22 pong(2) => rtt=1000; 23 pong(1) | ping@33
unsolicited pong counts as life, gives no RTT
    5 pong(77); 14.999 T => Pong; 15 T => Ping#1 | dead@20
a long path gets three PTOs
    10 T => Ping#1; 12 pong(1) => rtt=2000; 22 T => Ping#2 | dead@40
but no more than the longest timeout
    10 T => Ping#1; 11 rx; 21 T => Ping#2; 22 pong(1) => rtt=12000; 32 T => Ping#3 | dead@92
late wake-up (starved loop), link alive
    10 T => Ping#1; 40 T => Stalled(25000), Ping#2; 40.2 pong(2) => rtt=200 | ping@50.2
late wake-up, link really dead
    10 T => Ping#1; 40 T => Stalled(25000), Ping#2; 45 T => Dead(silent=45000, ping=5000, pongs=0/2) | none
late again, after a fresh question: that counts
    10 T => Ping#1; 40 T => Stalled(25000), Ping#2; 90 T => Dead(silent=90000, ping=50000, pongs=0/2) | none
the answer gives back the mercy
    10 T => Ping#1; 40 T => Stalled(25000), Ping#2; 41 rx; 51 T => Ping#3; 90 T => Stalled(34000), Ping#4 | dead@95
within the grace a late call is an ordinary one
    12 T => Ping#1; 19 T => Dead(silent=19000, ping=7000, pongs=0/1) | none
beyond it, by a millisecond, it is not
    12.001 T => Stalled(2001), Ping#1; 17.001 T => Dead(silent=17001, ping=5000, pongs=0/1) | none
late ping
    35 T => Stalled(25000), Ping#1; 36 pong(1) => rtt=1000 | ping@46
laptop slept 300 s, monotonic clock stood still
    4 wake(300) => Resumed(300000), Ping#1; 5 pong(1) => rtt=1000 | ping@15
sleep of 8 s is ignored
    4 wake(8); 10 T => Ping#1 | dead@15
sleep of 10 s too, it is the limit
    4 wake(10); 10 T => Ping#1 | dead@15
a sleep during a probe asks again
    10 T => Ping#1; 12 wake(60) => Resumed(60000), Ping#2 | dead@17
a resume probe that has not left is not repeated
    4 block; 4 wake(60) => Resumed(60000), Ping#1; 8 wake(60); 9 T; 13 T => Dead(silent=13000, ping=unsent, pongs=0/1) | none
clock goes backwards
    10 T => Ping#1; 10.05 pong(1) => rtt=50; 3 rx; 9 T; 20.04 T; 20.05 T => Ping#2 | dead@25.05
clock jumps an hour
    3600 T => Stalled(3590000), Ping#1; 3600.2 pong(1) => rtt=200; 3610.2 T => Ping#2 | dead@3615.2
two timers due together
    10 T => Ping#1; 10 T | dead@15
another pace counts from the last byte
    3 rx; 3 tx; 5 pace(8); 10.999 T; 11 T => Ping#1 | dead@16
... and a slower one too
    3 rx; 3 tx; 5 pace(30); 32.999 T; 33 T => Ping#1 | dead@38
what another pace makes overdue is due now, and not late
    9 pace(2); 9 T => Ping#1 | dead@14
... but late if nobody looks for long
    9 pace(2); 11.001 T => Stalled(2001), Ping#1 | dead@16.001
what is said unasked follows the pace
    9 rx; 9.5 pace(4); 9.5 T => Pong | ping@13
... while nobody reads, too
    4 pause; 8 pace(2); 8 T => Pong; 9 T => Pong | pong@10
a ping that is out keeps its time
    10 T => Ping#1; 11 pace(1) | dead@15
no pace makes a busy loop
    5 pace(0); 5 T => Ping#1; 5 pong(1) => rtt=0 | ping@5.001
the dead stay dead
    10 T => Ping#1; 15 T => Dead(silent=15000, ping=5000, pongs=0/1); 16 rx; 17 pong(1) => rtt=7000; 18 wake(60); 19 resume; 99 T | none
";

const KEEPALIVE_ONLY: &str = "
silence never kills, and the pings go on
    10 T => Ping#1; 15 T; 20 T => Ping#2; 30 T => Ping#3; 30.1 pong(3) => rtt=100 | ping@40.1
a ping that cannot leave is not joined by others
    5 block; 10 T => Ping#1; 20 T; 99 T; 100 flush | ping@110
return traffic is as with a verdict
    9 rx; 12.5 T => Pong; 18 rx | pong@25
a late ping says so
    10 T => Ping#1; 40 T => Stalled(20000), Ping#2 | ping@50
";

const OFF: &str = "
nothing comes of nothing
    10 T; 99 T | none
a host that does as it likes
    5 block; 6 tx; 7 pause; 8 resume; 9 rx; 10 wake(300); 3600 T | none
";

pub(super) fn config(mode: Mode) -> Config {
    Config {
        mode,
        interval: Duration::from_secs(10),
        timeout: Duration::from_secs(5),
        timeout_max: Duration::from_secs(60),
        grace: Duration::from_secs(2),
        jitter_percent: 0,
    }
}

/// A heartbeat and the pings that it has requested.
struct Bench {
    heartbeat: Heartbeat,
    payloads: Vec<[u8; 8]>,
}

impl Bench {
    fn new(config: Config) -> Self {
        let heartbeat = Heartbeat::new(config, &mut Rng::from_seed([1; 32]), Instant::ZERO);
        Self { heartbeat, payloads: Vec::new() }
    }

    fn step(&mut self, now: Instant, input: &str) -> String {
        let (name, argument) = input.trim_end_matches(')').split_once('(').unwrap_or((input, "0"));
        let argument: usize = argument.parse().expect("a number in brackets");
        let heartbeat = &mut self.heartbeat;
        let beat = match name {
            "T" => heartbeat.handle_timeout(now),
            "wake" => heartbeat.handle_wake(now, Duration::from_secs(argument as u64)),
            "pong" => {
                let payload = self.payloads.get(argument - 1).copied().unwrap_or_default();
                let round_trip = heartbeat.handle_pong(now, &payload);
                return round_trip.map_or_else(String::new, |it| format!("rtt={}", it.as_millis()));
            }
            other => {
                match other {
                    "pace" => heartbeat.set_interval(now, Duration::from_secs(argument as u64)),
                    "rx" => heartbeat.handle_received(now),
                    "tx" => heartbeat.handle_sent(now),
                    "block" => heartbeat.handle_blocked(now),
                    "flush" => heartbeat.handle_ping_sent(now),
                    "pause" => heartbeat.set_reading(now, false),
                    "resume" => heartbeat.set_reading(now, true),
                    "hurry" => heartbeat.set_impatient(now, true),
                    "calm" => heartbeat.set_impatient(now, false),
                    _ => panic!("unknown input {other}"),
                }
                None
            }
        };
        if let (Some(Beat::Ping { .. }), false) = (beat, heartbeat.blocked) {
            heartbeat.handle_ping_sent(now);
        }
        if name == "T" {
            let next = heartbeat.poll_timeout();
            assert!(
                next.is_none_or(|next| next > now.max(heartbeat.clock - Duration::from_nanos(1))),
                "law 3"
            );
        }
        self.tell(beat)
    }

    fn tell(&mut self, beat: Option<Beat>) -> String {
        match beat {
            None => String::new(),
            Some(Beat::Pong) => "Pong".to_string(),
            Some(Beat::Ping { payload, news }) => {
                self.payloads.push(payload);
                let news = match news {
                    None => String::new(),
                    Some(News::Stalled { late }) => format!("Stalled({}), ", late.as_millis()),
                    Some(News::Resumed { slept }) => format!("Resumed({}), ", slept.as_millis()),
                    Some(News::PeerDoesNotPong) => "PeerDoesNotPong, ".to_string(),
                };
                format!("{news}Ping#{}", self.payloads.len())
            }
            Some(Beat::Doubt { silent }) => format!("Doubt({})", silent.as_millis()),
            Some(Beat::Dead { silent, ping, pongs, pings }) => {
                let ping = ping.map_or("unsent".to_string(), |ping| ping.as_millis().to_string());
                format!("Dead(silent={}, ping={ping}, pongs={pongs}/{pings})", silent.as_millis())
            }
        }
    }

    /// The next deadline and what it is for.
    fn next(&self) -> String {
        let deadline = self.heartbeat.poll_timeout();
        let all = [
            ("ping", self.heartbeat.ping_at()),
            ("dead", self.heartbeat.dead_at()),
            ("doubt", self.heartbeat.doubt_at()),
            ("pong", self.heartbeat.pong_at()),
        ];
        match (deadline, all.into_iter().find(|(_, at)| *at == deadline)) {
            (Some(at), Some((name, _))) => format!("{name}@{}", at.since_start().as_secs_f64()),
            _ => "none".to_string(),
        }
    }
}

/// Plays each row, and rewrites it with the actual outputs.
fn play(config: Config, table: &str) -> Vec<String> {
    let lines: Vec<_> = table.lines().filter(|line| !line.is_empty()).collect();
    lines
        .chunks(2)
        .flat_map(|row| {
            let (steps, _) = row[1].trim().split_once(" | ").expect("a deadline at the end of the row");
            let mut bench = Bench::new(config);
            let steps: Vec<_> = steps
                .split("; ")
                .map(|step| {
                    let input = step.split(" => ").next().unwrap_or(step);
                    let (at, what) = input.split_once(' ').expect("a time and an input");
                    let at: f64 = at.parse().expect("seconds");
                    let output = bench.step(Instant::from_micros((at * 1e6).round() as u64), what);
                    if output.is_empty() { input.to_string() } else { format!("{input} => {output}") }
                })
                .collect();
            [row[0].to_string(), format!("    {} | {}", steps.join("; "), bench.next())]
        })
        .collect()
}

fn holds(config: Config, table: &str) {
    let expected: Vec<_> = table.lines().filter(|line| !line.is_empty()).collect();
    let played = play(config, table);
    for (expected, played) in expected.chunks(2).zip(played.chunks(2)) {
        assert_eq!(expected[1], played[1], "{}", expected[0]);
    }
}

#[test]
fn every_row_of_the_table_holds() {
    holds(config(Mode::Full), TABLE);
}

#[test]
fn keepalive_only_never_gives_a_verdict() {
    holds(config(Mode::KeepaliveOnly), KEEPALIVE_ONLY);
}

#[test]
fn mode_off_does_nothing() {
    holds(config(Mode::Off), OFF);
}

#[test]
fn a_clock_that_steps_back_is_counted() {
    let mut bench = Bench::new(config(Mode::Full));
    for (at, input) in [(10, "rx"), (9, "rx"), (10, "T"), (3, "T"), (2, "pong(77)"), (1, "flush")] {
        bench.step(Instant::from_secs(at), input);
    }
    assert_eq!(bench.heartbeat.clock_regressions(), 4);
}

#[test]
fn sent_and_answered_pings_are_counted() {
    let mut bench = Bench::new(config(Mode::Full));
    for (at, input) in [(10, "T"), (11, "pong(1)"), (21, "T"), (22, "pong(2)"), (32, "T"), (33, "rx")] {
        bench.step(Instant::from_secs(at), input);
    }
    assert_eq!((bench.heartbeat.pings(), bench.heartbeat.pongs()), (3, 2));
}

#[test]
fn silence_is_counted_from_the_last_byte() {
    let mut bench = Bench::new(config(Mode::Full));
    for (at, input) in [(3, "rx"), (5, "pause"), (7, "resume")] {
        bench.step(Instant::from_secs(at), input);
    }
    assert_eq!(bench.heartbeat.silence(Instant::from_secs(9)), Duration::from_secs(6));
}

#[test]
fn the_interval_is_reported_as_it_was_set() {
    let mut bench = Bench::new(config(Mode::Full));
    assert_eq!(bench.heartbeat.interval(), Duration::from_secs(10));
    bench.step(Instant::from_secs(3), "pace(30)");
    assert_eq!(bench.heartbeat.interval(), Duration::from_secs(30));
}
