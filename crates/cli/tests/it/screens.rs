//! What people see: the screens of commands that run in a terminal, with `#` for figures.

use crate::common::{Process, Relay, Server, Signal, World, bytes};
use crate::terminal::{Left, Screen, Terminal};
use std::cell::RefCell;
use std::fs;
use std::time::Instant;

/// Ctrl-C.
const INTERRUPT: &[u8] = b"\x03";

fn start(world: &World, args: &[&str]) -> Terminal {
    Terminal::start(&world.bowline(args), 80)
}

/// The first digits of the digest of a file of this world.
fn digest(name: &str, len: usize) -> String {
    blake3::hash(&bytes(name, len)).to_hex()[..16].to_owned()
}

/// The masked last line.
fn present(screen: &Screen) -> String {
    screen.last_masked(1)
}

/// What is written between ESC [ and m: colours and the like.
fn colours(left: &Left) -> Vec<String> {
    let text = String::from_utf8_lossy(&left.bytes);
    let codes = text.split("\x1b[").skip(1).filter_map(|rest| {
        let end = rest.find(|c: char| c.is_ascii_alphabetic())?;
        (rest[end..].starts_with('m')).then(|| rest[..end].to_owned())
    });
    codes.filter(|code| !["", "0"].contains(&code.as_str())).collect()
}

fn ends_well(left: &Left) {
    assert!(left.code == Some(0) && left.is_sane, "{:?}\n{}", left.code, left.screen);
}

/// A server that is slow enough in both directions for there to be something to see.
fn serve_slowly(world: &World) -> Server {
    world.serve(&["--limit-rate", "400k"])
}

#[test]
fn a_file_is_sent_with_a_bar_and_leaves_one_line() {
    let world = World::new();
    world.file("a.bin", 1_000_000);
    let server = serve_slowly(&world);
    let terminal = start(&world, &["send", "a.bin", &server.url]);
    terminal.wait("a bar that moves", |screen| present(screen) == "a.bin [=>] #% #/s, # left");
    let left = terminal.finish();
    ends_well(&left);
    assert_eq!(
        left.screen.masked(),
        format!("sent a.bin: # in # (#/s), blake3 {}", digest("a.bin", 1_000_000))
    );
}

#[test]
fn while_nothing_moves_it_is_shown_for_how_long_and_until_when() {
    let world = World::new();
    world.file("a.bin", 1_000_000);
    let server = serve_slowly(&world);
    let relay = Relay::to(server.address());
    let terminal = start(&world, &["send", "a.bin", &relay.url]);
    terminal.wait("a bar that moves", |screen| present(screen) == "a.bin [=>] #% #/s, # left");
    relay.fall_silent();
    let still = "a.bin [=>] #% nothing has moved for #, waiting up to #";
    terminal.wait("that nothing moves", |screen| present(screen) == still);
    terminal.press(INTERRUPT);
    let left = terminal.finish();
    assert!(left.code == Some(130) && left.is_sane, "{:?}\n{}", left.code, left.screen);
}

#[test]
fn a_server_has_a_line_for_each_file() {
    let world = World::new();
    world.file("a.bin", 1000);
    let terminal = start(&world, &["serve", "--listen", "127.0.0.1:0", "--dir", "inbox"]);
    let screen = terminal.wait("where it listens", |screen| screen.contains("listening on ws://"));
    let url = screen.to_string().replace("listening on ", "");
    assert_eq!(world.run(["send", "a.bin", &url]).code, Some(0));
    let screen = terminal.wait("what came", |screen| screen.contains("blake3"));
    let lines =
        format!("listening on ws://#:#\nreceived a.bin: # from #:#, blake3 {}", digest("a.bin", 1000));
    assert_eq!(screen.masked(), lines);
    terminal.press(INTERRUPT);
    ends_well(&terminal.finish());
}

#[test]
fn a_folder_is_fetched_with_a_count_of_its_files() {
    let world = World::new();
    world.file("inbox/photos/a.bin", 400_000);
    world.file("inbox/photos/b.bin", 400_000);
    let server = serve_slowly(&world);
    let terminal = start(&world, &["fetch", &format!("{}/photos", server.url), "-o", "back"]);
    terminal.wait("a bar that moves", |screen| present(screen) == "# of # files [=>] #% #/s, # left");
    let left = terminal.finish();
    ends_well(&left);
    let [a, b] = ["photos/a.bin", "photos/b.bin"].map(|name| {
        format!("fetched {name}: # in # (#/s), blake3 {}", digest(&format!("inbox/{name}"), 400_000))
    });
    let sum = "fetched # files, #, # folder, into back, in #";
    assert!(
        [format!("{a}\n{b}\n{sum}"), format!("{b}\n{a}\n{sum}")].contains(&left.screen.masked()),
        "{}",
        left.screen
    );
}

