//! The laws of the API on two connections, whatever they do, whatever their hosts are like, and whatever happens to the
//! path between them.
//!
//! Every simulated host asserts at every turn that a handled deadline is followed by a later one (law 3).

use bowline_core::connection::{Config, Event};
use bowline_core::{Close, CloseCode, End, Instant, Message, Role};
use bowline_tests::sim::{Did, Host, Link, Pair, Path, Pieces, Then, other, rng};
use bytes::Bytes;
use proptest::prelude::*;
use std::time::Duration;

/// How long a story takes, and how long its hosts may take to find out that it is over.
const STORY: u64 = 3000;
const AFTERWARDS: Duration = Duration::from_secs(10);

/// What two applications do, over what path, and what goes wrong.
#[derive(Clone, Debug)]
struct Story {
    path: Path,
    /// In milliseconds, in order.
    acts: Vec<(u64, Role, Act)>,
    fault: Fault,
}

#[derive(Clone, Debug)]
enum Act {
    Text(usize),
    Binary(usize),
    Close,
    Fail,
    Abort,
    Listen(bool),
    Sleep(u64),
    Wake(u64),
}

#[derive(Clone, Debug)]
enum Fault {
    Nothing,
    Cut(Role, u64, End),
    Swallow(Vec<Role>, u64),
    Idle(u64, Then),
}

/// The properties of the hosts. Nobody must be able to tell, except by their speed.
#[derive(Clone, Debug)]
enum Manner {
    Plain,
    /// They read in other pieces.
    Reads(Pieces),
    /// They look at the clock every millisecond.
    Ticking,
    /// Their clocks step back.
    SteppingBack,
    /// They read and write in other pieces, look at the clock late, and write before they read.
    Sloppy(Pieces),
}

fn role() -> impl Strategy<Value = Role> {
    prop::sample::select(vec![Role::Client, Role::Server])
}

fn path() -> impl Strategy<Value = Path> {
    let rate = prop::option::of(20_000..5_000_000_u64);
    let sizes = (1..20_000_usize, 1000..100_000_usize, 1000..100_000_usize);
    (0..60_u64, rate, sizes).prop_map(|(latency, bandwidth, (segment, send_buffer, receive_buffer))| Path {
        segment,
        send_buffer,
        receive_buffer,
        ..Path::new(Duration::from_millis(latency), bandwidth)
    })
}

fn message() -> impl Strategy<Value = Act> {
    let len = prop_oneof![5 => 0..300_usize, 1 => 0..50_000_usize];
    (any::<bool>(), len).prop_map(|(text, len)| if text { Act::Text(len) } else { Act::Binary(len) })
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        12 => message(),
        1 => Just(Act::Close),
        1 => prop::sample::select(vec![Act::Fail, Act::Abort]),
        2 => any::<bool>().prop_map(Act::Listen),
        1 => (0..1500_u64).prop_map(Act::Sleep),
        1 => (0..30_u64).prop_map(Act::Wake),
    ]
}

fn acts(act: impl Strategy<Value = Act>) -> impl Strategy<Value = Vec<(u64, Role, Act)>> {
    prop::collection::vec((0..STORY, role(), act), 0..25).prop_map(|mut acts| {
        acts.sort_by_key(|(at, ..)| *at);
        acts
    })
}

fn fault() -> impl Strategy<Value = Fault> {
    let end = prop::sample::select(vec![End::Eof, End::Reset]);
    let then = prop::sample::select(vec![Then::Finish, Then::Reset, Then::Swallow, Then::ResetLater]);
    let roles =
        prop::sample::select(vec![vec![Role::Client], vec![Role::Server], vec![Role::Client, Role::Server]]);
    prop_oneof![
        3 => Just(Fault::Nothing),
        3 => (role(), 0..60_000_u64, end).prop_map(|(role, bytes, end)| Fault::Cut(role, bytes, end)),
        1 => (roles, 0..STORY).prop_map(|(roles, at)| Fault::Swallow(roles, at)),
        1 => (50..1000_u64, then).prop_map(|(after, then)| Fault::Idle(after, then)),
    ]
}

