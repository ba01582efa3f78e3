//! What happened to health, in words that outlive the process: for the log, the state directory and whoever is notified.
//!
//! The decisions themselves are made elsewhere; an event is what is told of one. It names things by text, because it is read when
//! the generation whose numbers it could have held is gone.

use serde::{Deserialize, Serialize};

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Counts up by one, over restarts if there is a state directory.
    pub number: u64,
    /// When, in milliseconds since 1970 in UTC.
    pub at_ms: u64,
    #[serde(flatten)]
    pub what: Happening,
}

/// What can happen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Happening {
    /// The status of an endpoint changed in the answers.
    Endpoint {
        /// As it prints: `https://192.0.2.1:443/healthz (www.example.com)`.
        target: String,
        /// The pools that have it, as `example.com/us`.
        pools: Vec<String>,
        from: String,
        to: String,
        /// The result that decided.
        reason: String,
        /// Equal results in a row that led here.
        streak: u32,
    },
    /// So much fails at once that it is rather our own fault: the last view is held (RELIABILITY §5.2).
    GuardHeld { reason: String, failing: u32, observed: u32 },
    /// What is observed counts again.
    GuardReleased { reason: String },
    /// Probes learn nothing any more, because of errors of our own side.
    Blind { reason: String, blind: u32, observed: u32 },
    /// They learn something again.
    Sighted,
    /// No sentinel has answered for some time: nothing can tell any more whether failures are our own fault.
    SentinelsSilent { sentinels: u32 },
    /// One answers again.
    SentinelsHeard,
    /// A certificate ends soon, or has ended.
    Certificate { target: String, pools: Vec<String>, ends_ms: u64 },
    /// An operator's override began.
    OverrideSet { id: u64, pattern: String, action: String, author: String, reason: String },
    /// It ended: by its time, or because somebody took it back.
    OverrideEnded { id: u64, pattern: String, reason: String },
    /// The prober stood still or crashed and was started again; states were held.
    ProberRestarted { reason: String },
    /// An operator confirmed that an endpoint is back (`recovery = "manual"`).
    Confirmed { target: String, pools: Vec<String>, author: String },
}

impl Happening {
    /// Whether it is bad news, of which somebody should be told at once.
    pub fn is_alarm(&self) -> bool {
        match self {
            Self::Endpoint { to, .. } => to == "down",
            Self::GuardHeld { .. }
            | Self::Blind { .. }
            | Self::SentinelsSilent { .. }
            | Self::Certificate { .. }
            | Self::ProberRestarted { .. } => true,
            Self::GuardReleased { .. }
            | Self::Sighted
            | Self::SentinelsHeard
            | Self::OverrideSet { .. }
            | Self::OverrideEnded { .. }
            | Self::Confirmed { .. } => false,
        }
    }
}
