//! `meridian test`: the tests that zone files have, run by the code that answers.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::process::ExitCode;

use serde_json::{Value, json};

use super::args::TestArguments;
use super::assume::make_snapshot;
use super::check::{count, to_json};
use super::{CommandError, CommandResult, FAILURE};
use crate::app::{Loaded, Settings, complain, is_styled, read_sources, say};
use crate::config::{Diagnostic, Source, TestCase, render};
use crate::query::{Engine, Inquiry, Mismatch, SEED, assume_down, assume_up, verify};
use crate::snapshot::{GeoSources, Snapshot};
use crate::store;
use crate::wire::Name;
use crate::zone::ZoneId;

/// Questions of one test that fail and are shown; of more, only their number.
const SHOWN_FAILURES: usize = 5;

/// Where queries come from if nobody says otherwise, here and in `explain`.
const USUAL_RESOLVER: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

pub(super) fn run(arguments: &TestArguments) -> CommandResult {
    let settings = Settings::resolve(arguments.typed())?;
    let mut loaded = if arguments.files.is_empty() {
        Loaded::read(&settings.zones)?
    } else {
        Loaded::compile(store::read_paths(&arguments.files)?)
    };
    let geo = read_sources(&settings)?;
    loaded.compare_databases(&geo);
    let report = Report::make(&mut loaded, &settings, &geo)?;
    if arguments.json {
        say(&format!("{}\n", serde_json::to_string_pretty(&report.to_json(&loaded))?));
    } else {
        if !loaded.rejected.is_empty() {
            complain(&loaded.render(is_styled()));
        }
        complain(&report.render(&loaded));
        if arguments.verbose {
            say(&report.passes(&loaded));
        }
        say(&format!("{}\n", report.summary(&loaded)));
    }
    let is_fine = report.failed() == 0 && loaded.rejected.is_empty();
    Ok(if is_fine { ExitCode::SUCCESS } else { ExitCode::from(FAILURE) })
}

/// What came of all tests.
struct Report {
    zones: usize,
    results: Vec<TestResult>,
}

/// What came of one test.
struct TestResult {
    apex: Name,
    /// The place of its file among the sources.
    origin: usize,
    test: TestCase,
    failures: Vec<Failure>,
}

/// One statement that did not hold.
struct Failure {
    mismatch: Mismatch,
    /// The question as a command line that shows how the answer came to be.
    command: String,
}

impl Report {
    /// Runs the tests of every zone that can be served.
    fn make(
        loaded: &mut Loaded,
        settings: &Settings,
        geo: &GeoSources,
    ) -> Result<Self, CommandError> {
        let refused = loaded.refused();
        let mut zones = std::mem::take(&mut loaded.zones);
        let suites: Vec<_> =
            zones.iter_mut().map(|z| (z.apex.clone(), std::mem::take(&mut z.tests))).collect();
        let mut report = Self { zones: suites.len(), results: Vec::new() };
        if suites.iter().all(|(_, tests)| tests.is_empty()) {
            return Ok(report);
        }
        let snapshot = make_snapshot(zones, &refused, geo)?;
        let ids = (0..).map(ZoneId);
        for ((id, origin), (apex, tests)) in ids.zip(&loaded.origins).zip(suites) {
            let place = Place { settings, path: Path::new(&loaded.sources[*origin].path) };
            for test in tests {
                let failures = run_test(&snapshot, id, &test, &place)?;
                report.results.push(TestResult {
                    apex: apex.clone(),
                    origin: *origin,
                    test,
                    failures,
                });
            }
        }
        Ok(report)
    }

    fn failed(&self) -> usize {
        self.results.iter().filter(|result| !result.failures.is_empty()).count()
    }

    fn passed(&self) -> usize {
        self.results.len() - self.failed()
    }

    fn summary(&self, loaded: &Loaded) -> String {
        let refused = match loaded.rejected.len() {
            0 => String::new(),
            refused => format!(", {} refused", count(refused, "file")),
        };
        format!(
            "{} passed, {} failed in {}{refused}",
            count(self.passed(), "test"),
            self.failed(),
            count(self.zones, "zone")
        )
    }

