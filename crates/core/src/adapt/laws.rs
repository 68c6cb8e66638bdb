//! What holds for any sequence of lessons.

use super::*;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use proptest::collection::vec;
use proptest::prelude::*;

#[derive(Clone, Copy, Debug)]
enum Fact {
    Open,
    Survived(Duration),
    Killed(Duration, bool),
    Busy(bool),
}

fn any_silence() -> impl Strategy<Value = Duration> {
    prop_oneof![
        8 => (0..400_000_u64).prop_map(Duration::from_millis),
        2 => (0..20_000_u64).prop_map(Duration::from_millis),
        1 => any::<u64>().prop_map(Duration::from_nanos),
        1 => Just(Duration::MAX),
    ]
}

fn any_fact() -> impl Strategy<Value = Fact> {
    prop_oneof![
        4 => Just(Fact::Open),
        6 => any_silence().prop_map(Fact::Survived),
        3 => (any_silence(), any::<bool>()).prop_map(|(silence, exact)| Fact::Killed(silence, exact)),
        1 => any::<bool>().prop_map(Fact::Busy),
    ]
}

fn any_time() -> impl Strategy<Value = u64> {
    prop_oneof![8 => 0..20_u64, 2 => 0..1_000_000_u64, 1 => any::<u64>()]
}

fn any_mode() -> impl Strategy<Value = Mode> {
    prop_oneof![1 => Just(Mode::Fixed), 4 => Just(Mode::Learn), 4 => Just(Mode::Explore)]
}

fn apply(adapt: &mut Adapt, unix: u64, fact: Fact) -> Option<Change> {
    match fact {
        Fact::Open => adapt.handle_open(unix),
        Fact::Survived(silence) => adapt.handle_survived(unix, silence),
        Fact::Killed(silence, exact) => adapt.handle_killed(unix, silence, exact),
        Fact::Busy(busy) => adapt.set_busy(unix, busy),
    }
}

proptest! {
    #[test]
    fn the_interval_stays_in_its_bounds(
        mode in any_mode(), interval in any_silence(), script in vec((any_time(), any_fact()), 0..60)
    ) {
        let mut adapt = Adapt::new(Config { mode, interval }, Path::new("here"));
        let mut unix = 0_u64;
        for (later, fact) in script {
            unix = unix.saturating_add(later);
            let before = adapt.interval();
            let change = apply(&mut adapt, unix, fact);
            let now = adapt.interval();
            prop_assert_eq!(change.map(|change| (change.from, change.to)), (before != now).then_some((before, now)));
            prop_assert!(now >= interval.min(FLOOR), "{:?}", now);
            match mode {
                Mode::Fixed => prop_assert_eq!(now, interval),
                Mode::Learn => prop_assert!(now <= interval, "{:?}", now),
                Mode::Explore => prop_assert!(now <= interval.max(Duration::from_secs(300)), "{:?}", now),
            }
        }
    }

    /// What was learned makes sense, fits into its line, and is the same in the next process.
    #[test]
    fn knowledge_survives_as_text(
        key in any::<String>(), mode in any_mode(), script in vec((any_time(), any_fact()), 0..40)
    ) {
        let mut adapt = Adapt::new(Config { mode, ..Config::default() }, Path::new(&key));
        let mut unix = 0_u64;
        for (later, fact) in script {
            unix = unix.saturating_add(later);
            apply(&mut adapt, unix, fact);
            let path = adapt.path();
            if let (Some(lo), Some(hi)) = (path.lo(), path.hi()) {
                prop_assert!(lo < hi, "{}", path);
            }
            let line = path.to_string();
            prop_assert_eq!(line.lines().count(), 1);
            prop_assert_eq!(line.parse(), Ok(path.clone()));
            let mut paths = Paths::default();
            paths.insert(path.clone());
            prop_assert_eq!(Paths::read(&paths.to_string()), (paths, Vec::new()));
        }
    }

    /// Exploring costs at most one connection per hour: after a failure, an interval is only tried if it is known to be
    /// survived, or well below the limit.
    #[test]
    fn explore_pauses_after_a_failure(
        lessons in vec((0..600_u64, 2..200_u64, any::<bool>()), 1..40), waits in 0..3600_u64
    ) {
        let mut adapt = Adapt::new(Config { mode: Mode::Explore, ..Config::default() }, Path::new("here"));
        let mut unix = 0;
        for (later, silence, survives) in lessons {
            unix += later;
            let silence = Duration::from_secs(silence);
            if survives {
                adapt.handle_survived(unix, silence);
            } else {
                adapt.handle_killed(unix, silence, true);
                let after = adapt.interval_at(unix + waits);
                let hi = adapt.path().hi();
                prop_assert!(hi.is_none_or(|hi| after <= hi * 9 / 10), "{:?} of {:?}", after, hi);
                prop_assert!(hi.is_some() || after == Duration::from_secs(20), "{:?}", after);
            }
        }
    }

    #[test]
    fn no_text_panics(text in any::<String>(), words in vec("[-<0-9.]{0,24}", 0..6)) {
        let _ = text.parse::<Path>();
        let line = words.join(" ");
        if let Ok(path) = line.parse::<Path>() {
            prop_assert_eq!(path.to_string().parse(), Ok(path));
        }
        Paths::read(&text);
    }
}
