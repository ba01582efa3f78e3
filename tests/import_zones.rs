//! Zones of other servers, each with the zone file that is made of it and what is noted. The text is part of the product: whoever
//! changes a snapshot reads it as the owner of that zone would.
//!
//! `INSTA_UPDATE=always cargo test --test import_zones` writes the snapshots anew.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use meridian::config::{Source, compile_zone, render};
use meridian::import::{
    Gdnsd, Imported, Route53, Severity, import_gdnsd, import_octodns, import_route53,
};

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/import")
}

fn read(name: &str) -> Option<String> {
    fs::read_to_string(directory().join(name)).ok()
}

/// The names of the inputs, without what follows the first dot.
fn stems() -> Vec<String> {
    let entries = fs::read_dir(directory()).expect("tests/import is there");
    let names = entries.map(|entry| entry.expect("readable").file_name());
    let names = names.map(|name| name.to_string_lossy().into_owned());
    let mut stems: Vec<String> =
        names.map(|name| name.split('.').next().expect("a part").to_owned()).collect();
    stems.sort();
    stems.dedup();
    stems
}

fn import(stem: &str) -> Imported {
    let text = |end: &str| read(&format!("{stem}.{end}"));
    let imported = if stem.starts_with("route53") {
        import_route53(Route53 {
            records: &text("json").expect("records"),
            health_checks: text("checks.json").as_deref(),
            cidr_collections: text("cidr.json").as_deref(),
            zone: None,
        })
    } else if stem.starts_with("octodns") {
        import_octodns(&text("yaml").expect("a zone"), "example.com")
    } else {
        import_gdnsd(Gdnsd {
            config: &text("conf").expect("a configuration"),
            zone_file: text("zone").as_deref(),
            zone: "example.com",
        })
    };
    imported.expect(stem)
}

fn source(stem: &str, imported: &Imported) -> Source {
    Source::new(format!("{stem}.toml"), imported.text.clone(), 1_700_000_000)
}

#[test]
fn every_import_is_as_it_was() {
    for stem in stems() {
        let imported = import(&stem);
        let notes = imported.notes.iter().map(|note| format!("{:?}: {note}\n", note.severity));
        let text = format!("{}\n---- notes ----\n{}", imported.text, notes.collect::<String>());
        insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!(format!("import_{stem}"), text);
        });
    }
}

#[test]
fn every_import_compiles() {
    let stems = stems();
    assert!(stems.len() >= 7, "{stems:?}");
    for stem in stems {
        let source = source(&stem, &import(&stem));
        if let Err(rejected) = compile_zone(&source) {
            let findings = render(&rejected.diagnostics, |_| Some(&source.text), false);
            panic!("{}\n{findings}", source.text);
        }
    }
}

#[test]
fn every_note_stands_in_the_text_too() {
    for stem in stems() {
        let imported = import(&stem);
        for note in &imported.notes {
            let severity = if note.severity == Severity::Error { "# error: " } else { "# note: " };
            let mut lines = imported.text.lines().filter(|line| line.starts_with(severity));
            assert!(lines.any(|line| line.ends_with(&note.reason)), "{stem}: {note}");
        }
    }
}

#[test]
fn every_import_is_the_same_again() {
    for stem in stems() {
        assert_eq!(import(&stem), import(&stem), "{stem}");
    }
}

/// `meridian import` with these words, in the directory of the inputs.
fn run(words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_meridian"));
    command.current_dir(directory()).arg("import").args(words).output().expect("it runs")
}

#[test]
fn the_command_prints_the_file_and_tells_what_is_lost() {
    let tree = ["route53", "route53_tree.json", "--health-checks", "route53_tree.checks.json"];
    let whole = run(&tree);
    assert_eq!(String::from_utf8_lossy(&whole.stdout), import("route53_tree").text);
    let told = String::from_utf8_lossy(&whole.stderr);
    assert!(told.starts_with("warning: @ NS: NS and SOA name Amazon's servers"), "{told}");
    assert_eq!(whole.status.code(), Some(0), "{told}");
    // Without the checks something that was probed is not.
    let blind = run(&tree[..2]);
    let told = String::from_utf8_lossy(&blind.stderr);
    assert!(told.contains("error: health check hc-www: its records count as always up"), "{told}");
    assert_eq!(blind.status.code(), Some(1));
    let octodns = run(&["octodns", "octodns_plain.yaml", "--zone", "example.com"]);
    assert_eq!(String::from_utf8_lossy(&octodns.stdout), import("octodns_plain").text);
    let told = String::from_utf8_lossy(&octodns.stderr);
    // What `meridian check` would say of the result is told as well.
    assert!(told.contains("warning: host.example.com. does not exist in this zone"), "{told}");
    let gdnsd = run(&["gdnsd", "gdnsd_order.conf", "gdnsd_order.zone", "--zone", "example.com"]);
    assert_eq!(String::from_utf8_lossy(&gdnsd.stdout), import("gdnsd_order").text);
}

#[test]
fn the_command_refuses_what_is_nothing_of_the_kind() {
    for words in [
        &["route53", "octodns_plain.yaml"][..],
        &["octodns", "gdnsd_order.zone", "--zone", "example.com"],
        &["gdnsd", "octodns_plain.yaml", "--zone", "example.com"],
        &["route53", "nothing.json"],
    ] {
        let output = run(words);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{words:?}");
        assert!(output.stderr.starts_with(b"error: "), "{words:?}");
    }
}
