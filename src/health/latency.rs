//! The latency of a target as it is made known: smoothed, and steady while nothing really changed.
//!
//! Policies that choose by measured latency would otherwise send clients to and fro between two targets that are about equally
//! far. So a smoothed average is kept as TCP keeps its round-trip time (RFC 6298 §2), and what is made known follows it only when
//! it has gone off by more than a tenth.

use std::time::Duration;

use crate::limits::LATENCIES;

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
    #[cfg(test)]
    fn known_us(self) -> u32 {
        self.known
    }
}

/// The last latencies of one target: what half of them, and 95 in 100, stay within.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecentLatencies {
    /// Microseconds; the oldest is overwritten next.
    ring: Vec<u32>,
    next: usize,
}

impl RecentLatencies {
    /// Takes one measurement in.
    pub fn observe(&mut self, latency: Duration) {
        let measured = u32::try_from(latency.as_micros()).unwrap_or(u32::MAX).max(1);
        match self.ring.get_mut(self.next) {
            Some(oldest) => *oldest = measured,
            None => self.ring.push(measured),
        }
        self.next = self.next.saturating_add(1);
        if self.next >= LATENCIES {
            self.next = 0;
        }
    }

    /// What so many in a hundred of the last ones stay within, in microseconds; nothing if none is known. By nearest rank.
    pub fn percentile(&self, hundredths: u8) -> Option<u32> {
        let mut sorted = self.ring.clone();
        let rank = sorted.len().saturating_mul(hundredths.into()).div_ceil(100).saturating_sub(1);
        if rank >= sorted.len() {
            return None;
        }
        Some(*sorted.select_nth_unstable(rank).1)
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

    #[test]
    fn percentiles_are_of_the_last_ones() {
        let mut recent = RecentLatencies::default();
        assert_eq!(recent.percentile(95), None);
        for latency in 1..=1000 {
            recent.observe(Duration::from_micros(latency));
        }
        let first = 1001 - u32::try_from(LATENCIES).unwrap();
        assert_eq!(recent.percentile(0), Some(first));
        assert_eq!(recent.percentile(50), Some(first + 49));
        assert_eq!(recent.percentile(95), Some(first + 94));
        assert_eq!(recent.percentile(100), Some(1000));
        let mut one = RecentLatencies::default();
        one.observe(Duration::ZERO);
        assert_eq!((one.percentile(50), one.percentile(95)), (Some(1), Some(1)));
    }
}
