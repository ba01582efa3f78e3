//! The TCP check, and what a socket's errors say.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::responder::{Responder, deserted};
use super::*;

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
    let observation = probe(&target(Protocol::Tcp(TcpCheck::default()), address)).await;
    assert!(matches!(observation, Observation::Nothing(_)), "{observation}");
}

/// The runtime has one thread, and the test holds it for longer than one and a half timeouts.
#[tokio::test(flavor = "current_thread")]
async fn a_late_wake_up_is_no_observation() {
    let endpoint = Responder::silent().await;
    let target = impatient(Protocol::Http(http()), endpoint.address, 200);
    let probing = tokio::spawn(async move { observe(&target, &Tools::new(16)).await });
    let start = Instant::now();
    eventually("the probe is under way", || endpoint.accepted() > 0).await;
    std::thread::sleep(Duration::from_secs(1));
    assert!(start.elapsed() >= Duration::from_secs(1));
    assert_eq!(probing.await.unwrap(), Observation::Nothing(NothingReason::Late));
}
