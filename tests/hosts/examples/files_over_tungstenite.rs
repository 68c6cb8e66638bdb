//! A file over a WebSocket that is tungstenite's, or over anything else that carries binary messages: [`Transfers`] need no
//! connection of ours. The window keeps little on its way, so that a ping of tungstenite's owner, which waits behind all
//! that tungstenite holds, waits for little.
//!
//! ```text
//! cargo run --release -p bowline-hosts --example files_over_tungstenite -- receive 127.0.0.1:9001 FOLDER
//! cargo run --release -p bowline-hosts --example files_over_tungstenite -- send 127.0.0.1:9001 FILE
//! ```
#![allow(
    clippy::print_stdout,
    clippy::missing_errors_doc,
    missing_docs,
    missing_debug_implementations,
    unreachable_pub,
    dead_code
)]

use std::error::Error;
use std::io::{self, ErrorKind};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use bowline_core::transfer::{Config, Event, Offer, SafeName, TransferId};
use bowline_core::{Instant, Role, Transfers};
use bowline_store::worker::{Deliver, Report, Spawn};
use bowline_store::{DiskStore, Source, Worker};
use bytes::Bytes;
use tungstenite::{Message, WebSocket};

/// How long a message is waited for before the reports of the disk are looked at. A host with one thing to wait for, such
/// as a runtime, waits for both at once.
const MOMENT: Duration = Duration::from_millis(2);

/// What carries messages.
pub trait Carrier {
    fn send(&mut self, message: Bytes) -> io::Result<()>;
    /// The next message, if one comes soon; an error is the end.
    fn receive(&mut self, time: Duration) -> io::Result<Option<Bytes>>;
}

impl Carrier for WebSocket<TcpStream> {
    fn send(&mut self, message: Bytes) -> io::Result<()> {
        self.send(Message::Binary(message)).map_err(io::Error::other)
    }

    fn receive(&mut self, time: Duration) -> io::Result<Option<Bytes>> {
        self.get_ref().set_read_timeout(Some(time.max(Duration::from_millis(1))))?;
        match self.read() {
            Ok(Message::Binary(message)) => Ok(Some(message)),
            // Pings and pongs are the owner's affair.
            Ok(_) => Ok(None),
            Err(tungstenite::Error::Io(error)) if is_late(&error) => Ok(None),
            Err(error) => Err(io::Error::other(error)),
        }
    }
}

fn is_late(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}

/// One end: transfers, and the threads that read and write files for them.
pub struct End {
    transfers: Transfers,
    worker: Worker,
    reports: mpsc::Receiver<Report>,
    start: std::time::Instant,
}

impl End {
    pub fn new(role: Role) -> Self {
        let (deliver, reports) = mpsc::channel();
        let deliver: Deliver = Arc::new(move |report| drop(deliver.send(report)));
        let spawn: Spawn = Arc::new(|job| drop(thread::spawn(job)));
        let transfers = Transfers::new(role, Config::default(), Instant::ZERO);
        Self { transfers, worker: Worker::new(spawn, deliver), reports, start: std::time::Instant::now() }
    }

    /// Sends a file over one link after the other, until it has arrived or cannot; says which.
    pub fn send<C: Carrier>(
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
            let mut link = next_link()?;
            self.transfers.handle_link_up(self.now(), None);
            let mut is_up = true;
            while is_up {
                is_up = self.turn(&mut link).is_ok();
                for event in self.events() {
                    if matches!(event, Event::Done { .. } | Event::Failed { .. }) {
                        return Ok(event);
                    }
                }
            }
            self.transfers.handle_link_down(self.now());
        }
    }

    /// Takes into a folder what comes over one link, until it ends; says which files came.
    pub fn receive<C: Carrier>(&mut self, store: &DiskStore, link: &mut C) -> Vec<TransferId> {
        let mut done = Vec::new();
        self.transfers.handle_link_up(self.now(), None);
        let mut is_up = true;
        while is_up {
            is_up = self.turn(link).is_ok();
            for event in self.events() {
                match event {
                    Event::Offered(offered) => self.worker.attach(store, offered),
                    Event::Done { id, .. } => done.push(id),
                    _ => {}
                }
            }
        }
        self.transfers.handle_link_down(self.now());
        // What was on its way to the disk is made durable.
        self.events();
        done
    }

    /// The events that concern no file; the others are carried out.
    fn events(&mut self) -> Vec<Event> {
        let events = std::iter::from_fn(|| self.transfers.poll_event());
        events.filter_map(|event| self.worker.carry_out(event)).collect()
    }

    /// Moves what can move; an error is the end of the link.
    fn turn<C: Carrier>(&mut self, link: &mut C) -> io::Result<()> {
        while let Ok(report) = self.reports.try_recv() {
            report.apply(self.now(), &mut self.transfers, &mut self.worker);
        }
        self.transfers.handle_timeout(self.now());
        // What the window lets leave; a host that knows how much it may queue says so here.
        while let Some(message) = self.transfers.poll_message(self.now(), usize::MAX) {
            link.send(message.into_bytes())?;
        }
        if let Some(message) = link.receive(MOMENT)? {
            // What is not of our protocol comes back.
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
                let mut link = tungstenite::accept(listener.accept()?.0)?;
                let done = End::new(Role::Server).receive(&store, &mut link);
                println!("{} files came", done.len());
            }
        }
        ["send", address, file] => {
            let (file, mut id) = (Path::new(file), [0; 16]);
            getrandom::fill(&mut id)?;
            let name = file.file_name().and_then(|name| name.to_str()).ok_or("no name for a file")?;
            let dial = || {
                let stream = TcpStream::connect(address)?;
                let client = tungstenite::client(format!("ws://{address}/"), stream);
                Ok(client.map_err(io::Error::other)?.0)
            };
            let id = TransferId::from_bytes(id);
            println!("{:?}", End::new(Role::Client).send(file, SafeName::parse(name)?, id, dial)?);
            Ok(())
        }
        _ => Err("receive ADDRESS FOLDER, or send ADDRESS FILE".into()),
    }
}
