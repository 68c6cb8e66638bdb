//! A file crosses links that are cut again and again: two sessions, each with its current connection, in virtual time.
//!
//! ```text
//! Session ◀─ pump ─▶ Connection ── output ──▶ carry ──▶ handle_input ── Connection ◀─ pump ─▶ Session
//!    └─▶ Read, Hash, Check                                       Offered, Write, Sync, Finish ◀─┘
//! ```
//!
//! With sockets, `carry` is a write and a read, `now` comes from a clock, a turn follows from a socket that is ready or
//! from the earliest `poll_timeout`, and a link begins with an opening handshake that requests `SUBPROTOCOL`.
//! Run it with `cargo run -p bowline-core --example cut_links`.
#![allow(clippy::print_stdout)]

use std::collections::BTreeMap;
use std::time::Duration;

use bowline_core::session::{Config, Event};
use bowline_core::transfer::{
    self, Answer, Code, Digest, Failure, Offer, Offered, SafeName, TransferId, Transfers,
};
use bowline_core::{Connection, End, Instant, Session, connection, pump};

/// A turn takes this long, and this many bytes leave in it: some 3 MB/s.
const TURN: Duration = Duration::from_millis(10);
const BYTES: usize = 32 << 10;

/// What a receiver keeps across links. Memory is as safe as it gets here; a disk may answer each event later.
#[derive(Default)]
struct Store {
    parts: BTreeMap<TransferId, Part>,
    /// The complete files. A sender that has not learned of that offers its file again.
    files: BTreeMap<TransferId, Part>,
}

#[derive(Default)]
struct Part {
    name: String,
    bytes: Vec<u8>,
    /// Raised by each link that takes the transfer. What the previous link still brings is rejected (fenced).
    epoch: u32,
}

/// The transfers that a link has taken, and with which epoch.
type Held = BTreeMap<TransferId, u32>;

impl Store {
    /// Does what a transfer requests, and reports it.
    fn carry_out(
        &mut self,
        now: Instant,
        transfers: &mut Transfers,
        held: &mut Held,
        event: transfer::Event,
    ) {
        use transfer::Event::{Detach, Discard, Finish, Offered, Sync, Write};
        let (id, epoch) = match event {
            Offered(offered) => {
                let answer = self.take(&offered, held);
                transfers.answer(now, offered.id, answer);
                return;
            }
            Detach { id } => {
                held.remove(&id);
                return;
            }
            Discard { id } => {
                self.parts.remove(&id);
                return;
            }
            Write { id, .. } | Sync { id } | Finish { id, .. } => (id, held.get(&id).copied()),
            _ => return,
        };
        let Some(part) = self.parts.get_mut(&id).filter(|part| epoch == Some(part.epoch)) else {
            return transfers.fail(now, id, Failure::local(Code::Fenced, "a newer link has it"));
        };
        match event {
            Write { data, .. } => {
                part.bytes.extend_from_slice(&data);
                transfers.written(now, id, part.bytes.len() as u64);
            }
            Sync { .. } => transfers.commit(now, id, part.bytes.len() as u64),
            Finish { digest, .. } if Digest::of(&part.bytes) != digest => {
                self.parts.remove(&id);
                transfers.fail(now, id, Failure::local(Code::DigestMismatch, "other bytes have come"));
            }
            _ => {
                self.files.extend(self.parts.remove_entry(&id));
                transfers.finish(now, id);
            }
        }
    }

    fn take(&mut self, offered: &Offered, held: &mut Held) -> Answer {
        if let Some(file) = self.files.get(&offered.id) {
            return Answer::Complete { length: file.bytes.len() as u64, digest: Digest::of(&file.bytes) };
        }
        let part = self.parts.entry(offered.id).or_default();
        (part.name, part.epoch) = (offered.name.to_string(), part.epoch + 1);
        held.insert(offered.id, part.epoch);
        let (from, prefix) = (part.bytes.len() as u64, Digest::of(&part.bytes));
        Answer::Take { from, prefix, epoch: part.epoch, expires: None }
    }
}

