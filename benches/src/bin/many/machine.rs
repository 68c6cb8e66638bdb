//! What the system reports about this process.

use std::fs;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Counts time on a processor.
pub(crate) struct Stopwatch {
    clock: ClockId,
    start: Duration,
}

impl Stopwatch {
    /// Of the current thread.
    pub(crate) fn of_thread() -> Self {
        Self::start(ClockId::ThreadCPUTime)
    }

    /// Of all threads.
    pub(crate) fn of_process() -> Self {
        Self::start(ClockId::ProcessCPUTime)
    }

    fn start(clock: ClockId) -> Self {
        Self { start: time(clock), clock }
    }

    pub(crate) fn elapsed(&self) -> Duration {
        time(self.clock).saturating_sub(self.start)
    }
}

fn time(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// Bytes in memory.
pub(crate) fn memory() -> u64 {
    status("self", "VmRSS:")
}

/// The most bytes in memory since [`reset_peak`].
pub(crate) fn peak(process: &str) -> u64 {
    status(process, "VmHWM:")
}

pub(crate) fn reset_peak() {
    // If it cannot be reset, the peak is that of the whole process, and too high.
    let _ = fs::write("/proc/self/clear_refs", "5");
}

fn status(process: &str, key: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(key));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) << 10
}

/// A sentence for the head of a page.
pub(crate) fn describe() -> String {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let processors = std::thread::available_parallelism().map_or(0, usize::from);
    format!(
        "Linux {}, {processors} processors, load average {} at the end. CPU is that of the process or thread, so other work disturbs \
         little.",
        release.trim(),
        load.split(' ').next().unwrap_or("unknown")
    )
}
