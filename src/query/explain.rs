//! Why a client gets the answer it gets: the same code as answering, with its story written down.

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::engine::{Client, Engine, Outcome, Scratch, Transport};
use super::readback::{ReadAnswer, read_answer};
use super::story::Recorder;
use super::tell::Teller;
use crate::limits::UDP_ANSWER_OCTETS;
use crate::policy::NoTrace;
use crate::wire::{ClientSubnet, Name, Rcode, RecordType};

/// A question that somebody might ask.
#[derive(Clone, Debug)]
pub struct Inquiry {
    pub name: Name,
    pub qtype: RecordType,
    /// Whose client subnet the resolver would send, and its length; nothing if it would send none.
    pub subnet: Option<(IpAddr, u8)>,
    /// The address that the query would come from.
    pub resolver: IpAddr,
    /// Decides the draws of weighted policies.
    pub seed: u64,
}

/// Whose address told where the client is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PlaceSource {
    ClientSubnet,
    Resolver,
    /// The client subnet has no known location.
    ResolverInstead,
}

/// Where a client is, and how that is known.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExplainedPlace {
    pub source: PlaceSource,
    pub address: IpAddr,
    /// The database's network around the address.
    pub network: String,
    /// ISO 3166-1 alpha-2.
    pub country: Option<String>,
    pub continent: Option<String>,
    /// ISO 3166-2.
    pub subdivision: Option<String>,
    /// Degrees north and east.
    pub coordinates: Option<[f64; 2]>,
    /// The autonomous system, if a database of them is in use.
    pub asn: Option<u32>,
    /// The database's type, as it names itself, or that an override says so.
    pub database: String,
    /// The day on which the database was built.
    pub database_built: String,
}

/// One line of an explanation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExplainedStep {
    /// How deep in the tree of policies, for indentation.
    pub depth: usize,
    pub text: String,
}

/// The whole story of one answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    pub name: String,
    #[serde(rename = "type")]
    pub qtype: String,
    /// The client subnet, as `address/length`.
    pub client: Option<String>,
    pub resolver: IpAddr,
    pub zone: Option<String>,
    pub place: Option<ExplainedPlace>,
    pub steps: Vec<ExplainedStep>,
    pub rcode: String,
    /// The pool that the last selection came to, or the multivalue policy.
    pub pool: Option<String>,
    /// Nothing was up, and the policy was followed as if all were.
    pub last_resort: bool,
    /// Answer records in presentation format.
    pub answers: Vec<String>,
    /// Authority records in presentation format: the SOA of a denial, the NS of a referral.
    pub authority: Vec<String>,
    /// Seconds; the lowest TTL of the answer records.
    pub ttl: Option<u32>,
    /// Where the TTL comes from.
    pub ttl_from: Option<String>,
    /// The scope that the client subnet option of the answer would carry.
    pub scope: Option<u8>,
}

/// The answer could not be read back. Our own bytes are at fault, so that it is worth a report.
#[derive(Debug)]
pub struct ExplainError(pub(super) String);

impl fmt::Display for ExplainError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the answer could not be read back ({}); please report this", self.0)
    }
}

impl std::error::Error for ExplainError {}

/// Answers an inquiry by the engine, and tells how.
pub fn explain(engine: &Engine<'_>, inquiry: &Inquiry) -> Result<Explanation, ExplainError> {
    let subnet = inquiry.subnet.map(|(address, length)| ClientSubnet::from_prefix(address, length));
    let message = encode_query(&inquiry.name, inquiry.qtype, subnet.as_ref());
    let mut scratch = Scratch::new(inquiry.seed);
    let client = Client { address: inquiry.resolver, transport: Transport::Udp };
    let mut out = [0u8; UDP_ANSWER_OCTETS];
    let mut recorder = Recorder::new(inquiry.resolver);
    let outcome = engine.answer_aloud(&mut scratch, &message, client, &mut out, &mut recorder);
    let events = recorder.events;
    let answer =
        read_answer(out.get(..outcome.octets).unwrap_or_default()).map_err(ExplainError)?;
    let teller = Teller { snapshot: engine.snapshot, view: engine.view, now_ms: engine.now_ms };
    let place = events.iter().find_map(|event| teller.place(event));
    let pool = outcome.pool.map(|(zone, pool, _)| teller.target_name(zone, pool));
    Ok(Explanation {
        name: inquiry.name.to_string(),
        qtype: inquiry.qtype.to_string(),
        client: subnet
            .and_then(|subnet| Some(format!("{}/{}", subnet.address()?, subnet.source()))),
        resolver: inquiry.resolver,
        zone: outcome
            .zone
            .and_then(|zone| engine.snapshot.catalog.zone(zone))
            .map(|zone| zone.apex.to_string()),
        place,
        steps: refusal(&outcome)
            .filter(|_| events.is_empty())
            .into_iter()
            .chain(events.iter().flat_map(|event| teller.tell(event)))
            .collect(),
        rcode: outcome.rcode.mnemonic().to_owned(),
        pool,
        last_resort: outcome.pool.is_some_and(|(_, _, is_last_resort)| is_last_resort),
        answers: answer.answers.iter().map(|record| record.text.clone()).collect(),
        authority: answer.authority.iter().map(|record| record.text.clone()).collect(),
        ttl: answer.answers.iter().map(|record| record.ttl).min(),
        ttl_from: ttl_source(&answer, &outcome, teller.tell_cap(&events)),
        scope: answer.scope,
    })
}

