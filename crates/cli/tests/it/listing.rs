//! What a server lists, and how the command reports it.

use crate::common::{Done, Process, Relay, Server, Signal, World};
use crate::refusals::complaint;
#[cfg(unix)]
use crate::terminal::Terminal;
use bowline_blocking::{WebSocket, accept};
use bowline_core::connection::Config;
use bowline_core::transfer::{self, Code, Event, Failure, SUBPROTOCOL};
use bowline_core::{Instant, Message, Role, Transfers};
use bowline_handshake::server::Accept;
use std::net::TcpListener;
use std::{fs, thread};

/// A world whose server has a few files, one of them in a folder.
fn world() -> World {
    let world = World::new();
    world.file("inbox/photos/2026/beach 1.jpg", 3000);
    world.file("inbox/photos/文.txt", 20);
    world.file("inbox/a b", 7);
    world
}

#[test]
fn one_level_is_listed_or_all_of_them_or_one_file() {
    let world = world();
    let server = world.serve(&[]);
    let photos = format!("{}/photos", server.url);
    let slash = format!("{photos}/");
    let file = format!("{photos}/2026/beach%201.jpg");
    let (lines, all) = ("a b\nphotos/\n", "2026/\n2026/beach 1.jpg\n文.txt\n");
    let (everything, some) = ("3 files, 2 folders, 3.0 KiB\n", "2 files, 1 folder, 2.9 KiB\n");
    for (args, names, sums) in [
        (&["list", &server.url][..], lines, everything),
        (&["list", &server.url, "--name", "/"], lines, everything),
        (&["list", &photos], "2026/\n文.txt\n", some),
        (&["list", "-r", &slash], all, some),
        (&["list", &server.url, "--recursive", "--name", "photos"], all, some),
        (&["list", &file], "beach 1.jpg\n", "1 file, 2.9 KiB\n"),
    ] {
        let done = world.run(args);
        assert_eq!((done.code, &*done.stdout, &*done.stderr), (Some(0), names, sums), "{args:?}");
    }
    let quiet = world.run(["list", "-q", &server.url]);
    assert_eq!((&*quiet.stdout, &*quiet.stderr), (lines, ""));
}

#[test]
fn a_listed_file_can_be_fetched_by_its_name() {
    let world = world();
    let server = world.serve(&[]);
    let listed = world.run(["list", "-r", &server.url]).stdout;
    for name in listed.lines().filter(|name| !name.ends_with('/')) {
        let fetched = world.run(["fetch", &server.url, "--name", name, "-o", "back", "--overwrite"]);
        assert_eq!(fetched.code, Some(0), "{fetched:?}");
        assert!(fs::read(world.path("back")).expect("it is there") == world.inbox(name), "{name}");
    }
}

#[test]
fn programs_get_an_object_for_each_entry_and_the_sums() {
    let world = world();
    let server = world.serve(&[]);
    let mut listing = Process::start(&mut world.bowline(["list", "--json", &server.url]));
    let file = listing.event(|event| event["event"] == "entry");
    assert_eq!((file["name"].as_str(), file["folder"].as_bool()), (Some("a b"), Some(false)));
    assert!(file["bytes"] == 7 && file["modified_ms"].as_i64() > Some(1_600_000_000_000), "{file}");
    let folder = listing.event(|event| event["event"] == "entry");
    assert!(folder["name"] == "photos" && folder["folder"] == true && folder["bytes"] == 3020, "{folder}");
    let sums = listing.event(|event| event["event"] == "summary");
    assert!(sums["files"] == 3 && sums["folders"] == 2 && sums["bytes"] == 3027, "{sums}");
    assert_eq!(listing.finish().code, Some(0));
}

#[test]
fn an_empty_server_lists_nothing_and_unfinished_files_are_not_shown() {
    let world = World::new();
    world.file("big", 3_000_000);
    let server = world.serve(&["--limit-rate", "300k"]);
    let empty = world.run(["list", &server.url]);
    assert_eq!((empty.code, &*empty.stdout, &*empty.stderr), (Some(0), "", "0 files, 0 B\n"));
    let mut sending = Process::start(&mut world.bowline(["send", "big", &server.url, "--json"]));
    sending.middle();
    let listed = world.run(["list", "-r", &server.url]);
    assert_eq!((&*listed.stdout, &*listed.stderr), ("", "0 files, 0 B\n"));
}

