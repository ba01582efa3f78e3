//! What is known of clients: databases of cities and of autonomous systems, overrides, latency tables, and databases that are
//! replaced while the server runs; and the explanation that a trusted client gets in the answer itself.

mod harness;

use std::path::Path;

use harness::server::{Directory, Server, run};
use harness::tools::dig;
use harness::wire::{A, Ask};
use harness::{PATIENCE, wait_until};
use mmdb_writer::{Ipv4Aliasing, Value, Writer};

/// A zone whose name `www` tells apart all that a client can be known by.
const ZONE: &str = r#"
zone = "one.example"
ttl  = "1h"

[pool.california]
addresses = ["192.0.2.1"]
[pool.usa]
addresses = ["192.0.2.2"]
[pool.peer]
addresses = ["192.0.2.3"]
[pool.office]
addresses = ["192.0.2.4"]
[pool.rest]
addresses = ["192.0.2.5"]
[pool.east]
addresses = ["192.0.2.6"]
location  = "us-east-1"
[pool.west]
addresses = ["192.0.2.7"]
location  = "us-west-1"

[policy.by-place]
type                  = "geolocation"
cidr."10.9.0.0/16"    = "office"
asn.64500             = "peer"
subdivision.US-CA     = "california"
country.US            = "usa"
default               = "rest"

[policy.near]
type    = "latency"
targets = ["east", "west"]
table   = "rtt.csv"
by      = "table"

[policy.nearest]
type    = "geoproximity"
targets = ["east", "west"]
default = "east"

[names]
"@"     = { SOA = "ns hostmaster", NS = "ns" }
ns      = { A = "192.0.2.53" }
www     = { policy = "by-place" }
fast    = { policy = "near" }
nearest = { policy = "nearest" }
"#;

const TABLE: &str =
    "prefix,region,ms\n8.8.0.0/16,west,10\n8.8.0.0/16,east,80.5\n8.8.4.0/24,east,9\n";

/// Writes a database of cities: network, country, state, degrees north and east.
fn write_cities(path: &Path, cities: &[(&str, &str, &str, f64, f64)]) {
    let code = |code: &str| Value::map([("iso_code", Value::from(code))]);
    let record = |country: &str, state: &str, latitude: f64, longitude: f64| {
        let point = [("latitude", Value::from(latitude)), ("longitude", Value::from(longitude))];
        Value::map([
            ("country", code(country)),
            ("subdivisions", Value::Array(vec![code(state)])),
            ("location", Value::map(point)),
        ])
    };
    let records = cities.iter().map(|(network, country, state, latitude, longitude)| {
        (*network, record(country, state, *latitude, *longitude))
    });
    write(path, "Test-City", records);
}

fn write_systems(path: &Path, systems: &[(&str, u32)]) {
    let records = systems.iter().map(|(network, asn)| {
        (*network, Value::map([("autonomous_system_number", Value::from(*asn))]))
    });
    write(path, "Test-ASN", records);
}

/// Writes beside the file and renames, as the tools of the vendors do.
fn write<'n>(path: &Path, kind: &str, records: impl Iterator<Item = (&'n str, Value)>) {
    let mut writer = Writer::builder(kind).ipv4_aliasing(Ipv4Aliasing::Disabled).build();
    for (network, record) in records {
        writer.insert_value(network.parse::<ipnet::IpNet>().unwrap(), record).unwrap();
    }
    let new = path.with_extension("new");
    std::fs::write(&new, writer.to_bytes().unwrap()).unwrap();
    std::fs::rename(&new, path).unwrap();
}

const CITIES: [(&str, &str, &str, f64, f64); 3] = [
    ("8.8.0.0/16", "US", "CA", 37.4, -122.1),
    ("9.9.0.0/16", "US", "NY", 40.7, -74.0),
    ("46.4.0.0/16", "DE", "BY", 48.1, 11.6),
];

struct Places {
    server: Server,
    directory: Directory,
}

impl Places {
    fn start(more: &str) -> Self {
        let directory = Directory::create();
        let file = |name: &str| directory.path().join(name);
        write_cities(&file("city.mmdb"), &CITIES);
        write_systems(&file("asn.mmdb"), &[("9.9.9.0/24", 64_500), ("46.4.7.0/24", 64_501)]);
        let settings = format!(
            "{more}\n[geo]\ndatabase = {:?}\nasn = {:?}\n[geo.overrides]\n\"10.1.0.0/16\" = \"US-CA\"\n\
             \"46.4.9.0/24\" = \"US\"\n\"172.16.0.0/12\" = {{ asn = 64500 }}\n",
            file("city.mmdb"),
            file("asn.mmdb")
        );
        std::fs::write(file("meridian.toml"), settings).unwrap();
        let config = file("meridian.toml").display().to_string();
        let zones = [("one.toml", ZONE), ("rtt.csv", TABLE)];
        let server = Server::start(&zones, &["--config", &config]);
        Self { server, directory }
    }

    fn answer(&self, name: &str, client: &str) -> String {
        let ask = Ask::new(&format!("{name}.one.example"), A).subnet(client);
        self.server.ask(&ask).rdata().join(" ")
    }
}

