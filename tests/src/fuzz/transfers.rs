//! A session whose peer sends anything.

use super::{Feed, with_checksum};
use crate::sim::{Disk, Worker};
use bowline_core::transfer::{Leftover, Offer, SafeName, TransferId, wire};
use bowline_core::{Instant, Role, Session, session};
use bytes::Bytes;
use std::time::Duration;

/// How much a link may hold for its peer before it is written.
const CREDIT: u64 = 1 << 20;

/// Messages to a session that sends, receives and asks for files: none panics, deadlines lie ahead, writes come in
/// order, and no more is held in memory than was promised.
pub fn transfers(data: &[u8]) {
    let mut feed = Feed::new(data);
    let mut end = Host::new(feed.role());
    while !feed.is_empty() {
        end.act(&mut feed);
    }
    end.session.transfers_mut().handle_link_down(end.now);
    end.work();
}

struct Host {
    session: Session,
    worker: Worker,
    disk: Disk,
    now: Instant,
}

impl Host {
    /// A host that offers one file, asks for another, and takes what it is offered.
    fn new(role: Role) -> Self {
        let now = Instant::ZERO;
        let mut config = session::Config::default();
        config.transfer.credit = CREDIT / 2;
        config.transfer.link_credit = CREDIT;
        let mut session = match role {
            Role::Client => Session::client(config, [1; 32], now),
            Role::Server => Session::server(config, now),
        };
        let (mut worker, mut disk) = (Worker::default(), Disk::default());
        let (mine, wanted) = (name("mine"), name("wanted"));
        let id = TransferId::from_bytes([1; 16]);
        disk.files.insert(mine.clone(), Bytes::from(vec![7; 100_000]));
        worker.send(id, mine.clone());
        let transfers = session.transfers_mut();
        transfers.offer(now, Offer::new(id, mine, 100_000)).expect("the first");
        transfers.request(now, TransferId::from_bytes([2; 16]), wanted).expect("the first");
        session.handle_link_up(now, Some(Duration::from_millis(10)));
        Self { session, worker, disk, now }
    }

    fn act(&mut self, feed: &mut Feed<'_>) {
        match feed.byte() % 10 {
            0..=2 => {
                let len = feed.byte().into();
                self.receive(with_checksum(feed.slice(len)));
            }
            3 => {
                // A chunk, without the need to carry its bytes.
                let (handle, seq) = (feed.byte().into(), feed.byte().into());
                let (offset, len) = (feed.short().into(), feed.short().into());
                let payload = Bytes::from(vec![7; len]);
                let chunk = wire::Data { offset, seq, payload };
                self.receive(wire::Frame::Data(handle, chunk).encode().into_bytes());
            }
            4 => self.work(),
            5 => {
                for _ in 0..feed.byte() {
                    if self.session.poll_message(self.now, 1).is_none() {
                        break;
                    }
                }
            }
            6 => {
                self.now += Duration::from_millis(feed.short().into());
                self.session.handle_timeout(self.now);
                let next = self.session.poll_timeout();
                assert!(next.is_none_or(|next| next > self.now), "a deadline lies ahead");
            }
            7 => self.session.handle_link_up(self.now, None),
            _ => self.verb(feed.byte(), feed.byte()),
        }
        let transfers = self.session.transfers();
        assert!(transfers.in_flight() <= transfers.window().max(1 << 20), "more is out than may be");
    }

    /// Pauses, resumes or cancels one of the transfers that there may be.
    fn verb(&mut self, which: u8, what: u8) {
        let transfers = self.session.transfers_mut();
        let id = TransferId::from_bytes([which % 4; 16]);
        let paused = transfers.is_paused(id);
        match what % 8 {
            0..3 => assert!(transfers.pause(self.now, id) == transfers.is_paused(id)),
            3..6 => assert_eq!(transfers.resume(self.now, id), paused),
            6 => drop(transfers.cancel(self.now, id, Leftover::Keep)),
            _ => drop(transfers.cancel(self.now, id, Leftover::Discard)),
        }
    }

    fn receive(&mut self, message: Bytes) {
        let copy = message.clone();
        if let Some(foreign) = self.session.handle_message(self.now, message) {
            assert_eq!(foreign, copy, "what is not ours comes back as it was");
        }
    }

    fn work(&mut self) {
        self.worker.work(self.now, &mut self.session, &mut self.disk);
    }
}

fn name(name: &str) -> SafeName {
    SafeName::parse(name).expect("a safe name")
}
