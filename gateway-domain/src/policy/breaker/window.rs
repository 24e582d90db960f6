//! The share of calls that failed in the last minute, in steps of ten seconds.

use crate::Timestamp;

const STEP_MS: i64 = 10_000;
const STEPS: usize = 6;

/// Calls of the last minute.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Window([Step; STEPS]);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Step {
    number: i64,
    calls: u32,
    failed: u32,
}

impl Window {
    /// A call ended.
    pub(super) fn count(&mut self, failed: bool, now: Timestamp) {
        let number = now.as_millis() / STEP_MS;
        let slot = usize::try_from(number).unwrap_or(0) % STEPS;
        if let Some(step) = self.0.get_mut(slot) {
            if step.number != number {
                *step = Step { number, ..Step::default() };
            }
            step.calls = step.calls.saturating_add(1);
            step.failed = step.failed.saturating_add(u32::from(failed));
        }
    }

    /// Whether of at least four times so many calls half failed.
    pub(super) fn is_bad(&self, now: Timestamp, failures: u32) -> bool {
        let last = now.as_millis() / STEP_MS;
        let first = last - i64::try_from(STEPS).unwrap_or(0) + 1;
        let recent = self.0.iter().filter(|step| (first..=last).contains(&step.number));
        let (calls, failed) = recent.fold((0u64, 0u64), |(calls, failed), step| {
            (calls + u64::from(step.calls), failed + u64::from(step.failed))
        });
        calls >= 4 * u64::from(failures) && 2 * failed >= calls
    }
}
