//! Two `Transfers` on real files, joined in memory.

mod belated;
mod cancelled;
mod digests;
mod listings;
mod present;

use super::*;
use crate::Config as StoreConfig;
use bowline_core::Role;
use bowline_core::transfer::{Code, Config, Leftover, Offer, SafeName, wire};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;
use tempfile::TempDir;

/// One end, with threads of its own.
struct End {
    transfers: Transfers,
    worker: Worker,
    reports: mpsc::Receiver<Report>,
    store: DiskStore,
    told: Vec<Event>,
    /// How many jobs are running.
    running: Arc<AtomicUsize>,
}

impl End {
    fn new(role: Role, dir: &Path, instance: u8) -> Self {
        let (sender, reports) = mpsc::channel();
        let running = Arc::new(AtomicUsize::new(0));
        let runs = Arc::clone(&running);
        let spawn: Spawn = Arc::new(move |job| {
            runs.fetch_add(1, Ordering::SeqCst);
            let runs = Arc::clone(&runs);
            drop(std::thread::spawn(move || {
                job();
                runs.fetch_sub(1, Ordering::SeqCst);
            }));
        });
        let deliver: Deliver = Arc::new(move |report| drop(sender.send(report)));
        let mut config = Config::default();
        config.instance = [instance; 16];
        config.sync_bytes = 256 * 1024;
        Self {
            transfers: Transfers::new(role, config, Instant::ZERO),
            worker: Worker::new(spawn, deliver),
            reports,
            store: DiskStore::open(dir, StoreConfig::default()).expect("a folder"),
            told: Vec::new(),
            running,
        }
    }

    /// Has future jobs run by other threads.
    fn spawn_by(&mut self, spawn: &Spawn) {
        let deliver = Arc::clone(&self.worker.deliver);
        self.worker = Worker::new(Arc::clone(spawn), deliver);
    }

    fn turn(&mut self, now: Instant) {
        while let Some(event) = self.transfers.poll_event() {
            match self.worker.carry_out(event) {
                Some(Event::Offered(offered)) => self.worker.attach(&self.store, offered),
                Some(Event::Requested { id, name, range }) => {
                    self.worker.offer(&self.store, id, name, range);
                }
                Some(Event::ListingRequested { id, name }) => {
                    self.worker.offer_listing(&self.store, id, name);
                }
                Some(other) => self.told.push(other),
                None => {}
            }
        }
        // Waits a little for a thread, so that the test does not spin.
        if let Ok(report) = self.reports.recv_timeout(Duration::from_millis(1)) {
            report.apply(now, &mut self.transfers, &mut self.worker);
        }
    }

    /// Turns until no job runs and none has anything to report.
    fn settle(&mut self, now: Instant) {
        let mut quiet = 0;
        for _ in 0..100_000 {
            self.turn(now);
            quiet = if self.running.load(Ordering::SeqCst) == 0 { quiet + 1 } else { 0 };
            if quiet > 3 {
                return;
            }
        }
        panic!("a job does not end: {:?}", self.told);
    }

    fn ended(&self, which: TransferId) -> Option<Result<(), Code>> {
        self.told.iter().find_map(|event| match event {
            Event::Done { id, .. } if *id == which => Some(Ok(())),
            Event::Failed { id, failure } if *id == which => Some(Err(failure.code)),
            _ => None,
        })
    }
}

/// Jobs that are queued to be run by hand.
struct Jobs(mpsc::Receiver<Box<dyn FnOnce() + Send>>);

impl Jobs {
    fn new() -> (Spawn, Self) {
        let (sender, jobs) = mpsc::channel();
        (Arc::new(move |job| drop(sender.send(job))), Self(jobs))
    }

    /// Runs the queued jobs, but not those that they lead to. Returns how many there were.
    fn run_those(&self) -> usize {
        let jobs: Vec<_> = self.0.try_iter().collect();
        let count = jobs.len();
        for job in jobs {
            job();
        }
        count
    }
}

