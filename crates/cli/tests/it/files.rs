//! Files arrive as they were sent.

use crate::common::{World, bytes};
use serde_json::Value;
use std::fs;

/// Sizes around the boundaries of groups, chunks and frames.
const SIZES: [usize; 9] = [0, 1, 1000, 65_535, 65_536, 65_537, 131_072, 1_048_577, 5_000_011];

#[test]
fn files_of_awkward_sizes_and_names_go_there_and_back() {
    let world = World::new();
    let server = world.serve(&[]);
    let names =
        ["a", "two words.txt", "文件.bin", "🚀 🏖.tar.gz", ".hidden", "50%.x", "#1", "é", "x'y\u{200d}"];
    let files: Vec<_> = names.iter().zip(SIZES).map(|(name, len)| world.file(name, len)).collect();

    let sent = world.run(std::iter::once("send".into()).chain(files).chain([server.url.clone().into()]));
    assert_eq!(sent.code, Some(0), "{sent:?}");
    for (name, len) in names.into_iter().zip(SIZES) {
        assert!(world.inbox(name) == bytes(name, len), "{name}");
    }
    for (name, len) in names.into_iter().zip(SIZES) {
        let fetched =
            world.run(["fetch", &format!("{}/{}", server.url, encoded(name)), "-o", "back", "--overwrite"]);
        assert_eq!(fetched.code, Some(0), "{name}: {fetched:?}");
        assert!(fs::read(world.path("back")).expect("it is there") == bytes(name, len), "{name}");
    }
}

/// As strict as a browser.
fn encoded(name: &str) -> String {
    name.bytes()
        .map(
            |byte| {
                if byte.is_ascii_alphanumeric() { char::from(byte).into() } else { format!("%{byte:02X}") }
            },
        )
        .collect()
}

#[test]
fn a_name_with_folders_is_fetched_under_its_last_part() {
    let world = World::new();
    world.file("inbox/holiday/2026/beach 1.jpg", 3000);
    let server = world.serve(&[]);
    let fetched = world.run(["fetch", &format!("{}/holiday/2026/beach%201.jpg", server.url)]);
    assert_eq!(fetched.code, Some(0), "{fetched:?}");
    assert!(
        fs::read(world.path("beach 1.jpg")).expect("it is there") == world.inbox("holiday/2026/beach 1.jpg")
    );
}

#[test]
fn more_files_than_are_sent_at_once_all_arrive() {
    let world = World::new();
    let server = world.serve(&[]);
    let names: Vec<_> = (0..100).map(|n| format!("file {n}")).collect();
    let files: Vec<_> = names.iter().map(|name| world.file(name, name.len() * 500)).collect();
    let sent = world
        .run(["send".into(), "--json".into()].into_iter().chain(files).chain([server.url.clone().into()]));
    assert_eq!(sent.code, Some(0), "{sent:?}");
    assert_eq!(sent.stdout.matches("{\"event\":\"done\"").count(), 100);
    for name in names {
        assert!(world.inbox(&name) == bytes(&name, name.len() * 500), "{name}");
    }
}

#[test]
fn the_last_line_about_a_file_has_the_agreed_shape() {
    let world = World::new();
    let server = world.serve(&[]);
    world.file("a \"b\"".replace('"', "'").as_str(), 1234);
    for (verb, args) in
        [("send", ["a 'b'", &server.url]), ("fetch", ["-oback", &format!("{}/a%20'b'", server.url)])]
    {
        let done = world.run(["--json", verb].iter().rev().chain(&args));
        assert_eq!(done.code, Some(0), "{done:?}");
        assert!(done.stderr.is_empty(), "{done:?}");
        let line = done.stdout.lines().last().expect("a line");
        let seconds: Value = serde_json::from_str(line).expect("JSON");
        let digest = blake3::hash(&bytes("a 'b'", 1234)).to_hex();
        let expected = format!(
            "{{\"event\":\"done\",\"name\":\"a 'b'\",\"bytes\":1234,\"seconds\":{},\"blake3\":\"{digest}\",\
             \"links\":1,\"resent_bytes\":0,",
            seconds["seconds"]
        );
        assert!(line.starts_with(&expected), "{line}");
    }
}

#[test]
fn a_file_that_is_there_already_is_done_at_once() {
    let world = World::new();
    let server = world.serve(&[]);
    world.file("big", 2_000_000);
    let send = ["send", "--json", "big", &server.url];
    for (again, there) in [(false, false), (true, true)] {
        let done = world.run(send);
        assert_eq!(done.code, Some(0), "{done:?}");
        let line: Value = serde_json::from_str(done.stdout.lines().last().expect("a line")).expect("JSON");
        assert_eq!(line["already_there"], there, "again: {again}");
    }
    // Another user's transfer of the same file is another transfer, but the same file.
    let mut other = world.bowline(send);
    let done = crate::common::Process::start(other.env("BOWLINE_STATE_DIR", world.path("other"))).finish();
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(done.stdout.contains("\"already_there\":true"), "{done:?}");
}

