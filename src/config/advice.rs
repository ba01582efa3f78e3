//! Warnings about zones that can be served and will disappoint: records that lead nowhere, data that nobody can see.

use std::collections::HashMap;

use super::diagnostic::{Findings, Span};
use super::document::Document;
use super::names::Owner;
use crate::wire::{Name, RecordType};
use crate::zone::presentation;

/// Looks at every record that names a host, and at everything below a delegation.
pub(super) fn give(document: &Document<'_>, findings: &mut Findings<'_>) {
    let owners = document.names.iter().map(|owner| (&owner.name.value, owner)).collect();
    let zone = Zone { apex: &document.apex.value, owners };
    for owner in &document.names {
        for records in &owner.records {
            let rtype = records.rtype.value;
            for rdata in &records.rdata {
                if let Some(target) = presentation::target_of(rtype, &rdata.value) {
                    zone.check_target(rtype, &target, rdata.span.clone(), findings);
                }
            }
        }
        zone.check_visible(owner, findings);
    }
    for cname in document.pools.iter().filter_map(|pool| pool.cname.as_ref()) {
        zone.check_target(RecordType::CNAME, &cname.value, cname.span.clone(), findings);
    }
}

struct Zone<'d, 't> {
    apex: &'d Name,
    owners: HashMap<&'d Name, &'d Owner<'t>>,
}

impl<'d, 't> Zone<'d, 't> {
    fn check_target(
        &self,
        rtype: RecordType,
        target: &Name,
        span: Span,
        findings: &mut Findings<'_>,
    ) {
        if !target.is_at_or_below(self.apex) || target.is_root() || rtype == RecordType::DNAME {
            return;
        }
        if self.cut_above(target).is_some() {
            return;
        }
        let needs_address = matches!(rtype, RecordType::NS | RecordType::MX | RecordType::SRV);
        match self.owners.get(target) {
            None if self.is_covered_by_wildcard(target) => {}
            None => self.warn_missing(target, span, findings),
            Some(owner) if needs_address && owner.records_of(RecordType::CNAME).is_some() => {
                let related = owner.name.span.clone();
                findings
                    .warning(span, format!("{target} is a CNAME, which {rtype} must not name"))
                    .label("many resolvers will not follow it (RFC 2181 §10.3)")
                    .related(related, "the CNAME");
            }
            Some(owner) if needs_address && !has_address(owner) => {
                let related = owner.name.span.clone();
                findings
                    .warning(span, format!("{target} has no address"))
                    .related(related, "no A, no AAAA, no route");
            }
            Some(_) => {}
        }
    }

    /// Mostly a final dot that was forgotten: `aspmx.l.google.com` is below the zone without it.
    fn warn_missing(&self, target: &Name, span: Span, findings: &mut Findings<'_>) {
        let relative = target.display_within(self.apex).into_owned();
        let advice = relative.contains('.').then(|| {
            format!("if {relative} is outside the zone, write \"{relative}.\" with a final dot")
        });
        findings.warning(span, format!("{target} does not exist in this zone")).help_if(advice);
    }

    /// The delegation above or at a name, the apex not counted.
    fn cut_above(&self, name: &Name) -> Option<&'d Owner<'t>> {
        let mut name = name.clone();
        while name != *self.apex && !name.is_root() {
            let owner = self.owners.get(&name);
            if let Some(owner) = owner.filter(|owner| owner.records_of(RecordType::NS).is_some()) {
                return Some(owner);
            }
            name = name.parent()?;
        }
        None
    }

    fn is_covered_by_wildcard(&self, name: &Name) -> bool {
        let mut above = name.parent();
        while let Some(name) = above.filter(|name| name.is_at_or_below(self.apex)) {
            if name.child(b"*").is_ok_and(|wildcard| self.owners.contains_key(&wildcard)) {
                return true;
            }
            above = name.parent();
        }
        false
    }

    /// Below a delegation only addresses of name servers are ever sent (RFC 1034 §4.2.1).
    fn check_visible(&self, owner: &Owner<'_>, findings: &mut Findings<'_>) {
        let name = &owner.name.value;
        let Some(cut) = name.parent().and_then(|parent| self.cut_above(&parent)) else {
            return;
        };
        let is_glue = |rtype| matches!(rtype, RecordType::A | RecordType::AAAA);
        let has_other = owner.records.iter().any(|records| !is_glue(records.rtype.value));
        if has_other || owner.route.is_some() {
            findings
                .warning(owner.name.span.clone(), format!("nobody can see the data of {name}"))
                .label("it is below a delegation")
                .related(cut.name.span.clone(), "delegated here");
        }
    }
}

fn has_address(owner: &Owner<'_>) -> bool {
    let is_address = |rtype| matches!(rtype, RecordType::A | RecordType::AAAA);
    owner.route.is_some() || owner.records.iter().any(|records| is_address(records.rtype.value))
}
