//! Doubts long before the verdict: interval 10 s, timeout 40 s. `hurry`: the owner is impatient from now on; `calm`: it
//! no longer is.

use super::*;

const TABLE: &str = "
a silence is probed early, and doubted again and again until the verdict
    1 hurry; 3.999 T; 4 T => Ping#1; 6.999 T; 7 T => Doubt(7000); 12.999 T; 13 T => Doubt(13000); 25 T => Doubt(25000); 49 T => Doubt(49000); 50 T => Dead(silent=50000, ping=46000, pongs=0/1) | none
a byte ends the doubts, and the next probe keeps its distance
    1 hurry; 4 T => Ping#1; 7 T => Doubt(7000); 8 rx | ping@14
... and where doubts were wrong, the next ones take longer
    1 hurry; 4 T => Ping#1; 7 T => Doubt(7000); 8 rx; 14 T => Ping#2; 19.999 T; 20 T => Doubt(12000) | doubt@32
... which ends at eight times
    1 hurry; 4 T => Ping#1; 7 T => Doubt(7000); 8 rx; 14 T => Ping#2; 20 T => Doubt(12000); 21 rx; 24 T => Ping#3; 36 T => Doubt(15000); 37 rx; 40 T => PeerDoesNotPong, Ping#4; 64 T => Doubt(27000); 65 rx; 68 T => Ping#5 | doubt@92
an answer that nobody has doubted makes nothing longer
    1 hurry; 4 T => Ping#1; 5 rx; 14 T => Ping#2 | doubt@17
a transport that takes bytes again shows life
    1 block; 1 hurry; 4 T => Ping#1; 7 T => Doubt(7000); 8 tx | doubt@14
the clock of the answer starts when the ping has left, also in a transport that was free meanwhile
    1 hurry; 3 block; 4 T => Ping#1; 5 tx; 6 flush | doubt@9
who does not wait any more doubts nothing
    1 hurry; 4 T => Ping#1; 5 calm | dead@50
an early probe makes no early verdict, nor a late one of the next ping
    1 hurry; 4 T => Ping#1; 4.05 pong(1) => rtt=50; 5 calm; 6 pace(2); 6.05 T => Ping#2 | dead@46.05
who begins to wait late waits as long
    10 T => Ping#1; 15 hurry | doubt@18
saying it again begins nothing anew
    1 hurry; 3 hurry; 4 T => Ping#1; 6 hurry | doubt@7
there are no more pings than usual
    1 hurry; 4 T => Ping#1; 4.05 pong(1) => rtt=50; 13.999 T; 14 T => Ping#2 | doubt@17
... also if the answer comes before the report that the ping has left
    1 hurry; 3 block; 4 T => Ping#1; 5 pong(1); 6 tx | ping@14
a byte is no reason for a ping
    1 hurry; 2 rx; 4.999 T; 5 T => Ping#1 | doubt@8
long round trips are no reason for doubts
    10 T => Ping#1; 12 pong(1) => rtt=2000; 12 hurry; 20 T => Ping#2 | doubt@38
who does not read cannot see the answer
    1 hurry; 4 T => Ping#1; 5 pause; 9 T; 10 T => Pong; 11 resume | doubt@14
... nor whether the doubt was right, and the next one tells since when nothing was heard
    1 hurry; 4 T => Ping#1; 7 T => Doubt(7000); 8 pause; 9 resume; 12 T => Doubt(12000) | doubt@18
a delay of our own is not the peer's silence
    1 hurry; 4 T => Ping#1; 9.001 T => Stalled(2001), Ping#2 | doubt@12.001
... but only once in a row
    1 block; 1 hurry; 4 T => Ping#1; 9.001 T => Stalled(2001), Ping#2; 14.002 T => Doubt(14002) | doubt@20.002
after a sleep, too, there are doubts
    1 hurry; 2 wake(60) => Resumed(60000), Ping#1; 5 T => Doubt(5000) | dead@7