#[test]
fn clients_are_known_by_city_system_network_override_and_table() {
    let places = Places::start("");
    for (name, client, address) in [
        ("www", "8.8.8.0/24", "192.0.2.1"),
        ("www", "9.9.1.0/24", "192.0.2.2"),
        ("www", "9.9.9.0/24", "192.0.2.3"),
        ("www", "46.4.0.0/24", "192.0.2.5"),
        ("www", "46.4.7.0/24", "192.0.2.5"),
        ("www", "10.9.1.0/24", "192.0.2.4"),
        ("www", "10.1.2.0/24", "192.0.2.1"),
        ("www", "46.4.9.0/24", "192.0.2.2"),
        ("www", "172.16.1.0/24", "192.0.2.3"),
        ("fast", "8.8.8.0/24", "192.0.2.7"),
        ("fast", "8.8.4.0/24", "192.0.2.6"),
        ("fast", "9.9.1.0/24", "192.0.2.6"),
        ("nearest", "8.8.8.0/24", "192.0.2.7"),
        ("nearest", "9.9.1.0/24", "192.0.2.6"),
        ("nearest", "46.4.0.0/24", "192.0.2.6"),
    ] {
        assert_eq!(places.answer(name, client), address, "{name} {client}");
    }
    let ask = Ask::new("www.one.example", A).subnet("9.9.9.0/24");
    assert_eq!(places.server.ask(&ask).scope(), Some(24));
}

/// Nobody says that a file was replaced: it is noticed, and zone files that were changed meanwhile are not read.
#[test]
fn a_database_that_is_replaced_is_taken_over_and_a_broken_one_is_not() {
    let places = Places::start("");
    assert_eq!(places.answer("www", "46.4.0.0/24"), "192.0.2.5");
    places.server.write_zone("one.toml", "half a zone");
    let city = places.directory.path().join("city.mmdb");
    write_cities(&city, &[("46.4.0.0/16", "US", "CA", 37.4, -122.1)]);
    wait_until("the new database is used", PATIENCE, || {
        places.answer("www", "46.4.0.0/24") == "192.0.2.1"
    });
    assert_eq!(places.answer("www", "8.8.8.0/24"), "192.0.2.5", "nobody knows where it is now");
    places.server.wait_until_ready_says("\"status\":\"ready\"");
    std::fs::write(&city, b"this was a database once").unwrap();
    places.server.wait_until_ready_says("degraded");
    assert_eq!(places.answer("www", "46.4.0.0/24"), "192.0.2.1");
    let loaded = places.server.metrics().value("meridian_geodb_last_load_successful", &[]);
    assert_eq!(loaded, 0.0);
    // A country database knows no states, which the zone asks for.
    let code = Value::map([("country_code", Value::from("US"))]);
    write(&city, "Test-Country", [("46.4.0.0/16", code)].into_iter());
    places.server.wait_for_log("it has no subdivisions, which the zones ask for");
    assert_eq!(places.answer("www", "46.4.0.0/24"), "192.0.2.1");
    write_cities(&city, &CITIES);
    wait_until("the repaired database is used", PATIENCE, || {
        places.answer("www", "8.8.8.0/24") == "192.0.2.1"
    });
    places.server.wait_until_ready_says("\"status\":\"ready\"");
}

#[test]
fn a_replaced_database_that_would_move_everybody_is_held_back() {
    let places = Places::start("max_change = \"30%\"");
    let city = places.directory.path().join("city.mmdb");
    write_cities(
        &city,
        &[("0.0.0.0/1", "US", "CA", 37.4, -122.1), ("128.0.0.0/2", "US", "NY", 40.7, -74.0)],
    );
    places.server.wait_until_ready_says("degraded");
    assert_eq!(places.answer("www", "46.4.0.0/24"), "192.0.2.5");
}

#[test]
fn a_trusted_client_gets_the_reasons_in_the_answer() {
    let places = Places::start("explain_to = [\"127.0.0.0/8\"]");
    let text = |arguments: &[&str]| dig(places.server.ipv4(), arguments).text;
    let told = text(&["www.one.example", "A", "+subnet=9.9.9.0/24", "+ednsopt=65001"]);
    assert!(told.contains("EDE: 0 (Other)"), "{told}");
    for reason in ["AS64500", "pool peer taken", "chosen by policy by-place", "192.0.2.3"] {
        assert!(told.contains(reason), "{reason}: {told}");
    }
    let plain = text(&["www.one.example", "A", "+subnet=9.9.9.0/24"]);
    assert!(!plain.contains("EDE"), "{plain}");
    let nowhere = text(&["nobody.one.example", "A", "+ednsopt=65001"]);
    assert!(nowhere.contains("the zone has no such name"), "{nowhere}");
    let others = Places::start("explain_to = [\"192.0.2.0/24\"]");
    let silent = dig(others.server.ipv4(), &["www.one.example", "A", "+ednsopt=65001"]);
    assert!(!silent.text.contains("EDE"), "{}", silent.text);
}

#[test]
fn zones_that_ask_for_what_no_database_knows_are_refused_with_the_policys_name() {
    let directory = Directory::create();
    let zone = directory.path().join("one.toml");
    std::fs::write(&zone, ZONE).unwrap();
    std::fs::write(directory.path().join("rtt.csv"), TABLE).unwrap();
    let checked = run(&["check", zone.to_str().unwrap()]);
    let text = String::from_utf8(checked.stderr).unwrap();
    assert_eq!(checked.status.code(), Some(1), "{text}");
    for words in ["`by-place`", "subdivisions", "autonomous systems"] {
        assert!(text.contains(words), "{words}: {text}");
    }
}
