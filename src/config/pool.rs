//! `[pool.NAME]`: endpoints with one duty, either one name, or addresses and records of other types.

mod records;

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use super::diagnostic::{Findings, Span};
use super::document::Entry;
use super::location::{self, Whereabouts};
use super::reader::{Item, Spanned, Value};
use crate::limits::POOL_ENDPOINTS;
use crate::policy::{Endpoint, MinUp};
use crate::wire::{Name, RecordType};
pub(super) use records::obstacle;

const NOTES: &[(&str, &str)] = &[
    ("region", "where a pool is is written location = \"us-east-1\""),
    ("address", "addresses are written as an array: addresses = [\"192.0.2.10\"]"),
    ("minimum", "how many endpoints must be up is written min_up = 2 or min_up = \"50%\""),
    ("min_healthy", "how many endpoints must be up is written min_up = 2 or min_up = \"50%\""),
    ("records", "records are written by their type, in capitals: TXT = \"…\""),
    ("weight", "weights are in the policy: weights = { us = 60, eu = 40 }"),
];

/// A pool as it was typed.
pub(super) struct Pool<'t> {
    pub(super) name: Spanned<&'t str>,
    /// Those without a mistake.
    pub(super) endpoints: Vec<Endpoint>,
    /// Where the alias stands, if the pool is one.
    pub(super) cname: Option<Spanned<Name>>,
    pub(super) check: Option<Spanned<&'t str>>,
    pub(super) min_up: MinUp,
    pub(super) location: Option<Whereabouts>,
    /// A location was typed, be it with a mistake.
    pub(super) has_location: bool,
}

impl Pool<'_> {
    pub(super) fn has_addresses(&self) -> bool {
        let is_address = |rtype| matches!(rtype, RecordType::A | RecordType::AAAA);
        self.endpoints.iter().any(|endpoint| is_address(endpoint.rtype))
    }
}

pub(super) fn read<'t>(entry: Entry<'t>, origin: &Name, findings: &mut Findings<'_>) -> Pool<'t> {
    let Entry { name, mut table } = entry;
    let addresses = table.take("addresses");
    let cname = table.take("cname");
    let check = table.take("check");
    let check = check.and_then(|item| item.value.string("the name of a check", findings));
    let min_up = table.take("min_up");
    let place = table.take("location");
    let location = place.as_ref().and_then(|item| location::read(&item.value, findings));
    let records = table.take_where(records::is_type);
    let has_location = place.is_some();
    table.finish(NOTES, findings);
    let mut pool = Pool {
        name,
        endpoints: Vec::new(),
        cname: None,
        check,
        min_up: MinUp::ONE,
        location,
        has_location,
    };
    if let (Some(other), Some(cname)) = (addresses.as_ref().or(records.first()), &cname) {
        both(&pool.name, other, cname, findings);
    } else if let Some(cname) = cname {
        read_cname(&cname.value, origin, &mut pool, findings);
    } else if addresses.is_none() && records.is_empty() {
        let message = format!("the pool `{}` has no endpoints", pool.name.value);
        findings.error(pool.name.span.clone(), message).help(
            "write addresses = [\"192.0.2.10\"], cname = \"host.example.net.\", or records such as TXT = \"…\"",
        );
    } else {
        if let Some(addresses) = addresses {
            pool.endpoints = read_addresses(&addresses.value, findings);
        }
        records::read(&mut pool, &records, origin, findings);
    }
    if let Some(min_up) = min_up {
        pool.min_up = read_min_up(&min_up, &pool, findings).unwrap_or(MinUp::ONE);
    }
    pool
}

/// B3: a number of endpoints, or a share of them.
fn read_min_up(item: &Item<'_>, pool: &Pool<'_>, findings: &mut Findings<'_>) -> Option<MinUp> {
    if pool.check.is_none() {
        findings
            .warning(item.key.span.clone(), "`min_up` does nothing without a check")
            .label("endpoints without a check always count as up");
    }
    let share = item.value.as_str().and_then(|text| text.strip_suffix('%'));
    if let Some(share) = share.and_then(|text| text.parse().ok()).filter(|n| (1..=100).contains(n))
    {
        return Some(MinUp::Share(share));
    }
    let count = item.value.as_integer().and_then(|number| u16::try_from(number).ok());
    let Some(count) = count.filter(|count| *count > 0) else {
        item.value.expected(
            "a number of endpoints such as 2, or a share from \"1%\" to \"100%\"",
            findings,
        );
        return None;
    };
    for (rtype, has) in counts_of_types(&pool.endpoints) {
        if usize::from(count) > has {
            let name = pool.name.value;
            let message = format!("the pool `{name}` would never be up for {rtype}");
            findings
                .error(item.value.span(), message)
                .label(format!("it has {has} of that type"))
                .help("health counts over the endpoints of the type asked for; or write a share such as \"50%\"");
        }
    }
    Some(MinUp::Count(count))
}

