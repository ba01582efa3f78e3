//! Names that records send their readers to: whether they are there, and hold what the record promises.

use super::{Cover, Place, Zone, chains, has_address_records};
use crate::config::diagnostic::{Findings, Span};
use crate::config::document::Document;
use crate::config::names::Owner;
use crate::wire::{Name, RecordType, ends_in};
use crate::zone::presentation;

/// Looks at every record that names a host, and at the names that pools hand out.
pub(super) fn check<'d>(zone: &Zone<'d>, document: &'d Document<'d>, findings: &mut Findings<'_>) {
    let mut links = Vec::new();
    for owner in &document.names {
        for records in &owner.records {
            let rtype = records.rtype.value;
            for rdata in &records.rdata {
                if rtype == RecordType::NS && is_glued(zone, owner, &rdata.value) {
                    continue;
                }
                let Some(target) = presentation::target_of(rtype, &rdata.value) else { continue };
                let next = zone.check_target(rtype, &target, rdata.span.clone(), findings);
                if rtype == RecordType::CNAME {
                    links.extend(next.filter(|next| is_alias(next)).map(|next| (owner, next)));
                }
            }
        }
    }
    chains::check(&links, findings);
    for cname in document.pools.iter().filter_map(|pool| pool.cname.as_ref()) {
        zone.check_target(RecordType::CNAME, &cname.value, cname.span.clone(), findings);
    }
}

/// Whether a name server is inside the delegation that names it, which is the business of [`super::cuts`].
fn is_glued(zone: &Zone<'_>, owner: &Owner<'_>, target: &[u8]) -> bool {
    ends_in(target, owner.name.value.as_wire()) && !zone.is_apex(owner)
}

fn is_alias(owner: &Owner<'_>) -> bool {
    owner.records_of(RecordType::CNAME).is_some()
}

impl<'d> Zone<'d> {
    /// Gives the owner whose data stands for the target.
    fn check_target(
        &self,
        rtype: RecordType,
        target: &Name,
        span: Span,
        findings: &mut Findings<'_>,
    ) -> Option<&'d Owner<'d>> {
        if rtype == RecordType::DNAME {
            return None;
        }
        let needs_address = matches!(rtype, RecordType::NS | RecordType::MX | RecordType::SRV);
        match self.place_of(target) {
            Place::Outside | Place::Covered(Cover::Delegation(_)) => None,
            Place::Covered(Cover::Redirection(dname)) => {
                if needs_address {
                    warn_alias(rtype, format!("{target} is below a DNAME"), dname, span, findings);
                }
                None
            }
            Place::Missing => {
                self.warn_missing(target, span, findings);
                None
            }
            Place::Wildcard(owner) | Place::Owner(owner) => {
                if needs_address {
                    check_host(rtype, owner, span, findings);
                }
                Some(owner)
            }
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
}

/// The host of a server has addresses, and is not another name for one that has.
fn check_host(rtype: RecordType, owner: &Owner<'_>, span: Span, findings: &mut Findings<'_>) {
    let target = &owner.name.value;
    if is_alias(owner) {
        warn_alias(rtype, format!("{target} is a CNAME"), owner, span, findings);
    } else if owner.routes.is_empty() && !has_address_records(owner) {
        findings
            .warning(span, format!("{target} has no address"))
            .related(owner.name.span.clone(), "no A, no AAAA, no route");
    }
}

fn warn_alias(
    rtype: RecordType,
    what: String,
    alias: &Owner<'_>,
    span: Span,
    findings: &mut Findings<'_>,
) {
    let kind = if is_alias(alias) { "the CNAME" } else { "the DNAME" };
    findings
        .warning(span, format!("{what}, which {rtype} must not name"))
        .label("many resolvers will not follow it (RFC 2181 §10.3)")
        .related(alias.name.span.clone(), kind);
}
