//! What a client and a server have in common: jobs on files, their reports, and a timer for the machine that they
//! belong to.

mod jobs;

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;

use bowline_core::Instant;
use bowline_host::LAST_WORDS;
use bowline_store::worker::{Deliver, Report, Spawn};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio::time::{Sleep, sleep_until, timeout};

use crate::clock::Clock;
use crate::driver::Driver;
use jobs::Jobs;

/// Waits for everything that concerns a machine: its files, its deadline, its link.
pub(crate) struct Host {
    pub(crate) clock: Clock,
    reports: mpsc::UnboundedReceiver<Report>,
    jobs: Jobs,
    timer: Pin<Box<Sleep>>,
    armed: Option<Instant>,
}

/// What a machine needs to have files read and written.
pub(crate) struct Hands {
    pub(crate) spawn: Spawn,
    pub(crate) deliver: Deliver,
}

/// What a host has waited for.
pub(crate) enum Step {
    /// Bytes have moved, or the connection has something to report.
    Driven,
    /// The result of a job on files.
    Report(Report),
    /// The deadline was reached.
    Due,
}

impl Host {
    /// Must be called in a tokio runtime.
    pub(crate) fn new(clock: Clock) -> (Self, Hands) {
        // The channel is unbounded, but its contents are not: there is one report for each effect, and credit limits
        // effects.
        let (sender, reports) = mpsc::unbounded_channel();
        let deliver: Deliver = Arc::new(move |report| drop(sender.send(report)));
        let jobs = Jobs::default();
        let spawn = jobs.spawner();
        let timer = Box::pin(sleep_until(tokio::time::Instant::now()));
        (Self { clock, reports, jobs, timer, armed: None }, Hands { spawn, deliver })
    }

    /// Waits until bytes have moved, a job on files has ended, or this deadline is reached; the link has a deadline of
    /// its own.
    ///
    /// Cancel-safe: what happened meanwhile is found by the next call.
    pub(crate) async fn step<S>(&mut self, link: Option<&mut Driver<S>>, deadline: Option<Instant>) -> Step
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        self.arm(deadline);
        let Self { reports, timer, armed, .. } = self;
        let bytes = async {
            match link {
                Some(driver) => poll_fn(|cx| driver.poll_drive(cx)).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = bytes => Step::Driven,
            Some(report) = reports.recv() => Step::Report(report),
            () = timer, if armed.is_some() => {
                *armed = None;
                Step::Due
            }
        }
    }

    /// The next report, if there is one.
    pub(crate) fn poll_report(&mut self) -> Option<Report> {
        self.reports.try_recv().ok()
    }

    fn arm(&mut self, deadline: Option<Instant>) {
        if deadline != self.armed {
            self.armed = deadline;
            if let Some(deadline) = deadline {
                self.timer.as_mut().reset(self.clock.deadline(deadline));
            }
        }
    }

    /// Waits until all jobs have ended.
    pub(crate) async fn rest(&self) {
        self.jobs.rest().await;
    }
}

/// Releases a link whose end is known: last bytes for the peer are sent in the background, if it accepts them soon.
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
