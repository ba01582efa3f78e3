//! What the tests are written with: a zone as a few lines, a world that serves it, questions and replies.
//!
//! The default database is the [`ATLAS`]: one /16 of IPv4 and one /32 of IPv6 for each country, in the order of the list,
//! and nothing elsewhere. [`home`] gives a client's subnet in a country.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::IpAddr;
use std::sync::Arc;

use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::opt::{ClientSubnet, EdnsCode, EdnsOption};
use hickory_proto::rr::{Name, RData, RecordType};
use ipnet::IpNet;
use meridian::config::{Included, Source, compile_zone};
use meridian::geo::Database;
use meridian::health::{Status, TargetId, View};
use meridian::query::{Client, Engine, Outcome, Scratch, Transport};
use meridian::snapshot::{Generation, GeoSources, Identity, Ingredients, Snapshot};
use mmdb_writer::{Ipv4Aliasing, Value, Writer};
use proptest::test_runner::{Config, RngAlgorithm, RngSeed, TestRng, TestRunner};

/// Decides all draws; printed with every table of shares.
pub const SEED: u64 = 0x6d65_7269_6469_616e;

/// Draws per table of shares.
pub const DRAWS: u32 = 20_000;

/// Countries of the default database; the place in the list is in the addresses: `20.N.0.0/16` and `2a00:N::/32`.
pub const ATLAS: [&str; 20] = [
    "US", "CA", "MX", "DE", "FR", "BR", "JP", "AU", "ZA", "AQ", "TR", "CY", "RU", "GE", "AM", "AZ",
    "KZ", "GS", "TF", "BV",
];

/// A client's /24 in a country of the atlas.
pub fn home(country: &str) -> String {
    format!("20.{}.7.0/24", atlas_place(country))
}

/// A client's /48 in a country of the atlas.
pub fn home_ipv6(country: &str) -> String {
    format!("2a00:{:x}:7::/48", atlas_place(country))
}

/// A client's /24 that no database of these tests locates.
pub const NOWHERE: &str = "30.0.0.0/24";

fn atlas_place(country: &str) -> usize {
    ATLAS.iter().position(|code| *code == country).expect("a country of the atlas")
}

/// The default database.
pub fn atlas() -> Database {
    let mut networks = Vec::new();
    for (place, country) in ATLAS.iter().enumerate() {
        networks.push((format!("20.{place}.0.0/16").parse().unwrap(), Some(*country)));
        networks.push((format!("2a00:{place:x}::/32").parse().unwrap(), Some(*country)));
    }
    database(&networks)
}

/// A database of these networks, longer ones inside shorter ones; without a country a network has a record that locates
/// nobody.
pub fn database(networks: &[(IpNet, Option<&str>)]) -> Database {
    let mut networks = networks.to_vec();
    networks.sort_by_key(|(network, _)| network.prefix_len());
    let mut writer = Writer::builder("Test").ipv4_aliasing(Ipv4Aliasing::Disabled).build();
    for (network, country) in networks {
        let record = Value::map([("country_code", Value::from(country.unwrap_or("ZZ")))]);
        writer.insert_value(network, record).unwrap();
    }
    Database::read(&writer.to_bytes().unwrap()).unwrap()
}

/// A database of cities: networks with their country, their subdivision without the country's code, and degrees north and east.
pub fn cities(networks: &[(&str, &str, &str, f64, f64)]) -> Database {
    let mut writer = Writer::builder("Test-City").ipv4_aliasing(Ipv4Aliasing::Disabled).build();
    for (network, country, part, latitude, longitude) in networks {
        let code = |code: &str| Value::map([("iso_code", Value::from(code))]);
        let mut record = vec![
            ("country", code(country)),
            (
                "location",
                Value::map([
                    ("latitude", Value::from(*latitude)),
                    ("longitude", Value::from(*longitude)),
                ]),
            ),
        ];
        if !part.is_empty() {
            record.push(("subdivisions", Value::Array(vec![code(part)])));
        }
        writer.insert_value(network.parse::<IpNet>().unwrap(), Value::map(record)).unwrap();
    }
    Database::read(&writer.to_bytes().unwrap()).unwrap()
}

/// A zone in the making: `example.com` with a check `web`, SOA, NS, and what is added. Errors come out of [`Zone::errors`].
#[derive(Clone, Default)]
pub struct Zone {
    sections: String,
    names: String,
}

impl Zone {
    pub fn new() -> Self {
        Self::default()
    }

    /// A pool whose endpoints are probed; the addresses are separated by spaces.
    pub fn pool(self, name: &str, addresses: &str) -> Self {
        self.pool_with(name, addresses, "check = \"web\"")
    }

