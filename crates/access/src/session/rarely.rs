//! A future that seldom has anything to say, beside others that often do: it is polled when it asked to be, and
//! otherwise costs a look at a flag.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering::AcqRel, Ordering::Release};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

/// The future, and what it rings.
pub struct Rarely<'a, T> {
    future: Pin<Box<dyn Future<Output = T> + Send + 'a>>,
    bell: Arc<Bell>,
}

#[derive(Debug)]
struct Bell {
    rung: AtomicBool,
    /// The task that polls; it is the same one from the first time to the last.
    task: Mutex<Option<Waker>>,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.rung.store(true, Release);
        if let Some(task) = &*self.task.lock().unwrap_or_else(PoisonError::into_inner) {
            task.wake_by_ref();
        }
    }
}

impl<'a, T> Rarely<'a, T> {
    /// Polled for the first time when this is.
    pub fn new(future: impl Future<Output = T> + Send + 'a) -> Self {
        let bell = Bell { rung: AtomicBool::new(true), task: Mutex::new(None) };
        Self { future: Box::pin(future), bell: Arc::new(bell) }
    }

    /// As a future is polled, by one task.
    pub fn poll(&mut self, context: &Context<'_>) -> Poll<T> {
        if !self.bell.rung.swap(false, AcqRel) {
            return Poll::Pending;
        }
        *self.bell.task.lock().unwrap_or_else(PoisonError::into_inner) = Some(context.waker().clone());
        let waker = Waker::from(Arc::clone(&self.bell));
        self.future.as_mut().poll(&mut Context::from_waker(&waker))
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn it_is_polled_when_it_rings() {
        let (say, said) = oneshot::channel();
        let polled = AtomicU32::new(0);
        let mut said = Box::pin(said);
        let mut rarely = Rarely::new(poll_fn(|context| {
            polled.fetch_add(1, Relaxed);
            said.as_mut().poll(context)
        }));
        poll_fn(|context| {
            for _ in 0..3 {
                assert!(rarely.poll(context).is_pending());
            }
            Poll::Ready(())
        })
        .await;
        assert_eq!(polled.load(Relaxed), 1);
        let telling = tokio::spawn(async move { say.send(7) });
        let heard = poll_fn(|context| rarely.poll(context)).await;
        assert_eq!((heard, telling.await.unwrap()), (Ok(7), Ok(())));
        assert_eq!(polled.load(Relaxed), 2);
    }
}
