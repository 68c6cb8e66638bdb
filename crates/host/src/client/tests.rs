//! The keeper alone: its time is virtual, and its outputs are checked.

mod beside;
mod reconnecting;
mod strangers;

use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bowline_core::closing::Obstacle;
use bowline_core::session::{self, Session};
use bowline_core::transfer::{self, Code, Failure, Kind, Leftover, Offer, SafeName, TransferId};
use bowline_core::{Connection, Disconnect, End, Instant, Retry, connection, pump};
use bowline_handshake::client::Request;
use bowline_store::DiskStore;

use super::*;
use crate::dial;
use crate::error::DialError;
use crate::transfer::{TransferError, Verb};

const SECOND: Duration = Duration::from_secs(1);

fn keeper(config: ClientConfig) -> Keeper<&'static str> {
    let request = Request::new("ws://127.0.0.1:9000").unwrap();
    let talk = Talk::new(Arc::new(|| ()), Arc::new(|| ()));
    Keeper::new(config, &request, Arc::new(|job| job()), Arc::new(drop), talk, Instant::ZERO).unwrap()
}

/// All its outputs, in short form.
fn said(keeper: &mut Keeper<&'static str>, now: Instant) -> Vec<String> {
    std::iter::from_fn(|| keeper.poll_output(now))
        .map(|output| match output {
            Output::State(LinkState::Dialing { attempt }) => format!("dialing {attempt}"),
            Output::State(LinkState::Waiting { attempt, why, .. }) => format!("waiting for {attempt}: {why}"),
            Output::State(LinkState::Ended { why }) => format!("ended: {why}"),
            Output::State(state) => format!("{state:?}"),
            Output::Link(LinkEvent::Up { link }) => format!("link {link}"),
            Output::Link(LinkEvent::GaveUp { reached, .. }) => format!("gave up, reached: {reached}"),
            Output::Link(event) => format!("{event:?}").split([' ', '{']).next().unwrap().to_owned(),
            Output::Ended { ticket, result: Err(error), .. } => format!("{ticket}: {error}"),
            Output::Ended { ticket, .. } => ticket.to_owned(),
            other => format!("{other:?}"),
        })
        .collect()
}

fn refused() -> Disconnect {
    Disconnect::connect_failed(Obstacle::Refused, "nothing is listening")
}

fn offer(n: u8) -> Offer {
    Offer::new(TransferId::from_bytes([n; 16]), SafeName::parse("file").unwrap(), 10)
}

fn timed_out() -> Disconnect {
    Disconnect::connect_failed(Obstacle::TimedOut, "nobody answered")
}

/// How long the next dial and its handshake may take, in seconds.
fn patience(dial: &dial::Config) -> (u64, u64) {
    (dial.connect_timeout.as_secs(), dial.handshake.timeout.as_secs())
}

#[test]
fn a_dial_after_one_that_timed_out_has_twice_as_long_until_there_is_a_link() {
    let mut config = ClientConfig::default();
    config.dial.handshake.timeout = 5 * SECOND;
    let mut keeper = keeper(config);
    let mut now = Instant::ZERO;
    for (total, own) in [(10, 5), (20, 10), (40, 20), (60, 40), (60, 60), (60, 60)] {
        assert_eq!(patience(&keeper.dial_config()), (total, own));
        said(&mut keeper, now);
        assert_eq!(keeper.poll_timeout(), Some(now + (total + 1) as u32 * SECOND), "it ends by itself");
        keeper.handle_dial_failed(now, timed_out());
        keeper.handle_dial_failed(now, refused());
        now = keeper.poll_timeout().expect("it dials again");
        keeper.handle_timeout(now);
    }
    keeper.handle_link_up(now, SECOND);
    assert_eq!(patience(&keeper.dial_config()), (10, 5));
}

#[test]
fn the_dial_timeout_does_not_grow_if_that_is_not_wanted() {
    let mut config = ClientConfig::default();
    (config.dial.connect_timeout, config.dial.longest_timeout) = (3 * SECOND, Duration::ZERO);
    let mut keeper = keeper(config);
    for _ in 0..40 {
        keeper.handle_dial_failed(Instant::ZERO, timed_out());
        assert_eq!(patience(&keeper.dial_config()), (3, 10));
    }
}

