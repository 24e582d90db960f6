//! How many calls may be tried on another channel, over the whole process: when everything fails,
//! trying again must not be what keeps it failing.

use crate::Timestamp;
use std::time::Duration;

/// How much may be tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryRules {
    /// So many for a hundred calls,
    pub percent: u32,
    /// and so many a second besides.
    pub per_second: u32,
}

impl Default for RetryRules {
    fn default() -> Self {
        Self { percent: 20, per_second: 10 }
    }
}

/// What is left of it, as a bucket that a second's worth fits into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryBudget {
    rules: RetryRules,
    /// Thousandths of a retry.
    left: u64,
    at: Timestamp,
}

/// Thousandths of a retry.
const ONE: u64 = 1000;
/// Calls do not come in order of their times, but nearly. What is further back than this is a clock
/// that was set back.
const ORDER: Duration = Duration::from_secs(5);
/// What fits into the bucket at least, so that it is worth something where nothing comes by time.
const LEAST: u64 = 10 * ONE;

impl RetryBudget {
    /// A second's worth to begin with.
    pub fn new(rules: RetryRules) -> Self {
        Self { rules, left: u64::from(rules.per_second) * ONE, at: Timestamp::default() }
    }

    /// A call came.
    pub fn deposit(&mut self, now: Timestamp) {
        self.refill(now);
        self.left += u64::from(self.rules.percent) * (ONE / 100);
        self.cap();
    }

    /// Takes one retry, if one is left.
    pub fn take(&mut self, now: Timestamp) -> bool {
        self.refill(now);
        match self.left.checked_sub(ONE) {
            Some(left) => {
                self.left = left;
                true
            }
            None => false,
        }
    }

    fn refill(&mut self, now: Timestamp) {
        let passed = u64::try_from(now.since(self.at).as_millis()).unwrap_or(u64::MAX);
        if now > self.at || self.at.since(now) > ORDER {
            self.at = now;
        }
        self.left = self.left.saturating_add(passed.saturating_mul(self.rules.per_second.into()));
        self.cap();
    }

    fn cap(&mut self) {
        self.left = self.left.min((u64::from(self.rules.per_second) * ONE).max(LEAST));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millis(1_000_000 + ms)
    }

    #[test]
    fn a_thousand_failing_calls_make_no_storm() {
        let mut budget = RetryBudget::new(RetryRules::default());
        let mut retries = 0;
        for call in 0..1000 {
            // A hundred calls a second, each of which would be tried twice more.
            budget.deposit(at(call * 10));
            retries += u32::from(budget.take(at(call * 10)));
            retries += u32::from(budget.take(at(call * 10)));
        }
        assert!((300..=310).contains(&retries), "{retries}");
    }

    #[test]
    fn a_lone_call_has_its_retries() {
        let mut budget = RetryBudget::new(RetryRules::default());
        for second in 0..100 {
            budget.deposit(at(second * 1000));
            assert!(budget.take(at(second * 1000)) && budget.take(at(second * 1000)));
        }
    }

    #[test]
    fn no_time_counts_twice_and_a_clock_that_is_set_back_goes_on_from_there() {
        let mut budget = RetryBudget::new(RetryRules { percent: 0, per_second: 10 });
        while budget.take(at(10_000)) {}
        for late in [9_000, 10_000, 8_000, 10_000] {
            budget.deposit(at(late));
            assert!(!budget.take(at(late)), "{late}");
        }
        budget.deposit(at(1_000));
        assert!(budget.take(at(1_100)) && !budget.take(at(1_100)));
    }

    #[test]
    fn without_time_there_is_the_calls_share() {
        let mut budget = RetryBudget::new(RetryRules { percent: 20, per_second: 0 });
        let taken: Vec<bool> = (0..10)
            .map(|call| {
                budget.deposit(at(call * 1000));
                budget.take(at(call * 1000))
            })
            .collect();
        assert_eq!(taken.iter().filter(|taken| **taken).count(), 2);
        assert!(!RetryBudget::new(RetryRules { percent: 0, per_second: 0 }).take(at(0)));
    }

    proptest! {
        #[test]
        fn no_stretch_of_time_has_more_than_its_share(
            steps in prop::collection::vec((0i64..500, 0u8..3), 1..400),
        ) {
            let mut budget = RetryBudget::new(RetryRules::default());
            let mut now = 0;
            // Every stretch that begins at a step, whatever went before.
            let mut stretches: Vec<(i64, u64, u64)> = Vec::new();
            for (passed, tries) in steps {
                now += passed;
                stretches.push((now, 0, 0));
                budget.deposit(at(now));
                let taken = (0..tries).filter(|_| budget.take(at(now))).count() as u64;
                for (since, calls, retries) in &mut stretches {
                    *calls += 1;
                    *retries += taken;
                    let passed = u64::try_from(now - *since).unwrap();
                    let most = 10_000 + 10 * passed + 200 * *calls;
                    prop_assert!(*retries * 1000 <= most, "{retries} of {calls} in {passed} ms");
                }
            }
        }
    }
}
