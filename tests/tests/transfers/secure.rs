//! TLS: peers that cannot prove who they are, send nothing, or use another protocol are told apart, and a cut is told
//! from an end.

use std::io::copy;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use bowline_core::closing::{Kind, Obstacle};
use bowline_core::{Disconnect, End, Retry};
use bowline_host::client::{ClientConfig, LinkEvent};
use bowline_host::server::{ServerConfig, ServerEvent};
use bowline_host::tls::ClientTls;
use bowline_host::transfer::TransferError;

use crate::ends::{Client, LIMIT, Pair};
use crate::files::named_in_time;
use crate::papers::{Papers, papers};
use crate::rig::{Serving, answering, anywhere, contents, end, folder, id, name, quick, source};

fn serving(pair: Pair, papers: &Papers) -> Serving {
    let mut config = ServerConfig::default();
    config.tls = Some(papers.server());
    Serving::start(pair, config)
}

/// A client that trusts this.
fn believing(tls: ClientTls) -> ClientConfig {
    let mut config = quick();
    config.dial.tls = Some(tls);
    config
}

fn next_link(client: &mut Box<dyn Client>) -> Result<(), Disconnect> {
    loop {
        match client.event() {
            LinkEvent::Up { .. } => return Ok(()),
            LinkEvent::DialFailed { disconnect, .. } | LinkEvent::Down { disconnect } => {
                return Err(disconnect);
            }
            _ => {}
        }
    }
}

/// Checks that this is why there is no link, and that nobody tries again.
fn assert_refused(mut client: Box<dyn Client>, obstacle: Obstacle, why: &str) {
    let disconnect = next_link(&mut client).expect_err(why);
    assert!(disconnect.to_string().ends_with(why), "{disconnect}");
    assert_eq!(disconnect.kind(), Kind::ConnectFailed(obstacle), "{disconnect}");
    assert!(matches!(disconnect.retry(), Retry::No(_)), "{disconnect}");
    let told = end(client.upload(&source(&folder(), 10), name("file"), id(1)));
    assert!(matches!(&told, Err(TransferError::Refused(told)) if told.ends_with(why)), "{told:?}");
}

pub(crate) fn a_server_with_the_wrong_certificate_is_refused_in_plain_words(pair: Pair) {
    let (known, stranger) = (papers(), Papers::of("127.0.0.1"));
    let server = serving(pair, known);
    let client = |tls| server.client(believing(tls));
    assert_refused(
        client(stranger.client()),
        Obstacle::Tls,
        "no authority that we trust has signed this server's certificate",
    );
    assert!(next_link(&mut client(ClientTls::trusting_anybody())).is_ok(), "whoever asks no questions");

    // Under another name of the same machine.
    let url = pair.over.url(server.server.address()).replace("127.0.0.1", "localhost");
    let client = pair.client.client(&url, believing(known.client()));
    assert_refused(client, Obstacle::Tls, "the certificate of this server is for another name");

    let other = Papers::of("example.org");
    let server = serving(pair, &other);
    assert_refused(
        server.client(believing(other.client())),
        Obstacle::Tls,
        "the certificate of this server is for another name",
    );

    let old = Papers::expired("127.0.0.1");
    let server = serving(pair, &old);
    assert_refused(
        server.client(believing(old.client())),
        Obstacle::Tls,
        "the certificate of this server has expired",
    );
}

pub(crate) fn a_server_without_tls_is_recognised(pair: Pair) {
    let address = answering("HTTP/1.1 400 Bad Request\r\n\r\n");
    let client = pair.client.client(&pair.over.url(address), believing(papers().client()));
    assert_refused(client, Obstacle::NotWebSocket, "what answers does not speak TLS; ws:// may be right");
}

pub(crate) fn a_server_that_says_nothing_is_named_when_the_time_is_over(pair: Pair) {
    let listener = TcpListener::bind(anywhere()).expect("a port");
    let address = listener.local_addr().expect("bound");
    let mut config = believing(papers().client());
    config.dial.connect_timeout = Duration::from_millis(200);
    config.dial.longest_timeout = Duration::from_millis(200);
    config.dial.longest_timeout = Duration::from_millis(200);
    config.reconnect.first_contact = Some(Duration::from_millis(300));
    let dir = folder();
    named_in_time(&format!("{address} did not finish the TLS handshake within 200 ms"), || {
        let client = pair.client.client(&pair.over.url(address), config.clone());
        end(client.upload(&source(&dir, 10), name("file"), id(1)))
    });
}

