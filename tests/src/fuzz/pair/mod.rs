//! Two connections on a path, with hosts of any kind and faults of any kind.

mod choices;
mod seeds;

pub(super) use seeds::seeds;

use super::choice::{Tell, choose};
use super::closing::check_sentence;
use super::differential::stream::text;
use super::reader::{Heard, Most, Reader};
use crate::sim::{Did, Host, Pair, Pieces, other, rng};
use bowline_core::closing::Kind;
use bowline_core::connection::{Config, Event};
use bowline_core::{Close, CloseCode, Disconnect, Message, Role};
use choices::{Act, Affair, Fault, Manner, What, at_most_an_hour, role};
use std::time::Duration;

/// A side that did not answer for less than this is still there: the shortest time that the heartbeat gives a ping,
/// minus the time that a byte may take on the path.
const PATIENCE: Duration = Duration::from_secs(15);
/// The same for a side that wakes up from a sleep and pings at once, or that closes: the answer then has 5 s.
const SHORT_PATIENCE: Duration = Duration::from_secs(3);
/// After the last act, and after the last delay: long enough for every wait to be over.
const AFTERWARDS: Duration = Duration::from_secs(300);

/// Two connections talk. What arrives is a prefix of what was sent, and all of it if nothing goes wrong; each has one
/// end, and never reports that the other side was gone while it was there.
pub fn pair(data: &[u8]) {
    let affair: Affair = choose(data);
    let _tell = Tell(&affair);
    let mut run = Run::new(&affair);
    for act in &affair.acts.0 {
        run.act(act);
    }
    run.finish();
    run.check(Role::Client);
    run.check(Role::Server);
}

struct Run<'a> {
    affair: &'a Affair,
    patience: Duration,
    pair: Pair,
    client: Side,
    server: Side,
}

/// What is known about one side.
#[derive(Debug, Default)]
struct Side {
    accepted: Vec<Message>,
    /// It did not run for so long that it may be taken for dead, or did not read.
    was_away: bool,
    /// It asked for the end.
    ended: bool,
}

impl<'a> Run<'a> {
    fn new(affair: &'a Affair) -> Self {
        let mut pair = Pair::new(Config::default(), Config::default(), affair.link(), 1);
        be(&mut pair.client, &affair.client);
        be(&mut pair.server, &affair.server);
        let hurries = affair.acts.0.iter().any(|act| matches!(act.what, What::Wake(_) | What::Close(_)));
        let patience = if hurries { SHORT_PATIENCE } else { PATIENCE };
        Self { affair, patience, pair, client: Side::default(), server: Side::default() }
    }

    fn act(&mut self, act: &Act) {
        self.pair.run_for(at_most_an_hour(act.after));
        let now = self.pair.now();
        let side = if act.by_client { &mut self.client } else { &mut self.server };
        let host = self.pair.host(role(act.by_client));
        host.wake();
        let connection = &mut host.connection;
        match &act.what {
            What::Text(letters) => send(host, now, Message::text(text(letters)), side),
            What::Binary(len) => {
                let number = side.accepted.len() as u8;
                send(host, now, Message::binary(vec![number; (*len).into()]), side);
            }
            What::Close(which) => {
                let close = Close::new(3000 + u16::from(*which), "as a test").expect("to be sent");
                side.ended |= connection.close(now, close).is_ok();
            }
            What::Fail => {
                side.ended = true;
                connection.fail(now, CloseCode::INTERNAL_ERROR, "as a test");
            }
            What::Abort => {
                side.ended = true;
                connection.abort(now);
            }
            What::Listen(listens) => {
                // For how long depends on what comes next.
                side.was_away |= !listens;
                host.listens = *listens;
            }
            What::Sleep(span) => {
                side.was_away |= at_most_an_hour(*span) >= self.patience;
                host.sleep(now + at_most_an_hour(*span));
            }
            What::Wake(span) => connection.handle_wake(now, at_most_an_hour(*span)),
        }
    }

