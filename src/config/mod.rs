//! From the text of a zone file to a zone that cannot be wrong, or to an explanation of what is.
//!
//! ```text
//! Source ─ syntax ─▶ TOML tree ─ document ─▶ Document ─ zone, routing, graph ─▶ CompiledZone
//!             └──────────────┴──── Findings: every mistake with its place ──┴──▶ Vec<Diagnostic> ─ render ─▶ text
//! ```
//!
//! Two steps: a `Document` is what was typed, each part checked for itself and carrying its place in the text;
//! a [`CompiledZone`] is what it means, with references turned into indices, RDATA into octets, and loops, dangling names
//! and contradictions ruled out. Both report into one list, so that one run finds all mistakes of a file.
//!
//! | file | owns |
//! |---|---|
//! | `syntax` | TOML itself, and the apex of a file that is none |
//! | `reader`, `value` | typed walking of the tree; durations, TTLs, suggestions |
//! | `source` | a file's text, with those of the files that it includes |
//! | `document` with `check`, `pool`, `policy`, `group`, `collection`, `residency`, `names`, `case` | the grammar |
//! | `place`, `network`, `location` | where clients and pools are |
//! | `facts` | what is compiled in about the world |
//! | `master` | a master file as a document |
//! | `print` | a zone as TOML |
//! | `routing`, `graph` | references between pools and policies; loops, depth, cost |
//! | `routes`, `aliases` | what chooses the answers of a name |
//! | `tables` | files of measured latency |
//! | `needs` | what a zone asks of the databases |
//! | `expectation` | what the tests of a zone mean, and what no answer can pass |
//! | `zone`, `advice` | rules of a zone as a whole: errors, and warnings |
//! | `serial` | the serial of a zone that gives none, from one load to the next |
//! | `diagnostic` | what a mistake is, and how it is printed |
//! | `settings` | the server's own file |
//!
//! Pure: no files, no sockets, no clock. The caller reads the files and gives their times of change.

#![deny(
    unsafe_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::arithmetic_side_effects
)]

mod advice;
mod aliases;
mod case;
mod check;
mod collection;
mod diagnostic;
mod document;
mod expectation;
mod graph;
mod group;
mod location;
mod master;
mod multivalue;
mod names;
mod needs;
mod network;
mod place;
mod policy;
mod pool;
mod print;
mod reader;
mod residency;
mod routes;
mod routing;
mod serial;
mod settings;
mod source;
mod syntax;
mod tables;
#[cfg(test)]
#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "a test may panic")]
mod tests;
mod value;
mod zone;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

pub use diagnostic::{Diagnostic, Position, Related, Severity, Span, render};
pub use expectation::{AnswerRecord, Expectation, Share, Statement, TestCase};
pub use needs::{DatabaseFacts, Fact, Need, compare_needs, needs};
pub use print::print_toml;
pub use serial::{Digest, ServedSerial, derive_serial};
pub use settings::{
    HealthSettings, Io, Settings, WebhookKind, WebhookSettings, WebhookUrl, check_identity,
    read_settings,
};
pub use source::{Included, Source};
pub use tables::table_names;

use crate::health::{CheckSpec, ProbeAddress};
use crate::policy::{Route, Routing};
use crate::wire::Name;
use crate::zone::RRset;
use diagnostic::Findings;
use master::Signatures;

/// A zone, ready to be made part of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompiledZone {
    pub apex: Name,
    /// Every owner, in canonical order. The apex is among them, with one SOA and at least one NS.
    pub names: BTreeMap<Name, CompiledName>,
    /// Without loops and within the limits of [`crate::limits`].
    pub routing: Routing,
    /// Indexed by [`crate::policy::CheckId`].
    pub checks: Vec<CompiledCheck>,
    /// The SOA leaves its serial out. It has the file's time of change as long as nobody sets a better one.
    pub has_derived_serial: bool,
    /// What the file says must be answered, in the order of the file.
    pub tests: Vec<TestCase>,
    /// Where each policy of the routing stands in the file.
    pub policy_spans: Vec<Span>,
    /// Where each residency of the routing stands in the file.
    pub residency_spans: Vec<Span>,
}

/// What one name answers with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CompiledName {
    /// One per type, in the order of the file.
    pub rrsets: Vec<RRset>,
    /// Each answers other types, and there are no RRsets of them. One that makes a CNAME is alone, without any RRsets.
    pub routes: Vec<Route>,
}

/// A check, and what it probes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompiledCheck {
    pub name: Box<str>,
    pub spec: Arc<CheckSpec>,
    /// What to probe in the endpoint's stead (Route 53 rule 5).
    pub address: Option<ProbeAddress>,
}

/// A file that is not served, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// Whose queries get SERVFAIL, as far as the file tells.
    pub apex: Option<Name>,
    /// At least one error; warnings too.
    pub diagnostics: Vec<Diagnostic>,
}

impl Rejected {
    /// A file that can't be used whatever it says. The zone is made out as far as its text was read.
    pub fn unreadable(source: &Source, why: &str) -> Self {
        let mut findings = Findings::new(source);
        findings.error_of_file(why.to_owned());
        Self { apex: recover_apex(source), diagnostics: findings.finish() }
    }
}

