//! Peers that do nothing: no call waits longer for them than the settings say.

use std::io::{ErrorKind, Read};
use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

use bowline_blocking::{DialError, WebSocket, dial};
use bowline_core::Close;
use bowline_core::Message;
use bowline_core::closing::Kind;
use bowline_core::connection::Config;
use bowline_handshake::client::{Error, Request};

use crate::common::{LIMIT, Over, fails_in_time, heartbeat, nobody, pair, streams, within};

pub(crate) fn a_peer_that_takes_nothing_is_found_dead_on_time_while_we_send(over: Over) {
    within(move || {
        let (dialed, silent) = streams(over);
        let mut client = WebSocket::client(dialed, heartbeat(200, 500)).unwrap();
        while client.send(Message::binary(vec![0; 256 << 10])).is_ok() {}
        let disconnect = client.ended();
        // On an overloaded machine, it was we who did not run.
        let is_death =
            matches!(disconnect.kind(), Kind::KeepaliveTimeout | Kind::WriteStall | Kind::LocalSuspend);
        assert!(is_death, "{disconnect}");
        drop(silent);
    });
}

pub(crate) fn a_ping_leaves_while_a_send_waits(over: Over) {
    within(move || {
        let (dialed, mut peer) = streams(over);
        let sending = thread::spawn(move || {
            let mut client = WebSocket::client(dialed, heartbeat(100, 30_000)).unwrap();
            while client.send(Message::binary(vec![0; 64 << 10])).is_ok() {}
        });
        // It accepts little at a time, and sends nothing: a ping is due.
        let mut place = vec![0; 64 << 10];
        let mut frames = Frames::default();
        loop {
            match peer.stream.read(&mut place) {
                Ok(n) if frames.pings(&place[..n]) > 0 => break,
                Err(error) if error.kind() != ErrorKind::WouldBlock => panic!("{error}"),
                _ => thread::sleep(Duration::from_millis(2)),
            }
        }
        drop(peer);
        sending.join().unwrap();
    });
}

/// None of its sends ever waits.
pub(crate) fn an_owner_that_only_sends_still_pings_and_answers(over: Over) {
    within(move || {
        let (mut client, server) = pair(over, heartbeat(50, 30_000), Config::default());
        let (sender, mut receiver) = server.spawn().unwrap();
        let receiving = thread::spawn(move || while receiver.receive().is_ok() {});
        let asking = thread::spawn(move || {
            // Behind more than a connection reads without an owner that receives.
            for _ in 0..128 {
                sender.send(Message::binary(vec![0; 64 << 10])).unwrap();
            }
            sender.ping_timeout(b"are you there", LIMIT).unwrap()
        });
        while client.rtt().is_none() || !asking.is_finished() {
            client.send(Message::text("another")).unwrap();
            thread::sleep(Duration::from_millis(1));
        }
        assert!(asking.join().unwrap().is_some());
        drop(client);
        receiving.join().unwrap();
    });
}

/// Finds the pings in what a client sends: frames with a mask.
#[derive(Default)]
struct Frames {
    bytes: Vec<u8>,
    skip: usize,
}

impl Frames {
    fn pings(&mut self, bytes: &[u8]) -> usize {
        self.bytes.extend_from_slice(bytes);
        let mut pings = 0;
        loop {
            let skipped = self.skip.min(self.bytes.len());
            self.bytes.drain(..skipped);
            self.skip -= skipped;
            let [first, second, rest @ ..] = &self.bytes[..] else { return pings };
            let (extra, len) = match (second & 0x7f, rest.first_chunk(), rest.first_chunk()) {
                (126, Some(len), _) => (2, usize::from(u16::from_be_bytes(*len))),
                (127, _, Some(len)) => (8, u64::from_be_bytes(*len) as usize),
                (126 | 127, ..) => return pings,
                (len, ..) => (0, usize::from(len)),
            };
            pings += usize::from(first & 0x0f == 9);
            self.skip = 2 + extra + 4 + len;
        }
    }
}

pub(crate) fn a_close_takes_no_longer_than_its_timeout(over: Over) {
    within(move || {
        let (dialed, silent) = streams(over);
        let mut config = Config::default();
        config.closing.close_timeout = Duration::from_millis(300);
        let mut client = WebSocket::client(dialed, config).unwrap();
        client.close(Close::normal()).unwrap();
        let start = Instant::now();
        assert_eq!(client.ended().kind(), Kind::CloseTimeout);
        assert!(start.elapsed() >= Duration::from_millis(300));
        drop(silent);
    });
}

#[test]
fn a_server_that_does_not_answer_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let request = Request::new(&format!("ws://{}/", listener.local_addr().unwrap())).unwrap();
    let mut config = dial::Config::default();
    config.connect_timeout = Duration::from_millis(300);
    let connect = || dial::connect_with(&request, &config).unwrap_err();
    fails_in_time(connect, |error| {
        let DialError::Handshake { source: Error::TimedOut { after, .. }, .. } = error else { return false };
        assert_eq!(*after, config.connect_timeout);
        true
    });
}

#[test]
fn an_absent_server_is_reported_in_one_sentence() {
    let (address, _kept) = nobody();
    let error = WebSocket::connect(&format!("ws://{address}/")).unwrap_err();
    assert_eq!(error.to_string(), format!("nothing is listening at {address} (connection refused)"));
}

pub(crate) fn a_peer_that_leaves_without_a_close_is_reported(over: Over) {
    let (client, mut server) = pair(over, Config::default(), Config::default());
    drop(client);
    let disconnect = server.ended();
    assert!(disconnect.to_string().starts_with("no close frame received or sent"), "{disconnect}");
}