/// The KiB per second in the last line.
fn rate(screen: &Screen) -> Option<f64> {
    let text = screen.to_string();
    let (before, _) = text.lines().last()?.split_once(" KiB/s")?;
    before.rsplit(' ').next()?.parse().ok()
}

#[test]
fn the_rate_of_a_folder_is_that_of_all_that_moves_however_small_its_files() {
    let world = World::new();
    for n in 0..400 {
        world.file(&format!("inbox/photos/{n}.jpg"), 8000);
    }
    let server = world.serve(&["--limit-rate", "800k"]);
    let (start_of_all, rates) = (Instant::now(), RefCell::<Vec<f64>>::default());
    let terminal = start(&world, &["fetch", &format!("{}/photos", server.url), "-o", "back"]);
    terminal.wait("the end", |screen| {
        rates.borrow_mut().extend(rate(screen));
        screen.contains("fetched 400 files")
    });
    ends_well(&terminal.finish());
    // The limit lets 781.25 pass; a busy machine moves less.
    let least = 400.0 * 8000.0 / 1024.0 / start_of_all.elapsed().as_secs_f64() / 2.0;
    let rates = rates.take();
    assert!(rates.iter().any(|rate| (least..1000.0).contains(rate)), "{least}: {rates:?}");
}

#[test]
fn ctrl_c_says_how_to_go_on_and_leaves_the_terminal_as_it_was() {
    let world = World::new();
    world.file("a.bin", 3_000_000);
    let server = serve_slowly(&world);
    let terminal = start(&world, &["send", "a.bin", &server.url]);
    terminal.wait("a bar that moves", |screen| present(screen) == "a.bin [=>] #% #/s, # left");
    terminal.press(INTERRUPT);
    let left = terminal.finish();
    assert_eq!(left.code, Some(130), "{}", left.screen);
    assert!(left.is_sane, "{}", left.screen);
    let sentence = "bowline: interrupted; what arrived is kept, and the same command resumes from\nthere";
    assert_eq!(left.screen.to_string(), sentence, "and nothing is left of the bar");
    drop(server);
    let server = world.serve(&[]);
    assert_eq!(world.run(["send", "a.bin", &server.url]).code, Some(0));
}

#[test]
fn a_narrow_terminal_has_room_for_a_bar() {
    let world = World::new();
    let name = "a rather long name of a file.bin";
    world.file(name, 2_000_000);
    let server = serve_slowly(&world);
    let terminal = Terminal::start(&world.bowline(["send", name, &server.url]), 40);
    let screen = terminal.wait("a bar that moves", |screen| present(screen).ends_with("% #/s"));
    assert_eq!(screen.masked(), "a rather lo… [=>] #% #/s", "one line only");
    terminal.press(INTERRUPT);
    let left = terminal.finish();
    assert!(left.code == Some(130) && left.is_sane, "{}", left.screen);
}

#[test]
fn a_probe_says_what_it_does_and_what_it_has_found() {
    let world = World::new();
    let server = world.serve(&[]);
    let left = start(&world, &["probe", &server.url]).finish();
    ends_well(&left);
    let expected = "connection #:# reached in #, WebSocket # later; no TLS; subprotocol bowline.v1 \
                    pings # of # answered, in # at least, # median, # at most \
                    close sent # (OK); then received # (OK); it took #";
    assert_eq!(left.screen.text(), expected);
    assert!(left.screen.has_margin(12), "{}", left.screen);
    let terminal = start(&world, &["probe", &server.url, "--idle", "--max", "10s"]);
    terminal.wait("what is going on", |screen| {
        present(screen).ends_with("keeping # connections silent for up to #")
    });
    terminal.press(INTERRUPT);
    let left = terminal.finish();
    assert!(left.code == Some(130) && left.is_sane, "{}", left.screen);
}

#[test]
fn a_watch_shows_the_present_below_the_past() {
    let world = World::new();
    let server = world.serve(&[]);
    let url = server.url.clone();
    let terminal = start(&world, &["watch", &url, "--heartbeat", "1s"]);
    let screen = terminal.wait("a round trip", |screen| {
        let present = present(screen).replace("less than #", "#");
        present == "up for #, silent for #, ping in #, round trip #"
    });
    let connected = "#:#:# connected, handshake in #; pings after # of silence";
    assert!(screen.text().starts_with(connected), "{screen}");

    server.process.signal(Signal::TERM);
    server.process.finish();
    let screen = terminal.wait("that it waits", |screen| present(screen) == "connecting again in #");
    let lost = "#:#:# the server is closing: # (service restart) the server is stopping\n\
                #:#:# disconnected: received # (service restart) the server is stopping;\n\
                then sent # (service restart) the server is stopping\n\
                #:#:# connecting again in #\n\
                connecting again in #";
    assert_eq!(screen.last_masked(5), lost, "nothing is left of the connection");
    terminal.press(INTERRUPT);
    let left = terminal.finish();
    ends_well(&left);
    let last = "#:#:# connecting again in # #:#:# watched for #: # connection, up for # % of that time; round trips of # to #";
    assert!(left.screen.text().ends_with(last), "{}", left.screen);
}

