//! Clients behind proxies, which speak HTTP or SOCKS and are as slow or as unwilling as they may be.

use std::io::{Read, Write, copy};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use bowline_core::transfer::Digest;
use bowline_host::client::{ClientConfig, LinkEvent};
use bowline_host::proxy::Proxies;
use bowline_host::server::ServerConfig;
use bowline_host::transfer::TransferError;

use crate::ends::Pair;
use crate::rig::{Serving, answering, anywhere, contents, end, folder, id, name, nobody, quick, source};

/// A proxy that requires "ann" and "pass word", and sends each byte of its answers separately.
struct Proxy {
    address: SocketAddr,
    /// How many connections it has led to a server.
    led: Arc<AtomicUsize>,
}

impl Proxy {
    fn start(speak: fn(&mut TcpStream) -> Option<SocketAddr>) -> Self {
        let listener = TcpListener::bind(anywhere()).expect("a port");
        let (address, led) = (listener.local_addr().expect("bound"), Arc::new(AtomicUsize::new(0)));
        let count = Arc::clone(&led);
        thread::spawn(move || {
            for mut near in listener.incoming().map_while(Result::ok) {
                let count = Arc::clone(&count);
                thread::spawn(move || {
                    let Some(to) = speak(&mut near) else { return };
                    let Ok(far) = TcpStream::connect(to) else { return };
                    count.fetch_add(1, Ordering::SeqCst);
                    lead(near, far);
                });
            }
        });
        Self { address, led }
    }
}

fn lead(near: TcpStream, far: TcpStream) {
    let back = (far.try_clone().expect("cloned"), near.try_clone().expect("cloned"));
    for (from, to) in [(near, far), back] {
        thread::spawn(move || {
            let _ = copy(&mut &from, &mut &to);
            let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
        });
    }
}

fn slowly(stream: &mut TcpStream, words: &[u8]) {
    stream.set_nodelay(true).expect("a socket");
    for byte in words {
        if stream.write_all(&[*byte]).is_err() {
            return;
        }
        thread::sleep(Duration::from_millis(1));
    }
}

fn read<const N: usize>(stream: &mut TcpStream) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes).ok()?;
    Some(bytes)
}

fn read_some(stream: &mut TcpStream, length: u8) -> Option<Vec<u8>> {
    let mut bytes = vec![0; length.into()];
    stream.read_exact(&mut bytes).ok()?;
    Some(bytes)
}

fn http(stream: &mut TcpStream) -> Option<SocketAddr> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.extend(read::<1>(stream)?);
    }
    let head = String::from_utf8(head).ok()?;
    let place = head.strip_prefix("CONNECT ")?.split(' ').next()?.parse().ok()?;
    if !head.contains("Proxy-Authorization: Basic YW5uOnBhc3Mgd29yZA==\r\n") {
        slowly(stream, b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\n\r\n");
        return None;
    }
    slowly(stream, b"HTTP/1.1 200 Connection established\r\nVia: 1.1 test\r\n\r\n");
    Some(place)
}

fn socks(stream: &mut TcpStream) -> Option<SocketAddr> {
    let [5, methods] = read(stream)? else { return None };
    if !read_some(stream, methods)?.contains(&2) {
        slowly(stream, &[5, 0xff]);
        return None;
    }
    slowly(stream, &[5, 2]);
    let [1, length] = read(stream)? else { return None };
    let user = read_some(stream, length)?;
    let [length] = read(stream)?;
    let right = user == b"ann" && read_some(stream, length)? == b"pass word";
    slowly(stream, &[1, u8::from(!right)]);
    let [5, 1, 0, 1] = read(stream)? else { return None };
    let address: [u8; 4] = read(stream)?;
    let port = u16::from_be_bytes(read(stream)?);
    slowly(stream, &[5, 0, 0, 3, 2, b'a', b'b', 0, 1]);
    Some(SocketAddr::from((Ipv4Addr::from(address), port)))
}

/// A client that goes through this proxy.
fn through(mut config: ClientConfig, proxy: &str) -> ClientConfig {
    config.dial.proxies = Proxies::always(proxy.parse().expect("a proxy"));
    config
}

pub(crate) fn a_file_crosses_proxies_of_both_kinds(pair: Pair) {
    for (scheme, proxy) in [("http", Proxy::start(http)), ("socks5", Proxy::start(socks))] {
        let serving = Serving::start(pair, ServerConfig::default());
        let dir = folder();
        let url = format!("{scheme}://ann:pass%20word@{}", proxy.address);
        let client = serving.client(through(quick(), &url));
        let sent = end(client.upload(&source(&dir, 300_000), name("file"), id(1))).expect(scheme);
        assert_eq!(sent.digest, Digest::of(&contents(300_000)), "{scheme}");
        assert!(serving.file("file") == contents(300_000), "{scheme}");
        assert_eq!(proxy.led.load(Ordering::SeqCst), 1, "{scheme}");
        client.close();
    }
}

pub(crate) fn a_file_crosses_a_unix_socket(pair: Pair) {
    let serving = Serving::start(pair, ServerConfig::default());
    let dir = folder();
    let path = dir.path().join("socket");
    let (listener, _file) = bowline_host::unix::listen(&path).expect("a socket");
    let server = serving.server.address();
    thread::spawn(move || carry(&listener, server));
    let mut config = quick();
    config.dial.unix = Some(path);
    let client = serving.client(config);
    end(client.upload(&source(&dir, 300_000), name("file"), id(1))).expect("sent");
    assert!(serving.file("file") == contents(300_000));
    client.close();
}