fn story() -> impl Strategy<Value = Story> {
    (path(), acts(act()), fault()).prop_map(|(path, acts, fault)| Story { path, acts, fault })
}

/// Nothing but messages over a path that is merely slow.
fn quiet_story() -> impl Strategy<Value = Story> {
    (path(), acts(message())).prop_map(|(path, acts)| Story { path, acts, fault: Fault::Nothing })
}

/// Times so short that a lot happens in a story.
fn hurried() -> Config {
    let mut config = Config::default();
    config.heartbeat.interval = Duration::from_millis(300);
    config.heartbeat.timeout = Duration::from_millis(300);
    config.heartbeat.timeout_max = Duration::from_millis(900);
    config.heartbeat.grace = Duration::from_millis(100);
    config.closing.close_timeout = Duration::from_millis(400);
    config.closing.end_timeout = Duration::from_millis(200);
    config.closing.drain_timeout = Duration::from_millis(100);
    config.closing.stall_timeout = Duration::from_millis(900);
    config.receive_buffer = 20_000;
    config
}

/// The outcome of a story.
#[derive(Debug)]
struct Trace {
    client: Seen,
    server: Seen,
}

/// What one host did to the transport, with pieces written at the same time joined, and what was reported to its
/// application.
#[derive(Debug)]
struct Seen {
    did: Vec<(Instant, Did)>,
    events: Vec<(Instant, Event)>,
    accepted: Vec<Message>,
}

impl Seen {
    fn messages(&self) -> Vec<&Message> {
        let messages = self.events.iter().filter_map(|(_, event)| match event {
            Event::Message(message) => Some(message),
            _ => None,
        });
        messages.collect()
    }
}

fn run(story: &Story, config: &Config, manner: &Manner) -> Trace {
    let mut link = Link::new(story.path.clone(), Instant::ZERO);
    match &story.fault {
        Fault::Nothing => {}
        Fault::Cut(role, bytes, end) => link.cut_after(*role, *bytes, *end),
        Fault::Swallow(roles, at) => {
            for role in roles {
                link.swallow(*role, Instant::from_millis(*at));
            }
        }
        Fault::Idle(after, then) => link.drop_idle(Duration::from_millis(*after), *then),
    }
    let mut pair = Pair::new(config.clone(), config.clone(), link, 1);
    for role in [Role::Client, Role::Server] {
        let host = pair.host(role);
        host.tap = Some(Vec::new());
        be(host, manner);
    }
    let mut accepted = (Vec::new(), Vec::new());
    for (at, role, act) in &story.acts {
        run_until(&mut pair, Instant::from_millis(*at), manner);
        let accepted = if *role == Role::Client { &mut accepted.0 } else { &mut accepted.1 };
        perform(&mut pair, *role, act, accepted);
    }
    run_until(&mut pair, Instant::from_millis(STORY), manner);
    // In the end, all of them read.
    for role in [Role::Client, Role::Server] {
        pair.host(role).listens = true;
    }
    pair.run_for(AFTERWARDS);
    Trace { client: seen(&pair.client, accepted.0), server: seen(&pair.server, accepted.1) }
}

fn be(host: &mut Host, manner: &Manner) {
    match manner {
        Manner::Plain => {}
        Manner::Reads(pieces) => host.reads = pieces.clone(),
        Manner::Ticking => host.eager = true,
        Manner::SteppingBack => host.steps_back = Some(Box::new(rng(7))),
        Manner::Sloppy(pieces) => {
            host.reads = pieces.clone();
            host.writes = pieces.clone();
            host.writes_first = true;
            host.late = Duration::from_millis(50);
        }
    }
}

