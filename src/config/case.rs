//! `[[test]]`: a question that somebody may ask of the zone, and what must be answered, as typed. What it means, and what
//! contradicts itself or the zone, is in [`super::expectation`].

use std::net::{IpAddr, Ipv4Addr};

use super::diagnostic::{Findings, Span};
use super::expectation::{AnswerRecord, Share};
use super::names;
use super::policy::Reference;
use super::reader::{Item, Spanned, Table, Value};
use super::value::{closest, list, parse_share};
use crate::limits::ZONE_TESTS;
use crate::wire::{ClientSubnet, Name, Rcode, RecordType, Ttl};

const NOTES: &[(&str, &str)] = &[
    ("names", "a list of names is written name = [\"www\", \"api\"]"),
    ("pool", "the pool that must be chosen is written expect = \"…\""),
    ("subnet", "the client subnet is written client = \"192.0.2.0/24\""),
    ("up", "everything is up but what `down` lists"),
    ("weight", "shares are written share = { us = \"60%\", eu = \"40%\" }"),
];

const PREFIX: &str = "an address or a prefix such as \"192.0.2.0/24\" or \"2001:db8::/56\"";
const DATA: &str = "record data such as \"192.0.2.10\", an array of them, or { CNAME = \"…\" }";

/// Keys that say something of the answer.
const STATEMENTS: [&str; 6] = ["expect", "share", "scope", "answer", "rcode", "ttl"];

/// Codes that an answer can have.
const RCODES: [Rcode; 7] = [
    Rcode::NOERROR,
    Rcode::NXDOMAIN,
    Rcode::SERVFAIL,
    Rcode::REFUSED,
    Rcode::FORMERR,
    Rcode::NOTIMP,
    Rcode::YXDOMAIN,
];

/// A test as it was typed. What has a mistake is left out.
pub(super) struct Case<'t> {
    /// Its header.
    pub(super) span: Span,
    /// Anything is said of the answer, be it with a mistake.
    pub(super) is_telling: bool,
    pub(super) names: Vec<Spanned<Name>>,
    pub(super) qtype: RecordType,
    pub(super) clients: Vec<Spanned<(IpAddr, u8)>>,
    pub(super) resolver: IpAddr,
    pub(super) down: Vec<Reference<'t>>,
    pub(super) pools: Option<Spanned<Vec<Reference<'t>>>>,
    pub(super) shares: Option<Spanned<Vec<(Reference<'t>, Share)>>>,
    pub(super) scope: Option<Spanned<u8>>,
    pub(super) answer: Option<Spanned<Vec<AnswerRecord>>>,
    pub(super) rcode: Option<Spanned<Rcode>>,
    pub(super) ttl: Option<Spanned<Ttl>>,
}

/// Reads every `[[test]]` of a zone file.
pub(super) fn read<'t>(item: &Item<'t>, apex: &Name, findings: &mut Findings<'_>) -> Vec<Case<'t>> {
    let Some(entries) = item.value.as_array() else {
        item.value
            .expected("a list of tables", findings)
            .help("begin every test with [[test]], in double brackets");
        return Vec::new();
    };
    if entries.len() > ZONE_TESTS {
        let message = format!("a zone may have {ZONE_TESTS} tests, not {}", entries.len());
        findings.error(item.key.span.clone(), message);
        return Vec::new();
    }
    entries.iter().filter_map(|entry| read_case(entry, apex, findings)).collect()
}

fn read_case<'t>(entry: &Value<'t>, apex: &Name, findings: &mut Findings<'_>) -> Option<Case<'t>> {
    let mut table = entry.table("a test", "{ name = \"www\", expect = \"us\" }", findings)?;
    let names = read_names(entry, &mut table, apex, findings);
    let qtype = table.take("type").and_then(|item| read_type(&item.value, findings));
    let qtype = qtype.unwrap_or(RecordType::A);
    let clients = table.take("client").map(|item| read_clients(&item.value, findings));
    let resolver = table.take("resolver").and_then(|item| read_address(&item.value, findings));
    let down = table.take("down");
    let down = down.map(|item| item.value.strings("pools or endpoints such as [\"eu\"]", findings));
    let case = Case {
        span: entry.span(),
        is_telling: STATEMENTS.iter().any(|key| table.has(key)),
        names,
        qtype,
        clients: clients.unwrap_or_default(),
        resolver: resolver.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        down: down.unwrap_or_default(),
        pools: table.take("expect").and_then(|item| read_pools(&item.value, findings)),
        shares: table.take("share").and_then(|item| read_shares(&item.value, findings)),
        scope: table.take("scope").and_then(|item| read_scope(&item.value, findings)),
        answer: table.take("answer").and_then(|item| read_answer(&item, qtype, apex, findings)),
        rcode: table.take("rcode").and_then(|item| read_rcode(&item.value, findings)),
        ttl: table.take("ttl").and_then(|item| read_ttl(&item.value, findings)),
    };
    table.finish(NOTES, findings);
    Some(case)
}

fn read_names(
    entry: &Value<'_>,
    table: &mut Table<'_>,
    apex: &Name,
    findings: &mut Findings<'_>,
) -> Vec<Spanned<Name>> {
    let Some(item) = table.take("name") else {
        findings
            .error(entry.span(), "the test has no name to ask for")
            .help("add name = \"www\", relative to the zone as in [names]; \"@\" is the apex");
        return Vec::new();
    };
    let texts = item.value.strings("a name such as \"www\"", findings);
    texts.iter().filter_map(|text| names::parse_owner(text, apex, findings)).collect()
}

