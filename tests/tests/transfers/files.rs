//! Files over real sockets: whole, resumed, many at once, refused with a reason.

use std::io::ErrorKind;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::thread;
use std::time::Duration;

use bowline_core::Retry;
use bowline_core::closing::Kind;
use bowline_core::connection::PingError;
use bowline_core::transfer::{Code, Digest};
use bowline_host::client::LinkEvent;
use bowline_host::server::{Access, ServerConfig};
use bowline_host::transfer::{Finished, TransferError};
use bowline_store::Pipe;

use crate::ends::{Client, LIMIT, Pair};
use crate::rig::{
    Serving, answering, anywhere, contents, cutting_proxy, end, folder, id, kept, name, nobody,
    once_cutting_proxy, quick, reserved, slow, source, store, uneven_proxy, until,
};

pub(crate) fn a_file_goes_up_and_comes_down(pair: Pair) {
    let serving = Serving::start(pair, ServerConfig::default());
    let dir = folder();
    let client = serving.client(quick());
    for (n, len) in [(10, 0), (20, 1), (30, 65_537), (40, 5_000_000)] {
        let file = format!("file {len}");
        let sent = end(client.upload(&source(&dir, len), name(&file), id(n))).expect("sent");
        assert_eq!((sent.bytes, sent.links, sent.resent, sent.deduplicated), (len as u64, 1, 0, false));
        assert_eq!(sent.digest, Digest::of(&contents(len)));
        assert_eq!(serving.file(&file), contents(len));

        let to = dir.path().join("back");
        let got = end(client.download(name(&file), &to, id(n + 1), true)).expect("fetched");
        assert_eq!(got.digest, sent.digest);
        assert_eq!(std::fs::read(to).expect("there"), contents(len));
    }
    client.close();
    let left =
        std::fs::read_dir(dir.path()).expect("listed").map(|entry| entry.expect("an entry").file_name());
    let staged: Vec<_> = left.filter(|name| name.to_string_lossy().starts_with('.')).collect();
    assert!(staged.is_empty(), "{staged:?}");
}

pub(crate) fn many_files_go_at_once(pair: Pair) {
    let serving = Serving::start(pair, ServerConfig::default());
    let dir = folder();
    let path = source(&dir, 1024);
    let client = serving.client(quick());
    let begin = |n| client.upload(&path, name(&format!("file {n}")), id(n)).expect("queued");
    let transfers: Vec<_> = (0..100).map(begin).collect();
    for mut transfer in transfers {
        transfer.finished().expect("sent");
    }
    for n in 0..100 {
        assert_eq!(serving.file(&format!("file {n}")), contents(1024));
    }
}

pub(crate) fn two_large_files_share_the_link(pair: Pair) {
    let serving = Serving::start(pair, ServerConfig::default());
    let dir = folder();
    let client = serving.client(slow(1_000_000));
    let begin =
        |n, len| client.upload(&source(&dir, len), name(&format!("file {n}")), id(n)).expect("queued");
    let (mut first, mut second) = (begin(1, 3_000_000), begin(2, 3_000_001));
    until(&mut first, |progress| progress.received > 0);
    until(&mut second, |progress| progress.received > 0);
    assert!(first.progress().received < 3_000_000, "the other did not wait for it");
    first.finished().expect("sent");
    second.finished().expect("sent");
    assert_eq!((serving.file("file 1"), serving.file("file 2")), (contents(3_000_000), contents(3_000_001)));
}

pub(crate) fn the_contents_of_a_pipe_arrive(pair: Pair) {
    let serving = Serving::start(pair, ServerConfig::default());
    let client = serving.client(quick());
    let pipe = Pipe::new(std::io::Cursor::new(contents(1_000_000))).expect("a thread");
    let sent = end(client.pipe(pipe, name("file"), id(1))).expect("sent");
    assert_eq!((sent.bytes, sent.digest), (1_000_000, Digest::of(&contents(1_000_000))));
    assert_eq!(serving.file("file"), contents(1_000_000));
}

pub(crate) fn a_link_that_is_cut_again_and_again_carries_a_file_both_ways(pair: Pair) {
    let serving = Serving::start(pair, ServerConfig::default());
    let dir = folder();
    let proxy = cutting_proxy(serving.server.address(), 1_500_000);
    let mut client = serving.client_at(proxy, quick());
    let sent = end(client.upload(&source(&dir, 10_000_000), name("file"), id(1))).expect("sent");
    assert_eq!(serving.file("file"), contents(10_000_000));
    assert!(sent.links >= 6, "{} links", sent.links);
    let to = dir.path().join("back");
    end(client.download(name("file"), &to, id(2), false)).expect("fetched");
    assert_eq!(std::fs::read(to).expect("there"), contents(10_000_000));

    let mut ends = 0;
    while let Some(event) = client.try_event() {
        if let LinkEvent::Down { disconnect } = event {
            assert!(disconnect.to_string().starts_with("no close frame"), "{disconnect}");
            ends += 1;
        }
    }
    assert!(ends >= 12, "{ends} ends");
}

