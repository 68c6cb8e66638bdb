//! `wss://`, from the certificate's file to the file that arrives.

use crate::common::{Process, Signal, World};
use rcgen::{CertificateParams, DnType, KeyPair};
use std::fs;

/// Puts a certificate and its key where `serve` is told to look. A client that trusts `name`.pem trusts this server.
pub(crate) fn write_papers(world: &World, name: &str) {
    let mut params = CertificateParams::new(["127.0.0.1".into()]).expect("a good name");
    params.distinguished_name.push(DnType::CommonName, name);
    let key = KeyPair::generate().expect("random bytes");
    let certificate = params.self_signed(&key).expect("signed").pem();
    fs::write(world.path(&format!("{name}.pem")), &certificate).expect("written");
    fs::write(world.path("server.pem"), certificate).expect("written");
    fs::write(world.path("key.pem"), key.serialize_pem()).expect("written");
}

fn serve(world: &World) -> (Process, String) {
    let tls = ["--tls-cert", "server.pem", "--tls-key", "key.pem"];
    let serve = ["serve", "--listen", "127.0.0.1:0", "--dir", "inbox"];
    let mut process = Process::start(&mut world.bowline(serve.into_iter().chain(tls)));
    let line = process.line().expect("a server says where it listens");
    let url = line.strip_prefix("listening on ").expect("the agreed words").to_owned();
    assert!(url.starts_with("wss://127.0.0.1:"), "{url}");
    (process, url)
}

#[test]
fn a_file_is_sent_only_to_a_trusted_server() {
    let world = World::new();
    write_papers(&world, "first");
    let (_server, url) = serve(&world);
    world.file("a.bin", 1_000_000);
    let done = world.run(["send", "a.bin", &url, "--ca", "first.pem"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(world.inbox("a.bin") == fs::read(world.path("a.bin")).expect("it is there"));

    let done = world.run(["fetch", &format!("{url}/a.bin"), "-o", "back.bin"]);
    assert_eq!(done.code, Some(1), "{done:?}");
    let words = [
        "no authority that we trust has signed this server's certificate",
        "this system has no root certificates",
    ];
    assert!(words.iter().any(|words| done.stderr.contains(words)), "{done:?}");
    let remedy = "; check the URL and its certificate, or say with --ca or --pin whom to trust\n";
    assert!(done.stderr.ends_with(remedy), "{done:?}");
    let done = world.run(["fetch", &format!("{url}/a.bin"), "-o", "back.bin", "--insecure"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(done.stderr.starts_with("WARNING: --insecure trusts anybody"), "{done:?}");

    let done = world.run(["probe", &url, "--ca", "first.pem"]);
    assert!(done.code == Some(0) && done.stderr.contains("; TLS 1.3; subprotocol"), "{done:?}");
    let done = world.run(["probe", &url.replace("wss", "ws"), "--timeout", "5s"]);
    assert_ne!(done.code, Some(0), "{done:?}");
}

#[test]
fn tls_with_a_server_that_has_none_fails_with_advice_to_use_ws() {
    let world = World::new();
    world.file("a.bin", 10);
    let server = world.serve(&[]);
    let url = server.url.replace("ws", "wss");
    let why = "what answers does not speak TLS; ws:// may be right";
    for words in [
        &["send", "a.bin", &*url][..],
        &["fetch", &format!("{url}/a.bin")],
        &["probe", &url],
        &["watch", &url],
    ] {
        let done = world.run(words);
        assert!(done.code == Some(1) && done.stderr.contains(why), "{done:?}");
        assert!(!done.stderr.contains("--ca"), "{done:?}");
    }
}

#[test]
fn a_pin_with_a_url_without_tls_is_refused() {
    let world = World::new();
    world.file("a.bin", 10);
    let pin = format!("sha256:{}", "ab".repeat(32));
    let send = ["send", "a.bin", "ws://user:secret@127.0.0.1:1/?key=secret"];
    for command in [send.as_slice(), &["probe", "WS://127.0.0.1:1"]] {
        let done = world.run(command.iter().copied().chain(["--pin", &pin]));
        let words = "--pin says whom to trust behind wss://, but ws://127.0.0.1:1/";
        assert!(done.code == Some(2) && done.stderr.contains(words), "{done:?}");
        assert!(!done.stderr.contains("secret"), "{done:?}");
    }
}

#[test]
#[cfg_attr(windows, ignore = "there are no signals")]
fn a_new_certificate_is_taken_without_a_restart() {
    let world = World::new();
    write_papers(&world, "first");
    let tls = ["--tls-cert", "server.pem", "--tls-key", "key.pem"];
    let (server, url, mut words) = world.serve_aloud(&tls);
    let is_believed = |by: &str| world.run(["probe", &url, "--ca", by]).code == Some(0);
    fs::write(world.path("key.pem"), "nonsense").expect("written");
    server.signal(Signal::HUP);
    words.until("key.pem: there is no private key in it");
    assert!(is_believed("first.pem"), "nothing has changed");

    write_papers(&world, "second");
    server.signal(Signal::HUP);
    words.until("the certificate was read again");
    assert!(is_believed("second.pem") && !is_believed("first.pem"));
}

#[test]
fn unusable_certificates_and_keys_are_reported_by_file_name() {
    let world = World::new();
    write_papers(&world, "first");
    for (args, code, words) in [
        (["--tls-cert", "server.pem", "--tls-key", "none.pem"].as_slice(), 1, "none.pem: "),
        (&["--tls-cert", "key.pem", "--tls-key", "key.pem"], 1, "key.pem: there is no certificate in it"),
        (&["--tls-cert", "server.pem"], 2, "--tls-key"),
    ] {
        let done = world.run([&["serve", "--listen", "127.0.0.1:0"], args].concat());
        assert!(done.code == Some(code) && done.stderr.contains(words), "{done:?}");
    }
    let done = world.run(["probe", "wss://127.0.0.1:1/", "--ca", "none.pem"]);
    assert!(done.code == Some(1) && done.stderr.contains("none.pem: "), "{done:?}");
}
