//! A client and a server exchange messages over connections that are cut anywhere: each message arrives once, and in
//! order.
//!
//! Bytes cross at once, in small pieces, and are lost only where a connection is cut. The two ends are complete:
//! sessions, connections, and the server's message sessions behind its links.

use bowline_core::messages::{self, LinkId, Messages, Received, Sessions, SessionsConfig, SessionsEvent};
use bowline_core::replay::AckOn;
use bowline_core::{Close, CloseCode, Connection, End, Instant, Message, Role, Session, pump};
use bowline_core::{connection, session};
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::VecDeque;
use std::time::Duration;

/// This many bytes cross at once.
const PIECE: usize = 97;

/// A link ends when this role has written this many bytes; what it writes beyond them is lost.
#[derive(Clone, Copy, Debug)]
struct Cut {
    by: Role,
    after: u64,
    /// The server notices only when its client is back.
    unnoticed: bool,
}

/// One link of the server, which may outlive the client's end of it.
struct Served {
    link: LinkId,
    connection: Connection,
    session: Session,
}

struct World {
    now: Instant,
    config: messages::Config,
    client: (Connection, Session),
    sessions: Sessions,
    links: Vec<Served>,
    next_link: u64,
    /// What each role has written on this link.
    written: [u64; 2],
    cut: Option<Cut>,
    to_send: [VecDeque<Message>; 2],
    got: [Vec<Message>; 2],
}

fn at(role: Role) -> usize {
    usize::from(role == Role::Server)
}

fn seed(n: u64) -> [u8; 32] {
    let mut seed = [7; 32];
    seed[..8].copy_from_slice(&n.to_be_bytes());
    seed
}

/// Texts and bytes of many lengths.
fn conversation(role: Role, count: usize) -> Vec<Message> {
    let one = |n: usize| match n % 3 {
        0 => Message::binary(vec![n as u8; n * 7 % 40]),
        _ => Message::text(format!("{role:?} {n} {}", "x".repeat(n * 11 % 30))),
    };
    (0..count).map(one).collect()
}

impl World {
    fn new(config: messages::Config, counts: [usize; 2]) -> Self {
        let now = Instant::ZERO;
        let client = Session::client(settings(config), seed(0), now);
        let connection = Connection::client(connection::Config::default(), seed(1), now);
        let mut sessions = SessionsConfig::default();
        sessions.session = config;
        let talk = |role| conversation(role, counts[at(role)]).into();
        Self {
            now,
            config,
            client: (connection, client),
            sessions: Sessions::new(sessions, seed(2), now),
            links: Vec::new(),
            next_link: 0,
            written: [0, 0],
            cut: None,
            to_send: [talk(Role::Client), talk(Role::Server)],
            got: [Vec::new(), Vec::new()],
        }
    }

    fn messages(&mut self) -> &mut Messages {
        self.client.1.messages_mut().expect("it speaks of them")
    }

    fn link_up(&mut self, cut: Option<Cut>) {
        self.next_link += 1;
        let (n, now) = (self.next_link, self.now);
        (self.written, self.cut) = ([0, 0], cut);
        self.client.0 = Connection::client(connection::Config::default(), seed(100 + n), now);
        self.client.1.handle_link_up(now, None);
        let mut session = Session::server(settings(self.config), now);
        session.handle_link_up(now, None);
        let connection = Connection::server(connection::Config::default(), seed(200 + n), now);
        self.sessions.handle_link_up(now, LinkId(n), b"me");
        self.links.push(Served { link: LinkId(n), connection, session });
    }

    /// Each application sends one message, if it may, and takes what has arrived.
    fn talk(&mut self) {
        let now = self.now;
        let session = self.messages().session();
        if let Some(message) = self.to_send[0].pop_front() {
            if let Err(error) = self.messages().send(now, message) {
                self.to_send[0].push_front(error.into_inner());
            }
        }
        if let Some(message) = self.to_send[1].pop_front() {
            if let Err(error) = self.sessions.send(now, session, message) {
                self.to_send[1].push_front(error.into_inner());
            }
        }
        while let Some(Received { receipt, message, .. }) = self.messages().poll_received(now) {
            self.got[0].push(message);
            self.messages().confirm(now, receipt.expect("numbered"));
        }
        while let Some((from, Received { receipt, message, .. })) = self.sessions.poll_received(now) {
            assert_eq!(from, session);
            self.got[1].push(message);
            self.sessions.confirm(now, receipt.expect("numbered"));
        }
        self.watch();
    }

