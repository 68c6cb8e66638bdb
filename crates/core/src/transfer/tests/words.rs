//! Text that is printed for people.

use crate::transfer::{Batch, Code, Digest, Failure, TransferId};
use alloc::format;
use alloc::string::ToString;

#[test]
fn a_printed_id_does_not_reveal_the_id() {
    let id = TransferId::from_bytes([0xa7; 16]);
    let (printed, debugged) = (id.to_string(), format!("{id:?}"));
    assert_eq!(printed.len(), 8);
    assert_eq!(debugged, format!("TransferId({printed})"));
    assert!(!printed.contains("a7a7"));
    // It still tells two transfers apart.
    assert_ne!(printed, TransferId::from_bytes([0xa8; 16]).to_string());
    assert_eq!(id.to_hex(), "a7".repeat(16));
}

#[test]
fn a_digest_is_printed_in_full_and_a_batch_by_its_beginning() {
    let empty = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262";
    assert_eq!(Digest::of(b"").to_string(), empty);
    let batch = Batch { id: [0xb0; 16], index: 3, count: 9 };
    assert_eq!(
        (batch.to_string(), format!("{batch:?}")),
        ("b0b0b0b0".into(), "Batch(b0b0b0b0 3 of 9)".into())
    );
}

#[test]
fn a_failure_says_which_end_found_it() {
    let ours = Failure::local(Code::StoreFailed, "disk full");
    assert_eq!(ours.to_string(), "disk full");
    let theirs = Failure { by_peer: true, ..ours };
    assert_eq!(theirs.to_string(), "the other side says: disk full");
}

#[test]
fn a_failure_is_printed_on_one_line_without_control_characters() {
    let failure = Failure::local(Code::StoreFailed, "a\u{202e}b\u{2028}c\n");
    assert_eq!(failure.to_string(), "a\\u{202e}b\\u{2028}c\\n");
}

#[test]
fn a_failure_without_text_is_named_by_its_code() {
    assert_eq!(Failure::local(Code::StoreFailed, "").to_string(), "storage error");
    assert_eq!(Failure::local(Code::Unknown(999), "").to_string(), "unknown error 999");
}
