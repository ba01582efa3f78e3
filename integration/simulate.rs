//! What would happen: `meridian simulate`, `meridian diff`, the guard of reloads, and `meridian reload`.

mod harness;

use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::Path;
use std::process::Output;

use harness::repository;
use harness::server::{Directory, Refused, Server, meridian, run};
use harness::wire::Ask;
use serde_json::Value;

/// A zone in which a third of the clients are drawn to each of two pools, and Germany goes to one of its own.
const ZONE: &str = r#"
zone = "example.com"

[pool.us]
addresses = ["192.0.2.1"]

[pool.eu]
addresses = ["192.0.2.2"]

[pool.de]
addresses = ["192.0.2.3"]

[policy.split]
type    = "weighted"
weights = { us = 60, eu = 40 }

[policy.place]
type       = "geolocation"
country.DE = "de"
default    = "us"

[names]
"@"   = { SOA = "ns1 hostmaster", NS = ["ns1", "ns2"] }
ns1   = { A = "192.0.2.53" }
ns2   = { A = "198.51.100.53" }
api   = { policy = "split", ttl = "60s" }
place = { policy = "place", ttl = "60s" }
text  = { TXT = "a" }
"#;

fn text(octets: &[u8]) -> &str {
    std::str::from_utf8(octets).expect("UTF-8")
}

fn succeed(output: &Output) -> &str {
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout)
}

