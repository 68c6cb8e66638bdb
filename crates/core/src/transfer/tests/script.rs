//! One end, and a peer played by the test.

use super::super::wire::{self, Accept, Ack, Data, Frame, Have};
use super::super::*;
use super::world::*;
use bytes::Bytes;
use std::vec::Vec;

/// One end, and a peer played by a script.
pub(super) struct Scripted(pub(super) Transfers);

impl Scripted {
    pub(super) fn new(role: Role, config: Config) -> Self {
        let mut transfers = Transfers::new(role, config, Instant::ZERO);
        transfers.handle_link_up(Instant::ZERO, None);
        let mut scripted = Self(transfers);
        scripted.hear(hello());
        scripted.say();
        scripted
    }

    pub(super) fn client() -> Self {
        Self::new(Role::Client, Config::default())
    }

    pub(super) fn server() -> Self {
        Self::new(Role::Server, Config::default())
    }

    pub(super) fn hear(&mut self, frame: Frame) {
        self.hear_at(Instant::ZERO, frame);
    }

    pub(super) fn hear_at(&mut self, now: Instant, frame: Frame) {
        self.0.handle_message(now, frame.encode().into_bytes());
    }

    pub(super) fn say(&mut self) -> Vec<Frame> {
        self.say_at(Instant::ZERO)
    }

    pub(super) fn say_at(&mut self, now: Instant) -> Vec<Frame> {
        core::iter::from_fn(|| self.0.poll_message(now, 1))
            .map(|message| wire::decode(message.into_bytes()).expect("we send what we can read"))
            .collect()
    }

    pub(super) fn events(&mut self) -> Vec<Event> {
        core::iter::from_fn(|| self.0.poll_event()).collect()
    }

    pub(super) fn hear_offer(&mut self, handle: u32, n: u8, length: u64) {
        self.hear(Frame::Offer(handle, plain_offer(id(n), "file", length)));
    }

    pub(super) fn take(&mut self, n: u8) {
        self.take_from(n, 0);
    }

    pub(super) fn take_from(&mut self, n: u8, from: u64) {
        let answer = Answer::Take { from, prefix: Digest::of(b""), epoch: 1, expires: None };
        self.0.answer(Instant::ZERO, id(n), answer);
    }

    /// A chunk of a file arrives.
    pub(super) fn hear_data(&mut self, handle: u32, offset: u64, len: usize) {
        self.hear_data_at(Instant::ZERO, handle, offset, len);
    }

    pub(super) fn hear_data_at(&mut self, now: Instant, handle: u32, offset: u64, len: usize) {
        let data = Data { offset, seq: 0, payload: Bytes::from(contents(0, len)) };
        self.hear_at(now, Frame::Data(handle, data));
    }

    /// The link is lost, and there is another one, whose peer sends its HELLO.
    pub(super) fn relink(&mut self) {
        self.0.handle_link_down(Instant::ZERO);
        self.0.handle_link_up(Instant::ZERO, None);
        self.hear(hello());
    }

    /// Sends a file whose offer is accepted, up to the first chunk. Nothing else has been read.
    pub(super) fn sending(length: u64) -> Self {
        let mut scripted = Self::client();
        scripted.0.offer(Instant::ZERO, Offer::new(id(1), name("file"), length)).expect("new");
        assert_eq!(scripted.say().len(), 1, "the offer");
        scripted.hear(Frame::Accept(1, accept(length)));
        scripted
    }

    /// Sends a file of 1 MiB, whose offer is accepted with this much credit, on handle 3. Another file was offered
    /// before it and is refused, so its beginning has not followed the offer unasked. Nothing has been read.
    pub(super) fn with_credit(credit: u64) -> Self {
        let mut scripted = Self::client();
        for n in [2, 1] {
            scripted.0.offer(Instant::ZERO, Offer::new(id(n), name("file"), 1 << 20)).expect("new");
        }
        assert_eq!(scripted.say().len(), 2, "the offers");
        scripted.hear(Frame::Cancel(1, cancel(Code::Exists, Duration::ZERO)));
        scripted.events();
        scripted.hear(Frame::Accept(3, accept(credit)));
        scripted
    }

    /// Carries out the requested reads.
    pub(super) fn read(&mut self) {
        for event in self.events() {
            if let Event::Read { id, offset, len } = event {
                self.0.provide(Instant::ZERO, id, offset, Bytes::from(std::vec![0; len]));
            }
        }
    }

    pub(super) fn hear_ack(&mut self, received: u64, rewind: Option<wire::Rewind>) {
        self.hear(Frame::Ack(
            1,
            Ack { received, durable: 0, credit: 1 << 40, last_seq: 0, hold_us: 0, rewind },
        ));
    }
}

/// An ACCEPT from the beginning.
pub(super) fn accept(credit: u64) -> Accept {
    Accept {
        resume: 0,
        credit,
        max_chunk: 1 << 16,
        epoch: 1,
        expires: 0,
        ack_ms: 25,
        have: Have::Part,
        prefix: None,
    }
}

pub(super) fn cancel(code: Code, retry_after: Duration) -> wire::Cancel {
    wire::Cancel { code, retry_after, durable: 0, discard: false, text: String::new() }
}

pub(super) fn cancelled(frames: &[Frame]) -> Option<Code> {
    frames
        .iter()
        .find_map(|frame| if let Frame::Cancel(_, cancel) = frame { Some(cancel.code) } else { None })
}
