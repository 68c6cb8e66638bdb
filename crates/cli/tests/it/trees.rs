//! Folders are sent and fetched with all their contents.

use crate::common::{Done, Process, Relay, Signal, World, bytes};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
#[cfg(unix)]
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

/// What is at a path: its bytes, or nothing for a folder; its mode; its time in milliseconds.
type Thing = (Option<Vec<u8>>, u32, u128);

/// The contents of a folder, without the store's own.
fn tree(dir: &Path) -> BTreeMap<String, Thing> {
    let mut things = BTreeMap::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display())) {
            let path = entry.expect("an entry").path();
            if path.ends_with(".bowline") {
                continue;
            }
            let meta = fs::symlink_metadata(&path).expect("it is there");
            let content = meta.is_file().then(|| fs::read(&path).expect("a file"));
            let name = path.strip_prefix(dir).expect("beneath").to_str().expect("UTF-8").to_owned();
            things.insert(name, (content, mode(&meta), time(&meta)));
            if meta.is_dir() {
                folders.push(path);
            }
        }
    }
    things
}

/// Its permissions, where the system has them.
fn mode(meta: &fs::Metadata) -> u32 {
    #[cfg(unix)]
    return meta.permissions().mode() & 0o777;
    #[cfg(not(unix))]
    return u32::from(meta.permissions().readonly());
}

fn time(meta: &fs::Metadata) -> u128 {
    let since = meta.modified().map(|time| time.duration_since(UNIX_EPOCH).expect("after 1970"));
    since.expect("the system knows").as_millis()
}

/// Names and bytes only.
fn content(dir: &Path) -> BTreeMap<String, Option<Vec<u8>>> {
    tree(dir).into_iter().map(|(name, (bytes, ..))| (name, bytes)).collect()
}

/// A folder with things that are awkward in folders.
fn photos(world: &World) {
    for (name, len) in [
        ("photos/2026/beach 1.jpg", 3000),
        ("photos/2026/día 🏖/文件.bin", 70_000),
        ("photos/2026/nothing", 0),
        ("photos/2026-x", 1),
        ("photos/.hidden", 65_536),
        ("photos/a/b/c/d/e/f/deep", 1_500_000),
    ] {
        world.file(name, len);
    }
    for empty in ["photos/empty", "photos/a/b/also empty/and in it"] {
        fs::create_dir_all(world.path(empty)).expect("made");
    }
}

/// Gives everything a mode and a time of its own, contents first.
fn dress(dir: &Path) {
    let names: Vec<_> = tree(dir).into_keys().collect();
    for (n, name) in names.iter().rev().map(|name| dir.join(name)).chain([dir.to_owned()]).enumerate() {
        let n = n as u64;
        #[cfg(unix)]
        {
            let mode = if name.is_dir() { 0o750 | (n % 2) } else { 0o600 | (n % 5) };
            fs::set_permissions(&name, fs::Permissions::from_mode(mode as u32)).expect("ours");
        }
        let time = UNIX_EPOCH + Duration::from_millis(1_500_000_000_123 + 1000 * n);
        #[cfg(unix)]
        let file = fs::File::open(&name).expect("it is there");
        // Times of folders are not set there.
        #[cfg(not(unix))]
        let Ok(file) = fs::File::options().write(true).open(&name) else { continue };
        file.set_modified(time).expect("a time");
    }
}

#[cfg(unix)]
fn events(done: &Done, event: &str) -> Vec<Value> {
    let all = done.stdout.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    all.filter(|line| line["event"] == event).collect()
}

/// The last line.
fn summary(done: &Done) -> Value {
    let summary: Value = serde_json::from_str(done.stdout.lines().last().expect("a line")).expect("JSON");
    assert_eq!(summary["event"], "summary", "{done:?}");
    summary
}

