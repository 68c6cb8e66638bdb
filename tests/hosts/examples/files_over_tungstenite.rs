//! Files over a tungstenite WebSocket, or over anything else that carries binary messages in order: [`Transfers`] need
//! no connection of ours. Another link follows a broken one, and files resume where they stopped.
//!
//! ```text
//!   Carrier ──▶ handle_message ┌───────────┐ poll_event ──▶ Worker ──▶ threads that read and write files
//!   Carrier ◀── poll_message   │ Transfers │                              │
//!   clock   ──▶ handle_timeout └───────────┘ ◀── Report::apply ◀──────────┘
//! ```
//!
//! Bytes enter and leave through `End::turn`, as messages; time enters through `End::now`; files are the `Worker`'s.
//! Pings wait behind what tungstenite has queued, and the window of `Transfers` keeps that short: see
//! `bowline_host::tungstenite`. Run it with `cargo run --release -p bowline-hosts --example files_over_tungstenite --
//! receive 127.0.0.1:9001 FOLDER`, and another one with `.. -- send 127.0.0.1:9001 FILE`.
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::io;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use bowline_core::transfer::{Config, Event, Offer, SafeName, TransferId};
use bowline_core::{Instant, Role, Transfers};
use bowline_host::tungstenite::{Config as Watching, Counted, Watched};
use bowline_store::worker::{Deliver, Report, Spawn};
use bowline_store::{DiskStore, Source, Worker};
use bytes::Bytes;
use tungstenite::Message;

/// How long to wait for a message before checking for reports from the disk. A host that can wait for both at once does
/// not need this: see `session_over_tokio_tungstenite`.
const MOMENT: Duration = Duration::from_millis(2);

/// What carries messages. An error is the end of the link.
pub(crate) trait Carrier {
    fn send(&mut self, message: Bytes) -> io::Result<()>;
    /// The next message, if one arrives soon.
    fn receive(&mut self, time: Duration) -> io::Result<Option<Bytes>>;
}

impl Carrier for Watched<TcpStream> {
    fn send(&mut self, message: Bytes) -> io::Result<()> {
        self.send(Message::Binary(message)).map_err(io::Error::other)
    }

    fn receive(&mut self, time: Duration) -> io::Result<Option<Bytes>> {
        // Text and control frames have nothing to do with files.
        let message = self.read_timeout(time).map_err(io::Error::other)?;
        Ok(message.and_then(|message| if let Message::Binary(bytes) = message { Some(bytes) } else { None }))
    }
}

/// One end: transfers, and the threads that read and write files for them.
pub(crate) struct End {
    transfers: Transfers,
    worker: Worker,
    reports: mpsc::Receiver<Report>,
    start: std::time::Instant,
}

impl End {
    pub(crate) fn new(role: Role) -> io::Result<Self> {
        let (deliver, reports) = mpsc::channel();
        let deliver: Deliver = Arc::new(move |report| drop(deliver.send(report)));
        let spawn: Spawn = Arc::new(|job| drop(thread::spawn(job)));
        let mut config = Config::default();
        // By this the other end recognises it on the next link.
        config.instance.copy_from_slice(&bowline_host::seed()?[..16]);
        let (transfers, worker) = (Transfers::new(role, config, Instant::ZERO), Worker::new(spawn, deliver));
        Ok(Self { transfers, worker, reports, start: std::time::Instant::now() })
    }

    /// Sends a file over one link after the other, until it has arrived or cannot; returns which.
    pub(crate) fn send<C: Carrier>(
        &mut self,
        file: &Path,
        name: SafeName,
        id: TransferId,
        mut next_link: impl FnMut() -> io::Result<C>,
    ) -> Result<Event, Box<dyn Error>> {
        let source = Source::open(file)?;
        let mut offer = Offer::new(id, name, source.length());
        offer.validator = Some(source.validator());
        self.worker.add_source(id, source);
        self.transfers.offer(self.now(), offer)?;
        loop {
            let mut end = None;
            self.over(&mut next_link()?, |_, event| {
                if let Event::Done { .. } | Event::Failed { .. } = event {
                    end = Some(event);
                }
                end.is_none()
            });
            if let Some(end) = end {
                return Ok(end);
            }
        }
    }