struct World {
    from: TempDir,
    to: TempDir,
    client: End,
    server: End,
    /// Stands still, except where a test waits for something that only time brings.
    now: Instant,
}

const ID: TransferId = TransferId::from_bytes([1; 16]);

impl World {
    fn new() -> Self {
        let (from, to) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        let client = End::new(Role::Client, from.path(), 1);
        let server = End::new(Role::Server, to.path(), 2);
        Self { from, to, client, server, now: Instant::ZERO }
    }

    fn offer(&mut self, data: &[u8]) {
        let path = self.from.path().join("source");
        std::fs::write(&path, data).expect("a source");
        self.offer_as_it_is();
    }

    fn offer_as_it_is(&mut self) {
        let source = Source::open(&self.from.path().join("source")).expect("a source");
        let mut offer = Offer::new(ID, SafeName::parse("file").expect("safe"), source.length());
        offer.validator = Some(source.validator());
        self.client.worker.add_source(ID, source);
        self.client.transfers.offer(Instant::ZERO, offer).expect("new");
    }

    /// A receiver keeps nothing that it cannot finish.
    fn wait_until_nothing_is_left(&mut self) {
        for _ in 0..100_000 {
            self.exchange();
            if !self.to.path().join(".bowline").exists() {
                return;
            }
        }
        panic!("something is left: {:?}", self.server.told);
    }

    /// Offers what comes out of a reader.
    fn offer_pipe(&mut self, reader: impl std::io::Read + Send + 'static) {
        // No time passes here, so nothing is acknowledged except with chunks: there is room for all of them.
        let pipe = Pipe::new(reader).expect("a thread");
        self.client.worker.add_pipe(ID, pipe);
        let offer = Offer::of_unknown_length(ID, SafeName::parse("file").expect("safe"));
        self.client.transfers.offer(Instant::ZERO, offer).expect("new");
    }

    fn link_up(&mut self) {
        self.client.transfers.handle_link_up(Instant::ZERO, None);
        self.server.transfers.handle_link_up(Instant::ZERO, None);
    }

    fn exchange(&mut self) {
        step(&mut self.client, &mut self.server, self.now);
        step(&mut self.server, &mut self.client, self.now);
    }

    /// Time passes for both ends, but not while a disk is at work, which takes as long as it likes.
    fn let_time_pass(&mut self) {
        if [&self.client, &self.server].iter().all(|end| end.running.load(Ordering::SeqCst) == 0) {
            self.now += Duration::from_millis(20);
        }
        self.client.transfers.handle_timeout(self.now);
        self.server.transfers.handle_timeout(self.now);
    }

    /// Runs until the sender knows that this many bytes are safe.
    fn run_until_safe(&mut self, bytes: u64) {
        for _ in 0..100_000 {
            if self.client.transfers.progress(ID).is_some_and(|progress| progress.durable == bytes) {
                // And its pipe has learned of it.
                self.client.settle(self.now);
                return;
            }
            self.exchange();
            self.let_time_pass();
        }
        panic!("{bytes} bytes are not safe: {:?} {:?}", self.client.told, self.server.told);
    }

    fn exchange_until_received(&mut self, bytes: u64) {
        for _ in 0..100_000 {
            if self.server.transfers.progress(ID).is_some_and(|progress| progress.received >= bytes) {
                return;
            }
            self.exchange();
        }
        panic!("{bytes} bytes do not come: {:?} {:?}", self.client.told, self.server.told);
    }

    fn run(&mut self) -> Result<(), Code> {
        for _ in 0..100_000 {
            self.exchange();
            if let Some(end) = self.client.ended(ID) {
                return end;
            }
        }
        panic!("no end: {:?} {:?}", self.client.told, self.server.told);
    }
}

/// One end does what it can, and the other one receives what it has to send.
fn step(from: &mut End, to: &mut End, now: Instant) {
    from.turn(now);
    while let Some(message) = from.transfers.poll_message(now, 1) {
        to.transfers.handle_message(now, message.into_bytes());
    }
}

fn contents(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i ^ (i >> 8) ^ (i >> 16)) as u8).collect()
}