/// The first frames of a link are short.
pub(crate) fn links_that_carry_a_few_kib_carry_a_file(pair: Pair) {
    const LEN: usize = 70_000;
    let serving = Serving::start(pair, ServerConfig::default());
    let dir = folder();
    let client = serving.client_at(uneven_proxy(serving.server.address(), 6_000, 9_000), quick());
    for (n, len) in [(1, 24_000), (2, LEN)] {
        let sent = end(client.upload(&source(&dir, len), name("file"), id(n))).expect("sent");
        assert_eq!(serving.file("file"), contents(len));
        assert!(sent.links >= 4, "{} links", sent.links);
        std::fs::remove_file(serving.dir.path().join("file")).expect("it is there");
    }
    for (n, len) in [(3, 24_000), (4, LEN)] {
        std::fs::write(serving.dir.path().join("file"), contents(len)).expect("written");
        let to = dir.path().join(format!("back-{len}"));
        let fetched = end(client.download(name("file"), &to, id(n), false)).expect("fetched");
        assert_eq!(std::fs::read(to).expect("there"), contents(len));
        assert!(fetched.links >= 4, "{} links", fetched.links);
    }
}

pub(crate) fn a_server_that_comes_back_goes_on_with_the_file(pair: Pair) {
    let mut serving = Serving::start(pair, ServerConfig::default());
    let dir = folder();
    // A server that announces its end is given seconds to return, so the link breaks before that. Nobody dials
    // meanwhile.
    let proxy = once_cutting_proxy(serving.server.address(), 3_000_000);
    let mut config = slow(4_000_000);
    config.reconnect.floor = 5 * LIMIT;
    let mut client = serving.client_at(proxy, config);
    let transfer = client.upload(&source(&dir, 6_000_000), name("file"), id(1));
    while !matches!(client.event(), LinkEvent::Waiting { .. }) {}
    serving.restart(ServerConfig::default());
    client.network_changed();
    let sent = end(transfer).expect("sent");
    assert_eq!(sent.links, 2);
    assert!(sent.resent < 2_000_000, "{} bytes crossed twice", sent.resent);
    assert_eq!(serving.file("file"), contents(6_000_000));
}

pub(crate) fn another_client_goes_on_where_one_was_closed(pair: Pair) {
    let serving = Serving::start(pair, ServerConfig::default());
    std::fs::write(serving.dir.path().join("there"), contents(4_000_000)).expect("written");
    let dir = folder();
    let (path, to) = (source(&dir, 4_000_000), dir.path().join("back"));
    let first = serving.client(slow(600_000));
    let mut up = first.upload(&path, name("file"), id(1)).expect("queued");
    let mut down = first.download(name("there"), &to, id(2), false).expect("queued");
    until(&mut up, |progress| progress.durable > 500_000);
    until(&mut down, |progress| progress.durable > 500_000);
    first.close();
    for mut transfer in [up, down] {
        assert!(matches!(transfer.finished(), Err(TransferError::Closed)));
    }

    let second = serving.client(slow(2_000_000));
    let mut up = second.upload(&path, name("file"), id(1)).expect("queued");
    let mut down = second.download(name("there"), &to, id(2), false).expect("queued");
    for transfer in [&mut up, &mut down] {
        let first = until(transfer, |progress| progress.received > 0);
        assert!(first.received >= 500_000, "{first:?}");
    }
    up.finished().expect("sent");
    down.finished().expect("fetched");
    assert_eq!(serving.file("file"), contents(4_000_000));
    assert_eq!(std::fs::read(to).expect("there"), contents(4_000_000));
}

pub(crate) fn a_wrong_token_is_refused_at_once(pair: Pair) {
    let mut config = ServerConfig::default();
    config.access = Access::by_token("right");
    let serving = Serving::start(pair, config);
    let dir = folder();
    let path = source(&dir, 10);
    for (token, fine) in [(Some("right"), true), (Some("wrong"), false), (None, false)] {
        let mut config = quick();
        config.token = token.map(Into::into);
        let client = serving.client(config);
        match end(client.upload(&path, name("file"), id(1))) {
            Ok(_) => assert!(fine),
            Err(TransferError::Refused(why)) => {
                assert!(!fine && why.contains("401") && !why.contains("wrong"), "{why}");
            }
            Err(other) => panic!("{other:?}"),
        }
    }
}

