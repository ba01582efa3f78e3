//! Sets that a selection draws from: the targets that are left of a weighted policy, and endpoints of a pool.
//!
//! Both are bits, at most 128 of targets and some hundred of endpoints, so that a draw takes no memory.

use super::bound::{BoundEndpoint, BoundPool};
use super::random::Random;
use super::sticky::StickyKey;
use crate::limits::POOL_ENDPOINTS;

/// The bit of a place.
pub(super) fn bit(place: usize) -> u128 {
    u32::try_from(place).ok().and_then(|place| 1u128.checked_shl(place)).unwrap_or(0)
}

/// The targets of a weighted policy that were not dropped yet.
pub(super) struct Left {
    /// One bit per dropped target.
    dropped: u128,
    count: u32,
    /// Sum of the weights.
    pub(super) weight: u32,
}

impl Left {
    pub(super) fn all(shares: impl ExactSizeIterator<Item = u32>) -> Self {
        let count = u32::try_from(shares.len()).unwrap_or(u32::MAX);
        Self { dropped: 0, count, weight: shares.sum() }
    }

    /// What a draw is out of: the sum of the weights; if all that is left has weight 0, each counts as 1.
    pub(super) fn total(&self) -> u32 {
        if self.weight == 0 { self.count } else { self.weight }
    }

    pub(super) fn has(&self, place: usize) -> bool {
        self.dropped & bit(place) == 0
    }

    /// Draws one. Gives its place, and the share it was drawn with.
    pub(super) fn draw(
        &self,
        shares: impl Iterator<Item = u32>,
        random: &mut Random,
    ) -> Option<(usize, u32)> {
        if self.count == 0 {
            return None;
        }
        let least = u32::from(self.weight == 0);
        let mut ticket = random.below(self.total());
        for (place, share) in shares.enumerate() {
            if !self.has(place) {
                continue;
            }
            let share = share.max(least);
            match ticket.checked_sub(share) {
                None => return Some((place, share)),
                Some(rest) => ticket = rest,
            }
        }
        None
    }

    /// The one that a client keeps (B5).
    pub(super) fn stick(
        &self,
        shares: &[u32],
        keys: &[u64],
        client: StickyKey,
        seed: u64,
    ) -> Option<(usize, u32)> {
        let least = u32::from(self.weight == 0);
        let left = shares.iter().zip(keys).enumerate().filter(|(place, _)| self.has(*place));
        let left = left.map(|(place, (share, key))| (place, (*share).max(least), key));
        let scored = left
            .filter(|(_, share, _)| *share > 0)
            .map(|(place, share, key)| (client.score(seed, *key, share), place, share));
        scored.min().map(|(_, place, share)| (place, share))
    }

    pub(super) fn drop(&mut self, place: usize, share: u32) {
        self.dropped |= bit(place);
        self.count = self.count.saturating_sub(1);
        // Where the share was made up for a weight of 0, there is nothing to take away.
        self.weight = self.weight.saturating_sub(share);
    }
}

const PLACE_WORDS: usize = POOL_ENDPOINTS.div_ceil(64);

/// Some endpoints of a pool, by their places: one bit each.
pub(super) struct Places {
    words: [u64; PLACE_WORDS],
}

impl Places {
    pub(super) fn of(pool: &BoundPool, is_member: impl Fn(&BoundEndpoint) -> bool) -> Self {
        let mut words = [0u64; PLACE_WORDS];
        for (word, endpoints) in words.iter_mut().zip(pool.endpoints.chunks(64)) {
            for (bit, endpoint) in (0u32..).zip(endpoints) {
                *word |= u64::from(is_member(endpoint)).checked_shl(bit).unwrap_or(0);
            }
        }
        Self { words }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }

    pub(super) fn count(&self) -> u32 {
        self.words.iter().map(|word| word.count_ones()).sum()
    }

    fn has(&self, place: u32) -> bool {
        let word = usize::try_from(place / 64).ok().and_then(|word| self.words.get(word));
        word.is_some_and(|word| word & 1u64.rotate_left(place % 64) != 0)
    }

    fn add(&mut self, place: u32) {
        let word = usize::try_from(place / 64).ok().and_then(|word| self.words.get_mut(word));
        if let Some(word) = word {
            *word |= 1u64.rotate_left(place % 64);
        }
    }

    /// `count` of these at random, each choice with the same chance (Floyd's algorithm); all if there are no more.
    pub(super) fn draw(&self, count: u32, random: &mut Random) -> Self {
        let total = self.count();
        let mut ranks = Self { words: [0; PLACE_WORDS] };
        for last in total.saturating_sub(count)..total {
            let rank = random.below(last.saturating_add(1));
            ranks.add(if ranks.has(rank) { last } else { rank });
        }
        let mut rank = 0u32;
        let words = self.words.map(|word| {
            let (mut left, mut kept) = (word, 0);
            while left != 0 {
                let lowest = left & left.wrapping_neg();
                kept |= if ranks.has(rank) { lowest } else { 0 };
                left ^= lowest;
                rank = rank.saturating_add(1);
            }
            kept
        });
        Self { words }
    }

    /// The endpoints themselves, in the order of the pool.
    pub(super) fn of_pool<'p>(
        &self,
        pool: &'p BoundPool,
    ) -> impl Iterator<Item = &'p BoundEndpoint> + use<'_, 'p> {
        self.words.iter().zip(pool.endpoints.chunks(64)).flat_map(|(word, endpoints)| {
            let is_member = move |bit: u32| word.checked_shr(bit).unwrap_or(0) & 1 != 0;
            (0u32..)
                .zip(endpoints)
                .filter(move |(bit, _)| is_member(*bit))
                .map(|(_, endpoint)| endpoint)
        })
    }
}
