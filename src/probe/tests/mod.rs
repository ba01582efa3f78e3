//! The prober against real responders on the loopback interface. No other address is ever contacted.
//!
//! Upper bounds are seconds, so that a busy machine does not fail them; what must be prompt is proved by order instead
//! (the sink looks into the view when it is told).

mod body;
mod certificate;
mod dns;
mod http;
mod http2;
mod icmp;
mod prometheus;
mod redirect;
mod responder;
mod schedule;
mod source;
mod tcp;
mod tls;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::attempt::{Probed, Tools, observe};
use super::egress::Egress;
use crate::health::{
    CheckSpec, Damping, FailureReason, HttpCheck, NothingReason, Observation, ProbeAddress,
    ProbeTarget, Protocol, Recovery, StatusSet, TcpCheck, Threshold, TlsCheck,
};

/// Longer than any healthy test takes, shorter than a reader's patience.
const PATIENCE: Duration = Duration::from_secs(20);

/// A plain HTTP check of `/healthz`, expecting 2xx and 3xx.
fn http() -> HttpCheck {
    HttpCheck::new("/healthz")
}

/// The same for a host over TLS.
fn https(host: Option<&str>) -> HttpCheck {
    HttpCheck { tls: Some(TlsCheck::default()), host: host.map(Into::into), ..http() }
}

/// A check with a generous timeout, a short interval, and thresholds of 2.
fn check(protocol: Protocol, port: u16) -> CheckSpec {
    let two = Threshold::try_from(2).unwrap();
    let every = Duration::from_millis(50);
    CheckSpec {
        every,
        retry: every,
        timeout: Duration::from_secs(5),
        down_after: two,
        up_after: two,
        recovery: Recovery::Damped(Damping::NONE),
        ..CheckSpec::new(protocol, port)
    }
}

/// A target at `address` with that [`check`].
pub(super) fn target(protocol: Protocol, address: SocketAddr) -> ProbeTarget {
    target_of(check(protocol, address.port()), address)
}

fn target_of(check: CheckSpec, address: SocketAddr) -> ProbeTarget {
    ProbeTarget { check: Arc::new(check), address: ProbeAddress::Ip(address.ip()) }
}

fn impatient(protocol: Protocol, address: SocketAddr, timeout_ms: u64) -> ProbeTarget {
    let timeout = Duration::from_millis(timeout_ms);
    target_of(CheckSpec { timeout, ..check(protocol, address.port()) }, address)
}

/// Tools that may send where any prober may.
fn tools() -> Tools {
    Tools::new(16, Egress::default())
}

/// Probes once; again if this machine was too busy to judge.
async fn probe(target: &ProbeTarget) -> Observation {
    look(target, &tools()).await.observation
}

/// The same with tools of the test's own, and with all that was learnt.
async fn look(target: &ProbeTarget, tools: &Tools) -> Probed {
    let mut probed = observe(target, tools).await;
    for _ in 0..4 {
        if probed.observation != Observation::Nothing(NothingReason::Late) {
            break;
        }
        probed = observe(target, tools).await;
    }
    probed
}

/// A target by that name, with that [`check`].
fn target_by_name(protocol: Protocol, name: &str, port: u16) -> ProbeTarget {
    let address = ProbeAddress::Name(name.into());
    ProbeTarget { check: Arc::new(check(protocol, port)), address }
}

fn failed(reason: FailureReason) -> Observation {
    Observation::Failure(reason)
}

fn is_success(observation: &Observation) -> bool {
    matches!(observation, Observation::Success { .. })
}

/// Waits until `condition` holds, and fails the test if it never does.
async fn eventually(what: &str, condition: impl Fn() -> bool) {
    let start = std::time::Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "never: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
