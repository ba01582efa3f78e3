//! The one place where overrides become switches of a view, and what operators may have meant by a name that nothing has.

use std::collections::HashMap;

use crate::health::{Override, Overrides, View, is_match};
use crate::snapshot::Snapshot;

/// Sets the switches of a view as these overrides say; the newest that matches wins. Gives how many switches each override is for.
pub(super) fn apply(
    overrides: &[Override],
    snapshot: &Snapshot,
    view: &View,
    now_unix_ms: u64,
    now_ms: u64,
) -> Vec<usize> {
    let standing = Overrides::of(overrides);
    let touched = standing.apply(snapshot.switch_names(), view, now_unix_ms, now_ms);
    let touched: HashMap<u64, usize> = touched.into_iter().collect();
    overrides.iter().map(|one| touched.get(&one.id).copied().unwrap_or(0)).collect()
}

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
