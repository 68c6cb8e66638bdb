//! Ends that accept nothing and send nothing: nobody waits for them longer than the settings say.

use std::time::{Duration, Instant};

use bowline_blocking::dial;
use bowline_core::closing::Kind;
use bowline_core::connection::Event;
use bowline_core::transfer::SUBPROTOCOL;
use bowline_handshake::client::Request;
use bowline_host::client::{ClientConfig, LinkEvent};
use bowline_host::server::{ServerConfig, ServerEvent};
use bowline_host::transfer::TransferError;

use crate::ends::{LIMIT, Pair};
use crate::rig::{
    Serving, contents, folder, id, kept, name, quick, recovering_proxy, slow, source, stalling_proxy, until,
};

/// More than the system holds between two sockets.
const LEN: usize = 40_000_000;

pub(crate) fn a_peer_that_takes_no_more_is_found_dead_and_the_file_goes_on(pair: Pair) {
    let serving = Serving::start(pair, ServerConfig::default());
    let dir = folder();
    let proxy = stalling_proxy(serving.server.address(), 3_000_000);
    let mut config = quick();
    let heartbeat = &mut config.connection.heartbeat;
    // A server that is slow to answer at first is not given up for that.
    let (interval, timeout) = (Duration::from_millis(200), Duration::from_secs(3));
    (heartbeat.interval, heartbeat.timeout, heartbeat.timeout_max) = (interval, timeout, timeout);
    let mut client = serving.client_at(proxy, config);
    let mut transfer = client.upload(&source(&dir, LEN), name("file"), id(1)).expect("queued");
    until(&mut transfer, |progress| progress.received > 0);
    let start = Instant::now();
    let disconnect = loop {
        if let LinkEvent::Down { disconnect } = client.event() {
            break disconnect;
        }
    };
    // On an overloaded machine, it was we who did not run.
    let is_death =
        matches!(disconnect.kind(), Kind::KeepaliveTimeout | Kind::WriteStall | Kind::LocalSuspend);
    assert!(is_death, "{disconnect}");
    // Without these settings it takes longer.
    let default = ClientConfig::default().connection.heartbeat;
    assert!(start.elapsed() < default.interval + default.timeout, "{:?}", start.elapsed());
    let sent = transfer.finished().expect("sent");
    assert!(sent.links >= 2, "{sent:?}");
    assert!(serving.file("file") == contents(LEN));
}

/// The server does not know yet that the old link is dead, which its heartbeat would find out only later.
pub(crate) fn a_link_that_carries_nothing_more_is_replaced_before_it_is_found_dead(pair: Pair) {
    let serving = Serving::start(pair, ServerConfig::default());
    let dir = folder();
    let proxy = stalling_proxy(serving.server.address(), 3_000_000);
    let mut client = serving.client_at(proxy, quick());
    let mut transfer = client.upload(&source(&dir, LEN), name("file"), id(1)).expect("queued");
    until(&mut transfer, |progress| progress.received > 0);
    let start = Instant::now();
    let mut told = Vec::new();
    let disconnect = loop {
        match client.event() {
            LinkEvent::Down { disconnect } => break disconnect,
            event => told.push(event),
        }
    };
    if disconnect.kind() == Kind::LocalSuspend {
        // On an overloaded machine, it was we who did not run.
        return;
    }
    let default = ClientConfig::default().connection.heartbeat;
    assert!(start.elapsed() < default.interval + default.timeout, "{:?}", start.elapsed());
    assert!(disconnect.to_string().contains("replaced by a new connection"), "{disconnect}");
    let is_doubt = |event: &LinkEvent| matches!(event, LinkEvent::Notice(Event::Doubtful { .. }));
    assert!(told.iter().any(is_doubt), "{told:?}");
    assert!(told.iter().any(|event| matches!(event, LinkEvent::DialingBeside)), "{told:?}");
    let next = client.event();
    assert!(matches!(next, LinkEvent::Up { link: 2 }), "{next:?}");
    let sent = transfer.finished().expect("sent");
    assert_eq!(sent.links, 2, "{sent:?}");
    assert!(serving.file("file") == contents(LEN));
}

