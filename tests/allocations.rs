//! Answering takes no memory: whatever is asked, once a worker has begun, nothing is allocated and nothing freed.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::net::UdpSocket;
use std::sync::Arc;
use std::time::Duration;

use meridian::config::{Source, compile_zone};
use meridian::geo::Database;
use meridian::health::{Status, Switch, SwitchId, TargetId};
use meridian::query::{Client, Engine, Scratch, Transport};
use meridian::snapshot::{Generation, GeoSources, Identity, Ingredients, Snapshot};
use meridian::sys::{Batch, Datagram, socket};
use meridian::wire::{ClientSubnet, Name, RecordType};

thread_local! {
    /// Calls of the allocator by this thread, as long as it counts.
    static CALLS: Cell<Option<u64>> = const { Cell::new(None) };
}

/// The system's allocator, which counts.
struct Counting;

fn count() {
    // At the end of a thread there is nothing left to count in.
    let _ = CALLS.try_with(|calls| calls.set(calls.get().map(|calls| calls + 1)));
}

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller keeps the contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count();
        // SAFETY: the caller keeps the contract.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How often the allocator was called while `run` ran.
fn calls_of(run: impl FnOnce()) -> u64 {
    CALLS.set(Some(0));
    run();
    CALLS.take().expect("it was counting")
}

const ZONE: &str = r#"
zone = "example.com"

[check.web]
tcp = 443

[pool.us]
addresses = ["192.0.2.1", "192.0.2.2", "2001:db8::1"]
check = "web"
location = "US"

[pool.eu]
addresses = ["192.0.2.3", "192.0.2.4"]
check = "web"
location = "DE"

[pool.cdn]
cname = "cdn.example.net"

[policy.halves]
type = "weighted"
weights = { us = 1, eu = 1 }

[policy.sticky]
type = "weighted"
weights = { us = 1, eu = 2 }
sticky = true

[policy.near]
type = "geoproximity"
targets = ["us", "eu"]
default = "us"

[policy.all]
type = "multivalue"
targets = ["us", "eu"]

[policy.order]
type = "failover"
targets = ["halves", "eu"]

[policy.names]
type = "failover"
targets = ["cdn"]

[policy.places]
type = "geolocation"
country.US = "order"
continent.EU = "eu"
default = "near"

[names]
"@" = { SOA = "ns1 hostmaster", NS = ["ns1", "ns2"] }
ns1 = { A = "192.0.2.53", AAAA = "2001:db8::53" }
ns2 = { A = "192.0.2.54" }
many = { A = ["192.0.2.1", "192.0.2.2", "192.0.2.3"], MX = ["10 ns1", "20 ns2"], TXT = "text" }
"*.wild" = { A = "192.0.2.60" }
one = { CNAME = "two" }
two = { CNAME = "ns1" }
sub = { NS = "ns.sub" }
"ns.sub" = { A = "192.0.2.61" }
tree = { DNAME = "wild" }
www = { policy = "places" }
order = { policy = "order" }
sticky = { policy = "sticky" }
all = { policy = "all" }
cdn = { policy = "names" }
"#;

const NAMES: [&str; 19] = [
    "example.com",
    "ns1.example.com",
    "NS1.eXample.com",
    "many.example.com",
    "a.wild.example.com",
    "one.example.com",
    "x.sub.example.com",
    "a.tree.example.com",
    "www.example.com",
    "order.example.com",
    "sticky.example.com",
    "all.example.com",
    "cdn.example.com",
    "nobody.example.com",
    "a.b.c.d.e.f.nobody.example.com",
    "example.org",
    "version.bind",
    "com",
    ".",
];

const TYPES: [RecordType; 8] = [
    RecordType::A,
    RecordType::AAAA,
    RecordType::NS,
    RecordType::MX,
    RecordType::TXT,
    RecordType::ANY,
    RecordType::DS,
    RecordType::AXFR,
];

fn snapshot() -> Snapshot {
    let source = Source::new("example.com.toml", ZONE, 1);
    let (zone, _) = compile_zone(&source).unwrap_or_else(|error| panic!("{error:#?}"));
    let database = Database::built_in().expect("the built-in database");
    let ingredients = Ingredients {
        zones: vec![zone],
        refused: &[],
        geo: &GeoSources::of(Arc::new(database)),
        seed: 1,
        generation: Generation(1),
        identity: Identity::default(),
        previous: None,
    };
    Snapshot::compile(ingredients).expect("one small zone")
}

