//! Where probes come from, and where they may go.

use std::net::IpAddr;

use super::responder::{Asked, Responder};
use super::*;

fn from_sources(sources: &[&str], address: SocketAddr) -> ProbeTarget {
    let sources = sources.iter().map(|source| source.parse().unwrap()).collect();
    let tcp = Protocol::Tcp(TcpCheck::default());
    target_of(CheckSpec { sources, ..check(tcp, address.port()) }, address)
}

#[tokio::test]
async fn a_probe_leaves_from_the_source_of_the_endpoints_family() {
    let asked = Asked::default();
    let seen = asked.clone();
    let endpoint = Responder::start(move |stream| {
        seen.put(stream.peer_addr().unwrap().ip().to_string());
        async {}
    })
    .await;
    for (sources, peer) in [
        (&["2001:db8::1", "127.0.0.2"][..], "127.0.0.2"),
        (&["2001:db8::1"], "127.0.0.1"),
        (&[], "127.0.0.1"),
    ] {
        asked.put(String::new());
        assert!(is_success(&probe(&from_sources(sources, endpoint.address)).await));
        eventually("the endpoint saw us", || !asked.text().is_empty()).await;
        assert_eq!(asked.text(), peer);
    }
}

/// 192.0.2.0/24 is for documentation, so no interface of ours has it.
#[tokio::test]
async fn a_source_that_we_do_not_have_is_ours() {
    let endpoint = Responder::silent().await;
    let observation = probe(&from_sources(&["192.0.2.200"], endpoint.address)).await;
    assert_eq!(observation, Observation::Nothing(NothingReason::NoLocalAddress));
    assert_eq!(endpoint.accepted(), 0);
}

#[tokio::test]
async fn a_denied_address_is_blocked_and_never_connected_to() {
    let endpoint = Responder::silent().await;
    let deny = vec!["127.0.0.0/8".parse().unwrap()];
    let allow = vec![IpAddr::from([127, 0, 0, 1]).into()];
    let protocols = || {
        let dns = crate::health::DnsCheck {
            name: crate::wire::Name::root(),
            rtype: crate::wire::RecordType::A,
            is_tcp: false,
            expect: Box::default(),
        };
        let tcp = Protocol::Tcp(TcpCheck::default());
        [
            tcp,
            Protocol::Http(http()),
            Protocol::Http(https(None)),
            Protocol::Icmp,
            Protocol::Dns(dns),
        ]
    };
    for protocol in protocols() {
        let tools =
            Tools::new(16, Egress { deny: deny.clone(), allow: Vec::new(), own: Vec::new() });
        let by_name = target_by_name(protocol.clone(), "127.0.0.1", endpoint.address.port());
        for target in [target(protocol, endpoint.address), by_name] {
            let observation = look(&target, &tools).await.observation;
            assert_eq!(observation, Observation::Nothing(NothingReason::Blocked), "{target}");
        }
    }
    assert_eq!(endpoint.accepted(), 0);
    let tools = Tools::new(16, Egress { deny, allow, own: Vec::new() });
    let [tcp, ..] = protocols();
    assert!(is_success(&look(&target(tcp, endpoint.address), &tools).await.observation));
}

#[tokio::test]
async fn metadata_addresses_are_blocked_in_all_their_forms() {
    for address in [
        "169.254.169.254",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "2002:a9fe:a9fe::1",
        "fd00:ec2::254",
        "100.100.100.200",
    ] {
        let address = SocketAddr::new(address.parse().unwrap(), 80);
        let observation = probe(&target(Protocol::Http(http()), address)).await;
        assert_eq!(observation, Observation::Nothing(NothingReason::Blocked), "{address}");
    }
}
