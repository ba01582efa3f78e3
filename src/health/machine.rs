//! The state of one target, and what moves it.
//!
//! Hysteresis and nothing else: a run of equal results decides. The choices that Route 53 leaves open or that differ:
//!
//! - The first observation decides at once, in both directions, as gdnsd does at start. Waiting for `down_after` failures
//!   would serve an endpoint that has never answered; waiting for `up_after` successes would change nothing, since Unknown
//!   counts as up (rule 69) anyway.
//! - `up_after` may differ from `down_after`; Route 53 has one number for both (rule 59), which is the default.
//! - An error of our own side is no observation: it neither counts nor breaks a run. Two failures, a lost route and a
//!   third failure are three failures in a row.

use std::time::Instant;

use super::check::{CheckSpec, Threshold};
use super::observation::Observation;
use super::view::Status;

/// What is believed of a target, with the run of contrary results that could change it.
///
/// ```text
///                     first success                    down_after failures in a row
///           ┌─────────────────────────────▶ Up ────────────────────────────────┐
///           │                               ▲                                  ▼
///        Unknown                            └──────────────────────────────── Down
///           │                                    up_after successes in a row   ▲
///           └──────────────────────────────────────────────────────────────────┘
///                                      first failure
///
///   Up:   a success sets `failures` to 0          Unknown: a new target, and one whose probes only met errors of
///   Down: a failure sets `successes` to 0                  our own side
/// ```
#[derive(Debug, Default, PartialEq, Eq)]
pub enum State {
    /// Nothing observed yet.
    #[default]
    Unknown,
    /// Answers.
    Up {
        /// Failures in a row, always fewer than `down_after`.
        failures: u8,
    },
    /// Does not answer.
    Down {
        /// Successes in a row, always fewer than `up_after`.
        successes: u8,
    },
}

impl State {
    /// The state after one more result. The old one is gone: a decision cannot be taken twice.
    #[must_use]
    pub fn observe(self, observation: &Observation, check: &CheckSpec) -> Self {
        match observation {
            Observation::Success { .. } => self.succeed(check.up_after),
            Observation::Failure(_) => self.fail(check.down_after),
            Observation::Nothing(_) => self,
        }
    }

    /// The state without its counters.
    pub fn status(&self) -> Status {
        match self {
            Self::Unknown => Status::Unknown,
            Self::Up { .. } => Status::Up,
            Self::Down { .. } => Status::Down,
        }
    }

    fn succeed(self, up_after: Threshold) -> Self {
        match self {
            Self::Unknown | Self::Up { .. } => Self::Up { failures: 0 },
            Self::Down { successes } => match successes.saturating_add(1) {
                successes if successes >= up_after.as_u8() => Self::Up { failures: 0 },
                successes => Self::Down { successes },
            },
        }
    }

    fn fail(self, down_after: Threshold) -> Self {
        match self {
            Self::Unknown | Self::Down { .. } => Self::Down { successes: 0 },
            Self::Up { failures } => match failures.saturating_add(1) {
                failures if failures >= down_after.as_u8() => Self::Down { successes: 0 },
                failures => Self::Up { failures },
            },
        }
    }
}

/// A change of status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// What was believed.
    pub from: Status,
    /// What is believed now.
    pub to: Status,
    /// Equal results in a row that led here, the last one counted.
    pub streak: u32,
}

/// A [`State`] with its history: since when, and after which run of results.
#[derive(Debug)]
pub struct Machine {
    state: State,
    /// When the status last changed; when the target became known, as long as it is Unknown.
    since: Instant,
    /// Whether the last observation was a success. None before the first.
    succeeded: Option<bool>,
    /// Observations in a row that were like the last one. Unlike the state's counter it goes on after a decision.
    streak: u32,
}

impl Machine {
    /// A target nothing is known of.
    pub fn new(now: Instant) -> Self {
        Self { state: State::Unknown, since: now, succeeded: None, streak: 0 }
    }

    /// A target that is known to have this status, with no result counted yet.
    pub fn resume(status: Status, now: Instant) -> Self {
        let state = match status {
            Status::Unknown => State::Unknown,
            Status::Up => State::Up { failures: 0 },
            Status::Down => State::Down { successes: 0 },
        };
        Self { state, ..Self::new(now) }
    }

    /// Takes in the result of a probe that ended at `now`; gives the decision if the status changed.
    #[must_use]
    pub fn observe(
        self,
        observation: &Observation,
        check: &CheckSpec,
        now: Instant,
    ) -> (Self, Option<Decision>) {
        let (succeeded, streak) = self.count(observation);
        let from = self.state.status();
        let state = self.state.observe(observation, check);
        let to = state.status();
        let decision = (from != to).then_some(Decision { from, to, streak });
        let since = if decision.is_some() { now } else { self.since };
        (Self { state, since, succeeded, streak }, decision)
    }

    /// The decided status.
    pub fn status(&self) -> Status {
        self.state.status()
    }

    /// When the status last changed.
    pub fn since(&self) -> Instant {
        self.since
    }

    /// Observations in a row that were like the last one.
    pub fn streak(&self) -> u32 {
        self.streak
    }

    /// Whether the last observation was a success, and how many like it came in a row, after one more result.
    fn count(&self, observation: &Observation) -> (Option<bool>, u32) {
        let succeeded = match observation {
            Observation::Success { .. } => Some(true),
            Observation::Failure(_) => Some(false),
            Observation::Nothing(_) => return (self.succeeded, self.streak),
        };
        let run = if succeeded == self.succeeded { self.streak } else { 0 };
        (succeeded, run.saturating_add(1))
    }
}

#[cfg(test)]
mod tests;
