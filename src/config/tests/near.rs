//! Policies by distance and by latency.

use std::sync::Arc;

use super::*;
use crate::geo::Coordinates;
use crate::policy::{Latency, LatencySource, Rule};

const POOLS: &str = "[pool.us]\naddresses = \"192.0.2.1\"\nlocation = { lat = 38.9, lon = -77.4 }\n\
                     [pool.eu]\naddresses = \"192.0.2.2\"\n[pool.cn]\naddresses = \"192.0.2.3\"\nlocation = \"cn-north-1\"\n";

fn latency(lines: &str) -> String {
    let policy = format!("[policy.l]\ntype = \"latency\"\n{lines}\n");
    zone_with(&format!("{POOLS}{policy}"), "n = { policy = \"l\" }")
}

fn rule(lines: &str) -> Latency {
    let (mut zone, _) = compile(&latency(lines));
    match zone.routing.policies.remove(0).rule {
        Rule::Latency(latency) => latency,
        other => panic!("{other:?}"),
    }
}

#[test]
fn rule_32_a_location_has_two_decimals_at_most() {
    let at = |place: &str| {
        let text = format!("[pool.p]\naddresses = \"192.0.2.1\"\nlocation = {place}\n");
        zone_with(&text, "n = { pool = \"p\" }")
    };
    for fine in [
        "{ lat = 90, lon = -180 }",
        "{ lat = -0.01, lon = 1.5 }",
        "\"US-CA\"",
        "\"JP\"",
        "\"us-west-2\"",
    ] {
        compile(&at(fine));
    }
    for wrong in [
        "{ lat = 1.234, lon = 0 }",
        "{ lat = 1e1, lon = 0 }",
        "{ lat = 90.01, lon = 0 }",
        "{ lat = nan, lon = 0 }",
        "{}",
        "7",
        "\"us\"",
    ] {
        assert_eq!(errors(&at(wrong)).len(), 1, "{wrong}");
    }
}

#[test]
fn rule_33_a_bias_is_an_integer_below_100() {
    let near = |bias: &str| {
        let policy =
            format!("[policy.n]\ntype = \"geoproximity\"\ntargets = [\"us\"]\nbias.us = {bias}\n");
        zone_with(&format!("{POOLS}{policy}"), "")
    };
    for fine in ["-99", "0", "99"] {
        let (zone, _) = compile(&near(fine));
        let Rule::Geoproximity { sites, .. } = &zone.routing.policies[0].rule else { panic!() };
        assert_eq!(sites[0].bias.to_string(), fine);
    }
    for wrong in ["-100", "100", "1.5", "\"1\""] {
        assert_eq!(errors(&near(wrong)), ["`us` must be an integer from -99 to 99"], "{wrong}");
    }
}

#[test]
fn rule_39_a_region_in_china_is_known_by_its_name() {
    for (lines, expected) in [
        ("targets = [\"us\", \"cn\"]", [false, true]),
        ("targets = [\"us\", \"eu\"]\nregions = { eu = \"cn-northwest-1\" }", [false, true]),
        ("targets = [\"us\", \"cn\"]\nlocations = { cn = \"JP\" }", [false, false]),
    ] {
        let is_in_china: Vec<bool> = rule(lines).targets.iter().map(|to| to.is_in_china).collect();
        assert_eq!(is_in_china, expected, "{lines}");
    }
}

#[test]
fn a_target_is_where_the_policy_says_then_its_pool_then_its_region() {
    let at = |latitude, longitude| Coordinates::new(latitude, longitude);
    let places = |lines: &str| -> Vec<Option<Coordinates>> {
        rule(&format!("targets = [\"us\", \"eu\"]\n{lines}"))
            .targets
            .iter()
            .map(|to| to.coordinates)
            .collect()
    };
    assert_eq!(places(""), [at(38.9, -77.4), None]);
    assert_eq!(
        places(
            "locations = { us = { lat = 1, lon = 2 } }\nregions = { us = \"eu-west-1\", eu = \"eu-central-1\" }"
        ),
        [at(1.0, 2.0), at(50.11, 8.68)]
    );
}

#[test]
fn sources_and_hysteresis_are_read() {
    let plain = rule("targets = [\"us\", \"cn\"]");
    assert_eq!((plain.only, plain.table, plain.hysteresis), (None, None, 20));
    for (word, source) in
        [("distance", LatencySource::Distance), ("measured", LatencySource::Measured)]
    {
        assert_eq!(
            rule(&format!("targets = [\"us\", \"cn\"]\nby = \"{word}\"")).only,
            Some(source)
        );
    }
    for (text, expected) in
        [("0%", Some(0)), ("90%", Some(90)), ("91%", None), ("1.5%", None), ("9", None)]
    {
        let lines = format!("targets = [\"us\"]\nhysteresis = \"{text}\"");
        let read = compile_zone(&source(&latency(&lines))).ok().map(|_| rule(&lines).hysteresis);
        assert_eq!(read, expected, "{text}");
    }
}

#[test]
fn tables_of_the_same_contents_are_one() {
    let text = |apex: &str| {
        let policy = |name: &str, table: &str| {
            format!(
                "[policy.{name}]\ntype = \"latency\"\ntargets = [\"us\"]\ntable = \"{table}\"\n"
            )
        };
        let policies = policy("a", "one.csv") + &policy("b", "one.csv") + &policy("c", "t/two.csv");
        zone_with(&format!("{POOLS}{policies}"), "")
            .replace("\"example.com\"", &format!("\"{apex}\""))
    };
    let sources = ["a.example", "b.example"]
        .map(|apex| Source { path: format!("{apex}.toml"), ..source(&text(apex)) });
    let zones: Vec<CompiledZone> =
        compile_zones(&sources).into_iter().map(|result| result.unwrap().0).collect();
    assert_eq!(zones[0].routing.tables.len(), 1);
    assert!(Arc::ptr_eq(&zones[0].routing.tables[0], &zones[1].routing.tables[0]));
}

#[test]
fn a_table_is_read_only_where_it_may_be() {
    let names = |table: &str| table_names(&latency(&format!("table = \"{table}\"")));
    for fine in ["latency.csv", "tables/a.csv"] {
        assert_eq!(names(fine), [fine]);
    }
    for wrong in ["", "/etc/passwd", "../a", "a/../b", "./a", "a//b", "a/", "a\\\\b"] {
        assert_eq!(names(wrong), [""; 0], "{wrong}");
        let found = errors(&latency(&format!("targets = [\"us\"]\ntable = \"{wrong}\"")));
        assert!(found[0].contains("cannot be the name of a latency table"), "{found:?}");
    }
}

#[test]
fn a_table_that_changes_changes_the_zone() {
    let text = latency("targets = [\"us\"]\ntable = \"t.csv\"");
    let digest = |table: &str| {
        let mut source = source(&text);
        source.included[0].text = Ok(table.to_owned());
        compile_zone(&source).unwrap().0.digest()
    };
    let before = digest("192.0.2.0/24,us,1\n");
    assert_eq!(digest("# more words\n192.0.2.0/24,us,1.0\n"), before, "comments mean nothing");
    for other in ["192.0.2.0/24,us,2\n", "192.0.3.0/24,us,1\n", "192.0.2.0/24,eu,1\n", ""] {
        assert_ne!(digest(other), before, "{other}");
    }
}