#[test]
fn a_file_goes_from_disk_to_disk() {
    for len in [0, 1, 65_537, 3_000_000] {
        let mut world = World::new();
        world.offer(&contents(len));
        world.link_up();
        assert_eq!(world.run(), Ok(()));
        assert_eq!(std::fs::read(world.to.path().join("file")).expect("it arrived"), contents(len));
    }
}

#[test]
fn a_sender_with_a_wrong_digest_is_told_that_nothing_is_kept() {
    let mut world = World::new();
    world.offer(&contents(1000));
    world.link_up();
    while world.client.ended(ID).is_none() {
        world.client.turn(world.now);
        while let Some(message) = world.client.transfers.poll_message(world.now, 1) {
            let message = with_another_digest(message.into_bytes());
            world.server.transfers.handle_message(world.now, message);
        }
        step(&mut world.server, &mut world.client, world.now);
    }
    let refused = world.client.told.iter().find_map(|event| match event {
        Event::Failed { failure, .. } => Some((failure.code, failure.by_peer, failure.leftover)),
        _ => None,
    });
    assert_eq!(refused, Some((Code::DigestMismatch, true, Some(Leftover::Discard))));
    world.wait_until_nothing_is_left();
}

/// Whether it is a FIN.
fn with_another_digest(message: Bytes) -> Bytes {
    match wire::decode(message.clone()) {
        Ok(wire::Frame::Fin(handle, whole)) => {
            let whole = wire::Whole { digest: Digest::of(b"other bytes"), ..whole };
            wire::Frame::Fin(handle, whole).encode().into_bytes()
        }
        _ => message,
    }
}

#[test]
fn a_cut_costs_only_the_bytes_that_were_in_flight() {
    let mut world = World::new();
    world.offer(&contents(8_000_000));
    world.link_up();
    world.exchange_until_received(2_000_000);
    world.client.transfers.handle_link_down(Instant::ZERO);
    world.server.transfers.handle_link_down(Instant::ZERO);
    world.client.settle(Instant::ZERO);
    world.server.settle(Instant::ZERO);
    world.link_up();
    assert_eq!(world.run(), Ok(()));
    let accepted =
        |event: &Event| if let Event::Accepted { resume, .. } = event { Some(*resume) } else { None };
    let resumes: Vec<_> = world.client.told.iter().filter_map(accepted).collect();
    assert_eq!(resumes.len(), 2);
    assert!(resumes[1] >= 1_000_000, "{resumes:?}");
    assert_eq!(std::fs::read(world.to.path().join("file")).expect("it arrived"), contents(8_000_000));
}

#[test]
fn a_late_report_of_an_old_attachment_does_not_affect_the_new_one() {
    let mut world = World::new();
    world.offer(&contents(8_000_000));
    world.link_up();
    world.exchange_until_received(2_000_000);
    // A new link to another process of the server, while the old one has not noticed anything yet.
    world.client.transfers.handle_link_down(Instant::ZERO);
    let mut old = std::mem::replace(&mut world.server, End::new(Role::Server, world.to.path(), 2));
    world.server.store = old.store.clone();
    world.link_up();
    assert_eq!(world.run(), Ok(()));
    old.settle(Instant::ZERO);
    assert_eq!(old.ended(ID).unwrap_or(Err(Code::Fenced)), Err(Code::Fenced));
    assert_eq!(std::fs::read(world.to.path().join("file")).expect("it arrived"), contents(8_000_000));
}

#[test]
fn a_link_that_comes_back_at_once_finds_everything_that_came_before() {
    let mut world = World::new();
    world.offer(&contents(8_000_000));
    world.link_up();
    for cut in 1..4 {
        world.exchange_until_received(cut * 1_500_000);
        world.client.transfers.handle_link_down(Instant::ZERO);
        world.server.transfers.handle_link_down(Instant::ZERO);
        world.link_up();
    }
    assert_eq!(world.run(), Ok(()));
    assert_eq!(std::fs::read(world.to.path().join("file")).expect("it arrived"), contents(8_000_000));
}

