//! What if: a view of health in which some endpoints are down, or have just come up again, because somebody says so.

use std::fmt;

use crate::health::{Status, TargetId, View};
use crate::snapshot::Snapshot;

/// Why a pool or an endpoint can't be assumed to be down or up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssumeError {
    /// What was named.
    pub name: String,
    why: &'static str,
}

impl fmt::Display for AssumeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.why)
    }
}

impl std::error::Error for AssumeError {}

/// Counts every endpoint of a snapshot as up.
pub fn assume_up(snapshot: &Snapshot) -> View {
    let view = snapshot.new_view();
    for (target, _) in view.iter() {
        view.set(target, Status::Up);
    }
    view
}

/// Counts pools and endpoints as down.
///
/// # Errors
/// One that nobody knows, or that has no check.
pub fn assume_down<T: AsRef<str>>(
    snapshot: &Snapshot,
    view: &View,
    names: &[T],
) -> Result<(), AssumeError> {
    for target in targets_of(snapshot, names)? {
        view.set(target, Status::Down);
    }
    Ok(())
}

/// Counts pools and endpoints as up again, having recovered at a moment on the clock of [`super::Engine::at`].
///
/// # Errors
/// One that nobody knows, or that has no check.
pub fn assume_recovered<T: AsRef<str>>(
    snapshot: &Snapshot,
    view: &View,
    names: &[T],
    moment_ms: u64,
) -> Result<(), AssumeError> {
    for target in targets_of(snapshot, names)? {
        view.set_recovered_ms(target, moment_ms);
        view.set(target, Status::Up);
    }
    Ok(())
}

/// The probe targets of all these pools and endpoints.
fn targets_of<T: AsRef<str>>(
    snapshot: &Snapshot,
    names: &[T],
) -> Result<Vec<TargetId>, AssumeError> {
    let mut targets = Vec::new();
    for name in names.iter().map(AsRef::as_ref) {
        let named = targets_of_one(snapshot, name);
        targets.extend(named.map_err(|why| AssumeError { name: name.to_owned(), why })?);
    }
    Ok(targets)
}

/// The probe targets of every pool of this name, and of every endpoint written so.
fn targets_of_one(snapshot: &Snapshot, wanted: &str) -> Result<Vec<TargetId>, &'static str> {
    let mut targets = Vec::new();
    let mut is_known = false;
    for routing in snapshot.routings() {
        for (pool, bound) in routing.named.pools.iter().zip(routing.bound.pools()) {
            for (named, bound) in pool.endpoints.iter().zip(&bound.endpoints) {
                if *pool.name == *wanted || *named.label == *wanted {
                    is_known = true;
                    targets.extend(bound.health.target());
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
