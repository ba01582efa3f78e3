//! Delegations and DNAMEs: what they hide, and whether a resolver that is sent away can find where to.

use super::{Cover, Zone, has_address_records, is_address};
use crate::config::diagnostic::{Findings, Span};
use crate::config::names::{Owner, Records};
use crate::wire::{Name, RecordType, ends_in};
use crate::zone::presentation;

/// Goes through the owners in canonical order, in which what a name hides follows it at once.
pub(super) fn check<'d>(zone: &Zone<'d>, findings: &mut Findings<'_>) {
    let mut above: Option<Cover<'d>> = None;
    for owner in zone.owners {
        let hides = |cover: &Cover<'_>| owner.name.value.is_at_or_below(&cover.owner().name.value);
        if let Some(cover) = above.filter(hides) {
            warn_hidden(owner, cover, findings);
            continue;
        }
        above = zone.cover_at(owner);
        match above {
            Some(Cover::Delegation(_)) => check_delegation(zone, owner, findings),
            Some(Cover::Redirection(_)) => check_redirection(owner, findings),
            None => {}
        }
        check_signer(zone, owner, findings);
    }
}

/// Below a delegation only addresses of name servers are ever sent (RFC 1034 §4.2.1), below a DNAME nothing.
fn warn_hidden(owner: &Owner<'_>, cover: Cover<'_>, findings: &mut Findings<'_>) {
    let (label, related) = match cover {
        Cover::Delegation(_) => ("it is below a delegation", "delegated here"),
        Cover::Redirection(_) => ("it is below a DNAME (RFC 6672 §2.4)", "the DNAME is here"),
    };
    let is_glue = owner.is_plain() && owner.records.iter().all(|set| is_address(set.rtype.value));
    if is_glue && matches!(cover, Cover::Delegation(_)) {
        return;
    }
    let message = format!("nobody can see the data of {}", owner.name.value);
    findings
        .warning(owner.name.span.clone(), message)
        .label(label)
        .related(cover.owner().name.span.clone(), related);
}

fn check_delegation(zone: &Zone<'_>, cut: &Owner<'_>, findings: &mut Findings<'_>) {
    let Some(ns) = cut.records_of(RecordType::NS) else { return };
    let is_seen = |rtype| is_address(rtype) || matches!(rtype, RecordType::NS | RecordType::DS);
    for hidden in cut.records.iter().filter(|records| !is_seen(records.rtype.value)) {
        let (name, rtype) = (&cut.name.value, hidden.rtype.value);
        findings
            .warning(
                hidden.rtype.span.clone(),
                format!("nobody can see the {rtype} records of {name}"),
            )
            .label("they belong into the zone that is delegated")
            .related(ns.rtype.span.clone(), "delegated here");
    }
    let lacking = lacking_glue(zone, cut, ns);
    if lacking.len() == ns.rdata.len() {
        warn_unreachable(cut, ns, &lacking, findings);
        return;
    }
    for (target, span) in lacking {
        findings
            .warning(span, format!("{target} has no address here, so that nobody can ask it"))
            .label(format!("{} is served by its other name servers only", cut.name.value))
            .help(glue_to_add(&target));
    }
}

/// The name servers of a delegation that only this zone can tell the addresses of, and does not (RFC 1034 §4.2.1).
fn lacking_glue(zone: &Zone<'_>, cut: &Owner<'_>, ns: &Records) -> Vec<(Name, Span)> {
    let inside = ns.rdata.iter().filter(|rdata| ends_in(&rdata.value, cut.name.value.as_wire()));
    let lacking = inside.filter_map(|rdata| {
        let (target, _) = Name::from_wire(&rdata.value).ok()?;
        let has_glue = zone.owner_of(&target).is_some_and(has_address_records);
        (!has_glue).then(|| (target, rdata.span.clone()))
    });
    lacking.collect()
}

/// All name servers are inside what is delegated, and nobody says where they are.
fn warn_unreachable(
    cut: &Owner<'_>,
    ns: &Records,
    lacking: &[(Name, Span)],
    findings: &mut Findings<'_>,
) {
    let Some((target, _)) = lacking.first() else { return };
    findings
        .warning(
            ns.rtype.span.clone(),
            format!("the delegation of {} can't be followed", cut.name.value),
        )
        .label("these name servers are inside it, and none has an address here")
        .help(glue_to_add(target));
}

fn glue_to_add(target: &Name) -> String {
    format!("add its glue: A or AAAA records of {target} in this zone (RFC 1034 §4.2.1)")
}

fn check_redirection(owner: &Owner<'_>, findings: &mut Findings<'_>) {
    let name = &owner.name.value;
    let dname = owner.records_of(RecordType::DNAME);
    let Some((dname, rdata)) = dname.and_then(|dname| Some((dname, dname.rdata.first()?))) else {
        return;
    };
    if name.is_wildcard() {
        findings
            .warning(dname.rtype.span.clone(), format!("{name} is a wildcard with a DNAME"))
            .label("servers do not agree on what it means (RFC 6672 §3.3)")
            .help("write a DNAME at each name, or a CNAME at the wildcard");
    }
    let target = presentation::target_of(RecordType::DNAME, &rdata.value);
    if let Some(target) = target.filter(|target| target.is_at_or_below(name)) {
        findings
            .warning(rdata.span.clone(), format!("the DNAME of {name} leads to {target}"))
            .label("that is a circle: nobody gets an answer");
    }
}

/// DS stands beside the NS of a delegation and nowhere else (RFC 4035 §2.4).
fn check_signer(zone: &Zone<'_>, owner: &Owner<'_>, findings: &mut Findings<'_>) {
    let Some(ds) = owner.records_of(RecordType::DS) else { return };
    let name = &owner.name.value;
    if zone.is_apex(owner) {
        findings
            .warning(ds.rtype.span.clone(), format!("the apex {name} has a DS record"))
            .label("it belongs into the zone above, which delegates this one (RFC 4035 §2.4)")
            .help("to announce it to the zone above, write a CDS record");
    } else if owner.records_of(RecordType::NS).is_none() {
        findings
            .warning(ds.rtype.span.clone(), format!("{name} has a DS record and no NS"))
            .label("DS vouches for a delegation, and this is none (RFC 4035 §2.4)")
            .help("add the NS records of the zone below, or remove the DS");
    }
}
