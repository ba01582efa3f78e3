//! What geography costs: reading the built-in database, compiling a partition, and one lookup.
//!
//! Run with `cargo bench --bench geo`. "pipelined" lookups do not wait for each other, as in a batch of queries;
//! "dependent" ones do: pure latency.

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use meridian::geo::{Database, LocationId, PrefixMap};

/// Lookups in one measured round: more than any cache holds of the table.
const LOOKUPS: usize = 1 << 16;

/// A partition with one class for each country: the largest there is.
fn by_country(database: &Database) -> Vec<u16> {
    (0..).take(database.locations().len()).collect()
}

/// A partition with one class for each continent: the usual one.
fn by_continent(database: &Database) -> Vec<u16> {
    let countries = database.locations().iter().map(|location| location.country);
    countries
        .map(|country| country.and_then(|code| code.continent()).map_or(0, |it| it as u16 + 1))
        .collect()
}

/// Numbers that look random and are the same each time (xorshift64).
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

/// Random /24s of the whole IPv4 space.
fn ipv4_addresses() -> Vec<IpAddr> {
    let mut noise = Noise(0x9e37_79b9_7f4a_7c15);
    let bits = std::iter::repeat_with(|| noise.next() as u32 & 0xffff_ff00);
    bits.map(|bits| Ipv4Addr::from(bits).into()).take(LOOKUPS).collect()
}

/// Random /48s of the IPv6 space that the database locates.
fn ipv6_addresses(database: &Database) -> Vec<IpAddr> {
    let mut noise = Noise(0x2545_f491_4f6c_dd1d);
    let tops = [0x2001_0000_u32, 0x2400_0000, 0x2600_0000, 0x2800_0000, 0x2a00_0000, 0x2c00_0000];
    let random = std::iter::repeat_with(|| {
        let top = tops[(noise.next() % 6) as usize] | (noise.next() as u32 & 0x000f_ffff);
        let bits = u128::from(top) << 96 | u128::from(noise.next() as u16) << 80;
        IpAddr::from(Ipv6Addr::from(bits))
    });
    let located =
        random.filter(|address| database.locate(*address).location != LocationId::UNKNOWN);
    located.take(LOOKUPS).collect()
}

/// The next address, changed by nothing that the processor could know before the last answer is there.
fn after(address: IpAddr, last: u8) -> IpAddr {
    match address {
        IpAddr::V4(address) => Ipv4Addr::from(u32::from(address) | u32::from(last & 1)).into(),
        IpAddr::V6(address) => Ipv6Addr::from(u128::from(address) | u128::from(last & 1)).into(),
    }
}

fn measure_lookups(criterion: &mut Criterion, name: &str, map: &PrefixMap, addresses: &[IpAddr]) {
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Elements(addresses.len() as u64));
    group.bench_function("pipelined", |bencher| {
        bencher.iter(|| {
            let classes = addresses.iter().map(|address| u32::from(map.lookup(*address).class));
            black_box(classes.sum::<u32>())
        });
    });
    group.bench_function("dependent", |bencher| {
        bencher.iter(|| {
            let scopes =
                addresses.iter().fold(0, |last, next| map.lookup(after(*next, last)).scope);
            black_box(scopes)
        });
    });
    group.finish();
}

fn lookups(criterion: &mut Criterion) {
    let database = Database::built_in().expect("the built-in database is sound");
    for (name, class_of) in
        [("country", by_country(&database)), ("continent", by_continent(&database))]
    {
        let map = PrefixMap::build(&database, &class_of);
        println!(
            "{name}: {} IPv4 leaves, {} IPv6 leaves, {} KiB",
            map.ipv4_leaves(),
            map.ipv6_leaves(),
            map.memory_octets() >> 10
        );
        measure_lookups(criterion, &format!("{name}/ipv4"), &map, &ipv4_addresses());
        measure_lookups(criterion, &format!("{name}/ipv6"), &map, &ipv6_addresses(&database));
    }
}

fn builds(criterion: &mut Criterion) {
    let database = Database::built_in().expect("the built-in database is sound");
    let class_of = by_country(&database);
    println!(
        "database: {} IPv4 networks, {} IPv6 networks, {} KiB",
        database.ipv4_networks(),
        database.ipv6_networks(),
        database.memory_octets() >> 10
    );
    let mut group = criterion.benchmark_group("build");
    group.sample_size(20);
    group.bench_function("database", |bencher| bencher.iter(Database::built_in));
    group.bench_function("map", |bencher| bencher.iter(|| PrefixMap::build(&database, &class_of)));
    group.finish();
}

criterion_group!(benches, builds, lookups);
criterion_main!(benches);