impl Engine<'_> {
    /// Answers a client that may ask why: once to learn the reasons, and once more with them in the answer. The draws are the same.
    #[cold]
    pub(super) fn answer_with_reasons(
        &self,
        scratch: &mut Scratch,
        message: &[u8],
        client: Client,
        out: &mut [u8],
    ) -> Outcome {
        let random = scratch.random().clone();
        let mut recorder = Recorder::new(client.address);
        let outcome = self.answer_aloud(scratch, message, client, out, &mut recorder);
        let teller = Teller { snapshot: self.snapshot, view: self.view, now_ms: self.now_ms };
        let steps = recorder.events.iter().flat_map(|event| teller.tell(event));
        let text: Vec<String> =
            refusal(&outcome).into_iter().chain(steps).map(|step| step.text).collect();
        let text = text.join("; ");
        *scratch.random() = random;
        let engine = Engine { explanation: Some(&text), ..*self };
        engine.answer_aloud(scratch, message, client, out, &mut NoTrace)
    }
}

/// Where the lowest TTL of an answer comes from.
fn ttl_source(answer: &ReadAnswer, outcome: &Outcome, cap: Option<String>) -> Option<String> {
    let first = answer.answers.first()?;
    let is_chain = answer.answers.iter().any(|record| record.owner != first.owner);
    let source = match (is_chain, outcome.pool) {
        (true, _) => "the lowest of the chain",
        (false, Some(_)) => return Some(cap.unwrap_or_else(|| "the name's ttl".to_owned())),
        (false, None) => "the record's ttl",
    };
    Some(source.to_owned())
}

/// What there is to say of an answer that no zone was asked for.
fn refusal(outcome: &Outcome) -> Option<ExplainedStep> {
    let text = match (outcome.zone, outcome.rcode) {
        (None, Rcode::REFUSED) => {
            "no zone of this server holds the name, or the type is never answered"
        }
        (None, _) => "the type asks for what this server does not do",
        (Some(_), Rcode::SERVFAIL) => "the zone's file was refused: `meridian check` says why",
        _ => return None,
    };
    Some(ExplainedStep { depth: 0, text: text.to_owned() })
}

/// A query as a resolver would send it, with EDNS.
pub(super) fn encode_query(
    name: &Name,
    qtype: RecordType,
    subnet: Option<&ClientSubnet>,
) -> Vec<u8> {
    let mut message = vec![0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1];
    message.extend(name.as_wire());
    message.extend(qtype.0.to_be_bytes());
    message.extend([0, 1]);
    let mut option = Vec::new();
    if let Some(subnet) = subnet {
        let length = u16::try_from(subnet.octets().len().saturating_add(4)).unwrap_or(0);
        option.extend([0, 8]);
        option.extend(length.to_be_bytes());
        option.extend(subnet.family().to_be_bytes());
        option.extend([subnet.source(), 0]);
        option.extend(subnet.octets());
    }
    message.extend([0, 0, 41, 4, 208, 0, 0, 0, 0]);
    message.extend(u16::try_from(option.len()).unwrap_or(0).to_be_bytes());
    message.extend(option);
    message
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let asker = self.client.as_ref().map_or_else(
            || format!("resolver {}, no client subnet", self.resolver),
            |client| format!("client {client} through resolver {}", self.resolver),
        );
        writeln!(f, "{} {} for {asker}", self.name, self.qtype)?;
        if let Some(zone) = &self.zone {
            writeln!(f, "  zone {zone}")?;
        }
        for step in &self.steps {
            writeln!(f, "  {:indent$}{}", "", step.text, indent = step.depth.saturating_mul(2))?;
        }
        let last_resort = if self.last_resort { " (last resort: nothing was up)" } else { "" };
        writeln!(f, "answer: {}{last_resort}", self.rcode)?;
        for record in self.answers.iter().chain(&self.authority) {
            writeln!(f, "  {record}")?;
        }
        if let (Some(ttl), Some(from)) = (self.ttl, &self.ttl_from) {
            writeln!(f, "ttl:    {ttl} s, {from}")?;
        }
        if let Some(scope) = self.scope {
            writeln!(f, "scope:  /{scope}, {}", describe_scope(scope))?;
        }
        Ok(())
    }
}

fn describe_scope(scope: u8) -> &'static str {
    match scope {
        0 => "the same answer set for every client",
        _ => "the same answer set for every client in that prefix, in any state of health",
    }
}
