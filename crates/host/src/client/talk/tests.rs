//! What is queued between an application and its session, without a link and without a keeper.

use std::sync::atomic::{AtomicUsize, Ordering};

use bowline_core::messages::{Config, LinkId, Sessions, SessionsConfig};

use super::*;

const NOW: Instant = Instant::ZERO;

/// An open talk, and how often either side was woken since this was last asked.
struct Rig {
    talk: Talk,
    session: Messages,
    stirred: Arc<AtomicUsize>,
    told: Arc<AtomicUsize>,
}

fn counter() -> (Arc<AtomicUsize>, Wake) {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    (count, Arc::new(move || counted.store(counted.load(Ordering::Relaxed) + 1, Ordering::Relaxed)))
}

impl Rig {
    /// A session with room for this many messages.
    fn new(room: usize) -> Self {
        let mut config = Config::default();
        config.replay.max_messages = room;
        let ((stirred, stir), (told, news)) = (counter(), counter());
        let talk = Talk::new(stir, news);
        talk.open();
        Self { talk, session: Messages::new(config, [1; 32], NOW), stirred, told }
    }

    fn serve(&mut self) -> bool {
        self.talk.serve(NOW, &mut self.session)
    }

    fn wakes(&self) -> (usize, usize) {
        (self.stirred.swap(0, Ordering::Relaxed), self.told.swap(0, Ordering::Relaxed))
    }
}

fn text(n: usize) -> Message {
    Message::text(n.to_string())
}

fn lost(count: usize) -> Event {
    let unknown = |n| Unacknowledged { message: text(n), maybe_delivered: true };
    Event::Lost { why: Why::Closed, messages: (0..count).map(unknown).collect() }
}

#[test]
fn a_message_waits_for_the_session_and_then_for_a_place() {
    let mut rig = Rig::new(2);
    for n in 0..WAITING {
        assert_eq!(rig.talk.send(text(n)), Ok(()));
    }
    assert_eq!(rig.talk.send(text(99)), Err(SendError::Full(text(99))));
    assert_eq!(rig.wakes(), (WAITING, 0));
    assert!(rig.serve(), "there is something to bring on its way");
    assert_eq!((rig.session.unacknowledged(), rig.wakes()), (2, (0, 1)), "whoever waits for a place is told");
    assert!(!rig.serve() && rig.wakes() == (0, 0), "nothing has changed");
    assert_eq!((rig.talk.send(text(16)), rig.talk.send(text(17))), (Ok(()), Ok(())));
    assert_eq!(rig.talk.send(text(18)), Err(SendError::Full(text(18))));
    assert!(!rig.talk.is_silent());
}

#[test]
fn a_mark_is_reached_with_the_messages_before_it_or_lost_with_them() {
    let mut rig = Rig::new(8);
    let nothing = rig.talk.mark().unwrap();
    assert_eq!(rig.talk.flushed(nothing), Some(Ok(())));
    rig.talk.send(text(0)).unwrap();
    let first = rig.talk.mark().unwrap();
    assert_eq!(rig.talk.flushed(first), None, "it is not even in the session");
    rig.serve();
    assert_eq!(rig.talk.flushed(first), None, "it has not arrived");
    assert_eq!(rig.talk.flushed(nothing), Some(Ok(())));
    rig.session.reset(NOW);
    rig.talk.tell(lost(1));
    rig.serve();
    assert_eq!(rig.talk.flushed(first), Some(Err(FlushError::Lost)));
    let second = rig.talk.mark().unwrap();
    assert_eq!(rig.talk.flushed(second), Some(Ok(())), "nobody waits for what is lost");
    rig.talk.send(text(1)).unwrap();
    let third = rig.talk.mark().unwrap();
    rig.talk.end(Vec::new());
    assert_eq!(rig.talk.flushed(third), Some(Err(FlushError::Lost)));
    assert!(matches!(rig.talk.mark(), Err(FlushError::Lost)));
}

#[test]
fn a_mark_that_was_reached_before_the_end_counts_as_reached_after_it() {
    let mut rig = Rig::new(1);
    rig.talk.send(text(0)).unwrap();
    let first = rig.talk.mark().unwrap();
    rig.serve();
    rig.session.reset(NOW);
    // It was acknowledged, and nobody has checked since.
    rig.talk.send(text(1)).unwrap();
    let second = rig.talk.mark().unwrap();
    rig.talk.end(Vec::new());
    assert_eq!(rig.talk.flushed(first), Some(Ok(())));
    assert_eq!(rig.talk.flushed(second), Some(Err(FlushError::Lost)), "it was not even in the session");
}

#[test]
fn a_mark_from_before_two_lost_sessions_counts_as_lost() {
    let mut rig = Rig::new(1);
    rig.talk.send(text(0)).unwrap();
    let mark = rig.talk.mark().unwrap();
    rig.serve();
    let unacknowledged = rig.session.reset(NOW);
    rig.talk.tell(Event::Lost { why: Why::Closed, messages: unacknowledged });
    rig.serve();
    rig.talk.end(Vec::new());
    assert_eq!(rig.talk.flushed(mark), Some(Err(FlushError::Lost)));
}

