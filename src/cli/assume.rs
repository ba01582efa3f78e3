//! What commands that work without a server assume: a snapshot of the files as they are.

use super::CommandError;
use crate::config::CompiledZone;
use crate::snapshot::{Generation, GeoSources, Identity, Ingredients, Snapshot};
use crate::sys::random_seed;
use crate::wire::Name;

/// A snapshot such as a server with these settings would make of the zones.
pub(super) fn make_snapshot(
    zones: Vec<CompiledZone>,
    refused: &[Name],
    geo: &GeoSources,
) -> Result<Snapshot, CommandError> {
    Ok(Snapshot::compile(Ingredients {
        zones,
        refused,
        geo,
        seed: random_seed()?,
        generation: Generation(1),
        identity: Identity::default(),
        previous: None,
    })?)
}
