//! What a client and a server have in common: a session, its files, and the link of the day.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bowline_core::session::{Event, Session};
use bowline_core::transfer;
use bowline_core::{Instant, pump};
use bowline_store::Worker;
use bowline_store::worker::{Deliver, Report, Spawn};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::runtime::Handle;
use tokio::sync::{Notify, mpsc};
use tokio::time::{Sleep, sleep_until, timeout};

use crate::clock::Clock;
use crate::driver::Driver;

/// How long a link may take to say its last words.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// A session and the files that it reads and writes, on the threads of tokio's blocking pool.
pub(crate) struct Host {
    pub(crate) clock: Clock,
    pub(crate) session: Session,
    pub(crate) worker: Worker,
    reports: mpsc::UnboundedReceiver<Report>,
    jobs: Arc<Jobs>,
    timer: Pin<Box<Sleep>>,
    armed: Option<Instant>,
}

/// Counts the jobs on other threads, so that one can wait for the last.
#[derive(Default)]
struct Jobs {
    count: AtomicUsize,
    ended: Notify,
}

/// One job; counted until it is dropped, even by a panic.
struct Counted(Arc<Jobs>);

impl Drop for Counted {
    fn drop(&mut self) {
        if self.0.count.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.ended.notify_waiters();
        }
    }
}

impl Host {
    /// Must be called in a tokio runtime.
    pub(crate) fn new(session: Session, clock: Clock) -> Self {
        // Unbounded, and yet bounded: there is one report for each effect, and effects are bounded by the credit.
        let (sender, reports) = mpsc::unbounded_channel();
        let deliver: Deliver = Arc::new(move |report| drop(sender.send(report)));
        let jobs = Arc::new(Jobs::default());
        let worker = Worker::new(spawner(Arc::clone(&jobs)), deliver);
        let timer = Box::pin(sleep_until(tokio::time::Instant::now()));
        Self { clock, session, worker, reports, jobs, timer, armed: None }
    }

    /// Waits until bytes have moved, a file has answered or a deadline is reached, and tells the session.
    ///
    /// Cancel-safe: what happened meanwhile is found by the next call.
    pub(crate) async fn step<S>(&mut self, link: Option<&mut Driver<S>>)
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        self.arm();
        let Self { clock, session, worker, reports, timer, armed, .. } = self;
        let bytes = async {
            match link {
                Some(driver) => poll_fn(|cx| driver.poll_drive(cx)).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = bytes => {}
            Some(report) = reports.recv() => {
                let now = clock.now();
                report.apply(now, session.transfers_mut(), worker);
                while let Ok(report) = reports.try_recv() {
                    report.apply(now, session.transfers_mut(), worker);
                }
            }
            () = timer, if armed.is_some() => {
                *armed = None;
                session.handle_timeout(clock.now());
            }
        }
    }

    /// Sets the timer to the session's deadline; the link has one of its own.
    fn arm(&mut self) {
        let deadline = self.session.poll_timeout();
        if deadline != self.armed {
            self.armed = deadline;
            if let Some(deadline) = deadline {
                self.timer.as_mut().reset(self.clock.deadline(deadline));
            }
        }
    }

    /// Moves messages between session and link, carries out effects on files, and returns the next event that is for
    /// the owner. Call it until it returns nothing.
    pub(crate) fn poll_event<S>(&mut self, link: Option<&mut Driver<S>>) -> Option<Event> {
        if let Some(driver) = link {
            self.flush(driver);
        }
        loop {
            match self.session.poll_event()? {
                Event::Transfer(event) => {
                    if let Some(event) = self.worker.carry_out(event) {
                        return Some(Event::Transfer(event));
                    }
                }
                event => return Some(event),
            }
        }
    }

    /// Moves messages between session and link; what comes of it is found by [`poll_event`](Self::poll_event).
    pub(crate) fn flush<S>(&mut self, link: &mut Driver<S>) {
        pump(self.clock.now(), link.conn_mut(), &mut self.session);
    }

    /// How far a transfer has come.
    pub(crate) fn progress(&self, id: transfer::TransferId) -> Option<transfer::Progress> {
        self.session.transfers().progress(id)
    }

    /// Waits until all files are at rest: everything that was received is durable. Nothing is sent any more.
    pub(crate) async fn rest(&mut self) {
        self.worker.drop_sources();
        loop {
            let ended = self.jobs.ended.notified();
            if self.jobs.count.load(Ordering::Acquire) == 0 {
                return;
            }
            ended.await;
        }
    }
}

fn spawner(jobs: Arc<Jobs>) -> Spawn {
    let runtime = Handle::current();
    Arc::new(move |job| {
        jobs.count.fetch_add(1, Ordering::AcqRel);
        let counted = Counted(Arc::clone(&jobs));
        runtime.spawn_blocking(move || {
            let _counted = counted;
            job();
        });
    })
}

/// Lets a link go whose end is known: what is still to be said to the peer is said in the background, if it takes it
/// soon.
pub(crate) fn let_go<S>(mut driver: Driver<S>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    if driver.is_over() {
        return;
    }
    tokio::spawn(async move {
        let over = async {
            while !driver.is_over() {
                poll_fn(|cx| driver.poll_drive(cx)).await;
            }
        };
        let _ = timeout(LAST_WORDS, over).await;
    });
}

/// 32 bytes that nobody can guess.
pub(crate) fn seed() -> [u8; 32] {
    let mut seed = [0; 32];
    // Without randomness masks could be guessed and ids would collide: better no connection at all.
    getrandom::fill(&mut seed).expect("the operating system has randomness");
    seed
}