#[test]
fn a_new_process_goes_on_and_hashes_what_an_earlier_one_sent() {
    let mut world = World::new();
    world.offer(&contents(8_000_000));
    world.link_up();
    world.exchange_until_received(2_000_000);
    world.server.transfers.handle_link_down(Instant::ZERO);
    world.server.settle(Instant::ZERO);
    world.client = End::new(Role::Client, world.from.path(), 3);
    world.offer_as_it_is();
    world.link_up();
    assert_eq!(world.run(), Ok(()));
    assert!(world.client.told.iter().any(|e| matches!(e, Event::Accepted { resume, .. } if *resume > 0)));
    assert_eq!(std::fs::read(world.to.path().join("file")).expect("it arrived"), contents(8_000_000));
}

#[test]
fn a_source_that_changes_during_the_transfer_is_not_committed() {
    let mut world = World::new();
    world.offer(&contents(4_000_000));
    world.link_up();
    world.exchange_until_received(1_000_000);
    let file =
        std::fs::OpenOptions::new().append(true).open(world.from.path().join("source")).expect("there");
    file.set_len(4_000_001).expect("it grows");
    assert_eq!(world.run(), Err(Code::SourceChanged));
    assert!(!world.to.path().join("file").exists());
}

/// Requests some bytes of the file `there` from the server.
fn asking(contents: &[u8], range: &str) -> World {
    let mut world = World::new();
    std::fs::write(world.to.path().join("there"), contents).expect("written");
    let (name, range) = (SafeName::parse("there").expect("safe"), range.parse().expect("a range"));
    world.client.transfers.request_range(Instant::ZERO, ID, name, range).expect("new");
    world.link_up();
    world
}

#[test]
fn a_part_that_is_asked_for_is_read_hashed_and_placed_as_a_file() {
    let all = contents(3_000_000);
    for (range, part) in
        [("0-0", 0..1), ("65537-2000000", 65_537..2_000_001), ("2999990-", 2_999_990..3_000_000)]
    {
        let mut world = asking(&all, range);
        assert_eq!(world.run(), Ok(()), "{range}");
        assert!(std::fs::read(world.from.path().join("there")).expect("it arrived") == all[part], "{range}");
    }
}

#[test]
fn a_part_resumes_after_a_cut_and_starts_over_if_the_file_has_changed() {
    for changes in [false, true] {
        let mut all = contents(8_000_000);
        let mut world = asking(&all, "1000000-6999999");
        while world.client.transfers.progress(ID).is_none_or(|progress| progress.received < 2_000_000) {
            world.exchange();
        }
        world.client.transfers.handle_link_down(Instant::ZERO);
        world.server.transfers.handle_link_down(Instant::ZERO);
        world.client.settle(Instant::ZERO);
        world.server.settle(Instant::ZERO);
        if changes {
            all.push(7);
            std::fs::write(world.to.path().join("there"), &all).expect("written");
        }
        world.server.told.clear();
        world.link_up();
        assert_eq!(world.run(), Ok(()));
        let accepted =
            |event: &Event| if let Event::Accepted { resume, .. } = event { Some(*resume) } else { None };
        let resume = world.server.told.iter().find_map(accepted).expect("it was accepted");
        assert_eq!(resume >= 1_000_000, !changes, "{resume}");
        let arrived = std::fs::read(world.from.path().join("there")).expect("it arrived");
        assert!(arrived == all[1_000_000..7_000_000]);
    }
}

#[test]
fn a_part_beyond_the_end_is_refused_and_so_is_a_part_of_a_folder() {
    let mut world = asking(b"hello", "5-9");
    assert_eq!(world.run(), Err(Code::OutOfRange));
    let mut world = World::new();
    std::fs::create_dir(world.to.path().join("top")).expect("made");
    let (name, range) = (SafeName::parse("top").expect("safe"), "5-9".parse().expect("a range"));
    world.client.transfers.request_range(Instant::ZERO, ID, name, range).expect("new");
    world.link_up();
    assert_eq!(world.run(), Err(Code::Rejected));
    let why = world.client.told.iter().find_map(|event| match event {
        Event::Failed { failure, .. } => Some(failure.to_string()),
        _ => None,
    });
    assert!(why.is_some_and(|why| why.contains("nothing else has a range of bytes")));
    assert_eq!(std::fs::read_dir(world.from.path()).expect("a folder").count(), 0);
}