    /// A pool without a check.
    pub fn unchecked(self, name: &str, addresses: &str) -> Self {
        self.pool_with(name, addresses, "")
    }

    /// A pool with more lines.
    pub fn pool_with(self, name: &str, addresses: &str, more: &str) -> Self {
        let addresses: Vec<&str> = addresses.split_whitespace().collect();
        self.section(&format!("pool.{name}"), &format!("addresses = {addresses:?}\n{more}"))
    }

    /// A policy of a type, with the rest of its lines.
    pub fn policy(self, name: &str, kind: &str, lines: &str) -> Self {
        self.section(&format!("policy.{name}"), &format!("type = {kind:?}\n{lines}"))
    }

    pub fn section(mut self, header: &str, lines: &str) -> Self {
        write!(self.sections, "[{header}]\n{lines}\n\n").unwrap();
        self
    }

    /// A name and its entry as TOML, without the braces.
    pub fn name(mut self, name: &str, entry: &str) -> Self {
        writeln!(self.names, "{name:?} = {{ {entry} }}").unwrap();
        self
    }

    /// A name that uses a policy.
    pub fn route(self, name: &str, policy: &str) -> Self {
        self.name(name, &format!("policy = {policy:?}"))
    }

    pub fn source(&self) -> Source {
        let text = format!(
            "zone = \"example.com\"\nttl = \"5m\"\n\n[check.web]\ntcp = 443\n\n{}[names]\n\
             \"@\" = {{ SOA = \"ns1 hostmaster\", NS = \"ns1\" }}\nns1 = {{ A = \"192.0.2.53\" }}\n{}",
            self.sections, self.names
        );
        Source::new("example.com.toml", text, 1_700_000_000)
    }

    /// The world that serves this zone, by the atlas.
    pub fn world(&self) -> World {
        self.world_with(atlas())
    }

    pub fn world_with(&self, database: Database) -> World {
        World::of(&self.source(), database)
    }

    /// The world that serves a source, by the atlas.
    pub fn world_of(source: &Source) -> World {
        World::of(source, atlas())
    }

    /// The source with a file beside it.
    pub fn source_with(&self, file: &str, text: &str) -> Source {
        let mut source = self.source();
        let (name, path, text) = (file.to_owned(), file.to_owned(), Ok(text.to_owned()));
        source.included.push(Included { by: 0, name, path, text });
        source
    }

    /// The messages, labels and advice of a zone that must be refused.
    pub fn errors(&self) -> String {
        let source = self.source();
        let Err(rejected) = compile_zone(&source) else {
            panic!("this zone is accepted:\n{}", source.text);
        };
        let lines = rejected.diagnostics.iter().map(|diagnostic| {
            format!(
                "{} | {} | {}\n",
                diagnostic.message,
                diagnostic.label,
                diagnostic.help.join(" ")
            )
        });
        lines.collect()
    }

    /// Fails unless the zone is refused with a message that holds this text.
    #[track_caller]
    pub fn refused_for(&self, text: &str) {
        let errors = self.errors();
        assert!(errors.contains(text), "expected `{text}` in:\n{errors}");
    }
}

/// A snapshot and the health of its endpoints.
pub struct World {
    pub snapshot: Snapshot,
    pub view: View,
}

impl World {
    /// The world that serves a zone file.
    pub fn of(source: &Source, database: Database) -> Self {
        let (zone, _) = compile_zone(source).unwrap_or_else(|rejected| {
            panic!("{}\n{:#?}", source.text, rejected.diagnostics);
        });
        let snapshot = Snapshot::compile(Ingredients {
            zones: vec![zone],
            refused: &[],
            geo: &GeoSources::of(Arc::new(database)),
            seed: SEED,
            generation: Generation(1),
            identity: Identity::default(),
            previous: None,
        });
        let snapshot = snapshot.unwrap();
        let view = snapshot.new_view();
        Self { snapshot, view }
    }

    /// What is probed for a pool, one target per endpoint.
    pub fn targets_of(&self, pool: &str) -> Vec<TargetId> {
        let routing = self.snapshot.routings().next().unwrap();
        let pools = routing.named.pools.iter().zip(routing.bound.pools());
        let endpoints = pools.filter(|(named, _)| *named.name == *pool);
        let endpoints = endpoints.flat_map(|(_, bound)| &bound.endpoints);
        let targets: Vec<TargetId> =
            endpoints.filter_map(|endpoint| endpoint.health.target()).collect();
        assert!(!targets.is_empty(), "the pool {pool} has checked endpoints");
        targets
    }

