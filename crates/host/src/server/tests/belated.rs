//! A sender whose older link is served after its newer one.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bowline_core::session::{self, Session};
use bowline_core::transfer::{Code, Event, Offer, SUBPROTOCOL, SafeName, TransferId};
use bowline_core::{Connection, Instant, connection, pump};
use bowline_store::Principal;
use bowline_store::worker::{Deliver, Report, Spawn};

use super::{house, request};
use crate::server::{House, Pass, Served, ServerConfig};
use crate::transfer::Verb;

const NOW: Instant = Instant::ZERO;
const ID: TransferId = TransferId::from_bytes([1; 16]);

/// A link of the same client, which offers the same file.
struct Link {
    client: (Session, Connection),
    server: (Served, Connection),
    reports: Arc<Mutex<Vec<Report>>>,
}

impl Link {
    fn offering(house: &Arc<House>, pass: Pass) -> Self {
        let reports = Arc::new(Mutex::new(Vec::new()));
        let spawn: Spawn = Arc::new(|job| job());
        let deliver: Deliver = {
            let reports = Arc::clone(&reports);
            Arc::new(move |report| reports.lock().unwrap().push(report))
        };
        let served = house.serve(pass, "here".into(), spawn, deliver, Arc::new(|| ()), NOW);
        let mut client = Session::client(session::Config::default(), [1; 32], NOW);
        client.handle_link_up(NOW, Some(Duration::ZERO));
        client
            .transfers_mut()
            .offer(NOW, Offer::new(ID, SafeName::parse("file").unwrap(), 10_000_000))
            .unwrap();
        let near = Connection::client(connection::Config::default(), [1; 32], NOW);
        let far = Connection::server(house.connection(), [1; 32], NOW);
        let mut link = Self { client: (client, near), server: (served, far), reports };
        link.settle();
        link
    }

    fn settle(&mut self) {
        let ((session, near), (served, far)) = (&mut self.client, &mut self.server);
        loop {
            pump(NOW, near, session);
            for report in std::mem::take(&mut *self.reports.lock().unwrap()) {
                served.handle_report(NOW, report);
            }
            served.pump(NOW, far);
            if carry(near, far) + carry(far, near) == 0 && self.reports.lock().unwrap().is_empty() {
                return;
            }
        }
    }

    /// What the client has been told about its offer.
    fn heard(&mut self) -> Option<Result<(), Code>> {
        std::iter::from_fn(|| self.client.0.poll_event()).find_map(|event| match event {
            session::Event::Transfer(Event::Accepted { .. }) => Some(Ok(())),
            session::Event::Transfer(Event::Failed { failure, .. } | Event::Retrying { failure, .. }) => {
                Some(Err(failure.code))
            }
            _ => None,
        })
    }
}

fn carry(from: &mut Connection, to: &mut Connection) -> usize {
    let len = from.output().len();
    to.handle_input(NOW, from.output());
    from.handle_written(NOW, len);
    len
}

fn come(house: &House) -> Pass {
    house.decide(&request(None), &[SUBPROTOCOL.to_owned()]).1.expect("anybody may come")
}

#[test]
fn the_order_of_links_is_that_of_their_handshakes() {
    let (_dir, house) = house(ServerConfig::default());
    let (older, newer) = (come(&house), come(&house));
    // The server's thread for the older link is slow.
    let mut live = Link::offering(&house, newer);
    assert_eq!(live.heard(), Some(Ok(())));
    assert_eq!(Link::offering(&house, older).heard(), Some(Err(Code::Fenced)));
    live.settle();
    assert_eq!(live.heard(), None, "it goes on");
    assert_eq!(Link::offering(&house, come(&house)).heard(), Some(Ok(())), "the next link takes over");
}

#[test]
fn a_pause_outlives_an_offer_that_is_belated() {
    let (_dir, house) = house(ServerConfig::default());
    let older = come(&house);
    let _live = Link::offering(&house, come(&house));
    house.order(ID, Verb::Pause);
    assert_eq!(Link::offering(&house, older).heard(), Some(Err(Code::Fenced)));
    assert!(house.is_paused(ID));
}

#[test]
fn a_pause_outlives_an_offer_that_is_put_off() {
    let (_dir, house) = house(ServerConfig { max_open: Some(1), ..ServerConfig::default() });
    house.order(ID, Verb::Pause);
    // Like an older link of the same client, which is half dead.
    let seat = house.seats.take(&Principal::default(), None).unwrap();
    assert_eq!(Link::offering(&house, come(&house)).heard(), Some(Err(Code::Busy)));
    drop(seat);
    assert!(house.is_paused(ID), "it comes back soon");
}
