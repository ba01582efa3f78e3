//! `/api/v1/health`: what is known of every endpoint, for people and programs.

use serde::{Deserialize, Serialize};

use super::endpoints::{Endpoint, endpoints, find};
use super::http::Admin;
use crate::health::{Known, Moment, Status};
use crate::sys::monotonic_ms;

/// The health of everything.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HealthReport {
    /// What keeps the server from being as it should be; empty if all is well.
    pub degraded: Vec<String>,
    /// Seconds since the last result of any probe; nothing before the first.
    pub last_result_seconds: Option<f64>,
    pub endpoints: Vec<EndpointHealth>,
}

/// One endpoint of a pool.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EndpointHealth {
    pub zone: String,
    pub pool: String,
    pub endpoint: String,
    pub check: String,
    /// What is probed.
    pub target: String,
    /// As answers have it.
    pub status: Status,
    /// Seconds since it changed.
    pub since_seconds: f64,
    /// Equal results in a row.
    pub streak: u32,
    /// Seconds since the last probe ended.
    pub probed_seconds: Option<f64>,
    /// How long the last good probe took, in milliseconds.
    pub latency_ms: Option<f64>,
    /// What was wrong the last time that something was.
    pub last_failure: Option<String>,
}

impl HealthReport {
    pub(super) fn new(admin: &Admin) -> Self {
        let (live, statistics) = (admin.published.load(), admin.prober.known());
        let tell = |endpoint: Endpoint| {
            let known = find(&statistics, &live, endpoint.target)?;
            Some(EndpointHealth::new(endpoint.labels, live.view.status(known.id), known))
        };
        Self {
            degraded: admin.reasons(),
            last_result_seconds: last_result_seconds(&statistics),
            endpoints: endpoints(&live.snapshot).filter_map(tell).collect(),
        }
    }
}

/// Seconds since the last result of any probe.
pub(super) fn last_result_seconds(statistics: &[Known]) -> Option<f64> {
    let last = statistics.iter().filter_map(|known| known.tally.last_probe).max();
    last.map(seconds_since)
}

impl EndpointHealth {
    fn new(labels: [String; 4], status: Status, known: &Known) -> Self {
        let [zone, pool, endpoint, check] = labels;
        let tally = &known.tally;
        Self {
            zone,
            pool,
            endpoint,
            check,
            target: known.target.to_string(),
            status,
            since_seconds: known.age.as_secs_f64(),
            streak: known.streak,
            probed_seconds: tally.last_probe.map(seconds_since),
            latency_ms: tally.last_latency.map(|took| took.as_secs_f64() * 1000.0),
            last_failure: tally.last_failure.as_ref().map(ToString::to_string),
        }
    }
}

fn seconds_since(moment: Moment) -> f64 {
    Moment(monotonic_ms()).since(moment).as_secs_f64()
}
