//! Servers and clients at Unix sockets.

use crate::common::{Process, Signal, World, bytes};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

fn serve(world: &World) -> Process {
    let serve = ["serve", "--listen", "unix:bowline.sock", "--dir", "inbox"];
    let mut server = Process::start(&mut world.bowline(serve));
    assert_eq!(server.line().as_deref(), Some("listening on unix:bowline.sock"));
    server
}

#[test]
fn a_file_crosses_a_socket_both_ways_and_the_socket_goes_with_the_server() {
    let world = World::new();
    let server = serve(&world);
    let mode = fs::metadata(world.path("bowline.sock")).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    world.file("a.bin", 1_000_000);
    let done = world.run(["send", "a.bin", "ws://localhost", "--unix", "bowline.sock", "--explain"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(world.inbox("a.bin") == bytes("a.bin", 1_000_000));
    assert!(done.stderr.contains("dials ws://localhost/ at bowline.sock\n"), "{done:?}");
    let done = world.run(["fetch", "ws://localhost/a.bin", "-o", "back", "--unix", "bowline.sock"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(fs::read(world.path("back")).expect("it came") == bytes("a.bin", 1_000_000));
    let done = world.run(["probe", "ws://localhost/", "--unix", "bowline.sock"]);
    assert_eq!(done.code, Some(0), "{done:?}");

    server.signal(Signal::TERM);
    let done = server.finish();
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(!world.path("bowline.sock").exists());
    let done =
        world.run(["send", "a.bin", "ws://localhost", "--unix", "bowline.sock", "--give-up-after", "5s"]);
    assert_eq!(done.code, Some(3), "{done:?}");
    assert!(done.stderr.contains("bowline.sock: there is no such socket"), "{done:?}");
}

#[test]
fn a_socket_for_which_tls_is_wanted_is_refused_with_what_was_given() {
    let world = World::new();
    for (given, named) in [
        (&["--tls-self-signed"][..], "--tls-self-signed"),
        (&["--tls-cert", "cert.pem", "--tls-key", "key.pem"], "--tls-cert and --tls-key"),
    ] {
        let done = world.run([&["serve", "--listen", "unix:bowline.sock", "--dir", "inbox"], given].concat());
        let expected = format!("bowline: over a Unix socket no TLS is spoken; leave {named} away\n");
        assert_eq!((done.code, done.stderr), (Some(2), expected));
        assert!(!world.path("state").exists(), "and nothing was made");
    }
}

#[test]
fn the_socket_of_a_server_that_was_killed_is_replaced_and_that_of_another_is_not() {
    let world = World::new();
    serve(&world).kill();
    let done = world.run(["fetch", "ws://localhost/a", "--unix", "bowline.sock", "--give-up-after", "5s"]);
    assert!(done.stderr.contains("bowline.sock: nobody listens at this socket"), "{done:?}");
    let _server = serve(&world);
    let done = world.run(["serve", "--listen", "unix:bowline.sock", "--dir", "other"]);
    assert_eq!(done.code, Some(1), "{done:?}");
    assert!(done.stderr.contains("cannot listen on bowline.sock: somebody listens there"), "{done:?}");
    world.file("a.bin", 10);
    assert_eq!(world.run(["send", "a.bin", "ws://localhost", "--unix", "bowline.sock"]).code, Some(0));
    let done = world.run(["send", "a.bin", "wss://localhost", "--unix", "bowline.sock"]);
    assert!(done.code == Some(1) && done.stderr.contains("no TLS is spoken there; write ws://"), "{done:?}");
}

#[test]
fn a_folder_that_another_process_keeps_locked_is_named() {
    let world = World::new();
    let folder = fs::File::open(world.path(".")).expect("a folder");
    rustix::fs::flock(&folder, rustix::fs::FlockOperation::LockExclusive).expect("nobody has locked it");
    let done = world.run(["serve", "--listen", "unix:bowline.sock", "--dir", "inbox"]);
    let expected = "bowline: cannot listen on bowline.sock: another process has kept the folder . locked for 2s; end that \
                    process, or choose another --listen\n";
    assert_eq!((done.code, done.stderr.as_str()), (Some(1), expected));
}

#[test]
fn a_socket_in_the_folder_that_is_served_is_made_with_it() {
    let world = World::new();
    for place in ["new/bowline.sock", "./new/sockets/bowline.sock"] {
        let listen = format!("unix:{place}");
        let serve = ["serve", "--listen", &listen, "--dir", "new"];
        let mut server = Process::start(&mut world.bowline(serve));
        assert_eq!(server.line().as_deref(), Some(&*format!("listening on {listen}")));
        server.kill();
        fs::remove_dir_all(world.path("new")).expect("it is there");
    }
}

#[test]
fn a_socket_in_a_folder_that_is_not_there_is_refused_and_no_folder_is_made() {
    let world = World::new();
    for (folder, place) in [("other", "other/s"), ("new/../other", "new/../other/s")] {
        let done = world.run(["serve", "--listen", &format!("unix:{place}"), "--dir", "new"]);
        let expected = format!(
            "bowline: cannot listen on {place}: there is no folder {folder}; make it, or choose another --listen\n"
        );
        assert_eq!((done.code, done.stderr), (Some(1), expected));
        assert!(!world.path("new").exists() && !world.path("other").exists());
    }
    let long = format!("new/{}", "s".repeat(200));
    let done = world.run(["serve", "--listen", &format!("unix:{long}"), "--dir", "new"]);
    let expected = format!("bowline: cannot listen on {long}: path must be shorter than SUN_LEN");
    assert!(done.code == Some(1) && done.stderr.starts_with(&expected), "{done:?}");
    assert!(!world.path("new").exists());
}
