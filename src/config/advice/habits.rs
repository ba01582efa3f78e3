//! What works, and is known to hurt: the things that a second pair of eyes would mention.

use std::time::Duration;

use crate::config::diagnostic::Findings;
use crate::config::document::Document;
use crate::config::names::{Owner, Records};
use crate::config::value::format_duration;
use crate::wire::{RecordType, Ttl};

/// The longest that most resolvers remember that a name does not exist, in seconds (RFC 2308 §5).
const MINIMUM_SECONDS: u32 = 86_400;

/// Octets of a preference and the root: an MX that says that there is no mail (RFC 7505 §3).
const NULL_MX_OCTETS: usize = 3;

/// Looks at the records of one owner.
pub(super) fn check(owner: &Owner<'_>, document: &Document<'_>, findings: &mut Findings<'_>) {
    for records in &owner.records {
        match records.rtype.value {
            RecordType::NS => {
                check_alone(owner, records, findings);
                check_ttl(owner, records, document, findings);
            }
            RecordType::SOA => {
                check_timers(records, findings);
                check_ttl(owner, records, document, findings);
            }
            RecordType::MX => check_null_mx(owner, records, findings),
            RecordType::TXT => check_sender_policies(owner, records, findings),
            _ => {}
        }
    }
}

/// A zone has at least two name servers (RFC 1034 §4.1), in different places (RFC 2182 §3).
fn check_alone(owner: &Owner<'_>, ns: &Records, findings: &mut Findings<'_>) {
    if let [only] = ns.rdata.as_slice() {
        findings
            .warning(only.span.clone(), format!("{} has only one name server", owner.name.value))
            .label("while it is away, nobody can ask (RFC 2182 §5: at least two)");
    }
}

/// What resolvers ask for on the way to everything else.
fn check_ttl(
    owner: &Owner<'_>,
    records: &Records,
    document: &Document<'_>,
    findings: &mut Findings<'_>,
) {
    let ttl = records.ttl.or(owner.ttl).unwrap_or(document.ttl);
    if Some(ttl) != Ttl::from_seconds(0) {
        return;
    }
    let (name, rtype) = (&owner.name.value, records.rtype.value);
    let label = match rtype {
        RecordType::SOA => "no resolver may remember that a name does not exist (RFC 2308 §3)",
        _ => "resolvers ask for them again before every other question",
    };
    findings
        .warning(records.rtype.span.clone(), format!("{rtype} of {name} has a TTL of 0"))
        .label(label);
}

fn check_timers(soa: &Records, findings: &mut Findings<'_>) {
    let data = soa.rdata.first();
    let Some((data, numbers)) = data.and_then(|data| Some((data, data.value.last_chunk::<20>()?)))
    else {
        return;
    };
    let mut fields = numbers
        .chunks_exact(4)
        .filter_map(|field| Some(u32::from_be_bytes(field.try_into().ok()?)));
    let (_serial, refresh, retry) = (fields.next(), fields.next(), fields.next());
    let (expire, minimum) = (fields.next(), fields.next());
    let mut warn = |message: String, label: &str| {
        findings.warning(data.span.clone(), message).label(label);
    };
    if retry > refresh {
        let message = format!(
            "the SOA's retry, {}, is longer than its refresh, {}",
            time(retry),
            time(refresh)
        );
        warn(message, "a secondary that failed would wait longer than usual (RFC 1912 §2.2)");
    }
    if expire < refresh {
        let message = format!(
            "the SOA's expire, {}, is shorter than its refresh, {}",
            time(expire),
            time(refresh)
        );
        warn(message, "secondaries would drop the zone before they look again (RFC 1912 §2.2)");
    }
    if minimum > Some(MINIMUM_SECONDS) {
        let message = format!("the SOA's minimum is {}", time(minimum));
        warn(
            message,
            "how long a missing name is remembered: 1 to 3 hours, never above a day (RFC 2308 §5)",
        );
    }
}

fn time(seconds: Option<u32>) -> String {
    format_duration(Duration::from_secs(u64::from(seconds.unwrap_or(0))))
}

fn check_null_mx(owner: &Owner<'_>, mx: &Records, findings: &mut Findings<'_>) {
    let null = mx.rdata.iter().find(|rdata| rdata.value.len() == NULL_MX_OCTETS);
    let other = mx.rdata.iter().find(|rdata| rdata.value.len() != NULL_MX_OCTETS);
    if let (Some(null), Some(other)) = (null, other) {
        findings
            .warning(
                null.span.clone(),
                format!("{} says that it takes no mail, and names a host for it", owner.name.value),
            )
            .label("an MX of `.` says that there is no mail, and stands alone (RFC 7505 §3)")
            .related(other.span.clone(), "this one takes mail");
    }
}

/// Two policies are none: whoever checks gives up (RFC 7208 §4.5).
fn check_sender_policies(owner: &Owner<'_>, txt: &Records, findings: &mut Findings<'_>) {
    let mut policies = txt.rdata.iter().filter(|rdata| is_sender_policy(&rdata.value));
    if let (Some(first), Some(second)) = (policies.next(), policies.next()) {
        findings
            .warning(second.span.clone(), format!("{} has two SPF records", owner.name.value))
            .label("with more than one, none holds (RFC 7208 §4.5)")
            .related(first.span.clone(), "the first")
            .help("put everything into one `v=spf1` text");
    }
}

/// Whether the first text of TXT data begins with the version of SPF, which is a word of its own (RFC 7208 §4.5).
fn is_sender_policy(rdata: &[u8]) -> bool {
    let Some((&length, texts)) = rdata.split_first() else { return false };
    let text = texts.get(..usize::from(length)).unwrap_or_default();
    let version = text.split(|octet| *octet == b' ').next().unwrap_or_default();
    version.eq_ignore_ascii_case(b"v=spf1")
}
