//! Who is impatient: for whom another link is dialled at all.

use super::super::messages::LINK;
use super::*;
use crate::messages::Sessions;

#[test]
fn a_link_that_has_carried_nothing_is_not_joined_by_another() {
    let offers = |pair: &mut Pair| {
        pair.client.1.transfers_mut().offer(pair.now, offer(1 << 20)).expect("new");
    };
    for begin in [offers, Pair::ask, Pair::say] {
        let mut pair = Pair::speaking();
        begin(&mut pair);
        pair.leave();
        let told = pair.silence(DEAD);
        assert_eq!(wanted(&told, pair.now), []);
        assert!(told.iter().any(|(_, event)| matches!(event, Event::LinkDown(_))));
    }
}

#[test]
fn a_link_that_was_idle_for_a_while_is_joined_by_another() {
    for (quiet, joined) in [(9, false), (10, true)] {
        let mut pair = Pair::speaking();
        pair.silence(quiet * SECOND);
        let since = pair.now;
        pair.say();
        pair.leave();
        let told = pair.silence(10 * SECOND);
        assert_eq!(!wanted(&told, since).is_empty(), joined, "after {quiet} s");
    }
}

#[test]
fn a_paused_transfer_does_not_cause_a_second_dial() {
    let mut pair = Pair::new();
    pair.begin();
    pair.client.1.transfers_mut().pause(pair.now, ID);
    pair.settle();
    pair.server.1.transfers_mut().written(pair.now, ID, 8192);
    pair.now += SECOND;
    pair.server.1.handle_timeout(pair.now);
    pair.settle();
    let told = pair.silence(DEAD);
    assert_eq!(wanted(&told, pair.now), []);
    assert!(told.iter().any(|(_, event)| matches!(event, Event::LinkDown(_))));
}

#[test]
fn a_request_given_up_in_between_does_not_count() {
    let mut pair = Pair::speaking();
    pair.ask();
    pair.settle();
    pair.client.1.transfers_mut().cancel(pair.now, ID, transfer::Leftover::Keep);
    pair.settle();
    pair.silence(10 * SECOND);
    let since = pair.now;
    pair.say();
    pair.leave();
    let told = pair.silence(10 * SECOND);
    assert!(!wanted(&told, since).is_empty());
}

#[test]
fn a_link_that_has_carried_a_message_is_joined_like_one_that_has_carried_a_file() {
    let mut pair = Pair::speaking();
    let mut sessions = Sessions::new(messages::SessionsConfig::default(), SEED, pair.now);
    sessions.handle_link_up(pair.now, LINK, b"");
    let serve = |pair: &mut Pair, sessions: &mut Sessions| {
        pair.settle();
        while sessions.serve(pair.now, LINK, &mut pair.server.1) {
            pair.settle();
        }
    };
    pair.say();
    serve(&mut pair, &mut sessions);
    sessions.poll_received(pair.now).expect("it came");
    pair.now += SECOND;
    serve(&mut pair, &mut sessions);
    let said = pair.client.1.messages_mut().expect("it speaks");
    assert_eq!((said.carried(), said.unacknowledged()), (1, 0));
    let since = pair.now;
    pair.say();
    pair.leave();
    let told = pair.silence(10 * SECOND);
    assert!(!wanted(&told, since).is_empty());
}

#[test]
fn a_client_waiting_for_an_answer_or_for_bytes_is_impatient_too() {
    for has_answer in [false, true] {
        let mut pair = Pair::new();
        pair.begin();
        pair.client.1.transfers_mut().cancel(pair.now, ID, transfer::Leftover::Keep);
        pair.settle();
        pair.ask();
        if has_answer {
            pair.settle();
            pair.server.1.transfers_mut().offer(pair.now, offer(1 << 20)).expect("new");
            pair.settle();
            let answer = Answer::Take { from: 0, prefix: Digest::of(b""), epoch: 1, expires: None };
            assert!(pair.client.1.transfers_mut().answer(pair.now, ID, answer));
        }
        pair.leave();
        let transfers = pair.client.1.transfers();
        assert_eq!((transfers.in_flight(), transfers.promised() > 0), (0, has_answer));
        let since = pair.now;
        let told = pair.silence(10 * SECOND);
        assert!(!wanted(&told, since).is_empty(), "answered: {has_answer}");
    }
}

#[test]
fn a_transfer_given_up_just_before_a_doubt_causes_no_second_dial() {
    let mut pair = Pair::new();
    pair.begin();
    let told = pair.silence(5 * SECOND);
    assert_eq!(wanted(&told, pair.now), []);
    pair.client.1.transfers_mut().cancel(pair.now, ID, transfer::Leftover::Keep);
    let told = pair.silence(DEAD);
    let is_doubt = |event: &Event| matches!(event, Event::Link(connection::Event::Doubtful { .. }));
    assert!(told.iter().any(|(_, event)| is_doubt(event)), "{told:?}");
    assert_eq!(wanted(&told, pair.now), []);
}