fn run_until(pair: &mut Pair, end: Instant, manner: &Manner) {
    if let Manner::Ticking = manner {
        while pair.now() + Duration::from_millis(1) < end {
            pair.run_for(Duration::from_millis(1));
        }
    }
    pair.run_until(end);
}

fn perform(pair: &mut Pair, role: Role, act: &Act, accepted: &mut Vec<Message>) {
    let now = pair.now();
    let host = pair.host(role);
    match act {
        Act::Text(len) => send(host, now, Message::text("\u{fc}".repeat(len / 2)), accepted),
        Act::Binary(len) => send(host, now, Message::binary(vec![accepted.len() as u8; *len]), accepted),
        Act::Close => drop(host.connection.close(now, Close::normal())),
        Act::Fail => host.connection.fail(now, CloseCode::INTERNAL_ERROR, "as a test"),
        Act::Abort => host.connection.abort(now),
        Act::Listen(listens) => host.listens = *listens,
        Act::Sleep(millis) => host.sleep(now + Duration::from_millis(*millis)),
        Act::Wake(secs) => host.connection.handle_wake(now, Duration::from_secs(*secs)),
    }
}

fn send(host: &mut Host, now: Instant, message: Message, accepted: &mut Vec<Message>) {
    if host.connection.send(now, message.clone()).is_ok() {
        accepted.push(message);
    }
}

fn seen(host: &Host, accepted: Vec<Message>) -> Seen {
    let mut did: Vec<(Instant, Did)> = Vec::new();
    let mut rest = host.tap.as_deref().unwrap_or_default();
    while let Some((at, first)) = rest.first() {
        let piece = |(then, did): &'_ (Instant, Did)| match did {
            Did::Wrote(bytes) if then == at => Some(bytes.clone()),
            _ => None,
        };
        let pieces: Vec<_> = rest.iter().map_while(piece).collect();
        rest = &rest[pieces.len().max(1)..];
        match (pieces.is_empty(), pieces.concat()) {
            (true, _) => did.push((*at, first.clone())),
            (false, written) if written.is_empty() => {}
            (false, written) => did.push((*at, Did::Wrote(written.into()))),
        }
    }
    Seen { did, events: host.events.clone(), accepted }
}

/// `None` if the traces are the same; otherwise, where they diverge.
fn difference(a: &Trace, b: &Trace) -> Option<String> {
    fn part<T: std::fmt::Debug + PartialEq>(what: &str, a: &[T], b: &[T]) -> Option<String> {
        let at = a.iter().zip(b).take_while(|(a, b)| a == b).count();
        (a != b).then(|| format!("{what} {at} of {}: {:?} or {:?}", a.len(), a.get(at), b.get(at)))
    }
    part("client did", &a.client.did, &b.client.did)
        .or_else(|| part("server did", &a.server.did, &b.server.did))
        .or_else(|| part("client told", &a.client.events, &b.client.events))
        .or_else(|| part("server told", &a.server.events, &b.server.events))
        .or_else(|| part("client sent", &a.client.accepted, &b.client.accepted))
        .or_else(|| part("server sent", &a.server.accepted, &b.server.accepted))
}

/// The story with hosts of this manner differs in nothing from the same story with plain hosts.
fn assert_same(story: &Story, config: &Config, manner: &Manner) -> Result<(), TestCaseError> {
    let (plain, other) = (run(story, config, &Manner::Plain), run(story, config, manner));
    prop_assert_eq!(difference(&plain, &other), None);
    Ok(())
}

fn pieces() -> impl Strategy<Value = Pieces> {
    prop_oneof![Just(Pieces::Bytes), any::<u64>().prop_map(Pieces::random)]
}

