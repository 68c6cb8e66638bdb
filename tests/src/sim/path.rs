//! The path of a stream.

use bowline_core::Instant;
use std::time::Duration;

/// The properties of one direction of a path.
#[derive(Clone, Debug)]
pub struct Path {
    /// How long a byte travels.
    pub latency: Duration,
    /// Bytes per second that the line carries; `None`: any number.
    pub bandwidth: Option<u64>,
    /// The most bytes that travel together.
    pub segment: usize,
    /// How many bytes the writer may be ahead of the reader's acknowledgement. Large buffers hide a slow line.
    pub send_buffer: usize,
    /// How many bytes wait for a reader that does not read.
    pub receive_buffer: usize,
    /// When the line carries nothing: from, until.
    pub stalls: Vec<(Instant, Instant)>,
}

impl Default for Path {
    /// A local network: 1 ms, any number of bytes per second, buffers of 256 KiB.
    fn default() -> Self {
        Self {
            latency: Duration::from_millis(1),
            bandwidth: None,
            segment: 1460,
            send_buffer: 256 << 10,
            receive_buffer: 256 << 10,
            stalls: Vec::new(),
        }
    }
}

impl Path {
    /// A path of this latency and bandwidth, with the buffers of the default.
    pub fn new(latency: Duration, bandwidth: Option<u64>) -> Self {
        Self { latency, bandwidth, ..Self::default() }
    }

    /// How long the line is busy with this many bytes.
    pub(super) fn time_for(&self, len: usize) -> Duration {
        match self.bandwidth {
            Some(rate) => Duration::from_nanos((len as u64).saturating_mul(1_000_000_000) / rate.max(1)),
            None => Duration::ZERO,
        }
    }

    /// The first time from `at` on at which the line works.
    pub(super) fn after_stall(&self, at: Instant) -> Instant {
        let stall = self.stalls.iter().find(|(from, until)| *from <= at && at < *until);
        stall.map_or(at, |(_, until)| self.after_stall(*until))
    }
}
