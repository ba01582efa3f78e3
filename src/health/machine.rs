//! The state of one target, and what moves it.
//!
//! A run of equal results decides, and what comes back must have earned it. The choices that Route 53 leaves open or that differ:
//!
//! - The first observation decides at once, in both directions, as gdnsd does at start. Waiting for `down_after` failures
//!   would serve an endpoint that has never answered; waiting for `up_after` successes would change nothing, since Unknown
//!   counts as up (rule 69) anyway.
//! - `up_after` may differ from `down_after`; Route 53 has one number for both (rule 59), which is the default.
//! - An error of our own side is no observation: it neither counts nor breaks a run. Two failures, a lost route and a
//!   third failure are three failures in a row.
//! - What went down must stay without a failure for some time before it is up again ([`Damping`]), or is left alone and tried
//!   ([`Breaker`]), or waits for an operator ([`Recovery::Manual`]). Both times double with every relapse; a target that has been
//!   up for as long as they can become has none on its record.

use std::time::Duration;

use super::check::{Breaker, CheckSpec, Damping, Recovery};
use super::horizon::Horizon;
use super::moment::Moment;
use super::observation::Observation;
use super::view::Status;

/// What is believed of a target, with the run of contrary results that could change it.
///
/// ```text
///                     first success                  down_after failures in a row
///           ┌──────────────────────────▶ Up ──────────────────┬──────────────────────────┐
///           │                            ▲ ▲ ▲                │ damped, manual           │ breaker
///        Unknown   up_after successes,   │ │ │                ▼                          ▼
///           │      damped: none failed   │ │ └───────────── Down ◀──┐ failure           Open ◀─┐
///           │      for the hold          │ │                 │      │                    │      │
///           │                            │ │ confirmed       │ manual: up_after          │ trial after
///           │                            │ └──────────────── Ready ─┘  successes          ▼ the reset
///           │                            └─────────────────────────────────────────── HalfOpen ─┘
///           └─── first failure: Down or Open               up_after successes       failure: twice the reset
///
///   Down, Open, HalfOpen and Ready are all down for everybody else.
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// Nothing observed yet.
    #[default]
    Unknown,
    /// Answers.
    Up {
        /// Failures in a row, always fewer than `down_after`.
        failures: u8,
    },
    /// Does not answer, or not for long enough.
    Down {
        /// Successes in a row, counted up to `up_after`.
        successes: u8,
    },
    /// Left alone until then; the next result is that of a trial.
    Open { until: Moment },
    /// Its first trial succeeded.
    HalfOpen {
        /// Successes in a row, always fewer than `up_after`.
        successes: u8,
    },
    /// Answers again, and waits for an operator to say so.
    Ready,
}

