//! Bodies of any length and of each kind, from one connection to another: those that are copied, those that are not,
//! those that are masked in place or as they leave, and buffers for large frames.
//!
//! The path is two pipes and takes no time. What a transport accepts at once, and what is read at once, may be any part
//! of what there is.

mod choices;
mod end;
mod pattern;
mod seeds;
mod wire;

pub(super) use seeds::seeds;

use super::choice::{Tell, choose};
use bowline_core::{Close, CloseCode, Instant, Role};
use choices::{Body, Op, Traffic};
use end::End;
use pattern::Part;

/// The most bytes that may be sent in one run; beyond that, messages are made short.
const MOST: usize = 6 << 20;
/// Few enough fragments of the usual length to stay below any limit on their number.
const FRAGMENTS: usize = 1000;

/// What arrives is what was sent, in its order, however writes and reads are cut, and the same holds for what is seen
/// on the wire. Pings wait for no more than one fragment that has begun. What an application holds does not change. A
/// host that miscounts is cut off, and its peer has received nothing that was not sent.
pub fn crossing(data: &[u8]) {
    let traffic: Traffic = choose(data);
    let _tell = Tell(&traffic);
    let mut run = Run::new(&traffic);
    for op in &traffic.ops.0 {
        run.act(op);
    }
    run.settle();
    run.check();
}

struct Run {
    client: End,
    server: End,
    now: Instant,
    /// How many more bytes may be sent.
    left: usize,
    /// Whether an end was cut off, or gave up what it had accepted.
    is_lossy: bool,
}

impl Run {
    fn new(traffic: &Traffic) -> Self {
        Self {
            client: End::new(Role::Client, &traffic.client),
            server: End::new(Role::Server, &traffic.server),
            now: Instant::ZERO,
            left: MOST,
            is_lossy: false,
        }
    }

    fn act(&mut self, op: &Op) {
        let now = self.now;
        match op {
            Op::Text(by, body) => {
                let part = self.part(*by, body);
                self.end(*by).send(now, true, part, false);
            }
            Op::Binary(by, body) => {
                let part = self.part(*by, body);
                self.end(*by).send(now, false, part, body.shared);
            }
            Op::Parts(by, head, body, tail) => {
                let parts = [head, body, tail].map(|body| (self.part(*by, body), body.shared));
                self.end(*by).send_parts(now, parts);
            }
            Op::Piece(by, is_text, body, is_last) => {
                let part = (self.part(*by, body), body.shared);
                self.end(*by).send_piece(now, *is_text, part, *is_last);
            }
            Op::Ping(by, payload) => self.end(*by).ping(now, &payload.0),
            Op::Close(by) => drop(self.end(*by).connection.close(now, Close::normal())),
            Op::Fail(by) => {
                self.is_lossy = true;
                self.end(*by).connection.fail(now, CloseCode::INTERNAL_ERROR, "as a test");
            }
            Op::Write(by, most) => drop(self.end(*by).write(now, most.bytes())),
            Op::WriteAll(by) => drop(self.end(*by).write(now, usize::MAX)),
            Op::Miscount(by, taken, more) => {
                self.is_lossy = true;
                self.end(*by).miscount(now, taken.bytes(), more.bytes());
            }
            Op::Blocked(by) => self.end(*by).connection.handle_blocked(now),
            Op::Read(by, most, to_place) => {
                let (us, them) = self.ends(*by);
                us.read(now, &mut them.pipe, most.bytes(), *to_place);
            }
            Op::ReadNothing(by) => self.end(*by).connection.handle_read(now),
            Op::Take(by, lent) => {
                let (us, them) = self.ends(*by);
                us.take(&them.messages, *lent);
            }
            Op::TakeAll(by, lent) => {
                let (us, them) = self.ends(*by);
                while us.take(&them.messages, *lent) {}
            }
            Op::Drop(by, messages) => {
                let (us, them) = self.ends(*by);
                us.drop_held(&them.messages, (*messages).into());
            }
            Op::KeepPlaces(by, keep) => self.end(*by).connection.keep_places(*keep),
            Op::Beat(by) => self.beat(*by),
            Op::Settle => self.settle(),
        }
    }

    /// Sleeps to the next deadline of this end, unless somebody waits for the end.
    fn beat(&mut self, by_client: bool) {
        let is_open = self.client.connection.is_open() && self.server.connection.is_open();
        let deadline = self.end(by_client).connection.poll_timeout();
        if let Some(deadline) = deadline.filter(|_| is_open) {
            self.now = self.now.max(deadline);
            for by in [true, false] {
                let now = self.now;
                self.end(by).connection.handle_timeout(now);
            }
        }
    }

    /// Everything crosses and is received.
    fn settle(&mut self) {
        let now = self.now;
        for round in 0.. {
            assert!(round < 100_000, "no end of it");
            let mut is_any = false;
            for by in [true, false] {
                let (us, them) = self.ends(by);
                is_any |= us.write(now, usize::MAX);
                is_any |= us.read(now, &mut them.pipe, usize::MAX, by);
                let mut lent = by;
                while us.take(&them.messages, lent) {
                    (lent, is_any) = (!lent, true);
                }
                if us.connection.poll_timeout().is_some_and(|deadline| deadline <= now) {
                    us.connection.handle_timeout(now);
                    is_any = true;
                }
            }
            if !is_any {
                break;
            }
        }
    }

    fn check(&mut self) {
        for by in [true, false] {
            let is_lossy = self.is_lossy;
            let (us, them) = self.ends(by);
            us.drop_held(&them.messages, usize::MAX);
            let whole = them.messages.iter().filter(|message| message.is_whole).count();
            assert!(us.heard <= whole && us.heard <= them.wire.message, "heard before it was sent");
            if !is_lossy {
                assert_eq!(us.heard, whole, "not everything was heard");
                assert!(us.wire.is_between_frames() && us.wire.pings.is_empty());
                assert!(us.closed.is_none() && us.connection.queued() == 0);
            }
        }
    }

    /// What this body is, within the remaining budget.
    fn part(&mut self, by_client: bool, body: &Body) -> Part {
        let fragment = self.end(by_client).wire.fragment();
        let len = body.len.bytes().min(fragment.saturating_mul(FRAGMENTS));
        let len = if len <= self.left { len } else { len % 300 };
        self.left = self.left.saturating_sub(len);
        Part { from: body.from.into(), len }
    }

    fn end(&mut self, by_client: bool) -> &mut End {
        self.ends(by_client).0
    }

    /// This end, and the other one.
    fn ends(&mut self, by_client: bool) -> (&mut End, &mut End) {
        let (client, server) = (&mut self.client, &mut self.server);
        if by_client { (client, server) } else { (server, client) }
    }
}