/// The same for a sender.
fn read(now: Instant, transfers: &mut Transfers, file: &[u8], event: transfer::Event) {
    match event {
        transfer::Event::Read { id, offset, len } => {
            let from = offset as usize;
            transfers.provide(now, id, offset, file[from..from + len].to_vec().into());
        }
        transfer::Event::Hash { id, upto } => {
            transfers.provide_digest(now, id, upto, Digest::of(&file[..upto as usize]));
        }
        transfer::Event::Check { id } => transfers.confirm(now, id),
        event => println!("{now}  {event:?}"),
    }
}

/// A link: moves as much from one end to the other as fits into a turn.
fn carry(now: Instant, from: &mut Connection, to: &mut Connection) {
    let mut room = BYTES;
    while !from.output().is_empty() && to.wants_input() {
        let n = from.output().len().min(room);
        if n == 0 {
            return from.handle_blocked(now);
        }
        to.handle_input(now, &from.output()[..n]);
        from.handle_written(now, n);
        room -= n;
    }
}

/// A server's end of a link. Its session lives as long as the link.
struct Served {
    connection: Connection,
    session: Session,
    held: Held,
    ends: Instant,
}

impl Served {
    fn new(now: Instant, number: u8) -> Self {
        let connection = Connection::server(connection::Config::default(), [number; 32], now);
        let mut session = Session::server(Config::default(), now);
        session.handle_link_up(now, None);
        Self { connection, session, held: Held::new(), ends: now + Duration::from_millis(400) }
    }

    /// Returns whether it continues. Here, a server learns of a cut later than its client.
    fn turn(&mut self, now: Instant, store: &mut Store) -> bool {
        if self.ends + 100 * TURN <= now {
            self.connection.handle_end(now, End::Eof);
        }
        self.connection.handle_timeout(now);
        self.session.handle_timeout(now);
        pump(now, &mut self.connection, &mut self.session);
        let mut lives = true;
        while let Some(event) = self.session.poll_event() {
            match event {
                Event::Transfer(event) => {
                    store.carry_out(now, self.session.transfers_mut(), &mut self.held, event);
                }
                Event::LinkDown(_) => lives = false,
                _ => {}
            }
        }
        pump(now, &mut self.connection, &mut self.session);
        lives
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let file: Vec<u8> = (0..5_000_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let mut store = Store::default();
    let mut now = Instant::ZERO;
    // Seeds come from the operating system; these are for the example.
    let mut client = Session::client(Config::default(), [1; 32], now);
    let offer = Offer::new(TransferId::from_bytes([1; 16]), SafeName::parse("a.bin")?, file.len() as u64);
    client.transfers_mut().offer(now, offer)?;

    let mut link: Option<Connection> = None; // the client's end of the current link
    let mut served: Vec<Served> = Vec::new(); // the server's, of that one and of those whose end it has not noticed
    let mut links = 0;
    while !client.transfers().is_empty() {
        if let (Some(near), Some(far)) = (&mut link, served.last_mut()) {
            carry(now, near, &mut far.connection);
            carry(now, &mut far.connection, near);
            if far.ends <= now {
                near.handle_end(now, End::Reset);
            }
            near.handle_timeout(now);
            pump(now, near, &mut client);
        }
        client.handle_timeout(now);
        while let Some(event) = client.poll_event() {
            match event {
                Event::Dial => {
                    links += 1;
                    let mut config = connection::Config::default();
                    if let Some(interval) = client.heartbeat_interval(now) {
                        config.heartbeat.interval = interval;
                    }
                    link = Some(Connection::client(config, [links; 32], now));
                    client.handle_link_up(now, None);
                    served.push(Served::new(now, links));
                }
                Event::Waiting { until } => println!("{now}  dials again at {until}"),
                Event::LinkDown(disconnect) => {
                    println!("{now}  {disconnect}");
                    link = None;
                }
                Event::Transfer(event) => read(now, client.transfers_mut(), &file, event),
                _ => {}
            }
        }
        if let Some(near) = &mut link {
            pump(now, near, &mut client);
        }
        served.retain_mut(|served| served.turn(now, &mut store));
        now += TURN;
    }
    for Part { name, bytes, .. } in store.files.values() {
        assert!(*bytes == file && links > 1);
        println!("{now}  {name} is there, {} bytes by {links} links", bytes.len());
    }
    Ok(())
}
