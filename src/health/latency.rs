//! The latency of a target as it is made known: smoothed, and steady while nothing really changed.
//!
//! Policies that choose by measured latency would otherwise send clients to and fro between two targets that are about equally
//! far. So a smoothed average is kept as TCP keeps its round-trip time (RFC 6298 §2), and what is made known follows it only when
//! it has gone off by more than a tenth.

use std::time::Duration;

/// What is known of one target's latency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SmoothedLatency {
    /// Microseconds; nothing was measured if 0.
    average: u32,
    /// The average when it was last made known.
    known: u32,
}

impl SmoothedLatency {
    /// Takes one measurement in, and gives what is known from now on if that changes: microseconds, at least 1.
    pub fn observe(&mut self, latency: Duration) -> Option<u32> {
        let measured = u32::try_from(latency.as_micros()).unwrap_or(u32::MAX).max(1);
        self.average = match self.average {
            0 => measured,
            // Seven eighths of what was and one of what is; the sum of the parts is no more than the larger of both.
            average => average.saturating_sub(average / 8).saturating_add(measured / 8).max(1),
        };
        let is_off = self.average.abs_diff(self.known) > self.known / 10;
        is_off.then(|| {
            self.known = self.average;
            self.known
        })
    }

    /// What is known, in microseconds; 0 is nothing.
    pub fn known_us(self) -> u32 {
        self.known
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(latencies: &[u64]) -> SmoothedLatency {
        let mut smoothed = SmoothedLatency::default();
        for latency in latencies {
            smoothed.observe(Duration::from_micros(*latency));
        }
        smoothed
    }

    #[test]
    fn rule_b6_what_is_known_follows_only_real_changes() {
        assert_eq!(after(&[20_000]).known_us(), 20_000);
        assert_eq!(after(&[20_000, 21_500, 19_000, 21_900, 20_000]).known_us(), 20_000);
        assert_eq!(after(&[20_000, 95_000]).known_us(), 29_375);
        let slow = after(&[vec![20_000], vec![80_000; 40]].concat());
        assert!((72_000..=80_000).contains(&slow.known_us()), "{slow:?}");
        assert_eq!(after(&[]).known_us(), 0);
        assert_eq!(after(&[0]).known_us(), 1);
    }
}
