//! Whatever dies, the same command resumes where it stopped.

use crate::common::{Process, Relay, Server, Signal, World, bytes};
use std::fs;
use std::thread;
use std::time::Duration;

const BIG: usize = 8_000_000;
/// Slow enough for a transfer to have a middle, even if the test itself does not run for some seconds.
const SLOW: [&str; 3] = ["--limit-rate", "1200k", "--json"];
/// What frames, handshakes and acknowledgements may add to a file.
const OVERHEAD: u64 = 200_000;

fn send(world: &World, url: &str) -> Process {
    Process::start(&mut world.bowline(["send", "big", url].iter().chain(&SLOW)))
}

/// A sender in the middle of a file, and its server, between which nothing is carried any longer.
fn silenced(world: &World) -> (Server, Relay, Process) {
    world.file("big", BIG);
    let server = world.serve(&[]);
    let relay = Relay::to(server.address());
    let mut sender = send(world, &relay.url);
    sender.middle();
    relay.fall_silent();
    (server, relay, sender)
}

/// The complete file has arrived, and since `safe` bytes were safe only the rest of it was sent.
fn assert_resumed(world: &World, moved: u64, safe: u64) {
    assert!(world.inbox("big") == bytes("big", BIG));
    assert!(moved <= BIG as u64 - safe + OVERHEAD, "{moved} bytes were sent although {safe} were safe");
}

#[test]
fn a_sender_that_was_killed_goes_on() {
    let world = World::new();
    world.file("big", BIG);
    let server = world.serve(&[]);
    let relay = Relay::to(server.address());
    let mut first = send(&world, &relay.url);
    let safe = first.middle();
    first.kill();
    relay.up();
    let again = world.run(["send", "big", &relay.url]);
    assert_eq!(again.code, Some(0), "{again:?}");
    assert_resumed(&world, relay.up(), safe);
}

#[test]
fn a_later_sender_of_the_same_file_takes_over_and_the_first_says_so() {
    let world = World::new();
    world.file("big", BIG);
    let server = world.serve(&[]);
    let mut first = send(&world, &server.url);
    first.middle();
    let second = world.run(["send", "big", &server.url]);
    assert!(second.code == Some(0) && second.stderr.contains(" of it earlier) in "), "{second:?}");
    let first = first.finish();
    assert_eq!(first.code, Some(4), "{first:?}");
    assert!(
        first.stderr.starts_with("bowline: big: another command that sends this file has taken over"),
        "{first:?}"
    );
    assert!(first.stdout.trim_end().ends_with(",\"exit\":4}"), "{first:?}");
}

#[test]
fn bytes_of_an_earlier_process_do_not_count_in_the_rate() {
    let world = World::new();
    world.file("big", BIG);
    let server = world.serve(&[]);
    let mut first = send(&world, &server.url);
    first.middle();
    first.kill();
    let again = world.run(["send", "big", &server.url, "--limit-rate", "1M"]);
    // A limit of a megabyte is less than a mebibyte.
    let is_moved = again.stderr.contains(" of it earlier) in ") && again.stderr.contains(" KiB/s)");
    assert!(again.stderr.starts_with("sent big: 7.6 MiB (") && is_moved, "{again:?}");
    let url = format!("{}/big", server.url);
    let fetch = |limit| world.bowline(["fetch", &url, "-o", "back", "--json", "--limit-rate", limit]);
    let mut first = Process::start(&mut fetch("1200k"));
    first.middle();
    first.kill();
    let mut again = Process::start(&mut fetch("100M"));
    let done = again.event(|event| event["event"] == "done");
    let resumed = done["resumed_bytes"].as_u64().expect("a number");
    assert!((1..BIG as u64).contains(&resumed), "{done}");
}

#[test]
fn a_server_that_was_killed_is_waited_for() {
    let world = World::new();
    world.file("big", BIG);
    let server = world.serve(&[]);
    let relay = Relay::to(server.address());
    let mut sender = send(&world, &relay.url);
    let safe = sender.middle();
    server.process.kill();
    relay.up();
    let server = world.serve(&[]);
    relay.lead_to(server.address());
    let done = sender.event(|event| event["event"] == "done");
    assert_eq!(done["links"], 2, "{done}");
    assert_eq!(sender.finish().code, Some(0));
    assert_resumed(&world, relay.up(), safe);
}

#[test]
fn both_ends_killed_go_on_with_the_same_commands() {
    let world = World::new();
    world.file("big", BIG);
    let server = world.serve(&[]);
    let relay = Relay::to(server.address());
    let mut sender = send(&world, &relay.url);
    let safe = sender.middle();
    server.process.kill();
    sender.kill();
    relay.up();
    let server = world.serve(&[]);
    relay.lead_to(server.address());
    let again = world.run(["send", "big", &relay.url]);
    assert_eq!(again.code, Some(0), "{again:?}");
    assert_resumed(&world, relay.up(), safe);
}

