//! Whole zone files: what a good one compiles to, what is warned of, the limits, and that nothing panics.
//!
//! | file | tests |
//! |---|---|
//! | `complete` | a zone with everything that the grammar has |
//! | `zones` | records, delegations and chains; several files |
//! | `limits` | bounds |
//! | `cases` | the tests of a zone |
//! | `checks` | checks |
//! | `routes`, `aliases` | what names answer with |
//! | `pools`, `places`, `near`, `residencies` | pools, and policies by where a client is |
//! | `slips` | that nothing panics |

mod aliases;
mod cases;
mod checks;
mod complete;
mod limits;
mod near;
mod places;
mod pools;
mod residencies;
mod routes;
mod slips;
mod zones;

use super::*;
use crate::wire::{RecordType, Ttl};

/// Uses everything the grammar has.
const COMPLETE: &str = include_str!("../../../tests/complete.toml");
const COMPLETE_TABLE: &str = include_str!("../../../tests/complete.csv");

/// A zone file; the latency tables that it names are the complete one.
fn source(text: &str) -> Source {
    let tables = table_names(text).into_iter().map(|name| Included {
        by: 0,
        path: format!("zones/{name}"),
        name,
        text: Ok(COMPLETE_TABLE.to_owned()),
    });
    let source = Source::new("zones/t.toml", text, 1_700_000_000);
    Source { included: tables.collect(), ..source }
}

fn name(text: &str) -> Name {
    Name::parse(text, &Name::parse("example.com.", &Name::root()).unwrap()).unwrap()
}

fn compile(text: &str) -> (CompiledZone, Vec<Diagnostic>) {
    let source = source(text);
    compile_zone(&source).unwrap_or_else(|rejected| {
        panic!("{}", render(&rejected.diagnostics, |_| Some(&source.text), false))
    })
}

/// A zone with the lines that every zone needs.
fn zone_with(sections: &str, names: &str) -> String {
    format!(
        "zone = \"example.com\"\n{sections}\n[names]\n\"@\" = {{ SOA = \"ns1 host\", NS = [\"ns1\", \"ns2\"] }}\n\
         ns1 = {{ A = \"192.0.2.53\" }}\nns2 = {{ A = \"192.0.2.54\" }}\n{names}\n"
    )
}

fn errors(text: &str) -> Vec<String> {
    let rejected = compile_zone(&source(text)).expect_err(text);
    let errors = rejected.diagnostics.into_iter().filter(Diagnostic::is_error);
    errors.map(|diagnostic| diagnostic.message).collect()
}

fn warnings(text: &str) -> Vec<String> {
    compile(text).1.into_iter().map(|diagnostic| diagnostic.message).collect()
}

fn rrset<'z>(zone: &'z CompiledZone, owner: &str, rtype: RecordType) -> &'z RRset {
    let found = zone.names[&name(owner)].rrsets.iter().find(|rrset| rrset.rtype == rtype);
    found.unwrap_or_else(|| panic!("{owner} {rtype}"))
}

fn ttl(seconds: u32) -> Ttl {
    Ttl::from_seconds(seconds).unwrap()
}
