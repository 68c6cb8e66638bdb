//! A table of what the adaptive heartbeat does, and the ends that it learns from.
//!
//! In brackets: the mode and the configured interval in seconds. Inputs: `survived(s)` a silence; `killed(s,exact)` a
//! silence after which the connection ended by itself, `killed(s)` one after which nobody was there; `open` a
//! connection opens, `wait(s)` time passes, `busy`/`idle` a transfer begins and ends. After `=>`: the current interval,
//! in seconds. At the end: what is known about the path, where `<` marks a limit that may be lower.

mod ends;
mod text;

use super::*;
use crate::heartbeat;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// The time of the first lesson.
const START: u64 = 1_790_000_000;

fn seconds(text: &str) -> Duration {
    Duration::from_micros((text.parse::<f64>().expect("seconds") * 1e6).round() as u64)
}

fn text(duration: Duration) -> String {
    format!("{}", duration.as_micros() as f64 / 1e6)
}

fn mode(name: &str) -> Mode {
    match name {
        "fixed" => Mode::Fixed,
        "learn" => Mode::Learn,
        "explore" => Mode::Explore,
        _ => panic!("unknown mode {name}"),
    }
}

fn learner(mode: Mode, interval: Duration) -> Adapt {
    Adapt::new(Config { mode, interval }, Path::new("here"))
}

fn step(adapt: &mut Adapt, unix: &mut u64, input: &str) {
    let (name, arguments) = input.trim_end_matches(')').split_once('(').unwrap_or((input, ""));
    let before = adapt.interval();
    let change = match (name, arguments.split_once(',')) {
        ("survived", None) => adapt.handle_survived(*unix, seconds(arguments)),
        ("killed", None) => adapt.handle_killed(*unix, seconds(arguments), false),
        ("killed", Some((silence, "exact"))) => adapt.handle_killed(*unix, seconds(silence), true),
        ("open", None) => {
            let expected = adapt.interval_at(*unix);
            let change = adapt.handle_open(*unix);
            assert_eq!(adapt.interval(), expected, "as foretold");
            change
        }
        ("busy" | "idle", None) => adapt.set_busy(*unix, name == "busy"),
        ("wait", None) => {
            *unix = unix.saturating_add_signed(arguments.parse().expect("seconds"));
            None
        }
        _ => panic!("unknown input {input}"),
    };
    let told = change.map(|change| (change.from, change.to));
    assert_eq!(told, Some((before, adapt.interval())).filter(|(from, to)| from != to), "at {input}");
}

#[test]
fn every_row_of_the_table_holds() {
    for row in include_str!("tests/table.txt").split("\n\n") {
        let (title, row) = row.trim().split_once('\n').expect("a title and steps");
        let row = row.trim();
        let (settings, steps) = row.trim_start_matches('[').split_once("] ").expect("settings in brackets");
        let (name, interval) = settings.split_once(' ').expect("a mode and an interval");
        let (steps, _) = steps.split_once(" | ").expect("what is known at the end");
        let mut adapt = learner(mode(name), seconds(interval));
        let mut unix = START;
        let played: Vec<_> = steps
            .split("; ")
            .map(|step| {
                let input = step.split(" => ").next().unwrap_or(step);
                self::step(&mut adapt, &mut unix, input);
                format!("{input} => {}", text(adapt.interval()))
            })
            .collect();
        let known = |silence: Option<Duration>| silence.map_or("-".into(), text);
        let guess = if adapt.path().to_string().contains('<') { "<" } else { "" };
        let (lo, hi) = (known(adapt.path().lo()), known(adapt.path().hi()));
        let played = format!("[{settings}] {} | lo={lo} hi={guess}{hi}", played.join("; "));
        assert_eq!(row, played, "{title}");
    }
}

#[test]
fn a_new_process_continues_where_the_last_one_stopped() {
    let interval = |mode, line: &str| {
        let config = Config { mode, interval: Duration::from_secs(120) };
        Adapt::new(config, line.parse().expect("a line")).interval()
    };
    assert_eq!(interval(Mode::Learn, "here - 60.000 1790000000"), Duration::from_secs(45));
    assert_eq!(interval(Mode::Learn, "here - <60.000 1790000000"), Duration::from_secs(20));
    assert_eq!(interval(Mode::Explore, "here 200.000 - 1790000000"), Duration::from_secs(200));
    assert_eq!(interval(Mode::Explore, "here 100.000 200.000 1790000000"), Duration::from_secs(150));
    // More than a tenth is still unexplored, and then less.
    assert_eq!(interval(Mode::Explore, "here 89.000 100.000 1790000000"), Duration::from_millis(94_500));
    assert_eq!(interval(Mode::Explore, "here 90.000 100.000 1790000000"), Duration::from_secs(81));
    assert_eq!(interval(Mode::Fixed, "here 100.000 200.000 1790000000"), Duration::from_secs(120));
}

#[test]
fn the_default_is_the_interval_of_the_heartbeat() {
    assert_eq!(Config::default().interval, heartbeat::Config::default().interval);
    assert_eq!(Config::default().mode, Mode::Learn);
}

#[test]
fn each_change_says_why() {
    let adapt = |mode, line: &str| {
        let path = line.parse().expect("a line");
        Adapt::new(Config { mode, interval: Duration::from_secs(20) }, path)
    };
    let why = |change: Option<Change>| change.expect("another interval").why;
    let silence = Duration::from_secs(15);

    let mut learns = adapt(Mode::Learn, "here - - 0");
    assert_eq!(why(learns.handle_killed(START, silence, true)), Lesson::Dropped { silence });
    assert_eq!(why(learns.handle_open(START + 604_800)), Lesson::Forgotten);
    learns.handle_killed(START, silence, false);
    assert_eq!(why(learns.handle_open(START)), Lesson::Dropped { silence });

    let mut explores = adapt(Mode::Explore, "here 30 - 0");
    assert_eq!(why(explores.handle_killed(START, silence, true)), Lesson::Forgotten);
    let mut explores = adapt(Mode::Explore, "here 40 50 0");
    assert_eq!(why(explores.set_busy(START, true)), Lesson::Busy);
    assert_eq!(why(explores.set_busy(START, false)), Lesson::Explores);
    let survived = Duration::from_secs(45);
    let mut survive = || explores.handle_survived(START, survived);
    assert_eq!((survive(), survive()), (None, None));
    assert_eq!(why(survive()), Lesson::Survived { silence: survived });
    assert_eq!(explores.interval(), Duration::from_millis(40_500));
    let mut explores = adapt(Mode::Explore, "here - - 0");
    let mut survive = || explores.handle_survived(START, Duration::from_secs(20));
    assert_eq!((survive(), survive()), (None, None));
    assert_eq!(why(survive()), Lesson::Explores);
}
