//! Messages that are wrong in one way each, and what RFCs ask for: silence, or an answer that says which way.
//!
//! [`CASES`] is the table; every line of it goes over UDP and over TCP. Behind it stand the ways in which a stream of messages
//! can go wrong. Random damage is in `abuse.rs`, malformed client subnets are in `answers.rs`.

mod harness;

use std::io::{ErrorKind, Read};
use std::net::{Shutdown, SocketAddr, SocketAddrV4};
use std::time::{Duration, Instant};

use harness::server::Server;
use harness::wire::{
    A, Ask, BADVERS, FORMERR, NOERROR, NOTIMP, REFUSED, Reply, TXT, TcpClient, UdpClient,
};
use harness::{PATIENCE, back_end, example, raw, wait_until};

/// How long silence is listened to. The answers of a server on loopback take a thousandth of it.
const SILENCE: Duration = Duration::from_millis(500);

/// Seconds a connection may be idle: `limits::TCP_IDLE_SECONDS`.
const IDLE: Duration = Duration::from_secs(meridian::limits::TCP_IDLE_SECONDS);

/// The header's id in every case.
const ID: u16 = 0x1234;

/// `example.com. IN A`
const QUESTION: &[u8] = b"\x07example\x03com\x00\x00\x01\x00\x01";

/// An OPT record without options.
const OPT: &[u8] = b"\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x00";

/// What must come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    Silence,
    /// The response code, and whether question and OPT come back.
    Answer {
        rcode: u16,
        question: bool,
        opt: bool,
    },
}

use Expected::Silence;

/// With nothing but a header: not even the question could be read.
const fn bare(rcode: u16) -> Expected {
    Expected::Answer { rcode, question: false, opt: false }
}

/// With the question.
const fn asked(rcode: u16) -> Expected {
    Expected::Answer { rcode, question: true, opt: false }
}

/// With the question and an OPT record.
const fn with_opt(rcode: u16) -> Expected {
    Expected::Answer { rcode, question: true, opt: true }
}

/// What hickory-server makes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OverHickory {
    Same,
    /// hickory-proto can't read the message, so that our engine never sees it: FORMERR without question or OPT.
    Unread,
}

use OverHickory::{Same, Unread};

/// One message.
struct Case {
    name: &'static str,
    octets: Vec<u8>,
    expected: Expected,
    over_hickory: OverHickory,
}

/// A header and what follows it.
fn message(flags: u16, counts: [u16; 4], parts: &[&[u8]]) -> Vec<u8> {
    let mut octets = ID.to_be_bytes().to_vec();
    octets.extend(flags.to_be_bytes());
    octets.extend(counts.iter().flat_map(|count| count.to_be_bytes()));
    octets.extend(parts.concat());
    octets
}

/// A question for A with this name.
fn question(name: &[u8]) -> Vec<u8> {
    message(0, [1, 0, 0, 0], &[name, &[0, 1, 0, 1]])
}

/// A record: owner, type, class, TTL 0, RDATA.
fn record(owner: &[u8], rtype: u16, class: u16, rdata: &[u8]) -> Vec<u8> {
    let mut octets = owner.to_vec();
    octets.extend(rtype.to_be_bytes());
    octets.extend(class.to_be_bytes());
    octets.extend([0; 4]);
    octets.extend((rdata.len() as u16).to_be_bytes());
    octets.extend(rdata);
    octets
}

/// An OPT record of a version with these octets as its options.
fn opt(version: u8, options: &[u8]) -> Vec<u8> {
    let mut octets = vec![0, 0, 41, 4, 0xd0, 0, version, 0, 0];
    octets.extend((options.len() as u16).to_be_bytes());
    octets.extend(options);
    octets
}

/// A name of labels of these lengths.
fn name_of(lengths: &[usize]) -> Vec<u8> {
    let mut name = Vec::new();
    for length in lengths {
        name.push(*length as u8);
        name.resize(name.len() + length, b'x');
    }
    name.push(0);
    name
}