    pub fn set(&self, pool: &str, status: Status) {
        for target in self.targets_of(pool) {
            self.view.set(target, status);
        }
    }

    /// The status of one endpoint of a pool.
    pub fn set_endpoint(&self, pool: &str, endpoint: usize, status: Status) {
        self.view.set(self.targets_of(pool)[endpoint], status);
    }

    /// Everything that is probed is up, but these pools.
    pub fn only_down(&self, pools: &[&str]) {
        for (target, _) in self.view.iter() {
            self.view.set(target, Status::Up);
        }
        for pool in pools {
            self.set(pool, Status::Down);
        }
    }

    pub fn answer(&self, question: &Question, seed: u64) -> Reply {
        let (octets, outcome) =
            self.answer_octets(&question.octets(), question, &mut Scratch::new(seed));
        Reply { message: decode(&octets), octets, outcome }
    }

    /// Answers octets that were made before, as the question says they come, with octets.
    pub fn answer_octets(
        &self,
        query: &[u8],
        question: &Question,
        scratch: &mut Scratch,
    ) -> (Vec<u8>, Outcome) {
        let engine = Engine::new(&self.snapshot, &self.view);
        let client = Client { address: question.resolver, transport: question.transport };
        let room = if question.transport == Transport::Udp { 1232 } else { 65_535 };
        let mut out = vec![0u8; room];
        let outcome = engine.answer(scratch, query, client, &mut out);
        out.truncate(outcome.octets);
        (out, outcome)
    }

    /// One answer; for tests whose outcome is not random.
    pub fn ask(&self, question: &Question) -> Reply {
        self.answer(question, SEED)
    }

    /// The addresses of one answer.
    pub fn addresses(&self, question: &Question) -> Vec<String> {
        self.ask(question).addresses()
    }

    /// How often each set of addresses is the answer. Equal answers are decoded once.
    pub fn shares(&self, question: &Question) -> BTreeMap<String, u32> {
        let query = question.octets();
        let mut scratch = Scratch::new(SEED);
        let mut by_octets = BTreeMap::new();
        for _ in 0..DRAWS {
            let (octets, _) = self.answer_octets(&query, question, &mut scratch);
            *by_octets.entry(octets).or_insert(0) += 1;
        }
        let mut shares = BTreeMap::new();
        for (octets, count) in by_octets {
            *shares.entry(addresses(&decode(&octets)).join(" ")).or_insert(0) += count;
        }
        println!("seed {SEED:#x}, {DRAWS} draws: {shares:?}");
        shares
    }

    /// Fails unless the shares of the answers are as these weights (chi-squared at 0.1 %); weight 0 is never.
    #[track_caller]
    pub fn assert_shares(&self, question: &Question, weights: &[(&str, u32)]) {
        assert_fit(&self.shares(question), weights);
    }
}

#[track_caller]
pub fn decode(octets: &[u8]) -> Message {
    Message::from_vec(octets).expect("an answer that can be read")
}

/// The addresses in the answer section, sorted.
pub fn addresses(message: &Message) -> Vec<String> {
    let is_address = |data: &RData| matches!(data, RData::A(_) | RData::AAAA(_));
    let records = message.answers.iter().filter(|record| is_address(&record.data));
    let mut addresses: Vec<String> = records.map(|record| record.data.to_string()).collect();
    addresses.sort();
    addresses
}

/// Chi-squared of a random table is above these in one of a thousand, by the degrees of freedom from 1 on.
const CHI_SQUARED: [f64; 8] = [10.83, 13.82, 16.27, 18.47, 20.52, 22.46, 24.32, 26.12];

#[track_caller]
pub fn assert_fit(shares: &BTreeMap<String, u32>, weights: &[(&str, u32)]) {
    let expected: BTreeMap<&str, u32> =
        weights.iter().filter(|(_, weight)| *weight > 0).copied().collect();
    for answer in shares.keys() {
        assert!(expected.contains_key(answer.as_str()), "{answer:?} is never an answer");
    }
    let total: u32 = expected.values().sum();
    let draws: u32 = shares.values().sum();
    let chi_squared: f64 = expected
        .iter()
        .map(|(answer, weight)| {
            let wanted = f64::from(draws) * f64::from(*weight) / f64::from(total);
            let seen = f64::from(shares.get(*answer).copied().unwrap_or(0));
            (seen - wanted).powi(2) / wanted
        })
        .sum();
    let Some(freedom) = expected.len().checked_sub(2) else {
        return;
    };
    assert!(chi_squared < CHI_SQUARED[freedom], "chi² {chi_squared:.1}: {shares:?}, {weights:?}");
}