another interval does not make a probe late
    1 hurry; 4 T => Ping#1; 4.05 pong(1) => rtt=50; 12 pace(2); 12 T => Ping#2 | doubt@15
";

fn patient() -> Config {
    Config { timeout: Duration::from_secs(40), ..config(Mode::Full) }
}

#[test]
fn every_row_of_the_table_holds() {
    holds(patient(), TABLE);
}

#[test]
fn between_pings_that_are_far_apart_a_silence_is_probed_every_20_s() {
    holds(
        Config { interval: Duration::from_secs(60), ..patient() },
        "
by who waits
    1 hurry; 4 T => Ping#1; 4.05 pong(1) => rtt=50; 23.999 T; 24 T => Ping#2; 24.05 pong(2) => rtt=50; 25 calm | ping@84.05
",
    );
}

#[test]
fn a_mode_without_a_verdict_has_no_doubts() {
    holds(
        config(Mode::KeepaliveOnly),
        "
pings come as ever
    1 hurry; 4 T; 10 T => Ping#1; 13 T; 19 T | ping@20
",
    );
    holds(config(Mode::Off), "\nnothing\n    1 hurry; 4 T; 10 T | none\n");
}

#[test]
fn a_doubt_ends_when_we_could_not_have_heard_the_answer() {
    let ends = ["pause", "wake(60)", "rx", "block tx"];
    for steps in ["flush", "tx", "block"].into_iter().chain(ends) {
        let mut bench = Bench::new(patient());
        for (at, input) in [(1, "hurry"), (4, "T"), (7, "T")] {
            bench.step(Instant::from_secs(at), input);
        }
        for step in steps.split(' ') {
            bench.step(Instant::from_secs(8), step);
        }
        assert_eq!(!bench.heartbeat.is_doubtful(), ends.contains(&steps), "{steps}");
    }
}

#[test]
fn the_doubts_of_many_clients_are_spread_like_their_pings() {
    let first = |jitter_percent, seed| {
        let config = Config { jitter_percent, ..patient() };
        let mut heartbeat = Heartbeat::new(config, &mut Rng::from_seed([seed; 32]), Instant::ZERO);
        heartbeat.set_impatient(Instant::ZERO, true);
        heartbeat.handle_timeout(Instant::from_secs(3));
        heartbeat.handle_ping_sent(Instant::from_secs(3));
        heartbeat.poll_timeout().expect("a doubt").since_start()
    };
    assert!((0..64).all(|seed| first(0, seed) == Duration::from_secs(6)));
    let spread: Vec<_> = (0..64).map(|seed| first(10, seed)).collect();
    let (least, most) = (spread.iter().min().expect("some"), spread.iter().max().expect("some"));
    assert!(
        *least < Duration::from_millis(6100) && *most > Duration::from_millis(6900),
        "{least:?} {most:?}"
    );
    assert!(*most <= Duration::from_secs(7));
}

#[test]
fn only_a_doubtful_peer_is_given_up() {
    let mut bench = Bench::new(patient());
    let mut give_up = |at, steps: &[&str]| {
        for step in steps {
            bench.step(at, step);
        }
        let is_doubtful = bench.heartbeat.is_doubtful();
        let verdict = bench.heartbeat.give_up(at);
        assert_eq!(verdict.is_some(), is_doubtful);
        bench.tell(verdict)
    };
    let at = Instant::from_secs;
    assert_eq!(give_up(at(1), &["hurry"]), "");
    assert_eq!(give_up(at(4), &["T"]), "");
    assert_eq!(give_up(at(7), &["T", "rx"]), "");
    assert_eq!(give_up(at(14), &["T"]), "");
    assert_eq!(give_up(at(20), &["T"]), "Dead(silent=13000, ping=6000, pongs=0/2)");
    assert_eq!(give_up(at(21), &[]), "");
}