    /// Finally, all of them read and wake up.
    fn finish(&mut self) {
        self.pair.client.listens = true;
        self.pair.server.listens = true;
        self.pair.run_for(Duration::from_secs(3600) + AFTERWARDS);
    }

    fn check(&self, role: Role) {
        let (us, host) = (self.side(role), self.host(role));
        let (them, peer) = (self.side(other(role)), self.host(other(role)));
        let damaged = self.affair.faults.0.iter().any(|fault| matches!(fault, Fault::Damage(..)));
        let is_good = self.affair.faults.0.is_empty();
        check_events(host);
        check_output(role, host);

        let received: Vec<_> = messages(host).collect();
        let sent = &them.accepted;
        if !damaged {
            let is_beginning =
                received.len() <= sent.len() && received.iter().zip(sent).all(|(a, b)| *a == b);
            assert!(is_beginning, "{role:?} received {received:?} of {sent:?}");
        }
        let all_is_well = is_good && !us.was_away && !them.was_away;
        if all_is_well && !us.ended && !them.ended {
            assert_eq!(received.len(), sent.len(), "{role:?} did not receive everything");
            assert_eq!(host.closed(), None, "{role:?}");
        }
        let Some((_, disconnect)) = host.closed() else { return };
        if is_good && !them.was_away {
            assert!(!accuses(disconnect), "{role:?}, and the other side was there: {disconnect}");
        }
        assert!(!all_is_well || peer.has_left(), "{role:?} has ended, and the other side goes on");
    }

    fn side(&self, role: Role) -> &Side {
        if role == Role::Client { &self.client } else { &self.server }
    }

    fn host(&self, role: Role) -> &Host {
        if role == Role::Client { &self.pair.client } else { &self.pair.server }
    }
}

fn be(host: &mut Host, manner: &Manner) {
    host.tap = Some(Vec::new());
    if let Some(seed) = manner.pieces {
        host.reads = Pieces::random(seed.into());
        host.writes = Pieces::random(u64::from(seed) + 1);
    }
    host.late = manner.late.0.min(Duration::from_secs(100));
    host.writes_first = manner.writes_first;
    host.steps_back = manner.clock_steps_back.then(|| Box::new(rng(7)));
}

fn send(host: &mut Host, now: bowline_core::Instant, message: Message, side: &mut Side) {
    if host.connection.send(now, message.clone()).is_ok() {
        side.accepted.push(message);
    }
}

fn messages(host: &Host) -> impl Iterator<Item = &Message> {
    host.events.iter().filter_map(|(_, event)| match event {
        Event::Message(message) => Some(message),
        _ => None,
    })
}

/// Whether it reports that the other side was not there, or did not do what it should.
fn accuses(disconnect: &Disconnect) -> bool {
    matches!(
        disconnect.kind(),
        Kind::KeepaliveTimeout | Kind::WriteStall | Kind::CloseTimeout | Kind::ProtocolViolation
    ) || matches!(disconnect.kind(), Kind::WeFailed(code) if code != CloseCode::INTERNAL_ERROR)
}

/// There is at most one end, and nothing after it.
fn check_events(host: &Host) {
    let end = host.events.iter().position(|(_, event)| matches!(event, Event::Closed(_)));
    assert!(end.is_none_or(|end| end + 1 == host.events.len()), "{:?}", host.events);
    if let Some((_, disconnect)) = host.closed() {
        check_sentence(disconnect);
        assert!(host.has_left());
    }
}

/// Any reader can read what was written, and it ends with a Close if there is one.
fn check_output(role: Role, host: &Host) {
    let mut reader = Reader::new(role, Most::default());
    for (_, did) in host.tap.iter().flatten() {
        if let Did::Wrote(bytes) = did {
            reader.push(bytes);
        }
    }
    let mut closes = 0;
    while let Some(heard) = reader.next() {
        let heard = heard.expect("what is written is right");
        // RFC 6455 §5.5.2: until the peer has closed, its pings are answered.
        assert!(closes == 0 || matches!(heard, Heard::Pong(_)), "{heard:?} behind a Close");
        closes += u32::from(matches!(heard, Heard::Close(_)));
    }
}
