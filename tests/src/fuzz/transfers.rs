//! A session whose peer sends anything.

use super::{Feed, with_checksum};
use crate::sim::{Disk, Worker};
use bowline_core::transfer::wire::{self, Frame};
use bowline_core::transfer::{Digest, Kind, Leftover, Offer, SafeName, TransferId, What};
use bowline_core::{Instant, Role, Session, session};
use bytes::Bytes;
use std::time::Duration;

/// How much a link may hold for its peer until it is written.
const CREDIT: u64 = 1 << 20;

/// Messages to a session that sends, receives and requests files: none panics, deadlines lie ahead, writes arrive in
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
    /// A host that offers a file and a pipe, requests another file, and accepts what it is offered.
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
        transfers.offer(now, Offer::new(id, mine.clone(), 100_000)).expect("the first");
        transfers.request(now, TransferId::from_bytes([2; 16]), wanted).expect("the first");
        let pipe = TransferId::from_bytes([3; 16]);
        worker.pipe(pipe, mine.clone());
        transfers.offer(now, Offer::of_unknown_length(pipe, mine)).expect("the first");
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
                // A chunk, without having to carry its bytes.
                let (handle, seq) = (feed.byte().into(), feed.byte().into());
                let (offset, len) = (feed.short().into(), feed.short().into());
                let payload = Bytes::from(vec![7; len]);
                let chunk = wire::Data { offset, seq, payload };
                self.receive(Frame::Data(handle, chunk).encode().into_bytes());
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

    /// Pauses, resumes or cancels one of the possible transfers.
    fn verb(&mut self, which: u8, what: u8) {
        let transfers = self.session.transfers_mut();
        let id = TransferId::from_bytes([which % 4; 16]);
        let paused = transfers.is_paused(id);
        match what % 8 {
            // A pause outlives its link, and the transfer may not have returned yet.
            0..3 => assert!(transfers.pause(self.now, id) == transfers.is_paused(id) || paused),
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

/// Inputs to start from.
pub(super) fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    const WORK: [u8; 1] = [4];
    const POLL: [u8; 2] = [5, 255];
    let hello = heard(Frame::Hello(wire::Hello {
        min_version: 1,
        max_version: 1,
        max_chunk: 1 << 20,
        max_transfers: 255,
        max_offers_per_second: 255,
        credit: 1 << 24,
        features: wire::UNKNOWN_LENGTH,
        instance: [9; 16],
        agent: String::new(),
    }));
    let offer = heard(Frame::Offer(
        1,
        wire::Offer {
            id: TransferId::from_bytes([8; 16]),
            name: name("z"),
            kind: Kind::File,
            length: None,
            mtime_ms: 0,
            unix_mode: None,
            validator: None,
            batch: None,
            mode: wire::Mode::AttachOrCreate,
            priority: 0,
            epoch_seen: 0,
            digest: None,
        },
    ));
    let chunk = [3, 1, 0, 0, 0, 0, 100];
    let whole = wire::Whole { length: 100, digest: Digest::of(&[7; 100]), deduplicated: false };
    let fin = heard(Frame::Fin(1, whole));
    let to_a_server = [&[1][..], &hello, &offer, &WORK, &chunk, &WORK, &POLL, &fin, &WORK, &POLL].concat();

    let accept = |resume| {
        heard(Frame::Accept(
            5,
            wire::Accept {
                resume,
                credit: 1 << 20,
                max_chunk: 1 << 20,
                epoch: 1,
                expires: 0,
                ack_ms: 25,
                have: wire::Have::Part,
                prefix: None,
            },
        ))
    };
    let ack = |received, durable, rewind| {
        let (credit, last_seq, hold_us) = (1 << 20, 0, 0);
        heard(Frame::Ack(5, wire::Ack { received, durable, credit, last_seq, hold_us, rewind }))
    };
    let of_a_client = [&[0][..], &POLL, &hello[..], &POLL, &accept(0), &WORK, &POLL].concat();
    let back = ack(10_000, 10_000, Some(wire::Rewind::Gap));
    let goes_back = [&of_a_client[..], &back, &WORK, &POLL, &WORK, &POLL].concat();
    // What was durable no longer exists.
    let again = [&[7][..], &POLL, &hello[..], &POLL, &accept(5000), &WORK, &POLL].concat();
    let lost = [&goes_back[..], &again].concat();
    let request = wire::Request {
        id: TransferId::from_bytes([7; 16]),
        what: What::Listing(None),
        from: 0,
        to: u64::MAX,
        if_digest: None,
        again: false,
    };
    let listed = [&[1][..], &hello, &heard(Frame::Request(1, request)), &WORK, &POLL, &WORK, &POLL].concat();
    vec![
        ("a_pipe_to_a_server", to_a_server),
        ("a_pipe_goes_back", goes_back),
        ("a_pipe_is_lost", lost),
        ("a_listing_of_a_server", listed),
    ]
}

/// A received message, as described by an input.
fn heard(frame: Frame) -> Vec<u8> {
    let message = frame.encode().into_bytes();
    let body = &message[..message.len() - 4];
    [&[0, body.len() as u8], body].concat()
}
