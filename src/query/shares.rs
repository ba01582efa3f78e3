//! Whether counts agree with the shares that were expected: Pearson's chi-squared test.
//!
//! With k pools of a share above none, the sum of (count − expected)² / expected follows the chi-squared law with k − 1 degrees
//! of freedom d. For it P(sum ≥ d + 2√(d·t) + 2t) ≤ e^−t (Laurent and Massart, Annals of Statistics 28, 2000, lemma 1). With
//! t = ln 1,000,000 a sound share is called wrong less than once in a million seeds; the bound is generous (at d = 1 it stands at six
//! standard deviations, 2 in 10⁹), which makes up for counts being whole numbers as long as 100 draws are expected of each.

use crate::config::Share;
use crate::policy::PoolId;

/// Draws that a share is measured with. They cost about 12 ms; a share of 50 % must be off by 1.4 points to be noticed.
pub(super) const SHARE_DRAWS: u32 = 50_000;

/// The probability that a sound share is called wrong is e to the power of minus this.
const SURPRISE: f64 = 13.815_510_557_964_274;

/// Counts beside the shares that were expected.
#[derive(Clone, Debug)]
pub(super) struct Comparison {
    /// Chi-squared.
    pub(super) sum: f64,
    /// Above this the counts are no accident.
    pub(super) limit: f64,
    /// Something came that has no share, which needs no statistics.
    pub(super) has_stranger: bool,
}

impl Comparison {
    /// Compares what came of each pool with its share. `count_of` must count each draw for one pool, `total` is all draws.
    pub(super) fn new(
        shares: &[(PoolId, Share)],
        total: u32,
        count_of: impl Fn(PoolId) -> u32,
    ) -> Self {
        let whole: f64 = shares.iter().map(|(_, share)| f64::from(share.0)).sum();
        let (mut sum, mut pools, mut expected_draws) = (0.0, 0u32, 0u32);
        for (pool, share) in shares.iter().filter(|(_, share)| share.0 > 0) {
            let count = count_of(*pool);
            let expected = f64::from(total) * f64::from(share.0) / whole;
            sum += (f64::from(count) - expected).powi(2) / expected;
            pools = pools.saturating_add(1);
            expected_draws = expected_draws.saturating_add(count);
        }
        let freedom = f64::from(pools.saturating_sub(1));
        let limit = freedom + 2.0 * (freedom * SURPRISE).sqrt() + 2.0 * SURPRISE;
        Self { sum, limit, has_stranger: expected_draws < total }
    }

    /// Whether the counts may come of these shares.
    pub(super) fn is_sound(&self) -> bool {
        !self.has_stranger && self.sum <= self.limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Random;

    fn compare(shares: &[u16], counts: &[u32]) -> Comparison {
        let ids = (0u16..).map(PoolId);
        let shares: Vec<(PoolId, Share)> = ids.zip(shares.iter().map(|s| Share(*s))).collect();
        Comparison::new(&shares, counts.iter().sum(), |pool| counts[usize::from(pool.0)])
    }

    #[test]
    fn the_limit_is_six_standard_deviations_for_two_pools() {
        // √(50,000 · ½ · ½) is 111.8.
        assert!(compare(&[5_000, 5_000], &[25_000 + 670, 25_000 - 670]).is_sound());
        assert!(!compare(&[5_000, 5_000], &[25_000 + 672, 25_000 - 672]).is_sound());
        assert!(!compare(&[6_000, 4_000], &[29_300, 20_700]).is_sound());
    }

    #[test]
    fn a_pool_without_a_share_is_never_sound() {
        assert!(compare(&[10_000, 0], &[50_000, 0]).is_sound());
        assert!(!compare(&[10_000, 0], &[49_999, 1]).is_sound());
    }

    #[test]
    fn thirds_need_not_be_exact() {
        assert!(compare(&[3_333, 3_333, 3_333], &[16_667, 16_667, 16_666]).is_sound());
    }

    /// The distribution over many seeds has the moments that the limit is made for, also with the smallest share.
    #[test]
    fn sound_shares_pass_with_every_seed() {
        println!("seeds 0 to 299");
        let weights = [20u32, 80, 900, 4_000, 5_000];
        let shares = weights.map(|weight| u16::try_from(weight).unwrap());
        let sums: Vec<f64> = (0..300)
            .map(|seed| {
                let mut random = Random::new(seed);
                let mut counts = [0; 5];
                for _ in 0..SHARE_DRAWS {
                    let mut rest = random.below(10_000);
                    let place = weights.iter().position(|weight| {
                        let is_here = rest < *weight;
                        rest = rest.saturating_sub(*weight);
                        is_here
                    });
                    counts[place.unwrap()] += 1;
                }
                let comparison = compare(&shares, &counts);
                assert!(comparison.is_sound(), "seed {seed}: {comparison:?}");
                comparison.sum
            })
            .collect();
        // Mean 4, variance 8: the mean of 300 is within 0.8 but for 1 in a million.
        let mean = sums.iter().sum::<f64>() / 300.0;
        assert!((3.2..4.8).contains(&mean), "{mean}");
    }
}
