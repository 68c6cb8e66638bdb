use super::*;
use crate::{FolderSpec, Found, Walk};
use std::os::unix::fs::{PermissionsExt as _, symlink};

fn send(rig: &Rig, file: &str) -> Result<(), StoreError> {
    let spec = spec(file, 3);
    let attached = rig.store.attach(id(1), &spec, attach(0, ALICE), day(0))?;
    let (mut partial, ..) = open(Ok(attached));
    partial.write(0, b"abc")?;
    partial.commit(3, digest(b"abc")).map(|_| ())
}

#[test]
fn names_of_all_kinds_become_files() {
    for file in
        ["a b.txt", "día/🏖/x y", "文件.bin", "1/2/3/4/5/6/7/8/9", "..a", ".hidden", ".bowline2/x", "-rf"]
    {
        let rig = Rig::new();
        send(&rig, file).expect("a fine name");
        assert_eq!(rig.read(file), b"abc");
        let source = rig.store.source(&name(file)).expect("there");
        assert_eq!(source.read(0, 3).expect("read"), "abc");
    }
}

#[test]
fn the_longest_name_becomes_a_file() {
    let rig = Rig::new();
    let parts: Vec<_> = (0..16).map(|n| format!("{n:0>250}")).collect();
    let long = parts.join("/");
    assert!(long.len() > 4000);
    let mut partial = rig.begin(1, &spec(&long, 3));
    partial.write(0, b"abc").expect("in order");
    partial.detach().expect("safe");
    send(&rig, "other").expect_err("another name for the same transfer");
    let (partial, durable, _) = open(rig.store.attach(id(1), &spec(&long, 3), attach(0, ALICE), day(0)));
    assert_eq!(durable, 3);
    partial.commit(3, digest(b"abc")).expect("whole");
    assert_eq!(rig.store.source(&name(&long)).expect("there").length(), 3);
}

#[test]
fn no_name_leads_into_staging() {
    let rig = Rig::new();
    rig.begin(2, &spec("z", 3)).detach().expect("staging is there");
    let staged = files(rig.dir.path());
    for file in [".bowline", ".bowline/x", ".BowLine/x", ".bowline/02/x", staged[0].as_str()] {
        assert_eq!(kind(send(&rig, file)), ErrorKind::BadName, "{file}");
        assert_eq!(kind(rig.store.source(&name(file))), ErrorKind::BadName, "{file}");
    }
    // Deeper staging, and its neighbours.
    let rig = Rig::with(|config| config.staging = "var/partial".into());
    assert_eq!(kind(send(&rig, "var/partial/x")), ErrorKind::BadName);
    send(&rig, "var/x").expect("beside it");
    assert!(rig.path("var/partial/01").is_dir());
}

#[test]
fn a_link_in_place_of_staging_is_not_followed() {
    let rig = Rig::new();
    let mut partial = rig.begin(1, &spec("x", 3));
    partial.write(0, b"abc").expect("in order");
    partial.detach().expect("safe");
    fs::rename(rig.path(".bowline"), rig.path("moved")).expect("renamed");
    symlink("moved", rig.path(".bowline")).expect("linked");
    assert_eq!(kind(rig.store.attach(id(1), &spec("x", 3), attach(0, ALICE), day(0))), ErrorKind::NoFolder);
}

/// As a crash may leave it on a file system that renames in two steps.
#[test]
fn a_finished_file_that_is_also_a_forgotten_part_is_left_alone() {
    let rig = Rig::new();
    fs::write(rig.path("a"), "finished").expect("written");
    fs::create_dir_all(rig.path(".bowline/01")).expect("made");
    fs::hard_link(rig.path("a"), rig.path(&format!(".bowline/01/{}.part", id(1).to_hex()))).expect("linked");
    let mut partial = rig.begin(1, &spec("b", 3));
    partial.write(0, b"abc").expect("in order");
    partial.commit(3, digest(b"abc")).expect("whole");
    assert_eq!((rig.read("a"), rig.read("b")), (b"finished".to_vec(), b"abc".to_vec()));
}

