//! One client being served, from the end of its handshake to the end of its link.

mod files;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bowline_core::closing::{CloseCode, Who};
use bowline_core::session::{self, Session};
use bowline_core::transfer::{Event, TransferId};
use bowline_core::{Close, Connection, Disconnect, Instant, connection};
use bowline_store::worker::{Deliver, Report, Spawn};
use bowline_store::{DiskStore, Worker};

use super::crowd::{Feed, Member};
use super::figures::Share;
use super::orders::Inbox;
use super::rates::Part;
use super::talks::Place;
use super::{House, Pass, Peer, ServerEvent};
use crate::desk::Desk;
use files::Subject;

/// How soon the figures show a new stage of a transfer.
const COUNT_EVERY: Duration = Duration::from_millis(200);
/// How long a client should wait before it returns when the server stops.
const AWAY: Duration = Duration::from_secs(1);

/// One client being served. The adapter carries bytes, reports the time, and passes on what
/// [`poll_output`](Self::poll_output) returns.
///
/// After each `handle_*` and each command: [`pump`](Self::pump), then take all outputs.
#[derive(Debug)]
pub struct Served {
    house: Arc<House>,
    /// Its view of the store.
    store: DiskStore,
    peer: Peer,
    pass: Pass,
    /// The version of the access settings under which the pass was last checked.
    edition: u64,
    /// When the pass ends, as far as is known; the machine's clock may be set meanwhile.
    until: Option<Instant>,
    desk: Desk,
    /// What the server's application wants done to its transfers.
    inbox: Inbox,
    subjects: BTreeMap<TransferId, Subject>,
    share: Share,
    /// When to count the stages of transfers next, if any may have changed.
    count: Option<Instant>,
    /// Its part in its principal's rate, if that is limited.
    part: Option<Part>,
    /// Its progress in receiving files, and its place among the links that receive.
    feed: Feed,
    member: Option<Member>,
    /// Its place among the message sessions.
    place: Option<Place>,
    /// How the link has ended.
    disconnect: Option<Disconnect>,
    outputs: VecDeque<Output>,
}

/// What an adapter passes on.
#[derive(Debug)]
pub enum Output {
    /// Something happened at the server.
    Event(ServerEvent),
    /// The link has ended, and no output follows. Release it, [rest](Served::rest), and report
    /// [`ServerEvent::Disconnected`].
    Down(Disconnect),
    /// Something that the connection reports, for logs.
    Link(connection::Event),
    /// Something else about a transfer, for logs.
    Transfer(Event),
}

impl Served {
    pub(super) fn new(
        house: Arc<House>,
        pass: Pass,
        peer: Peer,
        (spawn, deliver): (Spawn, Deliver),
        inbox: Inbox,
        place: Option<Place>,
        now: Instant,
    ) -> Self {
        let mut settings = session::Config::default();
        settings.transfer = house.config().transfer.clone();
        settings.transfer.instance = house.instance;
        let limits = [settings.transfer.limit_rate, pass.grant.limit_rate];
        settings.transfer.limit_rate = limits.into_iter().flatten().min();
        settings.messages = house.config().messages.map(|sessions| sessions.session);
        let mut session = Session::server(settings, now);
        session.handle_link_up(now, None);
        let part = pass.grant.limit_rate.map(|rate| {
            let (part, debt) = house.rates.join(now, &pass.grant.principal, rate);
            session.transfers_mut().hold_back(now, debt.sending, debt.receiving);
            part
        });
        let share = house.tally.join();
        let mut worker = Worker::new(house.seats.counting(&pass.grant.principal, spawn), deliver);
        worker.set_link_order(pass.link);
        Self {
            store: pass.grant.view(&house.store),
            // Changes since the pass was given are noticed at the first check.
            edition: 0,
            until: pass.grant.until.map(|_| now),
            pass,
            house,
            outputs: VecDeque::from([Output::Event(ServerEvent::Connected { peer: peer.clone() })]),
            peer,
            desk: Desk { session, worker },
            inbox,
            subjects: BTreeMap::new(),
            share,
            count: None,
            part,
            feed: Feed::default(),
            member: None,
            place,
            disconnect: None,
        }
    }

    // ----- facts -----

    /// The result of a job on files.
    pub fn handle_report(&mut self, now: Instant, report: Report) {
        self.desk.handle_report(now, report);
    }