/// Simulates the shipped zone, and gives the only forecast.
fn forecast(arguments: &[&str]) -> Value {
    let zones = repository().join("zones");
    let zones = ["simulate", "--json", "--zones", zones.to_str().unwrap()];
    let output = run(&[zones.as_slice(), arguments].concat());
    let report: Value = serde_json::from_str(succeed(&output)).expect("JSON");
    let forecasts = report["forecasts"].as_array().expect("a list");
    assert_eq!(forecasts.len(), 1, "{report:#}");
    forecasts[0].clone()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

fn place_of(forecast: &Value, end: &str) -> usize {
    let ends = forecast["ends"].as_array().unwrap();
    ends.iter()
        .position(|known| known["name"] == end)
        .unwrap_or_else(|| panic!("no {end}: {ends:#?}"))
}

/// The shares of a country's clients: as assumed, and with all up.
fn country(forecast: &Value, code: &str, end: &str) -> (f64, f64) {
    let countries = forecast["countries"].as_array().unwrap();
    let found = countries.iter().find(|country| country["country"] == code).expect("the country");
    let place = place_of(forecast, end);
    (number(&found["shares"][place]), number(&found["shares_all_up"][place]))
}

const API: &str = "api.fingerprint.example.com";

#[test]
fn countries_of_a_region_that_is_down_move() {
    let all_up = forecast(&[API]);
    assert_eq!(country(&all_up, "US", "us-east-1"), (1.0, 1.0));
    assert_eq!(country(&all_up, "DE", "eu-west-1"), (1.0, 1.0));
    let ends = all_up["ends"].as_array().unwrap();
    let sum: f64 = ends.iter().map(|end| number(&end["share"])).sum();
    assert!((sum - 1.0).abs() < 1e-9, "{sum}");
    let down = forecast(&[API, "--down", "us-east-1"]);
    assert_eq!(country(&down, "US", "us-east-1"), (0.0, 1.0));
    assert_eq!(country(&down, "US", "eu-west-1"), (1.0, 0.0));
    assert_eq!(country(&down, "JP", "ap-southeast-1"), (1.0, 1.0));
    let us = &down["ends"][place_of(&down, "us-east-1")];
    assert_eq!((number(&us["share"]), us["down"].as_bool()), (0.0, Some(true)));
    let eu = &down["ends"][place_of(&down, "eu-west-1")];
    let moved = number(&us["share_all_up"]);
    assert!((number(&eu["share"]) - number(&eu["share_all_up"]) - moved).abs() < 1e-9);
}

#[test]
fn with_everything_down_the_last_resort_is_told() {
    let down = ["us-east-1", "eu-west-1", "ap-southeast-1"];
    let arguments: Vec<&str> = down.iter().flat_map(|pool| ["--down", pool]).collect();
    let forecast = forecast(&[&[API], arguments.as_slice()].concat());
    let ends = forecast["ends"].as_array().unwrap();
    let last: f64 =
        ends.iter().filter(|end| end["last_resort"] == true).map(|end| number(&end["share"])).sum();
    assert!((last - 1.0).abs() < 1e-9, "{ends:#?}");
}

#[test]
fn counts_of_ones_own_replace_address_space() {
    let directory = Directory::create();
    let path = directory.path().join("clients.csv");
    // Germany by country and by a prefix of it, the United States, and some whom nobody can place.
    std::fs::write(
        &path,
        "country,count\nDE,30\n46.4.0.0/24,10\nUS,40\n10.0.0.0/8,15\nunlocated,5\n",
    )
    .unwrap();
    let path = path.to_str().unwrap();
    let forecast = forecast(&[API, "--weights", path]);
    let share = |end: &str| number(&forecast["ends"][place_of(&forecast, end)]["share"]);
    assert!((share("eu-west-1") - 0.4).abs() < 1e-9, "{forecast:#}");
    assert!((share("us-east-1") - 0.6).abs() < 1e-9, "{forecast:#}");
    std::fs::write(path, "DE,30\nus,1\n").unwrap();
    let output = run(&[
        "simulate",
        "--weights",
        path,
        "--zones",
        repository().join("zones").to_str().unwrap(),
    ]);
    let errors = text(&output.stderr);
    assert!(
        errors.contains("clients.csv: line 2: `us` is no country: did you mean US?"),
        "{errors}"
    );
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn a_forecast_for_people_says_what_it_counts() {
    let zones = repository().join("zones");
    let zones = zones.to_str().unwrap();
    let output = run(&["simulate", API, "--zones", zones, "--down", "us-east-1"]);
    let shown = succeed(&output);
    for part in [
        "Address space is not traffic",
        "us-east-1 (down)",
        "US United States of America",
        "others (",
    ] {
        assert!(shown.contains(part), "no {part:?} in\n{shown}");
    }
    assert_eq!(shown.lines().filter(|line| line.contains("(+100.0)")).count(), 4, "{shown}");
    let ipv6 = run(&["simulate", API, "AAAA", "--zones", zones, "--ipv6"]);
    assert!(succeed(&ipv6).contains("api.fingerprint.example.com. AAAA: policy by-region"));
    let unknown = run(&["simulate", "nobody.fingerprint.example.com", "--zones", zones]);
    assert_eq!(unknown.status.code(), Some(1));
    assert!(text(&unknown.stderr).contains("no zone routes nobody.fingerprint.example.com. A"));
}

/// Whether a text is XML as far as tags go: each that opens is closed, in order, and nothing is left unescaped.
fn is_well_formed(xml: &str) -> bool {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = xml;
    while let Some((before, tag)) = rest.split_once('<') {
        if before.contains('>') {
            return false;
        }
        let Some((tag, after)) = tag.split_once('>') else { return false };
        rest = after;
        if tag.starts_with(['?', '!']) || tag.ends_with('/') {
            continue;
        }
        if let Some(name) = tag.strip_prefix('/') {
            if open.pop() != Some(name.trim()) {
                return false;
            }
        } else {
            open.extend(tag.split_whitespace().next());
        }
    }
    open.is_empty() && rest.trim().is_empty()
}

#[test]
fn the_picture_is_well_formed() {
    let directory = Directory::create();
    let path = directory.path().join("map.svg");
    let svg = path.to_str().unwrap();
    forecast(&[API, "--down", "us-east-1", "--svg", svg]);
    let picture = std::fs::read_to_string(&path).unwrap();
    assert!(picture.contains("<svg") && picture.contains("eu-west-1"), "{picture}");
    assert!(is_well_formed(&picture), "{picture}");
    assert!(!is_well_formed("<a><b></a></b>") && !is_well_formed("<a>"));
    let zones = repository().join("zones");
    let all = run(&["simulate", "--svg", svg, "--zones", zones.to_str().unwrap()]);
    assert!(text(&all.stderr).contains("--svg draws one route"), "{}", text(&all.stderr));
}

/// The exit code of a diff of two texts, and its report.
fn diff(old: &str, new: &str) -> (Option<i32>, Value, String) {
    let directory = Directory::create();
    let paths = ["old", "new"].map(|side| directory.path().join(side));
    for (path, zone) in paths.iter().zip([old, new]) {
        std::fs::create_dir(path).unwrap();
        std::fs::write(path.join("t.toml"), zone).unwrap();
    }
    let [old, new] = paths.each_ref().map(|path| path.to_str().unwrap());
    let json = run(&["diff", old, new, "--json"]);
    let report = serde_json::from_str::<Value>(text(&json.stdout)).unwrap_or_default();
    let shown = run(&["diff", &format!("{old}/t.toml"), &format!("{new}/t.toml")]);
    assert_eq!(json.status.code(), shown.status.code());
    (
        shown.status.code(),
        report["difference"].clone(),
        text(&shown.stdout).to_owned() + text(&shown.stderr),
    )
}

fn changed(from: &str, to: &str) -> String {
    assert!(ZONE.contains(from), "{from}");
    ZONE.replacen(from, to, 1)
}

#[test]
fn zones_that_answer_alike_do_not_differ() {
    let (code, difference, shown) = diff(ZONE, ZONE);
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.starts_with("no difference"), "{shown}");
    assert_eq!(difference["routed"], Value::Array(Vec::new()));
    // Names of pools and policies, the serial, and shares that come out the same.
    let renamed = ZONE
        .replace("split", "other")
        .replace("pool.eu", "pool.west")
        .replace("eu = 40", "west = 40");
    let renamed = renamed.replace("us = 60, west = 40", "us = 6, west = 4");
    let renamed = renamed.replace("ns1 hostmaster", "ns1 hostmaster 99 7200 3600 1209600 60");
    assert_eq!(diff(ZONE, &renamed).0, Some(0), "{}", diff(ZONE, &renamed).2);
}

#[test]
fn another_weight_moves_its_share() {
    let (code, difference, shown) = diff(ZONE, &changed("us = 60, eu = 40", "us = 50, eu = 50"));
    assert_eq!(code, Some(2), "{shown}");
    let routed = difference["routed"].as_array().unwrap();
    assert_eq!(
        (routed.len(), &routed[0]["name"], &routed[0]["type"]),
        (1, &"api.example.com.".into(), &"A".into())
    );
    assert!((number(&routed[0]["share"]) - 0.1).abs() < 1e-9, "{difference:#}");
    assert!(shown.contains("api.example.com. A  10.0 %"), "{shown}");
}

#[test]
fn another_place_moves_the_clients_of_the_place() {
    let germany = {
        let (_, difference, _) = diff(ZONE, &changed("country.DE = \"de\"\n", ""));
        number(&difference["routed"][0]["share"])
    };
    let zones = repository().join("zones");
    let forecast = run(&["simulate", API, "--json", "--zones", zones.to_str().unwrap()]);
    let forecast: Value = serde_json::from_str(succeed(&forecast)).unwrap();
    let countries = forecast["forecasts"][0]["countries"].as_array().unwrap();
    let weight = countries.iter().find(|country| country["country"] == "DE").unwrap();
    assert!((number(&weight["weight"]) - germany).abs() < 1e-9, "{germany} {weight}");
    assert!((0.01..0.1).contains(&germany), "{germany}");
}

#[test]
fn another_address_moves_all_that_came_to_the_pool() {
    let (_, difference, shown) = diff(ZONE, &changed("[\"192.0.2.2\"]", "[\"192.0.2.22\"]"));
    assert!((number(&difference["routed"][0]["share"]) - 0.4).abs() < 1e-9, "{shown}");
}

/// A delegation above names that are served hides them, though they are all still there.
#[test]
fn a_delegation_removes_what_it_hides() {
    let deep = ZONE.replace("place = {", "\"a.sub\" = {");
    let hidden = deep.clone() + "sub = { NS = \"ns.example.net.\" }\n";
    let (code, difference, shown) = diff(&deep, &hidden);
    assert_eq!(code, Some(2), "{shown}");
    assert_eq!(difference["names_removed"], serde_json::json!(["a.sub.example.com."]), "{shown}");
}

/// The guard asks for the clients of both families.
#[test]
fn clients_of_ipv6_are_clients_too() {
    let zone =
        |pool: &str| ZONE.replace("country.DE = \"de\"", &format!("cidr.\"2000::/3\" = {pool:?}"));
    let directory = Directory::create();
    let server = start(&zone("de"), &directory.path().join("state"), &[]).unwrap();
    server.write_zone("t.toml", &zone("eu"));
    server.reload();
    server.wait_for_log(
        "more than 30 % of the clients would get another answer: place.example.com. A 100.0 %",
    );
}

#[test]
fn ttls_records_and_names_are_told_apart() {
    let new = changed(
        "api   = { policy = \"split\", ttl = \"60s\" }",
        "api   = { policy = \"split\", ttl = \"30s\" }",
    );
    let new = new
        .replace("text  = { TXT = \"a\" }", "other = { TXT = \"a\" }")
        .replace("\"198.51.100.53\"", "\"198.51.100.54\"");
    let (code, difference, shown) = diff(ZONE, &new);
    assert_eq!(code, Some(2));
    for part in [
        "name removed  text.example.com.",
        "name added    other.example.com.",
        "ns2.example.com. A changed\n    - 198.51.100.53\n    + 198.51.100.54",
        "api.example.com. A  60 s → 30 s",
    ] {
        assert!(shown.contains(part), "no {part:?} in\n{shown}");
    }
    assert_eq!(difference["routed"], Value::Array(Vec::new()));
    let other = ZONE.replace("example.com", "example.net");
    let (_, difference, _) = diff(ZONE, &other);
    assert_eq!(difference["zones_removed"], serde_json::json!(["example.com."]));
    assert_eq!(difference["names_removed"], Value::Array(Vec::new()), "they are the zone's");
    assert_eq!(diff(ZONE, "zone = \"example.com\"\n").0, Some(1), "a mistake is an error");
}

/// A server with a state directory.
fn start(zone: &str, state: &Path, more: &[&str]) -> Result<Server, Refused> {
    let arguments = [&["--state", state.to_str().unwrap(), "--max-change", "30%"], more].concat();
    Server::try_start(&[("t.toml", zone)], &arguments)
}

/// Asks the server with this state directory to reload.
fn reload(state: &Path, more: &[&str]) -> (Option<i32>, String) {
    let output = meridian().args(["reload", "--state"]).arg(state).args(more).output().unwrap();
    (output.status.code(), text(&output.stdout).to_owned() + text(&output.stderr))
}

fn is_served(server: &Server, address: &str) -> bool {
    (0..64).any(|_| {
        let reply = server.ask(&Ask::new("api.example.com", 1));
        reply.ipv4().iter().any(|found| found.to_string() == address)
    })
}

const MOVED: &str = "addresses = [\"192.0.2.99\"]";

fn large_change() -> String {
    changed("addresses = [\"192.0.2.1\"]", MOVED)
}

#[test]
fn a_large_change_is_refused_unless_it_is_meant() {
    let directory = Directory::create();
    let state = directory.path().join("state");
    let server = start(ZONE, &state, &[]).expect("a first start compares with nothing");
    server.write_zone("t.toml", &large_change());
    server.reload();
    server.wait_for_log("reload refused");
    let log = server.stderr();
    assert!(log.contains("more than 30 % of the clients would get another answer"), "{log}");
    assert!(
        log.contains("api.example.com. A 60.0 %") && log.contains("meridian reload --yes --state"),
        "{log}"
    );
    server.wait_until_ready_says("degraded");
    assert!(server.get("/ready").body.contains("would get another answer"));
    let metrics = server.metrics();
    assert_eq!(metrics.value("meridian_reload_refused_total", &[("reason", "change")]), 1.0);
    assert_eq!(metrics.value("meridian_config_last_reload_successful", &[]), 0.0);
    assert!(!is_served(&server, "192.0.2.99") && is_served(&server, "192.0.2.2"));
    let (code, shown) = reload(&state, &[]);
    assert_eq!(code, Some(1), "{shown}");
    assert!(shown.contains("error: refused: more than 30 %"), "{shown}");
    let (code, shown) = reload(&state, &["--yes"]);
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.starts_with("reloaded: 1 zone with 6 names, generation 2"), "{shown}");
    assert!(shown.contains("example.com. serial "), "{shown}");
    // It is served by the time that the command ends.
    assert!(is_served(&server, "192.0.2.99"));
    server.wait_until_ready_says("\"ready\"");
}

