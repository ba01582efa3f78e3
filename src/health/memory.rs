//! What is worth remembering of a target when the process ends.
//!
//! Times are kept as ages, because the clock that health is decided by begins anew with the machine; whoever keeps a memory adds the
//! time since it was taken.

use serde::{Deserialize, Serialize};

use super::view::Status;

/// One target, as it stood when this was taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// [`ProbeTarget::key`](super::ProbeTarget::key).
    pub key: String,
    pub status: Status,
    /// How often it went down lately: what damping and breaker go by.
    pub relapses: u8,
    /// Milliseconds since the status changed.
    pub changed_ago_ms: u64,
    /// Milliseconds since it came up again after it was down; nothing if it never did.
    pub recovered_ago_ms: Option<u64>,
    /// Milliseconds since the last result.
    pub seen_ago_ms: Option<u64>,
    /// Microseconds; 0 if nothing is known.
    pub latency_us: u32,
}

impl Memory {
    /// The same, so many milliseconds later.
    #[must_use]
    pub fn aged(self, ms: u64) -> Self {
        let later = |ago: u64| ago.saturating_add(ms);
        Self {
            changed_ago_ms: later(self.changed_ago_ms),
            recovered_ago_ms: self.recovered_ago_ms.map(later),
            seen_ago_ms: self.seen_ago_ms.map(later),
            ..self
        }
    }
}