#[test]
fn dial_timeouts_start_over_on_another_network() {
    let mut keeper = keeper(ClientConfig::default());
    keeper.handle_dial_failed(Instant::ZERO, timed_out());
    let now = keeper.poll_timeout().expect("it dials again");
    keeper.handle_timeout(now);
    assert_eq!(keeper.poll_timeout(), Some(now + 21 * SECOND));
    keeper.handle_network_change(now);
    assert_eq!(patience(&keeper.dial_config()), (10, 10));
    assert_eq!(keeper.poll_timeout(), Some(now + 11 * SECOND), "nor does the dial go on for long");
}

#[test]
fn an_outage_is_counted_and_reported_and_left_behind() {
    let mut keeper = keeper(ClientConfig::default());
    let now = Instant::ZERO;
    assert_eq!(said(&mut keeper, now), ["dialing 1", "Dialing", "Dial"]);
    keeper.handle_dial_failed(now, refused());
    let expected = ["DialFailed", "Abandon", "waiting for 2: nothing is listening", "Waiting"];
    assert_eq!(said(&mut keeper, now), expected);

    let now = keeper.poll_timeout().expect("it dials again");
    keeper.handle_timeout(now);
    assert_eq!(said(&mut keeper, now), ["dialing 2", "Dialing", "Dial"]);
    keeper.handle_link_up(now, SECOND / 100);
    assert_eq!(said(&mut keeper, now)[..2], ["Up", "link 1"]);

    let mut connection = Connection::client(keeper.connection(now), [7; 32], now);
    keeper.pump(now, &mut connection);
    connection.handle_end(now, End::Reset);
    keeper.pump(now, &mut connection);
    let told = said(&mut keeper, now);
    assert_eq!(told[..2], ["LetGo", "Down"], "the link is gone before anybody hears of it");
    assert!(told.iter().any(|line| line.starts_with("waiting for 1: ")), "a new outage: {told:?}");
}

#[test]
fn a_client_that_waits_dials_when_it_is_told_to() {
    let mut keeper = keeper(ClientConfig::default());
    let now = Instant::ZERO;
    said(&mut keeper, now);
    let busy = Retry::After { min: 60 * SECOND, max: 90 * SECOND };
    keeper.handle_dial_failed(now, refused().with_retry(busy));
    said(&mut keeper, now);
    keeper.dial(now);
    assert_eq!(
        said(&mut keeper, now),
        ["dialing 2", "Dialing", "Dial"],
        "even if the server has asked for time"
    );
    keeper.dial(now);
    assert_eq!(said(&mut keeper, now), [""; 0], "that dial is under way");

    keeper.handle_dial_failed(now, refused());
    said(&mut keeper, now);
    keeper.close();
    said(&mut keeper, now);
    keeper.dial(now);
    assert_eq!(said(&mut keeper, now), [""; 0], "it was closed");
}

/// Gives up after a second, with one file waiting; returns what it reports at its end.
fn given_up(answers: bool) -> (Keeper<&'static str>, Instant, Vec<String>) {
    let mut config = ClientConfig::default();
    config.reconnect.first_contact = Some(SECOND);
    let mut keeper = keeper(config);
    let mut now = Instant::ZERO;
    keeper.upload(now, offer(1), Feed::Nothing, "first");
    loop {
        let told = said(&mut keeper, now);
        if told.iter().any(|line| line.starts_with("ended")) {
            return (keeper, now, told);
        }
        if answers && told.last().is_some_and(|last| last == "Dial") {
            keeper.handle_dial_failed(now, refused());
            continue;
        }
        assert!(now < Instant::from_secs(60), "it goes on for ever");
        keeper.progress(now).for_each(drop);
        now = keeper.poll_timeout().expect("it is not over yet");
        keeper.handle_timeout(now);
    }
}

#[test]
fn giving_up_before_any_answer_says_so() {
    let (.., told) = given_up(false);
    assert!(told.iter().any(|line| line.starts_with("first: no answer yet; gave up: ")), "{told:?}");
}