pub(crate) fn a_server_that_stops_sends_its_clients_away_and_keeps_partial_files(pair: Pair) {
    let mut serving = Serving::start(pair, ServerConfig::default());
    ends_while_a_file_comes(&mut serving, |serving| serving.server.stop());
}

pub(crate) fn a_server_whose_listener_breaks_sends_its_clients_away_and_says_why(pair: Pair) {
    let listener = TcpListener::bind(anywhere()).expect("a port");
    let same = TcpStream::from(OwnedFd::from(listener.try_clone().expect("a listener")));
    let dir = folder();
    let mut serving = Serving::at(listener, pair, store(dir.path()), dir, ServerConfig::default());
    ends_while_a_file_comes(&mut serving, |serving| {
        same.shutdown(Shutdown::Both).expect("it listened");
        let error = serving.server.ended().expect_err("it listens no more");
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
    });
    drop(same);
    let address = serving.server.address();
    assert_eq!(TcpStream::connect(address).expect_err("closed").kind(), ErrorKind::ConnectionRefused);
}

/// The client is told to come back, and what has arrived is kept.
fn ends_while_a_file_comes(serving: &mut Serving, end: impl FnOnce(&mut Serving)) {
    let dir = folder();
    let mut client = serving.client(slow(2_000_000));
    let mut transfer = client.upload(&source(&dir, 50_000_000), name("file"), id(1)).expect("queued");
    until(&mut transfer, |progress| progress.received > 500_000);
    end(serving);
    loop {
        if let LinkEvent::Down { disconnect } = client.event() {
            assert!(disconnect.to_string().contains("1012"), "{disconnect}");
            break;
        }
    }
    let kept = kept(serving.dir.path());
    assert!(kept > 400_000, "{kept} bytes are kept");
}

pub(crate) fn an_absent_server_is_reported_when_the_time_is_over(pair: Pair) {
    let (free, _kept) = nobody();
    let mut config = quick();
    config.reconnect.first_contact = Some(Duration::from_millis(300));
    let dir = folder();
    let path = source(&dir, 10);
    named_in_time("nothing is listening", || {
        let client = pair.client.client(&format!("ws://{free}"), config.clone());
        let end_of = |n| end(client.upload(&path, name("file"), id(n)));
        let first = end_of(1);
        assert!(
            matches!(end_of(2), Err(TransferError::Unreachable(_))),
            "whoever comes later is told the same"
        );
        first
    });
}

/// One of a few attempts names its cause: an attempt that did not run for a while knows only that the time was over.
pub(crate) fn named_in_time(words: &str, attempt: impl Fn() -> Result<Finished, TransferError>) {
    let mut ends = Vec::new();
    for _ in 0..10 {
        let end = attempt();
        let Err(TransferError::Unreachable(why)) = end else { panic!("{end:?}") };
        if why.contains(words) {
            return;
        }
        ends.push(why);
    }
    panic!("{words}: {ends:?}");
}

pub(crate) fn each_failed_attempt_is_counted_and_reported_like_an_end(pair: Pair) {
    let address = answering("HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n");
    let mut client = pair.client.client(&format!("ws://{address}"), quick());
    for expected in 1..=3 {
        let told: Vec<_> = (0..3).map(|_| client.event()).collect();
        let [
            LinkEvent::Dialing { attempt },
            LinkEvent::DialFailed { attempt: failed, disconnect },
            LinkEvent::Waiting { attempt: next, .. },
        ] = &told[..]
        else {
            panic!("{told:?}")
        };
        assert_eq!((*attempt, *failed, *next), (expected, expected, expected + 1));
        assert_eq!(disconnect.kind(), Kind::HandshakeRejected(503), "{disconnect}");
        assert_eq!(disconnect.retry(), Retry::Backoff);
    }
}

pub(crate) fn a_server_that_never_answers_is_named_when_the_time_is_over(pair: Pair) {
    let listener = TcpListener::bind(anywhere()).expect("a port");
    let address = listener.local_addr().expect("bound");
    let mut config = quick();
    config.dial.connect_timeout = Duration::from_millis(200);
    config.dial.longest_timeout = Duration::from_millis(200);
    config.reconnect.first_contact = Some(Duration::from_millis(300));
    let dir = folder();
    named_in_time(&format!("{address}: the server did not answer within 200 ms"), || {
        let client = pair.client.client(&format!("ws://{address}"), config.clone());
        end(client.upload(&source(&dir, 10), name("file"), id(1)))
    });
}