#[test]
fn a_requested_folder_is_listed_and_written_nowhere() {
    let mut world = World::new();
    std::fs::create_dir(world.to.path().join("top")).expect("made");
    for n in 0..2000 {
        std::fs::write(world.to.path().join("top").join(format!("a file {n}")), "").expect("written");
    }
    world.client.transfers.request(Instant::ZERO, ID, SafeName::parse("top").expect("safe")).expect("new");
    world.link_up();
    assert_eq!(world.run(), Ok(()));
    let listing = world.client.worker.take_listing(ID).expect("it was kept");
    assert_eq!((listing.totals().files, listing.entries().count()), (2000, 2000));
    assert!(world.client.worker.take_listing(ID).is_none());
    assert_eq!(std::fs::read_dir(world.from.path()).expect("a folder").count(), 0);
}

#[test]
fn a_folder_is_made_where_it_is_offered() {
    let mut world = World::new();
    let offer = Offer::folder(ID, SafeName::parse("a/b").expect("safe"));
    world.client.transfers.offer(Instant::ZERO, offer).expect("new");
    world.link_up();
    assert_eq!(world.run(), Ok(()));
    assert!(world.to.path().join("a/b").is_dir());
}

#[test]
fn a_listing_that_nobody_asked_for_is_refused() {
    let mut world = World::new();
    std::fs::create_dir(world.from.path().join("top")).expect("made");
    let source = world.client.store.listing(Some(&SafeName::parse("top").expect("safe"))).expect("a folder");
    let mut offer = Offer::new(ID, SafeName::parse("file").expect("safe"), source.length());
    offer.kind = source.kind();
    world.client.worker.add_source(ID, source);
    world.client.transfers.offer(Instant::ZERO, offer).expect("new");
    world.link_up();
    assert_eq!(world.run(), Err(Code::Rejected));
    assert_eq!(std::fs::read_dir(world.to.path()).expect("a folder").count(), 0);
}

#[test]
fn a_file_that_only_claims_to_be_a_listing_is_refused() {
    let mut world = World::new();
    world.client.transfers.request(Instant::ZERO, ID, SafeName::parse("top").expect("safe")).expect("new");
    world.link_up();
    let text = "bowline listing 1 - 0\nf - 0 0 ../../etc/passwd\nend 1 0 0\n";
    std::fs::write(world.to.path().join("lie"), text).expect("written");
    while !world.server.transfers.is_requested(ID) {
        step(&mut world.client, &mut world.server, Instant::ZERO);
        world.server.transfers.poll_event();
    }
    let source = Source::open(&world.to.path().join("lie")).expect("a file");
    let mut offer = Offer::new(ID, SafeName::parse("top").expect("safe"), source.length());
    offer.kind = bowline_core::transfer::Kind::Listing;
    world.server.transfers.offer(Instant::ZERO, offer).expect("asked for");
    world.server.worker.add_source(ID, source);
    assert_eq!(world.run(), Err(Code::Protocol));
    assert!(world.client.worker.take_listing(ID).is_none());
}

#[test]
fn a_taken_name_is_refused_and_an_equal_file_is_enough() {
    for (there, end) in
        [(contents(500_000), Ok(())), (vec![1; 500_000], Err(Code::Exists)), (vec![1; 3], Err(Code::Exists))]
    {
        let mut world = World::new();
        std::fs::write(world.to.path().join("file"), &there).expect("written");
        world.offer(&contents(500_000));
        world.link_up();
        assert_eq!(world.run(), end);
        assert_eq!(std::fs::read(world.to.path().join("file")).expect("still there"), there);
    }
}

