//! The real machines at both ends of a path, with an endless file between them.

use super::fixed::{Frames, outcome, write};
use super::{Outcome, Route, Scene};
use bowline_core::time::earliest;
use bowline_core::transfer::{Answer, Digest, Event, Offer, SafeName, TransferId};
use bowline_core::{Connection, Instant, Session, connection, pump, session};
use bytes::Bytes;
use std::collections::VecDeque;
use std::time::Duration;

/// Sends a file over `Transfers` and `Connection`, for as long as the scene lasts.
pub fn adaptive(scene: Scene) -> Outcome {
    Adaptive::new(scene).run(scene.end())
}

/// A sender and a receiver, each a connection and a session. The sender has the role of a server, so that nothing is
/// masked, which would take time and change nothing.
#[derive(Debug)]
pub struct Adaptive {
    /// The time.
    pub now: Instant,
    /// The session that sends.
    pub sender: Session,
    scene: Scene,
    route: Route,
    frames: Frames,
    source: Bytes,
    out: Connection,
    far: Connection,
    receiver: Session,
    /// What the receiver has written, and when it arrives: the way back has no queue.
    back: VecDeque<(Instant, Bytes)>,
    bytes: u64,
    chunks: u64,
}

impl Adaptive {
    /// The handshake is complete, and has measured the round trip.
    pub fn new(scene: Scene) -> Self {
        let now = Instant::ZERO;
        let config = connection::Config::default();
        let out = Connection::server(config.clone(), [1; 32], now);
        let far = Connection::client(config, [2; 32], now);
        let mut sender = Session::server(session::Config::default(), now);
        let mut receiver = Session::client(session::Config::default(), [3; 32], now);
        sender.handle_link_up(now, Some(scene.latency() * 2));
        receiver.handle_link_up(now, Some(scene.latency() * 2));
        let name = SafeName::parse("file").expect("a safe name");
        let offer = Offer::new(TransferId::from_bytes([1; 16]), name, 1 << 50);
        sender.transfers_mut().offer(now, offer).expect("a new transfer");
        Self {
            now,
            sender,
            scene,
            route: scene.route(),
            frames: Frames::default(),
            source: Bytes::from(vec![0; 1 << 20]),
            out,
            far,
            receiver,
            back: VecDeque::new(),
            bytes: 0,
            chunks: 0,
        }
    }

    /// Sends until then.
    pub fn run(&mut self, end: Instant) -> Outcome {
        while self.now <= end {
            self.turn();
            self.now = self.poll_timeout().expect("somebody always waits for something");
        }
        outcome(self.scene, &self.route, self.bytes / self.chunks.max(1))
    }

    fn turn(&mut self) {
        let now = self.now;
        self.route.handle_timeout(now);
        while let Some(bytes) = self.route.read(now) {
            self.far.handle_input(now, &bytes);
        }
        while self.back.front().is_some_and(|(at, _)| *at <= now) {
            let bytes = self.back.pop_front().map(|(_, bytes)| bytes).unwrap_or_default();
            self.out.handle_input(now, &bytes);
        }
        for (connection, session) in [(&mut self.far, &mut self.receiver), (&mut self.out, &mut self.sender)]
        {
            if connection.poll_timeout().is_some_and(|due| due <= now) {
                connection.handle_timeout(now);
            }
            if session.poll_timeout().is_some_and(|due| due <= now) {
                session.handle_timeout(now);
            }
        }
        self.receive();
        self.send();
    }

    fn receive(&mut self) {
        let now = self.now;
        loop {
            pump(now, &mut self.far, &mut self.receiver);
            let mut any = false;
            while let Some(event) = self.receiver.poll_event() {
                let session::Event::Transfer(event) = event else { continue };
                any = true;
                let transfers = self.receiver.transfers_mut();
                match event {
                    Event::Offered(offered) => {
                        let answer =
                            Answer::Take { from: 0, prefix: Digest::of(&[]), epoch: 1, expires: None };
                        transfers.answer(now, offered.id, answer);
                    }
                    Event::Write { id, offset, data } => {
                        self.bytes += data.len() as u64;
                        self.chunks += 1;
                        transfers.written(now, id, offset + data.len() as u64);
                    }
                    Event::Sync { id } => transfers.commit(now, id, self.bytes),
                    other => panic!("{other:?}"),
                }
            }
            if !any {
                break;
            }
        }
        while !self.far.output().is_empty() {
            let bytes = Bytes::copy_from_slice(self.far.output());
            self.far.handle_written(now, bytes.len());
            self.back.push_back((now + self.scene.latency(), bytes));
        }
    }

    fn send(&mut self) {
        let now = self.now;
        loop {
            pump(now, &mut self.out, &mut self.sender);
            let mut any = false;
            while let Some(event) = self.sender.poll_event() {
                match event {
                    session::Event::Transfer(Event::Read { id, offset, len }) => {
                        let data = self.source.slice(..len);
                        self.sender.transfers_mut().provide(now, id, offset, data);
                        any = true;
                    }
                    session::Event::Transfer(Event::Accepted { .. }) | session::Event::Link(_) => {}
                    other => panic!("{other:?}"),
                }
            }
            let written = write(now, self.scene, &mut self.out, &mut self.route, &mut self.frames, true);
            if written == 0 && !any {
                break;
            }
        }
        if !self.out.output().is_empty() {
            self.out.handle_blocked(now);
        }
        self.route.probe(now, self.frames.left());
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let back = self.back.front().map(|(at, _)| *at);
        let timers = [
            self.out.poll_timeout(),
            self.far.poll_timeout(),
            self.sender.poll_timeout(),
            self.receiver.poll_timeout(),
        ];
        let timers = timers.into_iter().flatten().min();
        let next = earliest(earliest(self.route.poll_timeout(), back), timers)?;
        Some(next.max(self.now + Duration::from_nanos(1)))
    }
}
