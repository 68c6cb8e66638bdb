//! What `--explain` reports at the end.

use crate::common::{Process, Relay, Signal, World, nobody};
use std::fs;

fn is_readable(text: &str) -> bool {
    text.lines().all(|line| line.chars().count() <= 80)
}

#[test]
fn a_send_over_a_link_that_was_cut_tells_the_life_of_both_connections() {
    let world = World::new();
    let server = world.serve(&[]);
    let relay = Relay::to(server.address());
    world.file("a.bin", 8_000_000);
    let args = ["send", "a.bin", &relay.url, "--json", "--limit-rate", "1500k", "--explain"];
    let mut sender = Process::start(&mut world.bowline(args));
    sender.middle();
    relay.cut();
    let done = sender.finish();
    assert_eq!(done.code, Some(0), "{done:?}");
    let mut rest = done.stderr.as_str();
    for words in [
        "\nWhat happened since the command started:\n\n",
        &format!("s  dials {}/\n", relay.url),
        "s  connection 1 is up\n",
        "s  connection 1 has ended: no close frame received or sent;",
        "s  connection 2 is up\n",
        "s  sent a.bin: 7.6 MiB in ",
        "s  connection 2 has ended: sent 1000 (OK); then received 1000 (OK)\n",
        "\nConnection 1, from ",
        "s on:\n\n      0.000 s  opened as the client;",
        "\nConnection 2, from ",
        "      0.000 s  opened as the client;",
        "s  we close with 1000",
    ] {
        let found = rest.find(words).unwrap_or_else(|| panic!("{words:?} in\n{rest}\nof\n{}", done.stderr));
        rest = &rest[found + words.len()..];
    }
    assert!(is_readable(&done.stderr), "{}", done.stderr);
    assert!(!done.stderr.contains("gives up"), "{}", done.stderr);
}

#[test]
fn a_fetch_that_fails_tells_what_was_tried_before_it_says_why() {
    let (address, _kept) = nobody();
    let world = World::new();
    let done = world.run(["fetch", &format!("ws://{address}/a"), "--give-up-after", "5s", "--explain", "-q"]);
    assert_eq!(done.code, Some(3), "{done:?}");
    let (story, error) = done.stderr.trim_end().rsplit_once('\n').expect("lines");
    assert!(error.starts_with("bowline: nothing is listening at "), "{done:?}");
    for words in [
        "s  dials ws://",
        "s  not reachable: nothing is listening at ",
        "s  waits for ",
        "s  gives up: never connected",
    ] {
        assert!(story.contains(words), "{words:?} in\n{story}");
    }
    assert!(!story.contains("Connection"), "{story}");
    assert!(is_readable(story), "{story}");
}

#[test]
#[cfg_attr(windows, ignore = "there are no signals")]
fn a_watch_tells_its_story_when_it_is_ended() {
    let world = World::new();
    let server = world.serve(&[]);
    let mut watch = Process::start(&mut world.bowline(["watch", &server.url, "--json", "--explain"]));
    watch.event(|event| event["state"] == "up");
    watch.signal(Signal::INT);
    let done = watch.finish();
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(done.stderr.starts_with("\nWhat happened since "), "{done:?}");
    assert!(
        done.stderr.contains("connection 1 is up") && done.stderr.contains("\nConnection 1, from"),
        "{done:?}"
    );
    assert!(is_readable(&done.stderr), "{}", done.stderr);
}

#[test]
fn a_story_is_told_only_on_request() {
    let world = World::new();
    let server = world.serve(&[]);
    world.file("a.bin", 1000);
    let done = world.run(["send", "a.bin", &server.url]);
    assert_eq!((done.code, done.stderr.lines().count()), (Some(0), 1), "{done:?}");
}

/// The value under this word in the tiles of a page.
fn tile<'a>(page: &'a str, name: &str) -> &'a str {
    let start = format!("<dt>{name}</dt><dd>");
    let (_, rest) = page.split_once(&start).unwrap_or_else(|| panic!("{name} in\n{page}"));
    rest.split('<').next().unwrap_or_default()
}

