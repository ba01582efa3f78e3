//! The rules of style that a program can check. Each failure names a file, a line and the rule.
//!
//! The sources are read as text, with comments and literals blanked out ([`Source::code`]), which is enough to find functions,
//! paths and types without a parser of the whole language. Each rule is a function from a [`Source`] to its failures, and each has
//! a sample below that must fail.

use std::fmt;
use std::path::{Path, PathBuf};

/// Modules of the library, each may use itself and those above it.
const MODULES: [&str; 20] = [
    "limits", "wire", "zone", "geo", "picture", "health", "policy", "config", "import", "snapshot",
    "query", "outlook", "sys", "serve", "probe", "notify", "store", "admin", "app", "cli",
];

/// Modules without sockets, files, clocks and panics, and what they must deny in their `mod.rs`.
const PURE_MODULES: [&str; 11] = [
    "wire", "zone", "geo", "picture", "health", "policy", "config", "import", "snapshot", "query",
    "outlook",
];
const DENIED: [&str; 6] = [
    "unsafe_code",
    "clippy::unwrap_used",
    "clippy::expect_used",
    "clippy::indexing_slicing",
    "clippy::panic",
    "clippy::arithmetic_side_effects",
];

/// One screen.
const FUNCTION_LINES: usize = 70;
/// What most functions should be, and how many of a hundred.
const USUAL_FUNCTION_LINES: usize = 25;
const USUAL_SHARE: usize = 90;
/// One idea.
const FILE_LINES: usize = 700;

/// Words that promise work instead of doing it, wherever they stand.
const BANNED_WORDS: [&str; 5] = ["TODO", "FIXME", "XXX", "for now", "placeholder"];
const BANNED_MACROS: [&str; 2] = ["todo", "unimplemented"];
/// Parts of type names that say nothing.
const BANNED_TYPE_PARTS: [&str; 3] = ["Manager", "Helper", "Util"];

/// A rule that is broken at a place.
#[derive(Debug)]
struct Failure {
    path: PathBuf,
    line: usize,
    rule: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path.display(), self.line, self.rule)
    }
}

/// One file.
struct Source {
    /// From the repository's root.
    path: PathBuf,
    text: String,
    /// As long as `text`, with blanks for comments, strings and characters.
    code: String,
    /// As `code`, with blanks for what is compiled into tests only, too.
    shipped: String,
}

/// A function with a body.
struct Function<'s> {
    name: &'s str,
    line: usize,
    lines: usize,
}

impl Source {
    fn new(path: &str, text: &str) -> Self {
        let code = blank_literals(text);
        let is_test = path.contains("/tests/") || path.ends_with("tests.rs");
        let shipped = if is_test { String::new() } else { blank_tests(&code) };
        Self { path: path.into(), text: text.to_owned(), code, shipped }
    }

    /// The module of the library that the file belongs to; nothing for `lib.rs` and `main.rs`.
    fn module(&self) -> Option<&str> {
        let inside = self.path.strip_prefix("src").ok()?;
        let first = inside.iter().next()?.to_str()?;
        let module = first.strip_suffix(".rs").unwrap_or(first);
        (!matches!(module, "lib" | "main")).then_some(module)
    }

    /// How many `super::` lead from this file to the root of the crate.
    fn depth(&self) -> usize {
        let names = self.path.with_extension("");
        let names: Vec<_> = names.iter().skip(1).collect();
        names.len() - usize::from(names.last().is_some_and(|name| *name == "mod"))
    }

    fn failure(&self, offset: usize, rule: impl Into<String>) -> Failure {
        Failure { path: self.path.clone(), line: line_of(&self.text, offset), rule: rule.into() }
    }

    /// Functions that are shipped.
    fn functions(&self) -> Vec<Function<'_>> {
        let code = &self.shipped;
        let starts = words(code).filter(|(_, word)| *word == "fn");
        let functions = starts.filter_map(|(start, _)| {
            let name = words(&code[start + 2..]).next()?.1;
            let body = body_start(code, start)?;
            let end = closing_brace(code, body);
            let (line, last) = (line_of(code, start), line_of(code, end));
            Some(Function { name, line, lines: last - line + 1 })
        });
        functions.collect()
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    text[..offset].matches('\n').count() + 1
}

