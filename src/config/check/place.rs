//! Where probes go and come from: hosts, ports and addresses.

use std::net::IpAddr;

use crate::config::diagnostic::Findings;
use crate::config::reader::{Spanned, Value};
use crate::health::{HttpCheck, ProbeAddress};
use crate::wire::Name;

pub(super) fn read_port(value: &Value<'_>, findings: &mut Findings<'_>) -> Option<u16> {
    let port = value.integer(1..=65_535, findings)?;
    u16::try_from(port).ok()
}

pub(super) fn read_host(value: &Value<'_>, findings: &mut Findings<'_>) -> Option<Box<str>> {
    let text = value.string("a host name such as \"www.example.com\"", findings)?;
    let host = text.value.strip_suffix('.').unwrap_or(text.value);
    match parse_host(host) {
        Ok(host) => Some(host),
        Err(problem) => {
            findings.error(text.span, format!("`{}` is no host name", value.name)).label(problem);
            None
        }
    }
}

/// A name that DNS could hold, or an address.
pub(super) fn parse_host(host: &str) -> Result<Box<str>, String> {
    let parsed = HttpCheck::parse_host(host).map_err(|error| error.to_string())?;
    if host.parse::<IpAddr>().is_ok() {
        return Ok(parsed);
    }
    Name::parse(host, &Name::root()).map(|_| parsed).map_err(|error| error.to_string())
}

/// Rule 5: health of one address decided by probing another.
pub(super) fn read_address(value: &Value<'_>, findings: &mut Findings<'_>) -> Option<ProbeAddress> {
    let expected = "an address such as \"192.0.2.10\" or a host name";
    let text = value.string(expected, findings)?;
    match text.value.parse::<IpAddr>() {
        Ok(address) if address.is_unspecified() || address.is_multicast() => {
            findings.error(text.span, format!("nothing can be probed at `{address}`"));
            None
        }
        Ok(address) => Some(ProbeAddress::Ip(address)),
        Err(_) if looks_like_address(text.value) => {
            value.expected(expected, findings);
            None
        }
        Err(_) => read_host(value, findings).map(ProbeAddress::Name),
    }
}

/// Digits and dots only: an address with a mistake rather than a name.
fn looks_like_address(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit() || c == b'.')
}

/// Addresses of this machine, at most one of a family.
pub(super) fn read_sources(value: &Value<'_>, findings: &mut Findings<'_>) -> Box<[IpAddr]> {
    let texts = value.strings("an address of this machine, or one of each family", findings);
    let mut sources: Vec<(IpAddr, Spanned<&str>)> = Vec::new();
    for text in texts {
        let address = text.value.parse::<IpAddr>().ok();
        let is_own = |ip: &IpAddr| !ip.is_unspecified() && !ip.is_multicast();
        let Some(address) = address.filter(is_own) else {
            let message = format!("no probe can be sent from `{}`", text.value);
            findings
                .error(text.span, message)
                .help("write an address of this machine: source = \"192.0.2.1\"");
            continue;
        };
        let twin = sources.iter().find(|(other, _)| other.is_ipv4() == address.is_ipv4());
        if let Some((_, first)) = twin {
            let family = if address.is_ipv4() { "IPv4" } else { "IPv6" };
            let message = format!("`{}` has two {family} addresses", value.name);
            findings
                .error(text.span, message)
                .related(first.span.clone(), "the first one")
                .help("probes are sent from one address of each family");
            continue;
        }
        sources.push((address, text));
    }
    sources.into_iter().map(|(address, _)| address).collect()
}