    /// Nobody loses a session here, and little is kept.
    fn watch(&mut self) {
        while let Some(event) = self.client.1.poll_event() {
            let is_bad = matches!(
                event,
                session::Event::Messages(messages::Event::Lost { .. } | messages::Event::Refused { .. })
            );
            assert!(!is_bad, "{event:?}");
        }
        while let Some(event) = self.sessions.poll_event() {
            assert!(!matches!(event, SessionsEvent::Session(_, messages::Event::Lost { .. })), "{event:?}");
        }
        let most = self.config.replay.max_messages;
        let session = self.messages().session();
        assert!(self.messages().unacknowledged() <= most && self.sessions.unacknowledged(session) <= most);
        assert!(self.sessions.len() <= 1 && self.sessions.detached_bytes() < 20_000);
    }

    /// Everything moves that can move at once. Returns false if the link was cut.
    fn settle(&mut self) -> bool {
        loop {
            let mut moved = false;
            let now = self.now;
            let World { client, sessions, links, .. } = self;
            pump(now, &mut client.0, &mut client.1);
            for Served { link, connection, session } in links {
                loop {
                    pump(now, connection, session);
                    if !sessions.serve(now, *link, session) {
                        break;
                    }
                    moved = true;
                }
            }
            for role in [Role::Client, Role::Server] {
                match self.carry(role) {
                    Some(n) => moved |= n > 0,
                    None => return false,
                }
            }
            if !moved {
                return true;
            }
        }
    }

    /// Carries a piece of what this role has written. `None` if the link is cut.
    fn carry(&mut self, role: Role) -> Option<usize> {
        let now = self.now;
        let Some(served) = self.links.last_mut() else { return Some(0) };
        let (from, to) = match role {
            Role::Client => (&mut self.client.0, &mut served.connection),
            Role::Server => (&mut served.connection, &mut self.client.0),
        };
        let mut n = from.output().len().min(PIECE);
        let written = &mut self.written[at(role)];
        let cut = self.cut.filter(|cut| cut.by == role && *written + n as u64 > cut.after);
        if let Some(cut) = cut {
            n = (cut.after - *written) as usize;
        }
        to.handle_input(now, &from.output()[..n]);
        from.handle_written(now, n);
        *written += n as u64;
        cut.is_none().then_some(n)
    }

    /// The link is lost, for the client at once. What has crossed is processed first.
    fn link_down(&mut self) {
        let now = self.now;
        let (connection, session) = &mut self.client;
        pump(now, connection, session);
        connection.handle_end(now, End::Reset);
        pump(now, connection, session);
        let unnoticed = self.cut.is_some_and(|cut| cut.unnoticed);
        if let Some(served) = self.links.last_mut() {
            pump(now, &mut served.connection, &mut served.session);
            self.sessions.serve(now, served.link, &mut served.session);
        }
        if !unnoticed {
            self.forget_links();
        }
        self.talk();
    }

    /// The server notices that its links are gone.
    fn forget_links(&mut self) {
        for Served { link, mut connection, mut session } in self.links.drain(..) {
            connection.handle_end(self.now, End::Reset);
            pump(self.now, &mut connection, &mut session);
            self.sessions.handle_link_down(self.now, link, false);
        }
    }

    fn is_done(&mut self) -> bool {
        let session = self.messages().session();
        self.to_send.iter().all(VecDeque::is_empty)
            && self.messages().unacknowledged() == 0
            && self.sessions.unacknowledged(session) == 0
    }

    /// Runs until everything is sent and acknowledged, or the link is cut.
    fn run(&mut self) -> bool {
        for _ in 0..2000 {
            if !self.settle() {
                self.link_down();
                return false;
            }
            if self.is_done() {
                return true;
            }
            self.talk();
            self.now += Duration::from_millis(7);
            self.client.1.handle_timeout(self.now);
            self.sessions.handle_timeout(self.now);
        }
        panic!("it does not end: {:?} of each was received", self.got.each_ref().map(Vec::len));
    }

    fn assert_whole(&self, counts: [usize; 2]) {
        assert_eq!(self.got[1], conversation(Role::Client, counts[0]), "what the server got");
        assert_eq!(self.got[0], conversation(Role::Server, counts[1]), "what the client got");
    }
}

fn settings(config: messages::Config) -> session::Config {
    let mut settings = session::Config::default();
    settings.messages = Some(config);
    settings
}

