//! Servers and clients on Unix sockets.

use crate::common::{Process, Signal, World, bytes};
use bowline_blocking::{Handle, Listener, Stream, WebSocket, accept};
use bowline_core::connection::Config;
use bowline_core::message::Delivery;
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::Duration;
use std::{fs, thread};

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
fn a_socket_with_tls_is_refused_naming_the_options_to_leave_out() {
    let world = World::new();
    for (given, named) in [
        (&["--tls-self-signed"][..], "--tls-self-signed"),
        (&["--tls-cert", "cert.pem", "--tls-key", "key.pem"], "--tls-cert and --tls-key"),
    ] {
        let done = world.run([&["serve", "--listen", "unix:bowline.sock", "--dir", "inbox"], given].concat());
        let expected = format!("bowline: there is no TLS on a Unix socket; leave out {named}\n");
        assert_eq!((done.code, done.stderr), (Some(2), expected));
        assert!(!world.path("state").exists(), "and nothing was made");
    }
}

#[test]
fn the_socket_of_a_server_that_was_killed_is_replaced_and_that_of_another_is_not() {
    let world = World::new();
    serve(&world).kill();
    let done = world.run(["fetch", "ws://localhost/a", "--unix", "bowline.sock", "--give-up-after", "5s"]);
    assert!(done.stderr.contains("bowline.sock: nothing is listening at this socket"), "{done:?}");
    let _server = serve(&world);
    let done = world.run(["serve", "--listen", "unix:bowline.sock", "--dir", "other"]);
    assert_eq!(done.code, Some(1), "{done:?}");
    assert!(
        done.stderr.contains("cannot listen on bowline.sock: something is already listening there"),
        "{done:?}"
    );
    world.file("a.bin", 10);
    assert_eq!(world.run(["send", "a.bin", "ws://localhost", "--unix", "bowline.sock"]).code, Some(0));
    let done = world.run(["send", "a.bin", "wss://localhost", "--unix", "bowline.sock"]);
    assert!(
        done.code == Some(1) && done.stderr.contains("there is no TLS on a Unix socket; write ws://"),
        "{done:?}"
    );
}

#[test]
fn a_folder_that_another_process_keeps_locked_is_named() {
    let world = World::new();
    let folder = fs::File::open(world.path(".")).expect("a folder");
    rustix::fs::flock(&folder, rustix::fs::FlockOperation::LockExclusive).expect("nobody has locked it");
    let done = world.run(["serve", "--listen", "unix:bowline.sock", "--dir", "inbox"]);
    let expected = "bowline: cannot listen on bowline.sock: another process has kept the folder . locked for 2 s; end that \
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

/// Reads little at a time, and seldom: a path that carries less than a mebibyte per second.
struct Slow(UnixStream);

impl Read for Slow {
    fn read(&mut self, place: &mut [u8]) -> io::Result<usize> {
        let most = place.len().min(16 << 10);
        let n = self.0.read(&mut place[..most])?;
        thread::sleep(Duration::from_millis(20) * u32::try_from(n).unwrap_or(0) / (16 << 10));
        Ok(n)
    }
}

impl Write for Slow {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stream for Slow {
    fn set_nonblocking(&self) -> io::Result<()> {
        self.0.set_nonblocking(true)
    }

    fn socket(&self) -> Handle<'_> {
        Stream::socket(&self.0)
    }

    fn finish_writing(&mut self) -> io::Result<()> {
        self.0.finish_writing()
    }
}

#[test]
fn a_message_that_is_still_in_flight_does_not_count_as_accepted() {
    const LIMIT: u64 = 1 << 20;
    let world = World::new();
    let door = UnixListener::bind(world.path("slow.sock")).expect("a socket");
    let listener = Listener::new(door).expect("a listener");
    thread::spawn(move || {
        listener.serve(|stream, _| {
            let mut config = Config::default();
            config.limits.message = Some(LIMIT);
            config.delivery = Delivery::Pieces;
            let accepted =
                accept::accept(Slow(stream), &accept::Config::default(), |_, _| accept::Decision::accept());
            if let Ok(accepted) = accepted {
                WebSocket::server(accepted, config).expect("random bytes").ended();
            }
        })
    });
    let args = ["probe", "ws://localhost/", "--unix", "slow.sock", "--json", "--largest=4MiB"];
    let done = world.run(args);
    let found = done.stdout.lines().find(|line| line.contains("\"largest\"")).expect("a finding");
    let found: serde_json::Value = serde_json::from_str(found).expect("JSON");
    let (taken, refused) = (found["taken"].as_u64(), found["refused"].as_u64());
    assert!(taken <= Some(LIMIT) && refused > Some(LIMIT), "{done:?}");
}
