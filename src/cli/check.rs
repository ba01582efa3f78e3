//! `meridian check`: the same eyes as at start, without starting.

use std::process::ExitCode;

use serde_json::{Value, json};

use super::args::CheckArguments;
use super::{CommandResult, FAILURE};
use crate::app::{Loaded, Settings, complain, is_styled, read_sources, say};
use crate::config::Diagnostic;
use crate::store;

pub(super) fn run(arguments: &CheckArguments) -> CommandResult {
    let settings = Settings::resolve(arguments.typed())?;
    let mut loaded = if arguments.files.is_empty() {
        Loaded::read(&settings.zones)?
    } else {
        Loaded::compile(arguments.files.iter().map(|path| store::read_zone(path)).collect())
    };
    let geo = read_sources(&settings)?;
    loaded.compare_databases(&geo);
    if arguments.json {
        let findings: Vec<Value> = loaded.diagnostics().map(to_json).collect();
        say(&format!("{}\n", serde_json::to_string_pretty(&json!({ "findings": findings }))?));
    } else {
        complain(&loaded.render(is_styled()));
        say(&format!("{}\n", summary(&loaded)));
    }
    Ok(if loaded.rejected.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(FAILURE) })
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
