//! Links that fall silent while something is waiting, and when a second link helps.

mod impatient;

use super::*;
use crate::closing::Kind;
use crate::{adapt, messages};
use alloc::string::ToString as _;
use alloc::vec::Vec;

const SECOND: Duration = Duration::from_secs(1);
/// A link that has just replaced another may be replaced after this time.
const STEADY: Duration = Duration::from_secs(30);
/// How long it takes to find a dead link.
const DEAD: Duration = Duration::from_secs(41);

impl Pair {
    /// Two ends that support messages, too.
    fn speaking() -> Self {
        let mut pair = Self::new();
        let config = || Config { messages: Some(messages::Config::default()), ..Config::default() };
        pair.client.1 = Session::client(config(), SEED, pair.now);
        pair.server.1 = Session::server(config(), pair.now);
        pair.client.1.handle_link_up(pair.now, None);
        pair.server.1.handle_link_up(pair.now, None);
        pair.settle();
        events(&mut pair.client.1);
        pair
    }

    /// The client offers a file, and a part of it arrives.
    fn begin(&mut self) {
        self.client.1.transfers_mut().offer(self.now, offer(1 << 20)).expect("new");
        self.settle();
        self.cross(0);
        // Another chunk leaves, and is lost.
        let chunk = Bytes::from(alloc::vec![7; 4096]);
        self.client.1.transfers_mut().provide(self.now, ID, 4096, chunk);
        self.leave();
        events(&mut self.client.1);
    }

    /// A chunk of the offered file arrives.
    fn cross(&mut self, from: u64) {
        let prefix = Digest::of(&alloc::vec![7; from as usize]);
        let answer = Answer::Take { from, prefix, epoch: 1, expires: None };
        assert!(self.server.1.transfers_mut().answer(self.now, ID, answer));
        self.settle();
        for event in events(&mut self.client.1) {
            if let Event::Transfer(transfer::Event::Hash { id, upto }) = event {
                self.client.1.transfers_mut().provide_digest(self.now, id, upto, prefix);
            }
        }
        self.client.1.transfers_mut().provide(self.now, ID, from, Bytes::from(alloc::vec![7; 4096]));
        self.settle();
        self.server.1.transfers_mut().written(self.now, ID, from + 4096);
        self.now += SECOND;
        self.server.1.handle_timeout(self.now);
        self.settle();
        assert!(self.client.1.transfers().has_carried());
    }

    /// The client asks for a file.
    fn ask(&mut self) {
        let name = SafeName::parse("file").expect("safe");
        self.client.1.transfers_mut().request(self.now, ID, name).expect("new");
    }

    /// The client says something.
    fn say(&mut self) {
        let messages = self.client.1.messages_mut().expect("it speaks");
        messages.send(self.now, Message::text("anybody there?")).expect("room");
    }

    /// What the client has to send leaves.
    fn leave(&mut self) {
        pump(self.now, &mut self.client.0, &mut self.client.1);
        while !self.client.0.output().is_empty() {
            self.client.0.handle_written(self.now, self.client.0.output().len());
        }
    }

    /// The next deadline of the client.
    fn deadline(&self) -> Option<Instant> {
        earliest(self.client.0.poll_timeout(), self.client.1.poll_timeout())
    }

    /// For this long nothing arrives at the client, whose transport accepts everything: returns what it reports
    /// meanwhile, and when.
    fn silence(&mut self, lasts: Duration) -> Vec<(Instant, Event)> {
        let end = self.now + lasts;
        let mut told = Vec::new();
        while let Some(at) = self.deadline().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.client.0.handle_timeout(self.now);
            self.client.1.handle_timeout(self.now);
            self.leave();
            told.extend(events(&mut self.client.1).into_iter().map(|event| (self.now, event)));
        }
        self.now = end;
        told
    }

    /// Another link takes the place of this one, at a server that has not learned of the end of the old one.
    fn replace(&mut self) -> bool {
        let replaces = self.client.1.replace(self.now, &mut self.client.0);
        if replaces {
            let config = connection::Config::default;
            self.client.0 = Connection::client(config(), SEED, self.now);
            self.client.1.handle_link_up(self.now, None);
            self.server =
                (Connection::server(config(), SEED, self.now), Session::server(Config::default(), self.now));
            self.server.1.handle_link_up(self.now, None);
        }
        replaces
    }
}