/// Identifiers and keywords with their offsets.
fn words(code: &str) -> impl Iterator<Item = (usize, &str)> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut rest = 0;
    std::iter::from_fn(move || {
        let start = rest + code[rest..].find(is_word)?;
        let length = code[start..].find(|c| !is_word(c)).unwrap_or(code.len() - start);
        rest = start + length;
        Some((start, &code[start..rest]))
    })
}

/// The `{` of the item that begins at `start`; nothing if it ends with `;` before one.
fn body_start(code: &str, start: usize) -> Option<usize> {
    let mut depth = 0usize;
    for (offset, octet) in code.bytes().enumerate().skip(start) {
        match octet {
            b'(' | b'[' => depth += 1,
            b')' | b']' => depth = depth.saturating_sub(1),
            b'{' if depth == 0 => return Some(offset),
            b';' if depth == 0 => return None,
            _ => {}
        }
    }
    None
}

/// The offset of the `}` that closes the `{` at `open`.
fn closing_brace(code: &str, open: usize) -> usize {
    let mut depth = 0usize;
    for (offset, octet) in code.bytes().enumerate().skip(open) {
        match octet {
            b'{' => depth += 1,
            b'}' if depth == 1 => return offset,
            b'}' => depth -= 1,
            _ => {}
        }
    }
    code.len()
}

/// Replaces comments, strings and characters by blanks; lines and offsets stay.
fn blank_literals(text: &str) -> String {
    let octets = text.as_bytes();
    let mut code = octets.to_vec();
    let mut at = 0;
    while at < octets.len() {
        let length = literal_length(&text[at..], text[..at].bytes().next_back());
        for octet in &mut code[at..at + length] {
            if *octet != b'\n' {
                *octet = b' ';
            }
        }
        at += length.max(text[at..].chars().next().map_or(1, char::len_utf8));
    }
    String::from_utf8(code).expect("whole characters were replaced")
}

/// How long the comment or literal is that `text` begins with; 0 if it begins with none.
fn literal_length(text: &str, before: Option<u8>) -> usize {
    let is_after_word = before.is_some_and(|octet| octet.is_ascii_alphanumeric() || octet == b'_');
    let to = |end: Option<usize>| end.unwrap_or(text.len());
    if text.starts_with("//") {
        return to(text.find('\n'));
    }
    if text.starts_with("/*") {
        return block_comment_length(text);
    }
    if text.starts_with('"') {
        return quoted_length(text, '"');
    }
    if text.starts_with('\'') {
        return character_length(text);
    }
    let prefix = ["br", "cr", "r"].iter().find(|prefix| text.starts_with(**prefix));
    let Some(rest) = prefix.map(|prefix| &text[prefix.len()..]).filter(|_| !is_after_word) else {
        return 0;
    };
    let fence = rest.len() - rest.trim_start_matches('#').len();
    if !rest[fence..].starts_with('"') {
        return 0;
    }
    let end = format!("\"{}", "#".repeat(fence));
    let begin = text.len() - rest.len() + fence + 1;
    to(text[begin..].find(&end).map(|found| begin + found + end.len()))
}

