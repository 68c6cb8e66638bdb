//! Sessions of messages, frame by frame.

mod belated;
mod client;
mod hostile;
mod laws;
mod server;

use super::wire::{self, Data, Frame, Resume, Resumed, Why};
use super::*;
use crate::message::Parts;
use crate::replay::Window;
use crate::{Instant, Message};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use bytes::Bytes;
use core::time::Duration;

/// A buffer of three messages and 20 bytes; acknowledgements after two messages or 200 ms.
fn small() -> Config {
    let mut config = Config::default();
    (config.replay.max_messages, config.replay.max_bytes, config.replay.ack_messages) = (3, 20, 2);
    config.max_volatile = 2;
    config
}

fn sessions_config(session: Config) -> SessionsConfig {
    SessionsConfig { session, ..SessionsConfig::default() }
}

fn text(text: &str) -> Message {
    Message::text(text)
}

fn decoded(frame: Parts) -> Frame {
    wire::decode(frame.into_bytes()).expect("we send what we can read")
}

fn encoded(frame: Frame) -> Bytes {
    frame.encode().into_bytes()
}

fn words(message: &Message) -> String {
    String::from_utf8_lossy(message.as_bytes()).into_owned()
}

/// A frame in words.
fn told(frame: &Frame) -> String {
    match frame {
        Frame::Data(Data { number: None, message, .. }) => format!("!{}", words(message)),
        Frame::Data(Data { number: Some(number), ack: 0, message }) => format!("{number}:{}", words(message)),
        Frame::Data(Data { number: Some(number), ack, message }) => {
            format!("{number}:{}+ack{ack}", words(message))
        }
        Frame::Ack(last) => format!("ack{last}"),
        Frame::Resume(resume) => format!("resume(epoch {}, last {})", resume.epoch, resume.last),
        Frame::Resumed(resumed) => format!("resumed(epoch {}, last {})", resumed.epoch, resumed.last),
        Frame::NewSession { why, .. } => format!("new session({why:?})"),
        Frame::Unsupported(kind) => format!("{kind:#x}?"),
    }
}

/// A client whose server is played by the test.
struct Client {
    now: Instant,
    messages: Messages,
    epoch: u32,
}

impl Client {
    fn new(config: Config) -> Self {
        Self { now: Instant::ZERO, messages: Messages::new(config, [1; 32], Instant::ZERO), epoch: 0 }
    }

    /// A link, up to the request for the session.
    fn asked(config: Config) -> Self {
        let mut client = Self::new(config);
        client.link_up();
        client
    }

    /// A session that has just begun, and that the client has shown that it knows.
    fn up(config: Config) -> Self {
        let mut client = Self::asked(config);
        client.resumed(0);
        assert_eq!(client.said(), "ack0");
        assert!(matches!(client.messages.poll_event(), Some(Event::Began(_))));
        client
    }

    fn link_up(&mut self) -> Resume {
        self.messages.handle_link_up(self.now);
        self.messages.handle_peer(self.now, true);
        match self.messages.poll_frame(self.now).map(decoded) {
            Some(Frame::Resume(resume)) => resume,
            other => panic!("{other:?}"),
        }
    }

    fn resumed(&mut self, last: u64) {
        self.epoch += 1;
        let secret = Secret::from_bytes([self.epoch as u8; 16]);
        let (window, keep) = (Window::default(), Duration::from_secs(120));
        self.hear(Frame::Resumed(Resumed { epoch: self.epoch, window, keep, secret, last }));
    }

    fn hear(&mut self, frame: Frame) {
        self.messages.handle_frame(self.now, encoded(frame));
    }

    fn hear_message(&mut self, number: u64, message: &str) {
        self.hear(Frame::Data(Data { number: Some(number), ack: 0, message: text(message) }));
    }

    fn send(&mut self, message: &str) -> Result<u64, SendError> {
        self.messages.send(self.now, text(message))
    }

    /// Everything that it sends.
    fn said(&mut self) -> String {
        let frames = core::iter::from_fn(|| self.messages.poll_frame(self.now));
        frames.map(|frame| told(&decoded(frame))).collect::<Vec<_>>().join(" ")
    }