    /// The failures as people read them.
    fn render(&self, loaded: &Loaded) -> String {
        let diagnose = |result: &TestResult| result.diagnose(&loaded.sources[result.origin]);
        let diagnostics: Vec<Diagnostic> = self.results.iter().flat_map(diagnose).collect();
        let text_of = |path: &str| loaded.sources.iter().find_map(|source| source.text_of(path));
        render(&diagnostics, text_of, is_styled())
    }

    /// One line for each test that passed.
    fn passes(&self, loaded: &Loaded) -> String {
        let passed = self.results.iter().filter(|result| result.failures.is_empty());
        let lines = passed.map(|result| {
            let source = &loaded.sources[result.origin];
            format!("{}:{}: passed: {}\n", source.path, result.line(source), result.describe())
        });
        lines.collect()
    }

    fn to_json(&self, loaded: &Loaded) -> Value {
        let results = self.results.iter();
        let tests = results.map(|result| result.to_json(&loaded.sources[result.origin]));
        json!({
            "passed": self.passed(),
            "failed": self.failed(),
            "zones": self.zones,
            "seed": SEED,
            "tests": tests.collect::<Vec<Value>>(),
            "refused": loaded.rejected.iter().map(|(path, _)| path).collect::<Vec<_>>(),
            "findings": loaded.diagnostics().map(to_json).collect::<Vec<Value>>(),
        })
    }
}

fn run_test(
    snapshot: &Snapshot,
    zone: ZoneId,
    test: &TestCase,
    place: &Place<'_>,
) -> Result<Vec<Failure>, CommandError> {
    let view = assume_up(snapshot);
    assume_down(snapshot, &view, &test.down).map_err(|error| format!("down: {error}"))?;
    let mismatches = verify(&Engine::new(snapshot, &view), zone, test)?;
    let failures = mismatches.into_iter().map(|mismatch| {
        let command = place.explain_command(&mismatch.inquiry, &test.down);
        Failure { mismatch, command }
    });
    Ok(failures.collect())
}

impl TestResult {
    fn line(&self, source: &Source) -> usize {
        Diagnostic::at(source, self.test.span.clone(), String::new()).line().unwrap_or(0)
    }

    /// What is asked, on one line.
    fn describe(&self) -> String {
        let names: Vec<String> =
            self.test.names.iter().map(|name| name.display_within(&self.apex).into()).collect();
        let clients: Vec<String> = self.test.clients.iter().map(show_prefix).collect();
        let mut text = format!("{} {}", names.join(", "), self.test.qtype);
        if !clients.is_empty() {
            text.push_str(&format!(" for {}", clients.join(", ")));
        }
        if self.test.resolver != USUAL_RESOLVER {
            text.push_str(&format!(" through {}", self.test.resolver));
        }
        if !self.test.down.is_empty() {
            text.push_str(&format!(" with {} down", self.test.down.join(", ")));
        }
        text
    }

    /// Each failure with its place, up to [`SHOWN_FAILURES`].
    fn diagnose(&self, source: &Source) -> Vec<Diagnostic> {
        let shown = self.failures.iter().take(SHOWN_FAILURES);
        let mut diagnostics: Vec<Diagnostic> =
            shown.map(|failure| failure.diagnose(&self.test, source)).collect();
        let more = self.failures.len().saturating_sub(SHOWN_FAILURES);
        if let Some(last) = diagnostics.last_mut().filter(|_| more > 0) {
            last.notes.push(format!("{} of this test not shown", count(more, "more failure")));
        }
        diagnostics
    }

    fn to_json(&self, source: &Source) -> Value {
        let failures = self.failures.iter();
        json!({
            "file": source.path,
            "line": self.line(source),
            "zone": self.apex.to_string(),
            "asked": self.describe(),
            "passed": self.failures.is_empty(),
            "failures": failures.map(|f| f.to_json(&self.test, source)).collect::<Vec<Value>>(),
        })
    }
}

