//! Each plugin and service type, and what becomes of it.

use super::*;
use crate::config::{Source, compile_zone};
use crate::import::Note;

const TYPES: &str =
    "service_types => { web => { plugin => http_status, up_thresh => 2, down_thresh => 4 } }\n";

/// Resources of one plugin, as names.
fn import(plugins: &str) -> Imported {
    let config = format!("{TYPES}plugins => {{ {plugins} }}");
    import_gdnsd(Gdnsd { config: &config, zone_file: None, zone: "example.com" }).unwrap()
}

fn notes(imported: &Imported) -> String {
    imported.notes.iter().map(Note::to_string).collect::<Vec<_>>().join("\n")
}

#[track_caller]
fn assert_has(imported: &Imported, line: &str) {
    assert!(imported.text.lines().any(|it| it == line), "no `{line}` in\n{}", imported.text);
}

#[test]
fn service_types_are_checks() {
    let imported = import("multifo => { w => { service_types => web, a => 192.0.2.1 } }");
    for line in [
        "[check.web]",
        "http       = \"/\"",
        "expect     = \"200\"",
        "every      = \"10s\"",
        "timeout    = \"5s\"",
        "down_after = 4",
        "up_after   = 2",
        "damping    = false",
        "check     = \"web\"",
    ] {
        assert_has(&imported, line);
    }
    assert!(compile_zone(&Source::new("a.toml", imported.text, 0)).is_ok());
    let unknown = import("multifo => { w => { service_types => nope, a => 192.0.2.1 } }");
    assert!(notes(&unknown).contains("service type nope: it is not in the configuration"));
}

/// A configuration with these service types, and a pool that has some of them.
fn import_types(types: &str, used: &str) -> Imported {
    let config = format!(
        "service_types => {{ {types} }}\nplugins => {{ multifo => {{ w => {{ service_types => {used}, a => 192.0.2.1 }} }} }}"
    );
    import_gdnsd(Gdnsd { config: &config, zone_file: None, zone: "example.com" }).unwrap()
}

#[test]
fn several_service_types_are_one_calculated_check() {
    let types =
        "a => { plugin => tcp_connect, port => 1 }, b => { plugin => tcp_connect, port => 2 }";
    let imported = import_types(types, "[ a, b ]");
    assert_has(&imported, "calculated = { of = [\"a\", \"b\"], all = true }");
    assert_has(&imported, "check     = \"a-b\"");
    let (zone, _) = compile_zone(&Source::new("a.toml", imported.text, 0)).unwrap();
    assert_eq!(zone.checks.len(), 3);
}

#[test]
fn what_others_find_out_is_reported() {
    let types = "m => { plugin => extmon, cmd => /bin/probe, interval => 5, down_thresh => 4 }";
    let imported = import_types(types, "m");
    assert_has(&imported, "external = { stale_after = \"20s\", missing = \"down\" }");
    assert!(notes(&imported).contains("what /bin/probe says of each address is yours"));
    let imported = import_types("f => { plugin => extfile, file => states }", "f");
    assert_has(&imported, "external = { stale_after = \"30d\", missing = \"up\" }");
    assert!(compile_zone(&Source::new("a.toml", imported.text, 0)).is_ok());
}

#[test]
fn thresholds_that_are_too_high_become_time() {
    let types = "t => { plugin => tcp_connect, port => 1, interval => 4, ok_thresh => 3 }";
    let imported = import_types(types, "t");
    assert_has(&imported, "up_after   = 10");
    assert_has(&imported, "damping    = { hold = \"1m20s\", longest = \"1m20s\" }");
    let notes = notes(&imported);
    assert!(
        notes.contains("its up_thresh of 20 becomes 10, the most, and 1m20s without a failure")
    );
    assert!(notes.contains("its ok_thresh of 3 is left out"));
    assert!(compile_zone(&Source::new("a.toml", imported.text, 0)).is_ok());
}

#[test]
fn thresholds_of_pools_count_where_they_ask_for_more_than_one() {
    for (settings, expected) in [
        ("a => 192.0.2.1, b => 192.0.2.2", None),
        ("a => 192.0.2.1, b => 192.0.2.2, c => 192.0.2.3", Some("min_up    = \"50%\"")),
        ("up_thresh => 0.3, a => 192.0.2.1, b => 192.0.2.2, c => 192.0.2.3", None),
        ("up_thresh => 1.0, a => 192.0.2.1, b => 192.0.2.2", Some("min_up    = \"100%\"")),
    ] {
        let imported =
            import(&format!("multifo => {{ w => {{ service_types => web, {settings} }} }}"));
        let found = imported.text.lines().find(|line| line.starts_with("min_up"));
        assert_eq!(found, expected, "{settings}");
    }
}

#[test]
fn weights_keep_their_proportions() {
    for (weights, expected) in [
        ([100, 300], "weights = { w-a = 1, w-b = 3 }"),
        ([255, 1], "weights = { w-a = 255, w-b = 1 }"),
        ([1000, 500], "weights = { w-a = 2, w-b = 1 }"),
        ([1000, 1], "weights = { w-a = 255, w-b = 1 }"),
    ] {
        let [a, b] = weights;
        let imported = import(&format!(
            "weighted => {{ w => {{ a => [ 192.0.2.1, {a} ], b => [ 192.0.2.2, {b} ] }} }}"
        ));
        assert_has(&imported, expected);
        assert_eq!(notes(&imported).contains("rounded"), weights == [1000, 1]);
    }
}

