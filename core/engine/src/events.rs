//! What the outside pulls, in order.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jmrtc_call::Event;
use jmrtc_protocol::Failure;
use log::warn;
use serde_json::Value;
use tokio::sync::Notify;

/// Items that wait to be pulled. An app that does not pull loses the oldest first: what is left at the
/// end is the newest, and `getState` tells the rest.
const CAPACITY: usize = 1024;

/// What the app is told. Answers and events are one line: whoever takes them from it has them in the order in which
/// the machine gave them.
#[derive(Debug, Clone, PartialEq)]
#[allow(clippy::large_enum_variant)]
pub enum Message {
    /// The answer to a method call; exactly one for each.
    Reply {
        /// As given to [`crate::Engine::command`].
        id: String,
        /// What the success or the failure callback gets.
        result: Result<Value, Failure>,
    },
    /// An event.
    Event(Event),
}

impl Message {
    /// An answer is owed; an event that nobody pulls is not.
    pub(crate) const fn may_be_lost(&self) -> bool {
        match self {
            Self::Reply { .. } => false,
            Self::Event(_) => true,
        }
    }
}

/// An ordered queue with one consumer.
pub(crate) struct Queue<T> {
    state: Mutex<State<T>>,
    wake: Notify,
    may_be_lost: fn(&T) -> bool,
}

struct State<T> {
    items: VecDeque<T>,
    closed: bool,
}

impl<T> Queue<T> {
    pub(crate) fn new(may_be_lost: fn(&T) -> bool) -> Arc<Self> {
        let state = State { items: VecDeque::new(), closed: false };
        Arc::new(Self { state: Mutex::new(state), wake: Notify::new(), may_be_lost })
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// False when it is closed.
    pub(crate) fn push(&self, item: T) -> bool {
        let mut state = self.lock();
        if state.closed {
            return false;
        }
        if state.items.len() >= CAPACITY {
            warn!("nobody pulls: the oldest of {CAPACITY} items is dropped");
            if let Some(oldest) = state.items.iter().position(self.may_be_lost) {
                state.items.remove(oldest);
            }
        }
        state.items.push_back(item);
        drop(state);
        self.wake.notify_one();
        true
    }

    /// No more items; those that wait can still be pulled.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.wake.notify_one();
    }

    /// The next item; `None` when closed and empty. May be dropped and called again without loss.
    pub(crate) async fn next(&self) -> Option<T> {
        loop {
            {
                let mut state = self.lock();
                if let Some(item) = state.items.pop_front() {
                    return Some(item);
                }
                if state.closed {
                    // For whoever else waits.
                    self.wake.notify_one();
                    return None;
                }
            }
            self.wake.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn poll<T>(queue: &Queue<T>) -> Poll<Option<T>> {
        let future = std::pin::pin!(queue.next());
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn items_come_in_order_and_the_end_last() {
        let queue = Queue::new(|_| true);
        assert!(queue.push(1));
        assert!(queue.push(2));
        queue.close();
        assert!(!queue.push(3));
        assert_eq!(poll(&queue), Poll::Ready(Some(1)));
        assert_eq!(poll(&queue), Poll::Ready(Some(2)));
        assert_eq!(poll(&queue), Poll::Ready(None));
        assert_eq!(poll(&queue), Poll::Ready(None));
    }

    #[test]
    fn the_oldest_that_may_be_lost_goes_when_nobody_pulls() {
        let queue = Queue::new(|item: &usize| *item > 0);
        for item in 0..CAPACITY + 2 {
            queue.push(item);
        }
        assert_eq!(poll(&queue), Poll::Ready(Some(0)), "an answer");
        assert_eq!(poll(&queue), Poll::Ready(Some(3)));
        assert_eq!(queue.lock().items.len(), CAPACITY - 2);
    }

    #[tokio::test]
    async fn a_waiting_consumer_is_woken() {
        let queue = Queue::new(|_| true);
        let consumer = tokio::spawn({
            let queue = queue.clone();
            async move { (queue.next().await, queue.next().await) }
        });
        tokio::task::yield_now().await;
        queue.push(7);
        queue.close();
        assert_eq!(consumer.await.unwrap(), (Some(7), None));
    }
}
