//! One probe: find the addresses, speak the protocol with each of them within the timeout, judge.
//!
//! A name may have several addresses. They are tried at once, and one that answers is enough: the first success is also the
//! fastest, so it ends the probe. If all fail, the first one that did speaks for all.

use std::future::{Future, poll_fn};
use std::net::{IpAddr, SocketAddr};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::error::Elapsed;
use tokio::time::timeout;

use super::authorities::{Authorities, Trust};
use super::blame::Miss;
use super::egress::Egress;
use super::lag::{Lagged, Spent};
use super::tls::Connectors;
use super::trial::Trial;
use super::{dns, grpc, http, icmp, prometheus, resolve, tcp};
use crate::health::{
    CheckSpec, FailureReason, NothingReason, Observation, ProbeAddress, ProbeTarget, Protocol,
    TlsCheck,
};
use crate::limits::PROBE_LOOKUPS;

/// Pauses of our own are noticed if they are longer than this part of the shortest time that a check gives. More of them than a half
/// make a probe late ([`judge`]); a probe that hangs is woken so often for it.
const PAUSES_OF_SHORTEST: u32 = 8;

/// What all probes of a prober share.
pub(super) struct Tools {
    pub(super) connectors: Connectors,
    pub(super) authorities: Authorities,
    /// Where probes may be sent.
    pub(super) egress: Egress,
    /// Bounds the addresses that are being probed, and so the sockets.
    pub(super) in_flight: Semaphore,
    /// Bounds the name look-ups under way, and so the threads that wait for the resolver.
    pub(super) lookups: Arc<Semaphore>,
}

impl Tools {
    /// Tools for at most `in_flight` probes at once, which are sent where `egress` lets them.
    pub(super) fn new(in_flight: usize, egress: Egress) -> Self {
        Self {
            connectors: Connectors::default(),
            authorities: Authorities::default(),
            egress,
            in_flight: Semaphore::new(in_flight.max(1)),
            lookups: Arc::new(Semaphore::new(PROBE_LOOKUPS)),
        }
    }
}

/// What a probe learnt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Probed {
    pub(super) observation: Observation,
    /// Seconds since 1970 at which the certificate that was presented ends, valid or not.
    pub(super) certificate_ends_s: Option<i64>,
}

impl From<Miss> for Probed {
    fn from(miss: Miss) -> Self {
        Self { observation: miss.into(), certificate_ends_s: None }
    }
}

/// Probes a target once. Takes at most three times the check's timeout: for the name, for a file of authorities that has to be
/// read, and for the endpoint. The caller holds a permit of [`Tools::in_flight`], which is the first address's; each further
/// one waits for its own.
pub(super) async fn observe(target: &ProbeTarget, tools: &Tools) -> Probed {
    let check = &target.check;
    if !check.is_probed() {
        return Miss::Nothing(NothingReason::BadCheck).into();
    }
    let trust = match tools.authorities.find(tls_of(&check.protocol), check.timeout).await {
        Ok(trust) => trust,
        Err(miss) => return miss.into(),
    };
    let addresses = match find(target, tools).await {
        Ok(addresses) => addresses,
        Err(miss) => return miss.into(),
    };
    let attempts = addresses.iter().enumerate().map(|(index, address)| {
        let trust = trust.clone();
        async move {
            let waiting = timeout(target.check.timeout, tools.in_flight.acquire());
            let _permit = match index {
                0 => None,
                // Whoever waits here has a permit already: without an end all could wait for each other.
                _ => match waiting.await {
                    Ok(permit) => permit.ok(),
                    Err(_) => return Miss::Nothing(NothingReason::Late).into(),
                },
            };
            try_address(*address, target, tools, trust).await
        }
    });
    let probed = race(attempts.collect(), |one| is_success(&one.observation)).await;
    combine(&addresses, probed)
}

async fn find(target: &ProbeTarget, tools: &Tools) -> Result<Vec<IpAddr>, Miss> {
    match &target.address {
        ProbeAddress::Ip(address) => Ok(vec![*address]),
        ProbeAddress::Name(name) => {
            resolve::lookup(name, target.check.timeout, &tools.lookups).await
        }
    }
}

async fn try_address(
    address: IpAddr,
    target: &ProbeTarget,
    tools: &Tools,
    trust: Option<Arc<Trust>>,
) -> Probed {
    let check = &target.check;
    let trial = Trial::new(target, SocketAddr::new(address, check.port), tools, trust);
    let shortest = shortest(check);
    let speaking = timeout(check.timeout, speak(&trial));
    let (outcome, spent) = Lagged::new(speaking, shortest / PAUSES_OF_SHORTEST).await;
    let observation = judge(outcome, spent, check.timeout, shortest);
    Probed {
        observation: prometheus::settle(observation, &check.protocol, spent.total),
        certificate_ends_s: trial.certificate_ends_s(),
    }
}

async fn speak(trial: &Trial<'_>) -> Result<(), Miss> {
    match &trial.check().protocol {
        Protocol::Tcp(check) => tcp::probe(trial, check).await,
        Protocol::Http(check) => http::probe(trial, check).await,
        Protocol::Dns(check) => dns::probe(trial, check).await,
        Protocol::Icmp => icmp::probe(trial).await,
        Protocol::Grpc(check) => grpc::probe(trial, check).await,
        Protocol::Prometheus(check) => prometheus::probe(trial, check).await,
        Protocol::External(_) | Protocol::Calculated(_) => {
            Err(Miss::Nothing(NothingReason::BadCheck))
        }
    }
}

