//! Geoproximity and latency: where targets are, and by what names tables know them.

use std::collections::HashMap;

use super::Connected;
use crate::config::diagnostic::{Findings, Span};
use crate::config::location::Whereabouts;
use crate::config::policy::{
    GeoproximityChoice, LatencyChoice, OfTarget, Policy as TypedPolicy, Reference,
};
use crate::config::reader::Spanned;
use crate::config::value::{closest, list};
use crate::geo::AwsRegion;
use crate::policy::{Latency, LatencySource, LatencyTarget, Rule, Site, TableId, Target};

/// What is known of where a target is.
enum Known {
    At(Whereabouts),
    /// It was said, with a mistake that was reported.
    Mistaken,
    Nowhere,
}

impl Connected<'_> {
    pub(super) fn compile_geoproximity(
        &mut self,
        choice: &GeoproximityChoice<'_>,
        findings: &mut Findings<'_>,
    ) -> Rule {
        check_keys("`locations`", &choice.locations, &choice.targets, findings);
        check_keys("`bias`", &choice.bias, &choice.targets, findings);
        let mut sites = Vec::new();
        for reference in &choice.targets {
            let Some(target) = self.target(reference, findings) else { continue };
            let bias = value_of(&choice.bias, reference).copied().unwrap_or(0);
            match self.whereabouts(reference, target, &choice.locations) {
                Known::At(place) => {
                    sites.push(Site { target, coordinates: place.coordinates, bias });
                }
                Known::Mistaken => {}
                Known::Nowhere => report_unplaced(reference, target, findings),
            }
        }
        Rule::Geoproximity { sites, default: self.targets_of(&choice.default, findings) }
    }

    /// Where the policy, or else the pool itself, says that a target is.
    fn whereabouts(
        &self,
        reference: &Reference<'_>,
        target: Target,
        locations: &[OfTarget<'_, Option<Whereabouts>>],
    ) -> Known {
        if let Some(here) = value_of(locations, reference) {
            return here.map_or(Known::Mistaken, Known::At);
        }
        let Target::Pool(id) = target else { return Known::Nowhere };
        match self.document.pools.get(usize::from(id.0)) {
            Some(pool) => match pool.location {
                Some(place) => Known::At(place),
                None if pool.has_location => Known::Mistaken,
                None => Known::Nowhere,
            },
            None => Known::Nowhere,
        }
    }

    pub(super) fn compile_latency(
        &mut self,
        policy: &TypedPolicy<'_>,
        choice: &LatencyChoice<'_>,
        findings: &mut Findings<'_>,
    ) -> Latency {
        check_keys("`locations`", &choice.locations, &choice.targets, findings);
        check_keys("`regions`", &choice.regions, &choice.targets, findings);
        let table = choice.table.as_ref().and_then(|name| self.tables.find(name, findings));
        let only = choice.by.as_ref().map(|by| by.value);
        if let Some(by) = choice.by.as_ref().filter(|by| by.value == LatencySource::Table)
            && choice.table.is_none()
        {
            findings
                .error(by.span.clone(), "`by` is \"table\", and there is no table")
                .help("add table = \"latency.csv\"");
        }
        if let (Some(name), Some(by)) = (&choice.table, &choice.by)
            && by.value != LatencySource::Table
        {
            findings
                .warning(name.span.clone(), "the table is never used")
                .related(by.span.clone(), "another source is asked for");
        }
        let mut targets = Vec::new();
        let mut seen: HashMap<&str, Span> = HashMap::new();
        for reference in &choice.targets {
            let Some(target) = self.target(reference, findings) else { continue };
            let region = value_of(&choice.regions, reference).unwrap_or(reference);
            if let Some(first) = seen.insert(region.value, region.span.clone()) {
                let message = format!("two targets have the region `{}`", region.value);
                findings
                    .error(region.span.clone(), message)
                    .related(first, "first here")
                    .help("a latency policy has one target per region (as in Route 53)");
            }
            let is_by_table = only.is_none_or(|source| source == LatencySource::Table);
            if let (Some(id), Some(name), true) = (table, &choice.table, is_by_table) {
                self.check_region(region, id, name, findings);
            }
            let placed = self.place_latency(reference, target, region, choice, findings);
            targets.push(LatencyTarget {
                target,
                region: region.value.into(),
                coordinates: placed.map(|place| place.coordinates),
                is_in_china: AwsRegion::parse(region.value).is_some_and(AwsRegion::is_in_china)
                    || placed.is_some_and(|place| place.is_in_china),
            });
        }
        if only == Some(LatencySource::Measured) {
            self.warn_unmeasured(policy, &choice.targets, findings);
        }
        Latency { targets, table, only, hysteresis: choice.hysteresis }
    }

    /// Where a target of a latency policy is: as for geoproximity, or else where its region is.
    fn place_latency(
        &self,
        reference: &Reference<'_>,
        target: Target,
        region: &Spanned<&str>,
        choice: &LatencyChoice<'_>,
        findings: &mut Findings<'_>,
    ) -> Option<Whereabouts> {
        match self.whereabouts(reference, target, &choice.locations) {
            Known::At(place) => return Some(place),
            Known::Mistaken => return None,
            Known::Nowhere => {}
        }
        let of_region = AwsRegion::parse(region.value).and_then(Whereabouts::of_region);
        let by = choice.by.as_ref().map(|by| by.value);
        match by {
            _ if of_region.is_some() => {}
            Some(LatencySource::Distance) => report_unplaced(reference, target, findings),
            None if choice.table.is_none() => {
                let message = format!("nobody knows where `{}` is", reference.value);
                findings
                    .warning(reference.span.clone(), message)
                    .label("only measured latencies can choose it")
                    .help(advice(reference, target))
                    .help("or say that nothing else is meant: by = \"measured\"");
            }
            _ => {}
        }
        of_region
    }

    /// A region that the table does not measure is never the fastest by it.
    fn check_region(
        &self,
        region: &Spanned<&str>,
        table: TableId,
        file: &Spanned<&str>,
        findings: &mut Findings<'_>,
    ) {
        let Some(regions) = self.tables.regions(table) else { return };
        if regions.iter().any(|known| **known == *region.value) {
            return;
        }
        let known = || regions.iter().map(|known| &**known);
        let guess = closest(region.value, known());
        let warning = findings.warning(
            region.span.clone(),
            format!("the table `{}` has no region `{}`", file.value, region.value),
        );
        if let Some(guess) = guess {
            warning.label(format!("did you mean `{guess}`?"));
        }
        warning.help(format!("it has {}", list(known())));
        if guess.is_none() {
            warning.help("name the region with regions = { target = \"…\" }");
        }
    }

    fn warn_unmeasured(
        &self,
        policy: &TypedPolicy<'_>,
        targets: &[Reference<'_>],
        findings: &mut Findings<'_>,
    ) {
        for reference in targets {
            let pool = self.document.pools.iter().find(|pool| pool.name.value == reference.value);
            if pool.is_some_and(|pool| pool.check.is_none()) {
                let message = format!("nothing measures the latency to `{}`", reference.value);
                findings
                    .warning(reference.span.clone(), message)
                    .label("it has no check")
                    .related(policy.name.span.clone(), "the policy goes by measurements alone");
            }
        }
    }
}

/// What a policy says of a target.
fn value_of<'a, T>(entries: &'a [OfTarget<'_, T>], target: &Reference<'_>) -> Option<&'a T> {
    entries.iter().find(|(key, _)| key.value == target.value).map(|(_, value)| value)
}