#[cfg(unix)]
#[test]
fn a_folder_goes_there_and_back_as_it_was() {
    let world = World::new();
    photos(&world);
    dress(&world.path("photos"));
    let server = world.serve(&[]);
    let sent = world.run(["send", "--json", "--preserve", "photos", &server.url]);
    assert_eq!(sent.code, Some(0), "{sent:?}");
    let was = tree(&world.path("photos"));
    assert!(was == tree(&world.path("inbox/photos")), "{:?}", tree(&world.path("inbox/photos")).keys());
    let top = |path: &str| {
        let meta = fs::metadata(world.path(path)).expect("a folder");
        (mode(&meta), time(&meta))
    };
    assert_eq!(top("photos"), top("inbox/photos"));
    let summary = summary(&sent);
    let folders = was.values().filter(|(bytes, ..)| bytes.is_none()).count() + 1;
    assert_eq!((summary["files"].as_u64(), summary["folders"].as_u64()), (Some(6), Some(folders as u64)));
    assert_eq!(events(&sent, "done").len(), 6 + folders);

    let fetched = world.run(["fetch", "--preserve", &format!("{}/photos", server.url), "-o", "back"]);
    assert_eq!(fetched.code, Some(0), "{fetched:?}");
    assert!(was == tree(&world.path("back")), "{:?}", tree(&world.path("back")));
    assert_eq!(top("photos"), top("back"));
    assert!(
        fetched.stderr.contains(&format!("fetched 6 files, 1.6 MiB, {folders} folders, ")),
        "{fetched:?}"
    );
    assert!(!world.path("back/.bowline").exists(), "nothing is left over");
}

#[test]
fn everything_goes_into_a_folder_of_the_server() {
    let world = World::new();
    photos(&world);
    fs::write(world.path("plan.txt"), "a plan").expect("written");
    let server = world.serve(&[]);
    for _ in 0..2 {
        let sent = world.run(["send", "photos", "plan.txt", &server.url, "--into", "2026/november"]);
        assert_eq!(sent.code, Some(0), "{sent:?}");
    }
    let names = |path: &str| tree(&world.path(path)).into_keys().collect::<Vec<_>>();
    assert_eq!(names("photos"), names("inbox/2026/november/photos"));
    assert_eq!(fs::read_to_string(world.path("inbox/2026/november/plan.txt")).expect("there"), "a plan");
    assert!(names("inbox").iter().all(|name| name.starts_with("2026") || name.starts_with(".bowline")));

    let refused = world.run(["send", "plan.txt", &server.url, "--into", "../november"]);
    assert_eq!(refused.code, Some(2), "{refused:?}");
    let why = "nothing can be sent into ../november: a part of the name is '.' or '..'";
    assert!(refused.stderr.contains(why), "{refused:?}");
}

#[test]
fn files_keep_only_their_times_without_the_option() {
    let world = World::new();
    photos(&world);
    dress(&world.path("photos"));
    let server = world.serve(&[]);
    let sent = world.run(["send", "photos", &server.url]);
    assert_eq!(sent.code, Some(0), "{sent:?}");
    fs::write(world.path("ordinary"), "").expect("written");
    let ordinary = mode(&fs::metadata(world.path("ordinary")).expect("there"));
    let (was, is) = (tree(&world.path("photos")), tree(&world.path("inbox/photos")));
    assert_eq!(was.len(), is.len());
    for ((name, was), (_, is)) in was.iter().zip(&is) {
        assert!(was.0 == is.0, "{name}");
        if is.0.is_some() {
            assert_eq!((is.1, is.2), (ordinary, was.2), "{name}");
        } else {
            assert_ne!(is.2, was.2, "{name}");
        }
    }
}

#[test]
fn a_folder_can_be_given_by_any_path_and_sent_beside_files() {
    let world = World::new();
    photos(&world);
    world.file("a", 100);
    let server = world.serve(&[]);
    for way in ["photos/", "./photos/../photos", "photos/2026/.."] {
        let sent = world.run(["send", "a", way, &server.url]);
        assert_eq!(sent.code, Some(0), "{way}: {sent:?}");
    }
    assert!(content(&world.path("photos")) == content(&world.path("inbox/photos")));
    assert!(world.inbox("a") == bytes("a", 100));
}

