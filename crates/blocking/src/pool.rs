//! Threads for work on files.

use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use bowline_store::worker::Spawn;

use crate::count::Count;

/// Longer than the pauses of a moving transfer.
const PATIENCE: Duration = Duration::from_secs(5);

type Job = Box<dyn FnOnce() + Send>;

/// A limited number of threads that start when there is work, and end when there is none. Clones share them.
#[derive(Clone)]
pub(crate) struct Pool(Arc<Shared>);

struct Shared {
    most: usize,
    /// How long a thread waits for another job before it ends.
    patience: Duration,
    state: Mutex<State>,
    called: Condvar,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    threads: usize,
    idle: usize,
}

impl Pool {
    /// A pool of at most this many threads.
    pub(crate) fn new(most: usize) -> Self {
        Self::with_patience(most, PATIENCE)
    }

    fn with_patience(most: usize, patience: Duration) -> Self {
        let (state, called) = (Mutex::new(State::default()), Condvar::new());
        Self(Arc::new(Shared { most: most.max(1), patience, state, called }))
    }

    /// Runs jobs here, and counts them until they have ended.
    pub(crate) fn spawner(&self, jobs: &Count) -> Spawn {
        let (pool, jobs) = (self.clone(), jobs.clone());
        Arc::new(move |job| {
            let counted = jobs.enter();
            pool.run(Box::new(move || {
                let _counted = counted;
                job();
            }));
        })
    }

    fn run(&self, job: Job) {
        let mut state = self.lock();
        state.jobs.push_back(job);
        if state.idle >= state.jobs.len() || state.threads == self.0.most {
            drop(state);
            return self.0.called.notify_one();
        }
        state.threads += 1;
        drop(state);
        let pool = self.clone();
        if thread::Builder::new().name("bowline files".into()).spawn(move || pool.work()).is_err() {
            self.lock().threads -= 1;
            self.work_alone();
        }
    }

    /// The loop of a thread.
    fn work(&self) {
        while let Some(job) = self.next() {
            carry_out(job);
        }
    }

    /// The system provides no thread. If there is none at all, the work is done here: other callers may have relied on
    /// the thread that was to start.
    fn work_alone(&self) {
        while let Some(job) = self.orphan() {
            carry_out(job);
        }
    }

    /// A job that no thread will do.
    fn orphan(&self) -> Option<Job> {
        let mut state = self.lock();
        if state.threads == 0 { state.jobs.pop_front() } else { None }
    }

    /// The next job; `None` if none comes for a while, so that the thread should end.
    fn next(&self) -> Option<Job> {
        let mut state = self.lock();
        state.idle += 1;
        let waited = self.0.called.wait_timeout_while(state, self.0.patience, |state| state.jobs.is_empty());
        state = waited.unwrap_or_else(PoisonError::into_inner).0;
        state.idle -= 1;
        let job = state.jobs.pop_front();
        if job.is_none() {
            state.threads -= 1;
        }
        job
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A job that panics reports that itself, and does not cost its thread.
fn carry_out(job: Job) {
    let _ = catch_unwind(AssertUnwindSafe(job));
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.lock();
        f.debug_struct("Pool").field("threads", &state.threads).field("jobs", &state.jobs.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;
    use std::time::Instant;

    #[test]
    fn jobs_run_beside_each_other_up_to_the_bound_and_survive_a_panic() {
        let (pool, jobs) = (Pool::new(2), Count::default());
        let spawn = pool.spawner(&jobs);
        let (started, starts) = mpsc::channel();
        let (go_on, gate) = mpsc::channel::<()>();
        let gate = Arc::new(Mutex::new(gate));
        for n in 0..3 {
            let (started, gate) = (started.clone(), Arc::clone(&gate));
            spawn(Box::new(move || {
                started.send(n).unwrap();
                gate.lock().unwrap_or_else(PoisonError::into_inner).recv().unwrap();
                assert_ne!(n, 0, "on purpose");
            }));
        }
        let long = Duration::from_secs(60);
        assert_eq!(starts.recv_timeout(long).unwrap() + starts.recv_timeout(long).unwrap(), 1);
        assert!(starts.recv_timeout(Duration::from_millis(100)).is_err(), "there are two threads");
        for _ in 0..3 {
            go_on.send(()).unwrap();
        }
        assert_eq!(starts.recv_timeout(long).unwrap(), 2);
        assert!(jobs.wait_for(long));
    }

    #[test]
    fn a_panic_does_not_cost_the_pool_its_only_thread() {
        let (pool, jobs) = (Pool::new(1), Count::default());
        let spawn = pool.spawner(&jobs);
        spawn(Box::new(|| panic!("on purpose")));
        assert!(jobs.wait_for(Duration::from_secs(60)));
        let (done, ended) = mpsc::channel();
        spawn(Box::new(move || done.send(()).unwrap()));
        ended.recv_timeout(Duration::from_secs(60)).unwrap();
    }

    #[test]
    fn no_job_is_left_over_if_the_system_gives_no_thread() {
        let (pool, done) = (Pool::new(2), Arc::new(Mutex::new(Vec::new())));
        let job = |n| {
            let done = Arc::clone(&done);
            Box::new(move || {
                done.lock().unwrap().push(n);
                assert_ne!(n, 1, "on purpose");
            })
        };
        // Two calls have requested a thread at once, and each has relied on that of the other.
        pool.lock().threads = 1;
        pool.lock().jobs.extend([job(1) as Job, job(2)]);
        pool.work_alone();
        assert!(done.lock().unwrap().is_empty(), "one may come");
        pool.lock().threads = 0;
        pool.work_alone();
        assert_eq!(*done.lock().unwrap_or_else(PoisonError::into_inner), [1, 2]);
    }

    #[test]
    fn threads_that_have_ended_are_started_again() {
        let (pool, jobs) = (Pool::with_patience(1, Duration::from_millis(1)), Count::default());
        let spawn = pool.spawner(&jobs);
        for _ in 0..3 {
            spawn(Box::new(|| {}));
            assert!(jobs.wait_for(Duration::from_secs(60)));
            let start = Instant::now();
            while pool.lock().threads > 0 {
                assert!(start.elapsed() < Duration::from_secs(60), "it has nothing to wait for");
                thread::yield_now();
            }
        }
    }
}
