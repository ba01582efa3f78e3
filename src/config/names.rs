//! `[names]`: owners with their records, routes and aliases as typed. RDATA is read here, the rules of a zone are in
//! [`super::zone`].

mod route;

use std::collections::HashMap;

use super::diagnostic::{Findings, Span};
use super::reader::{Item, Spanned, Value, span_inside};
use super::value::{closest, list};
use crate::wire::{Name, RecordType, Ttl};
use crate::zone::presentation;

pub(super) use route::{RouteKind, TypedAlias, TypedRoute};

const KEYS: [&str; 5] = ["policy", "pool", "alias", "ttl", "together"];

const EXAMPLE: &str = "{ A = \"192.0.2.1\" } or { policy = \"world\" }";

/// The records of one type at one owner.
pub(super) struct Records {
    pub(super) rtype: Spanned<RecordType>,
    pub(super) ttl: Option<Ttl>,
    pub(super) rdata: Vec<Spanned<Box<[u8]>>>,
}

/// A name as it was typed.
pub(super) struct Owner<'t> {
    pub(super) name: Spanned<Name>,
    /// For all records and the route, unless they have their own.
    pub(super) ttl: Option<Ttl>,
    pub(super) records: Vec<Records>,
    /// That of the whole name, and those of one type.
    pub(super) routes: Vec<TypedRoute<'t>>,
    /// That of the whole name, and those of one type.
    pub(super) aliases: Vec<TypedAlias>,
    /// Its SOA leaves out the serial, which is the time of change of the file then.
    pub(super) has_derived_serial: bool,
}

impl Owner<'_> {
    /// The records of a type, if there are any.
    pub(super) fn records_of(&self, rtype: RecordType) -> Option<&Records> {
        self.records.iter().find(|records| records.rtype.value == rtype)
    }

    /// Whether it answers with records only.
    pub(super) fn is_plain(&self) -> bool {
        self.routes.is_empty() && self.aliases.is_empty()
    }

    /// Where a route or an alias stands, if there is any.
    pub(super) fn chosen_span(&self) -> Option<Span> {
        let route = self.routes.first().map(|route| route.target.span.clone());
        route.or_else(|| self.aliases.first().map(|alias| alias.target.span.clone()))
    }
}

pub(super) fn read<'t>(
    value: Value<'t>,
    apex: &Name,
    findings: &mut Findings<'_>,
) -> Vec<Owner<'t>> {
    let Some(mut table) = value.table("names", "[names]", findings) else {
        return Vec::new();
    };
    let mut seen: HashMap<Name, Span> = HashMap::new();
    let mut owners = Vec::new();
    for item in table.take_all() {
        let Some(name) = parse_owner(&item.key, apex, findings) else {
            continue;
        };
        if let Some(first) = seen.get(&name.value) {
            let message = format!("the name {} is defined twice", name.value);
            let typed = findings.source().text.get(first.clone()).unwrap_or_default();
            let help = format!(
                "`{}` and `{}` are one name: put everything into one entry",
                typed.trim_matches(['"', '\'']),
                item.key.value
            );
            findings
                .error(name.span, message)
                .label("defined again here")
                .related(first.clone(), "first defined here")
                .help(help);
            continue;
        }
        seen.insert(name.value.clone(), name.span.clone());
        owners.extend(read_entry(name, &item, apex, findings));
    }
    owners
}

/// A name of the zone, relative to its apex.
pub(super) fn parse_owner(
    typed: &Spanned<&str>,
    apex: &Name,
    findings: &mut Findings<'_>,
) -> Option<Spanned<Name>> {
    let (typed, span) = (typed.value, typed.span.clone());
    let name = match Name::parse(typed, apex) {
        Ok(name) => name,
        Err(error) => {
            findings.error(span, format!("`{typed}` is no name: {error}"));
            return None;
        }
    };
    if !name.is_at_or_below(apex) {
        findings
            .error(span, format!("{name} is not in this zone"))
            .label(format!("the zone is {apex}"))
            .help("names in a zone file are relative; a final dot makes them absolute");
        return None;
    }
    warn_doubled(typed, &name, apex, span.clone(), findings);
    Some(Spanned { value: name, span })
}