fn block_comment_length(text: &str) -> usize {
    let (mut depth, mut at) = (0usize, 0);
    while at < text.len() {
        let rest = &text.as_bytes()[at..];
        if rest.starts_with(b"/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if rest.starts_with(b"*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    text.len()
}

fn quoted_length(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (offset, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return offset + 1,
            _ => {}
        }
    }
    text.len()
}

/// A character, or 0 for a lifetime.
fn character_length(text: &str) -> usize {
    let mut characters = text.chars().skip(1);
    match (characters.next(), characters.next()) {
        (Some('\\'), _) => quoted_length(text, '\''),
        (Some(c), Some('\'')) => c.len_utf8() + 2,
        _ => 0,
    }
}

/// Replaces items under `#[cfg(test)]` by blanks.
fn blank_tests(code: &str) -> String {
    const ATTRIBUTE: &str = "#[cfg(test)]";
    let mut shipped = code.to_owned();
    while let Some(start) = shipped.find(ATTRIBUTE) {
        let item = start + ATTRIBUTE.len();
        let end = match body_start(&shipped, item) {
            Some(open) => closing_brace(&shipped, open),
            None => shipped[item..].find(';').map_or(shipped.len(), |found| item + found),
        };
        let end = (end + 1).min(shipped.len());
        let blank: String = shipped[start..end]
            .bytes()
            .map(|octet| if octet == b'\n' { '\n' } else { ' ' })
            .collect();
        shipped.replace_range(start..end, &blank);
    }
    shipped
}

fn check_functions(source: &Source) -> Vec<Failure> {
    let long = source.functions().into_iter().filter(|function| function.lines > FUNCTION_LINES);
    let fail = |function: Function<'_>| Failure {
        path: source.path.clone(),
        line: function.line,
        rule: format!(
            "`{}` has {} lines, a function has at most {FUNCTION_LINES}",
            function.name, function.lines
        ),
    };
    long.map(fail).collect()
}

/// 90 % of all functions together are short; the longest of the others are listed if they are not.
fn check_usual_length(sources: &[Source]) -> Vec<Failure> {
    let functions: Vec<_> = sources
        .iter()
        .flat_map(|source| source.functions().into_iter().map(move |function| (source, function)))
        .collect();
    let mut long: Vec<_> =
        functions.iter().filter(|(_, function)| function.lines > USUAL_FUNCTION_LINES).collect();
    if (functions.len() - long.len()) * 100 >= functions.len() * USUAL_SHARE {
        return Vec::new();
    }
    let (all, too_many) = (functions.len(), long.len());
    long.sort_by_key(|(_, function)| std::cmp::Reverse(function.lines));
    let allowed = all - (all * USUAL_SHARE).div_ceil(100);
    let fail = |(source, function): &&(&Source, Function<'_>)| Failure {
        path: source.path.clone(),
        line: function.line,
        rule: format!(
            "`{}` has {} lines; {too_many} of {all} functions have more than {USUAL_FUNCTION_LINES}, {allowed} may",
            function.name, function.lines
        ),
    };
    long.iter().take(too_many - allowed).map(fail).collect()
}

fn check_file(source: &Source) -> Vec<Failure> {
    let mut failures = Vec::new();
    if !source.text.starts_with("//!") {
        failures.push(source.failure(0, "a file opens with `//!` and why it exists"));
    }
    let shipped = shipped_lines(source);
    if shipped > FILE_LINES {
        let rule = format!("{shipped} lines without tests, a file has at most {FILE_LINES}");
        failures.push(source.failure(0, rule));
    }
    failures
}

/// Lines that are not inside of tests; comments and blank lines count.
fn shipped_lines(source: &Source) -> usize {
    let tests = source.code.lines().zip(source.shipped.lines());
    let in_tests = tests.filter(|(code, shipped)| code.trim() != shipped.trim()).count();
    if source.shipped.is_empty() { 0 } else { source.text.lines().count() - in_tests }
}

fn check_arrows(source: &Source) -> Vec<Failure> {
    let Some(module) = source.module() else { return Vec::new() };
    let Some(place) = MODULES.iter().position(|known| *known == module) else {
        return vec![
            source.failure(0, format!("`{module}` is no module of the list in tests/tidy.rs")),
        ];
    };
    let used = used_modules(source).into_iter();
    let down =
        used.filter(|(_, used)| MODULES.iter().position(|known| known == used) > Some(place));
    down.map(|(offset, used)| {
        source.failure(offset, format!("`{module}` may not use `{used}`, which is below it"))
    })
    .collect()
}

/// Names at the root of the crate that the shipped code uses, with their offsets.
fn used_modules(source: &Source) -> Vec<(usize, &str)> {
    let code = &source.shipped;
    let root = "super::".repeat(source.depth());
    let mut used = Vec::new();
    for prefix in ["crate::", &root] {
        for (offset, _) in code.match_indices(prefix) {
            let is_inside = code[..offset].ends_with([':', '_']) && prefix != "crate::";
            if is_inside {
                continue;
            }
            let rest = offset + prefix.len();
            match code[rest..].starts_with('{') {
                true => used.extend(group_members(code, rest)),
                false => {
                    used.extend(words(&code[rest..]).next().map(|(at, word)| (rest + at, word)))
                }
            }
        }
    }
    used
}

