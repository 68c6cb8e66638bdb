use super::*;
use crate::Swept;

fn partial(rig: &Rig, n: u8, at: SystemTime) {
    let spec = spec(&format!("f{n}"), 6);
    let (mut partial, ..) = open(rig.store.attach(id(n), &spec, attach(0, ALICE), at));
    partial.write(0, b"abc").expect("in order");
    partial.detach().expect("safe");
}

fn sweep(store: &DiskStore, at: SystemTime, budget: usize) -> Swept {
    store.sweep(at, budget).expect("a folder")
}

#[test]
fn a_partial_without_progress_is_removed_after_its_time() {
    let rig = Rig::new();
    partial(&rig, 1, day(0));
    partial(&rig, 2, day(5));
    assert_eq!(sweep(&rig.store, day(6), 100).removed, 0);
    let swept = sweep(&rig.store, day(8), 100);
    assert_eq!((swept.examined, swept.removed, swept.freed, swept.done), (2, 1, 3, true));
    let (mut second, durable, _) = open(rig.store.attach(id(2), &spec("f2", 6), attach(0, ALICE), day(8)));
    assert_eq!(durable, 3);
    second.write(3, b"d").expect("in order");
    second.detach().expect("safe");
    // What counts is progress, not age.
    assert_eq!(sweep(&rig.store, day(13), 100).removed, 0);
    assert_eq!(sweep(&rig.store, day(16), 100).removed, 1);
    assert!(!rig.path(".bowline").exists());
}

#[test]
fn a_download_goes_on_however_long_it_takes() {
    let rig = Rig::with(|config| {
        *config = Config { fsync: Durability::None, check_space: false, ..Config::fetching() }
    });
    let huge = Spec { length: Some(2 << 40), ..spec("huge", 0) };
    for (durable, at) in [(0, day(0)), (1, day(300)), (2, day(1000))] {
        let (mut partial, known, _) = open(rig.store.attach(id(1), &huge, attach(0, ALICE), at));
        assert_eq!(known, durable, "and nothing is too long");
        partial.write(durable, b"x").expect("in order");
        partial.detach().expect("safe");
    }
}

#[test]
fn partials_stay_if_they_have_no_expiry() {
    let rig = Rig::with(|config| (config.expire_after, config.max_age) = (None, None));
    partial(&rig, 1, day(0));
    assert_eq!(sweep(&rig.store, day(10_000), 100).removed, 0);
}

#[test]
fn an_attached_partial_is_not_swept_away() {
    let rig = Rig::new();
    let mut held = rig.begin(1, &spec("a", 3));
    for store in [rig.store.clone(), rig.other_process()] {
        let swept = sweep(&store, day(100), 100);
        assert_eq!((swept.examined, swept.removed), (1, 0));
    }
    held.write(0, b"abc").expect("in order");
    held.commit(3, digest(b"abc")).expect("whole");
}

#[test]
fn a_sweep_does_no_more_than_it_may_and_goes_on_where_it_stopped() {
    let rig = Rig::new();
    for n in 1..=7 {
        partial(&rig, n, day(0));
    }
    // Two in one folder.
    let mut twin = [3; 16];
    twin[15] = 4;
    let twin = TransferId::from_bytes(twin);
    open(rig.store.attach(twin, &spec("twin", 6), attach(0, ALICE), day(0))).0.detach().expect("safe");
    let mut sweeps = vec![];
    while sweeps.last().is_none_or(|last: &Swept| !last.done) {
        sweeps.push(sweep(&rig.store, day(100), 3));
    }
    let examined: Vec<_> = sweeps.iter().map(|swept| swept.examined).collect();
    assert_eq!(examined, [3, 3, 2]);
    assert_eq!(sweeps.iter().map(|swept| swept.removed).sum::<usize>(), 8);
    assert!(files(rig.dir.path()).is_empty());
    assert_eq!(sweep(&rig.store, day(100), 0).examined, 0);
}

