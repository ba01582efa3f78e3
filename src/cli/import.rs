//! `meridian import`: zones from elsewhere, as zone files in TOML.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::args::{
    ImportCommand, ImportGdnsdArguments, ImportOctodnsArguments, ImportRoute53Arguments,
    ImportZonefileArguments,
};
use super::{CommandError, CommandResult, FAILURE};
use crate::app::{complain, is_styled, say};
use crate::config::{self, CompiledZone, Diagnostic, Source};
use crate::import::{
    Gdnsd, ImportError, Imported, Route53, Severity, import_gdnsd, import_octodns, import_route53,
};
use crate::store;
use crate::wire::Name;
use crate::zone::master::origin_of_file_name;

pub(super) fn run(command: &ImportCommand) -> CommandResult {
    match command {
        ImportCommand::Zonefile(arguments) => import_zonefile(arguments),
        ImportCommand::Route53(arguments) => from_route53(arguments),
        ImportCommand::Octodns(arguments) => from_octodns(arguments),
        ImportCommand::Gdnsd(arguments) => from_gdnsd(arguments),
    }
}

fn from_route53(arguments: &ImportRoute53Arguments) -> CommandResult {
    let records = read_text(&arguments.records)?;
    let read = |path: &Option<PathBuf>| path.as_deref().map(read_text).transpose();
    let health_checks = read(&arguments.health_checks)?;
    let cidr_collections = read(&arguments.cidr_collections)?;
    hand_out(import_route53(Route53 {
        records: &records,
        health_checks: health_checks.as_deref(),
        cidr_collections: cidr_collections.as_deref(),
        zone: arguments.zone.as_deref(),
    }))
}

fn from_octodns(arguments: &ImportOctodnsArguments) -> CommandResult {
    hand_out(import_octodns(&read_text(&arguments.file)?, &arguments.zone))
}

fn from_gdnsd(arguments: &ImportGdnsdArguments) -> CommandResult {
    let config = read_text(&arguments.config)?;
    let zone_file = arguments.zone_file.as_deref().map(read_text).transpose()?;
    let (zone_file, zone) = (zone_file.as_deref(), arguments.zone.as_str());
    hand_out(import_gdnsd(Gdnsd { config: &config, zone_file, zone }))
}

fn read_text(path: &Path) -> Result<String, CommandError> {
    Ok(store::read_source(path)?.text)
}

/// Prints a zone file, and on standard error what it lost and what `meridian check` will say of it.
fn hand_out(imported: Result<Imported, ImportError>) -> CommandResult {
    let Imported { text, notes } = imported?;
    let source = Source::new("import.toml", text, 0);
    let mut is_whole = true;
    for note in &notes {
        is_whole &= note.severity < Severity::Error;
        let severity = if note.severity == Severity::Error { "error" } else { "warning" };
        // What was imported is somebody's file: it must not speak to the terminal.
        let line = format!("{severity}: {note}").replace(char::is_control, "?");
        complain(&format!("{line}\n"));
    }
    match config::compile_zone(&source) {
        Ok((_, warnings)) => show(&warnings, &source),
        Err(rejected) => {
            is_whole = false;
            show(&rejected.diagnostics, &source);
        }
    }
    say(&source.text);
    Ok(if is_whole { ExitCode::SUCCESS } else { ExitCode::from(FAILURE) })
}

fn import_zonefile(arguments: &ImportZonefileArguments) -> CommandResult {
    let source = store::read_master(&arguments.file)?;
    let origin = match &arguments.origin {
        Some(origin) => Name::parse(origin, &Name::root())
            .map_err(|error| format!("--origin `{origin}` is no name: {error}"))?,
        None => guess_origin(&arguments.file)?,
    };
    let (zone, warnings) = match config::import_master(&source, &origin) {
        Ok(imported) => imported,
        Err(rejected) => {
            show(&rejected.diagnostics, &source);
            return Ok(ExitCode::from(FAILURE));
        }
    };
    show(&warnings, &source);
    let heading = format!("From {} by `meridian import zonefile`.", arguments.file.display());
    let text = config::print_toml(&zone, &heading.replace(char::is_control, "?"));
    verify(&zone, &text)?;
    say(&text);
    Ok(ExitCode::SUCCESS)
}

fn show(diagnostics: &[Diagnostic], source: &Source) {
    complain(&config::render(diagnostics, |path| source.text_of(path), is_styled()));
}

/// `example.com.zone`, or `db.example.com` as Debian's BIND has it.
fn guess_origin(file: &Path) -> Result<Name, CommandError> {
    let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let bind = name.strip_prefix("db.").and_then(|name| Name::parse(name, &Name::root()).ok());
    origin_of_file_name(name).or(bind).ok_or_else(|| {
        format!("{}: which zone is it? say so with --origin example.com", file.display()).into()
    })
}

/// Reads back what was printed. A zone that changed on the way would be worse than none.
fn verify(zone: &CompiledZone, text: &str) -> Result<(), CommandError> {
    match config::compile_zone(&Source::new("import.toml", text, 0)) {
        Ok((again, _)) if again.apex == zone.apex && again.names == zone.names => Ok(()),
        Ok(_) => Err("the TOML would not mean the same; please report this, with the file".into()),
        Err(rejected) => {
            let first = rejected.diagnostics.first().map(ToString::to_string).unwrap_or_default();
            Err(format!(
                "the TOML could not be read back ({first}); please report this, with the file"
            )
            .into())
        }
    }
}