/// Relays one connection after the other to the server.
fn carry(listener: &UnixListener, server: SocketAddr) {
    while let Ok((near, _)) = listener.accept() {
        let far = TcpStream::connect(server).expect("the server");
        let (back, forth) = (near.try_clone().expect("cloned"), far.try_clone().expect("cloned"));
        thread::spawn(move || {
            let _ = copy(&mut &far, &mut &back);
            let _ = back.shutdown(Shutdown::Both);
        });
        let _ = copy(&mut &near, &mut &forth);
        let _ = forth.shutdown(Shutdown::Both);
    }
}

pub(crate) fn a_unix_socket_with_a_full_queue_is_waited_for(pair: Pair) {
    let serving = Serving::start(pair, ServerConfig::default());
    let dir = folder();
    let path = dir.path().join("socket");
    let (listener, _file) = bowline_host::unix::listen(&path).expect("a socket");
    let call = || bowline_host::unix::connect(&path, Duration::from_millis(50));
    // If it did not run for so long, it does not know whether there was a place.
    let waiting: Vec<_> = std::iter::from_fn(|| (0..3).find_map(|_| call().ok())).collect();
    assert!(waiting.len() > 100, "{} wait", waiting.len());
    let mut config = quick();
    config.dial.unix = Some(path.clone());
    config.dial.connect_timeout = Duration::from_millis(400);
    let mut client = serving.client(config);
    let why = loop {
        if let LinkEvent::DialFailed { disconnect, .. } = client.event() {
            break disconnect.to_string();
        }
    };
    assert!(why.contains("400 ms"), "{why}");
    drop(waiting);
    let server = serving.server.address();
    thread::spawn(move || carry(&listener, server));
    end(client.upload(&source(&dir, 1000), name("file"), id(1))).expect("sent");
}

/// Why a file does not get through this proxy.
fn refusal(pair: Pair, proxy: &str) -> TransferError {
    let serving = Serving::start(pair, ServerConfig::default());
    let dir = folder();
    let client = serving.client(through(quick(), proxy));
    end(client.upload(&source(&dir, 1000), name("file"), id(1))).expect_err("it does not let us through")
}

pub(crate) fn a_proxy_that_wants_a_login_is_named_with_its_status(pair: Pair) {
    let address = Proxy::start(http).address;
    let TransferError::Refused(why) = refusal(pair, &format!("http://{address}")) else { panic!("for good") };
    let words =
        format!("the proxy http://{address} answered 407 Proxy Authentication Required: it wants a user");
    assert!(why.contains(&words), "{why}");
    let TransferError::Refused(why) = refusal(pair, &format!("http://ann:geheim@{address}")) else {
        panic!("for good")
    };
    assert!(
        why.ends_with("it does not accept the user and the password") && !why.contains("geheim"),
        "{why}"
    );
    let address = Proxy::start(socks).address;
    let TransferError::Refused(why) = refusal(pair, &format!("socks5://ann:geheim@{address}")) else {
        panic!("for good")
    };
    assert!(why.ends_with("does not accept the user and the password") && !why.contains("geheim"), "{why}");
}

/// The first report about a failed dial through this proxy; `retried`: and another one follows.
fn dial_failed(pair: Pair, config: ClientConfig, proxy: &str, retried: bool) -> String {
    let serving = Serving::start(pair, ServerConfig::default());
    let mut client = serving.client(through(config, proxy));
    let mut failures = std::iter::from_fn(|| Some(client.event())).filter_map(|event| match event {
        LinkEvent::DialFailed { disconnect, .. } => Some(disconnect.to_string()),
        _ => None,
    });
    let first = failures.next().expect("it fails");
    if retried {
        failures.next().expect("it is tried again");
    }
    first
}

pub(crate) fn a_proxy_that_does_not_reach_the_server_is_asked_again(pair: Pair) {
    let address = answering("HTTP/1.1 503 Busy\r\n\r\n");
    let why = dial_failed(pair, quick(), &format!("http://{address}"), true);
    assert!(why.ends_with("answered 503 Service Unavailable: it cannot reach the server"), "{why}");
}

pub(crate) fn a_proxy_that_is_not_there_is_named(pair: Pair) {
    let (address, _kept) = nobody();
    let why = dial_failed(pair, quick(), &format!("socks5://{address}"), true);
    assert_eq!(why, format!("nothing is listening at the proxy socks5://{address} (connection refused)"));
}

pub(crate) fn a_proxy_that_says_nothing_is_named_when_the_time_is_over(pair: Pair) {
    let listener = TcpListener::bind(anywhere()).expect("a port");
    let address = listener.local_addr().expect("bound");
    let mut config = quick();
    config.dial.connect_timeout = Duration::from_millis(300);
    let words = format!("the proxy http://{address} did not answer within 300 ms; 0 bytes came");
    // If it did not run for so long, it knows only that the time was over.
    let mut failures = (0..10).map(|_| dial_failed(pair, config.clone(), &format!("http://{address}"), true));
    assert!(failures.any(|why| why.ends_with(&words)), "{words}");
}
