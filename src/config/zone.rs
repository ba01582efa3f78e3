//! From a document to a zone that can be served: RRsets, routes, and the rules that a zone as a whole must keep.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::diagnostic::{Findings, Span};
use super::document::{Document, Form};
use super::names::{Owner, Records};
use super::routing::{Connected, connect};
use super::{CompiledName, CompiledZone, advice, aliases, expectation, routes};
use crate::limits::RRSET_OCTETS;
use crate::wire::{Name, RecordType};
use crate::zone::{RRset, presentation};

/// Octets of a record beside its owner's pointer and its data: pointer, type, class, TTL and length (RFC 1035 §3.2.1).
const RECORD_HEADER_OCTETS: usize = 12;

/// Compiles a document. The result is a zone only if the findings have no errors.
pub(super) fn compile<'d>(document: &'d Document<'d>, findings: &mut Findings<'_>) -> CompiledZone {
    let mut connected = connect(document, findings);
    let owners = sorted(&document.names);
    let compiled = owners.iter().map(|owner| {
        let compiled = compile_owner(owner, document, &mut connected, findings);
        (owner.name.value.clone(), compiled)
    });
    let mut names: BTreeMap<Name, CompiledName> = compiled.collect();
    aliases::resolve(document, &owners, &mut names, &connected.routing, findings);
    let tests = expectation::compile(document, &names, &connected.routing, findings);
    check_apex(document, findings);
    if !findings.has_errors() {
        connected.warn_unused(document, findings);
        connected.warn_unreachable(findings);
        advice::give(document, &owners, findings);
    }
    let apex = document.apex.value.clone();
    let has_derived_serial = apex_of(document).is_some_and(|owner| owner.has_derived_serial);
    let policy_spans = document.policies.iter().map(|policy| policy.name.span.clone()).collect();
    let residencies = document.residencies.iter();
    let residency_spans = residencies.map(|residency| residency.name.span.clone()).collect();
    let Connected { routing, checks, .. } = connected;
    CompiledZone {
        apex,
        names,
        routing,
        checks,
        has_derived_serial,
        tests,
        policy_spans,
        residency_spans,
    }
}

/// Owners in canonical order, so that the map is built in one go: with a million names comparing is much of the time.
fn sorted<'d, 't>(owners: &'d [Owner<'t>]) -> Vec<&'d Owner<'t>> {
    let mut sorted: Vec<&Owner<'t>> = owners.iter().collect();
    sorted.sort_by(|one, other| one.name.value.cmp(&other.name.value));
    sorted
}

fn compile_owner(
    owner: &Owner<'_>,
    document: &Document<'_>,
    connected: &mut Connected<'_>,
    findings: &mut Findings<'_>,
) -> CompiledName {
    let ttl = owner.ttl.unwrap_or(document.ttl);
    let rrsets = owner.records.iter().map(|records| RRset {
        rtype: records.rtype.value,
        ttl: records.ttl.unwrap_or(ttl),
        rdata: distinct_rdata(records, &owner.name.value, document.form, findings),
    });
    let rrsets = rrsets.collect();
    check_owner(owner, document, findings);
    let routes = if owner.routes.is_empty() {
        Vec::new()
    } else {
        routes::compile(owner, document, connected, findings)
    };
    CompiledName { rrsets, routes }
}

/// The records of a set, none twice (RFC 2181 §5) and together no more than an answer holds.
fn distinct_rdata(
    records: &Records,
    owner: &Name,
    form: Form,
    findings: &mut Findings<'_>,
) -> Vec<Box<[u8]>> {
    let rtype = records.rtype.value;
    // What most sets are: one record that was small enough to be read.
    if let [only] = records.rdata.as_slice()
        && only.value.len().saturating_add(RECORD_HEADER_OCTETS) <= RRSET_OCTETS
    {
        return vec![only.value.clone()];
    }
    let mut seen: HashMap<_, Span> = HashMap::new();
    let mut octets = 0usize;
    let mut distinct = Vec::with_capacity(records.rdata.len());
    for rdata in &records.rdata {
        let key = presentation::comparable(rtype, &rdata.value);
        if let Some(first) = seen.insert(key, rdata.span.clone()) {
            let message = format!("{owner} has the same {rtype} record twice");
            let finding = match form {
                Form::Toml => findings.error(rdata.span.clone(), message),
                Form::Master => findings.warning(rdata.span.clone(), message),
            };
            finding.related(first, "first here");
            continue;
        }
        octets = octets.saturating_add(rdata.value.len()).saturating_add(RECORD_HEADER_OCTETS);
        distinct.push(rdata.value.clone());
    }
    if octets > RRSET_OCTETS {
        let message = format!("the {rtype} records of {owner} have {octets} octets together");
        let label = format!("{RRSET_OCTETS} is the most that fits into an answer");
        findings.error(records.rtype.span.clone(), message).label(label);
    }
    distinct
}

