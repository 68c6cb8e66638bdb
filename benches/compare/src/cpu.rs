//! The cost of a piece of work: wall-clock time and processor time.
#![allow(unsafe_code)]

use std::time::{Duration, Instant};

/// The processor time of this thread. Other work on the machine does not count.
pub fn thread() -> Duration {
    // SAFETY: all zeroes is a valid time, and the system writes no more than one.
    let mut time: libc::timespec = unsafe { std::mem::zeroed() };
    // SAFETY: as above.
    let done = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    assert_eq!(done, 0, "a clock that every Linux has");
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// The processor time of all threads of this process together.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    at: Instant,
    user: Duration,
    system: Duration,
}

/// The difference between two of them, in seconds.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    pub wall: f64,
    pub user: f64,
    pub system: f64,
}

impl Usage {
    pub fn now() -> Self {
        // SAFETY: all zeroes is valid, and the system writes no more than one.
        let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
        // SAFETY: as above.
        let done = unsafe { libc::getrusage(libc::RUSAGE_SELF, &mut usage) };
        assert_eq!(done, 0, "a call that every Linux has");
        Self { at: Instant::now(), user: duration(usage.ru_utime), system: duration(usage.ru_stime) }
    }

    pub fn since(self, before: Self) -> Cost {
        Cost {
            wall: (self.at - before.at).as_secs_f64(),
            user: (self.user - before.user).as_secs_f64(),
            system: (self.system - before.system).as_secs_f64(),
        }
    }
}

impl Cost {
    pub fn cpu(self) -> f64 {
        self.user + self.system
    }
}

fn duration(time: libc::timeval) -> Duration {
    Duration::new(time.tv_sec.unsigned_abs(), 1000 * u32::try_from(time.tv_usec).unwrap_or(0))
}