/// `www.example.com` without its dot is www.example.com.example.com.
fn warn_doubled(typed: &str, name: &Name, apex: &Name, span: Span, findings: &mut Findings<'_>) {
    let apex_text = apex.to_string();
    let undotted = apex_text.trim_end_matches('.');
    let relative = typed.strip_suffix(undotted).filter(|_| !apex.is_root());
    let Some(relative) = relative.filter(|rest| rest.is_empty() || rest.ends_with('.')) else {
        return;
    };
    let meant = if relative.is_empty() { "@" } else { relative.trim_end_matches('.') };
    findings
        .warning(span, format!("`{typed}` is relative and so means {name}"))
        .help(format!("write \"{meant}\", or \"{typed}.\" with a final dot"));
}

fn read_entry<'t>(
    name: Spanned<Name>,
    item: &Item<'t>,
    apex: &Name,
    findings: &mut Findings<'_>,
) -> Option<Owner<'t>> {
    let mut table = match item.value.as_table("a name") {
        Some(table) => table,
        None => {
            item.value.expected(&format!("a table such as {EXAMPLE}"), findings);
            return None;
        }
    };
    if table.is_empty() {
        let message = format!("the name {} has neither records nor a route", name.value);
        findings.error(name.span.clone(), message).help(format!("write {EXAMPLE}"));
    }
    let ttl = table.take("ttl");
    let mut owner = Owner {
        name,
        ttl: ttl.as_ref().and_then(|item| item.value.ttl(findings)),
        records: Vec::new(),
        routes: Vec::new(),
        aliases: Vec::new(),
        has_derived_serial: false,
    };
    route::read_whole(&mut owner, &mut table, apex, findings);
    let rest = table.take_all();
    if let (Some(ttl), true) = (ttl, rest.is_empty() && owner.routes.is_empty()) {
        route::refuse_ttl(&owner, &ttl.key, findings);
    }
    for record in rest {
        read_records(&mut owner, item, &record, apex, findings);
    }
    Some(owner)
}

/// Reads the records under one key of a name.
fn read_records<'t>(
    owner: &mut Owner<'t>,
    entry: &Item<'t>,
    item: &Item<'t>,
    apex: &Name,
    findings: &mut Findings<'_>,
) {
    if is_split_name(entry, item, findings) {
        return;
    }
    let Some(rtype) = read_type(item, findings) else {
        return;
    };
    if let Some(first) = owner.records_of(rtype) {
        let message = format!("{rtype} records of {} are defined twice", owner.name.value);
        let first = first.rtype.span.clone();
        findings.error(item.key.span.clone(), message).related(first, "first defined here");
        return;
    }
    if route::is_chosen(item) {
        route::read_typed(owner, rtype, item, apex, findings);
        return;
    }
    let (ttl, texts) = read_values(rtype, item, findings);
    owner.has_derived_serial |= rtype == RecordType::SOA
        && texts.first().is_some_and(|text| presentation::is_short_soa(text.value));
    let rdata = texts.iter().filter_map(|text| {
        let octets = read_rdata(rtype, text, apex, findings)?;
        Some(Spanned { value: octets, span: text.span.clone() })
    });
    let rdata = rdata.collect();
    let rtype = Spanned { value: rtype, span: item.key.span.clone() };
    owner.records.push(Records { rtype, ttl, rdata });
}

/// A mnemonic in capital letters, or `TYPE123`; types that no author may write are refused.
pub(super) fn read_type(item: &Item<'_>, findings: &mut Findings<'_>) -> Option<RecordType> {
    let typed = item.key.value;
    let Ok(rtype) = typed.parse::<RecordType>() else {
        unknown_type(item, findings);
        return None;
    };
    let span = item.key.span.clone();
    let upper = typed.to_ascii_uppercase();
    if upper != typed {
        findings
            .error(span, format!("record types are written in capital letters: `{upper}`"))
            .label(format!("write `{upper}`"));
        return None;
    }
    if rtype.is_meta() || rtype.0 == 0 {
        findings.error(span, format!("{rtype} is for messages only, no zone can hold it"));
        return None;
    }
    if matches!(
        rtype,
        RecordType::RRSIG | RecordType::NSEC | RecordType::NSEC3 | RecordType::NSEC3PARAM
    ) {
        findings
            .error(span, format!("{rtype} records are made by signing, not written"))
            .help("a zone file holds the unsigned zone");
        return None;
    }
    Some(rtype)
}

