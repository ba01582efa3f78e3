//! `meridian check`: the same eyes as at start, without starting.

use std::collections::BTreeSet;
use std::process::ExitCode;

use serde_json::{Value, json};

use super::args::CheckArguments;
use super::assume::make_snapshot;
use super::{CommandError, CommandResult, FAILURE};
use crate::app::{Loaded, Settings, complain, is_styled, read_sources, say};
use crate::config::{CompiledZone, Diagnostic};
use crate::snapshot::{GeoSources, ResidencyProof, Stranded};
use crate::store;

pub(super) fn run(arguments: &CheckArguments) -> CommandResult {
    let settings = Settings::resolve(arguments.typed())?;
    let mut loaded = if arguments.files.is_empty() {
        Loaded::read(&settings.zones)?
    } else {
        Loaded::compile(store::read_paths(&arguments.files)?)
    };
    let geo = read_sources(&settings)?;
    loaded.compare_databases(&geo);
    let summary = summary(&loaded);
    let proofs = prove_residency(&mut loaded, &geo)?;
    if arguments.json {
        let findings: Vec<Value> = loaded.diagnostics().map(to_json).collect();
        let residency: Vec<Value> = proofs.iter().map(proof_to_json).collect();
        let report = json!({ "findings": findings, "residency": residency });
        say(&format!("{}\n", serde_json::to_string_pretty(&report)?));
    } else {
        complain(&loaded.render(is_styled()));
        say(&proofs.iter().map(describe).collect::<String>());
        say(&format!("{summary}\n"));
    }
    let is_sound = proofs.iter().all(|proof| proof.violations.is_empty());
    Ok(if loaded.rejected.is_empty() && is_sound {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(FAILURE)
    })
}

/// Proves what zones promise of residency. The zones that do are gone from `loaded` then.
fn prove_residency(
    loaded: &mut Loaded,
    geo: &GeoSources,
) -> Result<Vec<ResidencyProof>, CommandError> {
    let promises = |zone: &mut CompiledZone| !zone.routing.residencies.is_empty();
    let zones: Vec<CompiledZone> = loaded.zones.extract_if(.., promises).collect();
    if zones.is_empty() {
        return Ok(Vec::new());
    }
    Ok(make_snapshot(zones, &[], geo)?.prove_residency())
}

/// What a residency comes to, in lines for people.
fn describe(proof: &ResidencyProof) -> String {
    let ResidencyProof { zone, residency, .. } = proof;
    let list = |names: &BTreeSet<Box<str>>| {
        names.iter().map(|name| &**name).collect::<Vec<_>>().join(", ")
    };
    let names = count(proof.names, "name");
    let mut text = if proof.violations.is_empty() {
        let pools = if proof.pools.is_empty() { "no pool".into() } else { list(&proof.pools) };
        format!(
            "residency {residency} of {zone}: {names}, its clients get {pools} only, whatever is up\n"
        )
    } else {
        let pools = list(&proof.violations);
        format!(
            "residency {residency} of {zone} is broken: its clients may get {pools}; please report this\n"
        )
    };
    for Stranded { name, place } in &proof.stranded {
        text += &format!(
            "residency {residency} of {zone}: {name} has no answer for clients in {place}, it allows none of the pools they may get\n"
        );
    }
    text
}

fn proof_to_json(proof: &ResidencyProof) -> Value {
    let stranded = proof.stranded.iter();
    let stranded = stranded.map(|one| json!({ "name": one.name.to_string(), "place": one.place }));
    json!({
        "zone": proof.zone.to_string(),
        "residency": proof.residency,
        "names": proof.names,
        "pools": proof.pools,
        "violations": proof.violations,
        "stranded": stranded.collect::<Vec<Value>>(),
    })
}

fn summary(loaded: &Loaded) -> String {
    let names: usize = loaded.zones.iter().map(|zone| zone.names.len()).sum();
    let zones = count(loaded.zones.len(), "zone");
    let warnings = match loaded.warnings.len() {
        0 => String::new(),
        warnings => format!(", {}", count(warnings, "warning")),
    };
    match loaded.rejected.len() {
        0 => format!("{zones} with {} can be served{warnings}", count(names, "name")),
        refused => format!("{} refused, {zones} can be served{warnings}", count(refused, "file")),
    }
}

/// A number with its noun.
pub(super) fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// A finding as programs get it.
pub(super) fn to_json(diagnostic: &Diagnostic) -> Value {
    json!({
        "severity": if diagnostic.is_error() { "error" } else { "warning" },
        "file": diagnostic.path,
        "line": diagnostic.line(),
        "column": diagnostic.column(),
        "message": diagnostic.message,
        "label": diagnostic.label,
        "help": diagnostic.help,
        "related": diagnostic.related.iter().map(|related| json!({
            "file": related.path,
            "start": related.span.start,
            "end": related.span.end,
            "label": related.label,
        })).collect::<Vec<Value>>(),
    })
}
