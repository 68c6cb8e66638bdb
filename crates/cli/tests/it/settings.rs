//! Options from a file, and a server that makes its own certificate.

use crate::common::{Process, Signal, World, nobody};
use std::fs;
#[cfg(unix)]
use std::os::unix::fs::PermissionsExt as _;

#[test]
#[cfg_attr(windows, ignore = "there are no signals")]
fn a_server_does_what_its_file_says() {
    let world = World::new();
    world.file("a", 10);
    let text = "[serve]\nlisten = \"127.0.0.1:0\"\ndir = \"inbox\"\nread-only = true\n";
    fs::create_dir_all(world.path("config/bowline")).expect("a folder");
    for place in ["config/bowline/config.toml", "named.toml"] {
        fs::write(world.path(place), text).expect("writable");
    }
    for args in [&["serve"][..], &["serve", "--config", "named.toml"]] {
        let mut process = Process::start(&mut world.bowline(args));
        let line = process.line().expect("it listens");
        let url = line.strip_prefix("listening on ").expect("the agreed words");
        assert!(!url.ends_with(":9000"), "{url}");
        let refused = world.run(["send", "a", url]);
        assert!(refused.code == Some(1) && refused.stderr.contains("may not send"), "{refused:?}");
        process.signal(Signal::INT);
        assert_eq!(process.finish().code, Some(0));
    }
}

#[cfg(unix)]
#[test]
fn settings_are_checked_without_a_start() {
    let world = World::new();
    fs::write(world.path("who"), "alice one\n").expect("writable");
    fs::set_permissions(world.path("who"), fs::Permissions::from_mode(0o600)).expect("ours");
    let done = world.run(["serve", "--check", "--tokens", "who", "--dir", "fresh"]);
    assert_eq!(
        (done.code, done.stdout.as_str(), done.stderr.as_str()),
        (Some(0), "the settings can be used\n", "")
    );
    assert!(!world.path("fresh").exists(), "nothing was made");
    let done = world.run(["serve", "--check", "--tokens", "nobody"]);
    assert!(done.code == Some(1) && done.stderr.starts_with("bowline: nobody: "), "{done:?}");
    fs::write(world.path("bad.toml"), "[serve]\ntokens = \"who\"\ntoken = \"a b\"\n").expect("writable");
    let done = world.run(["serve", "--check", "--config", "bad.toml"]);
    assert_eq!(done.code, Some(2), "{done:?}");
    assert!(done.stderr.starts_with("bowline: bad.toml: line 3: token: only printable ASCII"), "{done:?}");
    let done = world.run(["serve", "--check", "--config", "none.toml"]);
    assert!(done.code == Some(1) && done.stderr.starts_with("bowline: none.toml: "), "{done:?}");
}

#[test]
fn a_check_refuses_settings_with_which_no_server_starts() {
    let world = World::new();
    world.file("file", 1);
    let (taken, _kept) = nobody();
    let taken = &*taken.to_string();
    for (words, code, why) in [
        (&["--listen", "foo"][..], 2, "--listen: foo is not an address; write HOST:PORT"),
        (&["--listen", "127.0.0.1:99999"], 2, "--listen: 127.0.0.1:99999 is not an address"),
        (&["--listen", "192.0.2.1:9000"], 1, "cannot listen on 192.0.2.1:9000: "),
        #[cfg(unix)]
        (
            &["--listen", "unix:nowhere/s"],
            1,
            "cannot listen on nowhere/s: there is no folder nowhere; make it",
        ),
        #[cfg(unix)]
        (&["--listen", "unix:file"], 1, "cannot listen on file: there is a file that is not a socket"),
        (&["--listen", "127.0.0.1:0", "--metrics", "foo"], 2, "--metrics: foo is not an address"),
        (&["--listen", taken, "--metrics", taken], 1, "choose another --metrics"),
        (&["--listen", "127.0.0.1:0", "--dir", "file"], 1, "file: it is not a folder; choose another --dir"),
        (&["--listen", "127.0.0.1:0", "--dir", "file/new"], 1, "file/new: cannot be made: "),
    ] {
        let check = world.run(["serve", "--check"].iter().chain(words));
        assert!(check.code == Some(code) && check.stderr.contains(why), "{words:?}: {check:?}");
        // A port in use is no fault of the settings, but prevents every server from starting.
        if !words.contains(&taken) {
            let serve = world.run(["serve"].iter().chain(words));
            assert!(serve.code == Some(code) && serve.stderr.contains(why), "{words:?}: {serve:?}");
        }
    }
    let server = world.serve(&[]);
    let address = server.address().to_string();
    let check = world.run(["serve", "--check", "--listen", &address, "--dir", "new"]);
    assert_eq!(check.code, Some(0), "it may be the server that is to be started anew: {check:?}");
    assert!(!world.path("new").exists(), "nothing is made");
}

