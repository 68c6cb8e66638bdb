//! What permissions forbid, to a server and to a client.

use crate::common::{Process, World, heed_permissions};
use crate::refusals::complaint;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

#[test]
fn a_folder_that_takes_no_files_is_refused_unless_none_are_to_be_sent() {
    if !heed_permissions() {
        return;
    }
    let world = World::new();
    world.file("inbox/a", 10);
    let forbid = |mode| {
        fs::set_permissions(world.path("inbox"), fs::Permissions::from_mode(mode)).expect("ours");
    };
    forbid(0o555);
    let refused = "bowline: inbox: nobody can send files there: Permission denied (os error 13); change its owner or its mode, \
                   choose another --dir, or serve with --read-only\n";
    for words in [&[][..], &["--check"]] {
        let serve = ["serve", "--listen", "127.0.0.1:0", "--dir", "inbox"];
        let done = world.run(serve.iter().chain(words));
        assert_eq!((done.code, &*done.stderr), (Some(1), refused));
        let done = world.run(["serve", "--listen", "127.0.0.1:0", "--dir", "inbox/new"].iter().chain(words));
        assert!(done.stderr.starts_with("bowline: inbox/new: cannot be made: Permission denied"), "{done:?}");
    }
    let server = world.serve(&["--read-only"]);
    let fetched = world.run(["fetch", &format!("{}/a", server.url), "-o", "back"]);
    assert_eq!(fetched.code, Some(0), "{fetched:?}");
    let check = ["serve", "--check", "--dir", "inbox", "--read-only"];
    assert_eq!(world.run(check).code, Some(0));
    forbid(0o755);
}

#[test]
fn a_lack_of_permission_is_reported_with_the_file_or_folder_concerned() {
    if !heed_permissions() {
        return;
    }
    let world = World::new();
    let forbid = |names: &[&str], mode| {
        for name in names {
            fs::set_permissions(world.path(name), fs::Permissions::from_mode(mode)).expect("ours");
        }
    };
    for name in [
        "a",
        "b",
        "inbox/secret",
        "inbox/hidden/c",
        "inbox/locked/d",
        "inbox/tree/sub/e",
        "copy/sub/f",
        "bare/g",
        "outer/inner/locked/i",
        "outer/inner/hidden/h",
    ] {
        world.file(name, 100);
    }
    forbid(&["b", "inbox/secret", "inbox/hidden", "outer/inner/hidden"], 0o000);
    forbid(&["inbox/locked", "copy/sub", "bare", "outer/inner/locked"], 0o555);
    let server = world.serve(&[]);
    let denied = "Permission denied (os error 13)";
    let itself = format!(
        "not permitted; check its owner and its mode, and those of the folders that it is in ({denied})"
    );
    let within = |folder: &str| {
        format!("not permitted in the folder {folder}; check its owner and its mode ({denied})")
    };
    let send = |words: &[&str]| world.run(["send"].iter().chain(words).chain(&[&*server.url]));
    // A client that may only list a folder is told nothing about the path to it.
    fs::write(world.path("who"), "alice eins folder=inner\n").expect("ours");
    let inner = ["serve", "--listen", "127.0.0.1:0", "--dir", "outer", "--tokens", "who"];
    let mut inner = Process::start(&mut world.bowline(inner));
    let url = inner
        .line()
        .and_then(|line| Some(line.strip_prefix("listening on ")?.to_owned()))
        .expect("it listens");
    let sent = world.run(["send", "a", &url, "--token", "eins", "--into", "locked"]);
    assert_eq!(complaint(&sent, 1), format!("locked/a: the other side says: {}", within("locked")));
    let fetched = world.run(["fetch", &format!("{url}/hidden/h"), "--token", "eins"]);
    assert_eq!(complaint(&fetched, 1), format!("hidden/h: the other side says: {}", within("hidden")));
    forbid(&["outer/inner"], 0o555);
    let sent = world.run(["send", "a", &url, "--token", "eins"]);
    assert_eq!(complaint(&sent, 1), format!("a: the other side says: {}", within("that all files are in")));

    assert_eq!(complaint(&send(&["b"]), 1), format!("b: {itself}"));
    let sent = send(&["a", "--into", "locked"]);
    assert_eq!(complaint(&sent, 1), format!("locked/a: the other side says: {}", within("locked")));
    let sent = send(&["a", "--into", "locked/new"]);
    assert_eq!(complaint(&sent, 1), format!("locked/new/a: the other side says: {}", within("locked")));
    let fetch =
        |name: &str, place: &str| world.run(["fetch", &format!("{}/{name}", server.url), "-o", place]);
    assert_eq!(complaint(&fetch("secret", "back"), 1), format!("secret: the other side says: {itself}"));
    for name in ["hidden", "hidden/c"] {
        assert_eq!(
            complaint(&fetch(name, "back"), 1),
            format!("{name}: the other side says: {}", within("hidden"))
        );
    }
    let done = fetch("tree/", "copy");
    assert!(done.stderr.contains(&format!("tree/sub/e: here: {}\n", within("sub"))), "{done:?}");
    let bare = world.path("bare").canonicalize().expect("it is there");
    let said =
        format!("{}: nothing can be put there: {denied}; choose another place with -o", bare.display());
    assert_eq!(complaint(&fetch("locked/d", "bare/"), 1), said);
    let names = [
        "inbox/hidden",
        "inbox/locked",
        "copy/sub",
        "bare",
        "outer/inner",
        "outer/inner/hidden",
        "outer/inner/locked",
    ];
    forbid(&names, 0o755);
}