/// The first words of the members of `{a::b, c::{d, e}}`.
fn group_members(code: &str, open: usize) -> Vec<(usize, &str)> {
    let end = closing_brace(code, open);
    let (mut members, mut depth, mut begins) = (Vec::new(), 0usize, true);
    let mut skip_to = open;
    for (offset, octet) in code.bytes().enumerate().take(end).skip(open) {
        match octet {
            _ if offset < skip_to => {}
            b'{' => depth += 1,
            b'}' => depth -= 1,
            b',' if depth == 1 => begins = true,
            _ if begins && depth == 1 && octet.is_ascii_alphabetic() => {
                if let Some((_, word)) = words(&code[offset..]).next() {
                    members.push((offset, word));
                    skip_to = offset + word.len();
                }
                begins = false;
            }
            _ => {}
        }
    }
    members
}

fn check_words(source: &Source) -> Vec<Failure> {
    let folded = source.text.to_ascii_lowercase();
    let mut failures = Vec::new();
    for banned in BANNED_WORDS {
        let is_shouted = banned.chars().all(char::is_uppercase);
        let (text, wanted) = if is_shouted {
            (&source.text, banned.to_owned())
        } else {
            (&folded, banned.to_lowercase())
        };
        for (offset, _) in text.match_indices(&wanted) {
            let is_word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
            let before = text[..offset].chars().next_back();
            let after = text[offset + wanted.len()..].chars().next();
            if !is_word(before) && !is_word(after) {
                failures
                    .push(source.failure(offset, format!("`{banned}`: do it, or leave it out")));
            }
        }
    }
    failures
}

fn check_names(source: &Source) -> Vec<Failure> {
    let mut failures = Vec::new();
    let all: Vec<_> = words(&source.code).collect();
    for pair in all.windows(2) {
        let [(_, first), (offset, second)] = *pair else { continue };
        let follows_directly = source.code[..offset].trim_end().ends_with(first);
        if first == "fn" && second.starts_with("get_") {
            failures.push(
                source
                    .failure(offset, format!("`{second}`: a getter has the name of what it gives")),
            );
        }
        let defines_type = matches!(first, "struct" | "enum" | "trait" | "type" | "union");
        if let Some(part) = BANNED_TYPE_PARTS.iter().find(|part| second.contains(**part))
            && defines_type
            && follows_directly
        {
            failures.push(source.failure(offset, format!("`{second}`: `{part}` says nothing")));
        }
    }
    for (offset, word) in all {
        if BANNED_MACROS.contains(&word) && source.code[offset + word.len()..].starts_with('!') {
            failures.push(source.failure(offset, format!("`{word}!`: do it, or leave it out")));
        }
    }
    failures
}

fn check_unsafe(source: &Source) -> Vec<Failure> {
    if source.module() == Some("sys") {
        return Vec::new();
    }
    let found = words(&source.code).filter(|(_, word)| *word == "unsafe");
    found.map(|(offset, _)| source.failure(offset, "`unsafe` outside of src/sys")).collect()
}

fn check_denials(source: &Source) -> Vec<Failure> {
    let is_root = |module: &&str| source.path == Path::new("src").join(module).join("mod.rs");
    if !PURE_MODULES.iter().any(is_root) {
        return Vec::new();
    }
    let denied: String = source
        .code
        .match_indices("#![deny(")
        .filter_map(|(start, _)| source.code[start..].split(")]").next())
        .collect();
    let denied: Vec<_> = denied.split(['(', ',']).map(str::trim).collect();
    let missing = DENIED.iter().filter(|lint| !denied.contains(*lint));
    missing.map(|lint| source.failure(0, format!("`#![deny({lint})]` is missing"))).collect()
}

