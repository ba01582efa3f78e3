//! `meridian diff`: what another set of zone files would change, and for which share of the clients.

use std::path::Path;
use std::process::ExitCode;

use serde_json::json;

use super::args::DiffArguments;
use super::assume::make_snapshot;
use super::crowd::{describe, label, percent, read_clients};
use super::table::Table;
use super::{CHANGES, CommandError, CommandResult, FAILURE};
use crate::app::{Loaded, Settings, complain, is_styled, read_sources, say};
use crate::outlook::{Clients, Difference, Kind, RecordChange, compare};
use crate::snapshot::{GeoSources, Snapshot};
use crate::store;

/// Entries of each list that are written out for people.
const SHOWN: usize = 50;

pub(super) fn run(arguments: &DiffArguments) -> CommandResult {
    let geo = read_sources(&Settings::resolve(arguments.typed())?)?;
    let clients = read_clients(arguments.weights.as_deref(), arguments.ipv6)?;
    let old = read(&arguments.old, &geo)?;
    let new = read(&arguments.new, &geo)?;
    let (Some(old), Some(new)) = (old, new) else { return Ok(ExitCode::from(FAILURE)) };
    let difference = compare(&old, &new, &clients);
    if arguments.json {
        let report = json!({ "clients": label(&clients), "difference": difference });
        say(&format!("{}\n", serde_json::to_string_pretty(&report)?));
    } else {
        say(&render(&difference, &clients));
    }
    Ok(if difference.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(CHANGES) })
}

/// The zones of a directory, or of one file; nothing if any is wrong, which was printed.
fn read(path: &Path, geo: &GeoSources) -> Result<Option<Snapshot>, CommandError> {
    let mut loaded = if path.is_dir() {
        Loaded::read(path)?
    } else {
        Loaded::compile(vec![store::read_zone(path)])
    };
    loaded.compare_databases(geo);
    if !loaded.rejected.is_empty() {
        complain(&loaded.render(is_styled()));
        return Ok(None);
    }
    Ok(Some(make_snapshot(loaded.zones, &[], geo)?))
}

fn render(difference: &Difference, clients: &Clients) -> String {
    if difference.is_empty() {
        return "no difference: every client gets what it got\n".to_owned();
    }
    let mut text = String::new();
    let zones = difference.zones_removed.iter().map(|zone| format!("zone removed  {zone}"));
    let added = difference.zones_added.iter().map(|zone| format!("zone added    {zone}"));
    text += &list("", zones.chain(added));
    let names = difference.names_removed.iter().map(|name| format!("name removed  {name}"));
    let added = difference.names_added.iter().map(|name| format!("name added    {name}"));
    text += &list("", names.chain(added));
    let title = format!("Another answer, for this share of {}:\n", describe(clients));
    let mut table = Table::default();
    let routed = difference.routed.iter();
    routed.for_each(|one| {
        table.push(vec![format!("{} {}", one.name, one.rtype), percent(one.share)]);
    });
    text += &list(&title, table.render().lines().map(ToOwned::to_owned));
    text +=
        &list("Records that are the same for everybody:\n", difference.records.iter().map(show));
    let ttls = difference
        .ttls
        .iter()
        .map(|one| format!("  {} {}  {} s → {} s", one.name, one.rtype, one.before, one.after));
    text + &list("Another TTL:\n", ttls)
}

/// A list under its title, cut where it gets long; nothing if it is empty.
fn list(title: &str, entries: impl Iterator<Item = String>) -> String {
    let entries: Vec<String> = entries.collect();
    if entries.is_empty() {
        return String::new();
    }
    let mut text = title.to_owned();
    for entry in entries.iter().take(SHOWN) {
        text += entry;
        text.push('\n');
    }
    if entries.len() > SHOWN {
        text += &format!("  and {} more; --json has all\n", entries.len() - SHOWN);
    }
    text
}

fn show(change: &RecordChange) -> String {
    let what = match change.kind {
        Kind::Added => "added",
        Kind::Removed => "removed",
        Kind::Changed => "changed",
    };
    let gone = change.before.iter().filter(|record| !change.after.contains(record));
    let come = change.after.iter().filter(|record| !change.before.contains(record));
    let gone = gone.map(|record| format!("\n    - {record}"));
    let come = come.map(|record| format!("\n    + {record}"));
    let records: String = gone.chain(come).collect();
    format!("  {} {} {what}{records}", change.name, change.rtype)
}