    /// Receives into a folder what arrives over one link, until it ends; returns the names of the files.
    pub(crate) fn receive<C: Carrier>(&mut self, store: &DiskStore, link: &mut C) -> Vec<TransferId> {
        let mut done = Vec::new();
        self.over(link, |worker, event| {
            match event {
                Event::Offered(offered) => worker.attach(store, offered),
                Event::Done { id, .. } => done.push(id),
                _ => {}
            }
            true
        });
        done
    }

    /// Runs on a link until it ends, or `hear` wants no more.
    fn over<C: Carrier>(&mut self, link: &mut C, mut hear: impl FnMut(&mut Worker, Event) -> bool) {
        self.transfers.handle_link_up(self.now(), None);
        let mut is_up = true;
        while is_up {
            is_up = self.turn(link).is_ok();
            while let Some(event) = self.transfers.poll_event() {
                if let Some(event) = self.worker.carry_out(event) {
                    is_up &= !matches!(event, Event::Broken { .. });
                    is_up &= hear(&mut self.worker, event);
                }
            }
        }
        // Last words; nobody may receive them.
        while let Some(message) = self.transfers.poll_message(self.now(), usize::MAX) {
            let _ = link.send(message.into_bytes());
        }
        self.transfers.handle_link_down(self.now());
        // What was on its way to the disk is made durable.
        while let Some(event) = self.transfers.poll_event() {
            if let Some(event) = self.worker.carry_out(event) {
                hear(&mut self.worker, event);
            }
        }
    }

    /// Moves what can be moved; an error is the end of the link.
    fn turn<C: Carrier>(&mut self, link: &mut C) -> io::Result<()> {
        while let Ok(report) = self.reports.try_recv() {
            report.apply(self.now(), &mut self.transfers, &mut self.worker);
        }
        self.transfers.handle_timeout(self.now());
        // As much as the window allows. A host that knows how much it may queue says so here.
        while let Some(message) = self.transfers.poll_message(self.now(), usize::MAX) {
            link.send(message.into_bytes())?;
        }
        let due = self.transfers.poll_timeout().map_or(Duration::MAX, |due| due - self.now());
        let most = if self.transfers.is_empty() { Duration::from_secs(1) } else { MOMENT };
        if let Some(message) = link.receive(due.min(most))? {
            // A message that is not of our protocol is returned.
            drop(self.transfers.handle_message(self.now(), message));
        }
        Ok(())
    }

    fn now(&self) -> Instant {
        Instant::from(self.start.elapsed())
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["receive", address, folder] => {
            let store = DiskStore::open(Path::new(folder), bowline_store::Config::default())?;
            let listener = TcpListener::bind(address)?;
            loop {
                let socket =
                    tungstenite::accept(Counted::new(listener.accept()?.0)).map_err(|e| e.to_string())?;
                let mut link = Watched::server(socket, Watching::default())?;
                println!("{} files came", End::new(Role::Server)?.receive(&store, &mut link).len());
            }
        }
        ["send", address, file] => {
            let (file, id) = (Path::new(file), bowline_host::seed()?);
            let name = file.file_name().and_then(|name| name.to_str()).ok_or("no name for a file")?;
            let (name, id) = (SafeName::parse(name)?, TransferId::from_half_of(&id));
            let dial = || {
                let stream = Counted::new(TcpStream::connect(address)?);
                let socket =
                    tungstenite::client(format!("ws://{address}/"), stream).map_err(io::Error::other)?.0;
                Watched::client(socket, Watching::default())
            };
            println!("{:?}", End::new(Role::Client)?.send(file, name, id, dial)?);
            Ok(())
        }
        _ => Err("receive ADDRESS FOLDER, or send ADDRESS FILE".into()),
    }
}
