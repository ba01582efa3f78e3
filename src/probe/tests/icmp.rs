//! The ICMP check against the kernel's own echo.

use super::*;

/// Whether the kernel lets our group have the socket; told if not.
fn is_forbidden(observation: &Observation) -> bool {
    let is_forbidden = *observation == Observation::Nothing(NothingReason::Forbidden);
    if is_forbidden {
        eprintln!("skipped: net.ipv4.ping_group_range has not our group in it");
    }
    is_forbidden
}

#[tokio::test]
async fn an_echo_is_a_success() {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let address: SocketAddr = address.parse().unwrap();
        let observation = probe(&target(Protocol::Icmp, address)).await;
        let has_no_ipv6 = address.is_ipv6()
            && matches!(
                observation,
                Observation::Nothing(NothingReason::NoLocalAddress | NothingReason::NoRoute)
            );
        if !has_no_ipv6 && !is_forbidden(&observation) {
            assert!(is_success(&observation), "{address}: {observation}");
        }
    }
}
