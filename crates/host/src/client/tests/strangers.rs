//! Who answers in place of a server that was reached before.

use super::*;
use bowline_core::Retry;

/// Has a link, loses it, and dials; returns when.
fn dialing_again(keeper: &mut Keeper<&'static str>) -> Instant {
    let now = Instant::ZERO;
    keeper.handle_link_up(now, SECOND);
    let mut connection = Connection::client(keeper.connection(now), [7; 32], now);
    keeper.pump(now, &mut connection);
    connection.handle_end(now, End::Reset);
    keeper.pump(now, &mut connection);
    let now = keeper.poll_timeout().expect("it dials again");
    keeper.handle_timeout(now);
    said(keeper, now);
    now
}

/// The result of a first contact that fails like this.
fn first_contact(failed: Disconnect) -> Vec<String> {
    let mut keeper = keeper(ClientConfig::default());
    said(&mut keeper, Instant::ZERO);
    keeper.handle_dial_failed(Instant::ZERO, failed);
    said(&mut keeper, Instant::ZERO)
}

/// The advice if there was a link before.
fn advice(failed: Disconnect) -> Option<Retry> {
    let mut keeper = keeper(ClientConfig::default());
    let now = dialing_again(&mut keeper);
    keeper.handle_dial_failed(now, failed);
    let advice = std::iter::from_fn(|| keeper.poll_output(now)).find_map(|output| match output {
        Output::Link(LinkEvent::DialFailed { disconnect, .. }) => Some(disconnect.retry()),
        _ => None,
    });
    let dials = keeper.poll_timeout().is_some_and(|due| due > now);
    assert_eq!(dials, !matches!(advice, Some(Retry::No(_))), "it does as it says");
    advice
}

/// A certificate is renewed, a gateway reaches its server again, a login page lets us through.
#[test]
fn a_stranger_in_the_place_of_a_known_server_is_dialled_again() {
    let rejected = |status| Disconnect::handshake_rejected(status, None, "a stranger");
    let obstructed = |obstacle| Disconnect::connect_failed(obstacle, "a stranger");
    let answers = [200, 301, 302, 303, 307, 308, 404, 501, 505, 511].map(rejected);
    for failed in [obstructed(Obstacle::Tls), obstructed(Obstacle::NotWebSocket)].into_iter().chain(answers) {
        let told = first_contact(failed.clone());
        assert!(told.contains(&"ended: a stranger".to_owned()), "a first contact ends at once: {told:?}");
        assert_eq!(advice(failed.clone()), Some(Retry::Backoff), "{:?}", failed.kind());
    }
}

#[test]
fn a_busy_server_is_dialled_again_no_sooner_than_a_stranger() {
    let busy = Disconnect::handshake_rejected(503, Some(7 * SECOND), "busy");
    assert_eq!(advice(busy), Some(Retry::BackoffAfter(7 * SECOND)));
}

/// A revoked token is not retried for ten minutes.
#[test]
fn a_refusal_is_final_even_if_there_was_a_link() {
    for status in [400, 401, 403, 410, 426] {
        let mut keeper = keeper(ClientConfig::default());
        let now = dialing_again(&mut keeper);
        keeper.handle_dial_failed(now, Disconnect::handshake_rejected(status, None, "no such token"));
        let told = said(&mut keeper, now);
        assert!(told.contains(&"ended: no such token".to_owned()), "{status}: {told:?}");
    }
}

#[test]
fn a_server_that_stays_replaced_is_given_up_with_the_last_answer() {
    let mut config = ClientConfig::default();
    config.reconnect.max_elapsed = Some(60 * SECOND);
    let mut keeper = keeper(config);
    let mut now = dialing_again(&mut keeper);
    loop {
        keeper.handle_dial_failed(now, Disconnect::handshake_rejected(404, None, "it says 404"));
        let told = said(&mut keeper, now);
        if let Some(end) = told.iter().find(|line| line.starts_with("ended: ")) {
            assert!(end.starts_with("ended: it says 404; gave up: "), "{end}");
            assert!(now >= Instant::from_secs(30), "the time was used: {now:?}");
            return;
        }
        now = keeper.poll_timeout().expect("it goes on");
        assert!(now <= Instant::from_secs(61), "the time was kept: {now:?}");
        keeper.handle_timeout(now);
        said(&mut keeper, now);
    }
}
