use super::*;
use std::fs::{self, File};
use std::time::{Duration, UNIX_EPOCH};

fn file(content: &str) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("a");
    fs::write(&path, content).expect("written");
    (dir, path)
}

#[test]
fn a_file_is_read_anywhere_by_any_clone() {
    let (_dir, path) = file("hello world");
    let time = UNIX_EPOCH + Duration::from_millis(1_700_000_000_123);
    File::options().write(true).open(&path).and_then(|f| f.set_modified(time)).expect("set");
    let source = Source::open(&path).expect("a file");
    let clone = source.clone();
    assert_eq!((source.length(), source.mtime_ms()), (11, 1_700_000_000_123));
    assert_eq!(source.read(6, 5).expect("there"), "world");
    assert_eq!(clone.read(0, 5).expect("there"), "hello");
    assert_eq!(source.read(11, 0).expect("nothing"), "");
    source.check().expect("unchanged");
}

fn range(text: &str) -> ByteRange {
    text.parse().expect("a range")
}

#[test]
fn a_part_is_read_as_if_it_were_a_file() {
    let (_dir, path) = file("hello world");
    let part = Source::open(&path).and_then(|file| file.range(range("4-7"))).expect("there");
    assert_eq!((part.length(), &part.read(0, 4).expect("there")[..]), (4, &b"o wo"[..]));
    assert_eq!(part.read(2, 2).expect("there"), "wo");
    // The file has a byte there, the part has none.
    assert_eq!(part.read(2, 3).expect_err("short").kind(), ErrorKind::SourceChanged);
    assert_eq!(part.read(u64::MAX, 1).expect_err("short").kind(), ErrorKind::SourceChanged);
    assert_eq!(part.read(4, 0).expect("nothing"), "");
    for (open, text) in [("6-", "world"), ("6-99", "world"), ("10-10", "d"), ("0-", "hello world")] {
        let part = Source::open(&path).and_then(|file| file.range(range(open))).expect("there");
        assert_eq!(part.read(0, text.len()).expect("there"), text);
        assert_eq!(part.length(), text.len() as u64, "{open}");
    }
}

#[test]
fn a_part_beyond_the_end_is_refused_with_both_numbers() {
    let (_dir, path) = file("hello world");
    let error = Source::open(&path).and_then(|file| file.range(range("11-20"))).expect_err("beyond");
    assert_eq!(error.kind(), ErrorKind::OutOfRange);
    assert!(error.reason().contains("begins at byte 11, and the file has 11 bytes"), "{error}");
    let (_dir, path) = file("");
    let kind = |text| Source::open(&path)?.range(range(text)).map(|part| part.length());
    assert_eq!(kind("0-").expect("all of it"), 0);
    assert_eq!(kind("0-0").expect_err("there is none").kind(), ErrorKind::OutOfRange);
}

#[test]
fn a_listing_is_all_or_nothing() {
    let (dir, _path) = file("hello");
    fs::create_dir(dir.path().join("top")).expect("made");
    let store = crate::DiskStore::open(dir.path(), crate::Config::default()).expect("a folder");
    let listing = || store.listing(Some(&transfer::SafeName::parse("top").expect("safe"))).expect("a folder");
    assert_eq!(listing().range(ByteRange::WHOLE).expect("all").length(), listing().length());
    assert_eq!(listing().range(range("0-3")).expect_err("a part").kind(), ErrorKind::NotAFile);
}

#[test]
fn a_change_outside_of_a_part_is_noticed_too() {
    let (_dir, path) = file("hello world");
    let part = Source::open(&path).and_then(|file| file.range(range("0-4"))).expect("there");
    part.check().expect("unchanged");
    fs::write(&path, "hello world!").expect("written");
    assert_eq!(part.check().expect_err("changed").kind(), ErrorKind::SourceChanged);
}

#[test]
fn each_part_of_a_version_has_an_identity() {
    let (_dir, path) = file("hello world");
    let identity =
        |text: &str| Source::open(&path).and_then(|file| file.range(range(text))).expect("there").identity();
    let whole = Source::open(&path).expect("a file").identity();
    assert_eq!(identity("0-"), whole);
    assert_eq!(identity("0-10"), whole, "that is all of it");
    assert_eq!(identity("3-6"), identity("3-6"));
    let all = [whole, identity("3-6"), identity("2-6"), identity("3-7"), identity("3-")];
    let different: std::collections::BTreeSet<_> = all.iter().map(|id| *id.as_bytes()).collect();
    assert_eq!(different.len(), all.len());
}

