use super::*;
use bowline_core::Message;
use bowline_core::closing::Kind;
use bowline_core::connection::{Config, Event};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::time::{advance, timeout};

/// The machine falls asleep, and wakes up: both take time by its clock.
async fn sleep<S>(driver: &mut Driver<S>, slept: Duration) {
    driver.watch.pretend_sleep(slept);
    advance(AWAKE).await;
}

#[tokio::test(start_paused = true)]
async fn a_sleep_of_the_machine_is_noticed_when_it_wakes() {
    let (stream, _peer) = tokio::io::duplex(1 << 10);
    let mut driver = Driver::client(stream, &[], Config::default(), Clock::start()).unwrap();
    driver.drive().await;
    let waiting = timeout(Duration::from_secs(1), driver.drive());
    assert!(waiting.await.is_err());

    let hour = Duration::from_secs(3600);
    sleep(&mut driver, hour).await;
    timeout(Duration::from_millis(1), driver.drive()).await.expect("at once");
    match driver.conn_mut().poll_event() {
        Some(Event::Resumed { slept }) => {
            assert!(slept.abs_diff(hour) < Duration::from_secs(10), "{slept:?}");
        }
        event => panic!("{event:?}"),
    }
    assert_eq!(driver.conn().stats().pings, 1, "the peer is asked at once");
}

#[tokio::test(start_paused = true)]
async fn an_end_found_after_a_sleep_is_not_taken_for_the_work_of_a_silence() {
    let (stream, peer) = tokio::io::duplex(1 << 10);
    let mut driver = Driver::client(stream, &[], Config::default(), Clock::start()).unwrap();
    driver.drive().await;
    let waiting = timeout(Duration::from_secs(5), driver.drive());
    assert!(waiting.await.is_err());

    sleep(&mut driver, Duration::from_secs(3600)).await;
    drop(peer);
    driver.drive().await;
    let ends = std::iter::from_fn(|| driver.conn_mut().poll_event()).filter_map(|event| match event {
        Event::Closed(disconnect) => Some(disconnect.kind()),
        _ => None,
    });
    assert_eq!(ends.collect::<Vec<_>>(), [Kind::LocalSuspend]);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_came_during_a_sleep_does_not_hide_it() {
    let (stream, mut peer) = tokio::io::duplex(1 << 10);
    let mut driver = Driver::client(stream, &[], Config::default(), Clock::start()).unwrap();
    driver.drive().await;
    let waiting = timeout(Duration::from_secs(1), driver.drive());
    assert!(waiting.await.is_err());

    sleep(&mut driver, Duration::from_secs(3600)).await;
    peer.write_all(b"\x82\x01x").await.unwrap();
    driver.drive().await;
    let events: Vec<_> = std::iter::from_fn(|| driver.conn_mut().poll_event()).collect();
    assert!(matches!(events[..], [Event::Resumed { .. }, Event::Message(_)]), "{events:?}");
    assert_eq!(driver.conn().stats().pings, 1, "the peer is asked at once");
}

#[tokio::test(start_paused = true)]
async fn a_deadline_is_kept_while_messages_come_all_the_time() {
    let (stream, mut peer) = tokio::io::duplex(1 << 10);
    let mut config = Config::default();
    config.message_timeout = Some(Duration::from_secs(3));
    let clock = Clock::start();
    let mut driver = Driver::client(stream, &[], config, clock).unwrap();
    driver.drive().await;
    peer.write_all(b"\x02\x01x").await.unwrap();
    for _ in 0..40 {
        advance(Duration::from_millis(100)).await;
        peer.write_all(b"\x00\x01x").await.unwrap();
        driver.drive().await;
    }
    assert!(!driver.conn().is_open(), "the message takes too long");
}

#[tokio::test(start_paused = true)]
async fn the_time_given_to_a_connection_never_steps_back() {
    let (stream, mut peer) = tokio::io::duplex(1 << 10);
    let mut driver = Driver::client(stream, &[], Config::default(), Clock::start()).unwrap();
    peer.write_all(b"\x82\x01x").await.unwrap();
    driver.drive().await;
    advance(Duration::from_secs(1)).await;
    let now = driver.now();
    driver.conn_mut().send(now, Message::text("a reply, after a while")).unwrap();
    assert!(timeout(Duration::ZERO, driver.drive()).await.is_err(), "nothing more comes");
    assert!(driver.conn().output().is_empty());
    assert_eq!(driver.conn().stats().clock_regressions, 0);
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_has_passed_is_found_by_the_next_drive() {
    let (stream, mut peer) = tokio::io::duplex(1 << 10);
    let mut driver = Driver::client(stream, &[], Config::default(), Clock::start()).unwrap();
    peer.write_all(b"\x82\x01x").await.unwrap();
    driver.drive().await;
    advance(Duration::from_secs(60)).await;
    timeout(Duration::from_millis(1), driver.drive()).await.expect("at once");
    assert!(!driver.conn().output().is_empty(), "it asks whether the peer is there");
}

#[tokio::test]
async fn the_system_may_hold_more_if_much_drains() {
    static UNSENT: AtomicU32 = AtomicU32::new(0);
    let (stream, _peer) = tokio::io::duplex(1 << 10);
    let driver = Driver::server(stream, &[], Config::default(), Clock::start()).unwrap();
    let mut driver = driver.with_valve(|_, most| UNSENT.store(most, Ordering::Relaxed));
    // With virtual time, in which nothing is slow.
    let now = driver.now() + Duration::from_secs(2);
    let message = Message::binary(vec![7; 1 << 20]);
    for _ in 0..20 {
        driver.conn_mut().send(now, message.clone()).unwrap();
        while let n @ 1.. = driver.conn().output().len() {
            driver.conn_mut().handle_written(now, n);
        }
    }
    driver.conn_mut().send(now, Message::text("hello")).unwrap();
    driver.drive().await;
    assert_eq!(UNSENT.load(Ordering::Relaxed), 1 << 20);
}

#[tokio::test]
async fn a_connection_dialled_here_has_a_valve() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}", listener.local_addr().unwrap());
    let accepting = async { crate::WebSocket::accept(listener.accept().await.unwrap().0).await.unwrap() };
    let limits = crate::dial::Config::default();
    let (dialed, _server) = tokio::join!(crate::dial::connect(&url, &limits), accepting);
    let driver = Driver::dialed(dialed.unwrap(), Config::default(), Clock::start()).unwrap();
    assert!(driver.valve.is_some());
}

#[tokio::test(start_paused = true)]
async fn many_messages_take_one_look_at_the_clock() {
    let (stream, _peer) = tokio::io::duplex(1 << 10);
    let driver = Driver::client(stream, &[], Config::default(), Clock::start()).unwrap();
    let mut socket = crate::WebSocket::new(driver);
    for word in ["the", "clock", "goes", "on"] {
        advance(Duration::from_millis(10)).await;
        socket.try_send(Message::text(word)).unwrap();
    }
    let driver = socket.into_driver();
    assert_eq!(driver.conn().time_to_send(), Some(Instant::from_millis(10)));
    assert_eq!(driver.conn().stats().messages_sent, 4);
}
