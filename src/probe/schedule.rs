//! When a target is probed: one task per target, at once and then as long after as its state says.
//!
//! The interval and what shortens it are the state machine's ([`Machine::next_probe`](crate::health::Machine::next_probe)). Probes of
//! one target never overlap. The first round runs at once, because start-up waits for it; what is under way is bounded by a
//! semaphore. The second probe comes after a part of the interval that depends on the target's number ([`spread`]), which takes the
//! herd apart for good. A wait that overran by more than an interval, as after SIGSTOP or a suspended machine, ended for everyone
//! at once: what was missed is skipped and the herd is taken apart again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tracing::error;

use super::attempt::{Probed, Tools, observe};
use super::blame::Miss;
use super::board::{Board, now};
use crate::health::{NewMember, NothingReason};

/// What the task of one target needs.
pub(super) struct Watch {
    pub(super) member: NewMember,
    pub(super) board: Arc<Board>,
    pub(super) tools: Arc<Tools>,
    /// Its word is wanted now.
    pub(super) bell: Arc<Notify>,
}

/// Probes a target until aborted; a panic below is logged, recorded as an error of our own side, and the task restarted.
///
/// Two tasks per target, so that the one that can panic is not the one that notices. The set aborts its task when this
/// future is dropped.
pub(super) async fn keep(watch: Arc<Watch>) {
    let NewMember { target, id, number, is_resumed } = &watch.member;
    let every = target.check.every;
    // What is remembered is as good as a first result.
    let mut wait = if *is_resumed { spread(*number, every) } else { Duration::ZERO };
    loop {
        let mut task = JoinSet::new();
        task.spawn(probe_forever(Arc::clone(&watch), wait));
        match task.join_next().await {
            Some(Err(error)) if error.is_panic() => {
                error!(%target, panic = %error, "a probe crashed and is restarted");
            }
            // Cancelled, or the target's life is over.
            _ => return,
        }
        let crashed = Probed::from(Miss::Nothing(NothingReason::Crashed));
        if watch.board.record(target, *id, &crashed, now(), now()).is_none() {
            return;
        }
        wait = every;
    }
}

async fn probe_forever(watch: Arc<Watch>, first_wait: Duration) {
    let NewMember { target, id, number, .. } = &watch.member;
    let every = target.check.every;
    let offset = spread(*number, every);
    let mut wait = first_wait;
    let mut is_first = first_wait.is_zero();
    loop {
        let pause = pause(wait, &watch.bell).await;
        if matches!(pause, Pause::Over { late } if late > every) {
            sleep(offset).await;
        }
        let (probed, started) = {
            // Never closed, so never an error; and a probe without a permit is better than none.
            let _permit = watch.tools.in_flight.acquire().await.ok();
            let started = now();
            (observe(target, &watch.tools).await, started)
        };
        let Some(next) = watch.board.record(target, *id, &probed, started, now()) else {
            return;
        };
        wait = match pause {
            _ if is_first && next <= every => offset,
            // Its place in the interval stays: those that were asked together must not stay together.
            Pause::Rung { rest } if next == every => rest,
            _ => next,
        };
        is_first = false;
    }
}

/// How a wait ended.
#[derive(Clone, Copy, Debug)]
enum Pause {
    /// By itself, and so much too late.
    Over { late: Duration },
    /// Its word was wanted so long before.
    Rung { rest: Duration },
}

/// Waits, unless its word is wanted before.
async fn pause(wait: Duration, bell: &Notify) -> Pause {
    let start = Instant::now();
    match timeout(wait, bell.notified()).await {
        Ok(()) => Pause::Rung { rest: wait.saturating_sub(start.elapsed()) },
        Err(_) => Pause::Over { late: start.elapsed().saturating_sub(wait) },
    }
}

/// A target's place in its interval: multiples of the golden ratio, which spread evenly however many there are and
/// whichever numbers share an interval (Knuth, TAOCP 6.4, theorem S). Never zero, less than `every`.
fn spread(number: u32, every: Duration) -> Duration {
    const GOLDEN_RATIO: u32 = 0x9E37_79B9;
    let place = number.wrapping_add(1).wrapping_mul(GOLDEN_RATIO).max(1);
    every.mul_f64(f64::from(place) / 2f64.powi(32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thousand_targets_spread_over_the_interval() {
        let every = Duration::from_secs(10);
        for step in [1u32, 2, 3, 7] {
            let mut tenths = [0usize; 10];
            for index in 0..1000 {
                let offset = spread(index * step, every);
                assert!(!offset.is_zero() && offset < every);
                tenths[offset.as_secs() as usize] += 1;
            }
            assert!(tenths.iter().all(|count| (90..=110).contains(count)), "{step}: {tenths:?}");
        }
    }
}
