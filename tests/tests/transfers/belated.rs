//! What a client sent on a connection that it has given up, and which arrives when another one carries its file or its
//! session.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use bowline_core::Message;
use bowline_core::messages::{self, Event, SessionsConfig};
use bowline_core::transfer::Code;
use bowline_host::client::LinkEvent;
use bowline_host::messages::Heard;
use bowline_host::server::{ServerConfig, ServerEvent};

use crate::ends::{LIMIT, Pair};
use crate::rig::{Serving, anywhere, contents, folder, id, name, quick, slow, source, through, until};

/// Passes on what the first client sends up to a point, ends its connection, and keeps what came after that until it is
/// told to deliver it. Other connections are relayed.
struct Withheld {
    address: SocketAddr,
    deliver: Sender<()>,
    answered: Receiver<()>,
}

/// What is passed on of the first connection.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Upto {
    Request,
    Hello,
}

impl Withheld {
    fn start(to: SocketAddr, upto: Upto) -> Self {
        let listener = TcpListener::bind(anywhere()).expect("a port");
        let address = listener.local_addr().expect("bound");
        let (deliver, delivered) = channel();
        let (answer, answered) = channel();
        thread::spawn(move || {
            let (near, _) = listener.accept().expect("a client");
            let (far, kept) = withhold(&near, to, upto);
            drop(near);
            thread::spawn(move || {
                for near in listener.incoming() {
                    through(near.expect("a client"), TcpStream::connect(to).expect("a server"));
                }
            });
            if delivered.recv().is_ok() {
                (&far).write_all(&kept).expect("the server has not noticed anything");
                let _ = (next(&far), answer.send(()));
                // It remains for the duration of the test.
                let _ = delivered.recv();
            }
        });
        Self { address, deliver, answered }
    }

    fn deliver(&self) {
        self.deliver.send(()).expect("it waits");
    }
}

/// The first connection until it is given up; returns what did not get through.
fn withhold(mut near: &TcpStream, to: SocketAddr, upto: Upto) -> (TcpStream, Vec<u8>) {
    let far = TcpStream::connect(to).expect("a server");
    (&far).write_all(&next(near)).expect("passed on");
    let mut answer = next(&far);
    let hello = answer.split_off(answer.windows(4).position(|end| end == b"\r\n\r\n").expect("a head") + 4);
    near.write_all(&answer).expect("passed on");
    if upto == Upto::Hello {
        (&far).write_all(&frames(near, 1)).expect("passed on");
        let hello = if hello.is_empty() { next(&far) } else { hello };
        near.write_all(&hello).expect("passed on");
    }
    // HELLO and OFFER, or RESUME.
    let kept = frames(near, if upto == Upto::Request { 2 } else { 1 });
    (far, kept)
}

/// The first frames, this many, that a client sends.
fn frames(from: &TcpStream, count: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while std::iter::successors(Some(&bytes[..]), |bytes| behind_frame(bytes)).count() <= count {
        bytes.extend(next(from));
    }
    bytes
}

/// What follows the first frame, if that is complete. It is not long, and masked.
fn behind_frame(bytes: &[u8]) -> Option<&[u8]> {
    match bytes.get(1)? & 0x7f {
        126 => bytes.get(8 + usize::from(u16::from_be_bytes([*bytes.get(2)?, *bytes.get(3)?]))..),
        len => bytes.get(6 + usize::from(len)..),
    }
}

fn next(mut from: &TcpStream) -> Vec<u8> {
    let mut place = vec![0; 1 << 16];
    let len = from.read(&mut place).expect("it lives");
    place.truncate(len);
    place
}

pub(crate) fn a_belated_offer_does_not_end_an_upload(pair: Pair) {
    let mut serving = Serving::start(pair, ServerConfig::default());
    let dir = folder();
    let withheld = Withheld::start(serving.server.address(), Upto::Request);
    let client = serving.client_at(withheld.address, slow(1 << 20));
    let mut transfer = client.upload(&source(&dir, 3_000_000), name("file"), id(1)).expect("queued");
    until(&mut transfer, |progress| progress.received > 200_000);
    withheld.deliver();
    let failure = loop {
        if let ServerEvent::Failed { failure, .. } = serving.server.event() {
            break failure;
        }
    };
    assert_eq!(failure.code, Code::Fenced, "{failure}");
    let sent = transfer.finished().expect("nobody else is there");
    assert!(serving.file("file") == contents(3_000_000), "{sent:?}");
}

pub(crate) fn a_belated_resume_does_not_end_a_client(pair: Pair) {
    let mut config = ServerConfig::default();
    config.messages = Some(SessionsConfig::default());
    let serving = Serving::start(pair, config);
    let withheld = Withheld::start(serving.server.address(), Upto::Hello);
    let mut config = quick();
    config.messages = Some(messages::Config::default());
    let mut client = serving.client_at(withheld.address, config);
    let (here, there) = (client.talk(), serving.server.talks());
    let began = |heard| matches!(heard, Some(Heard::Session(Event::Began(_))));
    assert!(began(here.receive()), "on the second connection");
    assert!(began(there.receive().map(|(_, heard)| heard)));
    let told =
        std::iter::from_fn(|| client.try_event()).filter(|event| matches!(event, LinkEvent::Down { .. }));
    assert_eq!(told.count(), 1);
    withheld.deliver();
    withheld.answered.recv_timeout(LIMIT).expect("the server refuses");
    here.send(Message::text("still there?")).expect("it lives");
    let Some((_, Heard::Message(received))) = there.receive() else { panic!("no message") };
    assert_eq!(received.message, Message::text("still there?"));
    here.flush_within(Duration::from_secs(10)).expect("in time").expect("it arrived");
    let downs =
        std::iter::from_fn(|| client.try_event()).filter(|event| matches!(event, LinkEvent::Down { .. }));
    assert_eq!(downs.count(), 0);
}
