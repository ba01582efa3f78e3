//! When a target is probed: one task per target, at once and then at its interval.
//!
//! The interval counts from a good reply to the start of the next probe (Route 53 rule 59: "from reply to next request").
//! After a failure it counts from the start of the probe: a silent endpoint gives no reply to count from, and would else be
//! found out a timeout later for each of the failures that it takes. Probes of one target never overlap. The first round runs at once, because start-up waits for it; what is under
//! way is bounded by a semaphore. The second probe comes after a part of the interval that depends on the target's number
//! ([`spread`]), which takes the herd apart for good. A wait that overran by more than an interval, as after SIGSTOP or a
//! suspended machine, ended for everyone at once: what was missed is skipped and the herd is taken apart again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::sleep;
use tracing::error;

use super::attempt::{Tools, observe};
use super::board::{Board, Run};
use crate::health::{NothingReason, Observation, ProbeTarget, TargetId};

/// What the task of one target needs.
pub(super) struct Watch {
    pub(super) target: ProbeTarget,
    /// Signs the results.
    pub(super) run: Run,
    /// The target's number when it became known: its place in the interval.
    pub(super) id: TargetId,
    pub(super) board: Arc<Board>,
    pub(super) tools: Arc<Tools>,
}

/// Probes a target until aborted; a panic below is logged, recorded as an error of our own side, and the task restarted.
///
/// Two tasks per target, so that the one that can panic is not the one that notices. The set aborts its task when this
/// future is dropped.
pub(super) async fn keep(watch: Arc<Watch>) {
    let every = watch.target.check.every;
    let mut wait = Duration::ZERO;
    loop {
        let mut task = JoinSet::new();
        task.spawn(probe_forever(Arc::clone(&watch), wait));
        match task.join_next().await {
            Some(Err(error)) if error.is_panic() => {
                error!(target = %watch.target, panic = %error, "a probe crashed and is restarted");
            }
            // Cancelled: the runtime is shutting down.
            _ => return,
        }
        watch.record(Observation::Nothing(NothingReason::Crashed));
        wait = every;
    }
}

async fn probe_forever(watch: Arc<Watch>, first_wait: Duration) {
    let every = watch.target.check.every;
    let offset = spread(watch.id, every);
    let mut wait = first_wait;
    let mut is_first = first_wait.is_zero();
    loop {
        if overrun(wait).await > every {
            sleep(offset).await;
        }
        let start = Instant::now();
        let observation = {
            // Never closed, so never an error; and a probe without a permit is better than none.
            let _permit = watch.tools.in_flight.acquire().await.ok();
            observe(&watch.target, &watch.tools).await
        };
        let next = match observation {
            Observation::Failure(_) => every.saturating_sub(start.elapsed()),
            _ => every,
        };
        watch.record(observation);
        wait = if is_first { offset } else { next };
        is_first = false;
    }
}

impl Watch {
    fn record(&self, observation: Observation) {
        self.board.record(&self.target, self.run, observation, Instant::now());
    }
}

/// Waits, and tells by how much the waiting took too long.
async fn overrun(wait: Duration) -> Duration {
    let start = Instant::now();
    sleep(wait).await;
    start.elapsed().saturating_sub(wait)
}

/// A target's place in its interval: multiples of the golden ratio, which spread evenly however many there are and
/// whichever numbers share an interval (Knuth, TAOCP 6.4, theorem S). Never zero, less than `every`.
fn spread(id: TargetId, every: Duration) -> Duration {
    const GOLDEN_RATIO: u32 = 0x9E37_79B9;
    let place = id.0.wrapping_add(1).wrapping_mul(GOLDEN_RATIO).max(1);
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
                let offset = spread(TargetId(index * step), every);
                assert!(!offset.is_zero() && offset < every);
                tenths[offset.as_secs() as usize] += 1;
            }
            assert!(tenths.iter().all(|count| (90..=110).contains(count)), "{step}: {tenths:?}");
        }
    }
}
