//! A zone file as it was typed: every part read and checked for itself, none yet connected to another.
//!
//! References are still names with spans; [`super::routing`] and [`super::zone`] connect them. A part that has a mistake
//! is kept as far as it goes, so that what refers to it is not reported as well.

use toml::de::DeTable;

use super::case::{self, Case};
use super::check::{self, Check};
use super::collection::{self, Collection};
use super::diagnostic::{Findings, Span};
use super::group::{self, TypedGroup};
use super::names::{self, Owner};
use super::place::PlaceName;
use super::policy::{self, Policy};
use super::pool::{self, Pool};
use super::reader::{Item, Spanned, Table, Value};
use super::residency::{self, Residency};
use super::value::is_entry_name;
use crate::limits::{ENTRY_NAME_OCTETS, TTL_FLOOR_SECONDS, ZONE_ENTRIES};
use crate::wire::{Name, Ttl};

/// TTL of records in a zone that names none, in seconds.
const DEFAULT_TTL_SECONDS: u32 = 300;

/// What the soonest possible change of health caps a TTL to at the least, in a zone that does not say (RELIABILITY §5.7).
pub(super) const DEFAULT_TTL_FLOOR_SECONDS: u32 = 5;

const NOTES: &[(&str, &str)] = &[
    ("tests", "begin every test with [[test]]"),
    ("groups", "begin every group with [group.NAME]"),
    ("collections", "begin every collection with [collection.NAME]"),
];

/// In which form a zone was written, which decides what advice is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Toml,
    Master,
}

/// One zone file.
pub(super) struct Document<'t> {
    pub(super) form: Form,
    pub(super) apex: Spanned<Name>,
    pub(super) ttl: Ttl,
    pub(super) ttl_floor: Ttl,
    pub(super) groups: Vec<TypedGroup<'t>>,
    pub(super) collections: Vec<Collection<'t>>,
    pub(super) checks: Vec<Check<'t>>,
    pub(super) pools: Vec<Pool<'t>>,
    pub(super) policies: Vec<Policy<'t>>,
    pub(super) residencies: Vec<Residency<'t>>,
    pub(super) names: Vec<Owner<'t>>,
    /// Where names begin, for advice on what to add.
    pub(super) names_span: Option<Span>,
    pub(super) cases: Vec<Case<'t>>,
}

impl Document<'_> {
    /// The groups that policies and residencies name.
    pub(super) fn group_names(&self) -> impl Iterator<Item = &str> {
        let policies = self.policies.iter().filter_map(|policy| policy.rule.as_ref());
        let places = policies.flat_map(|rule| match rule {
            policy::Rule::Geolocation { places, .. } => places.as_slice(),
            _ => &[],
        });
        let clients = self.residencies.iter().flat_map(|residency| &residency.clients);
        let places = places.map(|named| &named.place).chain(clients);
        places.filter_map(|place| match place.value {
            PlaceName::Group(name) => Some(name),
            PlaceName::Known(_) => None,
        })
    }
}

/// Reads all parts. Nothing if the apex is not known, without which no name can be read.
pub(super) fn read<'t>(tree: &'t DeTable<'t>, findings: &mut Findings<'_>) -> Option<Document<'t>> {
    let mut table = Table::new("a zone file", tree);
    let apex = read_apex(&mut table, findings);
    let origin = apex.as_ref().map_or_else(Name::root, |apex| apex.value.clone());
    let default_ttl = Ttl::from_seconds(DEFAULT_TTL_SECONDS).unwrap_or(Ttl::MAX);
    let ttl = table.take("ttl").and_then(|item| item.value.ttl(findings)).unwrap_or(default_ttl);
    let ttl_floor = read_ttl_floor(&mut table, findings);
    let mut checks = read_section(&mut table, "check", findings, |entry, findings| {
        check::read(entry, &origin, findings)
    });
    check::connect(&mut checks, findings);
    let pools = read_section(&mut table, "pool", findings, |entry, findings| {
        pool::read(entry, &origin, findings)
    });
    let policies = read_section(&mut table, "policy", findings, policy::read);
    let groups = read_section(&mut table, "group", findings, group::read);
    let collections = read_section(&mut table, "collection", findings, collection::read);
    let residencies = read_section(&mut table, "residency", findings, residency::read);
    let names_item = table.take("names");
    let names_span = names_item.as_ref().map(|item| item.key.span.clone());
    let names = match (&apex, names_item) {
        (Some(apex), Some(item)) => names::read(item.value, &apex.value, findings),
        _ => Vec::new(),
    };
    let cases = match (&apex, table.take("test")) {
        (Some(apex), Some(item)) => case::read(&item, &apex.value, findings),
        _ => Vec::new(),
    };
    table.finish(NOTES, findings);
    let (form, apex) = (Form::Toml, apex?);
    Some(Document {
        form,
        apex,
        ttl,
        ttl_floor,
        groups,
        collections,
        checks,
        pools,
        policies,
        residencies,
        names,
        names_span,
        cases,
    })
}

