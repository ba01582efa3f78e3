//! Broken zone files, and some that are served with warnings, each with the messages that its author sees. A message is part of the product: whoever changes one
//! reads the snapshot as that author would.
//!
//! `INSTA_UPDATE=always cargo test --test broken_zones` writes the snapshots anew.

use std::fs;
use std::path::{Path, PathBuf};

use meridian::config::{
    Included, Rejected, Source, compile_zone, compile_zones, render, table_names,
};
use meridian::wire::Name;

fn zone_files(directory: &str) -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join(directory);
    let entries = fs::read_dir(directory).expect("the directory is there");
    let paths = entries.map(|entry| entry.expect("readable").path());
    let mut paths: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|end| end == "toml")).collect();
    paths.sort();
    paths
}

fn broken_files() -> Vec<PathBuf> {
    zone_files("tests/broken")
}

/// A zone file with the latency tables beside it.
fn source_of(path: &Path) -> Source {
    let name = path.file_name().expect("a file").to_string_lossy();
    let text = fs::read_to_string(path).expect("UTF-8");
    let tables = table_names(&text).into_iter().map(|name| Included {
        by: 0,
        path: format!("zones/{name}"),
        text: fs::read_to_string(path.with_file_name(&name))
            .map_err(|_| format!("zones/{name} does not exist")),
        name,
    });
    let included = tables.collect();
    Source { included, ..Source::new(format!("zones/{name}"), text, 1_700_000_000) }
}

fn reject(source: &Source) -> Rejected {
    compile_zone(source).expect_err(&source.path)
}

#[test]
fn every_broken_file_has_its_message() {
    let files = broken_files();
    assert!(files.len() >= 10, "{} files", files.len());
    for path in files {
        let source = source_of(&path);
        let rejected = reject(&source);
        let text = render(&rejected.diagnostics, |path| source.text_of(path), false);
        let stem = path.file_stem().expect("a file").to_string_lossy().into_owned();
        insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!(stem, text);
        });
    }
}

#[test]
fn every_warned_file_has_its_messages() {
    for path in zone_files("tests/warned") {
        let source = source_of(&path);
        let (_, warnings) = compile_zone(&source).expect(&source.path);
        assert!(!warnings.is_empty(), "{}", source.path);
        let text = render(&warnings, |path| source.text_of(path), false);
        let stem = path.file_stem().expect("a file").to_string_lossy().into_owned();
        insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!(format!("warned_{stem}"), text);
        });
    }
}

#[test]
fn every_broken_zone_can_be_refused_by_name() {
    let apex = Name::parse("example.com.", &Name::root()).expect("a name");
    for path in broken_files() {
        let has_name = !path.ends_with("no_zone_name.toml");
        let rejected = reject(&source_of(&path));
        assert_eq!(rejected.apex, has_name.then(|| apex.clone()), "{}", path.display());
    }
}

#[test]
fn every_error_has_a_place_that_is_in_the_file() {
    for path in broken_files() {
        let source = source_of(&path);
        for diagnostic in reject(&source).diagnostics {
            let span = diagnostic.span.clone().expect("a place");
            let text = source.text_of(&diagnostic.path).expect("one of the files");
            assert!(text.get(span).is_some(), "{diagnostic}");
            assert!(diagnostic.line() > Some(0) && diagnostic.column() > Some(0), "{diagnostic}");
        }
    }
}

#[test]
fn one_zone_in_two_files_is_refused_in_the_later() {
    let zone = |path: &str, apex: &str| {
        let text = format!(
            "# {path}\nzone = \"{apex}\"\n[names]\n\"@\" = {{ SOA = \"ns1 host\", NS = [\"ns1\", \"ns2\"] }}\nns1 = {{ A = \"192.0.2.1\" }}\nns2 = {{ A = \"192.0.2.2\" }}\n"
        );
        Source::new(path, text, 1)
    };
    let sources = [
        zone("zones/b.toml", "Example.com."),
        zone("zones/a.toml", "example.com"),
        zone("zones/c.toml", "example.org"),
    ];
    let compiled = compile_zones(&sources);
    assert!(compiled[1].is_ok() && compiled[2].is_ok());
    let rejected = compiled[0].as_ref().expect_err("the later by path");
    let text_of = |path: &str| sources.iter().find(|s| s.path == path).map(|s| s.text.as_str());
    let text = render(&rejected.diagnostics, text_of, false);
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("one_zone_in_two_files", text);
    });
}
