//! Two threads, channels between them that break, and a session that does not.

#[allow(dead_code)]
#[path = "../examples/session_over_channels.rs"]
mod session_over_channels;

use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant as Clock};

use bowline_core::Message;
use bowline_core::session::Event;
use bowline_core::transfer::{self, SafeName, TransferId};
use bowline_store::DiskStore;
use bytes::Bytes;
use session_over_channels::{Link, Party, drive, is_end, reports};
use tempfile::TempDir;

/// Generous: no test waits this long if all is well.
const LIMIT: Duration = Duration::from_secs(60);

const LENGTH: usize = 3_000_000;
const MESSAGES: usize = 50;

fn contents() -> Vec<u8> {
    (0..LENGTH).map(|n| (n ^ (n >> 8)) as u8).collect()
}

/// A channel that passes this many messages on, and then breaks.
fn breaks_after(count: usize) -> (std::sync::mpsc::Sender<Bytes>, std::sync::mpsc::Receiver<Bytes>) {
    let ((near, passing), (passed, far)) = (channel(), channel());
    thread::spawn(move || passing.into_iter().take(count).try_for_each(|message| passed.send(message)));
    (near, far)
}

/// Each link breaks in both directions, the next one later.
fn link(number: usize) -> (Link, Link) {
    let count = if number < 3 { 5 + 10 * number } else { usize::MAX };
    let ((out, there), (back, inp)) = (breaks_after(count), breaks_after(count));
    ((out, inp), (back, there))
}

#[test]
fn files_and_messages_arrive_once_over_channels_that_break() {
    let (here, there) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    std::fs::write(here.path().join("file"), contents()).unwrap();
    let store = DiskStore::open(there.path(), bowline_store::Config::default()).unwrap();
    let (to_server, at_server) = channel();
    let serving = thread::spawn(move || {
        let (deliver, reports) = reports();
        let (mut links, mut received) = (at_server.into_iter(), 0);
        let mut party = Party::server(store, deliver).unwrap();
        drive(
            &mut party,
            &reports,
            || links.next(),
            |_, event| {
                received += usize::from(event.as_ref().is_some_and(is_end));
                true
            },
        );
        received
    });

    let (deliver, reports) = reports();
    let mut party = Party::client(deliver).unwrap();
    party
        .upload(&here.path().join("file"), SafeName::parse("copy").unwrap(), TransferId::from_bytes([7; 16]))
        .unwrap();
    let message = |n: usize| Message::text(n.to_string());
    for n in 0..MESSAGES {
        let now = party.now();
        party.session.messages_mut().unwrap().send(now, message(n)).unwrap();
    }
    let mut links = 0;
    let dial = || {
        let (near, far) = link(links);
        links += 1;
        to_server.send(far).ok()?;
        Some(near)
    };
    let (began, mut heard, mut end) = (Clock::now(), 0, None);
    drive(&mut party, &reports, dial, |party, event| {
        assert!(began.elapsed() < LIMIT, "{heard} messages, {end:?}");
        let now = party.now();
        while let Some(received) = party.session.messages_mut().unwrap().poll_received(now) {
            assert_eq!(received.message, message(heard));
            heard += 1;
        }
        end = end.take().or(event.filter(is_end));
        heard < MESSAGES || end.is_none()
    });
    drop((party, to_server));
    let end = end.unwrap();
    assert!(
        matches!(end, Event::Transfer(transfer::Event::Done { length, .. }) if length == LENGTH as u64),
        "{end:?}"
    );
    assert!(links > 3, "{links} links");
    assert!(std::fs::read(there.path().join("copy")).unwrap() == contents());
    assert_eq!(serving.join().unwrap(), 1);
}
