//! meridian against BIND, Knot DNS and NSD: the same zones, the same questions, and no difference that can't be explained.
//!
//! The zones and the questions come from a seed, which is printed; `MERIDIAN_SEED` sets another. What the peers are asked over
//! UDP is asked over TCP too if any of them truncates its answer, so that all answers are compared whole.

mod harness;

use std::net::SocketAddr;

use harness::differential::comparison::Transport;
use harness::differential::decoding::Decoded;
use harness::differential::peers::{self, Peer};
use harness::differential::query_generator::{self, Query};
use harness::differential::report::Report;
use harness::differential::zone_generator;
use harness::differential::zone_set::{Format, ZoneSet};
use harness::random::Random;
use harness::server::Server;

/// Sets of zones, and questions about each.
const SETS: usize = 36;
const QUESTIONS: usize = 2000;

/// The seed unless `MERIDIAN_SEED` gives another.
const SEED: u64 = 0x6d65_7269_6469_616e;

/// What every second set is written in for meridian; the others are TOML.
const SECOND_FORMAT: Format = Format::Master;

fn seed() -> u64 {
    let Ok(text) = std::env::var("MERIDIAN_SEED") else { return SEED };
    let parsed = match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => text.parse(),
    };
    parsed.unwrap_or_else(|_| panic!("MERIDIAN_SEED is no number: {text}"))
}

fn start_server(set: &ZoneSet, format: Format) -> Server {
    let files = set.files(format);
    let files: Vec<_> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    Server::start(&files, &["--strict"])
}

/// The answers of meridian, then those of the peers.
type Answers = [Vec<Vec<u8>>; 4];

fn ask(servers: &[SocketAddr], queries: &[Query], transport: Transport, peers: &[Peer]) -> Answers {
    let asked = peers::ask_everybody(servers, queries, transport);
    let answers = asked.into_iter().enumerate().map(|(place, answers)| {
        answers.unwrap_or_else(|error| {
            let log = place.checked_sub(1).map_or(String::new(), |place| peers[place].log());
            panic!("server {place}: {error}\n{log}")
        })
    });
    answers.collect::<Vec<_>>().try_into().expect("four servers")
}

/// The answers to one question, ours first, or why ours can't be read.
type Decodes = Result<(Decoded, [Decoded; 3]), String>;

fn decode(queries: &[Query], answers: &Answers) -> Vec<Decodes> {
    let decode_each = |(place, query): (usize, &Query)| {
        let [ours, theirs @ ..] = answers.each_ref().map(|answers| &answers[place]);
        let theirs = theirs.map(|octets| {
            Decoded::read(octets).unwrap_or_else(|error| panic!("{error} at {}", query.dig()))
        });
        Decoded::read_twice(ours).map(|ours| (ours, theirs))
    };
    queries.iter().enumerate().map(decode_each).collect()
}

fn is_truncated(decodes: &Decodes) -> bool {
    let Ok((ours, theirs)) = decodes else { return false };
    ours.is_truncated() || theirs.iter().any(Decoded::is_truncated)
}

/// What everybody answered to the questions about one set.
struct Gathered {
    set: ZoneSet,
    queries: Vec<Query>,
    answers: Vec<Decodes>,
    /// Places of the questions that somebody truncated the answer to, and their answers over TCP.
    whole: Vec<(usize, Decodes)>,
}

fn gather(number: usize, questions: usize) -> Gathered {
    let name = format!("set {number}");
    let mut random = Random::from_seed(&name, seed().wrapping_add(number as u64));
    let set = zone_generator::generate(&mut random, number);
    let peers = peers::start_all(&set);
    let format = if number.is_multiple_of(2) { Format::Toml } else { SECOND_FORMAT };
    let server = start_server(&set, format);
    let addresses = peers.iter().map(|peer| peer.address);
    let servers: Vec<_> = [server.ipv4()].into_iter().chain(addresses).collect();
    let queries = query_generator::generate(&mut random, &set, questions);
    let answers = decode(&queries, &ask(&servers, &queries, Transport::Udp, &peers));
    let places = (0..queries.len()).filter(|place| is_truncated(&answers[*place]));
    let (places, truncated): (Vec<usize>, Vec<Query>) =
        places.map(|place| (place, queries[place].clone())).unzip();
    let whole = decode(&truncated, &ask(&servers, &truncated, Transport::Tcp, &peers));
    Gathered { set, queries, answers, whole: places.into_iter().zip(whole).collect() }
}

fn judge(gathered: &Gathered, report: &mut Report) {
    let Gathered { set, queries, answers, whole } = gathered;
    for (place, (query, decodes)) in queries.iter().zip(answers).enumerate() {
        let whole = whole.iter().find(|(other, _)| *other == place);
        let whole = whole.and_then(|(_, decodes)| decodes.as_ref().ok());
        report.take(set, query, Transport::Udp, decodes, whole);
    }
    for (place, decodes) in whole {
        report.take(set, &queries[*place], Transport::Tcp, decodes, None);
    }
}

#[test]
fn bind_knot_and_nsd_answer_alike() {
    let mut report = Report::default();
    for number in 0..SETS {
        judge(&gather(number, QUESTIONS), &mut report);
    }
    println!("{}", report.print());
    assert!(report.pairs() >= SETS * QUESTIONS);
    assert!(report.is_clean(), "unexplained differences, or faults: see above");
}

type Mistake = (&'static str, fn(&mut Decoded));

/// Mistakes that a server could make.
const MISTAKES: [Mistake; 6] = [
    ("another rcode", |answer| answer.rcode ^= 1),
    ("another AA", |answer| answer.flags ^= 0x0400),
    ("an RRset less in the answer", |answer| drop(answer.answer.pop())),
    ("an RRset less in the authority", |answer| drop(answer.authority.pop())),
    ("another TTL", |answer| {
        answer.answer.iter_mut().for_each(|set| set.ttl += 1);
        answer.authority.iter_mut().for_each(|set| set.ttl += 1);
    }),
    ("other data", |answer| {
        let sets = answer.answer.iter_mut().chain(&mut answer.authority);
        sets.flat_map(|set| &mut set.data).for_each(|data| data.push(0));
    }),
];

/// No explanation is so wide that a mistake in the answer or the authority section passes through it. Additional data is optional
/// but for glue, so that a lack of it can be explained; that what is there is true is checked without the peers.
#[test]
fn planted_mistakes_are_found() {
    let gathered = gather(2, 1000);
    let (mut planted, mut passed) = (0, Vec::new());
    for (query, decodes) in gathered.queries.iter().zip(&gathered.answers) {
        let Ok((ours, theirs)) = decodes else { continue };
        if is_truncated(decodes) {
            continue;
        }
        for (name, make) in MISTAKES {
            let mut wrong = ours.clone();
            make(&mut wrong);
            let is_same = (&wrong.answer, &wrong.authority) == (&ours.answer, &ours.authority);
            if is_same && (wrong.rcode, wrong.flags) == (ours.rcode, ours.flags) {
                continue;
            }
            let (mut report, decodes) = (Report::default(), Ok((wrong, theirs.clone())));
            report.take(&gathered.set, query, Transport::Udp, &decodes, None);
            planted += 1;
            if report.is_clean() {
                passed.push(format!("{name}: {}", query.dig()));
            }
        }
    }
    println!("{planted} mistakes planted");
    assert!(planted > 3000, "{planted} mistakes are too few");
    assert!(passed.is_empty(), "{} pass:\n{}", passed.len(), passed.join("\n"));
}
