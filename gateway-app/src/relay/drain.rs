//! When a client is gone, its upstream is still listened to for a while, so that what the provider
//! charges is known and not estimated.

use super::{exit::Client, within};
use crate::gateway::Parts;
use futures_util::future::{AbortHandle, AbortRegistration, Abortable, BoxFuture};
use gateway_ports::Timer;
use std::{
    collections::HashMap,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

/// Those that are listened to without their clients.
#[derive(Debug, Default)]
pub(crate) struct Listeners(Mutex<Places>);

#[derive(Debug, Default)]
struct Places {
    /// No more begin.
    closed: bool,
    taken: HashMap<u64, AbortHandle>,
    next: u64,
}

impl Listeners {
    /// Ends all of them, which settles their calls by what was seen, and lets no more begin.
    pub(crate) fn close(&self) {
        let mut places = self.places();
        places.closed = true;
        places.taken.values().for_each(AbortHandle::abort);
    }

    fn places(&self) -> MutexGuard<'_, Places> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place among those that may listen on at once; it is given back when it is dropped.
struct Place {
    parts: Arc<Parts>,
    number: u64,
}

impl Place {
    /// A place, if one is left, and what ends its work early.
    fn take(parts: &Arc<Parts>) -> Option<(Self, AbortRegistration)> {
        let mut places = parts.listeners.places();
        if places.closed || places.taken.len() >= parts.config.drain.at_once {
            return None;
        }
        let (handle, registration) = AbortHandle::new_pair();
        places.next += 1;
        let number = places.next;
        places.taken.insert(number, handle);
        drop(places);
        parts.observers.tell(gateway_ports::Observer::drain_began);
        Some((Self { parts: parts.clone(), number }, registration))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.parts.listeners.places().taken.remove(&self.number);
        self.parts.observers.tell(gateway_ports::Observer::drain_ended);
    }
}

/// Listens on in the background, if there is a place. Work that is not done in time is dropped,
/// which settles its call by what was seen.
pub(super) fn listen_on<T: Send + 'static>(
    parts: &Arc<Parts>,
    limit: Duration,
    work: impl Future<Output = T> + Send + 'static,
) {
    if limit.is_zero() {
        return;
    }
    let Some((place, registration)) = Place::take(parts) else {
        return;
    };
    let parts = parts.clone();
    let background = parts.runtime.background.clone();
    background.spawn(Box::pin(async move {
        let left = within(&parts, limit, Abortable::new(work, registration)).await;
        // In this order: an answer that begins now is listened to from the same place.
        drop(place);
        drop(left);
    }));
}

/// What is read for nobody before others have their turn.
const AT_A_STRETCH: u32 = 32;

/// Reading for nobody, which must not be all that happens: an upstream that is always faster would
/// let workerd come to nothing else, not to other requests, and not to the timer that ends this.
pub(super) struct Stretch {
    timer: Arc<dyn Timer>,
    read: u32,
}

impl Stretch {
    pub(super) fn new(parts: &Parts) -> Self {
        Self { timer: parts.runtime.timer.clone(), read: 0 }
    }

    pub(super) async fn one_more(&mut self) {
        self.read = self.read.wrapping_add(1);
        if self.read.is_multiple_of(AT_A_STRETCH) {
            self.timer.sleep(Duration::ZERO).await;
        }
    }
}

/// A call before its answer has begun. Dropped there, it goes on in the background.
pub(super) struct Outliving<T: Send + 'static> {
    parts: Arc<Parts>,
    client: Arc<Client>,
    work: Option<BoxFuture<'static, T>>,
}

impl<T: Send + 'static> Outliving<T> {
    pub(super) fn new(parts: Arc<Parts>, client: Arc<Client>, work: BoxFuture<'static, T>) -> Self {
        Self { parts, client, work: Some(work) }
    }
}

impl<T: Send + 'static> Future for Outliving<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        // It moves out, so that work that panics is dropped while it panics, and does not go on.
        let Some(mut work) = self.work.take() else {
            return Poll::Pending;
        };
        let polled = work.as_mut().poll(context);
        if polled.is_pending() {
            self.work = Some(work);
        }
        polled
    }
}

impl<T: Send + 'static> Drop for Outliving<T> {
    fn drop(&mut self) {
        if let Some(work) = self.work.take() {
            self.client.leave();
            listen_on(&self.parts, self.parts.config.drain.before_answer, work);
        }
    }
}
