use super::*;
use crate::LinkOrder;
use crate::attach::Begun;
use crate::turn::Turn;
use bowline_core::transfer::Code;
use std::sync::mpsc;
use std::thread;

#[test]
fn the_second_attach_fences_the_first_and_keeps_its_bytes() {
    let rig = Rig::new();
    let spec = spec("a", 9);
    let mut old = rig.begin(1, &spec);
    old.write(0, b"abc").expect("in order");
    old.flush().run().expect("safe");
    old.write(3, b"def").expect("in order");
    let stale = old.flush();
    let attached = rig.store.attach(id(1), &spec, attach(0, BOB), day(0)).expect("taken over");
    let Attached::Partial { partial: mut new, durable, prefix, epoch, .. } = attached else {
        panic!("no partial")
    };
    assert_eq!((durable, epoch), (6, 2));
    assert_eq!(prefix, digest(b"abcdef"));
    assert_eq!(kind(old.write(6, b"xxx")), ErrorKind::Fenced);
    assert_eq!(kind(old.flush().run()), ErrorKind::Fenced);
    assert_eq!(kind(stale.run()), ErrorKind::Fenced);
    new.write(6, b"ghi").expect("in order");
    assert_eq!(kind(old.detach()), ErrorKind::Fenced);
    new.commit(9, digest(b"abcdefghi")).expect("whole");
    assert_eq!(rig.read("a"), b"abcdefghi");
}

#[test]
fn a_fenced_holder_neither_commits_nor_discards() {
    let rig = Rig::new();
    let spec = spec("a", 3);
    for way in [|old: Partial| old.commit(3, digest(b"abc")).map(|_| ()), Partial::discard] {
        let mut old = rig.begin(1, &spec);
        if old.written() == 0 {
            old.write(0, b"abc").expect("in order");
        }
        let (_new, durable, _) = open(rig.store.attach(id(1), &spec, attach(0, BOB), day(0)));
        assert_eq!(durable, 3);
        assert_eq!(kind(way(old)), ErrorKind::Fenced);
        assert!(!rig.path("a").exists());
    }
}

#[test]
fn an_attach_that_waited_for_the_disk_does_not_fence_a_later_one() {
    let rig = Rig::new();
    let spec = spec("a", 3);
    let (first, second) = (Turn::alone(), Turn::alone());
    let come = |turn| {
        rig.store.attach_in_turn(turn, id(1), &spec, attach(0, ALICE), day(0)).and_then(Begun::completed)
    };
    let (mut held, ..) = open(come(second));
    assert_eq!(kind(come(first)), ErrorKind::Fenced);
    held.write(0, b"abc").expect("still attached");
    held.commit(3, digest(b"abc")).expect("whole");
}

#[test]
fn a_belated_attach_takes_nothing_from_its_own_sender_on_a_newer_link() {
    let rig = Rig::new();
    let spec = spec("a", 3);
    let (older, newer) = (LinkOrder::next(), LinkOrder::next());
    let come = |link, who| {
        let turn = Turn::on(link);
        rig.store.attach_in_turn(turn, id(1), &spec, attach(0, who), day(0)).and_then(Begun::completed)
    };
    let (_first, ..) = open(come(older, ALICE));
    let (mut second, ..) = open(come(newer, ALICE));
    let again = come(older, ALICE).expect_err("it is belated");
    assert_eq!((again.kind(), again.code()), (ErrorKind::Fenced, Code::Fenced));
    assert!(again.reason().ends_with("(the same sender has it on a newer connection)"), "{again}");
    second.write(0, b"ab").expect("still attached");
    // On one link a sender offers again; and links of different senders have no order.
    let (second, ..) = open(come(newer, ALICE));
    let (other, ..) = open(come(older, BOB));
    let (third, ..) = open(come(newer, [0; 16]));
    let (fourth, durable, epoch) = open(come(older, [0; 16]));
    assert_eq!((durable, epoch), (2, 6));
    drop((second, other, third, fourth));
    assert_eq!(open(come(older, ALICE)).1, 2, "nobody has it");
}

#[test]
fn bytes_that_are_taken_over_are_safe_at_once() {
    let rig = Rig::new();
    let spec = spec("a", 9);
    let mut old = rig.begin(1, &spec);
    old.write(0, b"abc").expect("in order");
    let (new, ..) = open(rig.store.attach(id(1), &spec, attach(0, BOB), day(0)));
    drop((old, new));
    let (_, durable, epoch) = open(rig.store.attach(id(1), &spec, attach(0, BOB), day(0)));
    assert_eq!((durable, epoch), (3, 3));
}