#[test]
fn links_are_not_followed_out_of_the_folder() {
    let rig = Rig::new();
    let outside = tempfile::tempdir().expect("a folder");
    fs::write(outside.path().join("secret"), "xyz").expect("written");
    symlink(outside.path(), rig.path("link")).expect("linked");
    symlink(outside.path().join("secret"), rig.path("file")).expect("linked");
    symlink("nowhere", rig.path("dangling")).expect("linked");
    assert_eq!(kind(send(&rig, "link/a")), ErrorKind::NoFolder);
    assert_eq!(kind(send(&rig, "link/sub/a")), ErrorKind::NoFolder);
    assert_eq!(kind(send(&rig, "file")), ErrorKind::Exists);
    assert_eq!(kind(send(&rig, "dangling")), ErrorKind::InTheWay);
    assert_eq!(kind(rig.store.source(&name("link/secret"))), ErrorKind::NotFound);
    assert_eq!(kind(rig.store.source(&name("file"))), ErrorKind::NotAFile);
    assert_eq!(files(outside.path()), ["secret"]);
}

#[test]
fn a_link_that_appears_before_the_commit_is_not_followed() {
    let rig = Rig::new();
    let outside = tempfile::tempdir().expect("a folder");
    let mut partial = rig.begin(1, &spec("d/a", 3));
    partial.write(0, b"abc").expect("in order");
    symlink(outside.path(), rig.path("d")).expect("linked");
    assert_eq!(kind(partial.commit(3, digest(b"abc"))), ErrorKind::NoFolder);
    assert!(files(outside.path()).is_empty());
}

#[test]
fn overwriting_replaces_a_link_and_not_its_target() {
    let rig = Rig::with(|config| config.overwrite = true);
    let outside = tempfile::tempdir().expect("a folder");
    fs::write(outside.path().join("secret"), "xyz").expect("written");
    symlink(outside.path().join("secret"), rig.path("a")).expect("linked");
    send(&rig, "a").expect("replaced");
    assert_eq!(fs::read(outside.path().join("secret")).expect("there"), b"xyz");
    assert!(!rig.path("a").is_symlink());
    assert_eq!(rig.read("a"), b"abc");
}

/// What is neither a file nor a link to one, in the place where a file is to go.
fn obstacles(rig: &Rig) -> [&'static str; 5] {
    fs::create_dir(rig.path("folder")).expect("made");
    symlink("folder", rig.path("link")).expect("linked");
    symlink("nowhere", rig.path("dangling")).expect("linked");
    #[cfg(not(target_vendor = "apple"))]
    {
        let fifo = rustix::fs::FileType::Fifo;
        rustix::fs::mknodat(rustix::fs::CWD, rig.path("pipe"), fifo, 0o600.into(), 0).expect("made");
    }
    // There is no such call there, so another socket stands for it.
    #[cfg(target_vendor = "apple")]
    std::os::unix::net::UnixListener::bind(rig.path("pipe")).expect("bound");
    std::os::unix::net::UnixListener::bind(rig.path("socket")).expect("bound");
    ["folder", "link", "dangling", "pipe", "socket"]
}

#[test]
fn overwriting_replaces_nothing_but_files_and_links_to_files() {
    let rig = Rig::with(|config| config.overwrite = true);
    for file in obstacles(&rig) {
        let before = fs::symlink_metadata(rig.path(file)).expect("there").file_type();
        assert_eq!(kind(send(&rig, file)), ErrorKind::InTheWay, "{file}");
        assert_eq!(fs::symlink_metadata(rig.path(file)).expect("still there").file_type(), before, "{file}");
    }
    let pipe = send(&rig, "pipe").expect_err("in the way").to_string();
    assert!(pipe.ends_with("(a device, a pipe or a socket has that name)"), "{pipe}");
}

#[test]
fn an_obstacle_that_appears_during_a_transfer_is_not_replaced_either() {
    let rig = Rig::with(|config| config.overwrite = true);
    let begun: Vec<_> = (1_u8..).zip(["folder", "link", "dangling", "pipe", "socket"]).collect();
    let partials: Vec<_> = begun.iter().map(|(n, file)| rig.begin(*n, &spec(file, 3))).collect();
    obstacles(&rig);
    for (mut partial, (_, file)) in partials.into_iter().zip(begun) {
        partial.write(0, b"abc").expect("in order");
        assert_eq!(kind(partial.commit(3, digest(b"abc"))), ErrorKind::InTheWay, "{file}");
        assert!(!fs::symlink_metadata(rig.path(file)).expect("still there").is_file(), "{file}");
    }
}

#[test]
fn an_obstacle_that_is_not_a_file_is_not_reported_as_a_taken_name() {
    let rig = Rig::new();
    for file in obstacles(&rig) {
        assert_eq!(kind(send(&rig, file)), ErrorKind::InTheWay, "{file}");
    }
}

