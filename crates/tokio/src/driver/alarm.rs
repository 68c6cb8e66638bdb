//! A timer that is cheap while its deadline keeps moving away.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use tokio::task::coop::has_budget_remaining;
use tokio::time::{Instant, Sleep, sleep_until};

/// Most deadlines move away with every byte. The timer stays where it is until it fires; then the deadline is checked
/// again.
#[derive(Debug, Default)]
pub(super) struct Alarm {
    /// Created when it is first needed, and never set later than the deadline.
    sleep: Option<Pin<Box<Sleep>>>,
    /// The task that it wakes.
    waker: Option<Waker>,
}

impl Alarm {
    /// Ready when it is time to check the deadline, `due`, again.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, due: Instant) -> Poll<()> {
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(due)));
        if sleep.deadline() > due || sleep.is_elapsed() {
            sleep.as_mut().reset(due);
        } else if self.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            return Poll::Pending;
        }
        // The timer does not register a task that has used up its budget.
        self.waker = has_budget_remaining().then(|| cx.waker().clone());
        sleep.as_mut().poll(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use std::pin::pin;
    use std::time::Duration;
    use tokio::task::coop::consume_budget;
    use tokio::time::timeout;

    const SECOND: Duration = Duration::from_secs(1);

    async fn rings(alarm: &mut Alarm, due: Instant) -> Duration {
        let start = Instant::now();
        timeout(10 * SECOND, poll_fn(|cx| alarm.poll(cx, due))).await.expect("an alarm");
        start.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn a_deadline_that_comes_nearer_is_kept() {
        let mut alarm = Alarm::default();
        let start = Instant::now();
        assert!(timeout(SECOND, poll_fn(|cx| alarm.poll(cx, start + 9 * SECOND))).await.is_err());
        assert_eq!(rings(&mut alarm, start + 3 * SECOND).await, 2 * SECOND);
        assert_eq!(rings(&mut alarm, start + 5 * SECOND).await, 2 * SECOND, "it is set again");
    }

    #[tokio::test(start_paused = true)]
    async fn a_deadline_that_moves_away_is_kept() {
        let mut alarm = Alarm::default();
        let start = Instant::now();
        assert!(timeout(SECOND, poll_fn(|cx| alarm.poll(cx, start + 3 * SECOND))).await.is_err());
        assert_eq!(rings(&mut alarm, start + 9 * SECOND).await, 8 * SECOND);
    }

    #[tokio::test(start_paused = true)]
    async fn another_task_that_waits_is_woken() {
        let mut alarm = Alarm::default();
        let due = Instant::now() + SECOND;
        assert!(alarm.poll(&mut Context::from_waker(Waker::noop()), due).is_pending());
        assert_eq!(rings(&mut alarm, due).await, SECOND);
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_without_budget_is_woken_too() {
        let mut alarm = Alarm::default();
        let due = Instant::now() + SECOND;
        let mut is_spent = false;
        let ring = poll_fn(|cx| {
            while !is_spent && has_budget_remaining() {
                let _ = pin!(consume_budget()).poll(cx);
            }
            is_spent = true;
            alarm.poll(cx, due)
        });
        timeout(10 * SECOND, ring).await.expect("an alarm");
    }
}