fn read_type(value: &Value<'_>, findings: &mut Findings<'_>) -> Option<RecordType> {
    let text = value.string("a record type such as \"AAAA\"", findings)?;
    let Ok(rtype) = text.value.parse() else {
        let message = format!("`{}` is no record type", text.value);
        let guess = closest(text.value, RecordType::mnemonics());
        let label = guess.map_or(String::new(), |guess| format!("did you mean `{guess}`?"));
        findings.error(text.span, message).label(label);
        return None;
    };
    Some(rtype)
}

fn read_clients(value: &Value<'_>, findings: &mut Findings<'_>) -> Vec<Spanned<(IpAddr, u8)>> {
    let texts = value.strings(PREFIX, findings);
    let clients = texts.into_iter().filter_map(|text| {
        let prefix = ClientSubnet::parse_prefix(text.value);
        if prefix.is_none() {
            let message = format!("`{}` is no client: write {PREFIX}", text.value);
            findings.error(text.span.clone(), message);
        }
        Some(Spanned { value: prefix?, span: text.span })
    });
    clients.collect()
}

fn read_address(value: &Value<'_>, findings: &mut Findings<'_>) -> Option<IpAddr> {
    let expected = "an address such as \"192.0.2.1\"";
    let text = value.string(expected, findings)?;
    let address = text.value.parse().ok();
    if address.is_none() {
        value.expected(expected, findings);
    }
    address
}

fn read_pools<'t>(
    value: &Value<'t>,
    findings: &mut Findings<'_>,
) -> Option<Spanned<Vec<Reference<'t>>>> {
    let pools = value.strings("the name of a pool", findings);
    (!pools.is_empty()).then(|| Spanned { value: pools, span: value.span() })
}

fn read_shares<'t>(
    value: &Value<'t>,
    findings: &mut Findings<'_>,
) -> Option<Spanned<Vec<(Reference<'t>, Share)>>> {
    let example = "{ us = \"60%\", eu = \"40%\" }";
    let mut table = value.table("the shares", example, findings)?;
    if table.is_empty() {
        value.expected(&format!("a table such as {example}"), findings);
        return None;
    }
    let items = table.take_all();
    let shares: Vec<_> = items
        .into_iter()
        .map(|item| Some((item.key, read_share(&item.value, findings)?)))
        .collect();
    // With one of them unknown, nothing can be said of their sum.
    let shares = shares.into_iter().collect::<Option<Vec<_>>>()?;
    Some(Spanned { value: shares, span: value.span() })
}

fn read_share(value: &Value<'_>, findings: &mut Findings<'_>) -> Option<Share> {
    let expected = "a share such as \"60%\"";
    let Some(text) = value.as_str() else {
        let number = value.as_integer().filter(|number| (0..=100).contains(number));
        let help = number.map(|number| format!("write \"{number}%\""));
        value.expected(expected, findings).help_if(help);
        return None;
    };
    match parse_share(text) {
        Ok(share) => Some(share),
        Err(error) => {
            let message = format!("`{}` must be {expected}", value.name);
            findings.error(value.span(), message).label(error.message).help_if(error.help);
            None
        }
    }
}

fn read_scope(value: &Value<'_>, findings: &mut Findings<'_>) -> Option<Spanned<u8>> {
    let length = value.integer(0..=128, findings)?;
    Some(Spanned { value: u8::try_from(length).ok()?, span: value.span() })
}

fn read_rcode(value: &Value<'_>, findings: &mut Findings<'_>) -> Option<Spanned<Rcode>> {
    let text = value.string("a response code such as \"NXDOMAIN\"", findings)?;
    let found = RCODES.into_iter().find(|rcode| rcode.mnemonic() == text.value);
    if found.is_none() {
        let known = RCODES.map(Rcode::mnemonic);
        let guess = closest(text.value, known);
        findings
            .error(text.span, format!("`{}` is no response code", text.value))
            .label(guess.map_or(String::new(), |guess| format!("did you mean `{guess}`?")))
            .help(format!("the codes are {}", list(known)));
    }
    Some(Spanned { value: found?, span: value.span() })
}

fn read_ttl(value: &Value<'_>, findings: &mut Findings<'_>) -> Option<Spanned<Ttl>> {
    Some(Spanned { value: value.ttl(findings)?, span: value.span() })
}

/// Data of the type asked for, or a table of types as `[names]` has it. An empty array is an answer without records.
fn read_answer(
    item: &Item<'_>,
    qtype: RecordType,
    apex: &Name,
    findings: &mut Findings<'_>,
) -> Option<Spanned<Vec<AnswerRecord>>> {
    let value = &item.value;
    let span = value.span();
    let mut records = Vec::new();
    if let Some(mut table) = value.as_table("the answer") {
        for item in table.take_all() {
            if let Some(rtype) = names::read_type(&item, findings) {
                records.extend(read_data(&item.value, rtype, apex, findings));
            }
        }
    } else if qtype.is_meta() {
        let message = format!("an answer to {qtype} is written with its types");
        findings.error(span, message).help("write answer = { A = \"192.0.2.10\" }");
        return None;
    } else if value.as_array().is_none_or(|entries| !entries.is_empty()) {
        records = read_data(value, qtype, apex, findings);
    }
    Some(Spanned { value: records, span })
}

fn read_data(
    value: &Value<'_>,
    rtype: RecordType,
    apex: &Name,
    findings: &mut Findings<'_>,
) -> Vec<AnswerRecord> {
    let texts = value.strings(DATA, findings);
    let records = texts.iter().filter_map(|text| {
        let rdata = names::read_rdata(rtype, text, apex, findings)?;
        Some(AnswerRecord { rtype, rdata })
    });
    records.collect()
}
