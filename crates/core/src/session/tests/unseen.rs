//! A host that ignores the events of its session.

use super::messages::{pair_with, settle_at};
use super::*;
use crate::messages::SessionsConfig;
use crate::transfer::Failure;

/// Has a client offer this many files and cancel each. Returns why the server leaves, depending on whether its host
/// looks at its events.
fn left_after(offers: u64, looks: bool) -> Option<Close> {
    let config = (Config::default(), Config::default());
    let (mut client, mut server, mut sessions) = pair_with(config.0, config.1, SessionsConfig::default());
    for n in 0..offers {
        let now = Instant::from_millis(n);
        let id = TransferId::from_bytes(u128::from(n + 1).to_be_bytes());
        let offer = Offer::new(id, SafeName::parse("file").expect("safe"), 1 << 30);
        client.transfers_mut().offer(now, offer).expect("new");
        settle_at(now, &mut client, &mut server, &mut sessions);
        client.transfers_mut().fail(now, id, Failure::local(Code::Cancelled, ""));
        settle_at(now, &mut client, &mut server, &mut sessions);
        events(&mut client);
        if looks {
            // Something always remains.
            while server.events.len() > 1 {
                server.poll_event();
            }
        }
        if let Some(close) = server.poll_close() {
            return Some(close);
        }
    }
    None
}

#[test]
fn events_that_the_host_never_reads_end_the_link() {
    let close = left_after(22_000, false).expect("it keeps all of them");
    let why = "65538 events are waiting, and the host does not read them";
    assert_eq!((close.code(), close.reason()), (CloseCode::INTERNAL_ERROR, why));
}

#[test]
fn events_that_the_host_reads_now_and_then_do_not_end_the_link() {
    assert_eq!(left_after(22_000, true), None);
}