    /// Time has passed. Early and repeated calls change nothing.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.desk.session.handle_timeout(now);
        self.look_at_time(now);
        if self.count.is_some_and(|at| at <= now) {
            self.count = None;
            self.share.handle_open(self.stages());
        }
    }

    /// Moves what can move between the link and its sessions, and does what the server's application wants.
    pub fn pump(&mut self, now: Instant, connection: &mut Connection) {
        self.look_at_pass(now);
        self.look_at_time(now);
        for (id, verb) in self.inbox.take() {
            verb.apply(now, self.desk.session.transfers_mut(), id);
        }
        self.desk.pump(now, connection);
        // Decisions about events may produce output, and so may the application's messages.
        self.pay(now);
        while (self.handle_events(now) | self.converse(now)) && self.disconnect.is_none() {
            self.desk.pump(now, connection);
            self.pay(now);
        }
        self.share_credit(now);
        self.share.handle_stats(&connection.stats());
        if !self.subjects.is_empty() {
            self.count.get_or_insert(now + COUNT_EVERY);
        }
    }

    // ----- commands -----

    /// The server is stopping: tells the client to come back after a while.
    pub fn send_away(&mut self, now: Instant, connection: &mut Connection) {
        self.desk.session.transfers_mut().go_away(now, AWAY);
        self.pump(now, connection);
        if let Ok(close) = Close::new(CloseCode::SERVICE_RESTART, "the server is stopping") {
            // Already closing is just as good.
            let _ = connection.close(now, close);
        }
    }

    /// Releases all sources: nothing more is sent. What was received becomes durable; wait for the jobs that are still
    /// running.
    pub fn rest(&mut self) {
        self.desk.worker.drop_sources();
    }

    // ----- outputs -----

    /// What to pass on next.
    pub fn poll_output(&mut self, now: Instant) -> Option<Output> {
        if self.outputs.is_empty() {
            self.handle_events(now);
        }
        // What is on its way to the disk gets there before the end is reported.
        self.outputs.pop_front().or_else(|| self.disconnect.take().map(Output::Down))
    }

    /// When to call [`handle_timeout`](Self::handle_timeout).
    pub fn poll_timeout(&self) -> Option<Instant> {
        let messages = self.place.as_ref().and_then(Place::poll_timeout);
        let deadlines = [self.desk.session.poll_timeout(), messages, self.until, self.count];
        deadlines.into_iter().flatten().min()
    }

    // ----- looks -----

    /// The client.
    pub fn peer(&self) -> &Peer {
        &self.peer
    }

    #[cfg(test)]
    pub(super) fn promised(&self) -> u64 {
        self.desk.session.transfers().promised()
    }

    // ----- inside -----

    /// Whether the client may still do what it was allowed when it connected.
    fn look_at_pass(&mut self, now: Instant) {
        let edition = self.house.edition();
        if edition != self.edition {
            self.edition = edition;
            if let Some(why) = self.house.access().objection(&self.pass) {
                self.turn_out(now, why);
            }
        }
    }

    /// Whether the pass has ended by the machine's clock.
    fn look_at_time(&mut self, now: Instant) {
        let (Some(due), Some(end)) = (self.until, self.pass.grant.until) else { return };
        match end.duration_since(SystemTime::now()) {
            Ok(left) if left > Duration::ZERO => {
                if due <= now {
                    self.until = Some(now + left);
                }
            }
            _ => {
                self.until = None;
                self.turn_out(now, "the token has expired");
            }
        }
    }

    /// Reports what has passed of a shared rate, and waits for the others' turns.
    fn pay(&mut self, now: Instant) {
        let transfers = self.desk.session.transfers_mut();
        if let Some(debt) = self.part.as_mut().and_then(|part| part.pay(now, transfers.passed())) {
            transfers.hold_back(now, debt.sending, debt.receiving);
        }
    }

    /// Limits the client's credit to its share, while it sends something.
    fn share_credit(&mut self, now: Instant) {
        let transfers = self.desk.session.transfers();
        self.feed.look(now, self.receives().then(|| transfers.received()));
        if !self.feed.is_live(now) {
            self.member = None;
            return;
        }
        let config = self.house.config();
        let share = self.member.get_or_insert_with(|| self.house.crowd.join()).share(config.credit);
        self.desk.session.transfers_mut().set_link_credit(share.min(config.transfer.link_credit));
    }

    /// The client must identify itself again, on another link.
    fn turn_out(&mut self, now: Instant, why: &str) {
        self.desk.session.transfers_mut().revoke(now, why);
    }

    /// Decides about everything that has happened; returns whether anything has.
    fn handle_events(&mut self, now: Instant) -> bool {
        let mut has_any = false;
        while let Some(event) = self.desk.poll_event() {
            has_any = true;
            match event {
                session::Event::Transfer(event) => self.handle_transfer(now, event),
                session::Event::Link(event) => {
                    if let connection::Event::Pong { rtt } = event {
                        self.share.handle_round_trip(rtt);
                    }
                    self.outputs.push_back(Output::Link(event));
                }
                session::Event::LinkDown(disconnect) => self.handle_link_down(now, disconnect),
                _ => {}
            }
        }
        has_any
    }

    /// Moves messages between the link and its session; returns whether any moved.
    fn converse(&mut self, now: Instant) -> bool {
        self.place.as_mut().is_some_and(|place| place.serve(now, &mut self.desk.session))
    }

    /// The message session is kept, unless the client has said that it is done. What has arrived on the link still
    /// counts.
    fn handle_link_down(&mut self, now: Instant, disconnect: Disconnect) {
        self.converse(now);
        if let Some(mut place) = self.place.take() {
            place.leave(now, is_goodbye(&disconnect));
        }
        self.share.handle_ended(&disconnect);
        self.disconnect = Some(disconnect);
    }

    fn tell(&mut self, event: ServerEvent) {
        self.outputs.push_back(Output::Event(event));
    }
}

/// Whether a client has said that it is done.
fn is_goodbye(disconnect: &Disconnect) -> bool {
    let is_normal = disconnect.received().is_some_and(|close| close.code() == CloseCode::NORMAL);
    is_normal && disconnect.who() == Who::Peer
}
