//! Networks as zone files and settings write them: prefixes without anything behind them.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};

use super::diagnostic::Findings;
use super::reader::Spanned;

/// The lengths that a network may have where it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lengths {
    pub(super) shortest: u8,
    pub(super) ipv4: u8,
    pub(super) ipv6: u8,
    /// What to write for all addresses of a family, where that is another thing.
    pub(super) for_all: &'static str,
}

impl Lengths {
    /// In a policy: no client is in a network of one address less.
    pub(super) const PLACE: Self =
        Self { shortest: 1, ipv4: 32, ipv6: 128, for_all: "every client is in the default" };
    /// In a collection (rule 43).
    pub(super) const COLLECTION: Self =
        Self { shortest: 1, ipv4: 24, ipv6: 48, for_all: "every client is in the default" };
    /// In the settings of the server.
    pub(super) const ANY: Self = Self { shortest: 0, ipv4: 32, ipv6: 128, for_all: "" };
}

const EXAMPLE: &str = "write \"192.0.2.0/24\" or \"2001:db8::/32\"";

/// Reads one network. Bits behind its length are a mistake: a slip there sends the wrong clients.
pub(super) fn read(
    text: &Spanned<&str>,
    lengths: Lengths,
    findings: &mut Findings<'_>,
) -> Option<IpNet> {
    let typed = text.value;
    let Ok(network) = typed.parse::<IpNet>() else {
        let message = format!("`{typed}` is no network");
        findings.error(text.span.clone(), message).help(advice(typed, lengths));
        return None;
    };
    if let Some(ipv4) = unmapped(network) {
        findings
            .error(text.span.clone(), format!("`{typed}` is a network of IPv4-mapped addresses"))
            .help(ipv4);
        return None;
    }
    if network.addr() != network.network() {
        findings
            .error(text.span.clone(), format!("`{typed}` has bits behind its length"))
            .help(format!("the network is \"{}\"", network.trunc()));
        return None;
    }
    let longest = if network.addr().is_ipv4() { lengths.ipv4 } else { lengths.ipv6 };
    let length = network.prefix_len();
    if length > longest {
        let family = if network.addr().is_ipv4() { "IPv4" } else { "IPv6" };
        findings
            .error(text.span.clone(), format!("`{typed}` is too long for {family} here"))
            .label(format!("/{longest} is the longest (Route 53 has the same bound)"));
        return None;
    }
    if length < lengths.shortest {
        findings
            .error(text.span.clone(), format!("`{typed}` is a whole address family"))
            .help(lengths.for_all);
        return None;
    }
    Some(network)
}

/// What to write for a network inside ::ffff:0:0/96.
fn unmapped(network: IpNet) -> Option<String> {
    let IpNet::V6(network) = network else { return None };
    let ipv4 = network.addr().to_ipv4_mapped()?;
    let Some(length) = network.prefix_len().checked_sub(96) else {
        return Some("IPv4 clients are in IPv4 networks".to_owned());
    };
    let ipv4 = Ipv4Net::new(ipv4, length).ok()?.trunc();
    Some(format!("write the IPv4 network: \"{ipv4}\""))
}

fn advice(typed: &str, lengths: Lengths) -> String {
    if let Ok(address) = typed.parse::<IpAddr>() {
        let longest = if address.is_ipv4() { lengths.ipv4 } else { lengths.ipv6 };
        let network = IpNet::new(address, longest).map(|network| network.trunc());
        return network.map_or_else(
            |_| EXAMPLE.to_owned(),
            |network| format!("a network has a length: \"{network}\""),
        );
    }
    let address = typed.split_once('/').and_then(|(address, _)| address.parse::<IpAddr>().ok());
    match address {
        Some(IpAddr::V4(_)) => "an IPv4 network has a length from /1 to /32".to_owned(),
        Some(IpAddr::V6(_)) => "an IPv6 network has a length from /1 to /128".to_owned(),
        None => EXAMPLE.to_owned(),
    }
}
