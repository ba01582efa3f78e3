//! What a newcomer reads first: where the server listens, and what to try.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::output::say;
use crate::snapshot::{Handout, Snapshot};
use crate::zone::ZoneState;

/// Client subnets to try, in the United States, Germany and Japan.
const EXAMPLE_CLIENTS: [&str; 3] = ["8.8.8.0/24", "46.4.0.0/24", "133.11.0.0/24"];

/// Prints what a newcomer needs next.
pub(super) fn announce(addresses: &[SocketAddr], admin: SocketAddr, snapshot: &Snapshot) {
    let zones = snapshot.catalog.zones();
    let served = zones.iter().filter(|zone| zone.state == ZoneState::Served).count();
    let mut text = format!("meridian {}\n", env!("CARGO_PKG_VERSION"));
    for address in addresses {
        text.push_str(&format!("  dns    {address} (UDP and TCP)\n"));
    }
    text.push_str(&format!("  admin  http://{admin}\n"));
    text.push_str(&format!("  zones  {served} served, {} refused\n", zones.len() - served));
    let name = routed_name(snapshot);
    if let (Some(name), Some(address)) = (name, addresses.first()) {
        text.push_str("\ntry:\n");
        for client in EXAMPLE_CLIENTS {
            let (ip, port) = (reachable(*address).ip(), address.port());
            text.push_str(&format!("  dig @{ip} -p {port} {name} +short +subnet={client}\n"));
        }
    }
    say(&text);
}

/// The address that reaches a listener from this machine.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

/// A name to try: one whose addresses depend on the client's place, if there is one.
fn routed_name(snapshot: &Snapshot) -> Option<String> {
    let name = snapshot
        .routed_names()
        .max_by_key(|(_, route)| (route.depends_on_place(), route.handout == Handout::Records));
    name.map(|(name, _)| name.to_string().trim_end_matches('.').to_owned())
}
