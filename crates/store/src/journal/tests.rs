use super::*;
use bowline_core::transfer::{GROUP, Hasher};
use proptest::prelude::*;

fn checkpoint(groups: u64) -> Checkpoint {
    let mut hasher = Hasher::new();
    hasher.update(&vec![7; (groups * GROUP) as usize]);
    hasher.checkpoint()
}

fn names() -> impl Strategy<Value = SafeName> {
    proptest::collection::vec("[a-zé🏖 _-]{1,20}x", 1..30)
        .prop_filter_map("a safe name", |parts| SafeName::parse(&parts.join("/")).ok())
}

prop_compose! {
    fn file_ids()(dev: u64, ino: u64, len: u64, modified: i64) -> FileId {
        FileId { dev, ino, len, modified }
    }
}

fn states() -> impl Strategy<Value = State> {
    (0..3, any::<[u8; 32]>(), file_ids()).prop_map(|(state, digest, file)| {
        let digest = Digest::from_bytes(digest);
        match state {
            0 => State::Open,
            1 => State::Complete { digest, file },
            _ => State::Committed { digest, file },
        }
    })
}

prop_compose! {
    fn specs()(
        name in names(),
        length in proptest::option::of(1_u64 << 20..u64::MAX),
        mtime_ms: i64,
        validator in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..=64)),
    ) -> Spec {
        let validator = validator.map(|bytes| Validator::from_bytes(&bytes).expect("short"));
        Spec { name, length, mtime_ms, validator }
    }
}

prop_compose! {
    fn records()(
        id: [u8; 16],
        owner: [u8; 16],
        epoch: u32,
        spec in specs(),
        state in states(),
        groups in 0_u64..9,
        more in 0..GROUP,
        created: u64,
        progressed: u64,
        principal in prop::sample::select(vec!["", "a", "alice", "día"]),
    ) -> Record {
        Record {
            id: TransferId::from_bytes(id),
            principal: Principal::named(principal).unwrap_or_default(),
            claim: Claim { epoch, owner },
            spec,
            state,
            durable: groups * GROUP + more,
            checkpoint: checkpoint(groups),
            created,
            progressed,
        }
    }
}

/// A journal whose slots hold these bytes.
fn journal(even: &[u8], odd: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; 2 * SLOT];
    bytes[..even.len()].copy_from_slice(even);
    bytes[SLOT..][..odd.len()].copy_from_slice(odd);
    bytes
}

proptest! {
    #[test]
    fn a_record_is_read_back_as_it_was_written(number: u64, record in records()) {
        let bytes = encode(number, &record);
        prop_assert!(bytes.len() <= SLOT);
        prop_assert_eq!(decode(&bytes), Some((number, record)));
    }

    #[test]
    fn a_changed_byte_anywhere_leaves_the_older_slot(
        old in records(), new in records(), at: prop::sample::Index, change in 1_u8..,
    ) {
        let mut newer = encode(9, &new);
        let older = encode(8, &old);
        prop_assert_eq!(newest(&journal(&older, &newer)), Some((9, new)));
        let at = at.index(newer.len());
        newer[at] ^= change;
        prop_assert_eq!(newest(&journal(&older, &newer)), Some((8, old)));
    }

    #[test]
    fn a_torn_write_leaves_the_older_slot(
        ancient in records(), old in records(), new in records(), cut: prop::sample::Index, zeros: bool,
    ) {
        let older = encode(8, &old);
        let newer = encode(9, &new);
        // Beyond the cut is what the slot held before, or nothing.
        let mut torn = if zeros { Vec::new() } else { encode(7, &ancient) };
        torn.resize(torn.len().max(newer.len()), 0);
        let cut = cut.index(newer.len());
        torn[..cut].copy_from_slice(&newer[..cut]);
        prop_assume!(torn[..newer.len()] != newer, "the missing bytes happened to be there");
        prop_assert_eq!(newest(&journal(&older, &torn)), Some((8, old)));
    }

    #[test]
    fn arbitrary_bytes_are_not_a_record(mut bytes in proptest::collection::vec(any::<u8>(), 0..600), magic: bool) {
        if magic && bytes.len() >= 8 {
            bytes[..4].copy_from_slice(MAGIC);
            let len = bytes.len() as u32;
            bytes[4..8].copy_from_slice(&len.to_be_bytes());
        }
        prop_assert_eq!(decode(&bytes), None);
    }

    /// The checksum holds, the content does not: a slot from another version, or a collision.
    #[test]
    fn nonsense_under_a_right_checksum_never_panics(
        record in records(), at: prop::sample::Index, change in 1_u8.., cut: prop::sample::Index,
    ) {
        let mut bytes = encode(3, &record);
        let at = at.index(bytes.len());
        bytes[at] ^= change;
        bytes.truncate(cut.index(bytes.len()).max(12));
        let body = bytes.len() - 4;
        let len = bytes.len() as u32;
        bytes[4..8].copy_from_slice(&len.to_be_bytes());
        let crc = crc32c::crc32c(&bytes[..body]);
        bytes[body..].copy_from_slice(&crc.to_be_bytes());
        let _ = decode(&bytes);
    }
}

fn largest() -> Record {
    let name = vec!["é".repeat(127); 16].join("/");
    Record {
        id: TransferId::from_bytes([1; 16]),
        principal: Principal::named(&"p".repeat(64)).expect("short"),
        claim: Claim { epoch: u32::MAX, owner: [2; 16] },
        spec: Spec {
            name: SafeName::parse(&name).expect("safe"),
            length: Some(u64::MAX - 1),
            mtime_ms: i64::MIN,
            validator: Some(Validator::from_bytes(&[3; 64]).expect("short")),
        },
        state: State::Complete { digest: Digest::of(b""), file: FileId::default() },
        durable: 0,
        checkpoint: Checkpoint::start(),
        created: 0,
        progressed: 0,
    }
}

#[test]
fn the_largest_record_fits_a_slot() {
    let record = largest();
    let name = record.spec.name.as_str().len();
    let encoded = encode(u64::MAX, &record).len();
    // The longest name there can be, and the largest checkpoint.
    assert!(encoded - name + 4096 - 8 + 1864 <= SLOT, "{encoded}");
    assert_eq!(decode(&encode(1, &record)), Some((1, record)));
}

#[test]
fn a_record_that_contradicts_itself_is_invalid() {
    let mut more_than_there_is = largest();
    more_than_there_is.spec.length = Some(5);
    more_than_there_is.durable = 6;
    assert_eq!(decode(&encode(1, &more_than_there_is)), None);
    let mut hashed_more_than_safe = largest();
    hashed_more_than_safe.checkpoint = checkpoint(4);
    hashed_more_than_safe.durable = 4 * GROUP - 1;
    assert_eq!(decode(&encode(1, &hashed_more_than_safe)), None);
}

#[test]
fn an_empty_or_fresh_journal_holds_nothing() {
    assert_eq!(newest(&[]), None);
    assert_eq!(newest(&[0; 2 * SLOT]), None);
}

#[test]
fn debug_gives_no_secrets_away() {
    let text = format!("{:?}", largest());
    assert!(!text.contains("0101010101") && !text.contains("1, 1, 1, 1"), "{text}");
    assert!(!text.contains("2, 2, 2, 2"), "{text}");
}