fn tls_of(protocol: &Protocol) -> Option<&TlsCheck> {
    match protocol {
        Protocol::Tcp(check) => check.tls.as_ref(),
        Protocol::Http(check) => check.tls.as_ref(),
        Protocol::Grpc(check) => check.tls.as_ref(),
        Protocol::Prometheus(check) => check.tls.as_ref(),
        Protocol::Dns(_) | Protocol::Icmp | Protocol::External(_) | Protocol::Calculated(_) => None,
    }
}

/// The shortest time that the check gives anybody.
fn shortest(check: &CheckSpec) -> Duration {
    let phases = [check.phases.connect, check.phases.reply, check.phases.body];
    phases.into_iter().flatten().fold(check.timeout, Duration::min)
}

/// Runs all futures in this task until one `wins` or all are done, and gives what came, in order of time, with its index.
async fn race<T>(
    futures: Vec<impl Future<Output = T>>,
    wins: impl Fn(&T) -> bool,
) -> Vec<(usize, T)> {
    let mut running: Vec<_> = futures.into_iter().map(Box::pin).enumerate().collect();
    let mut done = Vec::new();
    let mut all = pin!(poll_fn(|cx| {
        running.retain_mut(|(index, future)| match Pin::new(future).poll(cx) {
            Poll::Ready(output) => {
                done.push((*index, output));
                false
            }
            Poll::Pending => true,
        });
        let is_over = running.is_empty() || done.iter().any(|(_, output)| wins(output));
        if is_over { Poll::Ready(std::mem::take(&mut done)) } else { Poll::Pending }
    }));
    all.as_mut().await
}

/// A success if there is one, else the first failure, else the first error of ours.
fn combine(addresses: &[IpAddr], probed: Vec<(usize, Probed)>) -> Probed {
    // The fastest of those that came at the same time: the smallest rank, then the smallest latency.
    let best = probed.into_iter().min_by_key(|(_, one)| match &one.observation {
        Observation::Success { latency } => (0, *latency),
        Observation::Failure(_) => (1, Duration::ZERO),
        Observation::Nothing(_) => (2, Duration::ZERO),
    });
    match best {
        Some((index, Probed { observation: Observation::Failure(reason), certificate_ends_s }))
            if addresses.len() > 1 =>
        {
            let reason = match addresses.get(index) {
                Some(address) => FailureReason::At(*address, Box::new(reason)),
                None => reason,
            };
            Probed { observation: Observation::Failure(reason), certificate_ends_s }
        }
        Some((_, probed)) => probed,
        None => Miss::Failure(FailureReason::NoAddress).into(),
    }
}

fn is_success(observation: &Observation) -> bool {
    matches!(observation, Observation::Success { .. })
}

/// What an outcome says about the endpoint.
///
/// Late are we if we woke up later than half the timeout after the deadline, because we were stopped, or if more than half
/// the shortest time that was given to any part was our own, because we were starved. Then a missing answer, or a reset by a peer that lost its
/// patience, is not the endpoint's fault (RELIABILITY §5.1). An answer in time is an answer all the same.
fn judge(
    outcome: Result<Result<(), Miss>, Elapsed>,
    spent: Spent,
    limit: Duration,
    shortest: Duration,
) -> Observation {
    let overtime = spent.total.saturating_sub(limit);
    let is_success = matches!(outcome, Ok(Ok(())));
    if overtime > limit / 2 || (spent.ours > shortest / 2 && !is_success) {
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

    const SECOND: Duration = Duration::from_secs(1);

    /// Judges with a timeout of a second.
    fn judge_after(total_ms: u64, ours_ms: u64, outcome: Result<(), Miss>) -> Observation {
        let (total, ours) = (Duration::from_millis(total_ms), Duration::from_millis(ours_ms));
        judge(Ok(outcome), Spent { total, ours }, SECOND, SECOND)
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

    #[test]
    fn half_of_the_shortest_phase_is_enough_to_be_late_for_a_failure() {
        let spent = |ours_ms| Spent { total: SECOND, ours: Duration::from_millis(ours_ms) };
        let judge = |ours_ms| judge(Ok(refused()), spent(ours_ms), SECOND, SECOND / 5);
        assert_eq!((judge(100), judge(101)), (REFUSED, LATE));
    }

    #[tokio::test]
    async fn a_race_ends_with_the_first_that_wins_or_with_the_last() {
        let wait = |ms: u64| async move {
            tokio::time::sleep(Duration::from_millis(ms)).await;
            ms
        };
        let never = || vec![wait(3_600_000), wait(20), wait(1)];
        assert_eq!(race(never(), |ms| *ms == 20).await, [(2, 1), (1, 20)]);
        assert_eq!(race(vec![wait(20), wait(1)], |_| false).await, [(1, 1), (0, 20)]);
    }

    #[test]
    fn one_address_that_answers_is_enough_and_the_first_failure_speaks_for_all() {
        let addresses = [1, 2, 3].map(|last| IpAddr::from([192, 0, 2, last]));
        let probed = |observation: Observation| Probed { observation, certificate_ends_s: None };
        let (latency, slower) = (Duration::from_millis(5), Duration::from_millis(9));
        let combine = |results: &[(usize, Observation)]| {
            let results = results.iter().map(|(at, one)| (*at, probed(one.clone()))).collect();
            combine(&addresses, results).observation
        };
        let blocked = Observation::Nothing(NothingReason::Blocked);
        let timeout = Observation::Failure(FailureReason::Timeout);
        let best = [
            (2, REFUSED),
            (0, Observation::Success { latency: slower }),
            (1, Observation::Success { latency }),
        ];
        assert_eq!(combine(&best), Observation::Success { latency });
        let failure = combine(&[(2, blocked.clone()), (1, timeout), (0, REFUSED)]);
        assert_eq!(failure.to_string(), "192.0.2.2: no answer within the timeout");
        assert_eq!(combine(&[(2, blocked.clone()), (1, LATE)]), blocked);
    }
}
