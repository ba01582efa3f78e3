//! What operators have set against health: who, why, until when, and for what.

use serde::{Deserialize, Serialize};

/// One override.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Override {
    pub id: u64,
    /// Which zones: a glob over apexes without the final dot, `*` for all.
    pub zone: String,
    /// What in them: a glob over pools (`us`), endpoints (`us/192.0.2.1`) and policies' targets (`by-region/us`).
    pub pattern: String,
    pub action: Action,
    pub reason: String,
    pub author: String,
    /// When it was set, in milliseconds since 1970 in UTC.
    pub set_ms: u64,
    /// When it ends by itself.
    pub ends_ms: Option<u64>,
}

/// What an override does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "lowercase")]
pub enum Action {
    /// Counts as up whatever its checks say.
    Up,
    /// Counts as down.
    Down,
    /// Loses so many thousandths of its draws per minute, until it is down.
    Drain { per_minute: u16 },
}
