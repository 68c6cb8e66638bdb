//! What a client's session learns about its path, and when it applies that.

use super::{Config, Event};
use crate::adapt::{Adapt, Change, Path};
use crate::{Disconnect, Instant, connection};
use core::time::Duration;

/// The learning heartbeat, and the wall-clock time that it needs.
#[derive(Debug)]
pub(super) struct Learning {
    adapt: Adapt,
    start: Instant,
    unix: u64,
    change: Option<Change>,
}

impl Learning {
    pub(super) fn new(config: &Config, now: Instant) -> Self {
        let adapt = Adapt::new(config.adapt, config.path.clone());
        Self { adapt, start: now, unix: config.unix, change: None }
    }

    /// The heartbeat interval for a connection that opens now.
    pub(super) fn interval(&self, now: Instant) -> Duration {
        self.adapt.interval_at(self.unix(now))
    }

    pub(super) fn path(&self) -> &Path {
        self.adapt.path()
    }

    pub(super) fn handle_link_up(&mut self, now: Instant) -> Option<Event> {
        self.change = None;
        self.adapt.handle_open(self.unix(now)).map(told)
    }

    pub(super) fn handle_link_down(&mut self, now: Instant, disconnect: &mut Disconnect) -> Option<Event> {
        self.change = None;
        self.adapt.record(self.unix(now), disconnect).map(told)
    }

    pub(super) fn handle_survived(&mut self, now: Instant, silence: Duration) {
        let change = self.adapt.handle_survived(self.unix(now), silence);
        self.change = change.or(self.change);
    }

    pub(super) fn poll_change(&mut self, now: Instant, busy: bool) -> Option<Change> {
        let change = self.adapt.set_busy(self.unix(now), busy);
        change.or(self.change.take())
    }

    fn unix(&self, now: Instant) -> u64 {
        self.unix.saturating_add((now - self.start).as_secs())
    }
}

/// Between two links, the change is reported in the connection's stead.
fn told(Change { from, to, why }: Change) -> Event {
    Event::Link(connection::Event::HeartbeatChanged { from, to, why })
}
