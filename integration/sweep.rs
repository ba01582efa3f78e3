//! Every type there is, every class, opcode and flag, at names of every kind, asked by the hundred thousand: each answer must be
//! what a small model of the RFCs says, and be read alike by two decoders.
//!
//! Types are covered whole; of the product with the other axes, each value of each axis and a sample from a fixed seed.

mod harness;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use domain::base::Rtype;
use harness::example;
use harness::random::Random;
use harness::server::Server;
use harness::wire::{
    A, AAAA, ANY, AXFR, Ask, BADVERS, CAA, CNAME, DS, HINFO, IXFR, MAILA, MAILB, MX, NOERROR,
    NOTIMP, NS, NXDOMAIN, OPT, REFUSED, Reply, SERVFAIL, SOA, TKEY, TSIG, TXT, TcpClient,
    UdpClient,
};
use hickory_proto::rr::Record;

/// Queries beyond those that cover each axis.
const SAMPLE: usize = 60_000;

/// Sockets that ask at once, and the queries that each has under way: together fewer than the smallest receive buffer holds.
const SOCKETS: usize = 4;
const WINDOW: usize = 32;

/// How long a window may take before what is missing is asked again, and how often.
const LOST: Duration = Duration::from_secs(2);
const TRIES: usize = 3;

const IN: u16 = 1;
const CH: u16 = 3;
const HS: u16 = 4;
const NONE: u16 = 254;
const ANY_CLASS: u16 = 255;

/// AA, TC, RD, RA, Z, AD, CD; and QR, with which a message is no query.
const FLAGS: u16 = 0x07f0;
const QR: u16 = 0x8000;

/// A zone whose file is refused: it is ours, and nothing is known of it.
const BROKEN: &str = "zone = \"broken.example\"\n[names]\n\"@\" = { A = \"not an address\" }\n";

