//! Proxies, from the command line and from the environment.

use crate::common::{Process, World};
use std::fs;
use std::io::{Read as _, Write as _, copy};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// A proxy that leads everybody to one server, and remembers what was requested and how. It also speaks SOCKS 5.
pub(crate) struct Proxy {
    pub(crate) url: String,
    server: Arc<Mutex<Option<SocketAddr>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    fn to(server: SocketAddr, answer: &'static str) -> Self {
        let proxy = Self::answering(answer);
        proxy.lead_to(server);
        proxy
    }

    /// A proxy whose server is not known yet.
    #[cfg(unix)]
    pub(crate) fn nowhere() -> Self {
        Self::answering(OPEN)
    }

    pub(crate) fn lead_to(&self, server: SocketAddr) {
        *self.server.lock().expect("no panic") = Some(server);
    }

    fn answering(answer: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let server: Arc<Mutex<Option<SocketAddr>>> = Arc::default();
        let (log, place) = (Arc::clone(&asked), Arc::clone(&server));
        thread::spawn(move || {
            for mut near in listener.incoming().map_while(Result::ok) {
                let mut first = [0];
                near.peek(&mut first).expect("it speaks first");
                if first == [5] {
                    serve_socks(&mut near);
                } else {
                    log.lock().expect("no panic").push(head(&mut near));
                    near.write_all(answer.as_bytes()).expect("it reads");
                }
                let server = place.lock().expect("no panic").expect("it leads somewhere");
                let far = TcpStream::connect(server).expect("the server is there");
                let back = (far.try_clone().expect("a handle"), near.try_clone().expect("a handle"));
                for (mut from, mut to) in [(near, far), back] {
                    thread::spawn(move || {
                        let _ = copy(&mut from, &mut to);
                        let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
                    });
                }
            }
        });
        Self { url, server, asked }
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().expect("no panic"))
    }
}

/// The head of a request.
fn head(near: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        near.read_exact(&mut byte).expect("a whole request");
        head.extend(byte);
    }
    String::from_utf8(head).expect("text")
}

/// Lets everybody in, and accepts whatever is requested (RFC 1928).
fn serve_socks(near: &mut TcpStream) {
    let mut from = near.try_clone().expect("a handle");
    let mut read = |len: u8| {
        let mut bytes = vec![0; len.into()];
        from.read_exact(&mut bytes).expect("a whole request");
        bytes
    };
    let ways = read(2)[1];
    read(ways);
    near.write_all(&[5, 0]).expect("it reads");
    let address = match read(4)[3] {
        1 => 4,
        4 => 16,
        _ => read(1)[0],
    };
    read(address + 2);
    near.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).expect("it reads");
}

const OPEN: &str = "HTTP/1.1 200 Connection established\r\n\r\n";

#[test]
fn a_proxy_of_the_environment_leads_to_other_machines_and_not_to_this_one() {
    let world = World::new();
    let server = world.serve(&[]);
    let proxy = Proxy::to(server.address(), OPEN);
    world.file("a.bin", 100_000);
    let run = |args: &[&str]| {
        let mut command = world.bowline(args);
        Process::start(command.env("HTTP_PROXY", &proxy.url).env("NO_PROXY", "near.example")).finish()
    };
    // Only the proxy knows this name.
    let done = run(&["send", "a.bin", "ws://files.example:81/"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(world.inbox("a.bin") == fs::read(world.path("a.bin")).expect("it is there"));
    let asked = proxy.asked();
    assert!(asked.len() == 1 && asked[0].starts_with("CONNECT files.example:81 HTTP/1.1\r\n"), "{asked:?}");

    let probed = run(&["probe", "ws://files.example:81/"]);
    let told = format!("connection  the proxy {} and the server behind it reached in ", proxy.url);
    assert!(probed.code == Some(0) && probed.stderr.contains(&told), "{probed:?}");
    assert_eq!(proxy.asked().len(), 1, "probe goes the same way");
    let probed = run(&["probe", &server.url]);
    assert!(probed.code == Some(0) && !probed.stderr.contains("proxy"), "{probed:?}");
    let far = ["probe", "ws://files.example:81/", "--proxy", "none", "--timeout", "5s"];
    assert_ne!(run(&far).code, Some(0), "who wants no proxy has none");
    assert_ne!(run(&["probe", "ws://near.example/", "--timeout", "5s"]).code, Some(0));
    assert!(proxy.asked().is_empty());
}

#[cfg(unix)]
#[test]
fn a_proxy_variable_that_is_not_text_is_not_ignored() {
    use std::os::unix::ffi::OsStrExt as _;
    let world = World::new();
    let mut command = world.bowline(["probe", "ws://files.example:81/", "--timeout", "5s"]);
    let proxy = std::ffi::OsStr::from_bytes(b"http://caf\xe9.example:1");
    let done = Process::start(command.env("HTTP_PROXY", proxy)).finish();
    assert!(done.code != Some(0) && done.stderr.contains("HTTP_PROXY"), "{done:?}");
}

#[test]
fn a_proxy_of_the_command_line_is_always_used_and_its_password_stays_secret() {
    let world = World::new();
    let server = world.serve(&[]);
    let proxy = Proxy::to(server.address(), OPEN);
    world.file("a.bin", 1000);
    let url = proxy.url.replace("://", "://ann:geheim@");
    let done = world.run(["send", "a.bin", &server.url, "--proxy", &url, "-vv", "--explain"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    let asked = proxy.asked();
    assert!(
        asked.len() == 1 && asked[0].contains("Proxy-Authorization: Basic YW5uOmdlaGVpbQ=="),
        "{asked:?}"
    );
    assert!(!done.stderr.contains("geheim") && !done.stderr.contains("YW5uOmdl"), "{done:?}");
}

#[test]
fn a_proxy_that_wants_a_password_is_named() {
    let world = World::new();
    let server = world.serve(&[]);
    let proxy = Proxy::to(server.address(), "HTTP/1.1 407 Proxy Authentication Required\r\n\r\n");
    let done = world.run(["fetch", &format!("{}/a", server.url), "--proxy", &proxy.url]);
    assert_eq!(done.code, Some(1), "{done:?}");
    let words =
        format!("the proxy {} answered 407 Proxy Authentication Required: it wants a user", proxy.url);
    assert!(done.stderr.contains(&words), "{done:?}");
    assert!(done.stderr.ends_with("; check the proxy, or use --proxy none\n"), "{done:?}");
    let done = world.run(["watch", &server.url, "--proxy", "ftp://x"]);
    assert_eq!(done.code, Some(2), "{done:?}");
    assert!(done.stderr.contains("the scheme of a proxy is `http` or `socks5`, not `ftp`"), "{done:?}");
}