#[test]
fn a_sender_that_missed_an_attach_does_not_get_the_transfer_back() {
    let rig = Rig::new();
    let spec = spec("a", 9);
    let store = &rig.store;
    let (_a, _, first) = open(store.attach(id(1), &spec, attach(0, ALICE), day(0)));
    let (mut b, _, second) = open(store.attach(id(1), &spec, attach(first, BOB), day(0)));
    assert_eq!(kind(store.attach(id(1), &spec, attach(first, ALICE), day(0))), ErrorKind::Fenced);
    assert_eq!(kind(store.attach(id(1), &spec, attach(99, ALICE), day(0))), ErrorKind::Fenced);
    let restart = Attach { mode: Mode::Restart, ..attach(first, ALICE) };
    assert_eq!(kind(store.attach(id(1), &spec, restart, day(0))), ErrorKind::Fenced);
    b.write(0, b"abc").expect("the refused attaches fenced nobody");
    // The process that attached last returns with an old number, because its acceptance got lost.
    let (b, durable, third) = open(store.attach(id(1), &spec, attach(first, BOB), day(0)));
    assert_eq!((durable, second, third), (3, 2, 3));
    b.detach().expect("safe");
    // The same rules from the disk.
    assert_eq!(kind(store.attach(id(1), &spec, attach(second, ALICE), day(0))), ErrorKind::Fenced);
    assert_eq!(open(store.attach(id(1), &spec, attach(second, BOB), day(0))).2, 4);
    assert_eq!(open(store.attach(id(1), &spec, attach(4, ALICE), day(0))).2, 5);
    assert_eq!(open(store.attach(id(1), &spec, attach(0, BOB), day(0))).2, 6);
}

#[test]
fn two_senders_without_a_name_are_not_the_same() {
    let rig = Rig::new();
    let nobody = [0; 16];
    open(rig.store.attach(id(1), &spec("a", 9), attach(0, nobody), day(0))).0.detach().expect("safe");
    let attached = rig.store.attach(id(1), &spec("a", 9), attach(5, nobody), day(0));
    assert_eq!(kind(attached), ErrorKind::Fenced);
}

#[test]
fn a_restart_takes_nothing_over() {
    let rig = Rig::new();
    let spec = spec("a", 3);
    let mut old = rig.begin(1, &spec);
    old.write(0, b"ab").expect("in order");
    let stale = old.flush();
    let restart = Attach { mode: Mode::Restart, ..attach(0, BOB) };
    let (mut new, durable, epoch) = open(rig.store.attach(id(1), &spec, restart, day(0)));
    assert_eq!((durable, epoch), (0, 2));
    assert_eq!(kind(old.write(2, b"c")), ErrorKind::Fenced);
    assert_eq!(kind(stale.run()), ErrorKind::Fenced);
    new.write(0, b"xyz").expect("in order");
    new.commit(3, digest(b"xyz")).expect("whole");
    assert_eq!(rig.read("a"), b"xyz");
}

#[test]
fn a_holder_from_before_a_discard_stays_fenced() {
    let rig = Rig::new();
    let spec = spec("a", 3);
    let mut old = rig.begin(1, &spec);
    let (second, ..) = open(rig.store.attach(id(1), &spec, attach(0, BOB), day(0)));
    second.discard().expect("removed");
    let (_third, _, epoch) = open(rig.store.attach(id(1), &spec, attach(0, BOB), day(0)));
    assert_eq!(epoch, old.epoch());
    assert_eq!(kind(old.write(0, b"abc")), ErrorKind::Fenced);
}

#[test]
fn another_process_is_busy_until_the_first_lets_go() {
    let rig = Rig::new();
    let spec = spec("a", 3);
    let mut partial = rig.begin(1, &spec);
    partial.write(0, b"ab").expect("in order");
    let other = rig.other_process();
    assert_eq!(kind(other.attach(id(1), &spec, attach(0, ALICE), day(0))), ErrorKind::Busy);
    let flush = partial.flush();
    drop(partial);
    // The synchronisation under way still needs the files.
    assert_eq!(kind(other.attach(id(1), &spec, attach(0, ALICE), day(0))), ErrorKind::Busy);
    flush.run().expect("safe");
    assert_eq!(open(other.attach(id(1), &spec, attach(0, ALICE), day(0))).1, 2);
}

#[test]
fn a_flush_outlives_its_partial() {
    let rig = Rig::new();
    let spec = spec("a", 3);
    let mut partial = rig.begin(1, &spec);
    partial.write(0, b"ab").expect("in order");
    let late = partial.flush();
    partial.write(2, b"c").expect("in order");
    partial.commit(3, digest(b"abc")).expect("whole");
    assert_eq!(late.run().expect("the commit made it safe"), 3);
    assert_eq!(rig.store.registry().len(), 0);

    let mut partial = rig.begin(2, &super::spec("b", 3));
    partial.write(0, b"ab").expect("in order");
    let late = partial.flush();
    partial.discard().expect("removed");
    assert_eq!(kind(late.run()), ErrorKind::Fenced);
}

