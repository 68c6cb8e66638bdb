//! A process that may open only a few files: it reports what it cannot do yet, and everything it does is complete.

use super::*;
use crate::{Found, LeftOut};
use bowline_core::transfer::Listing;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::fs::File;

/// Opens as many files as the process may, except this many. They are closed when this is dropped.
fn all_but(free: usize) -> Vec<File> {
    let mut open: Vec<_> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
    open.truncate(open.len() - free);
    open
}

/// Does this with no file, with one, and so on, until it works. Each failure must say why.
fn until_it_works<T>(mut what: impl FnMut() -> Result<T, StoreError>) -> T {
    for free in 0..30 {
        let held = all_but(free);
        let result = what();
        drop(held);
        match result {
            Ok(done) => {
                assert!(free > 1, "it takes more");
                return done;
            }
            Err(error) => assert_eq!(error.kind(), ErrorKind::TooManyOpen, "with {free}: {error}"),
        }
    }
    panic!("thirty are enough");
}

#[test]
#[ignore = "has to run alone: no other test can open anything meanwhile"]
fn with_few_descriptors_the_shortage_is_reported_and_nothing_is_missing() {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: Some(100), ..limit }).expect("lower");
    let rig = Rig::on(Arc::new(Script::default()), |_| {});
    let folder = rig.store.dir().join("d");
    fs::create_dir_all(folder.join("e/f/g")).expect("made");
    fs::write(folder.join("e/f/g/h"), "abc").expect("written");

    let source = until_it_works(|| rig.store.listing(Some(&name("d"))));
    let text = source.read(0, source.length() as usize).expect("in memory");
    let listing = Listing::parse(text).expect("a good one");
    assert_eq!((listing.entries().count(), listing.totals().unnamed), (4, 0));

    let mut walk = rig.store.walk(Some(&name("d"))).expect("a folder");
    let held = all_but(0);
    let left_out = walk.next();
    assert!(matches!(&left_out, Some(Found::LeftOut { why, .. }) if why.is_passing()), "{left_out:?}");
    drop(held);
    walk.look_again();
    assert!(matches!(walk.next(), Some(Found::Folder(entry)) if entry.name.as_str() == "e"));
    assert!(!walk.any(|found| matches!(found, Found::LeftOut { why: LeftOut::Unreadable(_), .. })));

    let data = content(1000);
    until_it_works(|| {
        let spec = spec("d/e/file", data.len());
        match rig.store.attach(id(1), &spec, attach(0, ALICE), day(0))? {
            Attached::Partial { mut partial, durable, .. } => {
                partial.write(durable, &data[durable as usize..])?;
                partial.commit(1000, digest(&data)).map(drop)
            }
            _ => Ok(()),
        }
    });
    assert_eq!(rig.read("d/e/file"), data);

    // A holder that has it open still finds it by its name alone.
    let other = DiskStore::open(rig.store.dir(), Config::default()).expect("the same folder");
    let held = all_but(0);
    assert!(rig.store.root().staging_here().is_ok_and(|staging| staging.is_some()));
    assert!(other.root().staging_here().is_err(), "nobody knows whether it is there");
    drop(held);
}
