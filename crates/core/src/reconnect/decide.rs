//! How long to wait for the next dial, and when the last one was.

use super::{ALL_DOUBLINGS, GiveUp, Reconnect};
use crate::closing::LONGEST;
use crate::{Instant, Retry};
use core::time::Duration;

impl Reconnect {
    /// When to dial, and the earliest time that the server allows.
    pub(super) fn decide(
        &mut self,
        now: Instant,
        retry: Retry,
        retry_after: Option<Duration>,
        draw: f64,
    ) -> Result<(Instant, Instant), GiveUp> {
        let (least, most) = match retry {
            Retry::No(why) => return Err(GiveUp::No(why)),
            Retry::Now | Retry::Backoff | Retry::AfterChange(_) => (Duration::ZERO, self.window(retry)),
            Retry::BackoffAfter(least) => (least, least.saturating_add(self.window(retry))),
            Retry::After { min, max } => (min, max),
        };
        if self.config.max_attempts.is_some_and(|max| self.attempts >= max) {
            return Err(self.gave_up(now, GiveUp::Attempts(self.attempts)));
        }
        let wait = least.saturating_add(most.saturating_sub(least).mul_f64(draw)).max(self.config.floor);
        let not_before = now + least.max(retry_after.unwrap_or_default().min(LONGEST));
        let at = not_before.max(now + wait);
        let Some((limit, give_up)) = self.limit(now) else { return Ok((at, not_before)) };
        let mut left = limit - now;
        if self.stuck == 1 {
            // It may just have been cut, and finding that out may have taken all the time.
            left = left.max(self.config.base);
        }
        if self.last_dial || left < self.config.floor {
            return Err(self.gave_up(now, give_up));
        }
        if at <= limit {
            return Ok((at, not_before));
        }
        // One more, late in the time that is left, but not all clients of an outage at its very end. A server that asks for more
        // time than that hears it too, for what it says may be an intermediary's guess.
        let late = now + (left / 2 + (left / 2).mul_f64(draw)).max(self.config.floor);
        self.last_dial = true;
        let late = if not_before <= limit { late.max(not_before) } else { late };
        Ok((late, not_before.min(late)))
    }

    /// Until when dials may begin, and what to say after that.
    fn limit(&self, now: Instant) -> Option<(Instant, GiveUp)> {
        let lasted = now - self.outage;
        let contact = self.config.first_contact.filter(|_| !self.reached);
        let contact = contact.map(|budget| (self.outage + budget, GiveUp::NeverReached(lasted)));
        let elapsed = self.config.max_elapsed.map(|budget| (self.outage + budget, GiveUp::Elapsed(lasted)));
        contact.into_iter().chain(elapsed).min_by_key(|(limit, _)| *limit)
    }

    /// The same, unless there were links.
    fn gave_up(&self, now: Instant, why: GiveUp) -> GiveUp {
        let lasted = now - self.outage;
        match self.unstable {
            true if self.stuck > 0 => GiveUp::Stuck(lasted),
            true => GiveUp::Unstable(lasted),
            false => why,
        }
    }

    /// What the backoff is drawn from.
    fn window(&self, retry: Retry) -> Duration {
        let window =
            self.config.base.saturating_mul(1 << self.doublings.min(ALL_DOUBLINGS)).min(self.config.cap);
        match (retry, self.doublings) {
            // An idle limit or an unanswered ping ends each client's link at a time of its own: no crowd to spread.
            (Retry::Now, _) => window,
            (_, 0) => self.config.first_window,
            // A crowd that was spread is not to be drawn together again.
            _ => window.max(self.config.first_window),
        }
    }
}
