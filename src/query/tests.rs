//! Answers as a client would read them, from zones in TOML to decoded messages.

use std::sync::{Arc, LazyLock};

use hickory_proto::op::{Message, ResponseCode};

use super::{Client, Engine, Outcome, Scratch, Transport};
use crate::config::{Source, compile_zone};
use crate::geo::Database;
use crate::health::View;
use crate::snapshot::{Generation, Ingredients, Snapshot};
use crate::wire::{Name, RecordType};

const ZONE: &str = r#"
zone = "example.com"
[pool.us]
addresses = ["192.0.2.1"]
[pool.alias]
cname = "www.example.net."
[names]
"@" = { SOA = "ns1 hostmaster", NS = ["ns1", "ns.example.net."], MX = ["10 mail", "20 mail2"] }
ns1 = { A = "192.0.2.53" }
mail = { A = "192.0.2.25" }
mail2 = { A = "192.0.2.26" }
api = { pool = "us", ttl = "30s", TXT = "about api" }
away = { pool = "alias" }
one = { CNAME = "two" }
two = { CNAME = "three.example.net." }
into-refused = { CNAME = "x.refused.example." }
out = { CNAME = "www.example.org." }
dead = { CNAME = "nowhere" }
loop1 = { CNAME = "loop2" }
loop2 = { CNAME = "loop1" }
"*.wild" = { TXT = "wild" }
"*.alias" = { CNAME = "ns1" }
sub = { NS = ["ns.sub", "ns1"] }
"ns.sub" = { A = "198.51.100.53", AAAA = "2001:db8::53" }
big = { TXT = ["@BIG@"] }
"#;

const OTHER: &str = r#"
zone = "example.net"
[names]
"@" = { SOA = "ns hostmaster", NS = "ns" }
ns = { A = "192.0.2.54" }
www = { A = "192.0.2.80" }
three = { A = "192.0.2.33" }
"#;

fn compile(text: &str) -> crate::config::CompiledZone {
    let source = Source { path: "test.toml".into(), text: text.into(), modified: 7 };
    match compile_zone(&source) {
        Ok((zone, _)) => zone,
        Err(rejected) => {
            panic!("{}", crate::config::render(&rejected.diagnostics, |_| Some(text), false))
        }
    }
}

/// Reading the database takes most of a second without optimisation: once is enough.
static DATABASE: LazyLock<Arc<Database>> =
    LazyLock::new(|| Arc::new(Database::built_in().unwrap()));

struct Bench {
    snapshot: Snapshot,
    view: View,
}

impl Bench {
    fn new() -> Self {
        let big: Vec<String> = (0..60).map(|i| format!("{i:03} {}", "x".repeat(40))).collect();
        let zone = compile(&ZONE.replace("@BIG@", &big.join("\", \"")));
        let snapshot = Snapshot::compile(Ingredients {
            zones: vec![zone, compile(OTHER)],
            refused: &[Name::parse("refused.example.", &Name::root()).unwrap()],
            database: Arc::clone(&DATABASE),
            seed: 5,
            generation: Generation(1),
            previous: None,
        })
        .unwrap();
        let view = View::new(snapshot.targets.len());
        Self { snapshot, view }
    }

    fn ask_as(
        &self,
        name: &str,
        qtype: RecordType,
        transport: Transport,
        opt: &[u8],
    ) -> (Outcome, Message) {
        let mut query = vec![0xab, 0xcd, 1, 0, 0, 1, 0, 0, 0, 0, 0, u8::from(!opt.is_empty())];
        query.extend(Name::parse(name, &Name::root()).unwrap().as_wire());
        query.extend(qtype.0.to_be_bytes());
        query.extend([0, 1]);
        query.extend(opt);
        let mut out = vec![0; 65_535];
        let client = Client { address: "127.0.0.1".parse().unwrap(), transport };
        let engine = Engine { snapshot: &self.snapshot, view: &self.view };
        let outcome = engine.answer(&mut Scratch::new(3), &query, client, &mut out);
        (outcome, Message::from_vec(&out[..outcome.octets]).unwrap())
    }