#[test]
fn giving_up_is_reported_to_present_and_later_transfers() {
    let (mut keeper, now, told) = given_up(true);
    let first = told.iter().find(|line| line.starts_with("first: ")).expect("whoever waits is told");
    let place = |of: &str| told.iter().position(|line| line.starts_with(of));
    assert!(place("ended: ") < place("first: "), "whoever is told can look at the link: {told:?}");
    assert!(first.starts_with("first: nothing is listening; gave up: "), "{first}");
    assert_eq!(told.last().unwrap(), "gave up, reached: false");
    keeper.upload(now, offer(2), Feed::Nothing, "second");
    let Some(Output::Ended { ticket: "second", result: Err(TransferError::Unreachable(_)), .. }) =
        keeper.poll_output(now)
    else {
        panic!("it is told at once")
    };
    keeper.dial(now);
    assert_eq!(said(&mut keeper, now), [""; 0], "a client that has given up has no transfers left");
    assert_eq!(keeper.poll_timeout(), None, "nothing is waited for");
}

#[test]
fn an_id_is_taken_once() {
    let mut keeper = keeper(ClientConfig::default());
    said(&mut keeper, Instant::ZERO);
    keeper.upload(Instant::ZERO, offer(1), Feed::Nothing, "first");
    keeper.upload(Instant::ZERO, offer(1), Feed::Nothing, "second");
    let told = said(&mut keeper, Instant::ZERO);
    assert!(told.len() == 1 && told[0].starts_with("second: "), "{told:?}");
}

/// A client that fetches ten thousand files keeps nothing of those that are complete.
#[test]
fn the_destination_of_a_download_is_forgotten_when_it_has_ended() {
    let dir = tempfile::tempdir().unwrap();
    let store = DiskStore::open(dir.path(), bowline_store::Config::default()).unwrap();
    let Offer { id, name, .. } = offer(1);
    let digest = transfer::Digest::of(b"");
    let done = transfer::Event::Done {
        id,
        kind: Kind::File,
        length: 0,
        digest,
        deduplicated: false,
        resumed: 0,
        resent: 0,
    };
    let failed = transfer::Event::Failed { id, failure: Failure::local(Code::Cancelled, "not wanted") };
    for ended in [done, failed] {
        let mut keeper = keeper(ClientConfig::default());
        keeper.download(Instant::ZERO, Download::new(id, name.clone(), name.clone()), store.clone(), "file");
        assert_eq!(keeper.places.len(), 1);
        keeper.handle_transfer(Instant::ZERO, ended);
        assert!(keeper.places.is_empty() && keeper.tracked.is_empty());
    }
}

#[test]
fn progress_is_reported_ten_times_a_second_and_only_if_it_has_changed() {
    let mut keeper = keeper(ClientConfig::default());
    keeper.upload(Instant::ZERO, offer(1), Feed::Nothing, "file");
    let told = |keeper: &mut Keeper<_>, now| {
        keeper.progress(now).map(|(who, p)| (*who, p.length)).collect::<Vec<_>>()
    };
    assert_eq!(told(&mut keeper, Instant::ZERO), [("file", Some(10))]);
    assert_eq!(keeper.poll_timeout(), Some(Instant::from_millis(100)));
    assert!(told(&mut keeper, Instant::from_millis(99)).is_empty());
    assert_eq!(keeper.poll_timeout(), Some(Instant::from_millis(100)));
    assert!(told(&mut keeper, Instant::from_millis(100)).is_empty(), "nothing has changed");
    assert_eq!(keeper.poll_timeout(), Some(Instant::from_millis(200)));
}

#[test]
fn a_client_is_over_when_it_was_closed_and_its_link_is_gone() {
    let now = Instant::ZERO;
    let mut keeper = keeper(ClientConfig::default());
    keeper.handle_link_up(now, SECOND);
    let mut connection = Connection::client(keeper.connection(now), [7; 32], now);
    keeper.upload(now, offer(1), Feed::Nothing, "file");
    keeper.release();
    keeper.pump(now, &mut connection);
    assert!(!keeper.is_over() && connection.is_open(), "something is under way");
    keeper.close();
    keeper.pump(now, &mut connection);
    assert!(!keeper.is_over() && !connection.is_open(), "it says goodbye");
    connection.handle_end(now, End::Eof);
    keeper.pump(now, &mut connection);
    said(&mut keeper, now);
    assert!(keeper.is_over());
}

