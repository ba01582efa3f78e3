//! The HTTP check: what passes, what does not, and what a hostile endpoint can cost.

use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt;

use super::responder::{Asked, Responder, close_after, deserted, read_request, status_reply};
use super::*;

async fn probe_http(endpoint: &Responder) -> Observation {
    probe(&target(Protocol::Http(http()), endpoint.address)).await
}

fn reply_with_fields(octets: usize) -> Vec<u8> {
    let mut reply = b"HTTP/1.1 200 OK\r\n".to_vec();
    while reply.len() + 102 < octets {
        reply.extend_from_slice(format!("X-Filler: {}\r\n", "x".repeat(88)).as_bytes());
    }
    reply.extend_from_slice(
        format!("X: {}\r\n\r\n", "x".repeat(octets - reply.len() - 7)).as_bytes(),
    );
    assert_eq!(reply.len(), octets);
    reply
}

fn is_malformed(observation: &Observation) -> bool {
    matches!(observation, Observation::Failure(FailureReason::MalformedReply(_)))
}

#[tokio::test]
async fn rule_60_two_and_three_hundreds_are_healthy() {
    for status in [200, 204, 299, 301, 302, 399] {
        let observation = probe_http(&Responder::status(status).await).await;
        assert!(is_success(&observation), "{status}: {observation}");
    }
    for status in [400, 404, 500, 503, 599] {
        let observation = probe_http(&Responder::status(status).await).await;
        assert_eq!(observation, failed(FailureReason::Status(status)));
    }
}

#[tokio::test]
async fn an_expected_status_passes_and_no_other() {
    let expect = StatusSet::parse("401,503-504").unwrap();
    let check = HttpCheck { expect, ..http() };
    for (status, passes) in [(401, true), (503, true), (504, true), (200, false), (500, false)] {
        let endpoint = Responder::status(status).await;
        let observation = probe(&target(Protocol::Http(check.clone()), endpoint.address)).await;
        assert_eq!(is_success(&observation), passes, "{status}: {observation}");
    }
}

