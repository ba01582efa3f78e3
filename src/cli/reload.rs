//! `meridian reload`: has the running server read its files again, and tells what became of it.

use std::process::ExitCode;

use super::args::ReloadArguments;
use super::check::count;
use super::{CommandResult, FAILURE, runtime};
use crate::admin::{ReloadReport, ReloadRequest, ask_reload};
use crate::app::{Settings, complain, say};

pub(super) fn run(arguments: &ReloadArguments) -> CommandResult {
    let settings = Settings::resolve(arguments.typed())?;
    let Some(state) = settings.state else {
        return Err("which server? Name its state directory with --state; one without has no \
            socket, and reloads at SIGHUP alone"
            .into());
    };
    let request = ReloadRequest { yes: arguments.yes };
    let report = runtime()?.block_on(ask_reload(&state, request))?;
    if arguments.json {
        say(&format!("{}\n", serde_json::to_string_pretty(&report)?));
    } else {
        tell(&report);
    }
    Ok(match report {
        ReloadReport::Reloaded { .. } => ExitCode::SUCCESS,
        ReloadReport::Refused { .. } => ExitCode::from(FAILURE),
    })
}

fn tell(report: &ReloadReport) {
    match report {
        ReloadReport::Reloaded { generation, zones, geodb_refused } => {
            let names = zones.iter().map(|zone| zone.names).sum();
            let mut text = format!(
                "reloaded: {} with {}, generation {generation}\n",
                count(zones.len(), "zone"),
                count(names, "name")
            );
            for zone in zones {
                text += &format!("  {} serial {}\n", zone.zone, zone.serial);
            }
            say(&text);
            if let Some(why) = geodb_refused {
                complain(&format!("warning: the geo database was refused: {why}\n"));
            }
        }
        ReloadReport::Refused { why, .. } => complain(&format!("error: refused: {why}\n")),
    }
}