    fn taken(&mut self) -> String {
        let taken = core::iter::from_fn(|| self.messages.poll_received(self.now));
        taken.map(|received| words(&received.message)).collect::<Vec<_>>().join(" ")
    }

    fn broken(&mut self) -> (crate::transfer::Code, String) {
        match self.messages.poll_event() {
            Some(Event::Broken { code, text }) => (code, text),
            other => panic!("{other:?}"),
        }
    }

    fn wait(&mut self, millis: u64) {
        self.now += Duration::from_millis(millis);
        self.messages.handle_timeout(self.now);
    }
}

/// A server whose clients are played by the test.
struct Server {
    now: Instant,
    sessions: Sessions,
    links: u64,
}

/// What a client remembers.
#[derive(Clone, Copy)]
struct Known {
    session: SessionId,
    secret: Secret,
    epoch: u32,
}

impl Known {
    fn new(n: u8) -> Self {
        Self { session: SessionId::from_bytes([n; 16]), secret: Secret::from_bytes([n; 16]), epoch: 0 }
    }
}

impl Server {
    fn new(config: SessionsConfig) -> Self {
        Self { now: Instant::ZERO, sessions: Sessions::new(config, [9; 32], Instant::ZERO), links: 0 }
    }

    fn link(&mut self, principal: &[u8]) -> LinkId {
        self.links += 1;
        let link = LinkId(self.links);
        self.sessions.handle_link_up(self.now, link, principal);
        link
    }

    fn hear(&mut self, link: LinkId, frame: Frame) {
        self.sessions.handle_frame(self.now, link, encoded(frame));
    }

    fn say(&mut self, link: LinkId, number: u64, message: &str) {
        self.hear(link, Frame::Data(Data { number: Some(number), ack: 0, message: text(message) }));
    }

    fn ask(&mut self, link: LinkId, known: Known, last: u64) {
        let Known { session, secret, epoch } = known;
        self.hear(link, Frame::Resume(Resume { session, secret, epoch, window: Window::default(), last }));
    }

    fn answer(&mut self, link: LinkId) -> Option<Frame> {
        self.sessions.poll_frame(self.now, link).map(decoded)
    }

    /// A new link on which the session is resumed; what the client knows after that.
    fn resume(&mut self, known: Known, last: u64) -> (LinkId, Known) {
        let link = self.link(b"me");
        self.ask(link, known, last);
        match self.answer(link) {
            Some(Frame::Resumed(Resumed { epoch, secret, .. })) => (link, Known { secret, epoch, ..known }),
            other => panic!("{other:?}"),
        }
    }

    fn refused(&mut self, known: Known, last: u64) -> Why {
        let link = self.link(b"me");
        self.ask(link, known, last);
        match self.answer(link) {
            Some(Frame::NewSession { why, .. }) => why,
            other => panic!("{other:?}"),
        }
    }

    fn said(&mut self, link: LinkId) -> String {
        let frames = core::iter::from_fn(|| self.sessions.poll_frame(self.now, link));
        frames.map(|frame| told(&decoded(frame))).collect::<Vec<_>>().join(" ")
    }

    fn taken(&mut self) -> String {
        let taken = core::iter::from_fn(|| self.sessions.poll_received(self.now));
        taken.map(|(_, received)| words(&received.message)).collect::<Vec<_>>().join(" ")
    }

    fn wait(&mut self, duration: Duration) {
        self.now += duration;
        self.sessions.handle_timeout(self.now);
    }

    fn broken(&mut self, link: LinkId) -> String {
        match self.sessions.poll_end(link) {
            Some(Ended::Broken { text, .. }) => text,
            other => panic!("{other:?}"),
        }
    }

    /// The next event that says that a session is lost: why, and which messages.
    fn lost(&mut self) -> Option<(SessionId, Why, String)> {
        loop {
            if let SessionsEvent::Session(session, Event::Lost { why, messages }) =
                self.sessions.poll_event()?
            {
                return Some((session, why, handed_back(&messages)));
            }
        }
    }
}

fn handed_back(messages: &[crate::replay::Unacknowledged]) -> String {
    let maybe = |maybe| if maybe { "?" } else { "" };
    let words = messages.iter().map(|lost| words(&lost.message) + maybe(lost.maybe_delivered));
    words.collect::<Vec<_>>().join(" ")
}