/// Every rule on every file that it is for.
fn check(sources: &[Source]) -> Vec<Failure> {
    let mut failures = Vec::new();
    for source in sources {
        failures.extend(check_words(source));
        failures.extend(check_names(source));
        if !source.path.starts_with("src") {
            continue;
        }
        failures.extend(check_file(source));
        failures.extend(check_functions(source));
        failures.extend(check_arrows(source));
        failures.extend(check_unsafe(source));
        failures.extend(check_denials(source));
    }
    failures
}

/// All Rust files below a directory of the repository.
fn read_sources(directory: &str) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut sources, mut waiting) = (Vec::new(), vec![root.join(directory)]);
    while let Some(directory) = waiting.pop() {
        for entry in std::fs::read_dir(&directory).into_iter().flatten() {
            let path = entry.expect("a directory can be read").path();
            if path.is_dir() {
                waiting.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).expect("a source is UTF-8");
                let inside = path.strip_prefix(root).expect("it is below").to_str().expect("UTF-8");
                sources.push(Source::new(inside, &text));
            }
        }
    }
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    sources
}

#[test]
fn the_sources_are_tidy() {
    let shipped = read_sources("src");
    assert!(shipped.len() > 20, "the sources were not found");
    let lengths: Vec<_> =
        shipped.iter().flat_map(Source::functions).map(|function| function.lines).collect();
    assert!(lengths.len() > 200, "the functions were not found");
    let mut failures = check_usual_length(&shipped);
    failures.extend(check(&shipped));
    for directory in ["benches", "integration", "tests"] {
        let mut others = read_sources(directory);
        // This file names what it bans.
        others.retain(|source| source.path != Path::new("tests/tidy.rs"));
        failures.extend(check(&others));
    }
    let short = lengths.iter().filter(|lines| **lines <= USUAL_FUNCTION_LINES).count();
    println!("{short} of {} functions have at most {USUAL_FUNCTION_LINES} lines", lengths.len());
    let report: Vec<_> = failures.iter().map(ToString::to_string).collect();
    assert!(report.is_empty(), "{} rules are broken:\n{}", report.len(), report.join("\n"));
}

// Samples: each rule must notice what it is for, and nothing else.

fn failures_of(path: &str, text: &str) -> Vec<String> {
    let with_doc =
        if text.starts_with("//!") { text.to_owned() } else { format!("//! Why.\n{text}") };
    check(&[Source::new(path, &with_doc)]).iter().map(ToString::to_string).collect()
}

fn assert_fails(path: &str, text: &str, expected: &str) {
    let failures = failures_of(path, text);
    assert!(failures.iter().any(|failure| failure.contains(expected)), "{failures:?} for {text}");
}

fn assert_passes(path: &str, text: &str) {
    assert_eq!(failures_of(path, text), [""; 0], "{text}");
}

#[test]
fn long_functions_fail() {
    let function =
        |lines: usize| format!("fn long() {{\n{}}}\n", "    step();\n".repeat(lines - 2));
    assert_passes("src/serve/a.rs", &function(70));
    assert_fails("src/serve/a.rs", &function(71), "src/serve/a.rs:2: `long` has 71 lines");
    assert_passes("src/serve/a.rs", &format!("#[cfg(test)]\nmod tests {{\n{}}}\n", function(71)));
    assert_passes("src/serve/tests/a.rs", &function(71));
    // Braces in literals are not code.
    let tricky =
        "fn short() {\n    let _ = ('{', \"{\", r#\"\"{\"#, b'{', '\\'', \"\\\"{\"); // {\n}\n";
    let source = Source::new("src/serve/a.rs", &format!("{tricky}{}", function(30)));
    let lines: Vec<_> = source.functions().iter().map(|function| function.lines).collect();
    assert_eq!(lines, [3, 30]);
}

#[test]
fn too_many_unusual_functions_fail() {
    let function = |lines: usize| format!("fn f() {{\n{}}}\n", "    step();\n".repeat(lines - 2));
    let source = |long: usize, short: usize| {
        Source::new("src/serve/a.rs", &(function(26).repeat(long) + &function(25).repeat(short)))
    };
    assert!(check_usual_length(&[source(1, 9)]).is_empty());
    let failures = check_usual_length(&[source(3, 17)]);
    assert_eq!(failures.len(), 1, "{failures:?}");
    assert!(
        failures[0].rule.contains("3 of 20 functions have more than 25, 2 may"),
        "{failures:?}"
    );
}