/// A zone with its warnings, or why there is none.
pub type Compiled = Result<(CompiledZone, Vec<Diagnostic>), Rejected>;

/// Reads a duration as zone files have it: `500ms`, `10s`, `1h30m`.
pub fn parse_duration(text: &str) -> Option<std::time::Duration> {
    value::parse_duration(text).ok()
}

/// Compiles one zone file: a master file if its name ends in `.zone`, else TOML.
///
/// # Errors
/// All mistakes of the file, up to [`crate::limits::ERRORS_PER_FILE`], and its apex if that could be made out.
pub fn compile_zone(source: &Source) -> Compiled {
    compile_with(source, |findings| {
        if source.is_master() {
            compile_master(source, findings)
        } else {
            compile_text(source, findings)
        }
    })
}

/// Compiles a master file, whatever its name, with names below this origin. Signatures of a signed zone are left out.
///
/// # Errors
/// As [`compile_zone`].
pub fn import_master(source: &Source, origin: &Name) -> Compiled {
    compile_with(source, |findings| {
        let document = master::read(source, origin, Signatures::LeaveOut, findings)?;
        Some(zone::compile(&document, findings))
    })
}

fn compile_with<'s>(
    source: &'s Source,
    compile: impl FnOnce(&mut Findings<'s>) -> Option<CompiledZone>,
) -> Compiled {
    let mut findings = Findings::new(source);
    let zone = compile(&mut findings);
    let has_errors = findings.has_errors();
    let diagnostics = findings.finish();
    match zone {
        Some(zone) if !has_errors => Ok((zone, diagnostics)),
        Some(zone) => Err(Rejected { apex: Some(zone.apex), diagnostics }),
        None => Err(Rejected { apex: recover_apex(source), diagnostics }),
    }
}

fn recover_apex(source: &Source) -> Option<Name> {
    if source.is_master() {
        master::recover_apex(source)
    } else {
        syntax::recover_apex(&source.text)
    }
}

fn compile_master(source: &Source, findings: &mut Findings<'_>) -> Option<CompiledZone> {
    let Some(origin) = master::origin_of(source) else {
        findings
            .error_of_file("the file's name is no name of a zone")
            .help("call it after the zone: `example.com.zone`; the root's is `root.zone`");
        return None;
    };
    let document = master::read(source, &origin, Signatures::Refuse, findings)?;
    Some(zone::compile(&document, findings))
}

fn compile_text(source: &Source, findings: &mut Findings<'_>) -> Option<CompiledZone> {
    if syntax::is_like_a_master_file(&source.text) {
        findings
            .error_of_file("this is a master file, and its name does not say so")
            .help("call it after the zone: `example.com.zone`")
            .help("or turn it into TOML: meridian import zonefile FILE");
        return None;
    }
    let tree = syntax::parse(source, findings)?;
    let document = document::read(tree.get_ref(), findings)?;
    Some(zone::compile(&document, findings))
}

/// Compiles all zone files; the results are in the order of the sources.
///
/// Of several files with one apex all but the first by path are rejected, also when that one is broken: a mistake in one
/// file must not bring another one into service.
pub fn compile_zones(sources: &[Source]) -> Vec<Compiled> {
    let mut compiled: Vec<Compiled> = sources.iter().map(compile_zone).collect();
    tables::share(compiled.iter_mut().flatten().map(|(zone, _)| zone));
    let mut by_path: Vec<(&Source, &mut Compiled)> = sources.iter().zip(&mut compiled).collect();
    by_path.sort_by(|(one, _), (other, _)| one.path.cmp(&other.path));
    let mut first_of: HashMap<Name, &Source> = HashMap::new();
    for (source, result) in by_path {
        let apex = match &*result {
            Ok((zone, _)) => Some(zone.apex.clone()),
            Err(rejected) => rejected.apex.clone(),
        };
        let Some(apex) = apex else { continue };
        match first_of.get(&apex) {
            Some(first) => reject_second(result, &apex, source, first),
            None => {
                first_of.insert(apex, source);
            }
        }
    }
    compiled
}

/// Rejects a file whose zone is defined in another file.
fn reject_second(result: &mut Compiled, apex: &Name, source: &Source, first: &Source) {
    let mut findings = Findings::new(source);
    let message = format!("the zone {apex} of {} is also defined in {}", source.path, first.path);
    let error = match apex_span(source) {
        Some(span) => findings.error(span, message),
        None => findings.error_of_file(message),
    };
    error
        .help("one zone is one file: merge them, or remove one (after an import, the master file)");
    if let Some(span) = apex_span(first) {
        error.related_in(&first.path, span, "the zone that is kept");
    }
    let mut diagnostics = findings.finish();
    diagnostics.extend(match result {
        Ok((_, warnings)) => std::mem::take(warnings),
        Err(rejected) => std::mem::take(&mut rejected.diagnostics),
    });
    *result = Err(Rejected { apex: Some(apex.clone()), diagnostics });
}

/// Where a TOML file says which zone it is.
fn apex_span(source: &Source) -> Option<Span> {
    if source.is_master() { None } else { syntax::apex_span(&source.text) }
}
