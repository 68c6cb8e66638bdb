use super::*;
use crate::sys::Access;
use bowline_core::Rng;
use std::collections::BTreeSet;

fn dice(seed: u8) -> Rng {
    Rng::from_seed([seed; 32])
}

/// What may be left of a file and a name after a power cut, over many throws of the dice.
fn outcomes(prepare: impl Fn(&ModelFolder) -> io::Result<()>) -> BTreeSet<Vec<(String, Vec<u8>)>> {
    let outcome = |seed| {
        let device = Device::new(4, true);
        prepare(&device.top(device.start_process())).expect("it goes well");
        device.lose_power(Kept::Some, &mut dice(seed));
        let top = device.top(device.start_process());
        let read = |name: &String| {
            let mut bytes = vec![0; 100];
            let len = top.open_file(name, Access::Read)?.read_at(&mut bytes, 0)?;
            bytes.truncate(len);
            Ok::<_, io::Error>(bytes)
        };
        let names = top.names().expect("a folder");
        names.into_iter().map(|name| (name.clone(), read(&name).expect("a file"))).collect()
    };
    (0..200).map(outcome).collect()
}

fn file(name: &str, bytes: &[u8]) -> (String, Vec<u8>) {
    (name.to_owned(), bytes.to_vec())
}

#[test]
fn synchronised_bytes_survive_and_nothing_else_is_certain() {
    let kept = outcomes(|top| {
        let a = top.open_file("a", Access::New)?;
        a.write_all_at(b"abcdefgh", 0)?;
        a.sync()?;
        top.sync()?;
        a.write_all_at(b"XYXYXY", 2)
    });
    let expected: [&[u8]; 4] = [b"abcdefgh", b"abXYefgh", b"abcdXYXY", b"abXYXYXY"];
    assert_eq!(kept, expected.into_iter().map(|bytes| vec![file("a", bytes)]).collect());
}

#[test]
fn a_length_may_be_new_where_the_bytes_are_old() {
    let kept = outcomes(|top| {
        let a = top.open_file("a", Access::New)?;
        top.sync()?;
        a.write_all_at(b"abcdef", 0)
    });
    let expected: [&[u8]; 5] = [b"", b"\0\0\0\0\0\0", b"abcd\0\0", b"\0\0\0\0ef", b"abcdef"];
    assert_eq!(kept, expected.into_iter().map(|bytes| vec![file("a", bytes)]).collect());
}

#[test]
fn a_rename_may_leave_both_names_but_never_none() {
    let kept = outcomes(|top| {
        let a = top.open_file("a", Access::New)?;
        a.write_all_at(b"x", 0)?;
        a.sync()?;
        top.sync()?;
        top.rename("a", top, "b", false)
    });
    let expected = [vec![file("a", b"x")], vec![file("b", b"x")], vec![file("a", b"x"), file("b", b"x")]];
    assert_eq!(kept, expected.into());
}

#[test]
fn after_a_failed_synchronisation_the_next_one_succeeds_and_stores_nothing() {
    let kept = outcomes(|top| {
        let (device, process) = top.whose();
        let a = top.open_file("a", Access::New)?;
        a.write_all_at(b"abcd____", 0)?;
        top.sync()?;
        a.sync()?;
        a.write_all_at(b"ABCDEFGH", 0)?;
        device.expect_trouble(process, 0, Trouble::Once(io::ErrorKind::InvalidData));
        assert!(a.sync().is_err());
        a.sync()
    });
    assert_eq!(kept.len(), 1, "{kept:?}");
    assert!(!kept.contains(&vec![file("a", b"ABCDEFGH")]), "{kept:?}");
}

#[test]
fn a_lock_is_held_until_its_holder_closes_the_file_or_dies() {
    let device = Device::new(4, true);
    let (one, other) = (device.start_process(), device.start_process());
    let held = device.top(one).open_locked("j", true).expect("free");
    assert!(device.top(other).open_locked("j", true).is_err());
    drop(held);
    let _held = device.top(other).open_locked("j", true).expect("free again");
    assert!(device.top(one).open_locked("j", true).is_err());
    device.kill(other);
    device.top(one).open_locked("j", true).expect("free again");
}

#[test]
fn a_process_dies_at_the_chosen_call_and_leaves_half_a_write() {
    let device = Device::new(4, true);
    let process = device.start_process();
    let a = device.top(process).open_file("a", Access::New).expect("new");
    device.expect_trouble(process, 1, Trouble::Death);
    a.write_all_at(b"abcd", 0).expect("the last but one");
    assert!(a.write_all_at(b"efgh", 4).is_err());
    assert!(device.is_dead(process) && a.write_all_at(b"x", 0).is_err());
    let mut bytes = [0; 10];
    let a = device.top(device.start_process()).open_file("a", Access::Read).expect("there");
    assert_eq!(a.read_at(&mut bytes, 0).expect("readable"), 6);
    assert_eq!(&bytes[..6], b"abcdef");
}
