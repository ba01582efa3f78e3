//! `[geo]`, and networks in the settings: where the databases are, and what is known better than they do.

use std::collections::HashMap;
use std::path::PathBuf;

use ipnet::IpNet;

use super::read_path;
use crate::config::diagnostic::{Findings, Span};
use crate::config::location;
use crate::config::network::{self, Lengths};
use crate::config::place;
use crate::config::reader::{Item, Spanned, Table, Value};
use crate::geo::{Asn, Override, Subdivision};
use crate::limits::GEO_OVERRIDES;

const NOTES: &[(&str, &str)] = &[
    ("geodb", "inside [geo] it is called `database`"),
    ("asndb", "inside [geo] it is called `asn`"),
    ("path", "inside [geo] it is called `database`"),
];

const EXAMPLE: &str = "a place such as \"DE\", \"US-CA\" or { country = \"FR\", asn = 64500 }";

/// What `[geo]` says.
#[derive(Default)]
pub(super) struct Geo {
    pub(super) database: Option<PathBuf>,
    pub(super) asn: Option<PathBuf>,
    pub(super) overrides: Vec<(IpNet, Override)>,
}

/// Reads `[geo]`. `geodb` is where the database was named outside of it.
fn read_geo(item: &Item<'_>, geodb: Option<&Span>, findings: &mut Findings<'_>) -> Geo {
    let example = "[geo]";
    let Some(mut table) = item.value.table("[geo]", example, findings) else {
        return Geo::default();
    };
    let key = table.span_of("database");
    let database = read_path(&mut table, "database", findings);
    if let (Some(here), Some(other)) = (key, geodb) {
        findings
            .error(here, "the database is named twice")
            .related(other.clone(), "the other time")
            .help("`geodb` and `database` of [geo] are the same");
    }
    let asn = read_path(&mut table, "asn", findings);
    let overrides = table.take("overrides");
    let overrides = overrides.map(|item| read_overrides(&item, findings)).unwrap_or_default();
    table.finish(NOTES, findings);
    Geo { database, asn, overrides }
}

fn read_overrides(item: &Item<'_>, findings: &mut Findings<'_>) -> Vec<(IpNet, Override)> {
    let example = "{ \"10.1.0.0/16\" = \"DE\" }";
    let Some(mut table) = item.value.table("overrides", example, findings) else {
        return Vec::new();
    };
    let items = table.take_all();
    if items.len() > GEO_OVERRIDES {
        let message = format!("there are {} overrides, {GEO_OVERRIDES} is the most", items.len());
        findings.error(item.key.span.clone(), message);
        return Vec::new();
    }
    let mut seen: HashMap<IpNet, Span> = HashMap::new();
    let mut overrides = Vec::with_capacity(items.len());
    for item in items {
        let network = network::read(&item.key, Lengths::ANY, findings);
        let place = read_override(&item.value, findings);
        let Some((network, place)) = network.zip(place) else { continue };
        if let Some(first) = seen.insert(network, item.key.span.clone()) {
            let message = format!("the network {network} stands here twice");
            findings.error(item.key.span, message).related(first, "first here");
        }
        overrides.push((network, place));
    }
    overrides
}

fn read_override(value: &Value<'_>, findings: &mut Findings<'_>) -> Option<Override> {
    let Some(mut table) = value.as_table("the override") else {
        let text = value.string(EXAMPLE, findings)?;
        return read_code(&text, findings);
    };
    if table.is_empty() {
        value.expected(EXAMPLE, findings);
    }
    let country = table.take("country");
    let country = country.and_then(|item| item.value.string("a country such as \"DE\"", findings));
    let subdivision = table.take("subdivision").and_then(|item| {
        let text = item.value.string("a subdivision such as \"US-CA\"", findings)?;
        place::read_subdivision(&text, findings)
    });
    let has_point = table.has("lat") || table.has("lon");
    let coordinates =
        has_point.then(|| location::take_point(value, &mut table, findings)).flatten();
    let asn = table.take("asn").and_then(|item| {
        let number = item.value.integer(1..=i64::from(u32::MAX), findings)?;
        Some(Asn(u32::try_from(number).ok()?))
    });
    table.finish(&[], findings);
    let code = country.as_ref().and_then(|text| place::read_country_code(text, findings));
    if let (Some(code), Some(subdivision)) = (code, subdivision)
        && subdivision.country() != code
    {
        let message = format!("{subdivision} is not in {code} ({})", code.name());
        findings.error(value.span(), message);
    }
    let country = code.or_else(|| subdivision.map(Subdivision::country));
    Some(Override { country, subdivision, coordinates, asn })
}

/// A country, or a subdivision.
fn read_code(text: &Spanned<&str>, findings: &mut Findings<'_>) -> Option<Override> {
    if text.value.contains('-') {
        let subdivision = place::read_subdivision(text, findings)?;
        let country = Some(subdivision.country());
        let subdivision = Some(subdivision);
        return Some(Override { country, subdivision, ..Override::default() });
    }
    let country = Some(place::read_country_code(text, findings)?);
    Some(Override { country, ..Override::default() })
}

/// Networks, each once.
pub(super) fn read_networks(value: &Value<'_>, findings: &mut Findings<'_>) -> Vec<IpNet> {
    if value.as_array().is_some_and(|entries| entries.is_empty()) {
        return Vec::new();
    }
    let texts = value.strings("networks such as [\"127.0.0.0/8\"]", findings);
    let mut networks: Vec<IpNet> = Vec::with_capacity(texts.len());
    for text in texts {
        let Some(network) = network::read(&text, Lengths::ANY, findings) else { continue };
        if networks.contains(&network) {
            findings.error(text.span, format!("the network {network} stands here twice"));
        }
        networks.push(network);
    }
    networks
}

/// What the settings file may say about databases, inside of `[geo]` or not.
pub(super) fn read_databases(table: &mut Table<'_>, findings: &mut Findings<'_>) -> Geo {
    let span = table.span_of("geodb");
    let geodb = read_path(table, "geodb", findings);
    let inner = table.take("geo").map(|item| read_geo(&item, span.as_ref(), findings));
    let inner = inner.unwrap_or_default();
    Geo { database: geodb.or(inner.database), ..inner }
}
