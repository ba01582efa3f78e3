//! One probe: find the address, speak the protocol within the timeout, judge.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::error::Elapsed;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::blame::Miss;
use super::lag::{Lagged, Spent};
use super::{http, resolve, tcp, tls};
use crate::health::{
    FailureReason, NothingReason, Observation, ProbeAddress, ProbeTarget, Protocol,
};
use crate::limits::PROBE_LOOKUPS;

/// What all probes of a prober share.
pub(super) struct Tools {
    pub(super) tls: TlsConnector,
    /// Bounds the probes under way, and so the sockets.
    pub(super) in_flight: Semaphore,
    /// Bounds the name look-ups under way, and so the threads that wait for the resolver.
    pub(super) lookups: Arc<Semaphore>,
}

impl Tools {
    /// Tools for at most `in_flight` probes at once.
    pub(super) fn new(in_flight: usize) -> Self {
        Self {
            tls: tls::connector(),
            in_flight: Semaphore::new(in_flight.max(1)),
            lookups: Arc::new(Semaphore::new(PROBE_LOOKUPS)),
        }
    }
}

/// Probes a target once. Takes at most twice the check's timeout, for the name and for the endpoint.
pub(super) async fn observe(target: &ProbeTarget, tools: &Tools) -> Observation {
    let address = match find(target, tools).await {
        Ok(address) => SocketAddr::new(address, target.check.port),
        Err(miss) => return miss.into(),
    };
    let limit = target.check.timeout;
    let (outcome, spent) = Lagged::new(timeout(limit, speak(address, target, tools))).await;
    judge(outcome, spent, limit)
}

async fn find(target: &ProbeTarget, tools: &Tools) -> Result<IpAddr, Miss> {
    match &target.address {
        ProbeAddress::Ip(address) => Ok(*address),
        ProbeAddress::Name(name) => {
            resolve::lookup(name, target.check.timeout, &tools.lookups).await
        }
    }
}

async fn speak(address: SocketAddr, target: &ProbeTarget, tools: &Tools) -> Result<(), Miss> {
    match &target.check.protocol {
        Protocol::Tcp(_) => tcp::probe(address).await,
        Protocol::Http(check) => http::probe(address, check, &target.address, &tools.tls).await,
        _ => Err(Miss::Nothing(NothingReason::BadCheck)),
    }
}

/// What an outcome says about the endpoint.
///
/// Late are we if we woke up later than half the timeout after the deadline, because we were stopped, or if more than half
/// the timeout was our own time, because we were starved. Then a missing answer, or a reset by a peer that lost its
/// patience, is not the endpoint's fault (RELIABILITY §5.1). An answer in time is an answer all the same.
fn judge(outcome: Result<Result<(), Miss>, Elapsed>, spent: Spent, limit: Duration) -> Observation {
    let overtime = spent.total.saturating_sub(limit);
    let is_success = matches!(outcome, Ok(Ok(())));
    if overtime > limit / 2 || (spent.ours > limit / 2 && !is_success) {
        return Observation::Nothing(NothingReason::Late);
    }
    match outcome {
        Ok(Ok(())) => Observation::Success { latency: spent.total },
        Ok(Err(miss)) => miss.into(),
        Err(Elapsed { .. }) => Observation::Failure(FailureReason::Timeout),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LATE: Observation = Observation::Nothing(NothingReason::Late);
    const REFUSED: Observation = Observation::Failure(FailureReason::Refused);

    /// Judges with a timeout of a second.
    fn judge_after(total_ms: u64, ours_ms: u64, outcome: Result<(), Miss>) -> Observation {
        let (total, ours) = (Duration::from_millis(total_ms), Duration::from_millis(ours_ms));
        judge(Ok(outcome), Spent { total, ours }, Duration::from_secs(1))
    }

    fn refused() -> Result<(), Miss> {
        Err(Miss::Failure(FailureReason::Refused))
    }

    #[test]
    fn a_wake_up_later_than_half_the_timeout_is_no_observation() {
        let latency = Duration::from_millis(1500);
        assert_eq!(judge_after(1500, 0, Ok(())), Observation::Success { latency });
        assert_eq!(judge_after(1501, 0, Ok(())), LATE);
        assert_eq!(judge_after(1500, 0, refused()), REFUSED);
        assert_eq!(judge_after(1501, 0, refused()), LATE);
        assert_eq!(judge_after(30_000, 0, Err(Miss::Nothing(NothingReason::NoRoute))), LATE);
    }

    #[test]
    fn a_failure_is_not_held_against_an_endpoint_that_we_had_no_time_for() {
        assert_eq!(judge_after(1000, 500, refused()), REFUSED);
        assert_eq!(judge_after(1000, 501, refused()), LATE);
        let latency = Duration::from_millis(1000);
        assert_eq!(judge_after(1000, 900, Ok(())), Observation::Success { latency });
    }
}
