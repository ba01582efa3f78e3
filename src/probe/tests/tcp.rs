//! The TCP check, and what a socket's errors say.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::responder::{Responder, close_after, deserted};
use super::*;
use crate::health::Pattern;
use crate::limits::BODY_OCTETS;

#[tokio::test]
async fn rule_60_an_accepted_connection_is_a_success() {
    let endpoint = Responder::silent().await;
    let observation = probe(&target(Protocol::Tcp(TcpCheck::default()), endpoint.address)).await;
    assert!(is_success(&observation), "{observation}");
}

#[tokio::test]
async fn a_refused_connection_is_a_failure() {
    let observation = probe(&target(Protocol::Tcp(TcpCheck::default()), deserted().await)).await;
    assert_eq!(observation, failed(FailureReason::Refused));
}

#[tokio::test]
async fn rule_64_a_name_is_resolved() {
    let endpoint = Responder::silent().await;
    let mut target = target(Protocol::Tcp(TcpCheck::default()), endpoint.address);
    target.address = ProbeAddress::Name("127.0.0.1".into());
    assert!(is_success(&probe(&target).await));
    target.address = ProbeAddress::Name("::1".into());
    assert_eq!(probe(&target).await, failed(FailureReason::NoAddress));
}

/// A link-local address without an interface: the kernel refuses the call, no packet leaves.
#[tokio::test]
async fn what_our_own_kernel_refuses_is_no_observation() {
    let address: SocketAddr = "[fe80::1]:9".parse().unwrap();
    let target = target(Protocol::Tcp(TcpCheck::default()), address);
    let everywhere =
        Tools::new(16, Egress { deny: Vec::new(), allow: Vec::new(), own: Vec::new() });
    let observation = look(&target, &everywhere).await.observation;
    assert!(matches!(observation, Observation::Nothing(_)), "{observation}");
    assert_ne!(observation, Observation::Nothing(NothingReason::Blocked));
    assert_eq!(probe(&target).await, Observation::Nothing(NothingReason::Blocked));
}

/// A check that says HELLO and wants to hear what fits.
fn talk(pattern: Pattern) -> Protocol {
    let send = Some(b"HELLO\r\n"[..].into());
    Protocol::Tcp(TcpCheck { send, expect: Some(pattern), ..TcpCheck::default() })
}

#[tokio::test]
async fn a_peer_says_what_it_must_and_need_not_hang_up() {
    let endpoint = Responder::start(|mut stream| async move {
        let mut said = [0; 7];
        let _ = stream.read_exact(&mut said).await;
        if &said == b"HELLO\r\n" {
            let _ = stream.write_all(b"220 mail.example ready\r\n").await;
        }
        tokio::time::sleep(Duration::from_secs(3600)).await;
    })
    .await;
    for pattern in [Pattern::parse_text("ready"), Pattern::parse_regex("^220 [a-z.]+ ready")] {
        let observation = probe(&target(talk(pattern.unwrap()), endpoint.address)).await;
        assert!(is_success(&observation), "{observation}");
    }
    let other = talk(Pattern::parse_text("421").unwrap());
    let observation = probe(&impatient(other, endpoint.address, 300)).await;
    assert_eq!(observation, failed(FailureReason::Timeout));
}

#[tokio::test]
async fn a_peer_that_says_something_else_or_nothing_fails() {
    for (said, reason) in [("421 no\r\n", FailureReason::Body), ("", FailureReason::Closed)] {
        let endpoint = Responder::start(move |stream| close_after(stream, said.as_bytes())).await;
        let pattern = Pattern::parse_text("220").unwrap();
        let observation = probe(&target(talk(pattern), endpoint.address)).await;
        assert_eq!(observation, failed(reason), "{said:?}");
    }
}

#[tokio::test]
async fn what_is_heard_ends_after_as_many_octets_as_a_body() {
    for (before, passes) in [(BODY_OCTETS - 6, true), (BODY_OCTETS - 5, false)] {
        let endpoint = Responder::start(move |mut stream| async move {
            let said = [&vec![b'x'; before][..], b"needle"].concat();
            let _ = stream.write_all(&said).await;
            while stream.write_all(&[b'x'; 1024]).await.is_ok() {}
        })
        .await;
        let pattern = Pattern::parse_text("needle").unwrap();
        let observation = probe(&target(talk(pattern), endpoint.address)).await;
        assert_eq!(is_success(&observation), passes, "{before}: {observation}");
        assert!(passes || observation == failed(FailureReason::Body), "{observation}");
    }
}

#[tokio::test]
async fn a_drip_of_single_octets_is_a_timeout() {
    let endpoint = Responder::start(|mut stream| async move {
        while stream.write_all(b".").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    let pattern = Pattern::parse_text("220").unwrap();
    let observation = probe(&impatient(talk(pattern), endpoint.address, 300)).await;
    assert_eq!(observation, failed(FailureReason::Timeout));
}

/// `localhost` has one IPv4 address, so that the failure is told without it.
#[tokio::test]
async fn a_name_of_one_address_fails_as_that_address_does() {
    let address = deserted().await;
    let target = target_by_name(Protocol::Tcp(TcpCheck::default()), "127.0.0.1", address.port());
    assert_eq!(probe(&target).await, failed(FailureReason::Refused));
}

#[tokio::test]
async fn what_is_not_probed_is_our_own_mistake() {
    let mut disabled = check(Protocol::Icmp, 0);
    disabled.is_disabled = true;
    let external = crate::health::ExternalCheck {
        name: "example.com/deploy".into(),
        stale_after: Duration::from_secs(60),
        missing: crate::health::Missing::Last,
    };
    for check in [disabled, check(Protocol::External(external), 0)] {
        let observation = probe(&target_of(check, "127.0.0.1:9".parse().unwrap())).await;
        assert_eq!(observation, Observation::Nothing(NothingReason::BadCheck));
    }
}

/// The runtime has one thread, and the test holds it for longer than one and a half timeouts.
#[tokio::test(flavor = "current_thread")]
async fn a_late_wake_up_is_no_observation() {
    let endpoint = Responder::silent().await;
    let target = impatient(Protocol::Http(http()), endpoint.address, 200);
    let probing = tokio::spawn(async move { observe(&target, &tools()).await.observation });
    let start = Instant::now();
    eventually("the probe is under way", || endpoint.accepted() > 0).await;
    std::thread::sleep(Duration::from_secs(1));
    assert!(start.elapsed() >= Duration::from_secs(1));
    assert_eq!(probing.await.unwrap(), Observation::Nothing(NothingReason::Late));
}