#[test]
fn a_thousand_small_files_arrive_and_the_second_time_they_are_there() {
    let world = World::new();
    for n in 0..1000 {
        world.file(&format!("many/{}/{n}", n % 20), 1 + n % 700);
    }
    let server = world.serve(&[]);
    for there in [0, 1000] {
        let sent = world.run(["send", "--json", "many", &server.url]);
        assert_eq!(sent.code, Some(0), "{sent:?}");
        let summary = summary(&sent);
        assert_eq!((summary["files"].as_u64(), summary["folders"].as_u64()), (Some(1000), Some(21)));
        assert_eq!((summary["already_there"].as_u64(), summary["failed"].as_u64()), (Some(there), Some(0)));
    }
    assert!(content(&world.path("many")) == content(&world.path("inbox/many")));
    let fetched = world.run(["fetch", "--json", &format!("{}/many", server.url), "-o", "back"]);
    assert_eq!(fetched.code, Some(0), "{fetched:?}");
    assert!(content(&world.path("many")) == content(&world.path("back")));
    assert_eq!(summary(&fetched)["files"], 1000);
    // A sender stores a secret, and nothing of what it has sent; a fetch stores the place of the folder.
    let kept: Vec<_> = fs::read_dir(world.path("state")).expect("a folder").collect();
    assert!(kept.len() <= 3, "{kept:?}");
    assert_eq!(fs::read_to_string(world.path("state/folders")).expect("text").lines().count(), 1);
}

/// Twelve files of 1 MB.
fn album(world: &World, dir: &str) {
    for n in 0..12 {
        world.file(&format!("{dir}/{}/{n}", n % 3), 1_000_000);
    }
}

/// Reads until this many files are done, and kills the process.
fn kill_after(mut process: Process, files: usize) {
    for _ in 0..files {
        process.event(|event| event["event"] == "done" && event["bytes"] == 1_000_000);
    }
    process.kill();
}

/// Not much of the 12 MB is moved twice. What has arrived and is not safe is moved again, and on an overloaded machine
/// that may be everything under way. One run of a few is enough.
fn assert_little_is_moved_twice(run: impl Fn() -> (u64, u64)) {
    let mut runs = Vec::new();
    for _ in 0..4 {
        let (before, again) = run();
        if before + again < 15_000_000 {
            return;
        }
        runs.push((before, again));
    }
    panic!("before and again: {runs:?}");
}

#[test]
fn a_sender_that_was_killed_goes_on_with_what_is_missing() {
    assert_little_is_moved_twice(|| {
        let world = World::new();
        album(&world, "album");
        let server = world.serve(&[]);
        let relay = Relay::to(server.address());
        let args = ["send", "--json", "--limit-rate", "4M", "album", &relay.url];
        kill_after(Process::start(&mut world.bowline(args)), 3);
        let before = relay.up();
        let sent = world.run(["send", "--json", "album", &relay.url]);
        assert_eq!(sent.code, Some(0), "{sent:?}");
        assert!(content(&world.path("album")) == content(&world.path("inbox/album")));
        let again = relay.up();
        assert!(summary(&sent)["already_there"].as_u64() >= Some(3), "{sent:?}");
        (before, again)
    });
}

#[test]
fn a_fetch_that_was_killed_goes_on_with_what_is_missing() {
    assert_little_is_moved_twice(|| {
        let world = World::new();
        album(&world, "inbox/album");
        let server = world.serve(&[]);
        let relay = Relay::to(server.address());
        let url = format!("{}/album", relay.url);
        kill_after(Process::start(&mut world.bowline(["fetch", "--json", "--limit-rate", "4M", &url])), 3);
        let before = relay.down();
        let fetched = world.run(["fetch", "--json", &url]);
        assert_eq!(fetched.code, Some(0), "{fetched:?}");
        assert!(content(&world.path("inbox/album")) == content(&world.path("album")));
        let again = relay.down();
        assert!(!world.path("album/.bowline").exists(), "nothing is left over");
        (before, again)
    });
}

#[test]
#[cfg_attr(windows, ignore = "there are no signals")]
fn a_file_that_changed_in_between_arrives_as_it_is_in_the_end() {
    let world = World::new();
    album(&world, "album");
    let server = world.serve(&[]);
    let relay = Relay::to(server.address());
    let args = ["send", "--json", "--limit-rate", "4M", "album", &relay.url];
    kill_after(Process::start(&mut world.bowline(args)), 1);
    // What was on its way has arrived, or never will.
    server.process.signal(Signal::TERM);
    server.process.finish();
    // What had not arrived is another file now, of the same length.
    let arrived = content(&world.path("inbox/album"));
    for (name, bytes) in content(&world.path("album")) {
        if bytes.is_some() && !arrived.contains_key(&name) {
            fs::write(world.path("album").join(&name), crate::common::bytes("changed", 1_000_000))
                .expect("ours");
        }
    }
    let server = world.serve(&[]);
    relay.lead_to(server.address());
    let sent = world.run(["send", "album", &relay.url]);
    assert_eq!(sent.code, Some(0), "{sent:?}");
    assert!(content(&world.path("album")) == content(&world.path("inbox/album")));
}