    /// Asks over TCP without EDNS.
    fn ask(&self, name: &str, qtype: RecordType) -> Message {
        self.ask_as(name, qtype, Transport::Stream, &[]).1
    }
}

fn show(records: &[hickory_proto::rr::Record]) -> Vec<String> {
    records.iter().map(ToString::to_string).collect()
}

#[test]
fn a_chain_goes_on_through_our_zones() {
    let answer = Bench::new().ask("one.example.com.", RecordType::A);
    assert_eq!(
        show(&answer.answers),
        [
            "one.example.com. 300 IN CNAME two.example.com.",
            "two.example.com. 300 IN CNAME three.example.net.",
            "three.example.net. 300 IN A 192.0.2.33",
        ]
    );
    assert!(answer.metadata.authoritative);
}

#[test]
fn a_chain_ends_before_what_is_not_ours() {
    let bench = Bench::new();
    for name in ["out.example.com.", "into-refused.example.com."] {
        let answer = bench.ask(name, RecordType::A);
        assert_eq!(answer.metadata.response_code, ResponseCode::NoError, "{name}");
        assert_eq!((answer.answers.len(), answer.authorities.len()), (1, 0), "{name}");
    }
}

#[test]
fn a_chain_into_nothing_is_nxdomain_with_the_soa() {
    let answer = Bench::new().ask("dead.example.com.", RecordType::A);
    assert_eq!(answer.metadata.response_code, ResponseCode::NXDomain);
    assert_eq!((answer.answers.len(), answer.authorities.len()), (1, 1));
}

#[test]
fn a_loop_is_told_once() {
    let answer = Bench::new().ask("loop1.example.com.", RecordType::A);
    assert_eq!(answer.answers.len(), 2);
    assert_eq!(answer.metadata.response_code, ResponseCode::NoError);
}

#[test]
fn cname_itself_is_not_followed() {
    assert_eq!(Bench::new().ask("one.example.com.", RecordType::CNAME).answers.len(), 1);
    assert_eq!(Bench::new().ask("away.example.com.", RecordType::CNAME).answers.len(), 1);
}

#[test]
fn a_routed_alias_answers_every_type_and_is_followed() {
    let bench = Bench::new();
    let answer = bench.ask("away.example.com.", RecordType::A);
    assert_eq!(
        show(&answer.answers),
        ["away.example.com. 300 IN CNAME www.example.net.", "www.example.net. 300 IN A 192.0.2.80"]
    );
    let answer = bench.ask("away.example.com.", RecordType::TXT);
    assert_eq!((answer.answers.len(), answer.authorities.len()), (1, 1));
}

#[test]
fn routed_and_plain_records_of_one_name() {
    let bench = Bench::new();
    assert_eq!(
        show(&bench.ask("api.example.com.", RecordType::A).answers),
        ["api.example.com. 30 IN A 192.0.2.1"]
    );
    assert_eq!(bench.ask("api.example.com.", RecordType::TXT).answers.len(), 1);
    let no_data = bench.ask("api.example.com.", RecordType::AAAA);
    assert_eq!((no_data.answers.len(), no_data.authorities.len()), (0, 1));
    assert_eq!(no_data.metadata.response_code, ResponseCode::NoError);
}

#[test]
fn wildcards_answer_with_the_name_asked_for() {
    let bench = Bench::new();
    let answer = bench.ask("a.b.wild.example.com.", RecordType::TXT);
    assert_eq!(show(&answer.answers), ["a.b.wild.example.com. 300 IN TXT wild"]);
    assert_eq!(bench.ask("a.alias.example.com.", RecordType::A).answers.len(), 2);
    assert_eq!(
        bench.ask("wild.example.com.", RecordType::TXT).metadata.response_code,
        ResponseCode::NoError
    );
}