/// Otherwise it would be closed when something else wakes the adapter.
#[test]
fn the_last_transfer_takes_the_link_with_it_in_the_same_round() {
    let now = Instant::ZERO;
    let mut keeper = keeper(ClientConfig::default());
    keeper.handle_link_up(now, SECOND);
    let mut connection = Connection::client(keeper.connection(now), [7; 32], now);
    keeper.upload(now, offer(1), Feed::Nothing, "file");
    keeper.release();
    keeper.pump(now, &mut connection);
    keeper.tell_transfer(now, offer(1).id, Verb::Cancel(Leftover::Keep));
    keeper.pump(now, &mut connection);
    assert!(!connection.is_open());
}

/// A keeper whose link is up, and a server at its far end.
struct Ends {
    keeper: Keeper<&'static str>,
    near: Connection,
    far: Connection,
    server: Session,
}

impl Ends {
    fn new() -> Self {
        let now = Instant::ZERO;
        let mut keeper = keeper(ClientConfig::default());
        keeper.handle_link_up(now, SECOND);
        let near = Connection::client(keeper.connection(now), [7; 32], now);
        let far = Connection::server(connection::Config::default(), [8; 32], now);
        let mut server = Session::server(session::Config::default(), now);
        server.handle_link_up(now, None);
        Self { keeper, near, far, server }
    }

    /// The keeper sends, then the server. Returns how many bytes the keeper has sent.
    fn round(&mut self) -> usize {
        self.keeper.pump(Instant::ZERO, &mut self.near);
        let said = carry(&mut self.near, &mut self.far);
        self.answer();
        said
    }

    /// The server sends. Returns how many bytes it has sent.
    fn answer(&mut self) -> usize {
        pump(Instant::ZERO, &mut self.far, &mut self.server);
        carry(&mut self.far, &mut self.near)
    }
}

/// Moves what one end sends to the other.
fn carry(from: &mut Connection, to: &mut Connection) -> usize {
    let (now, mut carried) = (Instant::ZERO, 0);
    while !from.output().is_empty() {
        let bytes = from.output().to_vec();
        to.handle_input(now, &bytes);
        from.handle_written(now, bytes.len());
        carried += bytes.len();
    }
    carried
}

#[test]
fn the_answer_to_an_event_leaves_in_the_same_round() {
    let mut ends = Ends::new();
    // Both send HELLO; then the server requests a file, which a client does not give out.
    for _ in 0..3 {
        ends.round();
    }
    let offer = offer(1);
    ends.server.transfers_mut().request(Instant::ZERO, offer.id, offer.name).unwrap();
    assert!(ends.answer() > 0, "it asks");
    assert!(ends.round() > 0, "it is told at once");
}

#[test]
fn an_unrequested_offer_is_not_accepted() {
    let mut ends = Ends::new();
    ends.server.transfers_mut().offer(Instant::ZERO, offer(1)).unwrap();
    for _ in 0..3 {
        ends.round();
    }
    let told = std::iter::from_fn(|| ends.server.poll_event()).filter_map(|event| match event {
        session::Event::Transfer(transfer::Event::Failed { failure, .. }) => Some(failure.to_string()),
        _ => None,
    });
    assert_eq!(told.collect::<Vec<_>>(), ["the other side says: this client accepts only what it asked for"]);
}

#[test]
fn a_unix_socket_is_a_path_of_its_own() {
    let key = |config| keeper(config).desk.session.path().map(|path| path.key().to_owned());
    let mut config = ClientConfig::default();
    assert_eq!(key(config.clone()).as_deref(), Some("127.0.0.1:9000"));
    config.dial.unix = Some("/run/bowline.sock".into());
    assert_eq!(key(config).as_deref(), Some("unix:/run/bowline.sock"));
}

#[test]
fn knowledge_of_a_path_is_used_for_a_week() {
    let interval = |age: Duration| {
        let then = SystemTime::now().checked_sub(age).unwrap();
        let learned = then.duration_since(UNIX_EPOCH).unwrap();
        let config = ClientConfig { path: Some("here".into()), ..ClientConfig::default() };
        config.paths.insert(format!("here 5.000 8.000 {}", learned.as_secs()).parse().unwrap());
        keeper(config).connection(Instant::ZERO).heartbeat.interval
    };
    assert!(interval(SECOND) < 8 * SECOND);
    let usual = ClientConfig::default().connection.heartbeat.interval;
    assert_eq!(interval(8 * 24 * 3600 * SECOND), usual);
}

#[test]
fn a_link_knows_how_those_before_it_have_ended() {
    let now = Instant::ZERO;
    let mut ends = Ends::new();
    ends.near.handle_end(now, End::Reset);
    ends.keeper.pump(now, &mut ends.near);
    assert_eq!(ends.keeper.connection(now).history.quick(), 1);
}

