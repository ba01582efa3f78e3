//! The endpoints of pools that have a check, as metrics and the health report name them.

use crate::health::{Known, TargetId};
use crate::snapshot::{Live, Snapshot};
use crate::zone::ZoneId;

/// A checked endpoint: zone, pool, endpoint, check.
pub(super) struct Endpoint {
    pub(super) labels: [String; 4],
    pub(super) target: TargetId,
}

/// What the prober knows of a target of this snapshot. During a reload the two may be of different generations for a moment;
/// then the target of that number may be another one, of which nothing is said.
pub(super) fn find<'a>(statistics: &'a [Known], live: &Live, id: TargetId) -> Option<&'a Known> {
    let place = statistics.binary_search_by_key(&id, |known| known.id).ok()?;
    let target = live.snapshot.targets.get(usize::try_from(id.0).ok()?)?;
    statistics.get(place).filter(|known| known.target == *target)
}

/// All of them, in order of zone and pool.
pub(super) fn endpoints(snapshot: &Snapshot) -> impl Iterator<Item = Endpoint> + '_ {
    let zones = 0..u32::try_from(snapshot.catalog.zones().len()).unwrap_or(u32::MAX);
    zones.flat_map(|zone| endpoints_of(snapshot, ZoneId(zone)))
}

fn endpoints_of(snapshot: &Snapshot, zone: ZoneId) -> Vec<Endpoint> {
    let mut endpoints = Vec::new();
    let apex = snapshot.catalog.zone(zone).map(|zone| zone.apex.to_string());
    let Some((apex, routing)) = apex.zip(snapshot.routing(zone)) else {
        return endpoints;
    };
    for (pool, bound) in routing.named.pools.iter().zip(routing.bound.pools()) {
        let check = pool.check.and_then(|check| routing.checks.get(usize::from(check.0)));
        for (named, bound) in pool.endpoints.iter().zip(&bound.endpoints) {
            if let (Some(check), Some(target)) = (check, bound.health.target()) {
                let labels = [
                    apex.clone(),
                    pool.name.to_string(),
                    named.label.to_string(),
                    check.name.to_string(),
                ];
                endpoints.push(Endpoint { labels, target });
            }
        }
    }
    endpoints
}
