//! The Prometheus check against answers as the server writes them.

use super::responder::{Asked, Responder, close_after, deserted, read_request};
use super::*;
use crate::health::{Comparison, Limit, Missing, PrometheusCheck};

fn check_of(comparison: Comparison, missing: Missing) -> Protocol {
    Protocol::Prometheus(PrometheusCheck {
        tls: None,
        host: None,
        prefix: "/prom".into(),
        headers: [("authorization".into(), "Bearer t".into())].into(),
        query: "rate(errors{job=\"a b\"}[5m]) + 1".into(),
        comparison,
        limit: Limit::try_from(0.5).unwrap(),
        missing,
    })
}

fn reply(status: u16, body: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
    .into()
}

fn answer(kind: &str, result: &str) -> Vec<u8> {
    let data = format!("{{\"resultType\":\"{kind}\",\"result\":{result}}}");
    reply(200, &format!("{{\"status\":\"success\",\"data\":{data}}}"))
}

fn vector(values: &[&str]) -> Vec<u8> {
    let one = |value: &&str| {
        format!("{{\"metric\":{{\"a\":\"b\"}},\"value\":[1435781451.781,\"{value}\"]}}")
    };
    let values: Vec<_> = values.iter().map(one).collect();
    answer("vector", &format!("[{}]", values.join(",")))
}

async fn ask(protocol: Protocol, octets: Vec<u8>) -> Observation {
    let endpoint = Responder::reply(octets).await;
    probe(&target(protocol, endpoint.address)).await
}

fn is_metric(observation: &Observation) -> bool {
    matches!(observation, Observation::Failure(FailureReason::Metric(_)))
}

#[tokio::test]
async fn every_value_must_be_on_the_right_side() {
    let below = || check_of(Comparison::Below, Missing::Last);
    for (octets, passes) in [
        (vector(&["0.1"]), true),
        (vector(&["0.1", "-Inf", "0.49"]), true),
        (vector(&["0.1", "0.5"]), false),
        (vector(&["+Inf"]), false),
        (vector(&["nonsense"]), false),
        (answer("scalar", "[1435781451.781,\"0.2\"]"), true),
        (answer("scalar", "[1435781451.781,\"2\"]"), false),
    ] {
        let text = String::from_utf8_lossy(&octets).into_owned();
        let observation = ask(below(), octets).await;
        assert_eq!(is_success(&observation), passes, "{text}: {observation}");
        assert!(passes || is_metric(&observation), "{text}: {observation}");
    }
    // A share of no traffic at all is no value; beside others it is left aside.
    let no_data = Observation::Nothing(NothingReason::NoData);
    assert_eq!(ask(below(), vector(&["NaN"])).await, no_data);
    assert!(is_success(&ask(below(), vector(&["NaN", "0.1"])).await));
}

#[tokio::test]
async fn what_is_no_scalar_and_no_vector_is_a_failure() {
    for octets in [
        answer("matrix", "[]"),
        answer("string", "[1,\"0.1\"]"),
        reply(200, "not JSON"),
        reply(200, &"[".repeat(10_000)),
        reply(400, "{\"status\":\"error\",\"errorType\":\"bad_data\",\"error\":\"parse error\"}"),
    ] {
        for missing in [Missing::Up, Missing::Down, Missing::Last] {
            let observation = ask(check_of(Comparison::Below, missing), octets.clone()).await;
            assert!(is_metric(&observation), "{observation}");
        }
    }
}

#[tokio::test]
async fn rule_74_no_value_is_what_the_check_says() {
    for (missing, expected) in [
        (Missing::Up, None),
        (Missing::Down, Some(failed(FailureReason::Metric("the query gives no value".into())))),
        (Missing::Last, Some(Observation::Nothing(NothingReason::NoData))),
    ] {
        let observation = ask(check_of(Comparison::Above, missing), vector(&[])).await;
        match expected {
            Some(expected) => assert_eq!(observation, expected),
            None => assert!(is_success(&observation), "{observation}"),
        }
    }
}

/// The server is not the endpoint.
#[tokio::test]
async fn rule_74_a_server_that_cannot_be_asked_gives_no_value() {
    let address = deserted().await;
    let silent = Responder::silent().await;
    let starting = Responder::reply(reply(503, "starting")).await;
    for (missing, expected) in [
        (Missing::Last, Some(Observation::Nothing(NothingReason::NoData))),
        (Missing::Down, Some(failed(FailureReason::Refused))),
        (Missing::Up, None),
    ] {
        let protocol = || check_of(Comparison::Above, missing);
        let observation = probe(&target(protocol(), address)).await;
        match expected {
            Some(expected) => assert_eq!(observation, expected),
            None => assert!(is_success(&observation), "{observation}"),
        }
        if missing == Missing::Last {
            let nothing = Observation::Nothing(NothingReason::NoData);
            assert_eq!(probe(&target(protocol(), starting.address)).await, nothing);
            assert_eq!(probe(&impatient(protocol(), silent.address, 200)).await, nothing);
        }
    }
}

#[tokio::test]
async fn the_query_is_percent_encoded_and_the_token_is_sent() {
    let asked = Asked::default();
    let seen = asked.clone();
    let endpoint = Responder::start(move |mut stream| {
        let seen = seen.clone();
        async move {
            seen.put(read_request(&mut stream).await);
            close_after(stream, &vector(&["1"])).await;
        }
    })
    .await;
    let protocol = check_of(Comparison::Above, Missing::Last);
    assert!(is_success(&probe(&target(protocol, endpoint.address)).await));
    let path = "GET /prom/api/v1/query?query=rate%28errors%7Bjob%3D%22a%20b%22%7D%5B5m%5D%29%20%2B%201 HTTP/1.1\r\n";
    let request = asked.text();
    assert!(request.starts_with(path), "{request}");
    assert!(request.contains("\r\nauthorization: Bearer t\r\n"), "{request}");
}

#[tokio::test]
async fn an_answer_larger_than_a_probe_reads_is_no_answer() {
    let value = "0.1".to_owned() + &"0".repeat(70_000);
    let observation = ask(check_of(Comparison::Below, Missing::Down), vector(&[&value])).await;
    assert!(
        matches!(observation, Observation::Failure(FailureReason::MalformedReply(_))),
        "{observation}"
    );
}
