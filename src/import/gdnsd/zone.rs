//! gdnsd's zone file: a master file in which DYNA and DYNC name resources.
//!
//! These two are rewritten as records of a type for private use (RFC 6895 §3.1) that carry the resource's name, so that the
//! reader of master files sees to owners, origins and TTLs; then they are taken out again.

use super::Importer;
use crate::config::{Source, import_master};
use crate::import::draft::Answer;
use crate::import::{ImportError, Severity};
use crate::wire::RecordType;
use crate::zone::presentation;

/// Stands for DYNA and DYNC on the way.
const DYNAMIC: RecordType = RecordType(65_400);

impl Importer<'_> {
    pub(super) fn read_zone(&mut self, text: &str) -> Result<(), ImportError> {
        let lines: Vec<String> = text.lines().map(rewrite).collect();
        if lines.iter().zip(text.lines()).any(|(new, old)| new != old && has_bounds(old)) {
            let reason = "the lower bounds of TTLs are left out: a TTL does not follow the checks";
            self.draft.note_thing(Severity::Warning, "zone file", reason);
        }
        let source = Source::new("zone file", lines.join("\n") + "\n", 0);
        let (zone, warnings) = import_master(&source, &self.apex).map_err(|rejected| {
            let errors = rejected.diagnostics.iter().filter(|diagnostic| diagnostic.is_error());
            let errors = errors.map(|error| {
                let line = error.line().map_or(String::new(), |line| format!("line {line}: "));
                format!("{line}{}", error.message)
            });
            ImportError::new(format!("zone file: {}", errors.collect::<Vec<_>>().join("; ")))
        })?;
        if zone.apex != self.apex {
            return Err(ImportError::new(format!("the zone file is that of {}", zone.apex)));
        }
        for warning in warnings {
            self.draft.note_thing(Severity::Warning, "zone file", warning.message);
        }
        for (owner, name) in &zone.names {
            for rrset in &name.rrsets {
                let ttl = rrset.ttl.as_seconds();
                if rrset.rtype == DYNAMIC {
                    for rdata in &rrset.rdata {
                        self.route(owner, ttl, &String::from_utf8_lossy(rdata));
                    }
                    continue;
                }
                let data = rrset.rdata.iter();
                let data =
                    data.map(|rdata| presentation::print_rdata(rrset.rtype, rdata)).collect();
                self.draft.set(owner, rrset.rtype, Answer::Records(ttl, data));
            }
        }
        Ok(())
    }
}

/// A line with DYNA or DYNC as a record of [`DYNAMIC`]; any other line as it is.
fn rewrite(line: &str) -> String {
    let is_dynamic =
        |word: &&str| word.eq_ignore_ascii_case("DYNA") || word.eq_ignore_ascii_case("DYNC");
    let code = line.split(';').next().unwrap_or_default();
    let words: Vec<&str> = code.split_whitespace().collect();
    let Some(at) = words.iter().position(is_dynamic) else {
        return line.to_owned();
    };
    let (before, after) = words.split_at_checked(at).unwrap_or_default();
    let Some(reference) = after.get(1) else { return line.to_owned() };
    // A TTL may have a lower bound behind a slash.
    let has_owner = !code.starts_with(char::is_whitespace);
    let before = (0usize..).zip(before).map(|(place, word)| match word.split_once('/') {
        Some((ttl, _)) if place > 0 || !has_owner => ttl,
        _ => word,
    });
    let owner = if has_owner { "" } else { " " };
    let before: Vec<&str> = before.collect();
    let hex: String = reference.bytes().map(|octet| format!("{octet:02x}")).collect();
    format!("{owner}{} {DYNAMIC} \\# {} {hex}", before.join(" "), reference.len())
}

/// Whether a TTL of a line has a lower bound, as in `300/60`.
fn has_bounds(line: &str) -> bool {
    let words = line.split(';').next().unwrap_or_default().split_whitespace();
    let skipped = usize::from(!line.starts_with(char::is_whitespace));
    words
        .skip(skipped)
        .take_while(|word| !word.to_ascii_uppercase().starts_with("DYN"))
        .any(|word| word.contains('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dynamic_records_are_rewritten_and_others_are_not() {
        assert_eq!(rewrite("www 300/60 DYNA a!b ; c"), "www 300 TYPE65400 \\# 3 612162");
        assert_eq!(rewrite("\t DYNC a!b"), "  TYPE65400 \\# 3 612162");
        assert_eq!(rewrite("0/25 60 IN dyna a!b"), "0/25 60 IN TYPE65400 \\# 3 612162");
        for line in ["a TXT x", "; DYNA a!b", "a DYNA"] {
            assert_eq!(rewrite(line), line);
        }
    }
}
