//! Processes that are killed in the middle of a file, and others that continue.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use bowline_host::server::ServerConfig;

use crate::ends::{Adapter, Client, Pair};
use crate::papers::{Over, PAPERS, papers};
use crate::rig::{
    Serving, contents, eventually, folder, id, kept, name, quick, reserved, slow, source, store, until,
};

const LEN: usize = 6_000_000;
/// So that a test that does not run for some seconds still gets to the middle.
const RATE: u64 = 1_000_000;

/// Tells this test binary that it is one of those processes.
const PART: &str = "BOWLINE_TEST_PART";

/// Runs this test binary as the other process, which is killed when this is dropped.
struct Process(Child);

impl Process {
    fn client(pair: Pair, server: SocketAddr, path: &Path) -> Self {
        Self::start(pair.client, pair.over, "client", server, path)
    }

    fn server(pair: Pair, at: SocketAddr, path: &Path) -> Self {
        Self::start(pair.server, pair.over, "server", at, path)
    }

    fn start(adapter: Adapter, over: Over, role: &str, address: SocketAddr, path: &Path) -> Self {
        let part = format!("{adapter:?}\n{over:?}\n{role}\n{address}\n{}", path.display());
        let child = Command::new(std::env::current_exe().expect("this test"))
            .args(["--exact", "killed::the_other_process", "--ignored", "--nocapture"])
            .env(PART, part)
            .env(PAPERS, &papers().pem)
            .stdout(Stdio::piped())
            .spawn();
        Self(child.expect("a process"))
    }

    fn output(mut self) -> String {
        let mut text = String::new();
        let mut stdout = self.0.stdout.take().expect("piped");
        std::io::Read::read_to_string(&mut stdout, &mut text).expect("text");
        assert!(self.0.wait().expect("ended").success(), "{text}");
        text
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // If it has already ended, that is just as good.
        let _ = (self.0.kill(), self.0.wait());
    }
}

#[test]
#[ignore = "a part of the tests in this file, which start it"]
fn the_other_process() {
    let Ok(part) = std::env::var(PART) else { return };
    let [adapter, over, role, address, path] = part.split('\n').collect::<Vec<_>>()[..] else {
        panic!("{part}")
    };
    let adapter = if adapter == "Tokio" { Adapter::Tokio } else { Adapter::Blocking };
    let over = if over == "Tcp" { Over::Tcp } else { Over::Tls };
    let address: SocketAddr = address.parse().expect("an address");
    if role == "client" {
        upload(&*adapter.client(&over.url(address), over.client(slow(RATE))), Path::new(path));
    } else {
        let config = over.server(ServerConfig::default());
        let _server = adapter.server(address, store(Path::new(path)), config);
        loop {
            std::thread::park();
        }
    }
}

#[allow(clippy::print_stdout)]
fn upload(client: &dyn Client, path: &Path) {
    let mut transfer = client.upload(path, name("file"), id(1)).expect("queued");
    let first = until(&mut transfer, |progress| progress.received > 0);
    println!("it began with {} bytes", first.received);
    transfer.finished().expect("sent");
}

pub(crate) fn a_client_that_was_killed_goes_on_when_it_is_started_again(pair: Pair) {
    let serving = Serving::start(pair, ServerConfig::default());
    let dir = folder();
    let (path, address) = (source(&dir, LEN), serving.server.address());
    let first = Process::client(pair, address, &path);
    eventually("something came", || kept(serving.dir.path()) > 2_000_000);
    drop(first);
    let told = Process::client(pair, address, &path).output();
    let began = told.split("it began with ").nth(1).and_then(|rest| rest.split(' ').next()).expect("told");
    assert!(began.parse::<u64>().is_ok_and(|began| began > 1_000_000), "{told}");
    assert_eq!(serving.file("file"), contents(LEN));
}

pub(crate) fn a_server_that_was_killed_goes_on_when_it_is_started_again(pair: Pair) {
    let (address, _kept) = reserved();
    let (inbox, dir) = (folder(), folder());
    let start = || Process::server(pair, address, inbox.path());
    let first = start();
    let mut config = quick();
    config.transfer.limit_rate = Some(RATE);
    let client = pair.client.client(&pair.over.url(address), pair.over.client(config));
    let mut transfer = client.upload(&source(&dir, LEN), name("file"), id(1)).expect("queued");
    let durable = until(&mut transfer, |progress| progress.durable > 1_000_000).durable;
    drop(first);
    let _second = start();
    let sent = transfer.finished().expect("sent");
    assert!(sent.links == 2 && sent.resent <= LEN as u64 - durable, "{sent:?}");
    assert_eq!(std::fs::read(inbox.path().join("file")).expect("there"), contents(LEN));
}
