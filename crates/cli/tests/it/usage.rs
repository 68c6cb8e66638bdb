//! Wrong usage is reported before anything is sent.

use crate::common::World;
use std::fs;

#[test]
fn wrong_usage_ends_with_2_and_sends_nothing() {
    let world = World::new();
    let server = world.serve(&[]);
    world.file("x/a", 10);
    world.file("y/a", 10);
    for name in ["-dash", "--dash"] {
        world.file(name, 10);
    }
    let name_less = format!("{}/", server.url);
    let lone_url = format!("no file is named; type bowline send FILE {}/", server.url);
    let url_first = format!("the URL comes last; type bowline send x/a {}/", server.url);
    let name = format!("{}/a", server.url);
    let two = format!("{}/ and ws://127.0.0.1:1/ are two servers; send to one after the other", server.url);
    let cases: &[(&[&str], &str)] = &[
        (&["send", "x/a", "y/a", &server.url], "would get the same name"),
        (&["send", "/", &server.url], "ends without one"),
        (&["send", "x/a", "y/a"], "is not a URL"),
        (&["send", "x/a", "http://127.0.0.1:1"], "http"),
        (&["send", &server.url], &lone_url),
        (&["send", "x/a"], "no server is named; type bowline send x/a ws://HOST:PORT"),
        (
            &["send", "x/a", "b", "--preserve"],
            "b is not a URL; the last word must be the server: ws://HOST:PORT",
        ),
        (&["send", "x/a", "127.0.0.1:1"], "127.0.0.1:1 is not a URL; write ws://127.0.0.1:1"),
        (
            &["send", "x/a", "ann:s3cret@127.0.0.1:1"],
            "bowline: 127.0.0.1:1 is not a URL; write ws://127.0.0.1:1",
        ),
        (&["send", "x/a", "ann:s3cret@h"], "bowline: h is not a URL; the last word must be the server"),
        (&["send", "x/a", "a@b.jpg"], "bowline: a@b.jpg is not a URL; the last word must be the server"),
        (&["send", &server.url, "x/a"], &url_first),
        (&["send", &server.url, "x/a", "y/b"], "the URL comes last; type bowline send FILE... ws://"),
        (&["send", "x/a", &server.url, "ws://127.0.0.1:1"], &two),
        (&["send", &server.url, "ws://127.0.0.1:1"], &two),
        (&["send", "x/a", &server.url, "--limit-rate", "fast"], "--limit-rate"),
        (&["send", "x/a", &server.url, "--token", ""], "--token"),
        (&["send", "-", &server.url], "- has no name; use --name NAME"),
        (&["send", "-", &server.url, "--name", "../a"], "a part of the name is '.' or '..'"),
        (&["send", "-", "x/a", &server.url, "--name", "b"], "- is sent alone"),
        (&["send", "x/a", &server.url, "--name", "b"], "--name is for what comes through stdin"),
        (&["serve", "--min-rate", "0"], "use \"none\" to allow any rate"),
        (&["fetch", &name_less], "ends before a name"),
        (&["fetch", &server.url, "--timeout", "5"], "a unit is missing"),
        (&["fetch", "127.0.0.1:1/a"], "127.0.0.1:1/a is not a URL; write ws://127.0.0.1:1/a"),
        (&["watch", "ann:s3cret@127.0.0.1:1"], "bowline: 127.0.0.1:1 is not a URL; write ws://127.0.0.1:1"),
        (&["send", "x/a", "ws:/127.0.0.1:1"], "ws:/127.0.0.1:1 is not a URL; write ws://127.0.0.1:1"),
        (&["fetch", "wss:/h/a"], "wss:/h/a is not a URL; write wss://h/a\n"),
        (&["probe", "localhost:1"], "localhost:1 is not a URL; write ws://localhost:1"),
        (&["fetch", &name, "back"], "back is one word too many; to put the file there, use -o back"),
        (&["serve", "x"], "x is one word too many; to take files into this folder, use --dir x"),
        (&["serve", "--listen", "9000"], "9000 is not an address; write HOST:PORT, such as 127.0.0.1:9000"),
        (&["send", "x/a", &server.url, "--overwrite"], "serve with --overwrite"),
        (
            &["send", "-dash", &server.url],
            "-dash begins with a dash and is taken for an option; write ./-dash\n",
        ),
        (
            &["send", "x/a", "--dash", &server.url],
            "--dash begins with a dash and is taken for an option; write ./--dash\n",
        ),
        (
            &["fetch", &name, "-o", "-back"],
            "-back begins with a dash and is taken for an option; write ./-back\n",
        ),
        (
            &["serve", "--dir", "-back"],
            "-back begins with a dash and is taken for an option; write ./-back\n",
        ),
        (&["send", "x/a", &server.url, "--report"], "a value is required for '--report <FILE.html>'"),
        (&["send", "x/a", &server.url, "--preserv"], "a similar argument exists: '--preserve'"),
        (
            &["send", "x/a", &server.url, "--timeout", "5"],
            "invalid value '5' for '--timeout <TIME>': a unit is missing",
        ),
        (&["serve", "--quota", "much"], "invalid value 'much' for '--quota <SIZE>'"),
        (&["frobnicate"], "frobnicate"),
    ];
    for (args, words) in cases {
        let done = world.run(*args);
        assert_eq!(done.code, Some(2), "{args:?}: {done:?}");
        assert!(done.stderr.contains(words), "{args:?}: {done:?}");
        assert!(done.stdout.is_empty(), "{args:?}: {done:?}");
    }
    let unknown = world.run(["send", "-zeal", &server.url]);
    assert!(unknown.code == Some(2) && !unknown.stderr.contains("tip:"), "{unknown:?}");
    assert_eq!(fs::read_dir(world.path("inbox")).expect("it was made").count(), 0);
}