#[cfg(unix)]
#[test]
fn unsafe_names_are_reported_and_do_not_hold_up_other_files() {
    let world = World::new();
    photos(&world);
    world.file("photos/2026/what?", 10);
    world.file("photos/nul.txt", 10);
    world.file("photos/bad:folder/fine", 10);
    let server = world.serve(&[]);
    let sent = world.run(["send", "--json", "photos", &server.url]);
    assert_eq!(sent.code, Some(1), "{sent:?}");
    for bad in [
        "photos/2026/what?: the name holds the character '?'; rename it",
        "photos/nul.txt: ",
        "photos/bad:folder: ",
    ] {
        assert!(sent.stderr.contains(bad), "{bad}: {sent:?}");
    }
    assert_eq!(events(&sent, "failed").len(), 3, "{sent:?}");
    let mut expected = content(&world.path("photos"));
    expected.retain(|name, _| !name.contains(['?', ':']) && name != "nul.txt");
    assert!(expected == content(&world.path("inbox/photos")));
    assert_eq!(summary(&sent)["failed"], 3);

    world.file("inbox/photos/what?", 10);
    let fetched = world.run(["fetch", &format!("{}/photos", server.url), "-o", "back"]);
    assert_eq!(fetched.code, Some(1), "{fetched:?}");
    assert!(
        fetched.stderr.contains("photos: not readable there, or with names that are not safe: 1\n"),
        "{fetched:?}"
    );
    assert!(expected == content(&world.path("back")));
}

#[cfg(unix)]
#[test]
fn links_are_left_out_and_reported_and_never_followed() {
    let world = World::new();
    photos(&world);
    world.file("secret/key", 10);
    symlink(world.path("secret"), world.path("photos/folder link")).expect("linked");
    symlink(world.path("secret/key"), world.path("photos/2026/file link")).expect("linked");
    symlink("nowhere", world.path("photos/dangling")).expect("linked");
    let _socket = std::os::unix::net::UnixListener::bind(world.path("photos/socket")).expect("bound");
    let server = world.serve(&[]);
    let sent = world.run(["send", "photos", &server.url]);
    assert_eq!(sent.code, Some(0), "{sent:?}");
    for (name, why) in [
        ("folder link", "a symbolic link"),
        ("2026/file link", "a symbolic link"),
        ("dangling", "a symbolic link"),
        ("socket", "neither a file nor a folder"),
    ] {
        assert!(sent.stderr.contains(&format!("left out: photos/{name}: {why}\n")), "{name}: {sent:?}");
        assert!(fs::symlink_metadata(world.path("inbox/photos").join(name)).is_err(), "{name}");
    }
    assert!(sent.stderr.contains("4 left out"), "{sent:?}");

    symlink(world.path("secret"), world.path("inbox/photos/link")).expect("linked");
    let fetched = world.run(["fetch", &format!("{}/photos", server.url), "-o", "back"]);
    assert_eq!(fetched.code, Some(0), "{fetched:?}");
    assert!(fetched.stderr.contains("left out: photos: links and devices in it: 1\n"), "{fetched:?}");
    assert!(!world.path("back/link").exists());
    let through = world.run(["fetch", &format!("{}/photos/link/key", server.url)]);
    assert_eq!(through.code, Some(1), "{through:?}");
}

#[test]
fn a_file_that_is_in_the_way_is_named_and_the_others_come() {
    let world = World::new();
    photos(&world);
    world.file("inbox/photos/2026/beach 1.jpg", 3000);
    world.file("inbox/photos/a", 5);
    let server = world.serve(&[]);
    let sent = world.run(["send", "photos", &server.url]);
    assert_eq!(sent.code, Some(1), "{sent:?}");
    assert!(
        sent.stderr.contains("photos/2026/beach 1.jpg: the server has another file of that name"),
        "{sent:?}"
    );
    assert!(sent.stderr.contains("photos/a/b/c/d/e/f/deep: "), "{sent:?}");
    assert!(world.inbox("photos/.hidden") == bytes("photos/.hidden", 65_536));
    assert!(world.inbox("photos/a") == bytes("inbox/photos/a", 5));
}