/// Every question, with and without EDNS and a client's subnet; and what is no question.
fn messages() -> Vec<Vec<u8>> {
    let subnets = [
        None,
        Some(ClientSubnet::from_prefix([8, 8, 8, 0].into(), 24)),
        Some(ClientSubnet::from_prefix("2a01:4f8::".parse().unwrap(), 56)),
    ];
    let mut messages = vec![Vec::new(), vec![0; 11], vec![0xff; 40], vec![0; 12]];
    for name in NAMES {
        let name = Name::parse(name, &Name::root()).unwrap();
        for rtype in TYPES {
            let mut plain = vec![0, 7, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
            plain.extend(name.as_wire());
            plain.extend(rtype.0.to_be_bytes());
            plain.extend([0, 1]);
            for subnet in &subnets {
                let mut message = plain.clone();
                message[11] = 1;
                message.extend([0, 0, 41, 4, 208, 0, 0, 0, 0]);
                let option = subnet.map_or(Vec::new(), |subnet| {
                    let family = if subnet.width() == 32 { 1 } else { 2 };
                    let length = u8::try_from(subnet.octets().len() + 4).unwrap();
                    let head = [0, 8, 0, length, 0, family, subnet.source(), 0];
                    [&head, subnet.octets()].concat()
                });
                message.extend(u16::try_from(option.len()).unwrap().to_be_bytes());
                message.extend(option);
                messages.push(message);
            }
            messages.push(plain);
        }
    }
    messages
}

#[test]
fn answering_allocates_nothing() {
    let snapshot = snapshot();
    let view = snapshot.new_view();
    let messages = messages();
    let mut out = vec![0; 65_535];
    let mut scratch = Scratch::for_batch(1, 64);
    let mut answered = 0;
    for (health, switch) in [
        (Status::Unknown, Switch::Free),
        (Status::Down, Switch::Free),
        (Status::Up, Switch::Drain { since_ms: 0, per_minute: 1 }),
    ] {
        (0..view.len() as u32).for_each(|id| view.set(TargetId(id), health));
        view.set_switches(None, |id| if id == SwitchId(0) { switch } else { Switch::Free });
        for transport in [Transport::Udp, Transport::Stream] {
            let client = Client { address: [192, 0, 2, 200].into(), transport };
            let calls = calls_of(|| {
                let engine = Engine::new(&snapshot, &view).at(60_000);
                for batch in messages.chunks(64) {
                    for message in batch {
                        let outcome = engine.answer(&mut scratch, message, client, &mut out);
                        answered += usize::from(outcome.octets != 0);
                    }
                    engine.read_ahead(&mut scratch, batch.iter().map(Vec::as_slice));
                    for (place, message) in batch.iter().enumerate() {
                        engine.answer_ahead(&mut scratch, place, message, client, &mut out);
                    }
                }
            });
            assert_eq!(calls, 0, "{health:?}, {switch:?}, {transport:?}");
        }
    }
    assert!(answered > 3 * 2 * messages.len() * 9 / 10, "{answered}");
}

#[test]
fn neither_do_batches_of_datagrams() {
    let socket = socket::bind_udp("127.0.0.1:0".parse().unwrap()).unwrap();
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    client.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    client.connect(socket.local_addr().unwrap().as_socket().unwrap()).unwrap();
    let mut batch = Batch::new(false);
    let calls = calls_of(|| {
        for round in 0..10u8 {
            for length in 1..40usize {
                client.send(&[round; 40][..length]).unwrap();
            }
            let mut seen = 0;
            while seen < 39 {
                seen += batch.receive(&socket).unwrap();
                batch.answer_each(|Datagram { query, answer, .. }| {
                    answer[..query.len()].copy_from_slice(query);
                    query.len()
                });
                batch.send(&socket);
            }
            let mut buffer = [0; 64];
            for _ in 1..40 {
                client.recv(&mut buffer).unwrap();
            }
        }
    });
    assert_eq!(calls, 0);
}