pub(crate) fn a_dial_after_one_that_timed_out_has_twice_as_long(pair: Pair) {
    let listener = TcpListener::bind(anywhere()).expect("a port");
    let address = listener.local_addr().expect("bound");
    let mut config = quick();
    config.dial.connect_timeout = Duration::from_millis(200);
    config.dial.longest_timeout = Duration::from_millis(500);
    let mut client = pair.client.client(&format!("ws://{address}"), config);
    for time in ["200 ms", "400 ms", "500 ms", "500 ms"] {
        let why = loop {
            if let LinkEvent::DialFailed { disconnect, .. } = client.event() {
                break disconnect.to_string();
            }
        };
        assert!(why.contains(time), "{why}, not after {time}");
    }
}

pub(crate) fn a_server_of_another_kind_is_named(pair: Pair) {
    let page = "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 9\r\n\r\n<!doctype";
    let client = pair.client.client(&format!("ws://{}", answering(page)), quick());
    let dir = folder();
    let end = end(client.upload(&source(&dir, 10), name("file"), id(1)));
    let Err(TransferError::Refused(why)) = end else { panic!("{end:?}") };
    assert!(why.contains("200") && why.contains("text/html") && why.contains("<!doctype"), "{why}");
}

pub(crate) fn a_taken_name_and_a_missing_file_are_refused_by_the_server(pair: Pair) {
    let serving = Serving::start(pair, ServerConfig::default());
    std::fs::write(serving.dir.path().join("file"), b"something else").expect("written");
    let dir = folder();
    let client = serving.client(quick());
    let up = end(client.upload(&source(&dir, 10), name("file"), id(1)));
    assert!(matches!(&up, Err(TransferError::Failed(f)) if f.code == Code::Exists), "{up:?}");
    let down = end(client.download(name("nothing"), &dir.path().join("x"), id(2), false));
    assert!(matches!(&down, Err(TransferError::Failed(f)) if f.code == Code::NotFound), "{down:?}");
}

pub(crate) fn two_senders_of_one_id_leave_one_winner(pair: Pair) {
    let serving = Serving::start(pair, ServerConfig::default());
    let dir = folder();
    let path = source(&dir, 4_000_000);
    let first = serving.client(slow(500_000));
    let mut loser = first.upload(&path, name("file"), id(1)).expect("queued");
    until(&mut loser, |progress| progress.received > 100_000);
    let second = serving.client(quick());
    end(second.upload(&path, name("file"), id(1))).expect("sent");
    let lost = end(Ok(loser));
    assert!(matches!(&lost, Err(TransferError::Failed(f)) if f.code == Code::Fenced), "{lost:?}");
    assert_eq!(serving.file("file"), contents(4_000_000));
}

pub(crate) fn a_ping_is_answered_while_a_file_goes_up_and_fails_without_a_link(pair: Pair) {
    let serving = Serving::start(pair, ServerConfig::default());
    let client = serving.client(quick());
    client.until_up();
    let dir = folder();
    let upload = client.upload(&source(&dir, 5_000_000), name("a"), id(1));
    assert!(client.ping().expect("answered") < LIMIT);
    end(upload).expect("sent");

    // Nobody listens where this one dials.
    let lonely = pair.client.client("ws://127.0.0.1:9", quick());
    assert_eq!(lonely.ping(), Err(PingError::Closing));
    client.close();
}

pub(crate) fn a_client_that_waits_dials_when_the_network_changes(pair: Pair) {
    dials_instead_of_waiting(pair, |client| client.network_changed());
}

pub(crate) fn a_client_that_waits_dials_when_it_is_told_to(pair: Pair) {
    dials_instead_of_waiting(pair, |client| client.dial());
}

fn dials_instead_of_waiting(pair: Pair, order: impl FnOnce(&dyn Client)) {
    let (address, _kept) = reserved();
    let mut config = quick();
    let hour = Duration::from_secs(3600);
    (config.reconnect.floor, config.reconnect.cap) = (hour, hour);
    let mut client = pair.client.client(&format!("ws://{address}"), config);
    while !matches!(client.event(), LinkEvent::Waiting { .. }) {}
    let listener = TcpListener::bind(address).expect("the port again");
    order(&*client);
    let came = thread::spawn(move || listener.accept().map(drop));
    while !matches!(client.event(), LinkEvent::Dialing { .. }) {}
    came.join().expect("no panic").expect("a connection");
}
