use super::*;
use crate::Principal;
use bowline_core::transfer::GROUP;

#[test]
fn a_file_arrives_piece_by_piece() {
    let rig = Rig::new();
    let data = content(300_000);
    let mut partial = rig.begin(1, &spec("a.bin", data.len()));
    for (n, piece) in data.chunks(7_777).enumerate() {
        partial.write(n as u64 * 7_777, piece).expect("in order");
    }
    assert_eq!(partial.written(), 300_000);
    let location = partial.commit(300_000, digest(&data)).expect("whole");
    assert_eq!(location.path, rig.path("a.bin"));
    assert_eq!((location.length, location.digest), (300_000, digest(&data)));
    assert_eq!(rig.read("a.bin"), data);
    let mtime = fs::metadata(rig.path("a.bin")).and_then(|m| m.modified()).expect("a time");
    assert_eq!(mtime, UNIX_EPOCH + Duration::from_millis(1_700_000_000_123));
}

#[test]
fn an_empty_file_arrives() {
    let rig = Rig::new();
    let partial = rig.begin(1, &spec("empty", 0));
    partial.commit(0, digest(b"")).expect("whole");
    assert_eq!(rig.read("empty"), b"");
}

#[test]
fn bytes_for_another_place_are_refused_without_harm() {
    let rig = Rig::new();
    let mut partial = rig.begin(1, &spec("a", 10));
    assert_eq!(kind(partial.write(1, b"x")), ErrorKind::BadOffset);
    partial.write(0, b"01234").expect("in order");
    assert_eq!(kind(partial.write(0, b"01234")), ErrorKind::BadOffset);
    assert_eq!(kind(partial.write(6, b"x")), ErrorKind::BadOffset);
    assert_eq!(kind(partial.write(5, b"567890")), ErrorKind::LengthMismatch);
    assert_eq!(partial.written(), 5);
    partial.write(5, b"56789").expect("in order");
    partial.commit(10, digest(b"0123456789")).expect("whole");
}

#[test]
fn a_new_process_goes_on_from_the_last_safe_byte() {
    let rig = Rig::new();
    let data = content(9 * GROUP as usize + 1234);
    let spec = spec("a", data.len());
    // Every position relative to the edges of groups. The first two have no checkpoint.
    let stops = [1, GROUP - 1, GROUP, GROUP + 1, 2 * GROUP, 3 * GROUP + 5, 7 * GROUP, data.len() as u64];
    let mut at = 0;
    for (n, stop) in stops.into_iter().enumerate() {
        let store = rig.other_process();
        let seen = n as u32;
        let attached = store.attach(id(1), &spec, attach(seen, BOB), day(0)).expect("ours");
        let Attached::Partial { mut partial, durable, prefix, epoch, .. } = attached else {
            panic!("no partial: {attached:?}")
        };
        assert_eq!((durable, epoch), (at, seen + 1));
        assert_eq!(prefix, digest(&data[..at as usize]));
        partial.write(at, &data[at as usize..stop as usize]).expect("in order");
        assert_eq!(partial.flush().run().expect("safe"), stop);
        // What arrives later is lost.
        let more = &data[stop as usize..data.len().min(stop as usize + 100)];
        partial.write(stop, more).expect("in order");
        at = stop;
    }
    let (partial, durable, _) = open(rig.store.attach(id(1), &spec, attach(0, ALICE), day(0)));
    assert_eq!(durable, data.len() as u64);
    partial.commit(durable, digest(&data)).expect("whole");
    assert_eq!(rig.read("a"), data);
}

#[test]
fn bytes_beyond_the_last_safe_one_are_cut_off() {
    let rig = Rig::new();
    let spec = spec("a", 8);
    let mut partial = rig.begin(1, &spec);
    partial.write(0, b"good").expect("in order");
    partial.flush().run().expect("safe");
    partial.write(4, b"bad").expect("in order");
    drop(partial);
    let (mut partial, durable, _) = open(rig.store.attach(id(1), &spec, attach(0, ALICE), day(0)));
    assert_eq!((durable, partial.written()), (4, 4));
    let part = part(&rig);
    assert_eq!(rig.read(&part), b"good");
    partial.write(4, b"too!").expect("in order");
    partial.commit(8, digest(b"goodtoo!")).expect("whole");
}