/// An end whose threads run when the test says so, and the jobs that wait for them.
fn by_hand(dir: &Path) -> (End, mpsc::Receiver<Box<dyn FnOnce() + Send>>) {
    let mut end = End::new(Role::Server, dir, 1);
    let (queue, jobs) = mpsc::channel();
    let (sender, reports) = mpsc::channel();
    let spawn: Spawn = Arc::new(move |job| drop(queue.send(job)));
    end.worker = Worker::new(spawn, Arc::new(move |report| drop(sender.send(report))));
    end.reports = reports;
    (end, jobs)
}

#[test]
fn nothing_is_hashed_for_a_transfer_that_has_ended() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("source");
    std::fs::write(&path, contents(1_000_000)).expect("a source");
    let (mut end, jobs) = by_hand(dir.path());
    end.worker.add_source(ID, Source::open(&path).expect("a source"));
    assert_eq!(end.worker.carry_out(Event::Hash { id: ID, upto: 1_000_000 }), None);
    end.worker.drop_sources();
    for job in jobs.try_iter() {
        job();
    }
    assert!(end.reports.try_recv().is_err(), "the whole file was read for nobody");
}

#[test]
fn a_report_of_an_ended_transfer_does_not_affect_the_next_one_with_its_id() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut end = End::new(Role::Client, dir.path(), 1);
    end.transfers.request(Instant::ZERO, ID, SafeName::parse("file").expect("safe")).expect("new");
    let late = Outcome::Failed(Failure::local(Code::StoreFailed, "of the last one"));
    let late = Report { id: ID, generation: 1, outcome: late };
    late.apply(Instant::ZERO, &mut end.transfers, &mut end.worker);
    assert!(end.transfers.progress(ID).is_some());
}

#[test]
fn work_in_progress_when_a_file_fails_is_not_a_second_failure() {
    let mut world = World::new();
    std::fs::write(world.to.path().join("file"), contents(3_000_000)).expect("written");
    world.client.transfers.request(Instant::ZERO, ID, SafeName::parse("file").expect("safe")).expect("new");
    world.link_up();
    while world.client.transfers.progress(ID).is_none_or(|progress| progress.received < 1_000_000) {
        world.exchange();
    }
    let generation = world.client.worker.receiving[&ID].generation();
    for text in ["this synchronisation failed", "an earlier synchronisation failed"] {
        let mut failure = Failure::local(Code::StoreFailed, text);
        failure.retry_after = Duration::from_secs(5);
        let report = Report { id: ID, generation, outcome: Outcome::Failed(failure) };
        report.apply(Instant::ZERO, &mut world.client.transfers, &mut world.client.worker);
    }
    assert!(world.client.transfers.progress(ID).is_some(), "it is asked for again");
}

#[test]
fn a_file_that_is_opened_too_late_is_not_offered() {
    let dir = tempfile::tempdir().expect("a folder");
    std::fs::write(dir.path().join("file"), contents(1000)).expect("a source");
    let (mut end, jobs) = by_hand(dir.path());
    end.worker.offer(&end.store, ID, SafeName::parse("file").expect("safe"), ByteRange::WHOLE);
    for job in jobs.try_iter() {
        job();
    }
    let opened = end.reports.try_recv().expect("it was opened");
    opened.apply(Instant::ZERO, &mut end.transfers, &mut end.worker);
    assert!(end.transfers.is_empty(), "nobody waits for it");
}

#[test]
fn a_part_that_an_earlier_link_left_is_discarded_on_the_next_one() {
    let mut world = World::new();
    world.offer(&vec![7; 3_000_000]);
    world.link_up();
    world.exchange_until_received(1_000_000);
    world.client.transfers.handle_link_down(Instant::ZERO);
    world.server.transfers.handle_link_down(Instant::ZERO);
    world.server.settle(Instant::ZERO);
    assert!(world.to.path().join(".bowline").exists());
    assert!(world.client.transfers.cancel(Instant::ZERO, ID, Leftover::Discard));
    world.link_up();
    world.wait_until_nothing_is_left();
}

mod pipes;