#[test]
fn times_before_1970_are_rounded_down() {
    let (_dir, path) = file("");
    let time = UNIX_EPOCH - Duration::from_micros(1_500);
    File::options().write(true).open(&path).and_then(|f| f.set_modified(time)).expect("set");
    assert_eq!(Source::open(&path).expect("a file").mtime_ms(), -2);
}

#[test]
fn a_file_that_shrinks_is_noticed_by_reading() {
    let (_dir, path) = file("hello world");
    let source = Source::open(&path).expect("a file");
    fs::write(&path, "hello").expect("written");
    assert_eq!(source.read(3, 4).expect_err("short").kind(), ErrorKind::SourceChanged);
}

#[test]
fn a_check_notices_every_kind_of_change() {
    let changes: [fn(&Path); 4] = [
        |path| fs::write(path, "HELLO").expect("written"),
        |path| fs::write(path, "hello!").expect("written"),
        |path| {
            fs::rename(path, path.with_extension("old")).expect("moved");
            fs::rename(path.with_extension("old"), path).expect("moved back");
        },
        |path| {
            fs::hard_link(path, path.with_extension("link")).expect("linked");
            fs::remove_file(path).expect("removed");
            fs::rename(path.with_extension("link"), path).expect("put back");
        },
    ];
    // Other systems do not record when a file was last renamed.
    let noticed = if cfg!(unix) { changes.len() } else { 2 };
    for change in &changes[..noticed] {
        let (_dir, path) = file("hello");
        let old = UNIX_EPOCH + Duration::from_secs(1);
        File::options().write(true).open(&path).and_then(|f| f.set_modified(old)).expect("set");
        let source = Source::open(&path).expect("a file");
        source.check().expect("unchanged");
        // The clock of the file system may be a tick behind: change until it shows.
        let noticed = (0..1_000_000).any(|_| {
            change(&path);
            source.check().is_err()
        });
        assert!(noticed);
        assert_eq!(source.check().expect_err("changed").kind(), ErrorKind::SourceChanged);
    }
}

#[test]
fn identity_and_validator_tell_versions_apart() {
    let (dir, path) = file("hello");
    let (one, again) = (Source::open(&path).expect("a file"), Source::open(&path).expect("a file"));
    assert_eq!((one.identity(), one.validator()), (again.identity(), again.validator()));
    assert_eq!(one.validator().as_bytes(), &one.identity().as_bytes()[..16]);
    fs::write(dir.path().join("b"), "hello").expect("written");
    let other = Source::open(&dir.path().join("b")).expect("a file");
    assert_ne!(one.validator(), other.validator());
    fs::write(&path, "hello!").expect("written");
    assert_ne!(one.identity(), Source::open(&path).expect("a file").identity());
}

#[test]
fn a_file_on_a_remounted_disk_is_the_same() {
    let (_dir, path) = file("hello");
    let before = Source::open(&path).expect("a file");
    let mut after = before.clone();
    after.opened.id.dev += 1;
    assert_eq!((before.identity(), before.validator()), (after.identity(), after.validator()));
    after.opened.changed += 1;
    assert_ne!(before.identity(), after.identity());
}

#[test]
fn only_regular_files_are_sent() {
    let (dir, path) = file("hello");
    let kind = |path: &Path| Source::open(path).expect_err("no file").kind();
    assert_eq!(kind(dir.path()), ErrorKind::NotAFile);
    assert_eq!(kind(&dir.path().join("none")), ErrorKind::NotFound);
    assert_eq!(kind(&path.join("none")), ErrorKind::NotFound);
    #[cfg(unix)]
    {
        assert_eq!(kind(Path::new("/dev/null")), ErrorKind::NotAFile);
        std::os::unix::fs::symlink(&path, dir.path().join("link")).expect("linked");
        assert_eq!(Source::open(&dir.path().join("link")).expect("followed").length(), 5);
    }
}
