//! How much of a probe's time was our own: waiting for a thread, and running.
//!
//! A timeout says something about the endpoint only if we were there to hear it. With thousands of TLS handshakes at once,
//! or a neighbour that eats the processor, a probe's task waits in the runtime's queue with its answer in the socket.
//! Measured on one core, 4000 HTTPS targets with a timeout of 500 ms: without this, 773 healthy ones were Down after the
//! first round.
//!
//! ```text
//!   poll ▓▓▓▓┄┄┄┄┄┄┄┄┄┄┄┄wake────▓▓▓▓▓┄┄┄┄┄┄wake──▓▓ ready
//!        ours   theirs       ours       theirs   ours
//! ```
//!
//! Who is stopped, or has used up his share of the processor, is not even woken: the thread that would hear of the answer stands still
//! as well. So the future is woken now and then for nothing, and what a wake-up comes later than that is ours, too. Measured with a
//! tenth of a processor in pieces of 50 ms and a timeout of 400 ms: without this, half of the probes that ran out of time were held
//! against endpoints that had answered after 20 ms.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use tokio::time::{Sleep, sleep};

/// A future is woken for nothing no more often than this: timers are exact to a millisecond, and a busy machine's to some.
const LEAST_TICK: Duration = Duration::from_millis(20);

/// A future that also tells how long it took and how much of that was ours.
pub(super) struct Lagged<F> {
    future: Pin<Box<F>>,
    bell: Arc<Bell>,
    /// Wakes it for nothing, so often.
    ticker: Pin<Box<Sleep>>,
    tick: Duration,
    start: Instant,
    /// When the last poll ended; nothing before the first one.
    idle_since: Option<Instant>,
    /// Time between a poll and the wake-up that followed it.
    theirs: Duration,
}

/// The time a future took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spent {
    /// From its making to its end.
    pub(super) total: Duration,
    /// The part of it in which there was something for us to do.
    pub(super) ours: Duration,
}

/// Notes when the future was woken, and passes it on.
#[derive(Default)]
struct Bell {
    rung: Mutex<Rung>,
}

#[derive(Default)]
struct Rung {
    /// The first wake-up since the last poll.
    at: Option<Instant>,
    /// Who is to be woken; taken by that first wake-up.
    waker: Option<Waker>,
}

impl<F: Future> Lagged<F> {
    /// Starts the clock. A pause of ours is noticed if it is longer than `tick`.
    pub(super) fn new(future: F, tick: Duration) -> Self {
        let (start, tick) = (Instant::now(), tick.max(LEAST_TICK));
        let (future, bell, ticker) = (Box::pin(future), Arc::default(), Box::pin(sleep(tick)));
        Self { future, bell, ticker, tick, start, idle_since: None, theirs: Duration::ZERO }
    }

    /// Listens for the next tick. Whenever it is not the first poll, the one before has set it.
    fn wind(&mut self, cx: &mut Context<'_>) {
        while self.ticker.as_mut().poll(cx).is_ready() {
            let next = tokio::time::Instant::now().checked_add(self.tick);
            let Some(next) = next else { return };
            self.ticker.as_mut().reset(next);
        }
    }

    fn spent(&self) -> Spent {
        let total = self.start.elapsed();
        Spent { total, ours: total.saturating_sub(self.theirs) }
    }
}

impl<F: Future> Future for Lagged<F> {
    type Output = (F::Output, Spent);

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let rung = self.bell.answer(cx.waker());
        if let Some(idle_since) = self.idle_since {
            // Polled without a ring, for the sake of a neighbour in the same task, we had nothing to do until now.
            let until = rung.unwrap_or_else(Instant::now).min(self.ticker.deadline().into_std());
            let theirs = until.saturating_duration_since(idle_since);
            self.theirs = self.theirs.saturating_add(theirs);
        }
        let bell = Waker::from(Arc::clone(&self.bell));
        let mut cx_of_bell = Context::from_waker(&bell);
        let polled = self.future.as_mut().poll(&mut cx_of_bell);
        if polled.is_pending() {
            self.wind(&mut cx_of_bell);
        }
        self.idle_since = Some(Instant::now());
        polled.map(|output| (output, self.spent()))
    }
}

impl Bell {
    /// Takes the time of the wake-up that led here, and listens for the next one.
    fn answer(&self, waker: &Waker) -> Option<Instant> {
        let mut rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        rung.waker = Some(waker.clone());
        rung.at.take()
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let waker = {
            let mut rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
            rung.at.get_or_insert_with(Instant::now);
            rung.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_millis(400);
    const SHORT: Duration = Duration::from_millis(300);
    const TICK: Duration = Duration::from_millis(50);

    #[tokio::test]
    async fn waiting_for_others_is_not_ours() {
        let waiting = async {
            tokio::time::sleep(LONG).await;
            7
        };
        let (output, spent) = Lagged::new(waiting, TICK).await;
        assert_eq!(output, 7);
        assert!(spent.total >= LONG && spent.total - spent.ours >= SHORT, "{spent:?}");
    }

    #[tokio::test]
    async fn being_polled_for_a_neighbours_sake_is_not_ours() {
        let mut lagged = Lagged::new(tokio::time::sleep(LONG), TICK);
        let mut ticks = tokio::time::interval(LONG / 20);
        let (_, spent) = loop {
            let polled = std::future::poll_fn(|cx| {
                // The neighbour's tick wakes the task; the lagged future is polled with it.
                let _ = ticks.poll_tick(cx);
                Poll::Ready(Pin::new(&mut lagged).poll(cx))
            });
            match polled.await {
                Poll::Ready(done) => break done,
                Poll::Pending => drop(ticks.tick().await),
            }
        };
        assert!(spent.total >= LONG && spent.total - spent.ours >= SHORT, "{spent:?}");
    }

    #[tokio::test]
    async fn running_is_ours() {
        let (_, spent) = Lagged::new(async { std::thread::sleep(LONG) }, TICK).await;
        assert!(spent.ours >= LONG, "{spent:?}");
    }

    /// One thread: while the other task holds it, the woken one waits.
    #[tokio::test(flavor = "current_thread")]
    async fn waiting_for_a_thread_is_ours() {
        let (ring, rung) = tokio::sync::oneshot::channel();
        let waiting = tokio::spawn(Lagged::new(rung, TICK));
        tokio::task::yield_now().await;
        ring.send(()).unwrap();
        std::thread::sleep(LONG);
        let (_, spent) = waiting.await.unwrap();
        assert!(spent.ours >= SHORT, "{spent:?}");
    }

    /// As after SIGSTOP, or without a share of the processor: what would have woken it stands still, too.
    #[tokio::test(flavor = "current_thread")]
    async fn standing_still_is_ours() {
        let waiting = tokio::spawn(Lagged::new(tokio::time::sleep(2 * TICK), TICK));
        tokio::task::yield_now().await;
        std::thread::sleep(LONG);
        let (_, spent) = waiting.await.unwrap();
        assert!(spent.ours >= SHORT, "{spent:?}");
    }

    #[tokio::test]
    async fn a_future_that_is_moved_to_another_task_is_still_woken() {
        let (ring, rung) = tokio::sync::oneshot::channel();
        let mut lagged = Lagged::new(rung, TICK);
        let first = std::future::poll_fn(|cx| Poll::Ready(Pin::new(&mut lagged).poll(cx))).await;
        assert!(first.is_pending());
        let waiting = tokio::spawn(lagged);
        tokio::task::yield_now().await;
        ring.send(()).unwrap();
        assert_eq!(waiting.await.unwrap().0, Ok(()));
    }
}
