//! What commands that work without a server assume: a snapshot of the files as they are, and endpoints that are up but for those
//! that the user names.

use super::CommandError;
use crate::app::{Settings, read_database};
use crate::config::CompiledZone;
use crate::health::{Status, TargetId, View};
use crate::snapshot::{Generation, Identity, Ingredients, Snapshot};
use crate::sys::random_seed;
use crate::wire::Name;

/// A snapshot such as a server with these settings would make of the zones.
pub(super) fn make_snapshot(
    zones: Vec<CompiledZone>,
    refused: &[Name],
    settings: &Settings,
) -> Result<Snapshot, CommandError> {
    Ok(Snapshot::compile(Ingredients {
        zones,
        refused,
        database: read_database(settings.geodb.as_deref())?,
        seed: random_seed()?,
        generation: Generation(1),
        identity: Identity::default(),
        previous: None,
    })?)
}

/// A view in which everything is up but these pools and endpoints, of whatever zone. If one of them can't be down, it comes
/// back with the reason.
pub(super) fn assume_health<'d, T: AsRef<str>>(
    snapshot: &Snapshot,
    down: &'d [T],
) -> Result<View, (&'d str, &'static str)> {
    let view = View::new(snapshot.targets.len());
    for (target, _) in view.iter() {
        view.set(target, Status::Up);
    }
    for wanted in down.iter().map(AsRef::as_ref) {
        let targets = targets_of(snapshot, wanted).map_err(|why| (wanted, why))?;
        targets.into_iter().for_each(|target| view.set(target, Status::Down));
    }
    Ok(view)
}

/// The probe targets of every pool of this name, and of every endpoint written so.
fn targets_of(snapshot: &Snapshot, wanted: &str) -> Result<Vec<TargetId>, &'static str> {
    let mut targets = Vec::new();
    let mut is_known = false;
    for routing in snapshot.routings() {
        for (pool, bound) in routing.named.pools.iter().zip(routing.bound.pools()) {
            for (named, bound) in pool.endpoints.iter().zip(&bound.endpoints) {
                if *pool.name == *wanted || *named.label == *wanted {
                    is_known = true;
                    targets.extend(bound.health);
                }
            }
        }
    }
    match (is_known, targets.is_empty()) {
        (false, _) => Err("no pool and no endpoint of any zone is called so"),
        (true, true) => Err("it has no check, so that it always counts as up"),
        _ => Ok(targets),
    }
}