#[cfg(unix)]
#[test]
fn links_and_unsafe_names_are_only_counted() {
    let world = world();
    for name in ["inbox/two\nlines", "inbox/a:b"] {
        world.file(name, 1);
    }
    std::os::unix::fs::symlink("/etc/passwd", world.path("inbox/link")).expect("linked");
    world.file("inbox/\u{202e}gpj.exe", 1);
    let server = world.serve(&[]);
    let listed = world.run(["list", &server.url]);
    assert_eq!(listed.stdout, "a b\nphotos/\n\u{fffd}gpj.exe\n");
    assert_eq!(
        listed.stderr,
        "4 files, 2 folders, 3.0 KiB; links and devices left out: 1; not readable there, or with names that are not safe: 2\n"
    );
    let complete = world.run(["list", "--json", &server.url]).stdout;
    assert!(complete.contains("\"name\":\"\u{202e}gpj.exe\""), "programs read it as it is: {complete}");
}

#[test]
fn a_client_that_may_not_list_is_told_so() {
    let world = world();
    let [keeps, takes] = [["--no-list"], ["--write-only"]].map(|options| world.serve(&options));
    let refused = world.run(["list", &keeps.url]);
    let why = "the other side says: this server does not list what it holds; ask for a file or a folder by its name";
    assert_eq!(complaint(&refused, 1), format!("{}/: {why}", keeps.url));
    let known = world.run(["list", &format!("{}/photos", keeps.url)]);
    assert_eq!((known.code, &*known.stdout), (Some(0), "2026/\n文.txt\n"), "who knows a name may go on");
    let refused = world.run(["list", &takes.url]);
    assert!(complaint(&refused, 1).ends_with("you may not fetch files from this server"), "{refused:?}");
    let missing = world.run(["list", &format!("{}/none", keeps.url)]);
    assert_eq!(complaint(&missing, 1), "none: the server has no file or folder of that name");
}

#[test]
#[cfg_attr(windows, ignore = "there are no signals")]
fn the_server_reports_what_it_has_refused_to_list() {
    let world = world();
    let told = |options: &[&str]| {
        let server = world.serve(options);
        for name in ["", "/none"] {
            assert_eq!(world.run(["list", &format!("{}{name}", server.url)]).code, Some(1));
        }
        server.process.signal(Signal::INT);
        let Done { stdout, stderr, .. } = server.process.finish();
        stdout + &stderr
    };
    let people = told(&["--no-list"]);
    assert!(people.contains("not listed: all that there is for 127.0.0.1:"), "{people}");
    assert!(people.contains("not listed: none for 127.0.0.1:"), "{people}");
    let programs = told(&["--no-list", "--json"]);
    for name in ["null", "\"none\""] {
        let failed = format!(r#"{{"event":"failed","name":{name},"listing":true,"#);
        assert!(programs.contains(&failed), "{programs}");
    }
}

#[test]
fn a_token_is_shown_its_own_folder() {
    let world = world();
    fs::write(world.path("who"), "alice eins folder=photos\nbob zwei folder=none/yet\n").expect("writable");
    let server = world.serve(&["--tokens", "who"]);
    let listed = |token| {
        let mut command = world.bowline(["list", &server.url]);
        let done = Process::start(command.env("BOWLINE_TOKEN", token)).finish();
        (done.code, done.stdout)
    };
    assert_eq!(listed("eins"), (Some(0), "2026/\n文.txt\n".to_owned()));
    assert_eq!(listed("zwei"), (Some(0), String::new()), "nobody has put anything there yet");
    assert_eq!(listed("drei").0, Some(1));
}

#[test]
#[cfg_attr(windows, ignore = "there are no signals")]
fn the_server_reports_what_it_has_listed() {
    let world = world();
    let server = world.serve(&[]);
    for name in ["", "/photos"] {
        assert_eq!(world.run(["list", &format!("{}{name}", server.url)]).code, Some(0));
    }
    server.process.signal(Signal::INT);
    let told = server.process.finish().stderr;
    assert!(told.contains("listed all that there is for 127.0.0.1:"), "{told}");
    assert!(told.contains("listed photos for 127.0.0.1:"), "{told}");
}

/// A server that does not know such a request: the request has a field that the server must understand, and does not.
fn older() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("ws://{}", listener.local_addr().expect("bound"));
    thread::spawn(move || {
        let (stream, _) = listener.accept().expect("it dials");
        let answer = Accept::default().with_subprotocol(SUBPROTOCOL);
        let decide = |_: &_, _: &[String]| accept::Decision::Accept(answer);
        let accepted = accept::accept(stream, &accept::Config::default(), decide).expect("a request");
        let mut socket = WebSocket::server(accepted, Config::default()).expect("random bytes");
        let mut transfers = Transfers::new(Role::Server, transfer::Config::default(), Instant::ZERO);
        transfers.handle_link_up(Instant::ZERO, None);
        loop {
            while let Some(event) = transfers.poll_event() {
                if let Event::ListingRequested { id, .. } = event {
                    let why = "frame type 0x11, handle 1: unknown field 0x002a";
                    transfers.fail(Instant::ZERO, id, Failure::local(Code::Unsupported, why));
                }
            }
            while let Some(message) = transfers.poll_message(Instant::ZERO, 1) {
                socket.send(Message::binary(message.into_bytes())).expect("it is there");
            }
            let Ok(message) = socket.receive() else { break };
            transfers.handle_message(Instant::ZERO, message.into_bytes());
        }
    });
    url
}

