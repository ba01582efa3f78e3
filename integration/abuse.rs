//! Octets that are no queries, and queries that are nearly right: the server stays, stays small, and keeps answering.

mod harness;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use harness::random::Random;
use harness::server::Server;
use harness::wire::{A, AAAA, ANY, Ask, NS, TXT, TcpClient, UdpClient};
use harness::{PATIENCE, back_end, example};

const DATAGRAMS: usize = 10_000;
const CONNECTIONS: usize = 300;

/// Memory that the server may gain under fire, in KiB: buffers and the allocator's reserves, far below a leak per message.
const GROWTH_KIB: u64 = 32 << 10;
/// The same where each datagram is a task: all that were sent may be waiting at once.
const GROWTH_BY_TASKS_KIB: u64 = 128 << 10;

fn assert_answers(server: &Server) {
    let reply = server.ask(&Ask::new("example.com", A).id(0xbeef));
    assert_eq!(reply.rdata(), ["192.0.2.1"]);
}

fn assert_unharmed(server: &mut Server, resident_before: u64) {
    assert!(server.is_running(), "{}", server.stderr());
    assert_answers(server);
    let mut stream = TcpClient::connect(server.ipv4());
    assert_eq!(stream.exchange(&Ask::new("example.com", A)).rdata(), ["192.0.2.1"]);
    let resident = server.resident_kib();
    println!("resident: {resident_before} KiB before, {resident} KiB after");
    let growth =
        if back_end::differs("a task per datagram") { GROWTH_BY_TASKS_KIB } else { GROWTH_KIB };
    assert!(resident < resident_before + growth, "{resident_before} → {resident} KiB");
    let log = server.stderr();
    assert!(!log.contains("panicked"), "{log}");
    assert!(log.len() < 64 << 10, "strangers can fill the log: {} octets", log.len());
}

/// A query of a kind that the zones have an answer for.
fn some_query(random: &mut Random) -> Vec<u8> {
    const NAMES: [&str; 6] = [
        "www.example.com",
        "big.example.com",
        "x.wild.example.com",
        "deep.sub.example.com",
        "alias.places.example",
        "www.example.net",
    ];
    let qtype = [A, AAAA, NS, TXT, ANY, random.next() as u16][random.below(6)];
    let ask = Ask::new(NAMES[random.below(NAMES.len())], qtype).id(random.next() as u16);
    let ask = match random.below(4) {
        0 => ask,
        1 => ask.payload(random.next() as u16),
        2 => ask.subnet("46.4.0.0/24"),
        _ => ask.subnet("2a01:4f8::/56").option(10, &[7; 8]),
    };
    ask.octets()
}

/// Damages a query: bits, octets, length fields, ends.
fn mutate(query: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..=random.below(4) {
        let at = random.below(query.len().max(1));
        let Some(octet) = query.get_mut(at) else { return };
        match random.below(6) {
            0 => *octet ^= 1 << random.below(8),
            1 => *octet = random.next() as u8,
            2 => *octet = 0xc0,
            3 => *octet = 0xff,
            4 => query.truncate(at),
            _ => query.extend(random.octets(3)),
        }
    }
}

#[test]
fn random_datagrams_leave_it_answering() {
    let mut random = Random::from_seed("datagrams", 0x6d65_7269_6469_616e);
    let mut server = example::serve(&[]);
    assert_answers(&server);
    let before = server.resident_kib();
    let client = UdpClient::connect(server.ipv4());
    for number in 0..DATAGRAMS {
        let datagram = if number % 2 == 0 {
            let length = random.below(600);
            random.octets(length)
        } else {
            let mut query = some_query(&mut random);
            mutate(&mut query, &mut random);
            query
        };
        client.send(&datagram);
        // Another client in between, and time for the server to take what was sent rather than drop it.
        if number % 50 == 0 {
            assert_answers(&server);
        }
    }
    let read = server.metrics();
    let seen = read.sum("meridian_dns_requests_total", &[("proto", "udp")]);
    println!("{seen} datagrams were read, {DATAGRAMS} were sent, and some good queries");
    // What hickory-proto can't read is most of them, and not counted.
    let least = if back_end::differs("unread") { 0.1 } else { 0.9 };
    assert!(seen >= DATAGRAMS as f64 * least, "the kernel dropped most of the test");
    assert_unharmed(&mut server, before);
}