#[test]
fn a_file_in_place_of_a_folder_is_in_the_way() {
    let rig = Rig::new();
    fs::write(rig.path("f"), "x").expect("written");
    assert_eq!(kind(send(&rig, "f/a")), ErrorKind::NoFolder);
    assert_eq!(kind(rig.store.source(&name("f/a"))), ErrorKind::NotFound);
    assert_eq!(kind(rig.store.source(&name("none/a"))), ErrorKind::NotFound);
    fs::create_dir(rig.path("d")).expect("made");
    assert_eq!(kind(rig.store.source(&name("d"))), ErrorKind::NotAFile);
}

#[test]
fn partial_files_are_private_and_finished_ones_ordinary() {
    let rig = Rig::new();
    let mode = |file: &str| fs::metadata(rig.path(file)).expect("there").permissions().mode() & 0o777;
    let mut partial = rig.begin(1, &spec("a", 3));
    partial.write(0, b"abc").expect("in order");
    assert_eq!(mode(".bowline") & 0o077, 0);
    partial.commit(3, digest(b"abc")).expect("whole");
    fs::write(rig.path("ordinary"), "").expect("written");
    assert_eq!(mode("a"), mode("ordinary"));
}

#[test]
fn folders_are_made_at_the_commit() {
    let rig = Rig::new();
    let mut partial = rig.begin(1, &spec("d/e/a", 3));
    partial.write(0, b"abc").expect("in order");
    assert!(!rig.path("d").exists());
    partial.commit(3, digest(b"abc")).expect("whole");
    assert_eq!(rig.read("d/e/a"), b"abc");
}

#[test]
fn a_store_in_a_folder_names_nothing_outside_of_it() {
    let rig = Rig::new();
    send(&rig, "outside").expect("a fine name");
    let inner = Rig { store: rig.store.in_folder(name("home/alice")), dir: rig.dir };
    assert_eq!(kind(inner.store.source(&name("outside"))), ErrorKind::NotFound);
    assert_eq!(kind(inner.store.listing(Some(&name("home")))), ErrorKind::NotFound);
    let mut partial = inner.begin(2, &spec("a/b", 3));
    partial.write(0, b"abc").expect("in order");
    partial.commit(3, digest(b"abc")).expect("whole");
    assert_eq!(inner.read("home/alice/a/b"), b"abc");
    assert_eq!(inner.store.source(&name("a/b")).expect("there").length(), 3);
    let folder = FolderSpec::new(name("empty"));
    assert!(!inner.store.make_folder(&folder).expect("made"));
    assert!(inner.path("home/alice/empty").is_dir());
    let names = |walk: Walk| {
        walk.filter_map(|found| match found {
            Found::File(entry) | Found::Folder(entry) => Some(entry.name.to_string()),
            _ => None,
        })
    };
    let walk = inner.store.walk(None).expect("a folder");
    assert_eq!(names(walk).collect::<Vec<_>>(), ["a", "a/b", "empty"]);
    let walk = inner.store.walk(Some(&name("a"))).expect("a folder");
    assert_eq!(names(walk).collect::<Vec<_>>(), ["b"]);
    // The name that means staging at the root is an ordinary name here.
    let mut partial = inner.begin(3, &spec(".bowline/x", 3));
    partial.write(0, b"abc").expect("in order");
    partial.commit(3, digest(b"abc")).expect("whole");
    // Names that are too long together are reported, and lead nowhere.
    let long = name(&["x"; 64].join("/"));
    assert_eq!(kind(inner.store.source(&long)), ErrorKind::BadName);
}

#[test]
fn a_link_in_place_of_a_part_is_not_taken_for_one() {
    let rig = Rig::new();
    let mut partial = rig.begin(1, &spec("a", 6));
    partial.write(0, b"abc").expect("in order");
    partial.detach().expect("safe");
    let part = rig.path(&part(&rig));
    fs::remove_file(&part).expect("removed");
    fs::write(rig.path("other"), "abcdef").expect("written");
    symlink(rig.path("other"), &part).expect("a link");
    let (mut partial, durable, _) = open(rig.store.attach(id(1), &spec("a", 6), attach(1, ALICE), day(0)));
    assert_eq!(durable, 0);
    partial.write(0, b"uvwxyz").expect("in order");
    partial.commit(6, digest(b"uvwxyz")).expect("whole");
    assert_eq!((rig.read("a"), rig.read("other")), (b"uvwxyz".to_vec(), b"abcdef".to_vec()));
}