impl State {
    /// What everybody else sees of it.
    pub fn status(self) -> Status {
        match self {
            Self::Unknown => Status::Unknown,
            Self::Up { .. } => Status::Up,
            Self::Down { .. } | Self::Open { .. } | Self::HalfOpen { .. } | Self::Ready => {
                Status::Down
            }
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

/// A [`State`] with its history.
#[derive(Clone, Debug)]
pub struct Machine {
    state: State,
    /// When the status last changed; when the target became known, as long as it is Unknown.
    since: Moment,
    /// How often it went down, or failed a trial, without having been up for long in between.
    relapses: u8,
    /// The last failure; not one alone after [`SLIP_AFTER`] successes while it is down.
    failed: Option<Moment>,
    /// Whether the last observation was a success. None before the first.
    succeeded: Option<bool>,
    /// Observations in a row that were like the last one. Unlike the state's counter it goes on after a decision.
    streak: u32,
}

impl Machine {
    /// A target nothing is known of.
    pub fn new(now: Moment) -> Self {
        Self {
            state: State::Unknown,
            since: now,
            relapses: 0,
            failed: None,
            succeeded: None,
            streak: 0,
        }
    }

    /// A target that is known to have had this status since then, with no result counted yet. What is down under a breaker is tried
    /// at once.
    pub fn resume(
        status: Status,
        relapses: u8,
        since: Moment,
        check: &CheckSpec,
        now: Moment,
    ) -> Self {
        let state = match (status, check.recovery) {
            (Status::Unknown, _) => State::Unknown,
            (Status::Up, _) => State::Up { failures: 0 },
            (Status::Down, Recovery::Breaker(_)) => State::Open { until: now },
            (Status::Down, Recovery::Damped(_) | Recovery::Manual) => State::Down { successes: 0 },
        };
        // The last failure is not remembered: it was no later than now, and holding a little longer does no harm.
        let failed = (status == Status::Down).then_some(now);
        Self { state, since, relapses, failed, succeeded: None, streak: 0 }
    }

    /// Takes in the result of a probe that ended at `now`; gives the decision if the status changed.
    #[must_use]
    pub fn observe(
        mut self,
        observation: &Observation,
        check: &CheckSpec,
        now: Moment,
    ) -> (Self, Option<Decision>) {
        let is_success = match observation {
            Observation::Success { .. } => true,
            Observation::Failure(_) => false,
            Observation::Nothing(_) => return (self, None),
        };
        let is_more = self.succeeded == Some(is_success);
        // One lost packet in a long hold is no reason to begin it anew.
        let is_slip = !is_success && !is_more && self.is_slip(check);
        let failed = if is_slip { self.failed } else { Some(now) };
        let run = if is_more { self.streak } else { 0 };
        (self.succeeded, self.streak) = (Some(is_success), run.saturating_add(1));
        let state = if is_success {
            self.succeed(check, now)
        } else {
            self.failed = failed;
            self.fail(check, now)
        };
        let decision = self.enter(state, now);
        (self, decision)
    }

    /// An operator says that what is [`State::Ready`] is back; nothing happens in any other state.
    #[must_use]
    pub fn confirm(mut self, now: Moment) -> (Self, Option<Decision>) {
        let state = match self.state {
            State::Ready => State::Up { failures: 0 },
            state => state,
        };
        let decision = self.enter(state, now);
        (self, decision)
    }

    /// Takes the decision that one more failure would have brought: it was held back, and is not any more.
    pub fn fall(&mut self, check: &CheckSpec, now: Moment) -> Option<Decision> {
        self.failed = Some(now);
        let state = self.fail(check, now);
        self.enter(state, now)
    }

    /// Whether it is up with failures under way.
    pub fn is_failing(&self) -> bool {
        matches!(self.state, State::Up { failures: 1.. })
    }

    /// Forgets the failures of what is up: they were seen in doubt.
    pub fn absolve(&mut self) {
        if let State::Up { failures } = &mut self.state {
            *failures = 0;
        }
    }

    fn enter(&mut self, state: State, now: Moment) -> Option<Decision> {
        let (from, to) = (self.state.status(), state.status());
        self.state = state;
        if from == to {
            return None;
        }
        self.since = now;
        Some(Decision { from, to, streak: self.streak })
    }

    fn succeed(&self, check: &CheckSpec, now: Moment) -> State {
        let enough = check.up_after.as_u8();
        let up = State::Up { failures: 0 };
        match self.state {
            State::Unknown | State::Up { .. } => up,
            State::Ready => State::Ready,
            State::Open { .. } if enough <= 1 => up,
            State::Open { .. } => State::HalfOpen { successes: 1 },
            State::HalfOpen { successes } => match successes.saturating_add(1) {
                successes if successes >= enough => up,
                successes => State::HalfOpen { successes },
            },
            State::Down { successes } => match successes.saturating_add(1) {
                successes if successes < enough => State::Down { successes },
                _ => match check.recovery {
                    // One that was never seen up comes up by itself, as after a restart.
                    Recovery::Manual if self.relapses > 0 => State::Ready,
                    Recovery::Damped(_) if !self.held(check, now).is_zero() => {
                        State::Down { successes: enough }
                    }
                    Recovery::Damped(_) | Recovery::Breaker(_) | Recovery::Manual => up,
                },
            },
        }
    }

    fn fail(&mut self, check: &CheckSpec, now: Moment) -> State {
        match self.state {
            State::Up { failures } => match failures.saturating_add(1) {
                failures if failures < check.down_after.as_u8() => State::Up { failures },
                _ => {
                    self.relapse(check, now);
                    self.break_down(check, now)
                }
            },
            // One that was never seen up has nothing on its record.
            State::Unknown => self.break_down(check, now),
            State::Down { .. } | State::Ready => State::Down { successes: 0 },
            State::Open { .. } | State::HalfOpen { .. } => {
                self.relapses = self.relapses.saturating_add(1);
                self.break_down(check, now)
            }
        }
    }

    /// Notes that it goes down again, if it was not up for long.
    fn relapse(&mut self, check: &CheckSpec, now: Moment) {
        let longest = match check.recovery {
            Recovery::Damped(Damping { longest, .. })
            | Recovery::Breaker(Breaker { longest, .. }) => longest,
            Recovery::Manual => Duration::ZERO,
        };
        let is_forgiven = now.since(self.since) >= longest;
        self.relapses = if is_forgiven { 1 } else { self.relapses.saturating_add(1) };
    }

    fn break_down(&self, check: &CheckSpec, now: Moment) -> State {
        match check.recovery {
            Recovery::Damped(_) | Recovery::Manual => State::Down { successes: 0 },
            Recovery::Breaker(Breaker { reset, longest }) => {
                State::Open { until: now.after(doubled(reset, longest, self.relapses.max(1))) }
            }
        }
    }

    /// Whether one failure now would be one alone, of what is down. Where one is enough to go down, one is enough.
    fn is_slip(&self, check: &CheckSpec) -> bool {
        let is_down = matches!(self.state, State::Down { .. } | State::Ready);
        is_down && self.streak >= SLIP_AFTER && check.down_after.as_u8() > 1
    }

    /// For how long it must still be without a failure.
    fn held(&self, check: &CheckSpec, now: Moment) -> Duration {
        let Recovery::Damped(Damping { hold, longest }) = check.recovery else {
            return Duration::ZERO;
        };
        if self.relapses == 0 {
            return Duration::ZERO;
        }
        let quiet = self.failed.map_or(Duration::MAX, |failed| now.since(failed));
        doubled(hold, longest, self.relapses).saturating_sub(quiet)
    }

    /// How long to wait before the next probe, from the end of one that began at `started`.
    ///
    /// It counts from a good reply (rule 59: "from reply to next request"); after a failure from the start of the probe, because a
    /// silent endpoint gives no reply to count from and would else be found out a timeout later for each of the failures it takes.
    pub fn next_probe(&self, check: &CheckSpec, started: Moment, now: Moment) -> Duration {
        let pace = match self.state {
            // A trial that learnt nothing leaves it open, and the next one is not to follow at once.
            State::Open { until } if until <= now => check.retry,
            State::Open { until } => return until.since(now),
            State::Up { failures: 1.. } | State::HalfOpen { .. } => check.retry,
            State::Down { successes } if successes >= check.up_after.as_u8() => {
                self.held(check, now).clamp(check.retry.min(check.every), check.every)
            }
            State::Down { successes: 1.. } => check.retry,
            State::Unknown | State::Up { .. } | State::Down { .. } | State::Ready => check.every,
        };
        let spent = if self.succeeded == Some(false) { now.since(started) } else { Duration::ZERO };
        pace.saturating_sub(spent)
    }

    /// How soon the status could change at the earliest, if the last probe ended at `now`.
    pub fn horizon(&self, check: &CheckSpec, now: Moment) -> Horizon {
        let first = self.next_probe(check, now, now);
        let further = |missing: u8| check.retry.saturating_mul(missing.saturating_sub(1).into());
        let missing = |enough: u8, got: u8| enough.saturating_sub(got).max(1);
        let (down_after, up_after) = (check.down_after.as_u8(), check.up_after.as_u8());
        Horizon::within(match self.state {
            State::Unknown => Duration::ZERO,
            State::Up { failures } => first.saturating_add(further(missing(down_after, failures))),
            State::Down { .. } if check.recovery == Recovery::Manual && self.relapses > 0 => {
                return Horizon::NEVER;
            }
            State::Ready => return Horizon::NEVER,
            State::Down { successes } => {
                let run = first.saturating_add(further(missing(up_after, successes)));
                run.max(self.held(check, now))
            }
            State::Open { .. } => first.saturating_add(further(up_after)),
            State::HalfOpen { successes } => {
                first.saturating_add(further(missing(up_after, successes)))
            }
        })
    }

    /// The decided status.
    pub fn status(&self) -> Status {
        self.state.status()
    }

    /// The state itself.
    pub fn state(&self) -> State {
        self.state
    }

    /// When the status last changed.
    pub fn since(&self) -> Moment {
        self.since
    }

    /// Observations in a row that were like the last one.
    pub fn streak(&self) -> u32 {
        self.streak
    }

    /// How often it went down lately.
    pub fn relapses(&self) -> u8 {
        self.relapses
    }
}

/// So many successes make up for one failure in a hold. On a path that loses one packet in a hundred a hold of ten minutes would else
/// come to its end once in four hundred tries, with this far more often. It changes nothing for a first hold of half a minute.
const SLIP_AFTER: u32 = 30;

/// A time that doubles with every relapse after the first, up to the longest.
fn doubled(time: Duration, longest: Duration, relapses: u8) -> Duration {
    let doublings = u32::from(relapses.saturating_sub(1)).min(31);
    time.saturating_mul(1u32.checked_shl(doublings).unwrap_or(u32::MAX)).min(longest.max(time))
}

#[cfg(test)]
mod tests;