/// What one owner may hold, whatever its route.
fn check_owner(owner: &Owner<'_>, document: &Document<'_>, findings: &mut Findings<'_>) {
    let is_apex = owner.name.value == document.apex.value;
    for rtype in [RecordType::CNAME, RecordType::DNAME, RecordType::SOA] {
        if let Some(second) = owner.records_of(rtype).and_then(|records| records.rdata.get(1)) {
            let message = format!("{} has more than one {rtype} record", owner.name.value);
            findings.error(second.span.clone(), message);
        }
    }
    if let Some(cname) = owner.records_of(RecordType::CNAME) {
        check_cname(owner, cname, is_apex, findings);
    }
    if let Some(soa) = owner.records_of(RecordType::SOA).filter(|_| !is_apex) {
        let message = format!("the SOA belongs to the apex, {}", document.apex.value);
        findings.error(soa.rtype.span.clone(), message).help("write it at \"@\"");
    }
    if let Some(ns) = owner.records_of(RecordType::NS).filter(|_| !is_apex) {
        check_cut(owner, ns, findings);
    }
}

/// A delegation gives its name away: wildcards can't (RFC 4592 §4.2), and what is ours alone to answer can't stand there.
fn check_cut(owner: &Owner<'_>, ns: &Records, findings: &mut Findings<'_>) {
    let name = &owner.name.value;
    if name.is_wildcard() {
        findings.error(ns.rtype.span.clone(), "a wildcard cannot delegate (RFC 4592 §4.2)");
    }
    if let Some(span) = owner.chosen_span() {
        let message = format!("{name} is delegated and cannot be routed as well");
        let error = findings.error(span, message);
        error.related(ns.rtype.span.clone(), "delegated here");
    }
    if let Some(dname) = owner.records_of(RecordType::DNAME) {
        findings
            .error(dname.rtype.span.clone(), format!("{name} is delegated and cannot have a DNAME"))
            .label("NS and DNAME both say where the names below are")
            .related(ns.rtype.span.clone(), "delegated here")
            .help(
                "write the DNAME at the apex of the zone below (RFC 6672 §2.3), or remove the NS",
            );
    }
}

/// A CNAME stands alone, and never at the apex (RFC 1034 §3.6.2, RFC 1912 §2.4).
fn check_cname(owner: &Owner<'_>, cname: &Records, is_apex: bool, findings: &mut Findings<'_>) {
    let name = &owner.name.value;
    if is_apex {
        findings
            .error(cname.rtype.span.clone(), "the apex cannot be a CNAME")
            .label("SOA and NS stand here, and a CNAME stands alone")
            .help("make a pool of the addresses, or write A and AAAA records");
        return;
    }
    if let Some(dname) = owner.records_of(RecordType::DNAME) {
        findings
            .error(cname.rtype.span.clone(), format!("{name} has a CNAME beside a DNAME"))
            .related(dname.rtype.span.clone(), "the DNAME")
            .help("a CNAME redirects the name, a DNAME the names below it, and a name has one of them (RFC 6672 §2.4)");
        return;
    }
    let other = owner.records.iter().find(|records| records.rtype.value != RecordType::CNAME);
    let other = other.map(|records| records.rtype.span.clone());
    if let Some(other) = other.or_else(|| owner.chosen_span()) {
        findings
            .error(cname.rtype.span.clone(), format!("{name} has a CNAME beside other data"))
            .related(other, "the other data")
            .help("a CNAME says that the name is another name: it stands alone (RFC 1034 §3.6.2)");
    }
    let points_at = cname.rdata.first().and_then(|rdata| {
        let target = presentation::target_of(RecordType::CNAME, &rdata.value)?;
        (target == *name).then_some(rdata.span.clone())
    });
    if let Some(span) = points_at {
        findings.error(span, format!("{name} is a CNAME of itself"));
    }
}

fn apex_of<'d, 't>(document: &'d Document<'t>) -> Option<&'d Owner<'t>> {
    document.names.iter().find(|owner| owner.name.value == document.apex.value)
}

/// The apex has exactly one SOA and at least one NS (RFC 1035 §5.2).
fn check_apex(document: &Document<'_>, findings: &mut Findings<'_>) {
    let apex = apex_of(document);
    let present: HashSet<RecordType> =
        apex.iter().flat_map(|owner| &owner.records).map(|records| records.rtype.value).collect();
    if document.form == Form::Master {
        // Without an SOA there would be no document.
        if !present.contains(&RecordType::NS) {
            let message = format!("the zone {} has no NS records at its apex", document.apex.value);
            let help =
                format!("add `{} IN NS ns1` with the name of each server", document.apex.value);
            findings.error(document.apex.span.clone(), message).help(help);
        }
        return;
    }
    let missing: Vec<&str> = [
        (RecordType::SOA, "SOA = \"ns1 hostmaster\""),
        (RecordType::NS, "NS = [\"ns1\", \"ns2\"]"),
    ]
    .into_iter()
    .filter(|(rtype, _)| !present.contains(rtype))
    .map(|(_, line)| line)
    .collect();
    if missing.is_empty() {
        return;
    }
    let what = match (present.contains(&RecordType::SOA), present.contains(&RecordType::NS)) {
        (false, false) => "neither an SOA nor NS records",
        (false, true) => "no SOA record",
        _ => "no NS records",
    };
    let message = format!("the zone {} has {what} at its apex", document.apex.value);
    let lines = missing.join(", ");
    let (span, help) = match (apex, &document.names_span) {
        (Some(apex), _) => (apex.name.span.clone(), format!("add {lines} here")),
        (None, Some(names)) => (names.clone(), format!("add \"@\" = {{ {lines} }} here")),
        (None, None) => {
            let help = format!("add a table [names] with \"@\" = {{ {lines} }}");
            (document.apex.span.clone(), help)
        }
    };
    findings.error(span, message).help(help);
}
