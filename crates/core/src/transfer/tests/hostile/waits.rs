//! Peers that keep us waiting.

use super::*;

#[test]
fn a_peer_that_never_says_hello_is_left() {
    let mut mute = Transfers::new(Role::Server, Config::default(), Instant::ZERO);
    mute.handle_link_up(Instant::from_secs(5), None);
    let mut victim = Victim(mute);
    let end = Instant::from_secs(65);
    assert_eq!(victim.0.poll_timeout(), Some(end));
    victim.0.handle_timeout(end);
    let said = victim.say(end);
    assert_eq!(broken_because(&said), Some((Code::Protocol, "no HELLO for 60 s")));
    assert_eq!(victim.0.poll_timeout(), None);
}

fn goaway() -> Frame {
    Frame::GoAway { code: Code::ShuttingDown, retry_after: Duration::from_secs(1) }
}

#[test]
fn a_peer_that_goes_away_and_stays_is_not_waited_for() {
    let mut transfers = Transfers::new(Role::Client, Config::default(), Instant::ZERO);
    transfers.handle_link_up(Instant::ZERO, None);
    let mut victim = Victim(transfers);
    victim.hear(hello());
    victim.hear_at(Instant::from_secs(3), goaway());
    assert_eq!(victim.0.poll_timeout(), None, "nothing waits");
    victim.0.offer(Instant::from_secs(4), Offer::new(id(1), name("file"), 5)).expect("new");
    victim.0.request(Instant::from_secs(4), id(2), name("other")).expect("new");
    assert_eq!(victim.say(Instant::from_secs(4)), [], "no new ones on this link");
    let end = Instant::from_secs(63);
    assert_eq!(victim.0.poll_timeout(), Some(end));
    victim.0.handle_timeout(end);
    let said = victim.say(end);
    let text = "the connection is still open 60 s after GOAWAY, and transfers wait";
    assert_eq!(broken_because(&said), Some((Code::ShuttingDown, text)));
    victim.0.handle_link_down(end);
    victim.0.handle_link_up(end, None);
    assert_eq!(victim.0.len(), 2, "they go on on the next link");
}

#[test]
fn what_is_under_way_when_a_peer_goes_away_may_end_first() {
    let mut victim = Victim::sending(1_000_000);
    victim.hear(goaway());
    victim.0.offer(Instant::ZERO, Offer::new(id(2), name("other"), 5)).expect("new");
    for second in 1..200 {
        let now = Instant::from_secs(second);
        victim.0.handle_timeout(now);
        victim.hear_at(now, Frame::Finishing(1, wire::Phase::Verify));
        assert!(victim.0.progress(id(1)).is_some(), "{second}");
    }
    let now = Instant::from_secs(200);
    victim.0.fail(now, id(1), Failure::local(Code::Cancelled, ""));
    victim.say(now);
    victim.0.handle_timeout(now);
    assert_eq!(broken(&victim.say(now)), Some(Code::ShuttingDown));
}
