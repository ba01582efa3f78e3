//! What the engine does for a query, without sockets: `cargo bench --bench answer`.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use meridian::config::{Source, compile_zone};
use meridian::geo::Database;
use meridian::health::View;
use meridian::query::{Client, Engine, Scratch, Transport};
use meridian::snapshot::{Generation, GeoSources, Identity, Ingredients, Snapshot};
use meridian::wire::{ClientSubnet, Name, RecordType};

const ZONE: &str = include_str!("../zones/fingerprint.toml");

fn snapshot() -> Snapshot {
    let source = Source::new("fingerprint.toml", ZONE, 1);
    let (zone, _) = compile_zone(&source).expect("the shipped zone is sound");
    Snapshot::compile(Ingredients {
        zones: vec![zone],
        refused: &[],
        geo: &GeoSources::of(Arc::new(
            Database::built_in().expect("the built-in database is sound"),
        )),
        seed: 1,
        generation: Generation(1),
        identity: Identity::default(),
        previous: None,
    })
    .expect("one small zone fits")
}

fn query(name: &str, subnet: Option<[u8; 4]>) -> Vec<u8> {
    let name = Name::parse(name, &Name::root()).expect(name);
    let mut message = vec![0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1];
    message.extend(name.as_wire());
    message.extend(RecordType::A.0.to_be_bytes());
    message.extend([0, 1, 0, 0, 41, 4, 208, 0, 0, 0, 0]);
    match subnet.map(|address| ClientSubnet::from_prefix(address.into(), 24)) {
        None => message.extend([0, 0]),
        Some(subnet) => {
            message.extend([0, 11, 0, 8, 0, 7, 0, 1, 24, 0]);
            message.extend(subnet.octets());
        }
    }
    message
}

fn answer(criterion: &mut Criterion) {
    let snapshot = snapshot();
    let view = View::new(snapshot.targets.len());
    let engine = Engine::new(&snapshot, &view);
    let client = Client { address: [127, 0, 0, 1].into(), transport: Transport::Udp };
    let mut scratch = Scratch::new(1);
    let mut out = [0u8; 1232];
    let mut group = criterion.benchmark_group("answer");
    for (label, name, subnet) in [
        ("static A", "ns1.fingerprint.example.com", None),
        ("NXDOMAIN", "nope.fingerprint.example.com", None),
        ("NODATA", "fingerprint.example.com", None),
        ("geolocation", "api.fingerprint.example.com", Some([46, 4, 0, 0])),
        ("weighted", "api-weighted.fingerprint.example.com", Some([46, 4, 0, 0])),
        ("geolocation to CNAME", "api-cname.fingerprint.example.com", Some([46, 4, 0, 0])),
        ("not ours", "example.org", None),
    ] {
        let message = query(name, subnet);
        group.bench_function(label, |bencher| {
            bencher
                .iter(|| engine.answer(&mut scratch, black_box(&message), client, &mut out).octets);
        });
    }
    group.finish();
}

criterion_group!(benches, answer);
criterion_main!(benches);