#[test]
fn an_inbox_that_may_be_overwritten_takes_the_new_file() {
    let world = World::new();
    world.file("inbox/a", 500);
    world.file("a", 70_000);
    let server = world.serve(&["--overwrite"]);
    let sent = world.run(["send", "a", &server.url]);
    assert_eq!(sent.code, Some(0), "{sent:?}");
    assert!(world.inbox("a") == bytes("a", 70_000));
}

#[test]
fn a_server_tells_programs_what_happens() {
    let world = World::new();
    let mut server = world.serve(&["--json"]);
    world.file("a", 10);
    assert_eq!(world.run(["send", "a", &server.url]).code, Some(0));
    server.process.event(|event| event["event"] == "connected");
    let received = server.process.event(|event| event["event"] == "received");
    assert_eq!((received["name"].as_str(), received["bytes"].as_u64()), (Some("a"), Some(10)));
    server.process.event(|event| event["event"] == "disconnected");
}

#[test]
fn a_fetch_says_where_it_has_put_the_file() {
    let world = World::new();
    for name in ["a", "d/b", "d/e/c"] {
        world.file(&format!("inbox/{name}"), 100);
    }
    let server = world.serve(&[]);
    for (name, words, said) in [
        ("a", &[][..], "fetched a: 100 B "),
        ("a", &["-o", "back"], "fetched a as back: 100 B "),
        ("a", &["-o", "back"], "already there: a as back (100 B)"),
        ("a", &["-o", "new/"], "fetched a as new/a: 100 B "),
        ("a", &["-o", "new/"], "already there: a as new/a (100 B)"),
        ("d/b", &[], "fetched d/b as b: 100 B "),
        ("d/", &[], "fetched 2 files, 200 B, 2 folders, in "),
        ("d", &["-o", "copy/"], "fetched 2 files, 200 B, 2 folders, into copy/, in "),
        ("d/e/", &["-o", "."], "fetched 1 file, 100 B, 1 folder, in "),
    ] {
        let fetched = world.run(["fetch", &format!("{}/{name}", server.url)].iter().chain(words));
        assert!(fetched.code == Some(0) && fetched.stderr.contains(said), "{name} {words:?}: {fetched:?}");
    }
    for name in ["a", "back", "new/a"] {
        assert!(fs::read(world.path(name)).expect(name) == bytes("inbox/a", 100), "{name}");
    }
    for name in ["d/b", "copy/b", "b"] {
        assert!(fs::read(world.path(name)).expect(name) == bytes("inbox/d/b", 100), "{name}");
    }
    assert!(fs::read(world.path("c")).expect("c") == bytes("inbox/d/e/c", 100));
}

#[test]
fn a_place_that_a_fetch_cannot_have_is_refused() {
    let world = World::new();
    world.file("inbox/a", 100);
    world.file("file", 1);
    let server = world.serve(&[]);
    let fetch =
        |name: &str, place: &str| world.run(["fetch", &format!("{}/{name}", server.url), "-o", place]);
    let done = fetch("a", "-");
    assert!(done.code == Some(2) && done.stderr.contains("does not write to stdout"), "{done:?}");
    assert_eq!(fetch("a", "./-").code, Some(0));
    let done = fetch("a", "file/");
    assert_eq!(
        (done.code, &*done.stderr),
        (Some(1), "bowline: file/: it is not a folder; choose another place with -o\n")
    );
    let done = fetch("a", "file/a");
    let said = "file: it is not a folder; choose another place with -o\n";
    assert!(done.code == Some(1) && done.stderr.ends_with(said), "{done:?}");
    let done = fetch("a", "none/new/");
    assert!(
        done.code == Some(1) && done.stderr.starts_with("bowline: none/new/: cannot be made: "),
        "{done:?}"
    );
    // Nothing is left of what did not exist, not even a folder for it.
    assert_eq!(fetch("nothing", "new/").code, Some(1));
    assert!(!world.path("new").exists());
}

#[test]
fn a_path_after_a_server_is_not_silently_taken_for_a_folder() {
    let world = World::new();
    world.file("a", 100);
    let server = world.serve(&[]);
    let url = format!("{}/some/path", server.url);
    let note = "the path in the URL leads to the server, and is not a folder for the files; use --into some/path for that\n";
    let sent = world.run(["send", "a", &url]);
    assert!(sent.code == Some(0) && sent.stderr.starts_with(note), "{sent:?}");
    assert!(world.inbox("a") == bytes("a", 100));
    // A user who follows the advice, or wants no output, does not see it again.
    for words in [&["--into", "some/path"][..], &["--quiet"], &["--json"]] {
        let sent = world.run(["send", "a", &url].iter().chain(words));
        assert!(sent.code == Some(0) && !sent.stderr.contains("path in the URL"), "{sent:?}");
    }
    assert!(world.inbox("some/path/a") == bytes("a", 100));
}