/// Small enough that everything happens in a short conversation: buffers that fill, windows that close,
/// acknowledgements that are due.
fn small(ack_on: AckOn) -> messages::Config {
    let mut config = messages::Config::default();
    config.replay.max_messages = 8;
    config.replay.ack_messages = 3;
    config.replay.window.messages = 5;
    config.replay.ack_after = Duration::from_millis(20);
    config.replay.ack_on = ack_on;
    config
}

/// One conversation over links that are cut like this, and a last one that is not.
fn talk(config: messages::Config, counts: [usize; 2], cuts: &[Cut]) -> World {
    let mut world = World::new(config, counts);
    for cut in cuts {
        world.link_up(Some(*cut));
        if world.run() {
            world.assert_whole(counts);
            return world;
        }
        world.now += Duration::from_millis(500);
    }
    world.link_up(None);
    assert!(world.run());
    world.assert_whole(counts);
    world
}

/// How many bytes each role writes if nothing is cut.
fn bytes(config: messages::Config, counts: [usize; 2]) -> [u64; 2] {
    talk(config, counts, &[]).written
}

/// Every point of a conversation with this many messages in each direction.
fn cut_everywhere(ack_on: AckOn, unnoticed: bool) {
    let (config, counts) = (small(ack_on), [24, 24]);
    let bytes = bytes(config, counts);
    assert!(bytes.iter().all(|bytes| *bytes > 1500), "{bytes:?}");
    for by in [Role::Client, Role::Server] {
        for after in 0..bytes[at(by)] {
            talk(config, counts, &[Cut { by, after, unnoticed }]);
        }
    }
}

#[test]
fn a_talk_survives_a_cut_at_every_byte() {
    cut_everywhere(AckOn::Delivery, false);
}

#[test]
fn a_talk_survives_a_cut_at_every_byte_that_the_server_has_not_noticed() {
    cut_everywhere(AckOn::Confirmation, true);
}

/// Beginning or resuming takes fewer bytes than this.
const GREETING: u64 = 260;

#[test]
fn a_resume_survives_a_cut_at_every_byte() {
    let (config, counts) = (small(AckOn::Delivery), [12, 12]);
    for (first_by, after) in [(Role::Client, 700), (Role::Server, 150), (Role::Server, 700)] {
        for by in [Role::Client, Role::Server] {
            for second in 0..GREETING {
                let unnoticed = second % 2 == 0;
                let first = Cut { by: first_by, after, unnoticed: !unnoticed };
                let second = Cut { by, after: second, unnoticed };
                talk(config, counts, &[first, second]);
            }
        }
    }
}

#[test]
fn answers_that_are_lost_again_and_again_do_not_cost_the_session() {
    let (config, counts) = (small(AckOn::Delivery), [12, 12]);
    // The server's HELLO gets through; the answer after it does not, or only just.
    for after in [100, 120, 140, 150, 160, 170, 180] {
        let cut = Cut { by: Role::Server, after, unnoticed: after % 20 == 0 };
        let world = talk(config, counts, &[cut; 6]);
        assert_eq!(world.sessions.len(), 1);
    }
}

fn any_cut() -> impl Strategy<Value = Cut> {
    let role = prop_oneof![Just(Role::Client), Just(Role::Server)];
    (role, prop_oneof![2 => 0..GREETING, 3 => 0..4000_u64], any::<bool>())
        .prop_map(|(by, after, unnoticed)| Cut { by, after, unnoticed })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    #[test]
    fn a_talk_survives_many_cuts(
        counts in [0..50_usize, 0..50_usize], confirms in any::<bool>(), cuts in vec(any_cut(), 2..8)
    ) {
        let ack_on = if confirms { AckOn::Confirmation } else { AckOn::Delivery };
        talk(small(ack_on), counts, &cuts);
    }
}

#[test]
fn a_link_that_was_overtaken_ends_with_1000_superseded() {
    let mut world = World::new(small(AckOn::Delivery), [20, 20]);
    world.link_up(Some(Cut { by: Role::Client, after: 900, unnoticed: true }));
    assert!(!world.run());
    world.link_up(None);
    assert!(world.run());
    world.assert_whole([20, 20]);
    let old = world.links.first_mut().expect("nobody has noticed its end");
    let closed = std::iter::from_fn(|| old.connection.poll_event()).last();
    assert_eq!(closed, None, "the other end is silent, so it waits");
    let superseded = Close::new(CloseCode::NORMAL, "superseded").expect("short");
    let output = old.connection.output();
    assert!(output.ends_with(superseded.reason().as_bytes()), "{:?}", output.escape_ascii().to_string());
}