#[test]
fn a_small_change_and_a_new_name_are_taken_over() {
    let directory = Directory::create();
    let state = directory.path().join("state");
    let server = start(ZONE, &state, &[]).expect("a server");
    let small = changed("us = 60, eu = 40", "us = 50, eu = 50") + "new = { A = \"192.0.2.7\" }\n";
    server.write_zone("t.toml", &small);
    let (code, shown) = reload(&state, &["--json"]);
    assert_eq!(code, Some(0), "{shown}");
    let report: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!((&report["result"], &report["generation"]), (&"reloaded".into(), &2.into()));
    // A removed name is gone for everybody.
    server.write_zone("t.toml", ZONE);
    let (code, shown) = reload(&state, &[]);
    assert_eq!(code, Some(1));
    assert!(shown.contains("new.example.com. (removed) 100.0 %"), "{shown}");
    server.write_zone("t.toml", "zone = \"example.com\"\n[names]\nx = 1\n");
    let (code, shown) = reload(&state, &["--yes"]);
    assert_eq!(code, Some(1), "a mistake can't be forced: {shown}");
    assert_eq!(
        server.metrics().value("meridian_reload_refused_total", &[("reason", "mistakes")]),
        1.0
    );
}

#[test]
fn a_restart_is_guarded_as_well() {
    let directory = Directory::create();
    let state = directory.path().join("state");
    assert_eq!(start(ZONE, &state, &[]).expect("a server").stop("TERM"), Some(0));
    let Err(refused) = start(&large_change(), &state, &[]) else { panic!("it starts") };
    assert_eq!(refused.code, Some(1));
    for part in ["api.example.com. A 60.0 %", "start with --yes if it is meant"] {
        assert!(refused.stderr.contains(part), "no {part:?} in\n{}", refused.stderr);
    }
    let forced = start(&large_change(), &state, &["--yes"]).expect("it is meant");
    assert_eq!(forced.stop("TERM"), Some(0));
    // What was forced is what the next start compares with.
    assert_eq!(start(&large_change(), &state, &[]).expect("nothing changed").stop("TERM"), Some(0));
    std::fs::write(state.join("served.json"), "damaged").unwrap();
    let server = start(ZONE, &state, &[]).expect("one that is damaged is done without");
    assert!(server.stderr().contains("this start compares with nothing"), "{}", server.stderr());
}

#[test]
fn the_control_socket_is_its_owners_and_replaces_a_stale_one() {
    let directory = Directory::create();
    let state = directory.path().join("state");
    for _ in 0..2 {
        // Killed, so that the socket stays.
        drop(start(ZONE, &state, &[]).expect("a stale socket is replaced"));
        let socket = std::fs::symlink_metadata(state.join("control")).expect("a socket");
        assert!(socket.file_type().is_socket());
        assert_eq!(socket.permissions().mode() & 0o777, 0o600);
    }
    let (code, shown) = reload(&state, &[]);
    assert_eq!(code, Some(1));
    assert!(shown.contains("no server listens at"), "{shown}");
    let output = run(&["reload"]);
    assert!(text(&output.stderr).contains("Name its state directory with --state"));
    let server = Server::start(&[("t.toml", ZONE)], &["--state", state.to_str().unwrap()]);
    server.write_zone("t.toml", &large_change());
    let (code, shown) = reload(&state, &[]);
    assert_eq!(code, Some(0), "without --max-change nothing is held back: {shown}");
}