#[tokio::test]
async fn the_request_is_a_get_that_says_who_asks() {
    let asked = Asked::default();
    let seen = asked.clone();
    let endpoint = Responder::start(move |mut stream| {
        let seen = seen.clone();
        async move {
            seen.put(read_request(&mut stream).await);
            close_after(stream, &status_reply(200)).await;
        }
    })
    .await;
    let (path, host) = ("/healthz?deep=1".into(), Some("www.example.com".into()));
    let check = HttpCheck { path, host, ..http() };
    assert!(is_success(&probe(&target(Protocol::Http(check), endpoint.address)).await));
    let request = asked.text().to_ascii_lowercase();
    assert!(request.starts_with("get /healthz?deep=1 http/1.1\r\n"), "{request}");
    let host = format!("\r\nhost: www.example.com:{}\r\n", endpoint.address.port());
    let agent =
        format!("\r\nuser-agent: meridian/{} (health check)\r\n", env!("CARGO_PKG_VERSION"));
    for field in [host.as_str(), agent.as_str(), "\r\nconnection: close\r\n"] {
        assert_eq!(request.matches(field).count(), 1, "{field:?} in {request:?}");
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = Responder::status(500).await;
    let location = format!(
        "HTTP/1.1 302 Found\r\nLocation: http://{}/\r\nContent-Length: 0\r\n\r\n",
        elsewhere.address
    );
    assert!(is_success(&probe_http(&Responder::reply(location).await).await));
    assert_eq!(elsewhere.accepted(), 0);
}

#[tokio::test]
async fn only_the_status_counts_not_the_body() {
    // The body is announced and never comes.
    let reply = "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n";
    let endpoint = Responder::start(move |mut stream| async move {
        read_request(&mut stream).await;
        let _ = stream.write_all(reply.as_bytes()).await;
        tokio::time::sleep(Duration::from_secs(3600)).await;
    })
    .await;
    assert!(is_success(&probe_http(&endpoint).await));
}

#[tokio::test]
async fn http_1_0_will_do() {
    assert!(is_success(&probe_http(&Responder::reply("HTTP/1.0 200 OK\r\n\r\n").await).await));
}

#[tokio::test]
async fn a_refused_connection_is_a_failure() {
    let observation = probe(&target(Protocol::Http(http()), deserted().await)).await;
    assert_eq!(observation, failed(FailureReason::Refused));
}

#[tokio::test]
async fn silence_after_accept_is_a_timeout() {
    let endpoint = Responder::silent().await;
    let observation = probe(&impatient(Protocol::Http(http()), endpoint.address, 300)).await;
    assert_eq!(observation, failed(FailureReason::Timeout));
}

#[tokio::test]
async fn a_close_before_the_reply_is_a_failure() {
    for part in ["", "HTTP/1.1 200 OK\r\nContent-Le"] {
        let observation = probe_http(&Responder::reply(part).await).await;
        assert_eq!(observation, failed(FailureReason::Closed), "{part:?}");
    }
}

#[tokio::test]
async fn a_reset_is_a_failure() {
    let endpoint = Responder::start(|stream| async move {
        // Octets that nobody reads make the kernel answer the close with a reset.
        let _ = stream.readable().await;
        drop(stream);
    })
    .await;
    let observation = probe_http(&endpoint).await;
    assert_eq!(observation, failed(FailureReason::Reset));
}

#[tokio::test]
async fn rule_64_a_malformed_reply_is_a_failure() {
    for reply in [
        "SSH-2.0-OpenSSH_9.6\r\n\r\n",
        "\0\x01\x02\x03\r\n\r\n",
        "HTTP/1.1 999999 What\r\n\r\n",
        "HTTP/1.1 200 OK\r\nNo colon\r\n\r\n",
        "HTTP/1.1 200 OK\r\nSpace : before colon\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "HTTP/2.0 200 OK\r\n\r\n",
    ] {
        let observation = probe_http(&Responder::reply(reply).await).await;
        assert!(is_malformed(&observation), "{reply:?}: {observation}");
    }
}

#[tokio::test]
async fn rule_64_more_than_sixteen_kib_of_headers_is_a_failure() {
    for (octets, passes) in [(16 << 10, true), ((16 << 10) + 1, false), (40_000, false)] {
        let observation = probe_http(&Responder::reply(reply_with_fields(octets)).await).await;
        assert_eq!(is_success(&observation), passes, "{octets}: {observation}");
        assert!(passes || is_malformed(&observation), "{octets}: {observation}");
    }
}

#[tokio::test]
async fn more_header_fields_than_the_limit_are_a_failure() {
    for (count, passes) in [(256, true), (257, false)] {
        let reply = format!("HTTP/1.1 200 OK\r\n{}\r\n", "A: b\r\n".repeat(count));
        let observation = probe_http(&Responder::reply(reply).await).await;
        assert_eq!(is_success(&observation), passes, "{count}: {observation}");
    }
}

#[tokio::test]
async fn endless_interim_replies_end_at_the_reply_limit() {
    let endpoint = Responder::start(|mut stream| async move {
        read_request(&mut stream).await;
        while stream.write_all(b"HTTP/1.1 103 Early Hints\r\n\r\n").await.is_ok() {}
    })
    .await;
    let observation = probe_http(&endpoint).await;
    assert!(is_malformed(&observation), "{observation}");
}

#[tokio::test]
async fn a_reply_that_drips_is_a_timeout() {
    let endpoint = Responder::start(|mut stream| async move {
        read_request(&mut stream).await;
        for octet in status_reply(200) {
            tokio::time::sleep(Duration::from_millis(100)).await;
            if stream.write_all(&[octet]).await.is_err() {
                return;
            }
        }
    })
    .await;
    let start = Instant::now();
    let observation = probe(&impatient(Protocol::Http(http()), endpoint.address, 300)).await;
    assert_eq!(observation, failed(FailureReason::Timeout));
    assert!(start.elapsed() < PATIENCE);
}

#[tokio::test]
async fn method_and_header_fields_are_the_checks() {
    for method in ["HEAD", "POST", "OPTIONS"] {
        let asked = Asked::default();
        let seen = asked.clone();
        let endpoint = Responder::start(move |mut stream| {
            let seen = seen.clone();
            async move {
                seen.put(read_request(&mut stream).await);
                close_after(stream, &status_reply(200)).await;
            }
        })
        .await;
        let headers = [("x-token", "a b"), ("user-agent", "probe/1")];
        let headers = headers.map(|(name, value)| (name.into(), value.into())).into();
        let check = HttpCheck { method: method.into(), headers, ..http() };
        assert!(is_success(&probe(&target(Protocol::Http(check), endpoint.address)).await));
        let request = asked.text();
        assert!(request.starts_with(&format!("{method} /healthz HTTP/1.1\r\n")), "{request}");
        for field in ["\r\nx-token: a b\r\n", "\r\nuser-agent: probe/1\r\n"] {
            assert_eq!(request.matches(field).count(), 1, "{field:?} in {request:?}");
        }
        assert_eq!(request.matches("user-agent").count(), 1);
    }
}