/// After how long a second link was requested.
fn wanted(told: &[(Instant, Event)], since: Instant) -> Vec<Duration> {
    told.iter().filter(|(_, event)| *event == Event::DialBeside).map(|(at, _)| *at - since).collect()
}

fn has_dialled(told: &[Event]) -> bool {
    told.iter().any(|event| matches!(event, Event::Dial | Event::Waiting { .. } | Event::GaveUp(_)))
}

#[test]
fn a_link_that_falls_silent_during_a_transfer_is_replaced_in_seconds() {
    let mut pair = Pair::new();
    pair.begin();
    let since = pair.now;
    let told = pair.silence(10 * SECOND);
    let wanted = wanted(&told, since);
    assert!(matches!(wanted[..], [after] if after <= 7 * SECOND), "{wanted:?}");
    assert!(pair.replace());
    let told = events(&mut pair.client.1);
    assert!(!has_dialled(&told), "{told:?}");
    let Some(Event::LinkDown(ended)) = told.iter().find(|event| matches!(event, Event::LinkDown(_))) else {
        panic!("{told:?}");
    };
    assert_eq!(ended.kind(), Kind::KeepaliveTimeout);
    let text = ended.to_string();
    assert!(
        text.contains(
            "replaced by a new connection; no close frame received; nothing received for 11 s, ping unanswered for 7 s"
        ),
        "{text}"
    );
    // The file is offered again, from where it had got to.
    pair.settle();
    let told = events(&mut pair.server.1);
    assert!(
        told.iter().any(|event| matches!(event, Event::Transfer(transfer::Event::Offered { .. }))),
        "{told:?}"
    );
    // It ends like any other link, and then the client dials.
    pair.client.0.handle_end(pair.now, End::Eof);
    pump(pair.now, &mut pair.client.0, &mut pair.client.1);
    assert!(has_dialled(&events(&mut pair.client.1)));
}

#[test]
fn a_link_that_speaks_again_is_kept() {
    let mut pair = Pair::new();
    pair.begin();
    let told = pair.silence(10 * SECOND);
    assert_eq!(wanted(&told, pair.now).len(), 1);
    pair.server.0.close(pair.now, Close::normal()).expect("open");
    carry(pair.now, &mut pair.server.0, &mut pair.client.0);
    assert!(!pair.replace());
    assert!(!events(&mut pair.client.1).iter().any(|event| matches!(event, Event::LinkDown(_))));
}

#[test]
fn a_link_that_is_being_closed_is_not_replaced() {
    let mut pair = Pair::new();
    pair.begin();
    pair.silence(10 * SECOND);
    pair.client.0.close(pair.now, Close::normal()).expect("open");
    assert!(!pair.replace());
    assert!(!events(&mut pair.client.1).iter().any(|event| matches!(event, Event::LinkDown(_))));
}

/// On a path that pauses again and again, each link would look dead in turn.
#[test]
fn a_link_that_has_replaced_another_is_not_replaced_soon() {
    for (lives, joined) in [(20, false), (30, true)] {
        let mut pair = Pair::new();
        pair.begin();
        pair.silence(10 * SECOND);
        assert!(pair.replace());
        pair.settle();
        pair.cross(4096);
        let start = pair.now;
        while pair.now - start < lives * SECOND {
            pair.server.0.ping(pair.now, b"any byte").expect("room");
            carry(pair.now, &mut pair.server.0, &mut pair.client.0);
            pair.silence(SECOND);
        }
        pair.client.1.transfers_mut().provide(pair.now, ID, 8192, Bytes::from(alloc::vec![7; 4096]));
        pair.leave();
        let told = pair.silence(10 * SECOND);
        assert_eq!(!wanted(&told, start).is_empty(), joined, "after {lives} s");
    }
}

#[test]
fn a_link_that_falls_silent_before_it_may_be_replaced_is_replaced_soon_after() {
    let mut pair = Pair::new();
    pair.begin();
    pair.silence(10 * SECOND);
    assert!(pair.replace());
    pair.settle();
    let opened = pair.now;
    pair.cross(4096);
    pair.client.1.transfers_mut().provide(pair.now, ID, 8192, Bytes::from(alloc::vec![7; 4096]));
    pair.leave();
    let told = pair.silence(DEAD);
    let wanted = wanted(&told, opened);
    // A ping is asked for first, and waited for.
    let soon = STEADY + 3 * SECOND..=STEADY + 7 * SECOND;
    assert!(matches!(wanted[..], [after] if soon.contains(&after)), "{wanted:?}");
}

