//! A [`Session`], with files and messages, over nothing but messages: here, two channels between two threads. Another
//! link follows a broken one, files resume where they stopped, and each message arrives once.
//!
//! ```text
//!   channel ──▶ handle_message ┌─────────┐ poll_event ──▶ Worker ──▶ threads that read and write files
//!   channel ◀── poll_message   │ Session │                              │
//!   clock   ──▶ handle_timeout └─────────┘ ◀── Report::apply ◀──────────┘
//! ```
//!
//! Bytes enter and leave as messages in `drive`; time enters through `Party::now`; files are the `Worker`'s. Run it
//! with `cargo run --release -p bowline-hosts --example session_over_channels -- FILE FOLDER`.
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use bowline_core::messages::{self, LinkId, Sessions, SessionsConfig};
use bowline_core::session::{Config, Event};
use bowline_core::transfer::{self, Offer, SafeName, TransferId};
use bowline_core::{Disconnect, Instant, Message, Retry, Session};
use bowline_store::worker::{Deliver, Report, Spawn};
use bowline_store::{DiskStore, Source, Worker};
use bytes::Bytes;

/// How long to wait for a message before checking for reports from the disk.
const MOMENT: Duration = Duration::from_millis(2);

/// One end, whatever carries its messages: a session, and the threads that read and write its files.
pub(crate) struct Party {
    pub(crate) session: Session,
    worker: Worker,
    server: Option<Server>,
    start: std::time::Instant,
}

/// What only a server has: where files go, and its answers to messages.
struct Server {
    store: DiskStore,
    sessions: Sessions,
    links: u64,
}

impl Party {
    /// `deliver` takes the reports about files to where [`handle_report`](Self::handle_report) is called.
    pub(crate) fn client(deliver: Deliver) -> std::io::Result<Self> {
        let mut config = Config::default();
        config.messages = Some(messages::Config::default());
        Ok(Self::new(Session::client(config, bowline_host::seed()?, Instant::ZERO), None, deliver))
    }

    /// Takes files into a store, and sends messages back.
    pub(crate) fn server(store: DiskStore, deliver: Deliver) -> std::io::Result<Self> {
        let sessions = Sessions::new(SessionsConfig::default(), bowline_host::seed()?, Instant::ZERO);
        let server = Server { store, sessions, links: 0 };
        Ok(Self::new(Session::server(Config::default(), Instant::ZERO), Some(server), deliver))
    }

    fn new(session: Session, server: Option<Server>, deliver: Deliver) -> Self {
        let spawn: Spawn = Arc::new(|job| drop(thread::spawn(job)));
        Self { session, worker: Worker::new(spawn, deliver), server, start: std::time::Instant::now() }
    }

    pub(crate) fn now(&self) -> Instant {
        Instant::from(self.start.elapsed())
    }

    pub(crate) fn upload(
        &mut self,
        file: &Path,
        name: SafeName,
        id: TransferId,
    ) -> Result<(), Box<dyn Error>> {
        let source = Source::open(file)?;
        let mut offer = Offer::new(id, name, source.length());
        offer.validator = Some(source.validator());
        self.worker.add_source(id, source);
        let now = self.now();
        Ok(self.session.transfers_mut().offer(now, offer)?)
    }

    pub(crate) fn handle_report(&mut self, report: Report) {
        report.apply(self.now(), self.session.transfers_mut(), &mut self.worker);
    }

    pub(crate) fn handle_link_up(&mut self) {
        let now = self.now();
        if let Some(server) = &mut self.server {
            // A server's session lives as long as its link; its message sessions live longer.
            let mut config = Config::default();
            config.messages = Some(messages::Config::default());
            self.session = Session::server(config, now);
            server.links += 1;
            server.sessions.handle_link_up(now, LinkId(server.links), b"anybody");
        }
        self.session.handle_link_up(now, None);
    }

    pub(crate) fn handle_link_down(&mut self, why: &str) {
        let now = self.now();
        self.session.handle_link_down(now, Disconnect::link_lost(why));
        if let Some(server) = &mut self.server {
            server.sessions.handle_link_down(now, LinkId(server.links), false);
        }
    }

    /// Handles events: what concerns files is carried out, and a server answers.
    pub(crate) fn poll_event(&mut self) -> Option<Event> {
        let now = self.now();
        self.session.handle_timeout(now);
        if let Some(Server { sessions, links, .. }) = &mut self.server {
            sessions.handle_timeout(now);
            loop {
                while let Some((session, received)) = sessions.poll_received(now) {
                    let _ = sessions.send(now, session, received.message);
                }
                if !sessions.serve(now, LinkId(*links), &mut self.session) {
                    break;
                }
            }
        }
        loop {
            let event = match self.session.poll_event()? {
                Event::Transfer(event) => self.worker.carry_out(event).map(Event::Transfer),
                event => Some(event),
            };
            match (event, &self.server) {
                (Some(Event::Transfer(transfer::Event::Offered(offered))), Some(server)) => {
                    self.worker.attach(&server.store, offered);
                }
                (Some(event), _) => return Some(event),
                (None, _) => {}
            }
        }
    }

