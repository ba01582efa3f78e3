//! When to try again. Pure: chance is a seed.

use std::time::Duration;

use crate::health::stable_hash;
use crate::limits::WEBHOOK_RETRY_MS;

/// Waits that double with every failure in a row, each cut by chance to between its half and its whole, so that many servers
/// do not come back to a receiver at once.
#[derive(Debug)]
pub(super) struct Retry {
    failures: u32,
    seed: u64,
    /// What the waits double up to.
    longest: Duration,
}

impl Retry {
    /// No failure yet. `longest` is bounded by [`WEBHOOK_RETRY_MS`].
    pub(super) fn new(seed: u64, longest: Duration) -> Self {
        let (_, most) = WEBHOOK_RETRY_MS;
        Self { failures: 0, seed, longest: longest.min(Duration::from_millis(most)) }
    }

    /// Something was delivered.
    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }

    /// How long to wait after one more failure; at least as long as the receiver asked for (RFC 9110 §10.2.3), within our bounds.
    pub(super) fn wait(&mut self, asked: Option<Duration>) -> Duration {
        let (first, _) = WEBHOOK_RETRY_MS;
        let doubled = 1u64.checked_shl(self.failures.min(32)).unwrap_or(u64::MAX);
        let whole = Duration::from_millis(first.saturating_mul(doubled)).min(self.longest);
        self.failures = self.failures.saturating_add(1);
        let drawn = stable_hash(format!("{} {}", self.seed, self.failures).as_bytes());
        // The upper bits of a product of hashes are the well mixed ones.
        let part = drawn.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 54;
        let half = whole / 2;
        let wait =
            half.saturating_add(half.saturating_mul(u32::try_from(part).unwrap_or(0)) / 1_023);
        wait.max(asked.unwrap_or_default()).min(self.longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONGEST: Duration = Duration::from_secs(300);

    #[test]
    fn waits_double_up_to_five_minutes_and_begin_anew() {
        for seed in 0..200 {
            let mut retry = Retry::new(seed, LONGEST);
            for round in 0..40u32 {
                let whole = Duration::from_secs(1 << round.min(20)).min(LONGEST);
                let wait = retry.wait(None);
                assert!(wait >= whole / 2 && wait <= whole, "seed {seed}, {round}: {wait:?}");
            }
            retry.reset();
            assert!(retry.wait(None) <= Duration::from_secs(1), "seed {seed}");
        }
    }

    #[test]
    fn waits_differ_between_servers() {
        let waits: std::collections::BTreeSet<Duration> =
            (0..100).map(|seed| Retry::new(seed, LONGEST).wait(None)).collect();
        assert!(waits.len() > 50, "{} of 100 waits differ", waits.len());
    }

    #[test]
    fn a_receiver_may_ask_for_more_time_within_bounds() {
        let mut retry = Retry::new(7, LONGEST);
        assert_eq!(retry.wait(Some(Duration::from_secs(30))), Duration::from_secs(30));
        assert_eq!(retry.wait(Some(Duration::from_secs(86_400))), LONGEST);
        assert!(retry.wait(Some(Duration::ZERO)) >= Duration::from_secs(2));
        let mut short = Retry::new(7, Duration::from_secs(3));
        assert_eq!(short.wait(Some(LONGEST)), Duration::from_secs(3));
    }
}