#[test]
fn long_files_and_files_without_a_reason_fail() {
    assert_passes("src/serve/a.rs", &"// A line.\n".repeat(699));
    assert_fails("src/serve/a.rs", &"// A line.\n".repeat(700), "701 lines without tests");
    let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", "use super::*;\n".repeat(800));
    assert_passes("src/serve/a.rs", &tests);
    let failures = check(&[Source::new("src/serve/a.rs", "use std::fmt;\n")]);
    assert_eq!(failures.len(), 1);
    assert!(failures[0].to_string().contains("src/serve/a.rs:1: a file opens with `//!`"));
}

#[test]
fn arrows_that_point_down_fail() {
    let down = "`wire` may not use `query`";
    assert_fails("src/wire/name.rs", "use crate::query::Engine;", down);
    assert_fails("src/wire/name.rs", "fn f() { crate::query::f() }", down);
    assert_fails("src/wire/name.rs", "use crate::{limits, query::{Engine, wire}};", down);
    assert_fails("src/wire/name.rs", "use super::super::query;", down);
    assert_fails("src/wire/mod.rs", "use super::query;", down);
    assert_fails("src/wire.rs", "use super::query;", down);
    assert_fails("src/wire/name.rs", "\n\nuse crate::cli;", "src/wire/name.rs:4: ");
    assert_fails("src/extra/mod.rs", "", "`extra` is no module");
    assert_passes("src/wire/name.rs", "use crate::{limits::X, wire::{Name, query}};");
    assert_passes("src/wire/name.rs", "use super::query;");
    assert_passes("src/wire/a/b.rs", "use super::super::query;");
    assert_passes("src/query/name.rs", "use crate::wire::Name;");
    assert_passes("src/wire/name.rs", "//! See [`crate::query`].\n");
    assert_passes("src/wire/name.rs", "#[cfg(test)]\nmod tests { use crate::query::Engine; }");
    assert_passes("src/main.rs", "use crate::cli;");
}

#[test]
fn banned_words_fail() {
    for banned in
        ["// TODO: more", "// FIXME", "/* XXX */", "// Good enough for now.", "// A Placeholder."]
    {
        assert_fails("src/serve/a.rs", banned, "do it, or leave it out");
        assert_fails("integration/a.rs", banned, "do it, or leave it out");
    }
    for banned in
        ["struct ZoneManager;", "enum Helper {}", "trait UtilSet {}", "type DnsUtil = u8;"]
    {
        assert_fails("src/serve/a.rs", banned, "says nothing");
    }
    assert_fails("src/serve/a.rs", "fn get_name() {}", "has the name of what it gives");
    assert_fails("src/serve/a.rs", "fn f() { todo!() }", "`todo!`");
    assert_fails("src/serve/a.rs", "fn f() { unimplemented!(\"x\") }", "`unimplemented!`");
    assert_passes(
        "src/serve/a.rs",
        "fn f() { let utilisation = map.get_mut(XXXL); } // method: todos",
    );
}

#[test]
fn unsafe_outside_of_sys_fails() {
    assert_fails(
        "src/serve/a.rs",
        "fn f() { unsafe { g() } }",
        "src/serve/a.rs:2: `unsafe` outside",
    );
    assert_passes("src/sys/a.rs", "fn f() { unsafe { g() } }");
    assert_passes(
        "src/serve/a.rs",
        "// unsafe\n#![deny(unsafe_code)]\nconst T: &str = \"unsafe\";",
    );
}

#[test]
fn a_pure_module_that_denies_too_little_fails() {
    let all = format!("#![deny(\n    {}\n)]\n", DENIED.join(",\n    "));
    for module in PURE_MODULES {
        let path = format!("src/{module}/mod.rs");
        assert_passes(&path, &all);
        assert_fails(&path, &all.replace("clippy::panic", "clippy::all"), "clippy::panic");
        assert_fails(&path, "", "unsafe_code");
    }
    assert_passes("src/serve/mod.rs", "");
}
