//! Waiting by a blocking read.

use bowline_core::closing::Kind;
use bowline_core::{Close, Message};

use super::super::read::READ_LITTLE;
use super::*;

#[test]
fn a_conversation_waits_by_its_reads_and_sets_their_time_once() {
    let (mut driver, mut far) = conversing();
    let (before, patiently) = (reads(&driver), patient(&driver));
    for n in 1..=5 {
        hear(&mut driver, &mut far);
        assert_eq!((reads(&driver), patient(&driver)), (before + n, patiently + n));
    }
    assert_eq!(driver.stream().unwrap().set.get(), 1);
}

#[test]
fn a_read_that_has_waited_in_vain_is_followed_by_an_exact_wait() {
    let (mut driver, mut far) = conversing();
    let (patiently, start) = (patient(&driver), driver.now());
    // If we did not run for a while, too little time was left for a read to wait.
    for _ in 0..10 {
        let until = driver.now() + Duration::from_millis(700);
        assert_eq!(driver.drive(Some(until)), Driven::TimedOut);
        assert!(driver.now() >= until);
        if patient(&driver) > patiently {
            break;
        }
    }
    assert_eq!(patient(&driver), patiently + 1, "half of the time");
    assert!(driver.now() - start < LONG);
    hear(&mut driver, &mut far);
}

#[test]
fn a_near_deadline_is_waited_for_exactly() {
    let (mut driver, _far) = conversing();
    let (patiently, start) = (patient(&driver), driver.now());
    let until = start + Duration::from_millis(20);
    assert_eq!(driver.drive(Some(until)), Driven::TimedOut);
    assert!((until..start + LONG / 2).contains(&driver.now()));
    assert_eq!(patient(&driver), patiently);
}

#[test]
fn a_read_does_not_wait_if_others_can_call() {
    let (mut driver, _far) = conversing();
    let (waker, wakened) = crate::wait::waker().unwrap();
    driver.set_wakened(wakened);
    let patiently = patient(&driver);
    waker.wake();
    assert_eq!(driver.drive(None), Driven::Busy);
    assert_eq!(patient(&driver), patiently);
}

#[test]
fn a_read_does_not_wait_while_something_is_to_be_written() {
    let (mut driver, _far) = conversing();
    let patiently = patient(&driver);
    block(&mut driver);
    let until = driver.now() + Duration::from_millis(300);
    // A stream that has accepted nothing for a second is news, unless we were the ones who did not run.
    while driver.drive(Some(until)) == Driven::Busy {}
    assert!(driver.now() >= until);
    assert_eq!(patient(&driver), patiently);
}

#[test]
fn a_sleep_of_the_machine_is_reported_before_the_message_of_a_patient_read() {
    let (mut driver, mut far) = conversing();
    driver.watch.pretend_sleep(Duration::from_secs(3600));
    far.write_all(b"\x81\x05again").unwrap();
    driver.drive(None);
    assert!(matches!(driver.conn_mut().poll_event(), Some(Event::Resumed { .. })));
    assert_eq!(driver.conn_mut().poll_event(), Some(Event::Message(Message::text("again"))));
}

#[test]
fn no_second_wait_follows_a_read_that_has_waited() {
    let (mut driver, mut far) = conversing();
    hear(&mut driver, &mut far);
    let start = driver.now();
    let stream = driver.stream.as_mut().unwrap();
    assert_eq!(stream.read_now(&mut [0]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    let piece = [7; 4 << 10];
    for slices in [&[IoSlice::new(&piece); 1][..], &[IoSlice::new(&piece); 2]] {
        let full = std::iter::repeat_with(|| stream.write_now(slices)).find_map(Result::err).unwrap();
        assert_eq!(full.kind(), io::ErrorKind::WouldBlock);
    }
    // The previous read waited for up to half of the heartbeat.
    assert!(driver.now() - start < LONG / 4);
}

#[test]
fn a_read_does_not_wait_if_the_stream_holds_something() {
    let (mut driver, _far) = conversing();
    let patiently = patient(&driver);
    driver.stream.as_mut().unwrap().held = b"\x81\x05again".to_vec();
    driver.drive(None);
    assert_eq!(driver.conn_mut().poll_event(), Some(Event::Message(Message::text("again"))));
    assert_eq!(patient(&driver), patiently);
}

#[test]
fn a_ping_that_a_read_has_waited_for_is_answered_at_once() {
    let (mut driver, mut far) = conversing();
    far.write_all(b"\x89\x00\x81\x05again").unwrap();
    driver.drive(None);
    assert!(driver.conn_mut().poll_event().is_some());
    far.set_nonblocking(true).unwrap();
    let mut pong = [0; 6];
    far.read_exact(&mut pong).unwrap();
    assert_eq!(pong[..2], [0x8a, 0x80]);
}

#[test]
fn a_peer_is_not_blamed_if_its_answer_comes_after_what_a_patient_read_takes() {
    let (mut driver, mut far) = conversing();
    let now = driver.now();
    driver.conn_mut().close(now, Close::normal()).unwrap();
    driver.step(driver.now(), true);
    // It keeps sending until its time to answer ends.
    for _ in 0..3 {
        driver.clock = driver.clock.set_forward(Duration::from_secs(4));
        far.write_all(b"\x81\x02on").unwrap();
        driver.step(driver.now(), true);
    }
    // A message larger than the buffer of a patient read, and the answer to our Close.
    let message = vec![7; READ_LITTLE];
    far.write_all(&[&[0x82, 126, 16, 0], &message[..], &[0x88, 2, 3, 232]].concat()).unwrap();
    let due = driver.conn().poll_timeout().unwrap();
    driver.clock = driver.clock.set_forward(due - driver.now());
    assert_eq!(driver.read_patiently(None), Some(true));
    let events: Vec<_> = std::iter::from_fn(|| driver.conn_mut().poll_event()).collect();
    let is_late = |event: &Event| matches!(event, Event::Closed(end) if end.kind() == Kind::CloseTimeout);
    assert!(!events.iter().any(is_late), "{events:?}");
    assert!(events.contains(&Event::Message(Message::binary(message))));
}