#[test]
fn groups_and_multi_are_pools_where_that_is_the_same() {
    let imported = import(
        "weighted => { w => { multi => true, a => [ 192.0.2.1, 7 ], b => [ 192.0.2.2, 7 ] } }",
    );
    assert_has(&imported, r#"addresses = ["192.0.2.1", "192.0.2.2"]"#);
    assert!(!notes(&imported).contains("`multi`"));
    let imported = import(
        "weighted => { w => { multi => true, a => [ 192.0.2.1, 7 ], b => [ 192.0.2.2, 8 ] } }",
    );
    assert!(notes(&imported).contains("`multi` has no equivalent"));
    let group = "weighted => { w => { g => { a => [ 192.0.2.1, 2 ], b => [ 192.0.2.2, 3 ] } } }";
    assert!(notes(&import(group)).contains("a group is given whole"));
}

#[test]
fn maps_become_places() {
    let map = |rest: &str| {
        import(&format!(
            "geoip => {{ maps => {{ m => {{ datacenters => [ a, b ], {rest} }} }}, resources => {{ w => {{ map => m, service_types => web, dcmap => {{ a => 192.0.2.1, b => 192.0.2.2 }} }} }} }}"
        ))
    };
    assert_has(&map(""), r#"targets = ["w-a", "w-b"]"#);
    let imported =
        map("map => { EU => [ b, a ], NA => { US => { CA => [ b, a ] }, default => [ a, b ] } }");
    for line in [
        r#"subdivision.US-CA = ["w-b", "w-a"]"#,
        r#"continent.EU      = ["w-b", "w-a"]"#,
        r#"continent.NA      = ["w-a", "w-b"]"#,
        r#"default           = ["w-a", "w-b"]"#,
    ] {
        assert_has(&imported, line);
    }
    assert!(!imported.text.contains("widening"), "nothing is left to widen to");
    assert_has(&map("map => { EU => [ b ] }"), "widening     = false");
    let skipped = map("map => { skip_level => true, DE => [ b, a ] }");
    assert_has(&skipped, r#"country.DE = ["w-b", "w-a"]"#);
    let near = map("auto_dc_coords => { a => [ 1, 2 ], b => [ 3.456, -4 ] }");
    assert_has(&near, "[policy.w]");
    assert_has(
        &near,
        "locations = { w-a = { lat = 1.00, lon = 2.00 }, w-b = { lat = 3.46, lon = -4.00 } }",
    );
    assert_has(&near, r#"default   = "w-unlocated""#);
    let city = map("map => { EU => { DE => { BE => { Berlin => [ b ] } } } }");
    assert!(notes(&city).contains("`Berlin`"), "{}", notes(&city));
    assert!(notes(&map("nets => file")).contains("networks of the file file"));
}

#[test]
fn resources_refer_to_each_other() {
    let plugins = "static => { s => 192.0.2.9 }, metafo => { resources => {
        w => { datacenters => [ a, b, c ], dcmap => { a => %static!s, b => { plugin => simplefo, primary => 192.0.2.1, secondary => 192.0.2.2 }, c => %metafo!gone } }
    } }";
    let imported = import(plugins);
    assert_has(&imported, r#"targets = ["s", "w-b"]"#);
    assert!(notes(&imported).contains("w: its datacenter c is left out"));
    let looped =
        "metafo => { resources => { w => { datacenters => [ a ], dcmap => { a => %metafo!w } } } }";
    assert!(notes(&import(looped)).contains("leads to itself"));
}

#[test]
fn zone_files_are_read_with_their_resources() {
    let config = "plugins => { static => { s => 192.0.2.9, c => a.example.net. } }";
    let head = "$TTL 60\n@ SOA ns1 h 1 2h 1h 2w 60\n@ NS ns1\nns1 A 192.0.2.53\n";
    let zone = |rest: &str| {
        let text = format!("{head}{rest}");
        import_gdnsd(Gdnsd { config, zone_file: Some(&text), zone: "example.com" })
    };
    let imported =
        zone("w 30/10 DYNA static!s\n  TXT a\n$ORIGIN b.example.com.\nw DYNC static!c\n").unwrap();
    assert_has(&imported, r#"w = { pool = "s", ttl = "30s", TXT = { ttl = "1m", data = '"a"' } }"#);
    assert_has(&imported, r#""w.b" = { pool = "c" }"#);
    assert!(notes(&imported).contains("lower bounds of TTLs"));
    let beside = zone("w DYNC static!c\nw TXT a\n").unwrap();
    assert!(notes(&beside).contains("cannot be given as a CNAME here"));
    assert!(zone("w A nothing\n").unwrap_err().to_string().contains("zone file: line 5"));
    let other = format!("$ORIGIN example.net.\n{head}");
    let other = import_gdnsd(Gdnsd { config, zone_file: Some(&other), zone: "example.com" });
    assert!(other.unwrap_err().to_string().contains("is that of example.net."));
    let no_config = import_gdnsd(Gdnsd { config: "{", zone_file: None, zone: "example.com" });
    assert!(no_config.unwrap_err().to_string().starts_with("this is no configuration"));
}
