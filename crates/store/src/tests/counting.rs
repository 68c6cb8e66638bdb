//! What another process counts in staging.

use super::*;
use crate::Quota;

/// A store whose staging contains three safe bytes of a transfer with the id 1.
fn with_three_bytes() -> Rig {
    let rig = Rig::new();
    let mut partial = rig.begin(1, &spec("a", 6));
    partial.write(0, b"abc").expect("in order");
    partial.detach().expect("safe");
    rig
}

#[test]
fn a_journal_that_is_kept_of_a_finished_file_does_not_count() {
    let rig = with_three_bytes();
    let mut partial = rig.begin(2, &spec("b", 3));
    partial.write(0, b"abc").expect("in order");
    partial.commit(3, digest(b"abc")).expect("whole");
    assert_eq!(rig.other_process().unfinished(), (3, 1));
}

#[test]
fn a_staging_folder_that_cannot_be_entered_hides_no_others() {
    let rig = with_three_bytes();
    fs::write(rig.path(".bowline/00"), "where a folder was").expect("written");
    assert_eq!(rig.other_process().unfinished(), (3, 1));
}

#[test]
fn a_journal_under_the_name_of_another_does_not_count() {
    let rig = with_three_bytes();
    let old = part(&rig);
    let hex = id(1).to_hex();
    for suffix in ["part", "jnl"] {
        let old = old.replace("part", suffix);
        let new = old.replace(&hex, &format!("{}ff", &hex[..30]));
        fs::rename(rig.path(&old), rig.path(&new)).expect("renamed");
    }
    // No sweep could correct the count again.
    assert_eq!(rig.other_process().unfinished(), (0, 0));
}

#[test]
fn bytes_that_could_not_be_written_do_not_count() {
    let script = Arc::new(Script::default());
    let rig = Rig::on(script.clone(), |_| {});
    let mut partial = rig.begin(1, &Spec { length: None, ..spec("a", 0) });
    script.fail(Op::WriteData, io::ErrorKind::StorageFull);
    assert_eq!(kind(partial.write(0, b"abcdef")), ErrorKind::NoSpace);
    partial.write(0, b"abc").expect("fewer of them find room");
    assert_eq!(rig.store.unfinished(), (3, 1));
}

#[test]
fn announced_lengths_may_add_up_to_more_than_can_be_counted() {
    let rig = Rig::with(|config| {
        config.check_space = false;
        config.quota = Quota { bytes: None, partials: None };
    });
    let long = Spec { length: Some(i64::MAX as u64), ..spec("a", 0) };
    let partials: Vec<_> = (1..=3).map(|n| rig.begin(n, &long)).collect();
    assert_eq!(rig.store.unfinished(), (u64::MAX, 3));
    for (partial, left) in partials.into_iter().zip([2 * (i64::MAX as u64), i64::MAX as u64, 0]) {
        partial.discard().expect("removed");
        assert_eq!(rig.store.unfinished().0, left);
    }
}