#[test]
#[cfg_attr(windows, ignore = "there are no signals")]
fn a_server_at_all_addresses_shows_no_address_that_clients_cannot_use() {
    let world = World::new();
    world.file("a", 1000);
    let args = ["serve", "--listen", "0.0.0.0:0", "--dir", "inbox", "--tls-self-signed"];
    let mut server = Process::start(&mut world.bowline(args));
    let line = server.line().expect("it listens");
    let port = line.strip_prefix("listening on wss://0.0.0.0:").expect("the agreed words").to_owned();
    let url = format!("wss://127.0.0.1:{port}");
    assert_eq!(world.run(["send", "a", &url, "--ca", "state/self-signed.pem"]).code, Some(0));
    server.signal(Signal::INT);
    let told = server.finish().stderr;
    let words = "to send a file here with the name or address of this machine for HOST: ";
    let command = told.lines().find_map(|line| line.strip_prefix(words)).expect("told");
    assert!(command.starts_with(&format!("bowline send FILE wss://HOST:{port} --pin sha256:")), "{command}");
}

#[test]
fn a_check_of_the_settings_makes_no_certificate() {
    let world = World::new();
    let check = ["serve", "--check", "--tls-self-signed", "--dir", "fresh"];
    assert_eq!(world.run(check).stdout, "the settings can be used\n");
    assert!(!world.path("state/self-signed.pem").exists() && !world.path("state/self-signed.key").exists());
    let mut command = world.bowline(check);
    world.file("file", 1);
    let done = Process::start(command.env("BOWLINE_STATE_DIR", "file/state")).finish();
    assert!(
        done.code == Some(1) && done.stderr.contains("file/state: no certificate can be made: "),
        "{done:?}"
    );
    // An existing one is checked.
    drop(self_signed(&world));
    assert_eq!(world.run(check).code, Some(0));
    fs::write(world.path("state/self-signed.key"), "no key").expect("ours");
    let done = world.run(check);
    assert!(done.code == Some(1) && done.stderr.contains("self-signed.key: "), "{done:?}");
}

#[cfg(unix)]
#[test]
fn a_certificate_is_not_waited_for_while_another_process_keeps_its_folder_locked() {
    let world = World::new();
    let state = world.path("state");
    fs::create_dir(&state).expect("a folder");
    let folder = fs::File::open(&state).expect("a folder");
    rustix::fs::flock(&folder, rustix::fs::FlockOperation::LockExclusive).expect("nobody has locked it");
    let done = world.run(["serve", "--listen", "127.0.0.1:0", "--dir", "inbox", "--tls-self-signed"]);
    let shown = state.display();
    let expected = format!(
        "bowline: {shown}: no certificate can be made: another process has kept the folder {shown} locked for 2 s; end that \
         process, or set BOWLINE_STATE_DIR to another folder\n"
    );
    assert_eq!((done.code, done.stderr), (Some(1), expected));
}

/// A server that has made its own certificate, and its URL.
fn self_signed(world: &World) -> (Process, String) {
    let args = ["serve", "--listen", "127.0.0.1:0", "--dir", "inbox", "--tls-self-signed"];
    let mut process = Process::start(&mut world.bowline(args));
    let line = process.line().expect("it listens");
    let url = line.strip_prefix("listening on ").expect("the agreed words").to_owned();
    (process, url)
}

#[cfg(unix)]
#[test]
fn a_server_with_a_certificate_of_its_own_tells_how_to_come_to_it() {
    let world = World::new();
    world.file("a", 100_000);
    let (server, url) = self_signed(&world);
    let key = fs::metadata(world.path("state/self-signed.key")).expect("it is kept").permissions();
    assert_eq!(key.mode() & 0o777, 0o600);
    let by_file = world.run(["send", "a", &url, "--ca", "state/self-signed.pem"]);
    assert_eq!(by_file.code, Some(0), "{by_file:?}");
    let wrong = format!("sha256:{}", "0".repeat(64));
    let refused = world.run(["fetch", &format!("{url}/a"), "-o", "back", "--pin", &wrong]);
    assert!(refused.code == Some(1) && refused.stderr.contains("is not the pinned one"), "{refused:?}");
    server.signal(Signal::INT);
    let told = server.finish().stderr;
    let command =
        told.lines().find_map(|line| line.strip_prefix("to send a file here: bowline ")).expect("told");
    assert!(command.starts_with(&format!("send FILE {url} --pin sha256:")), "{command}");

    // The certificate is kept, and so is the fingerprint.
    let certificate = fs::read(world.path("state/self-signed.pem")).expect("it is kept");
    let (server, again) = self_signed(&world);
    world.file("b", 1000);
    let command = command.replace("FILE", "b").replace(&url, &again);
    let sent = world.run(command.split(' '));
    assert_eq!(sent.code, Some(0), "{sent:?}");
    assert!(world.inbox("b") == crate::common::bytes("b", 1000));
    assert!(certificate == fs::read(world.path("state/self-signed.pem")).expect("it is kept"));
    drop(server);
    let pair = ["serve", "--tls-self-signed", "--tls-cert", "x", "--tls-key", "y"];
    assert_eq!(world.run(pair).code, Some(2));
}
