//! The same streams through this library and through tungstenite, and what the two say to each other.

use bowline_tests::fuzz;
use proptest::prelude::*;

fn bytes(most: usize) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..most)
}

/// What failed is printed, and small: no file keeps it.
fn config() -> ProptestConfig {
    let usual = ProptestConfig::default();
    ProptestConfig { cases: usual.cases * 16, failure_persistence: None, ..usual }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn streams_with_one_fault_are_heard_and_refused_alike(data in bytes(500)) {
        fuzz::nearly_valid(&data);
    }

    #[test]
    fn what_one_side_writes_the_other_side_reads(data in bytes(800)) {
        fuzz::conversation(&data);
    }
}