/// What a name has to offer.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// Of a zone that is not ours (RFC 8914 §4.21).
    Foreign,
    /// Of a zone whose file was refused (RFC 1035 §4.1.1: a problem with the name server).
    Broken,
    /// RFC 8020: the name does not exist, nor anything below it.
    Missing,
    /// Types and the number of their records. None at an empty non-terminal.
    Data(&'static [(u16, u16)]),
    /// So many CNAMEs, and what is at their end.
    Alias(u16, &'static Place),
    /// RFC 1034 §4.2.1: delegated away here; only DS is ours to answer (RFC 4035 §3.1.4.1).
    Cut,
    BelowCut,
}

use Place::{Alias, BelowCut, Broken, Cut, Data, Foreign, Missing};

const ORIGIN: Place = Data(&[(A, 2), (AAAA, 1)]);
const ROUTED: Place = Data(&[(A, 1), (AAAA, 1)]);
const BIG: &str = "big.example.com";

const NAMES: [(&str, Place); 18] = [
    ("example.com", Data(&[(SOA, 1), (NS, 2), (A, 1), (MX, 2), (TXT, 1), (CAA, 1)])),
    ("oRiGiN.example.com", ORIGIN),
    ("b.c.example.com", Data(&[])),
    ("wild.example.com", Data(&[])),
    ("missing.example.com", Missing),
    ("x.origin.example.com", Missing),
    ("x.wild.example.com", Data(&[(A, 1), (TXT, 1)])),
    ("*.wild.example.com", Data(&[(A, 1), (TXT, 1)])),
    ("www.example.com", Alias(2, &ORIGIN)),
    ("elsewhere.example.com", Alias(1, &Foreign)),
    ("sub.example.com", Cut),
    ("deep.down.sub.example.com", BelowCut),
    ("www.places.example", ROUTED),
    ("alias.places.example", Alias(1, &ROUTED)),
    (BIG, Data(&[(TXT, example::BIG as u16)])),
    ("broken.example", Broken),
    ("www.example.net", Foreign),
    (".", Foreign),
];

/// One point of the product.
#[derive(Clone, Copy, Debug)]
struct Query {
    name: usize,
    qtype: u16,
    class: u16,
    opcode: u16,
    flags: u16,
    edns: Edns,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Edns {
    None,
    Plain,
    Small,
    Dnssec,
    Subnet,
    Version1,
}

const EDNS: [Edns; 6] =
    [Edns::None, Edns::Plain, Edns::Small, Edns::Dnssec, Edns::Subnet, Edns::Version1];

impl Query {
    fn plain(name: usize, qtype: u16) -> Self {
        Self { name, qtype, class: IN, opcode: 0, flags: 0, edns: Edns::None }
    }

    fn ask(&self, id: u16) -> Ask {
        let ask = Ask::new(NAMES[self.name].0, self.qtype)
            .id(id)
            .class(self.class)
            .flags(self.flags | self.opcode << 11);
        match self.edns {
            Edns::None => ask,
            Edns::Plain => ask.payload(4096),
            Edns::Small => ask.payload(1),
            Edns::Dnssec => ask.dnssec_ok(),
            Edns::Subnet => ask.subnet("46.4.0.0/24"),
            Edns::Version1 => ask.version(1),
        }
    }

    /// Octets that an answer over UDP may have (RFC 6891 §6.2.3 and §6.2.5, RFC 9715 §3.1).
    fn limit(&self) -> usize {
        if matches!(self.edns, Edns::None | Edns::Small) { 512 } else { 1232 }
    }

    fn is_silenced(&self) -> bool {
        self.flags & QR != 0
    }
}

/// What an answer must be.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Expected {
    /// An error without records.
    Error(u16),
    /// AA, a chain of CNAMEs, and so many records of a type; NODATA and NXDOMAIN have the SOA instead (RFC 2308 §2).
    Found { cnames: u16, records: Option<(u16, u16)>, has_soa: bool, rcode: u16 },
    /// NS in the authority section, no AA.
    Referral,
}

/// The model, in the order in which the RFCs decide.
fn expect(query: &Query) -> Expected {
    match query {
        // RFC 1035 §4.1.1: a kind of query that is not supported; whatever else is in it.
        Query { opcode: 1.., .. } => Expected::Error(NOTIMP),
        // RFC 6891 §6.1.3.
        Query { edns: Edns::Version1, .. } => Expected::Error(BADVERS),
        // No zone of ours is of another class, nor of all of them (RFC 1035 §3.2.5, RFC 2136 §1.1 for NONE).
        Query { class: 0 | 2.., .. } => Expected::Error(REFUSED),
        // By policy; and over UDP there is no AXFR at all (RFC 5936 §4.2).
        Query { qtype: AXFR | IXFR, .. } => Expected::Error(REFUSED),
        // They ask for nothing that a name could have: OPT (RFC 6891 §6.1.1), TSIG (RFC 8945 §4.2), TKEY (RFC 2930 §2) and the
        // two of RFC 1035 §3.2.3.
        Query { qtype: OPT | TSIG | TKEY | MAILA | MAILB, .. } => Expected::Error(NOTIMP),
        Query { name, qtype, .. } => expect_at(&NAMES[*name].1, *qtype),
    }
}

fn expect_at(place: &Place, qtype: u16) -> Expected {
    let found = |records| Expected::Found { cnames: 0, records, has_soa: false, rcode: NOERROR };
    let denied = |rcode| Expected::Found { cnames: 0, records: None, has_soa: true, rcode };
    match place {
        Foreign => Expected::Error(REFUSED),
        Broken => Expected::Error(SERVFAIL),
        Missing => denied(NXDOMAIN),
        Cut if qtype == DS => denied(NOERROR),
        Cut | BelowCut => Expected::Referral,
        // RFC 8482 §4.2.
        Data([_, ..]) if qtype == ANY => found(Some((HINFO, 1))),
        Data(rrsets) => match rrsets.iter().find(|(rtype, _)| *rtype == qtype) {
            Some(rrset) => found(Some(*rrset)),
            None => denied(NOERROR),
        },
        Alias(..) if matches!(qtype, CNAME | ANY) => found(Some((CNAME, 1))),
        Alias(cnames, end) => match expect_at(end, qtype) {
            Expected::Found { records, has_soa, rcode, .. } => {
                Expected::Found { cnames: *cnames, records, has_soa, rcode }
            }
            // The rest of the chain is the resolver's (RFC 1034 §4.3.2 step 3a).
            _ => Expected::Found { cnames: *cnames, records: None, has_soa: false, rcode: NOERROR },
        },
    }
}

fn count(records: &[Record], rtype: u16) -> usize {
    records.iter().filter(|record| u16::from(record.record_type()) == rtype).count()
}

/// Checks one answer. Gives what to count it as.
fn check(query: &Query, reply: &Reply) -> String {
    reply.assert_answers(&query.ask(reply.id()));
    let message = &reply.message;
    let sections = [&message.answers, &message.authorities, &message.additionals].map(Vec::len);
    assert!(reply.octets.len() <= query.limit(), "{query:?}: {} octets", reply.octets.len());
    let edns = message.edns.as_ref();
    assert_eq!(edns.is_some_and(|edns| edns.flags().dnssec_ok), query.edns == Edns::Dnssec, "DO");
    assert!(edns.is_none_or(|edns| edns.version() == 0), "{query:?}");
    let has_subnet = query.edns == Edns::Subnet;
    assert_eq!(reply.subnet().is_some(), has_subnet, "{query:?}: the client subnet");
    // Only one RRset of these zones can be too long.
    let is_big = NAMES[query.name].0 == BIG && query.qtype == TXT;
    let expected = expect(query);
    let is_cut = is_big && matches!(expected, Expected::Found { .. });
    assert_eq!(reply.is_truncated(), is_cut, "{query:?}: TC");
    match expected {
        Expected::Error(rcode) => {
            assert_eq!(reply.rcode(), rcode, "{query:?}");
            assert!(!reply.is_authoritative(), "{query:?}: AA with an error");
            assert_eq!(sections, [0; 3], "{query:?}: records with an error");
        }
        Expected::Referral => {
            assert_eq!((reply.rcode(), reply.is_authoritative()), (NOERROR, false), "{query:?}");
            assert_eq!((sections[0], sections[1]), (0, 2), "{query:?}");
            assert_eq!(count(&message.authorities, NS), 2, "{query:?}");
            // RFC 9471 §3: glue is not optional.
            let glue = [A, AAAA].map(|rtype| count(&message.additionals, rtype));
            assert_eq!(glue, [1, 1], "{query:?}");
        }
        Expected::Found { cnames, records, has_soa, rcode } => {
            assert_eq!((reply.rcode(), reply.is_authoritative()), (rcode, true), "{query:?}");
            let records = records.filter(|_| !is_cut);
            let total = cnames + records.map_or(0, |(_, count)| count);
            assert_eq!(sections[0], usize::from(total), "{query:?}: {:?}", message.answers);
            if let Some((rtype, number)) = records {
                assert_eq!(count(&message.answers, rtype), usize::from(number), "{query:?}");
            }
            if cnames > 0 {
                assert_eq!(count(&message.answers, CNAME), usize::from(cnames), "{query:?}");
            }
            assert_eq!(sections[1], usize::from(has_soa), "{query:?}: {:?}", message.authorities);
            assert_eq!(count(&message.authorities, SOA), usize::from(has_soa), "{query:?}");
        }
    }
    summarize(&expected_kind(query), reply)
}

fn expected_kind(query: &Query) -> String {
    match expect(query) {
        Expected::Error(_) => "error".to_owned(),
        Expected::Referral => "referral".to_owned(),
        Expected::Found { has_soa: true, .. } => "denial".to_owned(),
        Expected::Found { .. } => "answer".to_owned(),
    }
}

fn summarize(kind: &str, reply: &Reply) -> String {
    format!("{kind}, response code {}", reply.rcode())
}

/// Types with a meaning, and their neighbours.
fn interesting_types() -> impl Iterator<Item = u16> + Clone {
    (0..=300).chain(32_766..=32_772).chain(65_270..=65_290).chain(65_520..=u16::MAX)
}

/// All that is asked, in an order of no meaning.
fn queries(random: &mut Random) -> Vec<Query> {
    let mut queries: Vec<Query> = Vec::new();
    for qtype in 0..=u16::MAX {
        queries.push(Query::plain(usize::from(qtype) % NAMES.len(), qtype));
    }
    for name in 0..NAMES.len() {
        for qtype in interesting_types() {
            queries
                .push(Query { edns: EDNS[random.below(EDNS.len())], ..Query::plain(name, qtype) });
        }
        for class in [IN, CH, HS, NONE, ANY_CLASS, 0, random.next() as u16] {
            for opcode in 0..16 {
                for edns in EDNS {
                    queries.push(Query { class, opcode, edns, ..Query::plain(name, A) });
                }
            }
        }
    }
    for pattern in 0..128 {
        for opcode in 0..16 {
            let name = random.below(NAMES.len());
            let query = Query { opcode, flags: pattern << 4, ..Query::plain(name, A) };
            queries.extend([query, Query { flags: query.flags | QR, ..query }]);
        }
    }
    queries.extend((0..SAMPLE).map(|_| sample(random)));
    shuffle(&mut queries, random);
    queries
}

fn sample(random: &mut Random) -> Query {
    let interesting: Vec<u16> = [A, NS, CNAME, SOA, MX, TXT, AAAA, DS, ANY, CAA].into();
    let class = [IN, IN, IN, IN, CH, HS, NONE, ANY_CLASS, 0, random.next() as u16];
    Query {
        name: random.below(NAMES.len()),
        qtype: match random.below(3) {
            0 => random.next() as u16,
            1 => random.below(300) as u16,
            _ => interesting[random.below(interesting.len())],
        },
        class: class[random.below(class.len())],
        opcode: if random.below(4) == 0 { random.below(16) as u16 } else { 0 },
        flags: random.next() as u16 & (FLAGS | if random.below(16) == 0 { QR } else { 0 }),
        edns: EDNS[random.below(EDNS.len())],
    }
}

fn shuffle(queries: &mut [Query], random: &mut Random) {
    for last in (1..queries.len()).rev() {
        queries.swap(last, random.below(last + 1));
    }
}

/// How many answers there were of each kind.
type Tally = BTreeMap<String, usize>;

/// Asks window by window over one socket, and matches answers by their id.
fn ask_all(server: SocketAddr, queries: &[Query]) -> Tally {
    let client = UdpClient::connect(server);
    let mut tally = Tally::new();
    for (number, window) in queries.chunks(WINDOW).enumerate() {
        // No id comes again before 2048 windows are over: what is late is not taken for the answer to another.
        let first = (number * WINDOW) as u16;
        let mut waiting: BTreeMap<u16, Query> =
            (0..).map(|at| first.wrapping_add(at)).zip(window.iter().copied()).collect();
        for attempt in 0.. {
            waiting.iter().for_each(|(id, query)| client.send(&query.ask(*id).octets()));
            receive_window(&client, &mut waiting, &mut tally);
            if waiting.values().all(Query::is_silenced) {
                break;
            }
            assert!(attempt < TRIES, "never answered: {waiting:?}");
        }
        *tally.entry("silence".to_owned()).or_default() += waiting.len();
    }
    assert_eq!(client.receive_within(Duration::from_millis(300)), None, "an answer to an answer");
    tally
}

/// Takes answers until every query has one, or none comes any more.
fn receive_window(client: &UdpClient, waiting: &mut BTreeMap<u16, Query>, tally: &mut Tally) {
    while !waiting.values().all(Query::is_silenced) {
        let Some(octets) = client.receive_within(LOST) else { return };
        let reply = Reply::parse(octets);
        let query = waiting.remove(&reply.id());
        let query = query.unwrap_or_else(|| panic!("nobody asked for {:02x?}", reply.octets));
        assert!(!query.is_silenced(), "{query:?} was answered: {:02x?}", reply.octets);
        *tally.entry(check(&query, &reply)).or_default() += 1;
    }
}

fn serve() -> Server {
    let example = example::example();
    let zones = [
        ("example.toml", example.as_str()),
        ("places.toml", example::PLACES),
        ("broken.toml", BROKEN),
    ];
    Server::start(&zones, &[])
}

#[test]
fn every_type_class_opcode_and_flag_gets_what_the_rfcs_say() {
    let mut random = Random::from_seed("sweep", 0x5_3ee9);
    let queries = queries(&mut random);
    let mut server = serve();
    let (address, start) = (server.ipv4(), Instant::now());
    let parts = queries.chunks(queries.len().div_ceil(SOCKETS));
    let tallies: Vec<Tally> = std::thread::scope(|scope| {
        let threads: Vec<_> =
            parts.map(|part| scope.spawn(move || ask_all(address, part))).collect();
        threads.into_iter().map(|thread| thread.join().expect("see above")).collect()
    });
    let mut tally = Tally::new();
    for (kind, count) in tallies.into_iter().flatten() {
        *tally.entry(kind).or_default() += count;
    }
    println!("{} queries in {:.1?}: {tally:#?}", queries.len(), start.elapsed());
    assert_eq!(tally.values().sum::<usize>(), queries.len());
    assert!(tally.len() >= 9, "a kind of answer is missing: {tally:#?}");
    assert!(server.is_running(), "{}", server.stderr());
    assert_eq!(server.ask(&Ask::new("example.com", A)).rdata(), ["192.0.2.1"]);
    let log = server.stderr();
    assert!(!log.contains("panicked"), "{log}");
    assert!(log.len() < 4096, "strangers can fill the log: {} octets", log.len());
}

/// The same model over a stream, where nothing is too long: a sample.
#[test]
fn a_stream_gets_what_the_rfcs_say_too() {
    let mut random = Random::from_seed("stream", 0x7c9);
    let server = serve();
    let mut client = TcpClient::connect(server.ipv4());
    let mut asked = 0;
    while asked < 3_000 {
        let query = sample(&mut random);
        let is_long = NAMES[query.name].0 == BIG && query.qtype == TXT;
        if query.is_silenced() || is_long {
            continue;
        }
        client.send(&query.ask(asked));
        check(&query, &client.receive());
        asked += 1;
    }
    let reply = client.exchange(&Ask::new(BIG, TXT));
    assert_eq!((reply.is_truncated(), reply.rdata().len()), (false, example::BIG));
}

/// RDATA of every type is read alike by two decoders, over UDP and over TCP. Empty RDATA hickory-proto does not read at all.
#[test]
fn records_of_every_type_are_read_alike() {
    let server = example::serve_types();
    let udp = UdpClient::connect(server.ipv4());
    let mut tcp = TcpClient::connect(server.ipv4());
    for typed in example::TYPES.iter().filter(|typed| typed.rtype != "TYPE65281") {
        let qtype: Rtype = typed.rtype.parse().expect("a type");
        let ask = Ask::new(&typed.name(), qtype.to_int());
        for reply in [udp.exchange(&ask), tcp.exchange(&ask)] {
            assert_eq!(count(&reply.message.answers, qtype.to_int()), 1, "{}", typed.rtype);
        }
    }
}

/// The comparison itself can fail.
#[test]
#[should_panic(expected = "1 octets behind the last record")]
fn an_octet_too_many_is_not_read_alike() {
    let server = example::serve(&[]);
    let mut octets = server.ask(&Ask::new("example.com", A)).octets;
    octets.push(0);
    Reply::parse(octets);
}