#[test]
fn detaching_makes_the_last_byte_safe() {
    let rig = Rig::new();
    let spec = spec("a", 8);
    let mut partial = rig.begin(1, &spec);
    partial.write(0, b"abc").expect("in order");
    assert_eq!(partial.detach().expect("safe"), 3);
    assert_eq!(rig.store.registry().len(), 0);
    let (_partial, durable, epoch) = open(rig.other_process().attach(id(1), &spec, attach(0, BOB), day(0)));
    assert_eq!((durable, epoch), (3, 2));
}

#[test]
fn each_mode_finds_what_it_expects_or_says_so() {
    let rig = Rig::new();
    let spec = spec("a", 4);
    let with = |mode, n| rig.store.attach(id(n), &spec, Attach { mode, epoch_seen: 0, owner: ALICE }, day(0));
    assert_eq!(kind(with(Mode::AttachOnly, 1)), ErrorKind::NotFound);
    assert!(files(rig.dir.path()).is_empty());
    let (mut partial, _, epoch) = open(with(Mode::CreateOnly, 1));
    assert_eq!(epoch, 1);
    partial.write(0, b"ab").expect("in order");
    partial.detach().expect("safe");
    assert_eq!(kind(with(Mode::CreateOnly, 1)), ErrorKind::Exists);
    let (partial, durable, epoch) = open(with(Mode::AttachOnly, 1));
    assert_eq!((durable, epoch), (2, 2));
    drop(partial);
    let (mut partial, durable, epoch) = open(with(Mode::Restart, 1));
    assert_eq!((durable, epoch), (0, 3));
    partial.write(0, b"cdef").expect("in order");
    partial.commit(4, digest(b"cdef")).expect("whole");
    assert!(matches!(with(Mode::AttachOnly, 1), Ok(Attached::Committed { length: 4, .. })));
}

#[test]
fn an_unknown_transfer_gets_an_epoch_above_the_one_seen() {
    let rig = Rig::new();
    let begin = |n, seen| open(rig.store.attach(id(n), &spec("a", 4), attach(seen, ALICE), day(0))).2;
    assert_eq!(begin(1, 7), 8);
    // Zero means that none was seen, so it is never given.
    assert_eq!(begin(2, u32::MAX), 1);
}

#[test]
fn another_version_of_the_source_is_not_mixed_in() {
    let rig = Rig::new();
    let first = spec("a", 4);
    let mut partial = rig.begin(1, &first);
    partial.write(0, b"ab").expect("in order");
    let other_validator = Some(Validator::from_bytes(b"version 2").expect("short"));
    let changed = [
        Spec { length: Some(5), ..first.clone() },
        Spec { mtime_ms: 0, ..first.clone() },
        Spec { validator: None, ..first.clone() },
        Spec { validator: other_validator, ..first.clone() },
        Spec { name: name("b"), ..first.clone() },
    ];
    for live in [true, false] {
        for changed in &changed {
            let attached = rig.store.attach(id(1), changed, attach(0, ALICE), day(0));
            assert_eq!(kind(attached), ErrorKind::SourceChanged, "{changed:?}");
        }
        if live {
            partial.write(2, b"c").expect("a refused attach fences nobody");
            partial.flush().run().expect("safe");
        }
    }
    drop(partial);
    for changed in changed {
        assert_eq!(
            kind(rig.store.attach(id(1), &changed, attach(0, ALICE), day(0))),
            ErrorKind::SourceChanged,
        );
    }
    let restart = Attach { mode: Mode::Restart, epoch_seen: 0, owner: ALICE };
    let second = Spec { length: Some(2), mtime_ms: 5, ..first };
    let (mut partial, durable, _) = open(rig.store.attach(id(1), &second, restart, day(0)));
    assert_eq!(durable, 0);
    partial.write(0, b"xy").expect("in order");
    partial.commit(2, digest(b"xy")).expect("whole");
    assert_eq!(rig.read("a"), b"xy");
}

#[test]
fn a_part_that_is_shorter_than_its_journal_says_begins_anew() {
    let rig = Rig::new();
    let spec = spec("a", 8);
    let mut partial = rig.begin(1, &spec);
    partial.write(0, b"abcd").expect("in order");
    partial.detach().expect("safe");
    let part = part(&rig);
    fs::write(rig.path(&part), "abc").expect("damaged");
    let only = Attach { mode: Mode::AttachOnly, epoch_seen: 0, owner: ALICE };
    assert_eq!(kind(rig.store.attach(id(1), &spec, only, day(0))), ErrorKind::Corrupt);
    let (partial, durable, epoch) = open(rig.store.attach(id(1), &spec, attach(1, ALICE), day(0)));
    assert_eq!((durable, epoch), (0, 2));
    drop(partial);
    fs::remove_file(rig.path(&part)).expect("lost");
    assert_eq!(open(rig.store.attach(id(1), &spec, attach(2, ALICE), day(0))).1, 0);
}

