//! Who may see a listing of the server's files.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bowline_core::session::{self, Session};
use bowline_core::transfer::{Code, Event, SUBPROTOCOL, SafeName, TransferId};
use bowline_core::{Connection, Instant, pump};

use super::{house, request};
use crate::server::{Access, Grant, Output, ServerConfig, ServerEvent};

fn name(text: &str) -> SafeName {
    SafeName::parse(text).unwrap()
}

/// Requests a listing with this grant. Returns how many jobs that makes, what the client receives, and what is reported
/// here.
fn asked(grant: Grant, wanted: Option<SafeName>) -> (usize, Option<String>, Vec<Option<SafeName>>) {
    let now = Instant::ZERO;
    let config = ServerConfig { access: Access::anybody(grant), ..ServerConfig::default() };
    let (_dir, house) = house(config);
    let pass = house.decide(&request(None), &[SUBPROTOCOL.to_owned()]).1.expect("anybody may come");
    let jobs = Arc::new(Mutex::new(0));
    let counted = Arc::clone(&jobs);
    let busy = Arc::new(move |_| *counted.lock().unwrap() += 1);
    let mut served = house.serve(pass, "here".into(), busy, Arc::new(drop), Arc::new(|| ()), now);
    let mut client = Session::client(session::Config::default(), [1; 32], now);
    client.handle_link_up(now, Some(Duration::ZERO));
    let mut near = Connection::client(super::Config::default(), [1; 32], now);
    let mut far = Connection::server(house.connection(), [1; 32], now);
    client.transfers_mut().request_listing(now, TransferId::from_bytes([1; 16]), wanted).unwrap();
    pump(now, &mut near, &mut client);
    far.handle_input(now, near.output());
    served.pump(now, &mut far);
    near.handle_input(now, far.output());
    pump(now, &mut near, &mut client);
    let refusal = std::iter::from_fn(|| client.poll_event()).find_map(|event| match event {
        session::Event::Transfer(Event::Failed { failure, .. }) => {
            assert_eq!(failure.code, Code::Rejected);
            Some(failure.text)
        }
        _ => None,
    });
    let told = std::iter::from_fn(|| served.poll_output(now)).filter_map(|output| match output {
        Output::Event(ServerEvent::Began { name, .. } | ServerEvent::Failed { name, .. }) => Some(name),
        _ => None,
    });
    let told = told.collect();
    let jobs = *jobs.lock().unwrap();
    (jobs, refusal, told)
}

#[test]
fn only_a_client_that_may_fetch_may_ask_for_a_listing() {
    assert_eq!(asked(Grant::default(), None), (1, None, vec![None]));
    assert_eq!(asked(Grant::default(), Some(name("a"))), (1, None, vec![Some(name("a"))]));
    let sends = Grant { may_fetch: false, ..Grant::default() };
    for wanted in [None, Some(name("a"))] {
        let why = Some("you may not fetch files from this server".to_owned());
        assert_eq!(asked(sends.clone(), wanted.clone()), (0, why, vec![wanted]));
    }
}

#[test]
fn a_client_that_may_not_list_can_ask_only_by_name() {
    let knows = Grant { may_list: false, ..Grant::default() };
    let why = "this server does not list what it holds; ask for a file or a folder by its name";
    assert_eq!(asked(knows.clone(), None), (0, Some(why.to_owned()), vec![None]));
    assert_eq!(asked(knows, Some(name("a"))), (1, None, vec![Some(name("a"))]));
}

#[test]
fn a_client_with_a_folder_of_its_own_sees_only_that() {
    let sees = Grant { folder: Some(name("his")), ..Grant::default() };
    assert_eq!(asked(sees.clone(), None), (1, None, vec![Some(name("his"))]));
    assert_eq!(asked(sees, Some(name("a"))), (1, None, vec![Some(name("his/a"))]));
}