#[test]
fn a_file_that_vanishes_before_its_turn_is_named_and_the_others_come() {
    let world = World::new();
    for n in 0..60 {
        world.file(&format!("inbox/album/{n:02}"), 100_000);
    }
    let server = world.serve(&[]);
    let url = format!("{}/album", server.url);
    let mut fetch = Process::start(&mut world.bowline(["fetch", "--json", "--limit-rate", "1M", &url]));
    fetch.event(|event| event["event"] == "done");
    // No more than 32 of this size are requested at once.
    fs::remove_file(world.path("inbox/album/58")).expect("it was there");
    fs::remove_file(world.path("inbox/album/59")).expect("it was there");
    fs::create_dir(world.path("inbox/album/59")).expect("made");
    let mut failed = [0, 1].map(|_| fetch.event(|event| event["event"] == "failed")["name"].clone());
    failed.sort_by_key(ToString::to_string);
    assert_eq!(failed, ["album/58", "album/59"]);
    let done = fetch.finish();
    assert_eq!(done.code, Some(1), "{done:?}");
    assert!(done.stderr.contains("album/58: the server has no such file"), "{done:?}");
    assert!(done.stderr.contains("album/59: it has become a folder"), "{done:?}");
    fs::remove_dir(world.path("inbox/album/59")).expect("empty");
    assert!(content(&world.path("inbox/album")) == content(&world.path("album")));
}

#[test]
fn a_folder_without_a_place_here_fails_with_all_its_contents() {
    let world = World::new();
    world.file("inbox/album/a", 10);
    world.file("inbox/album/b/c", 10);
    world.file("back", 10);
    let server = world.serve(&[]);
    let fetched = world.run(["fetch", &format!("{}/album/", server.url), "-o", "back"]);
    assert_eq!(fetched.code, Some(1), "{fetched:?}");
    for words in ["back is not a folder; choose another place with -o\n", "4 of 4 files and folders failed"] {
        assert!(fetched.stderr.contains(words), "{fetched:?}");
    }
}

#[test]
fn a_server_that_is_not_there_fails_a_folder_too() {
    let world = World::new();
    photos(&world);
    let sent = world.run(["send", "--give-up-after", "1s", "photos", "ws://127.0.0.1:1"]);
    assert_eq!(sent.code, Some(3), "{sent:?}");
    let fetched = world.run(["fetch", "--give-up-after", "1s", "ws://127.0.0.1:1/photos"]);
    assert_eq!(fetched.code, Some(3), "{fetched:?}");
}

#[test]
fn a_server_reports_which_files_belong_together() {
    let world = World::new();
    world.file("pair/a", 10);
    world.file("pair/b", 20);
    let mut server = world.serve(&["--json"]);
    assert_eq!(world.run(["send", "pair", &server.url]).code, Some(0));
    let received: Vec<_> =
        (0..3).map(|_| server.process.event(|event| event["event"] == "received")).collect();
    assert!(
        received.iter().all(|event| event["batch"] == received[0]["batch"] && event["batch"].is_string())
    );
    let mut order: Vec<_> = received.iter().map(|event| event["index"].as_u64()).collect();
    order.sort_unstable();
    assert_eq!(order, [Some(0), Some(1), Some(2)]);
    // The folder comes last, when everything has been counted.
    assert_eq!((&received[2]["name"], &received[2]["folder"]), (&"pair".into(), &true.into()));
    assert_eq!(received[2]["count"], 3);
}

#[test]
fn a_server_that_dies_in_the_middle_of_a_folder_is_waited_for() {
    let world = World::new();
    album(&world, "album");
    let server = world.serve(&[]);
    let relay = Relay::to(server.address());
    let args = ["send", "--json", "--limit-rate", "4M", "album", &relay.url];
    let mut sender = Process::start(&mut world.bowline(args));
    sender.event(|event| event["event"] == "done");
    server.process.kill();
    let server = world.serve(&[]);
    relay.lead_to(server.address());
    let sent = sender.finish();
    assert_eq!(sent.code, Some(0), "{sent:?}");
    assert!(content(&world.path("album")) == content(&world.path("inbox/album")));
    assert_eq!(summary(&sent)["files"], 12);
}