pub(crate) fn a_client_without_tls_is_reported_by_the_server(pair: Pair) {
    let mut server = serving(pair, papers());
    let mut client = pair.client.client(&format!("ws://{}", server.server.address()), quick());
    assert!(next_link(&mut client).is_err());
    let event = server.server.event();
    assert!(matches!(&event, ServerEvent::Rejected { why, .. } if why.starts_with("no TLS: ")), "{event:?}");
}

pub(crate) fn a_silent_client_is_dropped_when_the_time_is_over(pair: Pair) {
    let mut config = ServerConfig::default();
    config.accept.timeout = Duration::from_millis(200);
    let mut server = Serving::start(pair, config);
    let silent = TcpStream::connect(server.server.address()).expect("connected");
    let event = server.server.event();
    let ServerEvent::Rejected { why, peer } = &event else { panic!("{event:?}") };
    assert_eq!(why, "no TLS: it took longer than 200 ms");
    assert_eq!(*peer, silent.local_addr().expect("connected").to_string());
}

pub(crate) fn a_certificate_can_be_replaced_while_connections_live(pair: Pair) {
    let (first, second) = (Papers::of("127.0.0.1"), Papers::of("127.0.0.1"));
    let tls = first.server();
    let mut config = ServerConfig::default();
    config.tls = Some(tls.clone());
    let mut server = Serving::start(pair, config);
    let link = |server: &Serving, papers: &Papers| {
        let mut client = server.client(believing(papers.client()));
        next_link(&mut client).map(|()| client)
    };
    let old = link(&server, &first).expect("a link");
    let event = server.server.event();
    assert!(
        matches!(&event, ServerEvent::Connected { peer } if peer.address.starts_with("127.0.0.1:")),
        "{event:?}"
    );

    assert!(tls.replace(b"nonsense", second.pem.as_bytes()).is_err());
    assert!(link(&server, &first).is_ok(), "nothing has changed");
    tls.replace(second.pem.as_bytes(), second.pem.as_bytes()).expect("usable");
    assert!(link(&server, &second).is_ok());
    assert!(link(&server, &first).is_err());
    assert!(old.ping().is_ok(), "the old connection lives");
}

pub(crate) fn a_cut_below_tls_is_distinguished_from_an_end_of_the_server(pair: Pair) {
    let server = serving(pair, papers());
    let (address, cut) = cut_on_demand(server.server.address());
    let mut client = server.client_at(address, quick());
    next_link(&mut client).expect("a link");
    // What both have to send at first has arrived.
    client.ping().expect("answered");
    cut.send(()).expect("it carries");
    let disconnect = next_link(&mut client).expect_err("it is cut");
    assert_eq!(disconnect.end(), Some(End::TlsTruncated), "{disconnect}");
}

/// Relays one connection, until it ends the direction to the client by TCP alone.
fn cut_on_demand(to: SocketAddr) -> (SocketAddr, mpsc::Sender<()>) {
    let listener = TcpListener::bind(anywhere()).expect("a port");
    let address = listener.local_addr().expect("bound");
    let (cut, cutting) = mpsc::channel();
    thread::spawn(move || {
        let (near, far) = (listener.accept().expect("a client").0, TcpStream::connect(to).expect("a server"));
        for (mut from, mut to) in [(&near, &far), (&far, &near)]
            .map(|(from, to)| (from.try_clone().expect("cloned"), to.try_clone().expect("cloned")))
        {
            thread::spawn(move || copy(&mut from, &mut to));
        }
        if cutting.recv_timeout(LIMIT).is_ok() {
            near.shutdown(Shutdown::Write).expect("connected");
        }
    });
    (address, cut)
}

pub(crate) fn a_server_stops_in_time_despite_an_unfinished_handshake(pair: Pair) {
    let mut config = ServerConfig::default();
    config.drain = Duration::from_millis(300);
    config.accept.timeout = 10 * LIMIT;
    let mut server = Serving::start(pair, config);
    let silent = TcpStream::connect(server.server.address()).expect("connected");
    let client = server.client(quick());
    let dir = folder();
    end(client.upload(&source(&dir, 100_000), name("file"), id(1))).expect("sent");
    let start = Instant::now();
    server.server.stop();
    assert!(start.elapsed() < LIMIT / 2, "{:?}", start.elapsed());
    assert!(server.file("file") == contents(100_000));
    drop(silent);
}
