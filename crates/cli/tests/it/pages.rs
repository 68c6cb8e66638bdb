//! Requests as browsers make them for pages: with the `Origin` of the page.

use crate::common::{Done, Signal, World};
use std::fs;

/// What a page would do whose script implements the protocol.
fn send_from(world: &World, url: &str, origin: &str) -> Done {
    world.run(["send", "a", url, "--header", &format!("Origin: {origin}")])
}

#[test]
#[cfg_attr(windows, ignore = "there are no signals")]
fn a_page_of_any_site_is_turned_away() {
    let world = World::new();
    world.file("a", 10);
    let server = world.serve(&["--log-level", "info"]);
    let refused = send_from(&world, &server.url, "https://evil.example");
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("403 Forbidden") && !world.path("inbox/a").exists(), "{refused:?}");
    let own = send_from(&world, &server.url, &server.url.replace("ws://", "http://"));
    assert_eq!(own.code, Some(0), "{own:?}");

    server.process.signal(Signal::INT);
    let told = server.process.finish().stderr;
    let turned_away = told.lines().filter(|line| line.contains("turned away")).collect::<Vec<_>>();
    assert_eq!(turned_away.len(), 2, "for people, and in the log: {told}");
    assert!(turned_away.iter().all(|line| line.contains("https://evil.example")), "{told}");
}

#[test]
fn pages_that_are_named_may_come() {
    let world = World::new();
    world.file("a", 10);
    let named = ["--allow-origin", "https://example.org", "--allow-origin", "http://127.0.0.1:8080"];
    fs::write(
        world.path("some.toml"),
        "[serve]\nallow-origin = [\"https://example.org\", \"http://127.0.0.1:8080\"]\n",
    )
    .expect("writable");
    for args in [&named[..], &["--config", "some.toml"]] {
        let server = world.serve(args);
        for (origin, code) in
            [("https://example.org", 0), ("http://127.0.0.1:8080", 0), ("https://evil.example", 1)]
        {
            let sent = send_from(&world, &server.url, origin);
            assert_eq!(sent.code, Some(code), "{origin}: {sent:?}");
        }
    }
    let server = world.serve(&["--allow-origin", "*"]);
    assert_eq!(send_from(&world, &server.url, "null").code, Some(0));
}

#[test]
fn an_invalid_origin_is_refused_at_the_start() {
    let world = World::new();
    for wrong in ["example.org", "null", "https://example.org/page"] {
        let done = world.run(["serve", "--check", "--allow-origin", wrong]);
        assert!(done.code == Some(2) && done.stderr.contains("origin"), "{wrong}: {done:?}");
    }
}