#[test]
fn a_transfer_that_is_put_off_reports_by_whom_and_for_how_long() {
    let now = Instant::ZERO;
    let mut ends = Ends::new();
    ends.keeper.upload(now, offer(1), Feed::Nothing, "file");
    let mut put_off = None;
    for _ in 0..4 {
        ends.round();
        while let Some(event) = ends.server.poll_event() {
            if let session::Event::Transfer(transfer::Event::Offered(offered)) = event {
                let mut failure = Failure::local(Code::NoSpace, "the disk is full");
                failure.retry_after = 30 * SECOND;
                ends.server.transfers_mut().fail(now, offered.id, failure);
            }
        }
        ends.answer();
        while let Some(output) = ends.keeper.poll_output(now) {
            if let Output::Link(LinkEvent::Retrying { name, failure, delay }) = output {
                put_off = Some((name.as_str().to_owned(), failure.to_string(), delay));
            }
        }
    }
    let (name, why, delay) = put_off.expect("it is told");
    assert_eq!((name.as_str(), why.as_str()), ("file", "the other side says: the disk is full"));
    assert!(delay >= 30 * SECOND, "{delay:?}");
}

#[test]
fn a_link_that_broke_before_a_file_was_answered_has_carried_it() {
    let mut ends = Ends::new();
    let links = |ends: &mut Ends, millis| {
        let progress = ends.keeper.progress(Instant::from_millis(millis));
        progress.map(|(who, progress)| (*who, progress.links)).collect::<Vec<_>>()
    };
    ends.keeper.upload(Instant::ZERO, offer(1), Feed::Nothing, "offered");
    ends.keeper.upload(Instant::ZERO, offer(2), Feed::Nothing, "paused");
    ends.keeper.tell_transfer(Instant::ZERO, offer(2).id, Verb::Pause);
    ends.round();
    assert_eq!(links(&mut ends, 0), [("offered", 0), ("paused", 0)]);
    ends.near.handle_end(Instant::ZERO, End::Reset);
    ends.round();
    assert_eq!(links(&mut ends, 100), [("offered", 1)], "and of the other nothing is news");
}

#[test]
fn a_client_without_a_link_and_without_work_is_over_at_once() {
    let mut keeper = keeper(ClientConfig::default());
    keeper.release();
    assert!(keeper.is_over());
    keeper.release();
    let told = said(&mut keeper, Instant::ZERO);
    assert_eq!(told.iter().filter(|line| *line == "Abandon").count(), 1, "no dial is waited for: {told:?}");
}

/// A watcher of the link sees its last state; what waits for a dial that will never happen would remain there.
#[test]
fn a_client_that_is_closed_without_a_link_says_that_it_has_ended() {
    let mut keeper = keeper(ClientConfig::default());
    keeper.handle_dial_failed(Instant::ZERO, refused());
    said(&mut keeper, Instant::ZERO);
    keeper.close();
    assert_eq!(said(&mut keeper, Instant::ZERO), ["Abandon", "ended: the client was closed"]);
    keeper.close();
    assert!(said(&mut keeper, Instant::ZERO).is_empty(), "once");
}

#[test]
fn a_client_that_was_closed_waits_for_no_dial() {
    let now = Instant::ZERO;
    let mut keeper = keeper(ClientConfig::default());
    keeper.handle_link_up(now, SECOND);
    let mut connection = Connection::client(keeper.connection(now), [7; 32], now);
    keeper.pump(now, &mut connection);
    said(&mut keeper, now);
    keeper.close();
    connection.handle_end(now, End::Reset);
    keeper.pump(now, &mut connection);
    let told = said(&mut keeper, now);
    assert_eq!(told, ["Abandon", "LetGo", "Down", "ended: the client was closed"]);
}

#[test]
fn a_client_that_has_given_up_ends_once() {
    let (mut keeper, now, _) = given_up(true);
    keeper.close();
    assert_eq!(said(&mut keeper, now), ["Abandon"]);
}

#[test]
fn a_failed_dial_is_worded_like_its_error() {
    let error = DialError::System(io::Error::other("?"));
    let text = error.to_string();
    assert_eq!(spoken::<()>(Err(error)).unwrap_err().to_string(), text);
}
