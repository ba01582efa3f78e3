//! What geography costs: reading the built-in database, compiling a partition, and one lookup.
//!
//! Run with `cargo bench --bench geo`. "pipelined" lookups do not wait for each other, as in a batch of queries;
//! "dependent" ones do: pure latency.
//!
//! `cargo bench --bench geo -- many` instead makes a database of a million networks up, and partitions it for a hundred policies
//! of one zone, by one thread and by two: time, resident memory and octets (see [`many`]).

use std::collections::{BTreeSet, HashMap};
use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Instant;

use criterion::{Criterion, Throughput, criterion_group};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use meridian::geo::{
    Atlas, AtlasParts, CountryCode, Database, LocationId, Merged, Overrides, PrefixMap,
};
use mmdb_writer::{Ipv4Aliasing, Value, Writer};

/// Lookups in one measured round: more than any cache holds of the table.
const LOOKUPS: usize = 1 << 16;

/// A partition with one class for each country: the largest there is.
fn by_country(database: &Database) -> Vec<u32> {
    (0..).take(database.locations().len()).collect()
}

/// A partition with one class for each continent: the usual one.
fn by_continent(database: &Database) -> Vec<u32> {
    let countries = database.locations().iter().map(|location| location.country);
    countries
        .map(|country| country.and_then(|code| code.continent()).map_or(0, |it| it as u32 + 1))
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
            let classes = addresses.iter().map(|address| map.lookup(*address).class);
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

fn built_in() -> Arc<Database> {
    Arc::new(Database::built_in().expect("the built-in database is sound"))
}

fn lookups(criterion: &mut Criterion) {
    let database = built_in();
    let atlas = Atlas::of(Arc::clone(&database));
    for (name, class_of) in
        [("country", by_country(&database)), ("continent", by_continent(&database))]
    {
        let map = PrefixMap::of(&atlas, &class_of);
        println!(
            "{name}: {:?} leaves of IPv4 and IPv6, {} KiB and {} KiB shared",
            map.leaves(),
            map.memory_octets() >> 10,
            map.shared_octets().1 >> 10
        );
        measure_lookups(criterion, &format!("{name}/ipv4"), &map, &ipv4_addresses());
        measure_lookups(criterion, &format!("{name}/ipv6"), &map, &ipv6_addresses(&database));
    }
}

fn builds(criterion: &mut Criterion) {
    let database = built_in();
    let atlas = Atlas::of(Arc::clone(&database));
    let class_of = by_country(&database);
    println!(
        "database: {} IPv4 networks, {} IPv6 networks, {} KiB",
        database.ipv4_networks(),
        database.ipv6_networks(),
        database.memory_octets() >> 10
    );
    let merged = atlas.merge(&class_of);
    let continents = by_continent(&database);
    let networks: Vec<IpNet> = random_networks();
    let mut group = criterion.benchmark_group("build");
    group.sample_size(20);
    group.bench_function("database", |bencher| bencher.iter(Database::built_in));
    group.bench_function("merge", |bencher| bencher.iter(|| atlas.merge(&class_of)));
    group.bench_function("map", |bencher| bencher.iter(|| PrefixMap::build(&merged, &class_of)));
    group.bench_function("coarse map", |bencher| {
        bencher.iter(|| PrefixMap::build(&merged, &continents));
    });
    group.bench_function("atlas with 10,000 networks", |bencher| {
        bencher.iter(|| overlaid(&database, &networks));
    });
    group.finish();
}

/// Ten thousand networks of policies, anywhere.
fn random_networks() -> Vec<IpNet> {
    let mut noise = Noise(0x5851_f42d_4c95_7f2d);
    let networks = std::iter::repeat_with(|| {
        let address = Ipv4Addr::from(noise.next() as u32);
        IpNet::from(Ipv4Net::new(address, 8 + (noise.next() % 17) as u8).expect("at most 24"))
    });
    networks.take(10_000).collect()
}

fn overlaid(database: &Arc<Database>, networks: &[IpNet]) -> Atlas {
    let parts = AtlasParts {
        database: Arc::clone(database),
        asn: None,
        overrides: &Overrides::default(),
        networks,
        asns: &BTreeSet::new(),
        tables: &[],
    };
    Atlas::build(parts).expect("ten thousand networks fit")
}

/// Networks that are written into the database; a million are left, because the writer joins equal neighbours.
const NETWORKS: usize = 1_270_000;

/// Policies of the zone, each a partition of its own.
const POLICIES: usize = 100;

/// A hundred policies over a million networks. The target is 5 seconds on two cores, and 300 MB.
fn many() {
    let database = Arc::new(made_up());
    let atlas = Atlas::of(Arc::clone(&database));
    let [ipv4, ipv6] = [database.ipv4_networks(), database.ipv6_networks()];
    println!("{ipv4} IPv4 networks, {ipv6} IPv6 networks, {} KiB", database.memory_octets() >> 10);
    let policies = partitions(&atlas);
    for threads in [1, 2] {
        let before = resident_kib();
        let begin = Instant::now();
        let (merged, coarse) = merge_for(&atlas, &policies);
        let merged_in = begin.elapsed();
        let maps = build_all(&merged, &coarse, threads);
        let leaves = merged.leaves();
        drop(merged);
        let took = begin.elapsed();
        let own: usize = maps.iter().map(PrefixMap::memory_octets).sum();
        let shared: HashMap<usize, usize> = maps.iter().map(PrefixMap::shared_octets).collect();
        let shared: usize = shared.values().sum();
        println!(
            "{threads} threads: {POLICIES} maps of {leaves:?} leaves in {took:.2?} (merged in {merged_in:.2?}), \
             {} KiB and {} KiB shared, {} KiB more resident",
            own >> 10,
            shared >> 10,
            resident_kib().saturating_sub(before)
        );
        measure_alone(&maps);
        black_box(maps);
    }
}

/// Nanoseconds a lookup while a hundred maps take turns, which no cache holds.
fn measure_alone(maps: &[PrefixMap]) {
    let addresses = ipv4_addresses();
    let begin = Instant::now();
    let found =
        addresses.iter().zip(maps.iter().cycle()).map(|(address, map)| map.lookup(*address));
    black_box(found.map(|found| found.class).sum::<u32>());
    let each = begin.elapsed().as_nanos() as usize / addresses.len();
    println!("  a lookup in each in turn: {each} ns");
}

/// The coarse classes of all policies together, and the class of each coarse class for each policy.
fn merge_for(atlas: &Atlas, policies: &[Vec<u32>]) -> (Merged, Vec<Vec<u32>>) {
    let mut numbers: HashMap<Vec<u32>, u32> = HashMap::new();
    let mut coarse = vec![Vec::new(); policies.len()];
    let class_of = (0..atlas.positions().len()).map(|position| {
        let classes: Vec<u32> = policies.iter().map(|class_of| class_of[position]).collect();
        let next = numbers.len() as u32;
        *numbers.entry(classes).or_insert_with_key(|classes| {
            coarse.iter_mut().zip(classes).for_each(|(of, class)| of.push(*class));
            next
        })
    });
    let class_of: Vec<u32> = class_of.collect();
    (atlas.merge(&class_of), coarse)
}

fn build_all(merged: &Merged, coarse: &[Vec<u32>], threads: usize) -> Vec<PrefixMap> {
    let build = |part: &[Vec<u32>]| -> Vec<PrefixMap> {
        part.iter().map(|class_of| PrefixMap::build(merged, class_of)).collect()
    };
    std::thread::scope(|scope| {
        let parts = coarse.chunks(coarse.len().div_ceil(threads));
        let running: Vec<_> = parts.map(|part| scope.spawn(move || build(part))).collect();
        let done = running.into_iter().flat_map(|thread| thread.join().expect("it does not panic"));
        done.collect()
    })
}

/// For each policy the class of each position: 5 to 40 places, each a group of countries, and a default.
fn partitions(atlas: &Atlas) -> Vec<Vec<u32>> {
    let mut noise = Noise(0x1405_7b7e_f767_814f);
    let policies = (0..POLICIES).map(|_| {
        let places = 5 + noise.next() % 36;
        let count = atlas.positions().len();
        std::iter::once(0).chain((1..count).map(|_| (noise.next() % places) as u32)).collect()
    });
    policies.collect()
}

/// A database of a million networks, /16 to /24 and /29 to /48, of all countries; two neighbours of three agree.
fn made_up() -> Database {
    let mut noise = Noise(0x9e37_79b9_7f4a_7c15);
    let mut writer = Writer::builder("Made-Up").ipv4_aliasing(Ipv4Aliasing::Disabled).build();
    let countries: Vec<CountryCode> = CountryCode::all().collect();
    let mut country = countries[0];
    let (mut ipv4, mut ipv6) = (0x0100_0000_u64, 0x2400_0000_0000_u64);
    for turn in 0..NETWORKS {
        if noise.next().is_multiple_of(3) {
            country = countries[noise.next() as usize % countries.len()];
        }
        // Two of three are IPv4; most are as long as they may be.
        let network = match turn % 3 {
            2 => {
                let depth = aligned(&mut ipv6, 48, 29 + (noise.next() % 20) as u32);
                let address = Ipv6Addr::from(u128::from(depth.0) << 80);
                Ipv6Net::new(address, depth.1 as u8).expect("at most 48").into()
            }
            _ => {
                let depth = aligned(&mut ipv4, 32, 16 + (noise.next() % 81).isqrt() as u32);
                Ipv4Net::new((depth.0 as u32).into(), depth.1 as u8).expect("at most 32").into()
            }
        };
        insert(&mut writer, network, country);
    }
    Database::read(&writer.to_bytes().expect("a tree")).expect("a sound database")
}

fn insert(writer: &mut Writer, network: IpNet, country: CountryCode) {
    // What falls into special-purpose space is refused, or not read: a few networks less.
    let record = Value::map([("country_code", Value::from(country.as_str()))]);
    let _ = writer.insert_value(network, record);
}

/// The next prefix of about this depth that begins at a counter of so many bits, and the counter after it.
fn aligned(counter: &mut u64, bits: u32, depth: u32) -> (u64, u32) {
    let free = (bits - depth).min(counter.trailing_zeros());
    let start = *counter;
    *counter += 1 << free;
    (start, bits - free)
}

/// Resident memory of this process, in KiB (Linux).
fn resident_kib() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}

criterion_group!(benches, builds, lookups);

fn main() {
    if std::env::args().any(|argument| argument == "many") {
        return many();
    }
    benches();
    Criterion::default().configure_from_args().final_summary();
}