#[test]
fn a_referral_has_glue_and_is_not_authoritative() {
    let answer = Bench::new().ask("deep.sub.example.com.", RecordType::A);
    assert!(!answer.metadata.authoritative);
    assert_eq!(
        (answer.answers.len(), answer.authorities.len(), answer.additionals.len()),
        (0, 2, 3)
    );
    assert_eq!(answer.authorities[0].name.to_string(), "sub.example.com.");
}

#[test]
fn referral_glue_that_does_not_fit_truncates() {
    let mut zone = String::from(
        "zone = \"example.com\"\n[names]\n\"@\" = { SOA = \"a b\", NS = \"a.example.org.\" }\n",
    );
    let servers: Vec<String> = (0..20).map(|i| format!("\"server-number-{i}.sub\"")).collect();
    zone.push_str(&format!("sub = {{ NS = [{}] }}\n", servers.join(", ")));
    for server in &servers {
        zone.push_str(&format!("{server} = {{ A = \"192.0.2.1\", AAAA = \"2001:db8::1\" }}\n"));
    }
    let snapshot = Snapshot::compile(Ingredients {
        zones: vec![compile(&zone)],
        refused: &[],
        database: Arc::clone(&DATABASE),
        seed: 5,
        generation: Generation(1),
        previous: None,
    })
    .unwrap();
    let bench = Bench { snapshot, view: View::new(0) };
    let (outcome, answer) = bench.ask_as("x.sub.example.com.", RecordType::A, Transport::Udp, &[]);
    assert!(answer.metadata.truncation && outcome.is_truncated && outcome.octets <= 512);
    let (outcome, answer) =
        bench.ask_as("x.sub.example.com.", RecordType::A, Transport::Stream, &[]);
    assert!(!answer.metadata.truncation && !outcome.is_truncated);
    assert_eq!(answer.additionals.len(), 40);
}

#[test]
fn what_does_not_fit_is_left_out_whole() {
    const OPT: &[u8] = &[0, 0, 41, 0xff, 0xff, 0, 0, 0, 0, 0, 0];
    let bench = Bench::new();
    for (opt, most) in [(&[][..], 512), (OPT, 1232)] {
        let (outcome, answer) =
            bench.ask_as("big.example.com.", RecordType::TXT, Transport::Udp, opt);
        assert!(outcome.octets <= most && answer.metadata.truncation);
        assert_eq!((answer.answers.len(), answer.queries.len()), (0, 1));
        assert_eq!(answer.edns.is_some(), !opt.is_empty());
    }
    assert_eq!(bench.ask("big.example.com.", RecordType::TXT).answers.len(), 60);
}

#[test]
fn any_gets_one_record() {
    let bench = Bench::new();
    assert_eq!(bench.ask("example.com.", RecordType::ANY).answers.len(), 1);
    assert_eq!(bench.ask("wild.example.com.", RecordType::ANY).answers.len(), 0);
    for alias in ["one.example.com.", "away.example.com."] {
        let answer = bench.ask(alias, RecordType::ANY);
        assert_eq!(answer.answers.len(), 1);
        assert_eq!(
            answer.answers[0].record_type(),
            hickory_proto::rr::RecordType::CNAME,
            "RFC 8482 section 4.2"
        );
    }
}

#[test]
fn what_is_refused() {
    let bench = Bench::new();
    for (name, qtype, code) in [
        ("example.org.", RecordType::A, ResponseCode::Refused),
        ("example.com.", RecordType::AXFR, ResponseCode::Refused),
        ("example.com.", RecordType::TSIG, ResponseCode::NotImp),
        ("a.refused.example.", RecordType::A, ResponseCode::ServFail),
    ] {
        let answer = bench.ask(name, qtype);
        assert_eq!(answer.metadata.response_code, code, "{name} {qtype}");
        assert_eq!(answer.queries.len(), 1);
        assert!(!answer.metadata.authoritative);
    }
}