#[test]
fn datagrams_of_every_size_leave_it_answering() {
    let mut random = Random::from_seed("sizes", 0x0007_a911);
    let mut server = example::serve(&[]);
    let before = server.resident_kib();
    let client = UdpClient::connect(server.ipv4());
    let query = some_query(&mut random);
    // A query cut short at each octet, nothing at all, and the longest datagrams there are.
    for length in 0..query.len() {
        client.send(&query[..length]);
    }
    for length in [0, 1, 511, 512, 4095, 4096, 4097, 9000, 65_507] {
        let octets = random.octets(length);
        client.send(&octets);
        let mut padded = query.clone();
        padded.resize(length.max(query.len()), 0);
        client.send(&padded);
    }
    assert_unharmed(&mut server, before);
}

/// No answer is more than a small multiple of its query unless it says so: truncation, HINFO for ANY.
#[test]
fn answers_over_udp_never_exceed_1232_octets() {
    let mut random = Random::from_seed("amplification", 0xa3);
    let server = example::serve(&[]);
    let client = UdpClient::connect(server.ipv4());
    for _ in 0..500 {
        client.send(&some_query(&mut random));
        let answer = client.receive().expect("a good query is answered");
        assert!(answer.len() <= 1232, "{} octets", answer.len());
    }
}

#[test]
fn random_octets_over_tcp_leave_it_answering() {
    let mut random = Random::from_seed("streams", 0x7c9);
    let mut server = example::serve(&[]);
    let before = server.resident_kib();
    for number in 0..CONNECTIONS {
        let mut stream = connect(server.ipv4());
        let length = random.below(2000);
        let mut octets = random.octets(length);
        if number % 3 == 0 {
            let mut query = some_query(&mut random);
            mutate(&mut query, &mut random);
            octets = TcpClient::framed(&query);
        }
        // The server may close at any octet: that is its right.
        let _ = stream.write_all(&octets);
        if number % 5 == 0 {
            let mut answer = [0; 512];
            let _ = stream.read(&mut answer);
        }
    }
    assert_unharmed(&mut server, before);
}

/// A message of no octets, a message that never ends, and clients that say nothing.
#[test]
fn connections_that_lead_to_nothing_do_not_keep_others_out() {
    let mut server = example::serve(&[]);
    let before = server.resident_kib();
    let mut held = Vec::new();
    for number in 0..CONNECTIONS {
        let mut stream = connect(server.ipv4());
        let start: &[u8] = match number % 4 {
            0 => &[],
            1 => &[0],
            2 => &[0xff, 0xff, 1, 2, 3],
            _ => &[0, 0],
        };
        let _ = stream.write_all(start);
        held.push(stream);
    }
    assert_unharmed(&mut server, before);
    drop(held);
    assert_unharmed(&mut server, before);
}

/// A message has a time to arrive in, not each of its octets.
#[test]
fn a_message_that_trickles_in_for_ever_is_cut_off() {
    let server = example::serve(&[]);
    let mut stream = connect(server.ipv4());
    // A message of 512 octets, two of them each second.
    stream.write_all(&[2, 0]).unwrap();
    let start = Instant::now();
    while stream.write_all(&[0]).is_ok() && !matches!(stream.read(&mut [0]), Ok(0)) {
        assert!(start.elapsed() < PATIENCE, "the connection is still there");
        std::thread::sleep(Duration::from_millis(500));
    }
    println!("cut off after {:.1?}", start.elapsed());
    assert_answers(&server);
}

/// Shells give a process 1024 open files (here fewer, so that the test needs no more itself), and one client can hold as many
/// connections: others must get in, at once, and the prober must get its own.
#[test]
fn a_low_limit_of_open_files_does_not_keep_others_out() {
    let zone = example::example();
    let server = Server::start_after("ulimit -Sn 128", &[("example.toml", &zone)]);
    let held: Vec<_> = (0..200).map(|_| connect(server.ipv4())).collect();
    let start = Instant::now();
    let mut stream = TcpClient::connect(server.ipv4());
    assert_eq!(stream.exchange(&Ask::new("example.com", A)).rdata(), ["192.0.2.1"]);
    assert!(start.elapsed() < Duration::from_secs(2), "answered after {:?}", start.elapsed());
    drop(held);
}

/// A client that asks much and reads nothing must not make the server keep its answers.
#[test]
fn a_client_that_does_not_read_costs_little() {
    let mut server = example::serve(&[]);
    let before = server.resident_kib();
    let query = TcpClient::framed(&Ask::new("big.example.com", TXT).octets());
    let mut clients = Vec::new();
    for _ in 0..8 {
        let mut stream = connect(server.ipv4());
        stream.set_write_timeout(Some(Duration::from_millis(200))).unwrap();
        for _ in 0..5_000 {
            if stream.write_all(&query).is_err() {
                break;
            }
        }
        clients.push(stream);
    }
    assert_unharmed(&mut server, before);
}

fn connect(server: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(server).expect("the server takes no connection");
    stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    stream.set_write_timeout(Some(Duration::from_secs(2))).unwrap();
    stream
}
