//! A future that is polled only once it has called: one that waits beside a busy one for as long as a connection lives.
//!
//! A task is woken for every read and write; what it waits for besides, a drain, is looked at each time although nothing
//! has come of it. Looking at a cancellation takes two locks that all connections share.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

/// Polls `F` once, and then when its own waker was called.
#[derive(Debug)]
pub(crate) struct WhenWoken<F> {
    inner: F,
    bell: Option<Arc<Bell>>,
}

#[derive(Debug)]
struct Bell {
    has_rung: AtomicBool,
    task: Waker,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // Before the task is woken: it looks at nothing else.
        self.has_rung.store(true, Ordering::Release);
        self.task.wake_by_ref();
    }
}

impl<F> WhenWoken<F> {
    pub(crate) fn new(inner: F) -> Self {
        Self { inner, bell: None }
    }
}

impl<F: Future + Unpin> Future for WhenWoken<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.get_mut();
        let bell = match &this.bell {
            Some(bell) if bell.task.will_wake(context.waker()) => {
                // What rings from now on is heard the next time.
                if !bell.has_rung.load(Ordering::Acquire) || !bell.has_rung.swap(false, Ordering::AcqRel) {
                    return Poll::Pending;
                }
                Arc::clone(bell)
            }
            _ => {
                let bell = Bell { has_rung: AtomicBool::new(false), task: context.waker().clone() };
                Arc::clone(this.bell.insert(Arc::new(bell)))
            }
        };
        Pin::new(&mut this.inner).poll(&mut Context::from_waker(&Waker::from(bell)))
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::pin::pin;

    use tokio_util::sync::CancellationToken;

    use super::*;

    #[test]
    fn it_is_polled_as_often_as_it_calls_and_once_for_each_task() {
        let mut polls = 0;
        let mut inner_waker = None;
        let mut waiting = WhenWoken::new(poll_fn(|context| {
            polls += 1;
            inner_waker = Some(context.waker().clone());
            if polls == 3 { Poll::Ready(()) } else { Poll::Pending }
        }));
        let [task, other] = [(); 2].map(|()| {
            Waker::from(Arc::new(Bell { has_rung: AtomicBool::new(false), task: Waker::noop().clone() }))
        });
        let mut context = Context::from_waker(&task);
        for _ in 0..5 {
            assert!(Pin::new(&mut waiting).poll(&mut context).is_pending());
        }
        // Another task: the call must reach that one.
        let mut other = Context::from_waker(&other);
        for _ in 0..5 {
            assert!(Pin::new(&mut waiting).poll(&mut other).is_pending());
        }
        waiting.bell.as_ref().unwrap().wake_by_ref();
        assert!(Pin::new(&mut waiting).poll(&mut other).is_ready());
        drop(waiting);
        assert_eq!(polls, 3);
        assert!(inner_waker.is_some());
    }

    #[tokio::test]
    async fn a_cancellation_is_heard_from_another_thread() {
        for _ in 0..200 {
            let token = CancellationToken::new();
            let cancels = std::thread::spawn({
                let token = token.clone();
                move || token.cancel()
            });
            let cancelled = pin!(token.cancelled());
            let mut cancelled = WhenWoken::new(cancelled);
            tokio::select! {
                () = &mut cancelled => {}
                () = async { loop { tokio::task::yield_now().await } } => {}
            }
            cancels.join().unwrap();
        }
    }
}
