//! What a check is, what its probes observed, and what is decided from that. Pure: no sockets, and time is an argument.
//!
//! ```text
//! probe (sockets) ──Observation──▶ Fleet { Machine ─▶ Guard ─▶ Quorum } ──▶ View ──look──▶ policy selection
//!                                    ▲                                       ▲
//!                              CheckSpec, Plan                    Override ──┘ switches
//! ```
//!
//! | file | owns |
//! |---|---|
//! | [`check`], [`protocol`] | what is probed, how and how often; two equal targets are one |
//! | [`status_set`] | the HTTP statuses that pass |
//! | [`plan`] | the targets of a generation, and whose they are |
//! | [`observation`] | the result of one probe: success, failure, or nothing learnt |
//! | [`machine`] | the state of one target, and when to probe it next |
//! | [`guard`] | the doubt about ourselves, when most fails at once |
//! | `quorum` | how many of several must be up |
//! | [`fleet`] | all targets: from results to the view |
//! | `latency` | smoothed, and by percentiles |
//! | [`tally`] | counts of results, for metrics and status pages |
//! | [`view`], [`horizon`], [`switch`] | all states at an instant, as the query path reads them |
//! | [`overrides`] | what operators set against health |
//! | [`memory`], [`event`] | what outlives the process |
//! | [`moment`] | time, as an argument |
//!
//! Invariants: an error of our own side is never held against a target (RELIABILITY §5.1); Unknown counts as up (Route 53
//! rule 69); only a [`Machine`] moves the state of what is probed; reading a view is one relaxed load of one octet.

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
pub mod fleet;
pub mod guard;
pub mod horizon;
mod latency;
pub mod machine;
pub mod memory;
pub mod moment;
pub mod observation;
pub mod overrides;
pub mod plan;
pub mod protocol;
mod quorum;
mod stable;
pub mod status_set;
pub mod switch;
pub mod tally;
pub mod topic;
pub mod view;

pub use check::{
    Breaker, CheckSpec, Damping, LatencyMeasure, Phases, ProbeAddress, ProbeTarget, Recovery,
    Threshold, ThresholdError,
};
pub use event::{Event, Happening};
pub use fleet::{Adopted, Fleet, FleetSettings, Known, MemberId, NewMember};
pub use guard::{Guard, GuardSettings};
pub use horizon::Horizon;

pub use machine::{Decision, Machine, State};
pub use memory::Memory;
pub use moment::Moment;
pub use observation::{FailureReason, NothingReason, Observation};
pub use overrides::{Action, Override, SwitchName, apply_overrides, is_match};
pub use plan::Plan;
pub use protocol::{
    BodyRegex, CalculatedCheck, Child, Comparison, DnsCheck, ExternalCheck, GrpcCheck, HttpCheck,
    HttpCheckError, Limit, Missing, NotANumber, Pattern, PatternError, PrometheusCheck, Protocol,
    Quorum, TcpCheck, TlsCheck,
};
pub use stable::stable_hash;
pub use status_set::{StatusSet, StatusSetError};
pub use switch::{DRAWS, Switch, SwitchId};
pub use tally::Tally;
pub use topic::Topic;
pub use view::{Status, TargetId, View};
