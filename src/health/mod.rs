//! What a check is, what its probes observed, and what is decided from that. Pure: no sockets, and time is an argument.
//!
//! ```text
//! probe (sockets) ──Observation──▶ Machine ──Decision──▶ View ──is_up──▶ policy selection
//!                                    ▲
//!                              CheckSpec: thresholds
//! ```
//!
//! | file | owns |
//! |---|---|
//! | [`check`] | what is probed, where and how often; two equal targets are one |
//! | [`status_set`] | the HTTP statuses that pass |
//! | [`observation`] | the result of one probe: success, failure, or nothing learnt |
//! | [`machine`] | the state of one target: Unknown, Up, Down |
//! | [`tally`] | counts of results, for metrics and status pages |
//! | [`view`] | all states at an instant, as the query path reads them |
//!
//! Invariants: an error of our own side is never held against a target (RELIABILITY §5.1); Unknown counts as up (Route 53
//! rule 69); only [`Machine::observe`] moves a state; reading a view is one relaxed load of one byte.
//! Breaker, damping and the guard against our own isolation will stand between a [`Decision`] and [`View::set`].

#![deny(
    unsafe_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::arithmetic_side_effects
)]

pub mod check;
pub mod event;
pub mod horizon;
mod latency;
pub mod machine;
pub mod memory;
pub mod moment;
pub mod observation;
pub mod overrides;
pub mod plan;
pub mod protocol;
mod stable;
pub mod status_set;
pub mod switch;
pub mod tally;
pub mod view;

pub use check::{
    Breaker, CheckSpec, Damping, LatencyMeasure, Phases, ProbeAddress, ProbeTarget, Recovery,
    Threshold, ThresholdError,
};
pub use event::{Event, Happening};
pub use horizon::Horizon;
pub use latency::SmoothedLatency;
pub use machine::{Decision, Machine, State};
pub use memory::Memory;
pub use moment::Moment;
pub use observation::{FailureReason, NothingReason, Observation};
pub use overrides::{Action, Override};
pub use plan::Plan;
pub use protocol::{
    BodyRegex, CalculatedCheck, Child, Comparison, DnsCheck, ExternalCheck, GrpcCheck, HttpCheck,
    HttpCheckError, Limit, Missing, NotANumber, Pattern, PatternError, PrometheusCheck, Protocol,
    Quorum, TcpCheck, TlsCheck,
};
pub use stable::stable_hash;
pub use status_set::{StatusSet, StatusSetError};
pub use switch::{Switch, SwitchId};
pub use tally::Tally;
pub use view::{Status, TargetId, View};