    /// When to look again, if nothing else happens.
    pub(crate) fn patience(&self) -> Duration {
        let server = self.server.as_ref();
        let link = server.and_then(|server| server.sessions.link_timeout(LinkId(server.links)));
        let sessions = server.and_then(|server| server.sessions.poll_timeout());
        let due = [self.session.poll_timeout(), link, sessions].into_iter().flatten().min();
        due.map_or(Duration::from_secs(1), |due| due - self.now())
    }
}

pub(crate) type Link = (Sender<Bytes>, Receiver<Bytes>);

/// Runs over one link after the other until there is none, or `hear` wants no more: it is told what happens, and asked
/// each time whether that was all. Dialling does not wait here.
pub(crate) fn drive(
    party: &mut Party,
    reports: &Receiver<Report>,
    mut dial: impl FnMut() -> Option<Link>,
    mut hear: impl FnMut(&mut Party, Option<Event>) -> bool,
) {
    let mut link = None;
    loop {
        while let Some(event) = party.poll_event() {
            match event {
                Event::Dial => match dial() {
                    Some(dialled) => {
                        link = Some(dialled);
                        party.handle_link_up();
                    }
                    None => party.session.handle_dial_failed(party.now(), Retry::Backoff),
                },
                event => {
                    if !hear(party, Some(event)) {
                        return;
                    }
                }
            }
        }
        if !hear(party, None) {
            return;
        }
        // A server waits for somebody to dial.
        if link.is_none() && party.server.is_some() {
            link = dial();
            match link {
                Some(_) => party.handle_link_up(),
                None => return,
            }
        }
        if link.is_none() {
            thread::sleep(MOMENT);
        }
        let lost = link.as_ref().map_or(Ok(()), |link| turn(party, link));
        if let Err(why) = lost {
            link = None;
            party.handle_link_down(&why);
        }
        for report in reports.try_iter() {
            party.handle_report(report);
        }
    }
}

/// Moves what can be moved; an error is the end of the link.
fn turn(party: &mut Party, (out, inp): &Link) -> Result<(), String> {
    // A bounded channel says how much it accepts; this one accepts everything.
    while let Some(message) = party.session.poll_message(party.now(), usize::MAX) {
        out.send(message.into_bytes()).map_err(|_| "nobody hears")?;
    }
    if let Some(close) = party.session.poll_close() {
        return Err(close.to_string());
    }
    match inp.recv_timeout(party.patience().min(MOMENT)) {
        // A message that is not of our protocol is returned.
        Ok(message) => drop(party.session.handle_message(party.now(), message)),
        Err(RecvTimeoutError::Timeout) => {}
        Err(RecvTimeoutError::Disconnected) => return Err("nobody speaks".into()),
    }
    Ok(())
}

/// Whether a transfer has ended.
pub(crate) fn is_end(event: &Event) -> bool {
    matches!(event, Event::Transfer(transfer::Event::Done { .. } | transfer::Event::Failed { .. }))
}

/// Where reports arrive, and how they get there.
pub(crate) fn reports() -> (Deliver, Receiver<Report>) {
    let (deliver, reports) = channel();
    (Arc::new(move |report| drop(deliver.send(report))), reports)
}

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [file, folder] = &words[..] else { return Err("FILE FOLDER".into()) };
    let (to_server, at_server) = channel();
    let store = DiskStore::open(Path::new(folder), bowline_store::Config::default())?;
    thread::spawn(move || -> std::io::Result<()> {
        let (deliver, reports) = reports();
        let mut links = at_server.into_iter();
        drive(&mut Party::server(store, deliver)?, &reports, || links.next(), |_, _| true);
        Ok(())
    });
    let (deliver, reports) = reports();
    let mut party = Party::client(deliver)?;
    let file = Path::new(file);
    let name = SafeName::parse(file.file_name().and_then(|name| name.to_str()).ok_or("no name for a file")?)?;
    party.upload(file, name, TransferId::from_half_of(&bowline_host::seed()?))?;
    let now = party.now();
    party.session.messages_mut().ok_or("it has messages")?.send(now, Message::text("hello"))?;
    let dial = || {
        let ((out, there), (back, inp)) = (channel(), channel());
        to_server.send((back, there)).ok()?;
        Some((out, inp))
    };
    let (mut heard, mut done) = (false, false);
    drive(&mut party, &reports, dial, |party, event| {
        let now = party.now();
        let messages = party.session.messages_mut();
        heard |= messages.and_then(|messages| messages.poll_received(now)).is_some();
        if let Some(event) = event {
            println!("{event:?}");
            done |= is_end(&event);
        }
        !(heard && done)
    });
    Ok(())
}
