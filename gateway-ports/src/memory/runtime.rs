//! A runtime that a test steers: time moves when told to, chance repeats, tasks wait.

use crate::{Background, Clock, Entropy, PasswordHasher, Timer};
use async_trait::async_trait;
use futures_util::future::{BoxFuture, join_all, pending, poll_fn};
use gateway_domain::Timestamp;
use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    task::{Poll, Waker},
    time::Duration,
};

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A clock that stands still until it is moved, and a timer that goes by it. Clones are one clock.
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<Mutex<Instant>>);

#[derive(Debug)]
struct Instant {
    now: Timestamp,
    waiting: Vec<Waker>,
}

impl ManualClock {
    /// A clock that shows this time.
    pub fn at(now: Timestamp) -> Self {
        let waiting = Vec::new();
        Self(Arc::new(Mutex::new(Instant { now, waiting })))
    }

    /// Moves the time, and wakes whoever waited for it.
    pub fn advance(&self, by: Duration) {
        let waiting = {
            let mut instant = lock(&self.0);
            instant.now = instant.now.plus(by);
            std::mem::take(&mut instant.waiting)
        };
        waiting.into_iter().for_each(Waker::wake);
    }
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::at(Timestamp::from_millis(1_700_000_000_000))
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        lock(&self.0).now
    }
}

impl Timer for ManualClock {
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let clock = self.clone();
        let end = self.now().plus(duration);
        Box::pin(poll_fn(move |context| {
            let mut instant = lock(&clock.0);
            if end <= instant.now {
                return Poll::Ready(());
            }
            instant.waiting.push(context.waker().clone());
            Poll::Pending
        }))
    }
}

/// A timer that never fires.
#[derive(Clone, Copy, Debug, Default)]
pub struct NeverTimer;

impl Timer for NeverTimer {
    fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
        Box::pin(pending())
    }
}

/// Bytes that look random and are the same in every run. Never for secrets.
#[derive(Debug, Default)]
pub struct SeededEntropy(AtomicU64);

impl SeededEntropy {
    /// The bytes of this seed.
    pub fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    /// The next number (`SplitMix64`).
    fn next(&self) -> u64 {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut z = self.0.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

impl Entropy for SeededEntropy {
    fn bytes(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        for chunk in bytes.chunks_exact_mut(8) {
            chunk.copy_from_slice(&self.next().to_le_bytes());
        }
        bytes
    }
}

/// Tasks that wait until the test runs them. Clones share them.
#[derive(Clone, Default)]
pub struct CollectedTasks(Arc<Mutex<Vec<BoxFuture<'static, ()>>>>);

impl CollectedTasks {
    /// Runs everything that was spawned, and what that spawned, to its end.
    pub async fn run(&self) {
        loop {
            let tasks = std::mem::take(&mut *lock(&self.0));
            if tasks.is_empty() {
                return;
            }
            join_all(tasks).await;
        }
    }

    /// How many tasks wait.
    pub fn len(&self) -> usize {
        lock(&self.0).len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Background for CollectedTasks {
    fn spawn(&self, task: BoxFuture<'static, ()>) {
        lock(&self.0).push(task);
    }
}

/// Passwords in plain text behind a mark. Never outside of tests.
#[derive(Clone, Copy, Debug, Default)]
pub struct PlainHasher;

#[async_trait]
impl PasswordHasher for PlainHasher {
    async fn hash(&self, password: String) -> Option<String> {
        Some(format!("plain:{password}"))
    }

    async fn verify(&self, password: String, hash: Option<String>) -> Option<bool> {
        Some(hash.is_some_and(|hash| hash.strip_prefix("plain:") == Some(&password)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[test]
    fn a_sleeper_wakes_when_the_clock_is_moved_far_enough() {
        let clock = ManualClock::default();
        let mut sleep = clock.sleep(Duration::from_secs(10));
        assert_eq!((&mut sleep).now_or_never(), None);
        clock.advance(Duration::from_secs(9));
        assert_eq!((&mut sleep).now_or_never(), None);
        clock.advance(Duration::from_secs(1));
        assert_eq!((&mut sleep).now_or_never(), Some(()));
        assert_eq!(NeverTimer.sleep(Duration::ZERO).now_or_never(), None);
    }

    #[test]
    fn seeded_bytes_differ_and_repeat() {
        let (one, other) = (SeededEntropy::new(1), SeededEntropy::new(1));
        let first = one.bytes();
        assert_ne!(first, one.bytes());
        assert_eq!(first, other.bytes());
        assert_ne!(first, SeededEntropy::new(2).bytes());
    }

    #[test]
    fn tasks_run_when_asked_and_so_do_those_they_spawn() {
        let tasks = CollectedTasks::default();
        let inner = tasks.clone();
        let done = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&done);
        tasks.spawn(Box::pin(async move {
            inner.spawn(Box::pin(async move {
                counted.fetch_add(1, Ordering::Relaxed);
            }));
        }));
        assert_eq!((tasks.len(), done.load(Ordering::Relaxed)), (1, 0));
        assert_eq!(tasks.run().now_or_never(), Some(()));
        assert_eq!(done.load(Ordering::Relaxed), 1);
        assert!(tasks.is_empty());
    }
}
