//! The rate that a principal shares among all its connections.
//!
//! Each connection has the whole rate as its own limit, and reports here what has passed. It then waits until what all
//! of them have used is paid for, so each has its turn after those that had theirs before. An idle connection takes no
//! part, and a new one waits for the debts of the others.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bowline_core::Instant;
use bowline_core::transfer::Passed;
use bowline_store::Principal;

/// What each principal has used.
#[derive(Clone, Debug, Default)]
pub(super) struct Rates {
    debts: Arc<Mutex<BTreeMap<Principal, Debt>>>,
}

/// When it will be paid, in each direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Debt {
    pub(super) sending: Instant,
    pub(super) receiving: Instant,
}

/// One connection's part in its principal's rate.
#[derive(Debug)]
pub(super) struct Part {
    rates: Rates,
    principal: Principal,
    bytes_per_second: u64,
    /// How much has been paid for.
    passed: Passed,
}

impl Rates {
    /// Joins this principal's rate, and returns what others have used of it.
    pub(super) fn join(&self, now: Instant, principal: &Principal, bytes_per_second: u64) -> (Part, Debt) {
        let mut debts = self.debts.lock().unwrap_or_else(PoisonError::into_inner);
        debts.retain(|_, debt| debt.sending.max(debt.receiving) > now);
        let debt = debts.get(principal).copied().unwrap_or_default();
        let (rates, principal, passed) = (self.clone(), principal.clone(), Passed::default());
        (Part { rates, principal, bytes_per_second: bytes_per_second.max(1), passed }, debt)
    }
}

impl Part {
    /// This much has passed on the connection. Returns until when it must wait, if that has changed.
    pub(super) fn pay(&mut self, now: Instant, passed: Passed) -> Option<Debt> {
        if passed == self.passed {
            return None;
        }
        let sent = self.time_for(passed.sent.saturating_sub(self.passed.sent));
        let allowed = self.time_for(passed.allowed.saturating_sub(self.passed.allowed));
        self.passed = passed;
        let mut debts = self.rates.debts.lock().unwrap_or_else(PoisonError::into_inner);
        let debt = debts.entry(self.principal.clone()).or_default();
        // Nothing was used: idle time is not saved up, and the other direction is unaffected.
        if !sent.is_zero() {
            debt.sending = debt.sending.max(now) + sent;
        }
        if !allowed.is_zero() {
            debt.receiving = debt.receiving.max(now) + allowed;
        }
        Some(*debt)
    }

    fn time_for(&self, bytes: u64) -> Duration {
        let nanos = u128::from(bytes) * 1_000_000_000 / u128::from(self.bytes_per_second);
        Duration::from_nanos(nanos.try_into().unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn principal(name: &str) -> Principal {
        Principal::named(name).expect("short")
    }

    fn sent(sent: u64) -> Passed {
        Passed { sent, ..Passed::default() }
    }

    #[test]
    fn a_connection_waits_for_what_another_has_used() {
        let (rates, alice) = (Rates::default(), principal("alice"));
        let (mut first, _) = rates.join(Instant::ZERO, &alice, 1000);
        let (mut second, debt) = rates.join(Instant::ZERO, &alice, 1000);
        assert_eq!(debt, Debt::default());
        let sending = |debt: Option<Debt>| debt.map(|debt| debt.sending);
        assert_eq!(sending(first.pay(Instant::ZERO, sent(500))), Some(Instant::from_millis(500)));
        assert_eq!(sending(second.pay(Instant::ZERO, sent(250))), Some(Instant::from_millis(750)));
        assert_eq!(first.pay(Instant::from_millis(600), sent(500)), None, "nothing more has passed");
        let allowed = first.pay(Instant::from_millis(600), Passed { sent: 500, allowed: 100 });
        let expected = Debt { sending: Instant::from_millis(750), receiving: Instant::from_millis(700) };
        assert_eq!(allowed, Some(expected), "each direction has the whole rate");
    }

    #[test]
    fn a_principal_that_returns_waits_for_its_earlier_use_and_others_do_not() {
        let (rates, alice) = (Rates::default(), principal("alice"));
        let (mut first, _) = rates.join(Instant::ZERO, &alice, 1000);
        first.pay(Instant::ZERO, sent(3000));
        drop(first);
        let debt = |name, at| rates.join(Instant::from_secs(at), &principal(name), 1000).1.sending;
        assert_eq!(debt("alice", 1), Instant::from_secs(3));
        assert_eq!(debt("bob", 1), Instant::ZERO);
        assert_eq!(debt("alice", 3), Instant::ZERO);
        assert!(rates.debts.lock().expect("no panic").is_empty(), "and nobody remembers it");
    }
}
