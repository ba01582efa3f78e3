//! From the octets of a query to the octets of its answer, or to silence.
//!
//! [`Engine::answer`] is one pure function over a [`Snapshot`](crate::snapshot::Snapshot), a [`View`](crate::health::View) and a random number: it is what the sockets, the
//! tests and `explain` all call. It reads like RFC 1034 §4.3.2 because it follows it: find the zone, match labels down to the
//! node, answer from it, follow CNAMEs, refer at a cut, deny with the SOA. It takes no memory and no lock, and it reports
//! what it did as an [`Outcome`] for others to count.

#![deny(
    unsafe_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::arithmetic_side_effects
)]

mod additional;
mod answer;
mod assume;
mod chain;
mod engine;
mod explain;
mod readback;
mod shares;
mod story;
mod tell;
#[cfg(test)]
mod tests;
mod verify;

pub use assume::{AssumeError, assume_down, assume_recovered, assume_up};
pub use engine::{Client, Engine, Outcome, Scratch, Transport};
pub use explain::{
    ExplainError, ExplainedPlace, ExplainedStep, Explanation, Inquiry, PlaceSource, explain,
};
pub use tell::show_date;
pub use verify::{Mismatch, SEED, verify};