/// The second link opens only after the first one has moved on.
pub(crate) fn a_link_that_recovers_is_kept_and_the_second_one_is_closed(pair: Pair) {
    let mut serving = Serving::start(pair, ServerConfig::default());
    let dir = folder();
    let proxy = recovering_proxy(serving.server.address(), 3_000_000);
    let mut client = serving.client_at(proxy, quick());
    let mut transfer = client.upload(&source(&dir, LEN), name("file"), id(1)).expect("queued");
    let mut told = Vec::new();
    loop {
        match client.event() {
            LinkEvent::Kept => break,
            // On a machine with too much to do it was we who did not run.
            LinkEvent::Down { disconnect } if disconnect.kind() == Kind::LocalSuspend => return,
            LinkEvent::Down { disconnect } => panic!("{disconnect}"),
            event => told.push(event),
        }
    }
    assert!(told.iter().any(|event| matches!(event, LinkEvent::DialingBeside)), "{told:?}");
    let sent = transfer.finished().expect("sent");
    assert_eq!(sent.links, 1, "{sent:?}");
    assert!(serving.file("file") == contents(LEN));
    let second = loop {
        if let ServerEvent::Disconnected { disconnect, .. } = serving.server.event() {
            break disconnect;
        }
    };
    assert_eq!(second.kind(), Kind::Clean, "{second}");
}

pub(crate) fn a_close_does_not_wait_for_a_peer_that_takes_no_more(pair: Pair) {
    let serving = Serving::start(pair, ServerConfig::default());
    let dir = folder();
    let proxy = stalling_proxy(serving.server.address(), 500_000);
    let mut config = quick();
    config.connection.closing.close_timeout = Duration::from_millis(300);
    // What counts if the Close cannot leave.
    config.connection.closing.stall_timeout = Duration::from_millis(300);
    config.connection.heartbeat.interval = 10 * LIMIT;
    let client = serving.client_at(proxy, config);
    let mut transfer = client.upload(&source(&dir, LEN), name("file"), id(1)).expect("queued");
    until(&mut transfer, |progress| progress.received > 0);
    let start = Instant::now();
    client.close();
    assert!(start.elapsed() < LIMIT / 2, "{:?}", start.elapsed());
    assert!(matches!(transfer.finished(), Err(TransferError::Closed)));
}

pub(crate) fn a_server_that_stops_does_not_wait_for_a_client_that_does_not_leave(pair: Pair) {
    let mut config = in_no_hurry();
    config.accept.timeout = 10 * LIMIT;
    let mut serving = Serving::start(pair, config);
    let dir = folder();
    // A client that does not even send a request, and one whose answer does not arrive.
    let silent = std::net::TcpStream::connect(serving.server.address()).expect("connected");
    let proxy = stalling_proxy(serving.server.address(), 1_000_000);
    let client = serving.client_at(proxy, slow(2_000_000));
    let mut transfer = client.upload(&source(&dir, LEN), name("file"), id(1)).expect("queued");
    until(&mut transfer, |progress| progress.received > 500_000);
    let start = Instant::now();
    serving.server.stop();
    assert!(start.elapsed() < LIMIT / 2, "{:?}", start.elapsed());
    assert!(kept(serving.dir.path()) > 400_000);
    drop(silent);
}

pub(crate) fn a_server_that_stops_tells_of_a_client_that_does_not_leave(pair: Pair) {
    let mut serving = Serving::start(pair, in_no_hurry());
    let url = pair.over.url(serving.server.address());
    let request = Request::new(&url).and_then(|request| request.with_subprotocol(SUBPROTOCOL)).expect("good");
    let silent = dial::connect_with(&request, &dial::Config::default()).expect("connected");
    serving.server.stop();
    let disconnect = loop {
        if let ServerEvent::Disconnected { disconnect, .. } = serving.server.event() {
            break disconnect;
        }
    };
    assert_eq!(disconnect.kind(), Kind::LocalAbort, "{disconnect}");
    drop(silent);
}

/// Clients are dropped only by a server that stops.
fn in_no_hurry() -> ServerConfig {
    let mut config = ServerConfig::default();
    config.drain = Duration::from_millis(300);
    config.connection.closing.close_timeout = 10 * LIMIT;
    config.connection.closing.stall_timeout = 10 * LIMIT;
    config.connection.heartbeat.interval = 10 * LIMIT;
    config
}