type Row = (&'static str, Vec<u8>, Expected, OverHickory);

/// RFC 1035 §4.1.1, and RFC 9619 §4 for QDCOUNT.
fn headers() -> Vec<Row> {
    let a = record(b"\xc0\x0c", A, 1, &[192, 0, 2, 1]);
    let plain = |flags, counts| message(flags, counts, &[QUESTION]);
    let with = |counts, part: &[u8]| message(0, counts, &[QUESTION, part]);
    vec![
        ("nothing but a header", message(0, [0; 4], &[]), bare(FORMERR), Same),
        ("a header that promises a question", message(0, [1, 0, 0, 0], &[]), bare(FORMERR), Unread),
        ("a question that QDCOUNT denies", plain(0, [0; 4]), bare(FORMERR), Same),
        ("QDCOUNT 2, two questions", with([2, 0, 0, 0], QUESTION), bare(FORMERR), Same),
        ("QDCOUNT 2, one question", plain(0, [2, 0, 0, 0]), bare(FORMERR), Unread),
        ("QDCOUNT 65535", plain(0, [65_535, 0, 0, 0]), bare(FORMERR), Unread),
        ("an answer in a query", with([1, 1, 0, 0], &a), asked(FORMERR), Same),
        ("ANCOUNT 1 without an answer", plain(0, [1, 1, 0, 0]), asked(FORMERR), Unread),
        ("ANCOUNT 65535", plain(0, [1, 65_535, 0, 0]), asked(FORMERR), Unread),
        ("an authority in a query", with([1, 0, 1, 0], &a), asked(FORMERR), Same),
        ("NSCOUNT 65535", plain(0, [1, 0, 65_535, 0]), asked(FORMERR), Unread),
        ("ARCOUNT 1 without a record", plain(0, [1, 0, 0, 1]), asked(FORMERR), Unread),
        ("ARCOUNT 65535", plain(0, [1, 0, 0, 65_535]), asked(FORMERR), Unread),
        ("all counts 65535", plain(0, [65_535; 4]), bare(FORMERR), Unread),
        ("an additional record nobody asked for", with([1, 0, 0, 1], &a), asked(NOERROR), Same),
        ("an octet behind the message", with([1, 0, 0, 0], &[0]), asked(FORMERR), Same),
        ("a second message behind it", with([1, 0, 0, 0], &question(&[0])), asked(FORMERR), Same),
        ("STATUS without a question", message(0x1000, [0; 4], &[]), bare(NOTIMP), Same),
        (
            "NOTIFY with an answer",
            message(0x2000, [1, 1, 0, 0], &[QUESTION, &a]),
            bare(NOTIMP),
            Same,
        ),
        ("UPDATE with nothing it promises", plain(0x2800, [1, 1, 1, 1]), bare(NOTIMP), Unread),
        ("an unassigned opcode", plain(0x7800, [1, 0, 0, 0]), asked(NOTIMP), Same),
        ("an answer", plain(0x8000, [1, 0, 0, 0]), Silence, Same),
        ("an answer with every flag", plain(0xffff, [1, 0, 0, 0]), Silence, Same),
        ("a FORMERR without a question", message(0x8001, [0; 4], &[]), Silence, Same),
        ("an answer with half a question", message(0x8000, [1, 0, 0, 0], &[&[3]]), Silence, Unread),
        ("an answer that lies about its counts", plain(0x8000, [1, 1, 1, 1]), Silence, Unread),
    ]
}

/// RFC 1035 §4.1.2, §3.1 and §4.1.4. A question stands first: its name has nothing to point back to but the header.
fn names() -> Vec<Row> {
    let longest = name_of(&[63, 63, 63, 61]);
    assert_eq!(longest.len(), 255);
    vec![
        ("a name that points at itself", question(b"\xc0\x0c"), bare(FORMERR), Unread),
        ("a name that points at its second half", question(b"\xc0\x0d"), bare(FORMERR), Unread),
        ("a name that points ahead", question(b"\xc0\x20"), bare(FORMERR), Unread),
        ("a name that points behind the end", question(b"\xff\xff"), bare(FORMERR), Unread),
        ("a label, then a pointer back to it", question(b"\x01a\xc0\x0c"), bare(FORMERR), Unread),
        ("a pointer into the header", question(b"\xc0\x04"), bare(FORMERR), Same),
        ("half a pointer", message(0, [1, 0, 0, 0], &[b"\x01a\xc0"]), bare(FORMERR), Unread),
        ("a label of type 01", question(b"\x41\x08\x00"), bare(FORMERR), Unread),
        ("a label of type 10", question(b"\x81x\x00"), bare(FORMERR), Unread),
        ("a label longer than the message", question(b"\x3fabc"), bare(FORMERR), Unread),
        ("a name without an end", message(0, [1, 0, 0, 0], &[b"\x03abc"]), bare(FORMERR), Unread),
        ("a name of 255 octets", question(&longest), asked(REFUSED), Same),
        ("a name of 256 octets", question(&name_of(&[63, 63, 63, 62])), bare(FORMERR), Unread),
        ("a name of 1000 octets", question(&name_of(&[9; 100])), bare(FORMERR), Unread),
        ("a name of 127 labels", question(&name_of(&[1; 127])), asked(REFUSED), Same),
        (
            "a question without a class",
            message(0, [1, 0, 0, 0], &[b"\x00\x00\x01\x00"]),
            bare(FORMERR),
            Unread,
        ),
        (
            "a label with a zero octet and a dot",
            question(b"\x03\x00.\xff\x00"),
            asked(REFUSED),
            Same,
        ),
    ]
}

/// RFC 6891 §6.1.1 and §6.1.2: one OPT, its owner the root; §6.1.3: the version that we have goes back.
fn edns() -> Vec<Row> {
    let with =
        |count, parts: &[&[u8]]| message(0, [1, 0, 0, count], &[&[QUESTION], parts].concat());
    let mut past_end = opt(0, &[]);
    past_end[10] = 4;
    let many: Vec<u8> = (0..33).flat_map(|_| [0xfd, 0xe9, 0, 0]).collect();
    let mut z = opt(0, &[]);
    z[7..9].copy_from_slice(&[0x7f, 0xff]);
    let mut high = opt(0, &[]);
    high[5] = 0xff;
    vec![
        ("OPT", with(1, &[OPT]), with_opt(NOERROR), Same),
        ("two OPTs", with(2, &[OPT, OPT]), with_opt(FORMERR), Unread),
        ("OPT of a name", with(1, &[b"\x01a", OPT]), asked(FORMERR), Unread),
        ("OPT of the question's name", with(1, &[b"\xc0\x0c", &OPT[1..]]), asked(FORMERR), Unread),
        ("OPT in the answer", message(0, [1, 1, 0, 0], &[QUESTION, OPT]), asked(FORMERR), Unread),
        (
            "OPT in the authority",
            message(0, [1, 0, 1, 0], &[QUESTION, OPT]),
            asked(FORMERR),
            Unread,
        ),
        ("half an OPT", with(1, &[&OPT[..6]]), asked(FORMERR), Unread),
        ("RDLENGTH beyond the end", with(1, &[&past_end]), asked(FORMERR), Unread),
        ("an octet behind OPT", with(1, &[OPT, &[0]]), with_opt(FORMERR), Same),
        ("half an option", with(1, &[&opt(0, &[0, 10, 0])]), with_opt(FORMERR), Unread),
        (
            "an option beyond the end",
            with(1, &[&opt(0, &[0, 10, 0, 9, 1])]),
            with_opt(FORMERR),
            Unread,
        ),
        ("an unknown option", with(1, &[&opt(0, &[0xfd, 0xe9, 0, 1, 7])]), with_opt(NOERROR), Same),
        ("33 options", with(1, &[&opt(0, &many)]), with_opt(FORMERR), Same),
        ("version 1", with(1, &[&opt(1, &[])]), with_opt(BADVERS), Same),
        ("version 255", with(1, &[&opt(255, &[])]), with_opt(BADVERS), Same),
        (
            "version 1, its options unreadable",
            with(1, &[&opt(1, &[1, 2, 3])]),
            with_opt(BADVERS),
            Unread,
        ),
        (
            "version 1 of a name not ours",
            message(0, [1, 0, 0, 1], &[b"\x00\x00\x01\x00\x01", &opt(1, &[])]),
            with_opt(BADVERS),
            Same,
        ),
        ("unknown flags", with(1, &[&z]), with_opt(NOERROR), Same),
        ("an extended response code in a query", with(1, &[&high]), with_opt(NOERROR), Same),
    ]
}

fn cases() -> Vec<Case> {
    let rows = [headers(), names(), edns()].concat();
    rows.into_iter()
        .map(|(name, octets, expected, over_hickory)| Case { name, octets, expected, over_hickory })
        .collect()
}

impl Case {
    /// What is expected of the back end that is tested.
    fn expected(&self) -> Expected {
        if self.over_hickory == Unread && back_end::differs("unread") {
            return bare(FORMERR);
        }
        self.expected
    }

    fn assert_answered_by(&self, reply: &Reply, transport: &str) {
        let name = format!("{} over {transport}", self.name);
        let Expected::Answer { rcode, question, opt } = self.expected() else {
            panic!("{name}: an answer instead of silence, {:02x?}", reply.octets)
        };
        assert_eq!(reply.rcode(), rcode, "{name}");
        assert_eq!(reply.id(), ID, "{name}");
        let sent = u16::from_be_bytes([self.octets[2], self.octets[3]]);
        assert_eq!(
            reply.flags() & 0xf970,
            0x8000 | sent & 0x7910,
            "{name}: QR, opcode, RD, CD, and no Z, RA, AD"
        );
        assert!(!reply.is_truncated(), "{name}");
        assert_eq!(reply.message.edns.is_some(), opt, "{name}: OPT");
        if let Some(edns) = &reply.message.edns {
            assert_eq!((edns.version(), edns.max_payload()), (0, 1232), "{name}");
            assert_eq!(edns.flags().z, 0, "{name}: flags of EDNS that we don't know");
        }
        assert_eq!(reply.counts()[0], u16::from(question), "{name}: QDCOUNT");
        if question {
            let octets = &reply.octets[12..];
            let length = octets.iter().scan(0, |left, octet| {
                let is_length = *left == 0;
                *left = if is_length { usize::from(*octet) } else { *left - 1 };
                Some(!(is_length && *octet == 0))
            });
            let length = length.take_while(|goes_on| *goes_on).count() + 5;
            assert_eq!(octets[..length], self.octets[12..12 + length], "{name}: the question");
        }
        if rcode != NOERROR {
            assert_eq!(reply.counts()[1..3], [0, 0], "{name}: records with an error");
        }
    }
}

#[test]
fn each_malformed_message_gets_its_answer_over_udp() {
    let mut server = example::serve(&[]);
    for case in cases() {
        // A socket per case: what comes late can't be taken for the answer to another.
        let client = UdpClient::connect(server.ipv4());
        client.send(&case.octets);
        if case.expected() == Silence {
            assert_silence(&client, case.name);
        } else {
            let octets = client.receive().unwrap_or_else(|| panic!("{}: no answer", case.name));
            case.assert_answered_by(&Reply::parse(octets), "UDP");
        }
    }
    assert_unharmed(&mut server);
}

/// A good query from the same socket overtakes nothing: its answer is the first that comes, and nothing follows.
fn assert_silence(client: &UdpClient, name: &str) {
    let ask = Ask::new("example.com", A).id(0xbeef);
    assert_eq!(client.exchange_octets(&ask.octets()).id(), 0xbeef, "{name}");
    assert_eq!(client.receive_within(SILENCE / 10), None, "{name}");
}

#[test]
fn each_malformed_message_gets_its_answer_over_tcp() {
    let mut server = example::serve(&[]);
    for case in cases() {
        let mut client = TcpClient::connect(server.ipv4());
        client.write(&TcpClient::framed(&case.octets));
        if case.expected() != Silence {
            case.assert_answered_by(&client.receive(), "TCP");
            // The stream is still in step: the next message is answered.
            assert_eq!(client.exchange(&Ask::new("example.com", A)).rdata(), ["192.0.2.1"]);
        } else if !back_end::differs("streams of silence") {
            // A message that deserves silence has no place on a stream that both ends agreed to.
            assert_closed(&mut client, case.name);
        }
    }
    assert_unharmed(&mut server);
}

/// Anything shorter than a header (RFC 1035 §4.1.1), and anything that says it is an answer: an answer to an answer could be
/// answered for ever (RFC 5358, and the loops of 2024's CVE-2024-2169).
#[test]
fn what_is_no_query_gets_silence() {
    let mut server = example::serve(&[]);
    let client = UdpClient::connect(server.ipv4());
    let query = Ask::new("example.com", A).octets();
    for flags in [0x8000u16, 0x8180, 0x8580, 0x8005, 0xffff] {
        let mut answer = query.clone();
        answer[2..4].copy_from_slice(&flags.to_be_bytes());
        client.send(&answer);
    }
    for length in 0..12 {
        client.send(&query[..length]);
    }
    assert_eq!(client.receive_within(SILENCE), None);
    assert_unharmed(&mut server);
}

/// Nobody can be answered at port 0, and whoever pretends to be the server itself only wants to see it talk to itself.
#[test]
fn datagrams_from_port_0_and_from_the_server_itself_get_silence() {
    raw::with_raw_sockets(
        concat!(module_path!(), "::datagrams_from_port_0_and_from_the_server_itself_get_silence"),
        || {
            let mut server = example::serve(&[]);
            let SocketAddr::V4(address) = server.ipv4() else { panic!("not IPv4") };
            let query = Ask::new("example.com", A).octets();
            let responses = |server: &Server| {
                server.metrics().sum("meridian_dns_responses_total", &[("proto", "udp")])
            };
            let from_raw = SocketAddrV4::new(*address.ip(), 40_053);
            raw::send(from_raw, address, &query);
            assert_unharmed(&mut server);
            // Raw datagrams arrive: the first was answered, as was the good query.
            // Another worker may have taken it, and count it a little later.
            wait_until("both were answered", PATIENCE, || responses(&server) == 2.0);
            for _ in 0..10 {
                raw::send(SocketAddrV4::new(*address.ip(), 0), address, &query);
                if !back_end::differs("own address") {
                    raw::send(address, address, &query);
                }
            }
            assert_unharmed(&mut server);
            assert_eq!(responses(&server), 3.0);
        },
    );
}

fn assert_unharmed(server: &mut Server) {
    assert!(server.is_running(), "{}", server.stderr());
    assert_eq!(server.ask(&Ask::new("example.com", A)).rdata(), ["192.0.2.1"]);
    let log = server.stderr();
    assert!(!log.contains("panicked"), "{log}");
}

/// The server ends the connection, without another octet.
fn assert_closed(client: &mut TcpClient, why: &str) {
    client.stream.set_read_timeout(Some(PATIENCE)).unwrap();
    match client.stream.read(&mut [0]) {
        Ok(0) => {}
        Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
        other => panic!("{why}: {other:?} instead of the end"),
    }
}

/// A message of no octets is shorter than a header.
#[test]
fn a_length_of_zero_ends_the_stream_behind_the_answers_before_it() {
    let server = example::serve(&[]);
    for length in [0, 1, 11] {
        let mut client = TcpClient::connect(server.ipv4());
        client.send(&Ask::new("example.com", A).id(1));
        client.write(&TcpClient::framed(&vec![0; length]));
        let reply = client.receive();
        assert_eq!((reply.id(), reply.rdata()), (1, vec!["192.0.2.1".to_owned()]));
        if !back_end::differs("streams of silence") {
            assert_closed(&mut client, &format!("a message of {length} octets"));
        }
    }
}

#[test]
fn a_client_that_leaves_in_the_middle_of_a_message_gets_what_it_asked_before() {
    let mut server = example::serve(&[]);
    for garbage in [&[0xff, 0xff, 1, 2, 3][..], &[0], &[0x00, 0x20], &[0xff; 300]] {
        let mut client = TcpClient::connect(server.ipv4());
        let asks = [Ask::new("big.example.com", TXT).id(1), Ask::new("example.com", A).id(2)];
        let mut octets: Vec<u8> =
            asks.iter().flat_map(|ask| TcpClient::framed(&ask.octets())).collect();
        octets.extend(garbage);
        client.write(&octets);
        client.stream.shutdown(Shutdown::Write).unwrap();
        let mut ids = [client.receive().id(), client.receive().id()];
        ids.sort_unstable();
        assert_eq!(ids, [1, 2], "before {garbage:02x?}");
        assert_closed(&mut client, &format!("{garbage:02x?}"));
    }
    assert_unharmed(&mut server);
}

/// 200 answers on one connection, and the client has said goodbye before it reads the first. Any order will do (RFC 7766 §7).
#[test]
fn pipelined_queries_are_all_answered_after_the_client_has_shut_its_side() {
    const QUERIES: u16 = 200;
    let server = example::serve(&[]);
    let mut client = TcpClient::connect(server.ipv4());
    let all: Vec<u8> = (0..QUERIES)
        .flat_map(|id| {
            let name =
                ["example.com", "www.example.com", "missing.example.com"][usize::from(id) % 3];
            TcpClient::framed(&Ask::new(name, A).id(id).octets())
        })
        .collect();
    client.write(&all);
    client.stream.shutdown(Shutdown::Write).unwrap();
    let mut ids: Vec<u16> = (0..QUERIES).map(|_| client.receive().id()).collect();
    ids.sort_unstable();
    assert!(ids.into_iter().eq(0..QUERIES));
    assert_closed(&mut client, "all is answered");
}

/// RFC 7766 §6.2.3: an idle connection is given some seconds, and each query gives them anew.
#[test]
fn an_idle_connection_is_kept_for_its_time_and_ended_after_it() {
    let server = example::serve(&[]);
    let mut silent = TcpClient::connect(server.ipv4());
    let mut client = TcpClient::connect(server.ipv4());
    for _ in 0..2 {
        assert_eq!(client.exchange(&Ask::new("example.com", A)).rdata(), ["192.0.2.1"]);
        std::thread::sleep(IDLE * 6 / 10);
    }
    assert_eq!(client.exchange(&Ask::new("example.com", A)).rdata(), ["192.0.2.1"]);
    let start = Instant::now();
    assert_closed(&mut silent, "never asked");
    assert_closed(&mut client, "idle after it asked");
    // The lower bound is the promise; the upper one is patience.
    assert!(start.elapsed() >= IDLE / 2, "ended after {:?}", start.elapsed());
}
