//! A process at one end: a store on a model device, links to the other end, and jobs that run when the schedule says
//! so.

use crate::sys::Folder;
use crate::sys::model::Device;
use crate::worker::{Deliver, Report, Spawn, Worker};
use crate::{Config, DiskStore};
use bowline_core::transfer::{self, Event};
use bowline_core::{Instant, Role, Transfers};
use bytes::Bytes;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

type Queue<T> = Arc<Mutex<VecDeque<T>>>;
type Job = Box<dyn FnOnce() + Send>;

/// A process.
pub(super) struct Host {
    pub(super) device: Device,
    pub(super) process: u32,
    pub(super) store: DiskStore,
    /// The last one is the current link; it has not learned yet that the others are gone.
    pub(super) sessions: Vec<Session>,
    /// Until then its disk is too slow to do anything.
    pub(super) slow_until: Instant,
    jobs: Queue<Job>,
}

impl Host {
    pub(super) fn start(device: &Device, config: &Config) -> Self {
        let process = device.start_process();
        let store = DiskStore::within(Folder::Model(device.top(process)), config.clone()).expect("a store");
        let (jobs, slow_until) = (Queue::default(), Instant::ZERO);
        Self { device: device.clone(), process, store, sessions: Vec::new(), slow_until, jobs }
    }

    /// A new link or, for a client, the place that all of them use.
    pub(super) fn open(&mut self, role: Role, config: &transfer::Config, now: Instant) {
        let jobs = Arc::clone(&self.jobs);
        let spawn: Spawn = Arc::new(move |job| jobs.lock().expect("no panic").push_back(job));
        self.sessions.push(Session::new(role, config.clone(), now, spawn));
    }

    pub(super) fn session(&mut self) -> &mut Session {
        self.sessions.last_mut().expect("there is one")
    }

    pub(super) fn is_dead(&self) -> bool {
        self.device.is_dead(self.process)
    }

    pub(super) fn has_jobs(&self) -> bool {
        !self.jobs.lock().expect("no panic").is_empty()
    }

    /// Runs the n-th of the jobs that could run, and delivers the result.
    pub(super) fn work(&mut self, now: Instant, n: u32) -> bool {
        if now < self.slow_until {
            return false;
        }
        let job = {
            let mut jobs = self.jobs.lock().expect("no panic");
            let len = jobs.len();
            (len > 0).then(|| jobs.remove(n as usize % len)).flatten()
        };
        let any = job.is_some();
        if let Some(job) = job {
            job();
        }
        if self.is_dead() {
            return any;
        }
        let store = &self.store;
        self.sessions.iter_mut().fold(any, |any, session| session.collect(now, store) | any)
    }
}

/// The transfers and files of one link, or of all links of a client.
pub(super) struct Session {
    pub(super) transfers: Transfers,
    pub(super) worker: Worker,
    pub(super) told: Vec<Event>,
    reports: Queue<Report>,
    /// How many bytes of messages are held.
    held: Arc<AtomicUsize>,
}

impl Session {
    fn new(role: Role, config: transfer::Config, now: Instant, spawn: Spawn) -> Self {
        let reports: Queue<Report> = Queue::default();
        let queue = Arc::clone(&reports);
        let deliver: Deliver = Arc::new(move |report| queue.lock().expect("no panic").push_back(report));
        Self {
            transfers: Transfers::new(role, config, now),
            worker: Worker::new(spawn, deliver),
            told: Vec::new(),
            reports,
            held: Arc::default(),
        }
    }

    /// Takes a message from the link. Returns whether it is not for transfers, which means that it was damaged: only
    /// files are sent here.
    pub(super) fn receive(&mut self, now: Instant, message: Vec<u8>) -> bool {
        self.held.fetch_add(message.len(), Relaxed);
        let held = Held { message, held: Arc::clone(&self.held) };
        self.transfers.handle_message(now, Bytes::from_owner(held)).is_some()
    }

    pub(super) fn held(&self) -> usize {
        self.held.load(Relaxed)
    }

    /// Carries effects to the worker, and reports back, until there are none.
    pub(super) fn collect(&mut self, now: Instant, store: &DiskStore) -> bool {
        let mut any = false;
        loop {
            let report = self.reports.lock().expect("no panic").pop_front();
            if let Some(report) = report {
                report.apply(now, &mut self.transfers, &mut self.worker);
            } else if let Some(event) = self.transfers.poll_event() {
                match self.worker.carry_out(event) {
                    Some(Event::Offered(offered)) => self.worker.attach(store, offered),
                    Some(Event::Requested { id, name, range }) => self.worker.offer(store, id, name, range),
                    Some(other) => self.told.push(other),
                    None => {}
                }
            } else {
                return any;
            }
            any = true;
        }
    }
}

/// A message that is counted as long as any part of it exists.
struct Held {
    message: Vec<u8>,
    held: Arc<AtomicUsize>,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.message
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.held.fetch_sub(self.message.len(), Relaxed);
    }
}