fn read_apex(table: &mut Table<'_>, findings: &mut Findings<'_>) -> Option<Spanned<Name>> {
    let Some(item) = table.take("zone") else {
        findings
            .error(0..0, "the zone's name is missing")
            .help("begin the file with its name: zone = \"example.com\"");
        return None;
    };
    let text = item.value.string("a name such as \"example.com\"", findings)?;
    match Name::parse(text.value, &Name::root()) {
        Ok(value) if text.value != "@" => Some(Spanned { value, span: text.span }),
        Ok(_) => {
            item.value.expected("a name such as \"example.com\"", findings);
            None
        }
        Err(error) => {
            findings.error(text.span, format!("`zone` is no name: {error}"));
            None
        }
    }
}

/// One named table of a section, such as `[check.web]`.
pub(super) struct Entry<'t> {
    pub(super) name: Spanned<&'t str>,
    pub(super) table: Table<'t>,
}

fn read_section<'t, T>(
    table: &mut Table<'t>,
    section: &'static str,
    findings: &mut Findings<'_>,
    mut read_entry: impl FnMut(Entry<'t>, &mut Findings<'_>) -> T,
) -> Vec<T> {
    let Some(item) = table.take(section) else {
        return Vec::new();
    };
    let example = format!("[{section}.NAME]");
    let Some(mut entries) = item.value.table(section, &example, findings) else {
        return Vec::new();
    };
    let mut items = entries.take_all();
    if items.len() > ZONE_ENTRIES {
        let message = format!("a zone may have {ZONE_ENTRIES} of `{section}`, not {}", items.len());
        findings.error(item.key.span, message);
        items.truncate(ZONE_ENTRIES);
    }
    let entries = items.into_iter().filter_map(|item| entry_of(section, item, findings));
    let entries: Vec<Entry<'t>> = entries.collect();
    entries.into_iter().map(|entry| read_entry(entry, findings)).collect()
}

fn entry_of<'t>(section: &str, item: Item<'t>, findings: &mut Findings<'_>) -> Option<Entry<'t>> {
    let name = item.key.value;
    if !is_entry_name(name) {
        findings
            .error(item.key.span.clone(), format!("`{name}` cannot be the name of a {section}"))
            .help(format!("names are 1 to {ENTRY_NAME_OCTETS} letters, digits, `-`, `_` and `.`"));
    }
    let Some(table) = item.value.as_table(format!("the {section} `{name}`")) else {
        misplaced_key(section, &item.value, findings);
        return None;
    };
    Some(Entry { name: item.key, table })
}

/// `[check]` with the keys of one check directly below it.
fn misplaced_key(section: &str, value: &Value<'_>, findings: &mut Findings<'_>) {
    value
        .expected("a table", findings)
        .help(format!("every {section} has a name: begin it with [{section}.NAME]"));
}

/// The least TTL that a routed answer is capped to.
fn read_ttl_floor(table: &mut Table<'_>, findings: &mut Findings<'_>) -> Ttl {
    let default = Ttl::from_seconds(DEFAULT_TTL_FLOOR_SECONDS).unwrap_or(Ttl::ZERO);
    let Some(item) = table.take("ttl_floor") else { return default };
    let floor = item.value.ttl(findings).unwrap_or(default);
    if floor.as_seconds() > TTL_FLOOR_SECONDS {
        findings
            .error(item.value.span(), "`ttl_floor` is above one day")
            .label("no answer lives so long")
            .help("\"1h\" is as good as no cap: a change of health is never foreseen for later than two hours");
    }
    floor
}
