//! The Prometheus check: a PromQL query, and every value of its result on the right side of the limit.
//!
//! The server that is asked is not the endpoint. If it can't be asked, the query gives no value, which is not the endpoint's
//! fault: what holds then is what the check says of [missing](crate::health::Missing) values, see [`settle`].

use std::fmt::Write;
use std::time::Duration;

use hyper::Method;
use hyper::body::Bytes;
use serde::Deserialize;

use super::blame::{Miss, detail};
use super::connect::open;
use super::exchange::{Reply, Wanted, exchange};
use super::http::{Query, below, write_host, write_request};
use super::trial::{Trial, within};
use crate::health::{
    FailureReason, Missing, NothingReason, Observation, PrometheusCheck, Protocol,
};
use crate::limits::PROBE_REPLY_OCTETS;

/// What the server's API answers, as far as it is looked at.
#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    error: String,
    data: Option<Data>,
}

/// The result by its type; a matrix or a string is no answer to the question whether a value is right.
#[derive(Deserialize)]
#[serde(tag = "resultType", content = "result", rename_all = "lowercase")]
enum Data {
    Scalar(Sample),
    Vector(Vec<Series>),
}

#[derive(Deserialize)]
struct Series {
    value: Sample,
}

/// A time, and the value as text: JSON has no NaN and no infinity.
#[derive(Deserialize)]
struct Sample(serde::de::IgnoredAny, String);

/// Asks the server and judges the values.
pub(super) async fn probe(trial: &Trial<'_>, check: &PrometheusCheck) -> Result<(), Miss> {
    let (target, port) = (&trial.target.address, trial.address.port());
    let request = write_request(Query {
        method: Method::GET,
        path: &write_path(check),
        host: write_host(check.host.as_deref(), target, port, check.tls.is_some()),
        headers: &check.headers,
        body: Bytes::new(),
        is_tls: check.tls.is_some(),
        is_http2: false,
    })?;
    let phases = &trial.check().phases;
    let below = below(check.tls.as_ref(), check.host.as_deref(), trial);
    let stream = within(phases.connect, open(trial, trial.address, below, false)).await?;
    let wanted = |_| Wanted::Whole(PROBE_REPLY_OCTETS);
    let reply = exchange(stream, false, request, phases, &trial.intake, wanted).await?;
    judge(&reply, check)
}

/// What an observation of a server says about the endpoint: a server that gives no value says what missing values say.
pub(super) fn settle(
    observation: Observation,
    protocol: &Protocol,
    spent: Duration,
) -> Observation {
    let Protocol::Prometheus(check) = protocol else {
        return observation;
    };
    match (&observation, check.missing) {
        (Observation::Success { .. } | Observation::Nothing(_), _)
        | (Observation::Failure(FailureReason::Metric(_)), _)
        | (Observation::Failure(_), Missing::Down) => observation,
        (Observation::Failure(_), Missing::Up) => Observation::Success { latency: spent },
        (Observation::Failure(_), Missing::Last) => Observation::Nothing(NothingReason::NoData),
    }
}

/// The API's path with the query percent-encoded (RFC 3986 §2.1).
fn write_path(check: &PrometheusCheck) -> String {
    let mut path = format!("{}/api/v1/query?query=", check.prefix);
    for octet in check.query.bytes() {
        if octet.is_ascii_alphanumeric() || b"-._~".contains(&octet) {
            path.push(char::from(octet));
        } else {
            // Writing to a string never fails.
            let _ = write!(path, "%{octet:02X}");
        }
    }
    path
}

/// A reply that is no answer at all, as of a server that is starting, is as good as none; one that refuses the query is an error.
fn judge(reply: &Reply, check: &PrometheusCheck) -> Result<(), Miss> {
    if !matches!(reply.status, 200..=299 | 400 | 422) {
        return Err(Miss::Failure(FailureReason::Status(reply.status)));
    }
    let answer = serde_json::from_slice::<Answer>(&reply.body)
        .map_err(|error| failure(&format!("an answer that is no scalar and no vector: {error}")))?;
    let values = match answer.data {
        // The server could not reckon it, which says nothing of the endpoint; a query that is none is its author's mistake.
        _ if reply.status > 400 => return judge_missing(check.missing),
        _ if reply.status == 400 => return Err(failure(&answer.error)),
        None => return Err(failure(&answer.error)),
        Some(Data::Scalar(Sample(_, value))) => vec![value],
        Some(Data::Vector(series)) => series.into_iter().map(|one| one.value.1).collect(),
    };
    // What is divided by no traffic at all is no value.
    let values: Vec<String> = values.into_iter().filter(|value| value != "NaN").collect();
    if values.is_empty() {
        return judge_missing(check.missing);
    }
    values.iter().try_for_each(|value| judge_value(value, check))
}

fn judge_missing(missing: Missing) -> Result<(), Miss> {
    match missing {
        Missing::Up => Ok(()),
        Missing::Down => Err(failure("the query gives no value")),
        Missing::Last => Err(Miss::Nothing(NothingReason::NoData)),
    }
}

fn judge_value(value: &str, check: &PrometheusCheck) -> Result<(), Miss> {
    let number = value.parse().map_err(|_| failure("a value that is no number"))?;
    if check.passes(number) {
        return Ok(());
    }
    let (sign, limit) = (check.comparison.as_sign(), check.limit.as_f64());
    Err(failure(&format!("{number} is not {sign} {limit}")))
}

fn failure(text: &str) -> Miss {
    Miss::Failure(FailureReason::Metric(detail(text)))
}
