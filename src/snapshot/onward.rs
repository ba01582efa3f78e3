//! Which routes an alias may lead to.
//!
//! A pool may hand out a CNAME to a name of ours that is routed itself. Where the chain goes depends on the choice, and that on
//! health; the scope must not. So every route that any choice could come to is listed with the alias, once per load.

use std::collections::BTreeSet;

use super::{BoundRoute, Handout, ZoneRouting};
use crate::limits::CNAME_CHAIN;
use crate::wire::{Name, RecordType};
use crate::zone::{Catalog, Found, RouteId};

/// Fills in the onward routes of every alias.
pub(super) fn link(routes: &mut [BoundRoute], catalog: &Catalog, routings: &[Option<ZoneRouting>]) {
    let next: Vec<Vec<RouteId>> =
        routes.iter().map(|route| next_of(route, routes, catalog, routings)).collect();
    for (route, first) in routes.iter_mut().zip(&next) {
        let mut seen: BTreeSet<u32> = BTreeSet::new();
        let mut reached: Vec<RouteId> = first.clone();
        // As far as an answer follows, and no farther.
        for _ in 0..CNAME_CHAIN {
            reached.retain(|id| seen.insert(id.0));
            let further = reached.iter().filter_map(|id| next.get(usize::try_from(id.0).ok()?));
            reached = further.flatten().copied().collect();
        }
        route.onward = seen.into_iter().map(RouteId).collect();
    }
}

/// The routes that the names of one alias lead to directly or through plain CNAMEs.
fn next_of(
    route: &BoundRoute,
    routes: &[BoundRoute],
    catalog: &Catalog,
    routings: &[Option<ZoneRouting>],
) -> Vec<RouteId> {
    let zone = usize::try_from(route.zone.0)
        .ok()
        .and_then(|zone| routings.get(zone))
        .and_then(Option::as_ref);
    let Some(routing) = zone.filter(|_| route.handout == Handout::Alias) else { return Vec::new() };
    let pools = routing.named.pools_below(route.target).into_iter();
    let endpoints =
        pools.filter_map(|pool| routing.named.pool(pool)).flat_map(|pool| &pool.endpoints);
    let firsts = endpoints.filter_map(|endpoint| follow(&endpoint.rdata, catalog));
    // A name may have a route for each type.
    let of_name = |first| {
        let next = |id: &RouteId| routes.get(usize::try_from(id.0).ok()?)?.next;
        std::iter::successors(Some(first), next)
    };
    firsts.flat_map(of_name).collect()
}

/// The first route on the chain of CNAMEs and DNAMEs that begins at a name.
fn follow(name: &[u8], catalog: &Catalog) -> Option<RouteId> {
    let mut name: Name = Name::from_wire(name).ok()?.0.to_folded();
    for _ in 0..CNAME_CHAIN {
        let next = match catalog.find(name.as_wire(), RecordType::A) {
            Found::Exact(node) | Found::Wildcard(node) => {
                if let Some(route) = node.route() {
                    return Some(route);
                }
                let target = node.rrset(RecordType::CNAME)?.rdata().next()?;
                Name::from_wire(target).ok()?.0
            }
            Found::Redirect(node) => {
                let target = node.rrset(RecordType::DNAME)?.rdata().next()?;
                let kept = name.as_wire().len().checked_sub(node.name().len())?;
                let whole = [name.as_wire().get(..kept)?, target].concat();
                Name::from_wire(&whole).ok()?.0
            }
            Found::NotOurs | Found::Delegation(_) | Found::NoSuchName(_) => return None,
        };
        name = next.to_folded();
    }
    None
}
