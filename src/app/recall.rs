//! What a start takes over from the process before: events, overrides, and the health of every target if it is fresh enough.

use std::path::Path;
use std::sync::Arc;

use crate::health::{Memory, ProbeTarget, Status};
use crate::limits::MEMORY_AGE_SECONDS;
use crate::store::{Journal, Memories, OverrideList, State};
use crate::sys::unix_ms;

/// How far a memory may lie ahead, in milliseconds: clocks are set back by a little all the time.
const AHEAD_MS: u64 = 60_000;

/// What is known before the first probe.
pub(super) struct Past {
    /// Nothing without a state directory.
    pub(super) state: Option<Arc<State>>,
    pub(super) journal: Arc<Journal>,
    pub(super) overrides: OverrideList,
    /// Of targets that this generation may not have; empty if too much time has passed.
    pub(super) memories: Vec<Memory>,
}

impl Past {
    /// Reads what the state directory knows.
    pub(super) fn recall(directory: Option<&Path>) -> Self {
        let opened = directory.map(State::open);
        let (state, recalled) = opened
            .map_or_else(Default::default, |(state, recalled)| (Some(Arc::new(state)), recalled));
        let journal = Arc::new(Journal::new(recalled.events, state.clone()));
        let memories = age(recalled.memories, unix_ms());
        Self { state, journal, overrides: recalled.overrides, memories }
    }

    /// Whether every target that is probed is remembered, so that nobody need wait for a round of probes.
    pub(super) fn knows_all(&self, targets: &[ProbeTarget]) -> bool {
        // One that never answered is as good as a new one.
        let is_known = |memory: &&Memory| memory.status != Status::Unknown;
        let keys: std::collections::HashSet<&str> =
            self.memories.iter().filter(is_known).map(|memory| memory.key.as_str()).collect();
        let mut probed = targets.iter().filter(|target| target.check.is_probed());
        !self.memories.is_empty() && probed.all(|target| keys.contains(target.key().as_str()))
    }
}

/// Memories as of now; none if they are too old to begin with, or come from a clock that can't be believed.
fn age(memories: Memories, now_ms: u64) -> Vec<Memory> {
    let Memories { at_ms, targets } = memories;
    if targets.is_empty() {
        return targets;
    }
    let age_ms = now_ms.saturating_sub(at_ms);
    if age_ms > MEMORY_AGE_SECONDS * 1000 || at_ms > now_ms.saturating_add(AHEAD_MS) {
        tracing::info!(age_s = age_ms / 1000, "the last view is too old to begin with");
        return Vec::new();
    }
    tracing::info!(
        age_s = age_ms / 1000,
        targets = targets.len(),
        "beginning with the last view of health"
    );
    targets.into_iter().map(|memory| memory.aged(age_ms)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_is_taken_over_for_ten_minutes() {
        let memory = Memory {
            key: "a".to_owned(),
            status: Status::Down,
            relapses: 1,
            changed_ago_ms: 5,
            recovered_ago_ms: None,
            seen_ago_ms: Some(2),
            latency_us: 0,
        };
        let at_ms = 1_000_000_000;
        let aged = |now_ms| age(Memories { at_ms, targets: vec![memory.clone()] }, now_ms);
        assert_eq!(aged(at_ms + 600_000)[0].changed_ago_ms, 600_005);
        assert_eq!(aged(at_ms + 600_001), []);
        assert_eq!(aged(at_ms - 60_000)[0], memory, "a clock that was set back by a little");
        assert_eq!(aged(at_ms - 60_001), []);
        assert_eq!(age(Memories::default(), at_ms), []);
    }
}