fn counts_of_types(endpoints: &[Endpoint]) -> BTreeMap<RecordType, usize> {
    let mut counts: BTreeMap<RecordType, usize> = BTreeMap::new();
    for endpoint in endpoints {
        let count = counts.entry(endpoint.rtype).or_default();
        *count = count.saturating_add(1);
    }
    counts
}

fn both(name: &Spanned<&str>, other: &Item<'_>, cname: &Item<'_>, findings: &mut Findings<'_>) {
    let message = format!("the pool `{}` has both `{}` and `cname`", name.value, other.key.value);
    findings
        .error(cname.key.span.clone(), message)
        .related(other.key.span.clone(), "the other one")
        .help("make two pools of it; a name cannot hold a CNAME beside other data");
}

fn read_addresses(value: &Value<'_>, findings: &mut Findings<'_>) -> Vec<Endpoint> {
    let texts = value.strings("an array of addresses such as [\"192.0.2.10\"]", findings);
    if texts.len() > POOL_ENDPOINTS {
        let message = format!("a pool may have {POOL_ENDPOINTS} addresses, not {}", texts.len());
        findings.error(value.span(), message);
        return Vec::new();
    }
    let mut seen: HashMap<IpAddr, Span> = HashMap::new();
    let mut endpoints = Vec::with_capacity(texts.len());
    for text in texts {
        let Some(address) = read_address(&text, findings) else {
            continue;
        };
        if let Some(first) = seen.insert(address, text.span.clone()) {
            let message = format!("the address `{address}` stands in this pool twice");
            findings.error(text.span, message).related(first, "first here");
            continue;
        }
        endpoints.push(endpoint_of(address, text.value));
    }
    endpoints
}

fn endpoint_of(address: IpAddr, label: &str) -> Endpoint {
    let (rtype, rdata): (_, Box<[u8]>) = match address {
        IpAddr::V4(address) => (RecordType::A, address.octets().into()),
        IpAddr::V6(address) => (RecordType::AAAA, address.octets().into()),
    };
    Endpoint { rtype, rdata, label: label.into() }
}

fn read_address(text: &Spanned<&str>, findings: &mut Findings<'_>) -> Option<IpAddr> {
    let Ok(address) = text.value.parse::<IpAddr>() else {
        let message = format!("`{}` is no IPv4 or IPv6 address", text.value);
        findings.error(text.span.clone(), message).help_if(address_advice(text.value));
        return None;
    };
    let problem = match address {
        _ if address.is_unspecified() => "no client can connect to the unspecified address",
        _ if address.is_multicast() => "a multicast address is no endpoint",
        IpAddr::V4(address) if address.is_broadcast() => "the broadcast address is no endpoint",
        IpAddr::V6(address) if address.to_ipv4_mapped().is_some() => {
            "an IPv4-mapped address is of no use in AAAA; write the IPv4 address"
        }
        _ => return Some(address),
    };
    findings.error(text.span.clone(), format!("`{address}` cannot be handed out")).label(problem);
    None
}

/// What a text that is no address probably was.
fn address_advice(text: &str) -> Option<String> {
    if text.parse::<std::net::SocketAddr>().is_ok() {
        return Some("DNS hands out addresses without ports; the check has the port".to_owned());
    }
    if let Some((address, _)) = text.split_once('/').filter(|(ip, _)| ip.parse::<IpAddr>().is_ok())
    {
        return Some(format!("a prefix is no endpoint; write \"{address}\" for the one address"));
    }
    let octets: Vec<&str> = text.split('.').collect();
    if octets.iter().all(|octet| !octet.is_empty() && octet.bytes().all(|c| c.is_ascii_digit())) {
        return Some(
            "an IPv4 address has four numbers from 0 to 255, without leading zeros".into(),
        );
    }
    let is_host = Name::parse(text, &Name::root()).is_ok() && text.contains('.');
    is_host.then(|| {
        let host = text.trim_end_matches('.');
        format!("a pool of a host name is written cname = \"{host}.\"")
    })
}

fn read_cname(value: &Value<'_>, origin: &Name, pool: &mut Pool<'_>, findings: &mut Findings<'_>) {
    let Some(text) = value.string("a host name such as \"lb.example.net.\"", findings) else {
        return;
    };
    if text.value.trim_end_matches('.').parse::<IpAddr>().is_ok() {
        findings
            .error(text.span, "a CNAME points at a host name, not at an address")
            .help(format!("write addresses = [\"{}\"]", text.value));
        return;
    }
    match Name::parse(text.value, origin) {
        Ok(name) => {
            let rdata = name.as_wire().into();
            let label = text.value.into();
            pool.endpoints = vec![Endpoint { rtype: RecordType::CNAME, rdata, label }];
            pool.cname = Some(Spanned { value: name, span: text.span });
        }
        Err(error) => {
            findings.error(text.span, format!("`cname` is no name: {error}"));
        }
    }
}
