//! Records of a pool that are no addresses: `HTTPS = "1 . alpn=h2"`.

use std::collections::HashMap;

use super::Pool;
use crate::config::diagnostic::{Findings, Span};
use crate::config::names;
use crate::config::reader::{Item, Spanned};
use crate::limits::{POOL_ENDPOINTS, RRSET_OCTETS};
use crate::policy::Endpoint;
use crate::wire::{Name, RecordType};

/// Octets of a record beside its data, the owner as a pointer (RFC 1035 §3.2.1).
const RECORD_HEADER_OCTETS: usize = 12;

/// Whether a key of a pool is a type of records, in capitals or not.
pub(super) fn is_type(key: &str) -> bool {
    key.parse::<RecordType>().is_ok()
}

/// Why records of a type can't be chosen per client, if they can't.
pub(in crate::config) fn obstacle(rtype: RecordType) -> Option<&'static str> {
    match rtype {
        RecordType::CNAME => Some("a CNAME is another name for all types"),
        RecordType::NS | RecordType::DS => Some("a delegation is the same for every client"),
        RecordType::SOA => Some("a zone has one SOA"),
        RecordType::DNAME => Some("a DNAME redirects what is below a name"),
        RecordType::DNSKEY | RecordType::CDS | RecordType::CDNSKEY => {
            Some("the keys of a zone are the same for every client")
        }
        _ => None,
    }
}

/// Reads all records of a pool behind its addresses.
pub(super) fn read<'t>(
    pool: &mut Pool<'t>,
    items: &[Item<'t>],
    origin: &Name,
    findings: &mut Findings<'_>,
) {
    for item in items {
        if let Some(rtype) = read_type(item, findings) {
            read_set(pool, rtype, item, origin, findings);
        }
    }
    if pool.endpoints.len() > POOL_ENDPOINTS {
        let message = format!(
            "the pool `{}` has {} endpoints, {POOL_ENDPOINTS} is the most",
            pool.name.value,
            pool.endpoints.len()
        );
        findings.error(pool.name.span.clone(), message);
    }
}

fn read_type(item: &Item<'_>, findings: &mut Findings<'_>) -> Option<RecordType> {
    let rtype = names::read_type(item, findings)?;
    let help = match rtype {
        RecordType::A | RecordType::AAAA => "write addresses = [\"192.0.2.10\"]",
        RecordType::CNAME => "write cname = \"host.example.net.\"",
        _ => "write these records at the name",
    };
    let label = obstacle(rtype);
    if label.is_none() && !matches!(rtype, RecordType::A | RecordType::AAAA) {
        return Some(rtype);
    }
    findings
        .error(item.key.span.clone(), format!("{rtype} records are not written in a pool"))
        .label(label.unwrap_or_default())
        .help(help);
    None
}

fn read_set<'t>(
    pool: &mut Pool<'t>,
    rtype: RecordType,
    item: &Item<'t>,
    origin: &Name,
    findings: &mut Findings<'_>,
) {
    if item.value.as_table("").is_some() {
        item.value.expected("a string, or several as an array", findings).help(
            "the TTL is set where a name uses the pool: api = { pool = \"…\", ttl = \"30s\" }",
        );
        return;
    }
    let texts = item.value.strings("a string, or several as an array", findings);
    let mut seen: HashMap<Box<[u8]>, Span> = HashMap::new();
    let mut octets = 0usize;
    for text in texts {
        let Some(rdata) = names::read_rdata(rtype, &text, origin, findings) else { continue };
        let Spanned { value: label, span } = text;
        if let Some(first) = seen.insert(rdata.clone(), span.clone()) {
            let message = format!("the same {rtype} record stands in this pool twice");
            findings.error(span, message).related(first, "first here");
            continue;
        }
        octets = octets.saturating_add(rdata.len()).saturating_add(RECORD_HEADER_OCTETS);
        pool.endpoints.push(Endpoint { rtype, rdata, label: label.into() });
    }
    if octets > RRSET_OCTETS {
        let message = format!(
            "the {rtype} records of the pool `{}` have {octets} octets together",
            pool.name.value
        );
        let label = format!("{RRSET_OCTETS} is the most that fits into an answer");
        findings.error(item.key.span.clone(), message).label(label);
    }
}
