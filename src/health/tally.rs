//! Counts of a target's probe results, for metrics and status pages. Nothing is decided from them.

use std::time::Duration;

use super::moment::Moment;
use super::observation::{FailureReason, NothingReason, Observation};

/// What the probes of one target learnt since it was first probed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Probes that were answered as expected.
    pub successes: u64,
    /// Probes that were not.
    pub failures: u64,
    /// Probes that learnt nothing through an error of our own side.
    pub nothings: u64,
    /// Latency of the last success.
    pub last_latency: Option<Duration>,
    /// Reason of the last failure, kept when a success follows.
    pub last_failure: Option<FailureReason>,
    /// Reason of the last probe that learnt nothing, kept when others follow.
    pub last_nothing: Option<NothingReason>,
    /// When the last probe ended, whatever it learnt: how fresh the state is.
    pub last_probe: Option<Moment>,
}

impl Tally {
    /// Counts one more result that came in at `now`.
    pub fn add(&mut self, observation: &Observation, now: Moment) {
        self.last_probe = Some(now);
        match observation {
            Observation::Success { latency } => {
                self.successes = self.successes.saturating_add(1);
                self.last_latency = Some(*latency);
            }
            Observation::Failure(reason) => {
                self.failures = self.failures.saturating_add(1);
                self.last_failure = Some(reason.clone());
            }
            Observation::Nothing(reason) => {
                self.nothings = self.nothings.saturating_add(1);
                self.last_nothing = Some(*reason);
            }
        }
    }

    /// Probes that ended, whatever they learnt.
    pub fn total(&self) -> u64 {
        self.successes.saturating_add(self.failures).saturating_add(self.nothings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_counted_by_kind_and_the_last_of_each_is_kept() {
        let (mut tally, now) = (Tally::default(), Moment(5));
        let latency = Duration::from_millis(7);
        for observation in [
            Observation::Failure(FailureReason::Refused),
            Observation::Failure(FailureReason::Status(503)),
            Observation::Nothing(NothingReason::NoRoute),
            Observation::Success { latency },
        ] {
            tally.add(&observation, now);
        }
        assert_eq!((tally.successes, tally.failures, tally.nothings), (1, 2, 1));
        assert_eq!(tally.total(), 4);
        assert_eq!(tally.last_latency, Some(latency));
        assert_eq!(tally.last_failure, Some(FailureReason::Status(503)));
        assert_eq!(tally.last_nothing, Some(NothingReason::NoRoute));
        assert_eq!(tally.last_probe, Some(now));
    }
}
