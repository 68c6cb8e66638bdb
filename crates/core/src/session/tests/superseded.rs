//! A client whose message session somebody has resumed on another link.

use super::*;
use crate::closing::{self, Closing, Evidence, Why};
use crate::messages::{self, LinkId, Sessions, SessionsConfig};
use alloc::vec::Vec;

const NOW: Instant = Instant::ZERO;

fn speaking() -> Config {
    Config { messages: Some(messages::Config::default()), ..Config::default() }
}

/// A link that the server has closed with this reason.
fn closed(reason: &str) -> Disconnect {
    let close = Close::new(CloseCode::NORMAL, reason).expect("short");
    let mut closing = Closing::new(closing::Config::default(), Role::Client, NOW);
    closing.handle_close(NOW, &close.encode());
    closing.handle_end(NOW, End::Eof);
    closing.poll_disconnect(&Evidence::default()).expect("it has ended")
}

/// What a client with these settings does after such an end, and what it reports about it.
fn after(config: Config, reason: &str) -> (bool, Retry) {
    let mut client = Session::client(config, SEED, NOW);
    client.handle_link_up(NOW, None);
    client.handle_link_down(NOW, closed(reason));
    let told = events(&mut client);
    let advice = told.iter().find_map(|event| match event {
        Event::LinkDown(disconnect) => Some(disconnect.retry()),
        _ => None,
    });
    let dials = told.iter().any(|event| matches!(event, Event::Waiting { .. }));
    assert_ne!(dials, told.iter().any(|event| matches!(event, Event::GaveUp(_))));
    (dials, advice.expect("the end is told"))
}

#[test]
fn a_client_that_was_superseded_dials_again() {
    let finished = Retry::No(Why::Finished);
    assert_eq!(after(speaking(), "superseded"), (true, Retry::Backoff));
    assert_eq!(after(speaking(), ""), (false, finished));
    assert_eq!(after(Config::default(), "superseded"), (false, finished), "it has no session");
}

/// A client on a link of its own.
struct Near {
    client: Session,
    far: Session,
    link: LinkId,
}

impl Near {
    /// A copy of one client, which has dialled.
    fn copy(sessions: &mut Sessions, link: u64) -> Self {
        let (client, far) = (Session::client(speaking(), SEED, NOW), Session::server(speaking(), NOW));
        let mut near = Self { client, far, link: LinkId(link) };
        near.dial(sessions, link);
        near
    }

    fn dial(&mut self, sessions: &mut Sessions, link: u64) {
        self.link = LinkId(link);
        self.far = Session::server(speaking(), NOW);
        self.client.handle_link_up(NOW, None);
        self.far.handle_link_up(NOW, None);
        sessions.handle_link_up(NOW, self.link, b"");
        self.settle(sessions);
    }

    fn settle(&mut self, sessions: &mut Sessions) {
        let said = |session: &mut Session| -> Vec<_> {
            core::iter::from_fn(|| session.poll_message(NOW, 1)).map(Parts::into_bytes).collect()
        };
        loop {
            let (up, down) = (said(&mut self.client), said(&mut self.far));
            let has_moved = !up.is_empty() || !down.is_empty();
            for message in up {
                drop(self.far.handle_message(NOW, message));
            }
            for message in down {
                drop(self.client.handle_message(NOW, message));
            }
            if !sessions.serve(NOW, self.link, &mut self.far) && !has_moved {
                return;
            }
        }
    }

    /// Whether the server has closed its link; the client learns of that.
    fn is_overtaken(&mut self, sessions: &mut Sessions) -> bool {
        self.settle(sessions);
        let Some(close) = self.far.poll_close() else { return false };
        sessions.handle_link_down(NOW, self.link, false);
        self.client.handle_link_down(NOW, closed(close.reason()));
        true
    }
}

/// Each shows at once that it knows its epoch, so one that comes with an older epoch learns that it has lost the
/// session.
#[test]
fn two_copies_of_a_client_do_not_take_over_the_session_endlessly() {
    let mut sessions = Sessions::new(SessionsConfig::default(), SEED, NOW);
    let (mut one, mut other) = (Near::copy(&mut sessions, 1), Near::copy(&mut sessions, 2));
    let mut links = 2;
    for _ in 0..10 {
        for near in [&mut one, &mut other] {
            // A client that was refused asks again under a name of its own.
            near.client.handle_timeout(NOW + Duration::from_secs(2));
            if near.is_overtaken(&mut sessions) {
                links += 1;
                near.dial(&mut sessions, links);
            }
        }
    }
    assert!(links <= 3, "{links} links");
    let names = [&one, &other].map(|near| near.client.messages().expect("it speaks").session());
    assert!(names[0] != names[1], "each has a session of its own");
    assert_eq!(names.map(|name| sessions.link(name)), [Some(one.link), Some(other.link)]);
}