#[test]
fn a_narrow_watch_is_one_line_below_broken_ones() {
    let world = World::new();
    let server = world.serve(&[]);
    let terminal = Terminal::start(&world.bowline(["watch", &server.url]), 40);
    let screen = terminal.wait("the present", |screen| screen.contains("up for"));
    let expected =
        "#:#:# connected, handshake in #; pings after # of silence up for #, silent for #, ping in";
    let text = screen.text();
    assert!(text.starts_with(expected) && text.ends_with('…'), "{screen}");
    assert!(screen.has_margin(10), "{screen}");
    terminal.press(INTERRUPT);
    let left = terminal.finish();
    ends_well(&left);
    let expected = "#:#:# connected, handshake in #; pings after # of silence \
                    #:#:# disconnected: sent # (OK); then received # (OK) \
                    #:#:# watched for #: # connection, up for # % of that time";
    assert_eq!(left.screen.text(), expected, "{}", left.screen);
}

#[test]
fn a_watch_that_logs_leaves_whole_lines() {
    let world = World::new();
    let server = world.serve(&[]);
    let watch = ["watch", &server.url, "-v", "--heartbeat", "1s", "--for", "3s"];
    let left = Terminal::start(&world.bowline(watch), 250).finish();
    ends_well(&left);
    let screen = left.screen.masked();
    assert!(
        screen.contains(" connected link=") && screen.lines().all(|line| line.starts_with('#')),
        "{screen}"
    );
}

#[test]
fn a_demo_tells_its_story_and_sums_up_in_a_table() {
    let world = World::new();
    let temporary = world.path("tmp");
    fs::create_dir(&temporary).expect("a folder");
    let mut command = world.bowline(["demo", "--size", "2MiB", "--seed", "7"]);
    let terminal = Terminal::start(command.env("TMPDIR", &temporary), 80);
    terminal.wait("a bar that moves", |screen| present(screen).starts_with("up [=>] #%"));
    let left = terminal.finish();
    ends_well(&left);
    let digest = "67197100183f211d";
    let table = format!(
        "size extra time links BLAKE3\nmade # {digest}...\nsent # {digest}...\nfetched # {digest}...\n\
         on disk # {digest}...\n\n\
         extra: what the link carried beyond the file, bytes sent twice and headers\n\n\
         all digests are equal:\n{digest}18a33501c94d7c1d34b23deb6c8b7e87cb30b0c9904f30c4"
    );
    assert_eq!(left.screen.last_masked(10), table);
    assert!(!colours(&left).is_empty(), "whom a line is about has a colour");
}

#[test]
fn nothing_is_coloured_if_no_colours_are_wanted() {
    let world = World::new();
    let temporary = world.path("tmp");
    fs::create_dir(&temporary).expect("a folder");
    world.file("a.bin", 400_000);
    let server = world.serve(&["--limit-rate", "400k"]);
    for args in [
        &["demo", "--size", "500k"][..],
        &["send", "a.bin", &server.url],
        &["fetch", &format!("{}/a.bin", server.url), "-o", "back", "-vv"],
        &["probe", &server.url],
        &["send", "--help"],
        &["send", "--nonsense"],
    ] {
        let mut command = world.bowline(args);
        let left = Terminal::start(command.env("NO_COLOR", "1").env("TMPDIR", &temporary), 80).finish();
        assert_eq!(colours(&left), [""; 0], "{args:?}");
    }
}

#[test]
fn only_lines_are_printed_without_a_terminal() {
    let world = World::new();
    world.file("a.bin", 400_000);
    let server = serve_slowly(&world);
    for (args, first) in [
        (&["send", "a.bin", &server.url][..], "sent a.bin: "),
        (&["fetch", &format!("{}/a.bin", server.url), "-o", "back"], "fetched a.bin as back: "),
        (&["probe", &server.url], "connection  "),
    ] {
        let done = world.run(args);
        assert!(done.code == Some(0) && done.stderr.starts_with(first), "{done:?}");
        assert!(done.stdout.is_empty() && !done.stderr.contains(['\x1b', '\r']), "{done:?}");
    }
    let done = Process::start(&mut world.bowline(["watch", &server.url, "--for", "2s"])).finish();
    assert!(done.stderr.lines().last().is_some_and(|line| line.contains("Z watched for ")), "{done:?}");
    assert!(!done.stderr.contains(['\x1b', '\r', '…']), "{done:?}");
}