#[test]
fn a_page_tells_what_the_transfer_tells() {
    let world = World::new();
    let server = world.serve(&[]);
    let relay = Relay::to(server.address());
    world.file("a&b.bin", 8_000_000);
    let args = [
        "send",
        "a&b.bin",
        &relay.url,
        "--json",
        "--limit-rate",
        "1500k",
        "--report",
        "page.html",
        "--quiet",
    ];
    let mut sender = Process::start(&mut world.bowline(args));
    sender.middle();
    relay.cut();
    let told = sender.event(|event| event["event"] == "done");
    let done = sender.finish();
    assert_eq!((done.code, done.stderr.as_str()), (Some(0), ""), "{done:?}");
    let page = fs::read_to_string(world.path("page.html")).expect("it was written");
    assert!(page.contains("<title>bowline send: a&amp;b.bin</title>"), "{page}");
    assert!(page.contains("It took 2 connections: the link broke once"), "{page}");
    assert_eq!((tile(&page, "In one file"), tile(&page, "Connections")), ("7.6\u{a0}MiB", "2"));
    let resent = told["resent_bytes"].as_u64().expect("a number");
    let shown = if resent < 1024 {
        format!("{resent}\u{a0}B")
    } else {
        format!("{:.1}\u{a0}KiB", resent as f64 / 1024.0)
    };
    assert_eq!(tile(&page, "Crossed again"), shown);
    assert!(page.contains(told["blake3"].as_str().expect("a digest")), "{page}");
    let names = ["Throughput", "Window", "Chunk", "Round trip", "Control delay"];
    assert!(names.iter().all(|name| page.contains(&format!("<figcaption><b>{name}</b>"))), "{page}");
    assert!(!page.contains("<script"), "{page}");
    let left = fs::read_dir(world.path("")).expect("a folder").filter_map(Result::ok);
    let odd: Vec<_> = left.filter(|entry| entry.file_name().to_string_lossy().starts_with(".tmp")).collect();
    assert!(odd.is_empty(), "{odd:?}");
}

#[test]
fn a_fetch_that_fails_has_a_page_too() {
    let world = World::new();
    let server = world.serve(&[]);
    let url = format!("{}/nothing", server.url);
    let done = world.run(["fetch", &url, "--report", "page.html"]);
    assert_eq!(done.code, Some(1), "{done:?}");
    let page = fs::read_to_string(world.path("page.html")).expect("it was written");
    assert!(page.contains("Not everything has arrived: nothing: the server has no such file."), "{page}");
}

/// Through a link of its own, so that nothing else on the machine is in danger.
#[cfg(unix)]
#[test]
fn a_page_goes_to_stdout_where_its_place_leads_there() {
    let world = World::new();
    let server = world.serve(&[]);
    world.file("a.bin", 1000);
    std::os::unix::fs::symlink("/dev/fd/1", world.path("out")).expect("linked");
    for place in ["out", "-"] {
        let done = world.run(["send", "a.bin", &server.url, "--report", place]);
        assert_eq!(done.code, Some(0), "{done:?}");
        assert!(done.stdout.starts_with("<!") && done.stdout.ends_with("</html>\n"), "{done:?}");
    }
    assert!(!world.path("-").exists());
    assert!(world.path("out").is_symlink());
}

#[cfg(unix)]
#[test]
fn a_report_that_cannot_be_written_is_refused_before_anything_is_sent() {
    let world = World::new();
    let server = world.serve(&[]);
    world.file("a.bin", 1000);
    let _socket = std::os::unix::net::UnixListener::bind(world.path("socket")).expect("bound");
    let done = world.run(["send", "a.bin", &server.url, "--report", "socket"]);
    assert_eq!(done.code, Some(2), "{done:?}");
    assert_eq!(
        done.stderr,
        "bowline: socket: no report can be written there: it is a device, a pipe or a socket\n"
    );
    assert!(!world.path("inbox/a.bin").exists());
}
