//! What overrides are for in a snapshot, and what operators may have meant by a name that nothing has.

use crate::health::{Override, is_match};
use crate::snapshot::Snapshot;

/// How many switches an override is for.
pub(super) fn count(one: &Override, snapshot: &Snapshot) -> usize {
    let names = snapshot.switch_names();
    names.filter(|(_, apex, name)| one.is_for_zone(apex) && one.is_for(name)).count()
}

/// Names that may have been meant by a pattern that matches nothing: the nearest first.
pub(super) fn near(zone: &str, pattern: &str, snapshot: &Snapshot, most: usize) -> Vec<String> {
    let words = pattern.replace(['*', '?'], "").to_lowercase();
    let mut near: Vec<(usize, String)> = snapshot
        .switch_names()
        .map(|(_, apex, name)| {
            let name = name.to_string();
            let elsewhere = usize::from(!is_match(zone, &apex, true)) * 2;
            (strsim::osa_distance(&words, &name.to_lowercase()) + elsewhere, name)
        })
        .filter(|(distance, name)| distance * 2 <= name.chars().count().max(words.len()))
        .collect();
    near.sort();
    near.dedup();
    near.into_iter().take(most).map(|(_, name)| name).collect()
}