#[test]
fn a_server_that_cannot_say_what_it_holds_is_asked_once() {
    let url = older();
    let refused = World::new().run(["list", &url]);
    let why = "this server's version cannot list what it holds; fetch a file or a folder by its name";
    assert_eq!(complaint(&refused, 1), format!("{url}/: {why}"));
}

/// A listing that takes eight seconds, from when some of it has arrived. `tmp` is for callers that need a place for a
/// while.
fn under_way(world: &World) -> (Process, Relay, Server) {
    for n in 0..10_000 {
        world.file(&format!("inbox/{n:0>100}"), 0);
    }
    fs::create_dir(world.path("tmp")).expect("a folder");
    let server = world.serve(&["--limit-rate", "150k"]);
    let relay = Relay::to(server.address());
    let mut command = world.bowline(["list", "--json", &relay.url]);
    let mut listing = Process::start(command.env("TMPDIR", world.path("tmp")));
    listing.event(|event| event["event"] == "progress" && event["received"].as_u64() > Some(200_000));
    (listing, relay, server)
}

#[test]
fn a_listing_goes_on_when_the_connection_was_cut() {
    let world = World::new();
    let (mut listing, relay, _server) = under_way(&world);
    relay.cut();
    listing.event(|event| event["event"] == "link" && event["state"] == "down");
    relay.down();
    let sums = listing.event(|event| event["event"] == "summary");
    assert_eq!(sums["files"], 10_000);
    assert!(relay.down() < 1_100_000, "it did not begin again");
    assert_eq!(listing.finish().code, Some(0));
    assert_eq!(fs::read_dir(world.path("tmp")).expect("a folder").count(), 0);
}

#[test]
fn a_listing_that_is_killed_leaves_nothing() {
    let world = World::new();
    let (mut listing, relay, _server) = under_way(&world);
    relay.cut();
    listing.event(|event| event["event"] == "link" && event["state"] == "down");
    listing.kill();
    assert_eq!(fs::read_dir(world.path("tmp")).expect("a folder").count(), 0);
}

#[test]
#[cfg_attr(windows, ignore = "there are no signals")]
fn a_listing_that_is_interrupted_leaves_nothing() {
    let world = World::new();
    let (listing, _relay, _server) = under_way(&world);
    listing.signal(Signal::INT);
    let done = listing.finish();
    assert_eq!(complaint(&done, 130), "interrupted");
    assert!(!done.stdout.contains("\"entry\""), "half a listing is none: {done:?}");
    assert_eq!(fs::read_dir(world.path("tmp")).expect("a folder").count(), 0);
}

#[cfg(unix)]
#[test]
fn a_terminal_shows_sizes_and_times_where_there_is_room() {
    let world = world();
    let old = fs::File::options().write(true).open(world.path("inbox/a b")).expect("it is there");
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_767_225_600);
    old.set_modified(time).expect("ours");
    let server = world.serve(&[]);
    let screen = |columns| {
        let left = Terminal::start(&world.bowline(["list", &server.url]), columns).finish();
        assert!(left.code == Some(0) && left.is_sane, "{}", left.screen);
        left.screen.to_string()
    };
    let wide = screen(80);
    assert!(wide.contains("       7 B  2026-01-01 00:00  a b"), "{wide}");
    assert!(wide.contains("  photos/") && wide.contains("3 files, 2 folders, 3.0 KiB"), "{wide}");
    let narrow = screen(40);
    assert!(narrow.contains("       7 B  a b") && narrow.contains("   2.9 KiB  photos/"), "{narrow}");
}
