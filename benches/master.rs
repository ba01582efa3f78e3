//! What reading a master file costs: a million A records, and a mix of the commonest types.
//!
//! Run with `cargo bench --bench master`. Criterion prints records per second; names and RDATA are allocated and dropped.

use std::fmt::Write;
use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use meridian::wire::Name;
use meridian::zone::master::{MasterFile, read_master};

const RECORDS: u32 = 1_000_000;

fn addresses() -> String {
    let mut text = "$TTL 1h\n@ SOA ns1 hostmaster 1 2h 1h 14d 60\n".to_owned();
    for number in 1..RECORDS {
        let [_, a, b, c] = number.to_be_bytes();
        writeln!(text, "host-{number} 300 IN A 10.{a}.{b}.{c}").unwrap();
    }
    text
}

fn mixture() -> String {
    let mut text = "$TTL 1h\n@ SOA ns1 hostmaster 1 2h 1h 14d 60\n".to_owned();
    for number in 1..RECORDS {
        match number % 5 {
            0 => writeln!(text, "host-{number}\tAAAA\t2001:db8::{:x}", number & 0xffff),
            1 => writeln!(text, "\tTXT\t\"v=spf1 include:host-{number}.example.net -all\""),
            2 => writeln!(text, "\tMX\t10 mail-{number}"),
            3 => writeln!(text, "www-{number}\tIN CNAME\thost-{number}.example.com."),
            _ => writeln!(text, "zone-{number}\t3600 IN NS\tns1.example.net. ; delegated"),
        }
        .unwrap();
    }
    text
}

fn count_records(text: &str, origin: &Name) -> u32 {
    let mut count = 0;
    let include = |_: usize, _: &str| Err("there are no other files".to_owned());
    read_master(MasterFile { text, base: 0 }, origin, &include, &mut |found| {
        count += black_box(&found).is_ok() as u32;
    });
    count
}

fn measure(criterion: &mut Criterion) {
    let origin = Name::parse("example.com.", &Name::root()).unwrap();
    let mut group = criterion.benchmark_group("master");
    group.sample_size(10);
    group.throughput(Throughput::Elements(u64::from(RECORDS)));
    for (name, text) in [("addresses", addresses()), ("mixture", mixture())] {
        assert_eq!(count_records(&text, &origin), RECORDS);
        group.bench_function(name, |bencher| bencher.iter(|| count_records(&text, &origin)));
    }
    group.finish();
}

criterion_group!(benches, measure);
criterion_main!(benches);
