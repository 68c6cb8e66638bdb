//! Jobs on files, on the threads of tokio's blocking pool.
//!
//! Waking a thread takes longer than most jobs on small files. So a job does not get a thread of its own: one thread is
//! called, and no other until it has come. It takes the waiting jobs in turn, but first calls another thread if there
//! is more than one job. If jobs are short, one thread does many of them; if they block, each soon has a thread.
//!
//! ```text
//!              a job comes                a thread takes it, and none is left
//!  nothing ─────────────────▶ called ──────────────────────────────────────▶ nothing
//!                              ▲  │   a thread takes one, and more are left
//!                              └──┘
//! ```

use std::collections::VecDeque;
use std::mem;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bowline_store::worker::Spawn;
use tokio::runtime::Handle;
use tokio::sync::Notify;

/// How many jobs a thread does in a row, before those of other links that wait for a thread have their turn.
const ROW: usize = 32;

type Job = Box<dyn FnOnce() + Send>;

/// The jobs of one host; it can wait for the last of them.
#[derive(Clone, Default)]
pub(super) struct Jobs {
    queue: Arc<Mutex<Queue>>,
    under_way: Arc<UnderWay>,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<(Job, Counted)>,
    /// Whether a thread was called and has not come. This is always so while jobs wait.
    called: bool,
}

#[derive(Default)]
struct UnderWay {
    count: AtomicUsize,
    ended: Notify,
}

/// One job; counted until it is dropped, even by a panic.
struct Counted(Arc<UnderWay>);

impl Counted {
    fn new(under_way: &Arc<UnderWay>) -> Self {
        under_way.count.fetch_add(1, Ordering::AcqRel);
        Self(Arc::clone(under_way))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        if self.0.count.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.ended.notify_waiters();
        }
    }
}

impl Jobs {
    /// Runs jobs. Must be called in a tokio runtime.
    pub(super) fn spawner(&self) -> Spawn {
        let (jobs, runtime) = (self.clone(), Handle::current());
        Arc::new(move |job| {
            let calls = {
                let mut queue = lock(&jobs.queue);
                queue.jobs.push_back((job, Counted::new(&jobs.under_way)));
                !mem::replace(&mut queue.called, true)
            };
            if calls {
                Called::call(&jobs.queue, &runtime);
            }
        })
    }

    /// Waits until all jobs have ended.
    pub(super) async fn rest(&self) {
        loop {
            let ended = self.under_way.ended.notified();
            if self.under_way.count.load(Ordering::Acquire) == 0 {
                return;
            }
            ended.await;
        }
    }
}

/// A thread that was called.
struct Called {
    queue: Arc<Mutex<Queue>>,
    runtime: Handle,
    has_come: bool,
}

impl Called {
    fn call(queue: &Arc<Mutex<Queue>>, runtime: &Handle) {
        let called = Self { queue: Arc::clone(queue), runtime: runtime.clone(), has_come: false };
        runtime.spawn_blocking(move || called.work());
    }

    fn work(mut self) {
        for _ in 0..ROW {
            let Some((job, _counted)) = self.take() else { return };
            job();
        }
    }

    /// The next job. Before it is run, another thread is called for the jobs behind it.
    fn take(&mut self) -> Option<(Job, Counted)> {
        let (job, calls) = {
            let mut queue = lock(&self.queue);
            if !mem::replace(&mut self.has_come, true) {
                queue.called = false;
            }
            let job = queue.jobs.pop_front();
            let calls = !queue.called && !queue.jobs.is_empty();
            queue.called |= calls;
            (job, calls)
        };
        if calls {
            Self::call(&self.queue, &self.runtime);
        }
        job
    }
}

impl Drop for Called {
    fn drop(&mut self) {
        if !self.has_come {
            // The runtime is shutting down, and no other thread will come: waiting jobs are dropped, as the runtime
            // would do.
            let left = {
                let mut queue = lock(&self.queue);
                queue.called = false;
                mem::take(&mut queue.jobs)
            };
            drop(left);
        }
    }
}

fn lock(queue: &Mutex<Queue>) -> MutexGuard<'_, Queue> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Barrier;
    use std::sync::atomic::AtomicBool;
    use tokio::runtime::{Builder, Runtime};

    fn runtime() -> Runtime {
        Builder::new_current_thread().enable_all().build().expect("a runtime")
    }

    #[test]
    fn jobs_that_wait_for_each_other_have_a_thread_each() {
        let runtime = runtime();
        runtime.block_on(async {
            let (jobs, together) = (Jobs::default(), Arc::new(Barrier::new(ROW)));
            let spawn = jobs.spawner();
            for _ in 0..ROW {
                let together = Arc::clone(&together);
                spawn(Box::new(move || {
                    together.wait();
                }));
            }
            jobs.rest().await;
        });
    }

    #[test]
    fn short_jobs_share_a_thread_and_are_all_done() {
        let runtime = Builder::new_current_thread().max_blocking_threads(1).build().expect("a runtime");
        runtime.block_on(async {
            let (jobs, done) = (Jobs::default(), Arc::new(Mutex::new(Vec::new())));
            let spawn = jobs.spawner();
            for n in 0..10 * ROW {
                let done = Arc::clone(&done);
                spawn(Box::new(move || done.lock().expect("no panic").push(n)));
            }
            jobs.rest().await;
            assert_eq!(*done.lock().expect("no panic"), (0..10 * ROW).collect::<Vec<_>>());
        });
    }

    #[test]
    fn a_job_that_panics_does_not_stop_those_behind_it() {
        let runtime = Builder::new_current_thread().max_blocking_threads(1).build().expect("a runtime");
        runtime.block_on(async {
            let (jobs, done) = (Jobs::default(), Arc::new(AtomicBool::new(false)));
            let (spawn, is_done) = (jobs.spawner(), Arc::clone(&done));
            spawn(Box::new(|| panic!("on purpose")));
            spawn(Box::new(move || is_done.store(true, Ordering::Relaxed)));
            jobs.rest().await;
            assert!(done.load(Ordering::Relaxed));
        });
    }

    #[test]
    fn jobs_that_no_thread_will_run_are_dropped() {
        let (runtime, jobs, kept) = (runtime(), Jobs::default(), Arc::new(()));
        let spawn = {
            let _within = runtime.enter();
            jobs.spawner()
        };
        drop(runtime);
        for _ in 0..3 {
            // Some jobs submit others.
            let held = (Arc::clone(&kept), Arc::clone(&spawn));
            spawn(Box::new(move || drop(held)));
        }
        drop(spawn);
        assert_eq!(Arc::strong_count(&kept), 1);
        assert_eq!(jobs.under_way.count.load(Ordering::Acquire), 0);
    }
}