#[test]
fn a_name_that_begins_with_a_dash_can_be_written() {
    let world = World::new();
    let server = world.serve(&[]);
    world.file("-dash", 10);
    assert_eq!(world.run(["send", "./-dash", &server.url]).code, Some(0));
    assert_eq!(world.run(["fetch", &format!("{}/-dash", server.url), "-o", "./-back"]).code, Some(0));
    assert!(fs::read(world.path("-back")).expect("it is there") == world.inbox("-dash"));
}

#[test]
fn an_unreadable_file_is_reported_with_the_option_that_names_it() {
    let world = World::new();
    world.file("a", 10);
    let client = ["send", "a", "ws://127.0.0.1:1"];
    let server = ["serve", "--listen", "127.0.0.1:0"];
    let missing = format!("none: {}; look at", std::io::Error::from_raw_os_error(2));
    for (words, option) in [
        (client, "--token-file"),
        (client, "--config"),
        (client, "--ca"),
        (server, "--tokens"),
        (server, "--token-file"),
    ] {
        let done = world.run(words.iter().chain(&[option, "none"]));
        assert_eq!(done.code, Some(1), "{done:?}");
        assert!(done.stderr.starts_with(&format!("bowline: {missing} {option}")), "{done:?}");
    }
    for (certificate, key, option) in [("none", "a", "--tls-cert"), ("a", "none", "--tls-key")] {
        let done = world.run(server.iter().chain(&["--tls-cert", certificate, "--tls-key", key]));
        assert!(done.stderr.ends_with(&format!("bowline: {missing} {option}\n")), "{done:?}");
    }
}

#[test]
fn every_command_explains_itself() {
    let world = World::new();
    for command in ["serve", "send", "fetch", "list", "probe", "watch", "demo", "completions", "man"] {
        let done = world.run([command, "--help"]);
        assert_eq!(done.code, Some(0), "{done:?}");
        assert!(
            done.stdout.contains(&format!("Usage: bowline{} {command}", std::env::consts::EXE_SUFFIX)),
            "{done:?}"
        );
    }
}

#[test]
fn shells_and_man_know_every_command_and_option() {
    let world = World::new();
    for shell in ["bash", "zsh", "fish"] {
        let done = world.run(["completions", shell]);
        assert_eq!(done.code, Some(0), "{done:?}");
        for word in ["probe", "watch", "limit-rate"] {
            assert!(done.stdout.contains(word), "{shell}: {word}");
        }
    }
    let page = world.run(["man"]).stdout;
    assert!(page.contains(".TH bowline 1") && page.contains("Exit codes"), "{page}");
    let page = world.run(["man", "send"]).stdout;
    assert!(page.contains("limit\\-rate"), "{page}");
    let done = world.run(["man", "frobnicate"]);
    assert_eq!(done.code, Some(2), "{done:?}");
}