/// Of another file a part has got across before.
#[test]
fn a_link_that_was_kept_is_joined_when_it_falls_silent_again() {
    let mut pair = Pair::new();
    pair.begin();
    pair.silence(10 * SECOND);
    pair.server.0.ping(pair.now, b"any byte").expect("room");
    carry(pair.now, &mut pair.server.0, &mut pair.client.0);
    assert!(!pair.replace());
    let since = pair.now;
    let told = pair.silence(DEAD);
    assert!(!wanted(&told, since).is_empty());
}

#[test]
fn an_idle_link_is_not_replaced_before_it_is_declared_dead() {
    let mut pair = Pair::new();
    let told = pair.silence(DEAD);
    assert_eq!(wanted(&told, pair.now), []);
    assert!(told.iter().any(|(_, event)| matches!(event, Event::LinkDown(_))));
}

#[test]
fn failed_extra_dials_are_repeated_and_do_not_change_the_end() {
    let mut pair = Pair::new();
    pair.begin();
    let since = pair.now;
    let (mut tries, mut end) = (Vec::new(), None);
    while end.is_none() {
        let told = pair.silence(SECOND / 2);
        tries.extend(wanted(&told, since));
        if !tries.is_empty() {
            pair.client.1.handle_dial_failed(pair.now, Retry::No(Why::Refused));
        }
        end = told
            .iter()
            .position(|(_, event)| matches!(event, Event::LinkDown(_)))
            .map(|at| told[at..].to_vec());
        assert!(pair.now - since < DEAD);
    }
    let seconds: Vec<_> = tries.iter().map(Duration::as_secs).collect();
    assert_eq!(seconds, [6, 13, 27]);
    let told: Vec<_> = end.into_iter().flatten().map(|(_, event)| event).collect();
    assert!(has_dialled(&told), "{told:?}");
}

#[test]
fn only_one_replacement_is_dialled_at_a_time() {
    let mut pair = Pair::new();
    pair.begin();
    let since = pair.now;
    let told = pair.silence(20 * SECOND);
    assert_eq!(wanted(&told, since).len(), 1);
}

#[test]
fn a_silence_during_a_transfer_teaches_nothing_about_the_path() {
    let mut pair = Pair::new();
    let interval = pair.client.1.heartbeat_interval(pair.now);
    pair.begin();
    pair.silence(10 * SECOND);
    assert!(pair.replace());
    assert_eq!(pair.client.1.heartbeat_interval(pair.now), interval);
    assert_eq!(adapt::Config::default().interval, interval.expect("a client"));
}

/// One end sends something every second, and gets its acknowledgement, until nothing arrives any longer.
#[test]
fn a_silence_in_a_conversation_teaches_nothing_about_the_path() {
    let mut pair = Pair::speaking();
    let interval = pair.client.1.heartbeat_interval(pair.now);
    pair.silence(11 * SECOND);
    for _ in 0..12 {
        pair.say();
        pair.leave();
        pair.server.0.ping(pair.now, b"any byte").expect("room");
        carry(pair.now, &mut pair.server.0, &mut pair.client.0);
        pair.silence(SECOND);
    }
    let told = pair.silence(DEAD);
    assert!(!wanted(&told, pair.now).is_empty());
    let down = told.iter().find_map(|(_, event)| match event {
        Event::LinkDown(ended) => Some(ended),
        _ => None,
    });
    assert_eq!(down.expect("it is dead").unanswered_silence().unwrap_or_default(), Duration::ZERO);
    assert_eq!(pair.client.1.heartbeat_interval(pair.now), interval);
}

#[test]
fn a_server_never_dials() {
    let mut pair = Pair::new();
    pair.begin();
    let mut server = core::mem::replace(
        &mut pair.server,
        (
            Connection::server(connection::Config::default(), SEED, pair.now),
            Session::server(Config::default(), pair.now),
        ),
    );
    core::mem::swap(&mut server, &mut pair.client);
    let told = pair.silence(20 * SECOND);
    assert_eq!(wanted(&told, pair.now), []);
}