impl Failure {
    fn diagnose(&self, test: &TestCase, source: &Source) -> Diagnostic {
        let Mismatch { statement, inquiry, expected, found, remark } = &self.mismatch;
        let span = test.statements[*statement].span.clone();
        let asked = show_inquiry(inquiry);
        let mut diagnostic = Diagnostic::at(source, span, format!("test failed: {asked}"));
        match (expected.as_slice(), found.as_slice()) {
            ([_], [found]) => diagnostic.label = format!("found {found}"),
            _ => diagnostic.notes = differences(expected, found),
        }
        diagnostic.notes.extend(remark.clone());
        diagnostic.help.push(format!("to see why: {}", self.command));
        diagnostic
    }

    fn to_json(&self, test: &TestCase, source: &Source) -> Value {
        let Mismatch { statement, inquiry, expected, found, remark } = &self.mismatch;
        let statement = &test.statements[*statement];
        let place = Diagnostic::at(source, statement.span.clone(), String::new());
        json!({
            "statement": statement.expectation.key(),
            "line": place.line(),
            "column": place.column(),
            "asked": show_inquiry(inquiry),
            "expected": expected,
            "found": found,
            "remark": remark,
            "command": self.command,
        })
    }
}

/// Both lists as one: `-` is what is missing, `+` what should not be there.
fn differences(expected: &[String], found: &[String]) -> Vec<String> {
    let wanted = expected.iter().map(|line| {
        let sign = if found.contains(line) { ' ' } else { '-' };
        format!("{sign} {line}")
    });
    let extra = found.iter().filter(|line| !expected.contains(line));
    let mut lines = vec!["- expected, + found:".to_owned()];
    lines.extend(wanted.chain(extra.map(|line| format!("+ {line}"))));
    if expected.is_empty() {
        lines.push("no records were expected".to_owned());
    }
    if found.is_empty() {
        lines.push("no records were found".to_owned());
    }
    lines
}

fn show_prefix((address, length): &(IpAddr, u8)) -> String {
    format!("{address}/{length}")
}

fn show_inquiry(inquiry: &Inquiry) -> String {
    let client = inquiry.subnet.as_ref().map(show_prefix);
    let client = client.map_or(String::new(), |client| format!(" for client {client}"));
    format!("{} {}{client}", inquiry.name, inquiry.qtype)
}

/// Where a test comes from, as far as `explain` must be told.
struct Place<'a> {
    settings: &'a Settings,
    path: &'a Path,
}

impl Place<'_> {
    /// The command that tells how an answer comes to be. Weighted policies draw anew for it.
    fn explain_command(&self, inquiry: &Inquiry, down: &[Box<str>]) -> String {
        let name = inquiry.name.to_string();
        let mut words = vec!["meridian".to_owned(), "explain".into(), name];
        words.push(inquiry.qtype.to_string());
        let mut add = |flag: &str, value: String| words.extend([flag.to_owned(), value]);
        if let Some(prefix) = &inquiry.subnet {
            add("--client", show_prefix(prefix));
        }
        if inquiry.resolver != USUAL_RESOLVER {
            add("--resolver", inquiry.resolver.to_string());
        }
        down.iter().for_each(|down| add("--down", down.to_string()));
        let directory = match self.path.parent() {
            Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
            Some(parent) => parent,
            None => &self.settings.zones,
        };
        if directory != Path::new("zones") {
            add("--zones", directory.display().to_string());
        }
        if let Some(geodb) = &self.settings.geodb {
            add("--geodb", geodb.display().to_string());
        }
        if let Some(asndb) = &self.settings.asndb {
            add("--asndb", asndb.display().to_string());
        }
        words.iter().map(|word| quote(word)).collect::<Vec<_>>().join(" ")
    }
}

/// A word as a shell takes it.
fn quote(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | ':');
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_for_a_shell() {
        assert_eq!(quote("a.b-c_d/24:1"), "a.b-c_d/24:1");
        assert_eq!(quote("*.a"), "'*.a'");
        assert_eq!(quote("it's"), r"'it'\''s'");
        assert_eq!(quote(""), "''");
    }

    #[test]
    fn differences_name_what_is_missing_and_what_is_too_much() {
        let lines = |text: &[&str]| text.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>();
        assert_eq!(
            differences(&lines(&["a", "b"]), &lines(&["b", "c"])),
            ["- expected, + found:", "- a", "  b", "+ c"]
        );
        assert!(differences(&lines(&["a"]), &[]).contains(&"no records were found".to_owned()));
    }
}
