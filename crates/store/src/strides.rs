//! Long work on files, in short strides: few at once, taking turns.
//!
//! ```text
//!   submit ─▶ waiting ─▶ running, at most MOST ─▶ done
//!                ▲            │ one stride
//!                └─── more ───┘
//! ```
//!
//! Waiting work holds no thread, and each stride is a separate job: other jobs for the same threads come in between.

use crate::live::lock;
use crate::worker::Spawn;
use std::collections::VecDeque;
use std::fmt;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};

/// How many strides run at once: one that computes, and one that waits for the disk. The command has eight threads for
/// files, so most of them remain for short jobs.
const MOST: usize = 2;

/// How many bytes are hashed in one stride: some hundredths of a second, after which it checks whether anybody still
/// waits.
pub(crate) const STRIDE: u64 = 16 << 20;

/// Work in progress, and the spawner for its threads.
struct Work {
    spawn: Spawn,
    stride: Box<dyn FnMut() -> ControlFlow<()> + Send>,
}

/// A queue of long work. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct Strides(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    running: usize,
    /// Whether a call of `start` is running.
    starting: bool,
    waiting: VecDeque<Work>,
}

impl Strides {
    /// Queues work: `stride` is called, on threads of `spawn`, until it breaks.
    pub(crate) fn submit(&self, spawn: &Spawn, stride: impl FnMut() -> ControlFlow<()> + Send + 'static) {
        let work = Work { spawn: Arc::clone(spawn), stride: Box::new(stride) };
        lock(&self.0).waiting.push_back(work);
        self.start();
    }

    /// Starts waiting work, as long as there is room.
    fn start(&self) {
        // A spawner may run its job immediately, or drop it. The call that is already starting loops instead of
        // recursing.
        if std::mem::replace(&mut lock(&self.0).starting, true) {
            return;
        }
        let interrupted = Interrupted(self);
        while let Some(mut work) = self.next() {
            let running = Running(self.clone());
            let spawn = Arc::clone(&work.spawn);
            spawn(Box::new(move || {
                let strides = &running.0;
                if (work.stride)().is_continue() {
                    lock(&strides.0).waiting.push_back(work);
                }
            }));
        }
        // `next` has cleared the flag, at the moment when nothing was left.
        std::mem::forget(interrupted);
    }

    /// The work to run next; `None` ends the starting.
    fn next(&self) -> Option<Work> {
        let mut state = lock(&self.0);
        let work = if state.running < MOST { state.waiting.pop_front() } else { None };
        match work {
            Some(_) => state.running += 1,
            None => state.starting = false,
        }
        work
    }
}

impl fmt::Debug for Strides {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = lock(&self.0);
        f.debug_struct("Strides")
            .field("running", &state.running)
            .field("waiting", &state.waiting.len())
            .finish_non_exhaustive()
    }
}

/// A running stride. Dropping it makes room for another, even after a panic or without having run.
struct Running(Strides);

impl Drop for Running {
    fn drop(&mut self) {
        lock(&self.0.0).running -= 1;
        self.0.start();
    }
}

/// Guards against a panic of the spawner, for example for lack of a thread: dropping this leaves the starting to the
/// next caller.
struct Interrupted<'a>(&'a Strides);

impl Drop for Interrupted<'_> {
    fn drop(&mut self) {
        lock(&self.0.0).starting = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ops::ControlFlow::{Break, Continue};
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::mpsc;

    type Job = Box<dyn FnOnce() + Send>;

    /// Not real threads: jobs are run, or dropped, by hand.
    fn by_hand() -> (Spawn, mpsc::Receiver<Job>) {
        let (sender, jobs) = mpsc::channel();
        (Arc::new(move |job| drop(sender.send(job))), jobs)
    }

    /// Work of several strides, which records its name at each.
    fn work(name: u32, strides: u32, log: &Arc<Mutex<Vec<u32>>>) -> impl FnMut() -> ControlFlow<()> + use<> {
        let (log, mut left) = (Arc::clone(log), strides);
        move || {
            lock(&log).push(name);
            left -= 1;
            if left == 0 { Break(()) } else { Continue(()) }
        }
    }

    #[test]
    fn few_run_at_once_and_each_gets_its_turn() {
        let (strides, log) = (Strides::default(), Arc::default());
        let (spawn, jobs) = by_hand();
        for name in 0..4 {
            strides.submit(&spawn, work(name, 2, &log));
        }
        let mut under_way: VecDeque<_> = jobs.try_iter().collect();
        while let Some(job) = under_way.pop_front() {
            assert!(under_way.len() < MOST, "each waits without a thread");
            job();
            under_way.extend(jobs.try_iter());
        }
        assert_eq!(*lock(&log), [0, 1, 2, 3, 0, 1, 2, 3]);
    }

    #[test]
    fn a_job_that_never_runs_or_panics_leaves_its_slot_to_others() {
        let (strides, log) = (Strides::default(), Arc::default());
        let (gone, dropped) = by_hand();
        for name in 0..3 {
            strides.submit(&gone, work(name, 1, &log));
        }
        let (spawn, jobs) = by_hand();
        strides.submit(&spawn, || panic!("on purpose"));
        strides.submit(&spawn, work(9, 1, &log));
        assert!(jobs.try_recv().is_err(), "there is no room");
        // As when a runtime shuts down: jobs that it has, and those that it would get, are dropped.
        drop(dropped);
        for job in jobs.try_iter() {
            let _ = catch_unwind(AssertUnwindSafe(job));
        }
        assert_eq!(*lock(&log), [9]);
        assert_eq!(lock(&strides.0).running, 0);
    }

    #[test]
    fn a_spawner_that_runs_its_jobs_at_once_will_do() {
        let (strides, log) = (Strides::default(), Arc::default());
        let spawn: Spawn = Arc::new(|job| job());
        strides.submit(&spawn, work(1, 100_000, &log));
        assert_eq!(lock(&log).len(), 100_000);
    }
    #[test]
    fn a_spawner_that_panics_does_not_stop_others_from_starting() {
        let (strides, log) = (Strides::default(), Arc::default());
        let broken: Spawn = Arc::new(|_| panic!("no thread, on purpose"));
        let submit = || strides.submit(&broken, work(1, 1, &log));
        assert!(catch_unwind(AssertUnwindSafe(submit)).is_err());
        let (spawn, jobs) = by_hand();
        strides.submit(&spawn, work(2, 1, &log));
        for job in jobs.try_iter() {
            job();
        }
        assert_eq!(*lock(&log), [2]);
    }
}
