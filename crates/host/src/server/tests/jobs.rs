//! A client that leaves work behind.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bowline_core::session::{self, Session};
use bowline_core::transfer::{Code, Event, Leftover, Offer, SUBPROTOCOL, SafeName, TransferId};
use bowline_core::{Connection, Instant, pump};

use super::{house, request};
use crate::server::ServerConfig;

#[test]
fn a_client_that_offers_and_cancels_has_bounded_work_waiting() {
    let now = Instant::ZERO;
    let (_dir, house) = house(ServerConfig { max_open: Some(10), ..ServerConfig::default() });
    let pass = house.decide(&request(None), &[SUBPROTOCOL.to_owned()]).1.expect("anybody may come");
    let jobs = Arc::new(Mutex::new(Vec::new()));
    let threads = Arc::clone(&jobs);
    let busy = Arc::new(move |job| threads.lock().unwrap().push(job));
    let mut served = house.serve(pass, "here".into(), busy, Arc::new(drop), Arc::new(|| ()), now);
    let mut client = Session::client(session::Config::default(), [1; 32], now);
    client.handle_link_up(now, Some(Duration::ZERO));
    let mut near = Connection::client(super::Config::default(), [1; 32], now);
    let mut far = Connection::server(house.connection(), [1; 32], now);
    let mut refused = 0;
    for n in 0..200 {
        let id = TransferId::from_bytes([n; 16]);
        let offer = Offer::new(id, SafeName::parse("file").unwrap(), 1000);
        client.transfers_mut().offer(now, offer).unwrap();
        for cancels in [false, true] {
            if cancels {
                client.transfers_mut().cancel(now, id, Leftover::Discard);
            }
            pump(now, &mut near, &mut client);
            far.handle_input(now, near.output());
            near.handle_written(now, near.output().len());
            served.pump(now, &mut far);
            near.handle_input(now, far.output());
            far.handle_written(now, far.output().len());
            pump(now, &mut near, &mut client);
            while let Some(event) = client.poll_event() {
                if let session::Event::Transfer(Event::Retrying { failure, .. }) = event {
                    refused += usize::from(failure.code == Code::Busy);
                }
            }
        }
    }
    let waiting = jobs.lock().unwrap().len();
    assert!((20..=64).contains(&waiting), "{waiting} jobs");
    assert!(refused > 0, "and nobody was told to wait");
}
