//! What the outside pulls, in order.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use log::warn;
use tokio::sync::Notify;

/// Items that wait to be pulled. An app that does not pull loses the oldest first: what is left at the
/// end is the newest, and `getState` tells the rest.
const CAPACITY: usize = 1024;

/// An ordered queue with one consumer. A [`Barrier`] in it holds back what comes after.
pub(crate) struct Queue<T> {
    state: Mutex<State<T>>,
    wake: Notify,
}

struct State<T> {
    entries: VecDeque<Entry<T>>,
    items: usize,
    closed: bool,
}

enum Entry<T> {
    Item(T),
    Barrier(Arc<AtomicBool>),
}

impl<T> Entry<T> {
    fn is_passed(&self) -> bool {
        match self {
            Self::Item(_) => false,
            Self::Barrier(passed) => passed.load(Ordering::Acquire),
        }
    }
}

impl<T> Queue<T> {
    pub(crate) fn new() -> Arc<Self> {
        let state = State { entries: VecDeque::new(), items: 0, closed: false };
        Arc::new(Self { state: Mutex::new(state), wake: Notify::new() })
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn push(&self, item: T) {
        let mut state = self.lock();
        if state.closed {
            return;
        }
        if state.items == CAPACITY {
            warn!("nobody pulls: the oldest of {CAPACITY} items is dropped");
            if let Some(oldest) = state.entries.iter().position(|e| matches!(e, Entry::Item(_))) {
                state.entries.remove(oldest);
                state.items -= 1;
            }
        }
        state.items += 1;
        state.entries.push_back(Entry::Item(item));
        drop(state);
        self.wake.notify_one();
    }

    /// Holds back everything pushed from now on until the barrier is dropped. This is how the answer of
    /// a method reaches its caller before any event that it causes.
    pub(crate) fn barrier(self: &Arc<Self>) -> Barrier<T> {
        let passed = Arc::new(AtomicBool::new(false));
        let mut state = self.lock();
        while state.entries.back().is_some_and(Entry::is_passed) {
            state.entries.pop_back();
        }
        state.entries.push_back(Entry::Barrier(passed.clone()));
        Barrier { queue: self.clone(), passed }
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
                while state.entries.front().is_some_and(Entry::is_passed) {
                    state.entries.pop_front();
                }
                match state.entries.pop_front() {
                    Some(Entry::Item(item)) => {
                        state.items -= 1;
                        return Some(item);
                    }
                    Some(barrier @ Entry::Barrier(_)) => state.entries.push_front(barrier),
                    None if state.closed => {
                        // For whoever else waits.
                        self.wake.notify_one();
                        return None;
                    }
                    None => {}
                }
            }
            self.wake.notified().await;
        }
    }
}

/// See [`Queue::barrier`].
pub(crate) struct Barrier<T> {
    queue: Arc<Queue<T>>,
    passed: Arc<AtomicBool>,
}

impl<T> Drop for Barrier<T> {
    fn drop(&mut self) {
        self.passed.store(true, Ordering::Release);
        self.queue.wake.notify_one();
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
        let queue = Queue::new();
        queue.push(1);
        queue.push(2);
        queue.close();
        queue.push(3);
        assert_eq!(poll(&queue), Poll::Ready(Some(1)));
        assert_eq!(poll(&queue), Poll::Ready(Some(2)));
        assert_eq!(poll(&queue), Poll::Ready(None));
        assert_eq!(poll(&queue), Poll::Ready(None));
    }

    #[test]
    fn a_barrier_holds_back_what_was_pushed_after_it() {
        let queue = Queue::new();
        queue.push(1);
        let barrier = queue.barrier();
        queue.push(2);
        assert_eq!(poll(&queue), Poll::Ready(Some(1)));
        assert_eq!(poll(&queue), Poll::Pending);
        drop(barrier);
        assert_eq!(poll(&queue), Poll::Ready(Some(2)));
    }

    #[test]
    fn passed_barriers_do_not_pile_up() {
        let queue = Queue::<u8>::new();
        for _ in 0..10_000 {
            drop(queue.barrier());
        }
        assert!(queue.lock().entries.len() <= 1);
    }

    #[test]
    fn the_oldest_item_goes_when_nobody_pulls() {
        let queue = Queue::new();
        let barrier = queue.barrier();
        for i in 0..CAPACITY + 2 {
            queue.push(i);
        }
        drop(barrier);
        assert_eq!(poll(&queue), Poll::Ready(Some(2)));
        assert_eq!(queue.lock().items, CAPACITY - 1);
    }

    #[tokio::test]
    async fn a_waiting_consumer_is_woken() {
        let queue = Queue::new();
        let consumer = tokio::spawn({
            let queue = queue.clone();
            async move { (queue.next().await, queue.next().await) }
        });
        tokio::task::yield_now().await;
        let barrier = queue.barrier();
        queue.push(7);
        drop(barrier);
        queue.close();
        assert_eq!(consumer.await.unwrap(), (Some(7), None));
    }
}