/// A bare name with a dot, `www.eu = { … }`, which TOML reads as a table in a table. Reports it and says so.
fn is_split_name(entry: &Item<'_>, item: &Item<'_>, findings: &mut Findings<'_>) -> bool {
    let (owner, typed) = (entry.key.value, item.key.value);
    let text = &findings.source().text;
    let between = text.get(entry.key.span.end..item.key.span.start).unwrap_or_default();
    let holds_table = item.value.as_table("").is_some_and(|table| !table.has("data"));
    let is_type = typed.parse::<RecordType>().is_ok() && typed.to_uppercase() == typed;
    if between.trim() != "." || !holds_table || (is_type && route::is_chosen(item)) {
        return false;
    }
    let span = entry.key.span.start..item.key.span.end;
    findings
        .error(span, format!("TOML reads `{owner}.{typed}` as `{typed}` inside `{owner}`"))
        .label("a name with dots needs quotes")
        .help(format!("write \"{owner}.{typed}\" = …"));
    true
}

/// A key that is no type, misspelt most likely.
fn unknown_type(item: &Item<'_>, findings: &mut Findings<'_>) {
    let typed = item.key.value;
    let folded = typed.to_uppercase();
    let by_key = closest(typed, KEYS);
    let guess = by_key.or_else(|| closest(&folded, RecordType::mnemonics()));
    let message = format!("`{typed}` is neither a record type nor one of {}", list(KEYS));
    let label = guess.map_or(String::new(), |guess| format!("did you mean `{guess}`?"));
    let error = findings.error(item.key.span.clone(), message).label(label);
    if guess.is_none() {
        error.help("a type without a name is written TYPE123 (RFC 3597)");
    }
}

/// A string, an array of strings, or either as `data` beside a `ttl`.
fn read_values<'t>(
    rtype: RecordType,
    item: &Item<'t>,
    findings: &mut Findings<'_>,
) -> (Option<Ttl>, Vec<Spanned<&'t str>>) {
    let expected = "a string, several as an array, or { ttl = \"1h\", data = … }";
    let Some(mut table) = item.value.as_table(format!("the {rtype} records")) else {
        return (None, item.value.strings(expected, findings));
    };
    let ttl = table.take("ttl").and_then(|item| item.value.ttl(findings));
    let data = table.take("data");
    let texts = match data {
        Some(data) => data.value.strings("a string, or several as an array", findings),
        None => {
            let message = format!("the {rtype} records have no `data`");
            findings
                .error(item.key.span.clone(), message)
                .help(format!("write {rtype} = {expected}"));
            Vec::new()
        }
    };
    table.finish(&[], findings);
    (ttl, texts)
}

/// Data of a type as people write it, with names relative to the apex.
pub(super) fn read_rdata(
    rtype: RecordType,
    text: &Spanned<&str>,
    apex: &Name,
    findings: &mut Findings<'_>,
) -> Option<Box<[u8]>> {
    let is_text = matches!(rtype, RecordType::TXT | RecordType::SPF);
    let is_literal = is_text && !text.value.starts_with('"') && !text.value.starts_with("\\#");
    let parsed = match rtype {
        _ if is_literal => presentation::literal_text(text.value),
        RecordType::SOA => presentation::parse_soa(text.value, apex, findings.source().modified),
        _ => presentation::parse_rdata(rtype, text.value, apex),
    };
    let error = match parsed {
        Ok(rdata) => return Some(rdata),
        Err(error) => error,
    };
    let source = &findings.source().text;
    let span = error.offset.map_or(text.span.clone(), |at| span_inside(text, at, source));
    let message = format!("{rtype} record: {error}");
    findings.error(span, message).help_if(presentation::usage(rtype));
    None
}