#[test]
fn a_fetch_that_was_killed_goes_on() {
    let world = World::new();
    world.file("inbox/big", BIG);
    let server = world.serve(&[]);
    let relay = Relay::to(server.address());
    let url = format!("{}/big", relay.url);
    let mut first = Process::start(&mut world.bowline(["fetch", &url].iter().chain(&SLOW)));
    let safe = first.middle();
    first.kill();
    assert!(!world.path("big").exists(), "a part is not the file");
    relay.down();
    let again = world.run(["fetch", &url]);
    assert_eq!(again.code, Some(0), "{again:?}");
    assert!(fs::read(world.path("big")).expect("it is there") == world.inbox("big"));
    let moved = relay.down();
    assert!(moved <= BIG as u64 - safe + OVERHEAD, "{moved} bytes were fetched although {safe} were safe");
}

#[test]
fn only_the_rest_of_a_small_file_is_fetched_after_an_earlier_process() {
    const SMALL: usize = 60_000;
    for (asked, place) in [("small", "small"), ("folder", "folder/small")] {
        let world = World::new();
        world.file(&format!("inbox/{place}"), SMALL);
        let server = world.serve(&["--limit-rate", "10k"]);
        let relay = Relay::to(server.address());
        let url = format!("{}/{asked}", relay.url);
        let mut first = Process::start(&mut world.bowline(["fetch", &url, "--json"]));
        let safe = first.middle();
        first.kill();
        server.process.kill();
        let server = world.serve(&[]);
        relay.lead_to(server.address());
        relay.down();
        let again = world.run(["fetch", &url]);
        assert_eq!(again.code, Some(0), "{again:?}");
        assert!(fs::read(world.path(place)).expect("it is there") == world.inbox(place));
        let moved = relay.down();
        assert!(moved <= SMALL as u64 - safe + 4000, "{moved} bytes were fetched although {safe} were safe");
    }
}

#[test]
#[cfg_attr(windows, ignore = "there are no signals")]
fn a_sender_that_is_interrupted_says_so_and_goes_on() {
    let world = World::new();
    world.file("big", BIG);
    let server = world.serve(&[]);
    let relay = Relay::to(server.address());
    let mut first = send(&world, &relay.url);
    let safe = first.middle();
    first.signal(Signal::INT);
    let done = first.finish();
    assert_eq!(done.code, Some(130), "{done:?}");
    assert_eq!(
        done.stderr,
        "bowline: interrupted; what arrived is kept, and the same command resumes from there\n"
    );
    let last = done.stdout.lines().last().expect("a line");
    assert!(
        last.starts_with("{\"event\":\"failed\",\"name\":\"big\"") && last.ends_with("\"exit\":130}"),
        "{last}"
    );
    relay.up();
    assert_eq!(world.run(["send", "big", &relay.url]).code, Some(0));
    assert_resumed(&world, relay.up(), safe);
}

#[test]
#[cfg_attr(windows, ignore = "there are no signals")]
fn a_server_that_is_asked_to_stop_keeps_what_has_come() {
    let world = World::new();
    world.file("big", BIG);
    let server = world.serve(&[]);
    let relay = Relay::to(server.address());
    let mut sender = send(&world, &relay.url);
    let safe = sender.middle();
    server.process.signal(Signal::TERM);
    let stopped = server.process.finish();
    assert_eq!(stopped.code, Some(0), "{stopped:?}");
    let down = sender.event(|event| event["event"] == "link" && event["state"] == "down");
    assert!(down["why"].as_str().is_some_and(|why| why.contains("1012")), "{down}");
    relay.up();
    let server = world.serve(&[]);
    relay.lead_to(server.address());
    assert_eq!(sender.finish().code, Some(0));
    assert_resumed(&world, relay.up(), safe);
}

#[test]
#[cfg_attr(windows, ignore = "there are no signals")]
fn an_idle_server_stops_at_ctrl_c() {
    let world = World::new();
    let server = world.serve(&[]);
    server.process.signal(Signal::INT);
    let stopped = server.process.finish();
    assert_eq!(stopped.code, Some(0), "{stopped:?}");
}

#[test]
fn a_changed_file_is_sent_from_the_start() {
    let world = World::new();
    let path = world.file("big", BIG);
    let server = world.serve(&[]);
    let mut first = send(&world, &server.url);
    first.middle();
    first.kill();
    fs::write(&path, bytes("changed", BIG)).expect("writable");
    let again = world.run(["send", "big", &server.url]);
    assert_eq!(again.code, Some(0), "{again:?}");
    assert!(world.inbox("big") == bytes("changed", BIG));
}

#[test]
fn a_connection_that_carries_nothing_any_more_is_found_out() {
    let world = World::new();
    world.file("big", BIG);
    let server = world.serve(&[]);
    let relay = Relay::to(server.address());
    let eager = ["send", "big", &relay.url, "--heartbeat", "500ms", "--timeout", "500ms"];
    let mut sender = Process::start(&mut world.bowline(eager.iter().chain(&SLOW)));
    let safe = sender.middle();
    relay.up();
    relay.fall_silent();
    let down = sender.event(|event| event["event"] == "link" && event["state"] == "down");
    assert!(down["why"].as_str().is_some_and(|why| why.contains("keepalive ping timeout")), "{down}");
    assert_eq!(sender.finish().code, Some(0));
    assert_resumed(&world, relay.up(), safe);
}

