//! Links that receive at the same time, and share the memory for waiting data.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bowline_core::session::{self, Session};
use bowline_core::transfer::{Answer, Digest, Event, Offer, SUBPROTOCOL, SafeName, TransferId};
use bowline_core::{Connection, Instant, connection, pump};
use bowline_store::worker::{Deliver, Report, Spawn};

use super::{house, request};
use crate::server::{House, Served, ServerConfig};

const NOW: Instant = Instant::ZERO;
const CREDIT: u64 = 1_000_000;

/// A client, a server's end, and no delay between them.
struct Link {
    client: (Session, Connection),
    server: (Served, Connection),
    reports: Arc<Mutex<Vec<Report>>>,
}

impl Link {
    /// One whose client sends a file that its disk never reads.
    fn sending(house: &Arc<House>, n: u8) -> Self {
        let (_, pass) = house.decide(&request(None), &[SUBPROTOCOL.to_owned()]);
        let reports = Arc::new(Mutex::new(Vec::new()));
        let spawn: Spawn = Arc::new(|job| job());
        let deliver: Deliver = {
            let reports = Arc::clone(&reports);
            Arc::new(move |report| reports.lock().unwrap().push(report))
        };
        let pass = pass.expect("anybody may come");
        let served = house.serve(pass, "here".into(), spawn, deliver, Arc::new(|| ()), NOW);
        let mut client = Session::client(session::Config::default(), [n; 32], NOW);
        client.handle_link_up(NOW, Some(Duration::ZERO));
        let name = SafeName::parse(&format!("file {n}")).unwrap();
        let offer = Offer::new(TransferId::from_bytes([n; 16]), name, 10_000_000);
        client.transfers_mut().offer(NOW, offer).unwrap();
        let near = Connection::client(connection::Config::default(), [n; 32], NOW);
        let far = Connection::server(house.connection(), [n; 32], NOW);
        let mut link = Self { client: (client, near), server: (served, far), reports };
        link.settle(NOW);
        link
    }

    fn settle(&mut self, now: Instant) {
        let ((session, near), (served, far)) = (&mut self.client, &mut self.server);
        loop {
            pump(now, near, session);
            for report in std::mem::take(&mut *self.reports.lock().unwrap()) {
                served.handle_report(now, report);
            }
            served.pump(now, far);
            let moved = carry(now, near, far) + carry(now, far, near);
            if moved == 0 && self.reports.lock().unwrap().is_empty() {
                return;
            }
        }
    }

    /// The client fetches the server's file, as much of it as arrives at once.
    fn fetch(&mut self, now: Instant, id: TransferId) {
        self.client.0.transfers_mut().request(now, id, SafeName::parse("served").unwrap()).unwrap();
        self.settle(now);
        while let Some(event) = self.client.0.poll_event() {
            let transfers = self.client.0.transfers_mut();
            match event {
                session::Event::Transfer(Event::Offered(offered)) => {
                    let prefix = Digest::of(b"");
                    transfers.answer(
                        now,
                        offered.id,
                        Answer::Take { from: 0, prefix, epoch: 1, expires: None },
                    );
                }
                session::Event::Transfer(Event::Write { id, offset, data }) => {
                    transfers.written(now, id, offset + data.len() as u64);
                }
                _ => {}
            }
            self.settle(now);
        }
    }

    fn promised(&self) -> u64 {
        self.server.0.promised()
    }
}

fn carry(now: Instant, from: &mut Connection, to: &mut Connection) -> usize {
    let len = from.output().len();
    to.handle_input(now, from.output());
    from.handle_written(now, len);
    len
}

#[test]
fn a_link_that_joins_a_crowd_is_promised_a_share() {
    let (_dir, house) = house(ServerConfig { credit: CREDIT, ..ServerConfig::default() });
    let links: Vec<_> = (1..=4).map(|n| Link::sending(&house, n)).collect();
    let promised: Vec<_> = links.iter().map(Link::promised).collect();
    assert_eq!(promised, [CREDIT, CREDIT / 2, CREDIT / 3, CREDIT / 4]);
    drop(links);
    assert_eq!(Link::sending(&house, 5).promised(), CREDIT, "the others have left");
}

#[test]
fn a_link_that_brings_nothing_loses_its_share_after_a_while() {
    let (_dir, house) = house(ServerConfig { credit: CREDIT, ..ServerConfig::default() });
    let mut still: Vec<_> = (1..=3).map(|n| Link::sending(&house, n)).collect();
    for link in &mut still {
        link.settle(Instant::from_millis(10_000));
    }
    assert_eq!(Link::sending(&house, 4).promised(), CREDIT);
}

#[test]
fn a_link_that_only_fetches_keeps_no_share_for_receiving() {
    let (dir, house) = house(ServerConfig { credit: CREDIT, ..ServerConfig::default() });
    std::fs::write(dir.path().join("served"), vec![1; 100_000]).unwrap();
    let mut link = Link::sending(&house, 1);
    link.client.0.transfers_mut().pause(NOW, TransferId::from_bytes([1; 16]));
    for second in 1..=10 {
        link.fetch(Instant::from_secs(second), TransferId::from_bytes([10 + second as u8; 16]));
    }
    assert!(link.client.0.transfers().received() >= 1_000_000, "it fetches all the time");
    assert_eq!(Link::sending(&house, 2).promised(), CREDIT);
}

#[test]
fn no_share_is_more_than_a_link_may_hold() {
    let mut config = ServerConfig::default();
    config.transfer.link_credit = 200_000;
    let (_dir, house) = house(config);
    assert_eq!(Link::sending(&house, 1).promised(), 200_000);
}
