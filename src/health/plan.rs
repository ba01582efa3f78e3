//! What a generation wants to be probed.

use std::sync::Arc;

use super::check::ProbeTarget;

/// The targets of one generation, and whose they are.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// A target's place is its [`TargetId`](super::TargetId). What a calculated check is of stands in the list as well, before it.
    pub targets: Arc<[ProbeTarget]>,
    /// By target, the pools that have it, as `example.com/us`; for what is only part of a calculated check, those of the whole.
    pub pools: Arc<[Box<[Arc<str>]>]>,
}

impl Plan {
    /// A plan of targets that are in no pool.
    pub fn of(targets: &[ProbeTarget]) -> Self {
        Self { targets: targets.into(), pools: targets.iter().map(|_| Box::default()).collect() }
    }

    /// Every target with its pools, in order of id.
    pub fn iter(&self) -> impl Iterator<Item = (&ProbeTarget, &[Arc<str>])> {
        let pools = self.pools.iter().map(|pools| &**pools).chain(std::iter::repeat(&[][..]));
        self.targets.iter().zip(pools)
    }
}
