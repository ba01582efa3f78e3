//! `meridian import`: zones from elsewhere, as zone files in TOML.

use std::path::Path;
use std::process::ExitCode;

use super::args::{ImportCommand, ImportZonefileArguments};
use super::{CommandError, CommandResult, FAILURE};
use crate::app::{complain, is_styled, say};
use crate::config::{self, CompiledZone, Diagnostic, Source};
use crate::store;
use crate::wire::Name;
use crate::zone::master::origin_of_file_name;

pub(super) fn run(command: &ImportCommand) -> CommandResult {
    match command {
        ImportCommand::Zonefile(arguments) => import_zonefile(arguments),
    }
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
