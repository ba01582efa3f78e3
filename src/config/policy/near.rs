//! `type = "geoproximity"` and `type = "latency"`: the target that is nearest, or fastest (rules 32 to 40, B6).

use super::{Reference, Rule, places, read_list};
use crate::config::diagnostic::Findings;
use crate::config::location::{self, Whereabouts};
use crate::config::reader::{Item, Spanned, Table, Value};
use crate::config::value::{closest, list, parse_share};
use crate::limits::{ENTRY_NAME_OCTETS, HYSTERESIS_PERCENT};
use crate::policy::LatencySource;

/// By how much another target must be faster, if the policy does not say, in hundredths.
const HYSTERESIS: u8 = 20;

const SOURCES: [(&str, LatencySource); 3] = [
    ("table", LatencySource::Table),
    ("distance", LatencySource::Distance),
    ("measured", LatencySource::Measured),
];

/// Something that a policy says of one of its targets.
pub(in crate::config) type OfTarget<'t, T> = (Reference<'t>, T);

/// A choice by distance as typed.
pub(in crate::config) struct GeoproximityChoice<'t> {
    pub(in crate::config) targets: Vec<Reference<'t>>,
    pub(in crate::config) locations: Vec<OfTarget<'t, Option<Whereabouts>>>,
    pub(in crate::config) bias: Vec<OfTarget<'t, i8>>,
    pub(in crate::config) default: Vec<Reference<'t>>,
}

/// A choice by latency as typed.
pub(in crate::config) struct LatencyChoice<'t> {
    pub(in crate::config) targets: Vec<Reference<'t>>,
    pub(in crate::config) locations: Vec<OfTarget<'t, Option<Whereabouts>>>,
    pub(in crate::config) regions: Vec<OfTarget<'t, Spanned<&'t str>>>,
    /// The name of a file.
    pub(in crate::config) table: Option<Spanned<&'t str>>,
    pub(in crate::config) by: Option<Spanned<LatencySource>>,
    pub(in crate::config) hysteresis: u8,
}

pub(super) fn read_geoproximity<'t>(
    name: &Spanned<&str>,
    table: &mut Table<'t>,
    findings: &mut Findings<'_>,
) -> Option<Rule<'t>> {
    let targets = read_list(name, table, "[\"us\", \"eu\"]", findings);
    let locations = read_locations(table, findings);
    let bias = read_entries(table, "bias", "{ eu = 25 }", findings);
    let bias = bias.into_iter().filter_map(|item| {
        let number = item.value.integer(-99..=99, findings)?;
        Some((item.key, i8::try_from(number).ok()?))
    });
    let bias = bias.collect();
    let default = places::read_default(table, findings);
    if default.is_none() {
        let label = "clients of whom nobody knows where they are get an empty answer";
        places::warn_without_default(name, label, findings);
    }
    Some(Rule::Geoproximity(GeoproximityChoice {
        targets: targets?,
        locations,
        bias,
        default: default.unwrap_or_default(),
    }))
}

pub(super) fn read_latency<'t>(
    name: &Spanned<&str>,
    table: &mut Table<'t>,
    findings: &mut Findings<'_>,
) -> Option<Rule<'t>> {
    let targets = read_list(name, table, "[\"us\", \"eu\"]", findings);
    let locations = read_locations(table, findings);
    let regions = read_entries(table, "regions", "{ us = \"us-east-1\" }", findings);
    let regions = regions.into_iter().filter_map(|item| {
        let region = read_region(&item.value, findings)?;
        Some((item.key, region))
    });
    let regions = regions.collect();
    let file = table.take("table").and_then(|item| read_table_name(&item.value, findings));
    let by = table.take("by").and_then(|item| read_source(&item.value, findings));
    let hysteresis = table.take("hysteresis");
    let hysteresis = hysteresis.and_then(|item| read_hysteresis(&item, by.as_ref(), findings));
    let hysteresis = hysteresis.unwrap_or(HYSTERESIS);
    Some(Rule::Latency(LatencyChoice {
        targets: targets?,
        locations,
        regions,
        table: file,
        by,
        hysteresis,
    }))
}

/// The items of a table of targets.
fn read_entries<'t>(
    table: &mut Table<'t>,
    key: &'static str,
    example: &str,
    findings: &mut Findings<'_>,
) -> Vec<Item<'t>> {
    let entries = table.take(key).and_then(|item| item.value.table(key, example, findings));
    entries.map_or_else(Vec::new, |mut entries| entries.take_all())
}

fn read_locations<'t>(
    table: &mut Table<'t>,
    findings: &mut Findings<'_>,
) -> Vec<OfTarget<'t, Option<Whereabouts>>> {
    let items = read_entries(table, "locations", "{ eu = \"IE\" }", findings);
    let read = |item: Item<'t>| {
        let place = location::read(&item.value, findings);
        (item.key, place)
    };
    items.into_iter().map(read).collect()
}

fn read_region<'t>(value: &Value<'t>, findings: &mut Findings<'_>) -> Option<Spanned<&'t str>> {
    let region = value.string("the name of a region such as \"us-east-1\"", findings)?;
    if region.value.is_empty() || region.value.len() > ENTRY_NAME_OCTETS {
        let message = format!("the name of a region has 1 to {ENTRY_NAME_OCTETS} octets");
        findings.error(region.span, message);
        return None;
    }
    Some(region)
}

/// Whether a text names a file in the directory of the zone file, or below it.
pub(in crate::config) fn is_table_name(name: &str) -> bool {
    let is_plain = |part: &str| !matches!(part, "" | "." | "..");
    !name.contains(['\0', '\\']) && name.split('/').all(is_plain)
}

fn read_table_name<'t>(value: &Value<'t>, findings: &mut Findings<'_>) -> Option<Spanned<&'t str>> {
    let name = value.string("the name of a file such as \"latency.csv\"", findings)?;
    if !is_table_name(name.value) {
        findings
            .error(name.span, format!("`{}` cannot be the name of a latency table", name.value))
            .help("it is beside the zone file, or in a directory below: no leading `/`, no `..`");
        return None;
    }
    Some(name)
}

fn read_source(value: &Value<'_>, findings: &mut Findings<'_>) -> Option<Spanned<LatencySource>> {
    let word = value.as_str().unwrap_or_default();
    if let Some((_, source)) = SOURCES.iter().find(|(known, _)| *known == word) {
        return Some(Spanned { value: *source, span: value.span() });
    }
    let words = SOURCES.map(|(word, _)| word);
    let guess = closest(word, words).map(|guess| format!("did you mean \"{guess}\"?"));
    value.expected(&format!("one of {}", list(words)), findings).help_if(guess);
    None
}

fn read_hysteresis(
    item: &Item<'_>,
    by: Option<&Spanned<LatencySource>>,
    findings: &mut Findings<'_>,
) -> Option<u8> {
    let share = item.value.as_str().and_then(|text| parse_share(text).ok());
    let percent = share.filter(|share| share.0 % 100 == 0).map(|share| share.0 / 100);
    let percent = percent.and_then(|percent| u8::try_from(percent).ok());
    let Some(percent) = percent.filter(|percent| *percent <= HYSTERESIS_PERCENT) else {
        let expected = format!("a whole percentage from \"0%\" to \"{HYSTERESIS_PERCENT}%\"");
        item.value.expected(&expected, findings);
        return None;
    };
    if by.is_some_and(|by| by.value != LatencySource::Measured) {
        findings
            .warning(item.key.span.clone(), "`hysteresis` does nothing here")
            .label("only measured latencies go up and down");
    }
    Some(percent)
}
