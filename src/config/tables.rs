//! Latency tables of a zone: files beside it, each read once, those of the same contents shared.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use toml::de::{DeTable, DeValue};

use super::CompiledZone;
use super::diagnostic::Findings;
use super::policy::is_table_name;
use super::reader::Spanned;
use super::source::Part;
use crate::geo::{LatencyTable, TableError};
use crate::limits::ZONE_FILE_OCTETS;
use crate::policy::TableId;

/// The files that the latency policies of a zone file in TOML name, in order, each once; names that lead elsewhere are left out.
/// For whoever reads them: [`super::Source::included`] takes the texts.
pub fn table_names(text: &str) -> Vec<String> {
    // Most files have none, and need not be read twice.
    if text.len() > ZONE_FILE_OCTETS || !text.contains("table") {
        return Vec::new();
    }
    let (tree, _) = DeTable::parse_recoverable(text);
    let Some(DeValue::Table(policies)) = tree.get_ref().get("policy").map(|item| item.get_ref())
    else {
        return Vec::new();
    };
    let mut names: Vec<(usize, String)> = Vec::new();
    let mut seen: HashSet<&str> = HashSet::new();
    for (_, policy) in policies.iter() {
        let DeValue::Table(policy) = policy.get_ref() else { continue };
        let Some(value) = policy.get("table") else { continue };
        if let DeValue::String(name) = value.get_ref()
            && is_table_name(name)
            && seen.insert(name)
        {
            names.push((value.span().start, name.to_string()));
        }
    }
    names.sort();
    names.into_iter().map(|(_, name)| name).collect()
}

/// The tables that were asked for.
#[derive(Default)]
pub(super) struct Tables {
    /// By the contents.
    shared: Vec<Arc<LatencyTable>>,
    /// By the name of the file; nothing where it has a mistake, which is told once.
    known: HashMap<String, Option<TableId>>,
}

impl Tables {
    /// The table of a file.
    pub(super) fn find(
        &mut self,
        name: &Spanned<&str>,
        findings: &mut Findings<'_>,
    ) -> Option<TableId> {
        if let Some(known) = self.known.get(name.value) {
            return *known;
        }
        let table = read(name, findings).and_then(|table| self.share(table));
        self.known.insert(name.value.to_owned(), table);
        table
    }

    fn share(&mut self, table: LatencyTable) -> Option<TableId> {
        let known = self.shared.iter().position(|known| is_same(known, &table));
        let place = known.unwrap_or(self.shared.len());
        if known.is_none() {
            self.shared.push(Arc::new(table));
        }
        u16::try_from(place).ok().map(TableId)
    }

    /// The regions that a table has, in order.
    pub(super) fn regions(&self, id: TableId) -> Option<&[Box<str>]> {
        self.shared.get(usize::from(id.0)).map(|table| table.regions.as_slice())
    }

    pub(super) fn into_shared(self) -> Vec<Arc<LatencyTable>> {
        self.shared
    }
}

/// Lets zones have one copy of tables that say the same.
pub(super) fn share<'z>(zones: impl Iterator<Item = &'z mut CompiledZone>) {
    let mut known: Vec<Arc<LatencyTable>> = Vec::new();
    for table in zones.flat_map(|zone| &mut zone.routing.tables) {
        match known.iter().find(|known| is_same(known, table)) {
            Some(same) => *table = Arc::clone(same),
            None => known.push(Arc::clone(table)),
        }
    }
}

/// Whether two tables say the same, whatever their files are called.
fn is_same(one: &LatencyTable, other: &LatencyTable) -> bool {
    one.regions == other.regions && one.rows == other.rows
}

fn read(name: &Spanned<&str>, findings: &mut Findings<'_>) -> Option<LatencyTable> {
    let part = match findings.source().find_table(name.value) {
        Ok(part) => part,
        Err(why) => {
            let message = format!("the latency table `{}` can't be used", name.value);
            findings.error(name.span.clone(), message).label(why);
            return None;
        }
    };
    match LatencyTable::parse(name.value, part.text) {
        Ok(table) => Some(table),
        Err(TableError { line, message }) => {
            findings
                .error(line_of(part, line), message)
                .related(name.span.clone(), "the table is named here")
                .help("a line is `prefix,region,milliseconds`: 192.0.2.0/24,us-east-1,12.5");
            None
        }
    }
}

/// The span of a line, from 1, in the text of all files together.
fn line_of(part: Part<'_>, line: usize) -> super::Span {
    let mut start = part.base;
    let mut length = 0usize;
    for text in part.text.split_inclusive('\n').take(line.max(1)) {
        start = start.saturating_add(length);
        length = text.len();
    }
    let typed = part.text.lines().nth(line.saturating_sub(1)).unwrap_or_default().trim_end();
    start..start.saturating_add(typed.len().max(1))
}
