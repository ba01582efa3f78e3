//! A zone as TOML, for people who bring it from elsewhere.
//!
//! What is printed compiles to the same names and records, which is tested and, since a zone is too much to be trusted to
//! tests alone, checked by whoever prints.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::value::format_duration;
use super::{CompiledName, CompiledZone};
use crate::wire::{RecordType, Ttl};
use crate::zone::{RRset, presentation};

/// Longest line on which all records of a name are written.
const LINE_CHARACTERS: usize = 120;

/// Writes the records of a zone as a zone file in TOML. Pools, policies, checks and routes are not written: master files have
/// none. `origin` is the first line, a comment that says where the zone came from.
pub fn print_toml(zone: &CompiledZone, heading: &str) -> String {
    let ttl = usual_ttl(zone);
    let mut text =
        format!("# {heading}\nzone = {}\n", quote(zone.apex.to_string().trim_end_matches('.')));
    if zone.apex.is_root() {
        text = format!("# {heading}\nzone = \".\"\n");
    }
    // Writing to a string does not fail.
    let _ = write!(text, "ttl = {}\n\n[names]\n", quote(&duration_of(ttl)));
    let mut tables = String::new();
    for (name, owned) in &zone.names {
        let key = key_of(&name.display_within(&zone.apex));
        let fields: Vec<String> = owned
            .rrsets
            .iter()
            .map(|rrset| format!("{} = {}", rrset.rtype, value_of(rrset, ttl)))
            .collect();
        let line = format!("{key} = {{ {} }}", fields.join(", "));
        if line.chars().count() <= LINE_CHARACTERS {
            let _ = writeln!(text, "{line}");
        } else {
            let _ = writeln!(tables, "\n[names.{key}]\n{}", fields.join("\n"));
        }
    }
    text + &tables
}

/// The TTL that most RRsets have.
fn usual_ttl(zone: &CompiledZone) -> Ttl {
    let mut counts: BTreeMap<Ttl, usize> = BTreeMap::new();
    let sets = zone.names.values().flat_map(|CompiledName { rrsets, .. }| rrsets);
    for rrset in sets {
        let count = counts.entry(rrset.ttl).or_default();
        *count = count.saturating_add(1);
    }
    counts.into_iter().max_by_key(|(_, count)| *count).map_or(Ttl::MAX, |(ttl, _)| ttl)
}

fn duration_of(ttl: Ttl) -> String {
    format_duration(std::time::Duration::from_secs(u64::from(ttl.as_seconds())))
}

/// The records of a set: a string, a list, or a table with their TTL.
fn value_of(rrset: &RRset, usual: Ttl) -> String {
    let texts: Vec<String> =
        rrset.rdata.iter().map(|rdata| quote(&text_of(rrset.rtype, rdata))).collect();
    let data = match texts.as_slice() {
        [one] => one.clone(),
        many => format!("[{}]", many.join(", ")),
    };
    if rrset.ttl == usual {
        return data;
    }
    format!("{{ ttl = {}, data = {data} }}", quote(&duration_of(rrset.ttl)))
}

fn text_of(rtype: RecordType, rdata: &[u8]) -> String {
    presentation::print_rdata(rtype, rdata)
}

/// A key, bare where TOML takes it so.
fn key_of(name: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if !name.is_empty() && name.chars().all(is_bare) { name.to_owned() } else { quote(name) }
}

/// A TOML string that stands for this text, which has no control characters: they are escaped in presentation format.
fn quote(text: &str) -> String {
    if !text.contains(['"', '\\']) {
        return format!("\"{text}\"");
    }
    if !text.contains('\'') {
        return format!("'{text}'");
    }
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
