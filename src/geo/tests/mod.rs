//! Tests of the module as a whole, and the databases they are made with.
//!
//! | file | what it shows |
//! |---|---|
//! | `records.rs` | record shapes, special-purpose space, IPv4 inside IPv6, errors that say what to do |
//! | `built_in.rs` | the database we ship |
//! | `hostile.rs` | damaged and malicious bytes end in an error, soon |
//! | `exactness.rs` | class and scope against brute force (rule B9) |
//! | `overlay.rs` | positions against each layer by itself |

mod built_in;
mod exactness;
mod hostile;
mod overlay;
mod records;

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use ipnet::IpNet;
use mmdb_writer::{IpVersion, Ipv4Aliasing, RecordSize, Value, Writer};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::{CountryCode, Database};

/// When synthetic databases say they were built.
const EPOCH: u64 = 1_700_000_000;

/// A record as GeoLite2 and DB-IP write it.
fn nested(code: &str) -> Value {
    Value::map([("country", Value::map([("iso_code", Value::from(code))]))])
}

/// A record as IPtoASN writes it.
fn flat(code: &str) -> Value {
    Value::map([("country_code", Value::from(code))])
}

/// A record as GeoIP2 City writes it.
fn city(code: &str, subdivisions: &[&str], point: Option<(f64, f64)>) -> Value {
    let part = |code: &&str| Value::map([("iso_code", Value::from(*code))]);
    let country = Value::map([("iso_code", Value::from(code))]);
    let parts = Value::Array(subdivisions.iter().map(part).collect());
    let (latitude, longitude) = point.unwrap_or((0.0, 0.0));
    let location =
        Value::map([("latitude", Value::from(latitude)), ("longitude", Value::from(longitude))]);
    Value::map([("country", country), ("subdivisions", parts), ("location", location)])
}

/// An empty database of both families, with IPv4 aliased into IPv6 as vendors do.
fn writer() -> Writer {
    Writer::builder("Test-Country")
        .description(&[("de", "Versuch"), ("en", "A test")])
        .build_epoch(SystemTime::UNIX_EPOCH + Duration::from_secs(EPOCH))
        .build()
}

/// An empty database of both families, without aliases.
fn writer_without_aliases() -> Writer {
    Writer::builder("Test-Country").ipv4_aliasing(Ipv4Aliasing::Disabled).build()
}

/// An empty database of both families, without aliases, with records of this size.
fn writer_with_records_of(size: RecordSize) -> Writer {
    Writer::builder("Test-Country").ipv4_aliasing(Ipv4Aliasing::Disabled).record_size(size).build()
}

/// An empty database for IPv4 alone.
fn writer_of_ipv4() -> Writer {
    Writer::builder("Test-Country").ip_version(IpVersion::V4).build()
}

/// Writes the records and gives the file.
fn written(mut writer: Writer, records: &[(&str, Value)]) -> Vec<u8> {
    for (network, record) in records {
        let network: IpNet = network.parse().unwrap();
        writer.insert_value(network, record.clone()).unwrap();
    }
    writer.to_bytes().unwrap()
}

/// Writes the records and reads the file.
fn database(records: &[(&str, Value)]) -> Database {
    Database::read(&written(writer(), records)).unwrap()
}

/// The country of an address.
fn country(database: &Database, address: &str) -> Option<CountryCode> {
    let address: IpAddr = address.parse().unwrap();
    database.location(database.locate(address).location).country
}

/// A code that must exist.
fn code(text: &str) -> Option<CountryCode> {
    Some(CountryCode::parse(text).unwrap())
}

/// The network of an address, as text.
fn network(database: &Database, address: &str) -> String {
    database.locate(address.parse().unwrap()).network.to_string()
}

/// A runner that draws the same cases every time.
fn runner(cases: u32) -> TestRunner {
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
}
