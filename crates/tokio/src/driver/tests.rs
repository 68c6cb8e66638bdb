use super::*;
use bowline_core::closing::Kind;
use bowline_core::connection::{Config, Event};
use std::time::Duration;

#[tokio::test(start_paused = true)]
async fn a_sleep_of_the_machine_is_noticed_when_it_wakes() {
    let (stream, _peer) = tokio::io::duplex(1 << 10);
    let mut driver = Driver::client(stream, &[], Config::default(), Clock::start()).unwrap();
    driver.drive().await;
    let waiting = tokio::time::timeout(Duration::from_secs(1), driver.drive());
    assert!(waiting.await.is_err());

    let hour = Duration::from_secs(3600);
    driver.watch.pretend_sleep(hour);
    driver.drive().await;
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
    let waiting = tokio::time::timeout(Duration::from_secs(5), driver.drive());
    assert!(waiting.await.is_err());

    driver.watch.pretend_sleep(Duration::from_secs(3600));
    drop(peer);
    driver.drive().await;
    let ends = std::iter::from_fn(|| driver.conn_mut().poll_event()).filter_map(|event| match event {
        Event::Closed(disconnect) => Some(disconnect.kind()),
        _ => None,
    });
    assert_eq!(ends.collect::<Vec<_>>(), [Kind::LocalSuspend]);
}