#[test]
fn a_sweep_examines_each_partial_once_before_it_begins_again() {
    let rig = Rig::new();
    for n in 1..=3 {
        partial(&rig, n, day(0));
    }
    let sweeps: Vec<_> = (0..6).map(|_| sweep(&rig.store, day(1), 1)).collect();
    let examined: Vec<_> = sweeps.iter().map(|swept| (swept.examined, swept.done)).collect();
    let round = [(1, false), (1, false), (1, true)];
    assert_eq!(examined, [round, round].concat());
}

#[test]
fn a_part_without_a_valid_journal_is_removed() {
    let rig = Rig::new();
    partial(&rig, 1, day(0));
    fs::create_dir(rig.path(".bowline/02")).expect("made");
    let staged = |n: u8, end: &str| rig.path(&format!(".bowline/{n:02x}/{}.{end}", id(n).to_hex()));
    fs::write(staged(2, "part"), "orphan").expect("written");
    fs::create_dir(rig.path(".bowline/03")).expect("made");
    fs::write(staged(3, "jnl"), "").expect("written");
    fs::create_dir(rig.path(".bowline/04")).expect("made");
    fs::create_dir(rig.path(".bowline/05")).expect("made");
    // Not the store's: left alone.
    fs::write(rig.path(".bowline/04/note.txt"), "x").expect("written");
    fs::write(rig.path(".bowline/readme"), "x").expect("written");
    fs::write(rig.path(&format!(".bowline/04/{}.part", "0x4".repeat(11))), "x").expect("written");
    let swept = sweep(&rig.store, day(0), 100);
    assert_eq!((swept.examined, swept.removed, swept.freed), (3, 2, 6));
    assert_eq!(files(rig.dir.path()).len(), 5);
    for shard in [".bowline/02", ".bowline/03", ".bowline/05"] {
        assert!(!rig.path(shard).exists(), "{shard}");
    }
}

#[test]
fn journals_of_committed_files_go_after_their_time_and_the_files_stay() {
    let rig = Rig::new();
    let mut partial = rig.begin(1, &spec("a", 3));
    partial.write(0, b"abc").expect("in order");
    partial.commit(3, digest(b"abc")).expect("whole");
    assert_eq!(sweep(&rig.store, day(0), 100).removed, 0);
    let swept = sweep(&rig.store, day(2), 100);
    assert_eq!((swept.removed, swept.freed), (1, 0));
    assert_eq!(files(rig.dir.path()), ["a"]);
}

#[test]
fn an_interrupted_commit_is_finished_by_a_sweep() {
    let script = Arc::new(Script::default());
    let rig = Rig::on(script.clone(), |_| {});
    let mut partial = rig.begin(1, &spec("a", 3));
    partial.write(0, b"abc").expect("in order");
    script.fail(Op::Place, io::ErrorKind::InvalidData);
    partial.commit(3, digest(b"abc")).expect_err("interrupted");
    let swept = sweep(&rig.store, day(100), 100);
    assert_eq!((swept.finished, swept.removed), (1, 0));
    assert_eq!(rig.read("a"), b"abc");
}

#[test]
fn a_finished_file_without_a_name_is_kept_until_its_end() {
    let rig = Rig::new();
    let mut partial = rig.begin(1, &spec("a", 3));
    partial.write(0, b"abc").expect("in order");
    fs::write(rig.path("a"), "mine").expect("written");
    assert_eq!(kind(partial.commit(3, digest(b"abc"))), ErrorKind::Exists);
    assert_eq!(sweep(&rig.store, day(1), 100).removed, 0);
    let swept = sweep(&rig.store, day(8), 100);
    assert_eq!((swept.finished, swept.removed, swept.freed), (0, 1, 3));
    assert_eq!(files(rig.dir.path()), ["a"]);
    assert_eq!(rig.read("a"), b"mine");
}

#[test]
fn a_staging_folder_that_a_crash_has_left_empty_goes_too() {
    let rig = Rig::new();
    fs::create_dir(rig.path(".bowline")).expect("made");
    sweep(&rig.store, day(0), 100);
    assert!(!rig.path(".bowline").exists());
}