/// A story is a hundred calls, so a quarter of the usual cases is enough; `PROPTEST_CASES` changes their number. A
/// failing case is printed, and small: it is not stored in a file.
fn config() -> ProptestConfig {
    let usual = ProptestConfig::default();
    ProptestConfig { cases: usual.cases.div_ceil(4), failure_persistence: None, ..usual }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn law_1_the_same_story_ends_the_same_way(story in story()) {
        let manner = Manner::Sloppy(Pieces::random(3));
        let (once, twice) = (run(&story, &hurried(), &manner), run(&story, &hurried(), &manner));
        prop_assert_eq!(difference(&once, &twice), None);
    }

    #[test]
    fn law_2_sloppy_hosts_deliver_the_same_messages(story in quiet_story(), pieces in pieces()) {
        // Patient enough for the slowest path to be merely slow.
        let config = Config::default();
        for manner in [Manner::Plain, Manner::Sloppy(pieces)] {
            let Trace { client, server } = run(&story, &config, &manner);
            let far = story.path.bandwidth.is_none_or(|rate| rate > 200_000);
            for (from, to) in [(&client, &server), (&server, &client)] {
                let messages = to.messages();
                prop_assert!(from.accepted.iter().take(messages.len()).eq(messages.iter().copied()));
                prop_assert!(!far || messages.len() == from.accepted.len());
            }
        }
    }

    #[test]
    fn law_2_the_messages_that_arrive_are_always_the_first_of_those_sent(
        story in story(),
        pieces in pieces(),
    ) {
        for manner in [Manner::Plain, Manner::Sloppy(pieces)] {
            let Trace { client, server } = run(&story, &hurried(), &manner);
            for (from, to) in [(&client, &server), (&server, &client)] {
                let messages = to.messages();
                prop_assert!(messages.len() <= from.accepted.len());
                prop_assert!(from.accepted.iter().take(messages.len()).eq(messages.iter().copied()));
            }
        }
    }

    #[test]
    fn laws_4_and_5_hosts_that_look_at_the_clock_all_the_time_see_nothing_else(story in story()) {
        assert_same(&story, &hurried(), &Manner::Ticking)?;
    }

    #[test]
    fn law_6_the_pieces_in_which_bytes_are_read_make_no_difference(story in story(), pieces in pieces()) {
        // At the receive limit, reading stops between two pieces; it is not reached here.
        let mut config = hurried();
        config.receive_buffer = usize::MAX;
        assert_same(&story, &config, &Manner::Reads(pieces))?;
    }

    #[test]
    fn law_7_there_is_one_end_and_it_comes_last(story in story(), last in role()) {
        let mut story = story;
        story.acts.push((STORY - 1, last, Act::Close));
        story.acts.sort_by_key(|(at, ..)| *at);
        let Trace { client, server } = run(&story, &hurried(), &Manner::Plain);
        for seen in [&client, &server] {
            let ends = seen.events.iter().filter(|(_, event)| matches!(event, Event::Closed(_))).count();
            prop_assert_eq!(ends, 1, "{:?}", seen.events);
            prop_assert!(matches!(seen.events.last(), Some((_, Event::Closed(_)))), "{:?}", seen.events);
            let leavings = seen.did.iter().filter(|(_, did)| *did == Did::Left).count();
            prop_assert_eq!(leavings, 1);
        }
    }

    #[test]
    fn law_9_a_clock_that_steps_back_stands_still(story in story()) {
        assert_same(&story, &hurried(), &Manner::SteppingBack)?;
    }
}

#[test]
fn stories_are_eventful() {
    // The value of the laws depends on what the stories reach.
    let story = Story {
        path: Path::default(),
        acts: vec![(0, Role::Client, Act::Binary(1000)), (100, Role::Server, Act::Close)],
        fault: Fault::Nothing,
    };
    let Trace { client, server } = run(&story, &hurried(), &Manner::Plain);
    assert_eq!(server.messages(), [&Message::binary(vec![0; 1000])]);
    assert!(client.events.iter().any(|(_, event)| matches!(event, Event::CloseReceived(_))));
    assert!(client.did.iter().any(|(_, did)| matches!(did, Did::Wrote(bytes) if bytes != &Bytes::new())));
    assert_ne!(client.did, server.did);
    assert_eq!(other(Role::Client), Role::Server);
}