#[test]
fn an_attach_after_a_commit_with_a_pending_flush_finds_it_committed() {
    let rig = Rig::new();
    let spec = spec("a", 3);
    let mut partial = rig.begin(1, &spec);
    partial.write(0, b"abc").expect("in order");
    let late = partial.flush();
    partial.commit(3, digest(b"abc")).expect("whole");
    let again = rig.store.attach(id(1), &spec, attach(0, ALICE), day(0));
    assert!(matches!(again, Ok(Attached::Committed { length: 3, .. })), "{again:?}");
    assert_eq!(late.run().expect("safe"), 3);
}

#[test]
fn a_flush_of_an_old_holder_is_answered_when_its_bytes_are_safe() {
    let rig = Rig::new();
    let spec = spec("a", 9);
    let mut old = rig.begin(1, &spec);
    old.write(0, b"abc").expect("in order");
    let stale = old.flush();
    let (new, ..) = open(rig.store.attach(id(1), &spec, attach(0, BOB), day(0)));
    new.detach().expect("safe");
    assert_eq!(stale.run().expect("safe"), 3);
}

#[test]
fn an_older_flush_never_takes_back_a_newer_one() {
    let rig = Rig::new();
    let mut partial = rig.begin(1, &spec("a", 9));
    partial.write(0, b"abc").expect("in order");
    let older = partial.flush();
    partial.write(3, b"def").expect("in order");
    assert_eq!(partial.flush().run().expect("safe"), 6);
    assert_eq!(older.run().expect("safe"), 6);
    drop(partial);
    assert_eq!(open(rig.store.attach(id(1), &spec("a", 9), attach(0, ALICE), day(0))).1, 6);
}

/// Attaches from many threads while others write: whatever the order, the bytes must be right.
#[test]
fn takeovers_from_all_sides_leave_one_right_file() {
    let rig = Rig::new();
    let data = content(400_000);
    let spec = spec("a", data.len());
    let (done, finished) = mpsc::channel();
    thread::scope(|scope| {
        for worker in 0..4_u8 {
            let (store, data, spec, done) = (rig.store.clone(), &data, &spec, done.clone());
            scope.spawn(move || {
                for round in 0.. {
                    let attached = store.attach(id(1), spec, attach(0, [worker + 1; 16]), day(0));
                    let (mut partial, durable) = match attached {
                        Ok(Attached::Partial { partial, durable, prefix, .. }) => {
                            assert_eq!(prefix, digest(&data[..durable as usize]));
                            (partial, durable as usize)
                        }
                        Ok(Attached::Committed { .. }) => break,
                        Ok(Attached::Present { .. }) => panic!("the journal is kept"),
                        // A later one was faster.
                        Err(e) => {
                            assert_eq!(e.kind(), ErrorKind::Fenced);
                            continue;
                        }
                    };
                    // Each round gets a little further than the last, so that one of them reaches the end.
                    let stop = data.len().min(durable + 1_000 * (round + 1) * (usize::from(worker) + 1));
                    let mut fenced = false;
                    for at in (durable..stop).step_by(999) {
                        let piece = &data[at..stop.min(at + 999)];
                        match partial.write(at as u64, piece) {
                            Ok(()) => {}
                            Err(e) => {
                                assert_eq!(e.kind(), ErrorKind::Fenced);
                                fenced = true;
                                break;
                            }
                        }
                    }
                    if fenced {
                        continue;
                    }
                    let ended = if stop == data.len() {
                        partial.commit(stop as u64, digest(data)).map(|_| ())
                    } else if round % 2 == 0 {
                        partial.flush().run().map(|_| ())
                    } else {
                        partial.detach().map(|_| ())
                    };
                    if let Err(e) = ended {
                        assert_eq!(e.kind(), ErrorKind::Fenced);
                    }
                }
                done.send(worker).expect("the test waits");
            });
        }
    });
    drop(done);
    assert_eq!(finished.iter().count(), 4);
    assert_eq!(rig.read("a"), data);
    assert_eq!(rig.store.registry().len(), 0);
}

#[test]
fn a_takeover_does_not_count_as_progress() {
    let rig = Rig::new();
    let end = |at| match rig.store.attach(id(1), &spec("a", 3), attach(0, ALICE), at).expect("a partial") {
        Attached::Partial { partial, expires, .. } => (partial, expires.expect("it expires")),
        other => panic!("no partial: {other:?}"),
    };
    let (_held, before) = end(day(0));
    let (_held, after) = end(day(3));
    assert!(after < before + Duration::from_secs(3600), "{after:?}");
}

#[test]
fn a_flush_that_is_run_after_the_detach_is_answered() {
    let rig = Rig::new();
    let mut partial = rig.begin(1, &spec("a", 3));
    partial.write(0, b"abc").expect("in order");
    let late = partial.flush();
    partial.detach().expect("safe");
    assert_eq!(late.run().expect("safe as well"), 3);
}
