//! The same streams through this library and through tungstenite, and conversations between the two.
//!
//! Known differences are listed and proven in `differential_known.rs`.

use bowline_tests::fuzz;
use proptest::prelude::*;
use std::collections::BTreeMap;

fn bytes(most: usize) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..most)
}

/// A failing case is printed, and small: it is not stored in a file.
fn config() -> ProptestConfig {
    let usual = ProptestConfig::default();
    ProptestConfig { cases: usual.cases * 4, failure_persistence: None, ..usual }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn streams_with_one_fault_are_heard_and_refused_alike(data in bytes(500)) {
        fuzz::nearly_valid(&data);
    }

    #[test]
    fn each_side_reads_what_the_other_writes(data in bytes(800)) {
        fuzz::conversation(&data);
    }
}

#[test]
fn the_streams_break_every_rule() {
    // The value of the comparison depends on what the streams reach.
    let mut rng = bowline_tests::sim::rng(1);
    let mut reached = BTreeMap::new();
    for _ in 0..2000 {
        let data: Vec<u8> = (0..25).flat_map(|_| rng.bytes::<16>()).collect();
        for rule in fuzz::nearly_valid(&data) {
            *reached.entry(rule).or_insert(0) += 1;
        }
    }
    let rules = [
        "CloseCode",
        "CloseReason",
        "Control",
        "Huge",
        "LongFrame",
        "LongMessage",
        "Mask",
        "NotText",
        "Order",
        "Padded",
        "ReservedBits",
        "ReservedOpcode",
    ];
    for rule in rules {
        assert!(reached.get(rule).is_some_and(|times| *times >= 3), "{rule}: {reached:?}");
    }
    assert!(reached["nothing"] > 400, "{reached:?}");
}
