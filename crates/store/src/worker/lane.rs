//! A queue of jobs on one thing, run in order and one at a time, on threads provided by others.

use super::Spawn;
use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

type Job<T> = Box<dyn FnOnce(&mut T) + Send>;

/// A thing of type `T` and the jobs that wait for it. No thread is held while there are none.
pub(super) struct Lane<T> {
    spawn: Spawn,
    shared: Arc<Mutex<Shared<T>>>,
}

struct Shared<T> {
    /// `None` while a job has it.
    thing: Option<T>,
    jobs: VecDeque<Job<T>>,
}

impl<T: Send + 'static> Lane<T> {
    pub(super) fn new(spawn: &Spawn, thing: T) -> Self {
        let shared = Shared { thing: Some(thing), jobs: VecDeque::new() };
        Self { spawn: Arc::clone(spawn), shared: Arc::new(Mutex::new(shared)) }
    }

    /// Queues a job. It runs even if the lane is dropped meanwhile.
    pub(super) fn submit(&self, job: impl FnOnce(&mut T) + Send + 'static) {
        let thing = {
            let mut shared = lock(&self.shared);
            shared.jobs.push_back(Box::new(job));
            shared.thing.take()
        };
        // The job that has the thing will run the new one too.
        let Some(thing) = thing else { return };
        let shared = Arc::clone(&self.shared);
        (self.spawn)(Box::new(move || work_off(&shared, thing)));
    }
}

fn work_off<T>(shared: &Mutex<Shared<T>>, mut thing: T) {
    loop {
        let job = {
            let mut shared = lock(shared);
            let Some(job) = shared.jobs.pop_front() else {
                shared.thing = Some(thing);
                return;
            };
            job
        };
        job(&mut thing);
    }
}

/// A job that panics takes its thing with it; the queue itself remains valid.
fn lock<T>(shared: &Mutex<Shared<T>>) -> MutexGuard<'_, Shared<T>> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<T> fmt::Debug for Lane<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lane").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn jobs_run_in_order_and_never_two_at_once() {
        let spawn: Spawn = Arc::new(|job| drop(std::thread::spawn(job)));
        let lane = Lane::new(&spawn, Vec::new());
        let (done, all) = mpsc::channel();
        for n in 0..1000 {
            let done = done.clone();
            lane.submit(move |list: &mut Vec<u32>| {
                list.push(n);
                if n == 999 {
                    done.send(list.clone()).expect("the test waits");
                }
            });
        }
        drop(lane);
        assert_eq!(all.recv().expect("the last job"), (0..1000).collect::<Vec<_>>());
    }
}