#[test]
fn the_end_hands_back_messages_that_were_in_the_session_or_still_waiting() {
    let mut rig = Rig::new(1);
    (0..3).for_each(|n| rig.talk.send(text(n)).unwrap());
    rig.serve();
    rig.talk.close();
    assert_eq!(rig.talk.send(text(3)), Err(SendError::Unknown(text(3))));
    assert_eq!(rig.talk.receive(), Err(TryRecvError::Empty), "something may still come");
    let unacknowledged = rig.session.reset(NOW);
    rig.talk.end(unacknowledged);
    rig.talk.end(Vec::new());
    let Ok(Heard::Session(Event::Lost { messages, .. })) = rig.talk.receive() else { panic!("not told") };
    assert_eq!(messages.iter().map(|lost| lost.message.clone()).collect::<Vec<_>>(), [0, 1, 2].map(text));
    assert_eq!(rig.talk.receive(), Err(TryRecvError::Disconnected));
}

#[test]
fn an_application_that_does_not_listen_misses_events_but_no_messages() {
    let rig = Rig::new(1);
    rig.talk.tell(lost(1));
    for _ in 0..3 * TURNS {
        rig.talk.tell(Event::Unsupported);
        rig.talk.tell(lost(0));
    }
    let heard: Vec<_> = std::iter::from_fn(|| rig.talk.receive().ok()).collect();
    assert_eq!(heard.len(), TURNS);
    assert_eq!(heard[0], Heard::Session(lost(1)));
    assert_eq!(heard[TURNS - 1], Heard::Session(lost(0)), "the latest is kept");
}

#[test]
fn consecutive_resumes_are_reported_as_one() {
    let rig = Rig::new(1);
    rig.talk.tell(Event::Resumed { replayed: 2, duplicates: 1 });
    rig.talk.tell(Event::Resumed { replayed: 3, duplicates: 4 });
    assert_eq!(rig.talk.receive(), Ok(Heard::Session(Event::Resumed { replayed: 5, duplicates: 4 })));
    assert_eq!(rig.talk.receive(), Err(TryRecvError::Empty));
}

#[test]
fn a_caller_that_waits_is_woken_when_the_keeper_is_gone() {
    let rig = Rig::new(1);
    rig.wakes();
    drop(Anchor(rig.talk.clone()));
    assert_eq!(rig.talk.receive(), Err(TryRecvError::Disconnected));
    assert_eq!(rig.wakes(), (0, 1));
}

/// The other direction: a client with this many messages from its peer that the application has not yet received.
fn filled(count: usize) -> Rig {
    let mut rig = Rig::new(1);
    let (link, mut server) = (LinkId(1), Sessions::new(SessionsConfig::default(), [2; 32], NOW));
    rig.session.handle_link_up(NOW);
    rig.session.handle_peer(NOW, true);
    server.handle_link_up(NOW, link, b"");
    let carry = |session: &mut Messages, server: &mut Sessions| {
        loop {
            let (there, back) = (session.poll_frame(NOW), server.poll_frame(NOW, link));
            if there.is_none() && back.is_none() {
                return;
            }
            if let Some(frame) = there {
                server.handle_frame(NOW, link, frame.into_bytes());
            }
            if let Some(frame) = back {
                session.handle_frame(NOW, frame.into_bytes());
            }
        }
    };
    carry(&mut rig.session, &mut server);
    for n in 0..count {
        server.send(NOW, rig.session.session(), text(n)).unwrap();
    }
    carry(&mut rig.session, &mut server);
    rig
}

#[test]
fn turns_of_the_session_have_places_beside_messages() {
    let mut rig = filled(WAITING);
    rig.serve();
    for _ in 0..2 * TURNS {
        rig.talk.tell(lost(0));
    }
    let heard: Vec<_> = std::iter::from_fn(|| rig.talk.receive().ok()).collect();
    assert_eq!(heard.len(), WAITING + TURNS);
}

#[test]
fn messages_wait_in_the_session_while_nobody_receives_them() {
    let mut rig = filled(2 * WAITING);
    assert!(rig.serve() && rig.talk.is_full() && rig.session.has_received());
    for n in 0..2 * WAITING {
        rig.wakes();
        let Ok(Heard::Message(received)) = rig.talk.receive() else { panic!("{n} of them") };
        assert_eq!(received.message, text(n));
        let (calls, _) = rig.wakes();
        // Once for each half that is taken, while more can come.
        assert_eq!(calls, usize::from([7, 15, 23].contains(&n)), "{n}");
        if calls > 0 {
            rig.serve();
        }
    }
    assert!(!rig.session.has_received());
}
