//! When transfers that wait for a place at a busy peer try again.

use super::super::wire::Frame;
use super::super::*;
use super::script::*;
use super::world::*;
use std::vec;
use std::vec::Vec;

/// Four files, offered or requested.
fn four(offers: bool) -> Scripted {
    let mut client = Scripted::client();
    for n in 1..=4 {
        if offers {
            client.0.offer(Instant::ZERO, Offer::new(id(n), name("file"), 1 << 20)).expect("new");
        } else {
            client.0.request(Instant::ZERO, id(n), name("file")).expect("new");
        }
    }
    assert_eq!(opened(&mut client, Instant::ZERO), [1, 3, 5, 7]);
    client
}

/// The handles of what is offered or requested if a timer fires now.
fn opened(client: &mut Scripted, now: Instant) -> Vec<u32> {
    client.0.handle_timeout(now);
    let handle = |frame| match frame {
        Frame::Offer(handle, _) | Frame::Request(handle, _) => Some(handle),
        _ => None,
    };
    client.say_at(now).into_iter().filter_map(handle).collect()
}

/// The peer is busy; returns for how long each of these is put off.
fn refuse(client: &mut Scripted, now: Instant, handles: &[u32], seconds: u64) -> Vec<u64> {
    for handle in handles {
        client.hear_at(now, Frame::Cancel(*handle, cancel(Code::Busy, Duration::from_secs(seconds))));
    }
    let after = |event| if let Event::Retrying { after, .. } = event { Some(after.as_secs()) } else { None };
    client.events().into_iter().filter_map(after).collect()
}

#[test]
fn two_waiting_transfers_are_tried_at_once_when_one_ends() {
    for offers in [true, false] {
        let mut client = four(offers);
        refuse(&mut client, Instant::ZERO, &[3, 5, 7], 20);
        let now = Instant::from_secs(2);
        assert_eq!(opened(&mut client, now), []);
        client.hear_at(now, Frame::Cancel(1, cancel(Code::Rejected, Duration::ZERO)));
        assert_eq!(opened(&mut client, now), [9, 11], "offers: {offers}");
        refuse(&mut client, now, &[9], 20);
        assert_eq!(opened(&mut client, now), [], "a refusal makes no place");
        assert!(client.0.cancel(now, id(3), Leftover::Keep));
        assert_eq!(opened(&mut client, now), [13, 15], "offers: {offers}");
    }
}

#[test]
fn a_transfer_that_waits_for_something_else_is_not_tried_sooner() {
    let mut client = four(true);
    client.hear(Frame::Cancel(3, cancel(Code::NoSpace, Duration::from_secs(30))));
    refuse(&mut client, Instant::ZERO, &[5], 20);
    assert!(client.0.pause(Instant::ZERO, id(3)));
    client.hear(Frame::Cancel(1, cancel(Code::Rejected, Duration::ZERO)));
    assert_eq!(opened(&mut client, Instant::ZERO), []);
}

#[test]
fn one_transfer_soon_asks_a_busy_peer_again_on_behalf_of_all() {
    let mut client = four(true);
    let (mut now, mut handles, mut asked) = (Instant::ZERO, vec![1, 3, 5, 7], Vec::new());
    while now < Instant::from_secs(300) {
        let waits = refuse(&mut client, now, &handles, 1);
        assert!(waits.iter().all(|wait| *wait <= 30), "{waits:?}");
        let due = client.0.poll_timeout().expect("somebody asks again");
        assert!(due - now <= Duration::from_secs(5), "nobody asks for {:?}", due - now);
        now = due;
        handles = opened(&mut client, now);
        asked.push(handles.len());
    }
    let late: usize = asked[asked.len() / 2..].iter().sum();
    assert!(late <= 2 * (150 / 5 + 3 * 150 / 30), "{late} questions in two minutes and a half");
}