#[test]
#[cfg_attr(windows, ignore = "there are no signals")]
fn a_second_signal_ends_a_server_at_once() {
    let world = World::new();
    // At the first signal, it waits for a client that cannot answer.
    let (server, _relay, _sender) = silenced(&world);
    server.process.signal(Signal::INT);
    server.process.signal(Signal::TERM);
    let stopped = server.process.finish();
    assert_eq!(stopped.code, Some(130), "{stopped:?}");
    let word = "bowline: interrupted; what arrived is kept, and clients resume from there when a server runs again\n";
    assert!(stopped.stderr.ends_with(word), "{stopped:?}");
}

#[test]
#[cfg_attr(windows, ignore = "there are no signals")]
fn a_second_signal_to_a_sender_ends_it_with_the_same_word() {
    let world = World::new();
    // At the first signal, it waits for a server that cannot answer.
    let (_server, _relay, mut sender) = silenced(&world);
    sender.signal(Signal::INT);
    sender.event(|event| event["event"] == "failed");
    sender.signal(Signal::TERM);
    let ended = sender.finish();
    assert_eq!(ended.code, Some(130), "{ended:?}");
    let word = "bowline: interrupted; what arrived is kept, and the same command resumes from there\n";
    assert_eq!(ended.stderr, word);
}

/// A secret that comes through a pipe shows when a command reads it, and makes the command wait.
#[test]
#[cfg(all(unix, not(target_vendor = "apple")))]
fn a_signal_during_the_start_pauses_too() {
    use rustix::fs::{CWD, FileType, mknodat};
    use std::io::Write as _;
    let world = World::new();
    // Sending it takes seconds. A file that arrived within a moment was sent before the signal was handled.
    world.file("big", 3_000_000);
    let server = world.serve(&[]);
    fs::create_dir(world.path("state")).expect("a folder");
    mknodat(CWD, world.path("state/secret"), FileType::Fifo, 0o600.into(), 0).expect("made");
    let mut sender = send(&world, &server.url);
    // This waits until somebody reads.
    let mut secret = fs::File::options().write(true).open(world.path("state/secret")).expect("opened");
    sender.signal(Signal::USR1);
    secret.write_all(&[7; 32]).expect("read");
    drop(secret);
    sender.event(|event| event["stage"] == "paused");
    sender.signal(Signal::USR2);
    assert_eq!(sender.finish().code, Some(0));
}

#[test]
#[cfg_attr(windows, ignore = "there are no signals")]
fn knowledge_of_a_path_is_kept_for_the_next_command() {
    let world = World::new();
    world.file("big", BIG);
    fs::create_dir_all(world.path("state")).expect("a folder");
    fs::write(world.path("state/paths"), "no path\n").expect("a damaged file is no obstacle");
    let server = world.serve(&[]);
    let relay = Relay::to(server.address());
    let patient = ["send", "big", &relay.url, "--heartbeat", "10s", "--timeout", "1s", "-vv"];
    let mut sender = Process::start(&mut world.bowline(patient.iter().chain(&SLOW)));
    sender.middle();
    // A link that is cut while a file is on its way did not die of silence, so there is a silence first.
    sender.signal(Signal::USR1);
    sender.event(|event| event["stage"] == "paused");
    thread::sleep(Duration::from_secs(2));
    relay.fall_silent();
    sender.event(|event| event["event"] == "link" && event["state"] == "down");
    sender.signal(Signal::USR2);
    let sent = sender.finish();
    assert_eq!(sent.code, Some(0), "{sent:?}");
    assert!(sent.stderr.contains("line 1: the field `hi` is missing"), "{sent:?}");

    let kept = fs::read_to_string(world.path("state/paths")).expect("it is kept");
    let (key, known) = kept.trim().split_once(' ').expect("fields");
    assert_eq!(format!("ws://{key}"), relay.url);
    let hi = known.split(' ').nth(1).and_then(|hi| hi.strip_prefix('<')).expect("found dead after a silence");
    let hi: f64 = hi.parse().expect("seconds");
    assert!(hi >= 1.0, "{kept}");
}

#[test]
#[cfg_attr(windows, ignore = "there are no signals")]
fn a_signal_pauses_and_another_resumes() {
    let world = World::new();
    world.file("big", BIG);
    let server = world.serve(&[]);
    let mut sender = send(&world, &server.url);
    sender.middle();
    sender.signal(Signal::USR1);
    sender.event(|event| event["stage"] == "paused");
    let later = sender.event(|event| event["stage"] == "paused");
    assert!(later["received"].as_u64() < Some(BIG as u64), "{later}");
    sender.signal(Signal::USR2);
    sender.event(|event| event["event"] == "done");
    assert_eq!(sender.finish().code, Some(0));
    assert!(world.inbox("big") == bytes("big", BIG));
}