/// A question and how it comes.
#[derive(Clone, Debug)]
pub struct Question {
    pub name: Name,
    pub rtype: RecordType,
    pub subnet: Option<IpNet>,
    /// The data of a client subnet option, in the place of `subnet`.
    pub raw_subnet: Option<Vec<u8>>,
    pub resolver: IpAddr,
    /// The size in the OPT record; without one there is no OPT.
    pub payload: Option<u16>,
    pub transport: Transport,
}

/// A question for the A records of a name of the zone, from a resolver that no database locates.
pub fn question(name: &str) -> Question {
    let name = match name {
        "@" => "example.com.".to_owned(),
        name => format!("{name}.example.com."),
    };
    Question {
        // `from_str` would fold the case.
        name: Name::from_ascii(&name).unwrap(),
        rtype: RecordType::A,
        subnet: None,
        raw_subnet: None,
        resolver: "192.0.2.200".parse().unwrap(),
        payload: None,
        transport: Transport::Udp,
    }
}

impl Question {
    pub fn of(self, rtype: RecordType) -> Self {
        Self { rtype, ..self }
    }

    /// With the client subnet option of a client in this prefix.
    pub fn client(self, subnet: &str) -> Self {
        self.client_net(subnet.parse().unwrap())
    }

    pub fn client_net(self, subnet: IpNet) -> Self {
        Self { subnet: Some(subnet), payload: Some(1232), ..self }
    }

    pub fn raw_subnet(self, data: &[u8]) -> Self {
        Self { raw_subnet: Some(data.to_vec()), payload: Some(1232), ..self }
    }

    pub fn through(self, resolver: &str) -> Self {
        Self { resolver: resolver.parse().unwrap(), ..self }
    }

    /// The query as octets.
    pub fn octets(&self) -> Vec<u8> {
        let mut message = Message::new(0x1234, MessageType::Query, OpCode::Query);
        message.add_query(Query::query(self.name.clone(), self.rtype));
        if let Some(payload) = self.payload {
            let mut edns = Edns::new();
            edns.set_max_payload(payload);
            if let Some(subnet) = self.subnet {
                let subnet = subnet.trunc();
                let option = ClientSubnet::new(subnet.addr(), subnet.prefix_len(), 0);
                edns.options_mut().insert(EdnsOption::Subnet(option));
            }
            if let Some(data) = &self.raw_subnet {
                edns.options_mut().insert(EdnsOption::Unknown(8, data.clone()));
            }
            message.set_edns(edns);
        }
        message.to_vec().unwrap()
    }
}

/// What came back.
#[derive(Debug)]
pub struct Reply {
    pub message: Message,
    pub octets: Vec<u8>,
    pub outcome: Outcome,
}

impl Reply {
    pub fn rcode(&self) -> ResponseCode {
        self.message.metadata.response_code
    }

    /// The data of all answer records in the order of the message.
    pub fn data(&self) -> Vec<String> {
        self.message.answers.iter().map(|record| record.data.to_string()).collect()
    }

    /// The addresses of the answer, sorted.
    pub fn addresses(&self) -> Vec<String> {
        addresses(&self.message)
    }

    /// The TTLs of the answer records, each once.
    pub fn ttls(&self) -> Vec<u32> {
        let mut ttls: Vec<u32> = self.message.answers.iter().map(|record| record.ttl).collect();
        ttls.dedup();
        ttls
    }

    /// The client subnet option of the answer.
    pub fn subnet(&self) -> Option<ClientSubnet> {
        match self.message.edns.as_ref()?.option(EdnsCode::Subnet)? {
            EdnsOption::Subnet(subnet) => Some(*subnet),
            _ => None,
        }
    }

    #[track_caller]
    pub fn scope(&self) -> u8 {
        self.subnet().expect("a client subnet option").scope_prefix()
    }

    /// The name exists, the type does not: NOERROR, no answer, one SOA (RFC 2308 §2.2).
    pub fn is_nodata(&self) -> bool {
        let authorities = &self.message.authorities;
        self.rcode() == ResponseCode::NoError
            && self.message.answers.is_empty()
            && authorities.len() == 1
            && authorities[0].record_type() == RecordType::SOA
    }
}

/// A runner of properties that draws the same cases every time, and says from which seed.
pub fn runner(cases: u32) -> TestRunner {
    println!("proptest: {cases} cases from the seed {SEED:#x}");
    let rng_seed = RngSeed::Fixed(SEED);
    let config = Config { cases, failure_persistence: None, rng_seed, ..Config::default() };
    TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &seed_octets()))
}

fn seed_octets() -> [u8; 32] {
    let mut octets = [0; 32];
    octets[..8].copy_from_slice(&SEED.to_be_bytes());
    octets
}