/// Whatever a policy says, it says of its own targets.
fn check_keys<T>(
    what: &str,
    entries: &[OfTarget<'_, T>],
    targets: &[Reference<'_>],
    findings: &mut Findings<'_>,
) {
    let known = || targets.iter().map(|target| target.value);
    for (key, _) in entries {
        if known().all(|name| name != key.value) {
            let message = format!("{what} speaks of `{}`, which is no target here", key.value);
            let guess = closest(key.value, known());
            findings
                .error(key.span.clone(), message)
                .label(guess.map_or(String::new(), |guess| format!("did you mean `{guess}`?")))
                .help(format!("the targets are {}", list(known())));
        }
    }
}

fn report_unplaced(reference: &Reference<'_>, target: Target, findings: &mut Findings<'_>) {
    findings
        .error(reference.span.clone(), format!("nobody knows where `{}` is", reference.value))
        .help(advice(reference, target));
}

fn advice(reference: &Reference<'_>, target: Target) -> String {
    let name = reference.value;
    match target {
        Target::Pool(_) => {
            format!("add location = \"…\" to the pool, or locations = {{ {name} = \"IE\" }} here")
        }
        Target::Policy(_) => {
            format!("a policy is in no one place: add locations = {{ {name} = \"IE\" }}")
        }
    }
}
