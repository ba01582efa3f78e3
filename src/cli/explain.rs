//! `meridian explain`: from the zone files, or from a running server.

use std::process::ExitCode;

use super::args::ExplainArguments;
use super::assume::make_snapshot;
use super::{CommandError, CommandResult, FAILURE, runtime};
use crate::admin::{fetch, parse_client};
use crate::app::{Loaded, Settings, complain, is_styled, read_sources, say};
use crate::query::{
    Engine, Explanation, Inquiry, assume_down, assume_recovered, assume_up, explain,
};
use crate::sys::random_seed;
use crate::wire::{Name, RecordType};

pub(super) fn run(arguments: &ExplainArguments) -> CommandResult {
    let settings = Settings::resolve(arguments.typed())?;
    let inquiry = read_inquiry(arguments)?;
    let explanation = if arguments.live {
        ask(arguments, &settings, &inquiry)?
    } else {
        assume(arguments, &settings, &inquiry)?
    };
    let Some(explanation) = explanation else {
        return Ok(ExitCode::from(FAILURE));
    };
    if arguments.json {
        say(&format!("{}\n", serde_json::to_string_pretty(&explanation)?));
    } else {
        say(&explanation.to_string());
    }
    Ok(ExitCode::SUCCESS)
}

fn read_inquiry(arguments: &ExplainArguments) -> Result<Inquiry, CommandError> {
    let name = Name::parse(&arguments.name, &Name::root())
        .map_err(|error| format!("`{}` is no name: {error}", arguments.name))?;
    let qtype: RecordType =
        arguments.qtype.parse().map_err(|error| format!("`{}`: {error}", arguments.qtype))?;
    let subnet = arguments.client.as_deref().map(parse_client).transpose()?;
    Ok(Inquiry { name, qtype, subnet, resolver: arguments.resolver, seed: random_seed()? })
}

/// Explains from the files, with the health that the arguments assume. Nothing if a zone file is wrong, which was printed.
fn assume(
    arguments: &ExplainArguments,
    settings: &Settings,
    inquiry: &Inquiry,
) -> Result<Option<Explanation>, CommandError> {
    let mut loaded = Loaded::read(&settings.zones)?;
    let geo = read_sources(settings)?;
    loaded.compare_databases(&geo);
    let refused = loaded.refused();
    if !loaded.rejected.is_empty() {
        complain(&loaded.render(is_styled()));
        if loaded.zones.is_empty() {
            return Ok(None);
        }
    }
    let snapshot = make_snapshot(loaded.zones, &refused, &geo)?;
    let view = assume_up(&snapshot);
    assume_down(&snapshot, &view, &arguments.down).map_err(|error| format!("--down {error}"))?;
    assume_recovered(&snapshot, &view, &arguments.up, RECOVERED_MS)
        .map_err(|error| format!("--up {error}"))?;
    let engine = Engine::new(&snapshot, &view).at(RECOVERED_MS.saturating_add(age_ms(arguments)));
    Ok(Some(explain(&engine, inquiry)?))
}

/// When what is assumed to have recovered did so, on a clock of its own: not at 0, which means never.
const RECOVERED_MS: u64 = 1;

/// How long ago that was.
fn age_ms(arguments: &ExplainArguments) -> u64 {
    arguments.at.map_or(0, |age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX))
}

/// Has the running server explain.
fn ask(
    arguments: &ExplainArguments,
    settings: &Settings,
    inquiry: &Inquiry,
) -> Result<Option<Explanation>, CommandError> {
    let mut path = format!(
        "/explain?name={}&type={}&resolver={}",
        escape(&arguments.name),
        inquiry.qtype,
        inquiry.resolver
    );
    if let Some(client) = &arguments.client {
        path.push_str(&format!("&client={}", escape(client)));
    }
    for (key, names) in [("down", &arguments.down), ("up", &arguments.up)] {
        for name in names {
            path.push_str(&format!("&{key}={}", escape(name)));
        }
    }
    if arguments.at.is_some() {
        path.push_str(&format!("&at_ms={}", age_ms(arguments)));
    }
    let admin = settings.admin;
    let (status, body) = runtime()?.block_on(fetch(admin, &path))?;
    match status {
        200 => Ok(Some(serde_json::from_str(&body)?)),
        _ => Err(format!("the server at {admin} says: {}", body.trim()).into()),
    }
}

/// Percent-encodes all but letters, digits, dots and hyphens (RFC 3986 §2.1).
fn escape(text: &str) -> String {
    let encode = |octet: u8| match octet {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' => char::from(octet).to_string(),
        _ => format!("%{octet:02X}"),
    };
    text.bytes().map(encode).collect()
}