#[test]
fn a_journal_copied_from_another_transfer_is_ignored() {
    let rig = Rig::new();
    let spec = spec("a", 8);
    let mut partial = rig.begin(0x11, &spec);
    partial.write(0, b"abcd").expect("in order");
    partial.detach().expect("safe");
    let staged = |n: u8, end: &str| rig.path(&format!(".bowline/{n:02x}/{}.{end}", id(n).to_hex()));
    fs::create_dir(rig.path(".bowline/22")).expect("a folder");
    for end in ["jnl", "part"] {
        fs::copy(staged(0x11, end), staged(0x22, end)).expect("copied");
    }
    assert_eq!(open(rig.store.attach(id(0x22), &spec, attach(0, ALICE), day(0))).1, 0);
}

#[test]
fn a_file_that_does_not_fit_is_refused_at_once() {
    let rig = Rig::new();
    let mut huge = spec("a", 0);
    huge.length = Some(1 << 60);
    assert_eq!(kind(rig.store.attach(id(1), &huge, attach(0, ALICE), day(0))), ErrorKind::NoSpace);
    assert!(files(rig.dir.path()).is_empty());
    // Nor is it when the transfer is continued.
    let rig = Rig::with(|config| (config.check_space, config.quota.bytes) = (false, None));
    let (mut partial, ..) = open(rig.store.attach(id(1), &huge, attach(0, ALICE), day(0)));
    partial.write(0, b"abc").expect("in order");
    partial.detach().expect("safe");
    let config = Config { check_space: true, ..rig.store.config().clone() };
    let strict = DiskStore::open(rig.dir.path(), config).expect("a store");
    assert_eq!(kind(strict.attach(id(1), &huge, attach(0, ALICE), day(0))), ErrorKind::NoSpace);
}

#[test]
fn a_transfer_without_a_safe_byte_can_go_on_without_its_part() {
    let rig = Rig::new();
    drop(rig.begin(1, &spec("a", 3)));
    fs::remove_file(rig.path(&part(&rig))).expect("lost");
    let only = Attach { mode: Mode::AttachOnly, epoch_seen: 1, owner: BOB };
    let (_, durable, epoch) = open(rig.store.attach(id(1), &spec("a", 3), only, day(0)));
    assert_eq!((durable, epoch), (0, 2));
}

#[test]
fn a_whole_file_that_only_needs_its_name_does_not_expire() {
    let script = Arc::new(Script::default());
    let rig = Rig::on(script.clone(), |_| {});
    let mut partial = rig.begin(1, &spec("a", 3));
    partial.write(0, b"abc").expect("in order");
    script.fail(Op::Place, io::ErrorKind::InvalidData);
    assert_eq!(kind(partial.commit(3, digest(b"abc"))), ErrorKind::Io);
    let only = Attach { mode: Mode::AttachOnly, ..attach(0, ALICE) };
    let again = rig.store.attach(id(1), &spec("a", 3), only, day(1000));
    assert!(matches!(again, Ok(Attached::Committed { .. })), "{again:?}");
}

#[test]
fn debug_tells_neither_ids_nor_contents() {
    let rig = Rig::new();
    let mut partial = rig.begin(0x5A, &spec("a", 8));
    partial.write(0, b"abcd").expect("in order");
    let flush = partial.flush();
    let text = format!("{:?} {partial:?} {flush:?} {:?}", rig.store, attach(1, ALICE));
    assert!(!text.contains("5a5a") && !text.contains("90, 90") && !text.contains("161"), "{text}");
}

#[test]
fn a_new_process_knows_what_an_earlier_one_of_the_same_principal_has_begun() {
    let rig = Rig::new();
    let mut partial = rig.begin(1, &spec("a", 10));
    partial.write(0, b"01234").expect("in order");
    drop(partial);
    let store = rig.other_process();
    assert!(store.has_begun(id(1)) && !store.has_begun(id(2)));
    assert!(!store.for_principal(Principal::named("other").expect("short")).has_begun(id(1)));
    let (mut partial, safe, _) = open(store.attach(id(1), &spec("a", 10), attach(1, BOB), day(0)));
    partial.write(safe, &b"0123456789"[safe as usize..]).expect("in order");
    partial.commit(10, digest(b"0123456789")).expect("whole");
    assert!(!store.has_begun(id(1)));
}
