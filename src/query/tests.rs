//! Answers as a client would read them, from zones in TOML to decoded messages.

use std::sync::{Arc, LazyLock};

use hickory_proto::op::{Message, ResponseCode};

use super::{Client, Engine, Outcome, Scratch, Transport};
use crate::config::{Source, compile_zone};
use crate::geo::Database;
use crate::health::View;
use crate::snapshot::{Generation, GeoSources, Identity, Ingredients, Live, Snapshot};
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
    let source = Source::new("test.toml", text, 7);
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
        Self::serving(&[&ZONE.replace("@BIG@", &big.join("\", \"")), OTHER])
    }

    /// A server of these zones, and of `refused.example` whose file was refused.
    fn serving(zones: &[&str]) -> Self {
        let snapshot = Snapshot::compile(Ingredients {
            zones: zones.iter().map(|text| compile(text)).collect(),
            refused: &[Name::parse("refused.example.", &Name::root()).unwrap()],
            geo: &GeoSources::of(Arc::clone(&DATABASE)),
            seed: 5,
            generation: Generation(1),
            identity: Identity {
                server: Some("ns1".into()),
                version: Some("meridian".into()),
                ..Identity::default()
            },
            previous: None,
        })
        .unwrap();
        let view = snapshot.new_view();
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
        let engine = Engine::new(&self.snapshot, &self.view);
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
    let bench = Bench::serving(&[&zone]);
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

const REDIRECTS: &str = r#"
zone = "d.example"
ttl = "1m"
[names]
"@"    = { SOA = "ns1 hostmaster", NS = "ns1" }
ns1    = { A = "192.0.2.53" }
old    = { DNAME = { ttl = "9s", data = "New" }, A = "192.0.2.1" }
"a.new" = { A = "192.0.2.2" }
"b.new" = { CNAME = "c.old" }
"c.new" = { TXT = "c" }
out    = { DNAME = "example.org." }
back   = { DNAME = "@" }
round  = { DNAME = "about" }
about  = { DNAME = "round" }
grow   = { DNAME = "x.grow" }
long   = { DNAME = "LONG" }
"#;

#[test]
fn a_dname_makes_cnames_of_the_names_below_it() {
    let bench = Bench::serving(&[REDIRECTS]);
    let answer = bench.ask("A.old.d.example.", RecordType::A);
    assert!(show(&answer.answers)[0].starts_with("old.d.example. 9 IN DNAME"));
    assert_eq!(
        show(&answer.answers[1..]),
        ["A.old.d.example. 9 IN CNAME A.New.d.example.", "A.New.d.example. 60 IN A 192.0.2.2",]
    );
    assert!(answer.metadata.authoritative);
    let itself = bench.ask("old.d.example.", RecordType::A);
    assert_eq!(show(&itself.answers), ["old.d.example. 60 IN A 192.0.2.1"]);
    let alias = bench.ask("x.y.old.d.example.", RecordType::CNAME);
    assert_eq!(alias.answers.len(), 2, "a CNAME that was asked for is not followed");
    let missing = bench.ask("x.old.d.example.", RecordType::A);
    assert_eq!(missing.metadata.response_code, ResponseCode::NXDomain);
    assert_eq!((missing.answers.len(), missing.authorities.len()), (2, 1));
    let away = bench.ask("x.out.d.example.", RecordType::A);
    assert_eq!(
        (away.metadata.response_code, away.answers.len()),
        (ResponseCode::NoError, 2),
        "the chain leaves our zones"
    );
}

#[test]
fn a_dname_stands_in_an_answer_once() {
    let bench = Bench::serving(&[REDIRECTS]);
    let answer = bench.ask("b.old.d.example.", RecordType::TXT);
    let types: Vec<String> =
        answer.answers.iter().map(|record| record.record_type().to_string()).collect();
    assert_eq!(types, ["DNAME", "CNAME", "CNAME", "CNAME", "TXT"]);
    let itself = bench.ask("back.back.d.example.", RecordType::DNAME);
    assert_eq!(itself.answers.len(), 2, "the DNAME that led there is the one asked for");
    let loops = bench.ask("x.round.d.example.", RecordType::A);
    assert_eq!(loops.answers.len(), 4, "two DNAMEs with the CNAME of each");
    let grows = bench.ask("x.grow.d.example.", RecordType::A);
    assert_eq!(grows.answers.len(), 1 + crate::limits::CNAME_CHAIN);
}

#[test]
fn a_name_that_a_dname_makes_too_long_is_yxdomain() {
    let label = "l".repeat(63);
    let long = format!("{label}.{label}.{label}.example.");
    let bench = Bench::serving(&[&REDIRECTS.replace("LONG", &long)]);
    let fits = bench.ask(&format!("{}.long.d.example.", "x".repeat(52)), RecordType::A);
    assert_eq!(fits.metadata.response_code, ResponseCode::NoError);
    let answer = bench.ask(&format!("{}.long.d.example.", "x".repeat(54)), RecordType::A);
    assert_eq!(answer.metadata.response_code, ResponseCode::YXDomain);
    assert_eq!(answer.answers.len(), 1, "the DNAME that is to blame");
}

const HOSTS: &str = r#"
zone = "h.example"
ttl = "1m"
[pool.web]
addresses = ["192.0.2.7"]
[names]
"@"    = { SOA = "ns1 hostmaster", NS = ["ns1", "ns.sub", "ns.elsewhere.example."], MX = ["10 mail", "11 MAIL", "20 routed", "30 ns.sub", "40 a.wild"] }
ns1    = { A = "192.0.2.53", AAAA = "2001:db8::53" }
mail   = { A = "192.0.2.25" }
routed = { pool = "web" }
sub    = { NS = "ns.sub" }
"ns.sub" = { A = "192.0.2.54" }
"*.wild" = { A = "192.0.2.99" }
"_sip._tcp" = { SRV = ["0 5 5060 mail", "0 5 5061 mail"] }
svc    = { HTTPS = ["1 . alpn=h2", "2 mail"], A = "192.0.2.80" }
alias  = { HTTPS = "0 svc" }
gone   = { HTTPS = "0 .", A = "192.0.2.81" }
selfish = { HTTPS = "0 selfish" }
"#;

#[test]
fn hosts_bring_their_addresses_along() {
    let bench = Bench::serving(&[HOSTS]);
    for (name, qtype, expected) in [
        (
            "h.example.",
            RecordType::NS,
            &[
                "ns1.h.example. 60 IN A 192.0.2.53",
                "ns1.h.example. 60 IN AAAA 2001:db8::53",
                "ns.sub.h.example. 60 IN A 192.0.2.54",
            ][..],
        ),
        (
            "h.example.",
            RecordType::MX,
            &["mail.h.example. 60 IN A 192.0.2.25", "a.wild.h.example. 60 IN A 192.0.2.99"],
        ),
        ("_sip._tcp.h.example.", RecordType::SRV, &["mail.h.example. 60 IN A 192.0.2.25"]),
        (
            "svc.h.example.",
            RecordType::HTTPS,
            &["svc.h.example. 60 IN A 192.0.2.80", "mail.h.example. 60 IN A 192.0.2.25"],
        ),
        (
            "alias.h.example.",
            RecordType::HTTPS,
            &[
                "svc.h.example. 60 IN HTTPS 1 . alpn=h2",
                "svc.h.example. 60 IN HTTPS 2 mail.h.example.",
                "svc.h.example. 60 IN A 192.0.2.80",
            ],
        ),
        ("gone.h.example.", RecordType::HTTPS, &[]),
        ("selfish.h.example.", RecordType::HTTPS, &[]),
        ("mail.h.example.", RecordType::A, &[]),
    ] {
        let answer = bench.ask(name, qtype);
        let found: Vec<String> = show(&answer.additionals)
            .iter()
            .map(|text| text.replace(" alpn=h2,", " alpn=h2").trim().to_owned())
            .collect();
        assert_eq!(found, expected, "{name} {qtype}");
        assert!(!answer.metadata.truncation);
    }
}

/// The options of an OPT record, by code.
fn options(message: &Message) -> Vec<(u16, Vec<u8>)> {
    let edns = message.edns.as_ref().expect("OPT");
    edns.options()
        .as_ref()
        .iter()
        .map(|(code, option)| (u16::from(*code), Vec::try_from(option).unwrap()))
        .collect()
}

#[test]
fn a_server_says_who_it_is_to_those_who_ask() {
    const OPT: &[u8] = &[0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 8, 0, 3, 0, 0, 0, 11, 0, 0];
    let bench = Bench::new();
    let ask = |transport| bench.ask_as("ns1.example.com.", RecordType::A, transport, OPT).1;
    assert_eq!(options(&ask(Transport::Udp)), [(3, b"ns1".to_vec())], "RFC 7828 section 3.2.2");
    assert_eq!(options(&ask(Transport::Stream)), [(3, b"ns1".to_vec()), (11, vec![0, 100])]);
    const BARE: &[u8] = &[0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0];
    let bare = bench.ask_as("ns1.example.com.", RecordType::A, Transport::Stream, BARE).1;
    assert_eq!(options(&bare), []);
}

#[test]
fn stale_zones_say_so() {
    const OPT: &[u8] = &[0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0];
    let Bench { snapshot, view } = Bench::new();
    let live = Live { snapshot: Arc::new(snapshot), view: Arc::new(view), is_stale: true };
    let client = Client { address: "127.0.0.1".parse().unwrap(), transport: Transport::Udp };
    // RFC 8914 sections 4.4 and 4.20; what is no answer from a zone is not stale.
    for (name, opcode, error) in [("ns1", 0, Some(3)), ("xyz", 0, Some(19)), ("ns1", 0x20, None)] {
        let query = [
            &[0, 1, opcode, 0, 0, 1, 0, 0, 0, 0, 0, 1][..],
            format!("\x03{name}\x07example\x03com\x00\x00\x01\x00\x01").as_bytes(),
            OPT,
        ]
        .concat();
        let mut out = [0; 512];
        let outcome = Engine::from(&live).answer(&mut Scratch::new(1), &query, client, &mut out);
        let message = Message::from_vec(&out[..outcome.octets]).unwrap();
        let found = options(&message).first().map(|(code, data)| (*code, data[1]));
        assert_eq!(found, error.map(|error| (15, error)), "{name} {opcode}");
    }
}
