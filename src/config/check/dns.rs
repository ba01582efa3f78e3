//! `dns`: a question, and perhaps an address that must be in its answer.

use std::net::IpAddr;

use super::Asked;
use super::place::read_port;
use crate::config::diagnostic::Findings;
use crate::config::reader::{Table, Value};
use crate::health::{DnsCheck, Protocol};
use crate::limits::CHECK_EXPECTED_ADDRESSES;
use crate::wire::{Name, RecordType};

/// RFC 1035 §4.2.
const PORT: u16 = 53;

const TRANSPORTS: &[(&str, bool)] = &[("udp", false), ("tcp", true)];

pub(super) fn read(
    name: &Value<'_>,
    table: &mut Table<'_>,
    findings: &mut Findings<'_>,
) -> Option<Asked> {
    let rtype = table.take("type").map(|item| read_type(&item.value, findings));
    let rtype = rtype.unwrap_or(Some(RecordType::A));
    let port = table.take("port").map(|item| read_port(&item.value, findings));
    let transport = table.take("transport").and_then(|item| item.value.word(TRANSPORTS, findings));
    let expect = table.take("expect").map(|item| read_expect(&item.value, rtype, findings));
    let check = DnsCheck {
        name: read_name(name, findings)?,
        rtype: rtype?,
        is_tcp: transport.unwrap_or_default(),
        expect: expect.unwrap_or_default(),
    };
    Some(Asked { protocol: Protocol::Dns(check), port: port.unwrap_or(Some(PORT))?, address: None })
}

/// Always absolute: the server that is asked knows nothing of this zone.
fn read_name(value: &Value<'_>, findings: &mut Findings<'_>) -> Option<Name> {
    let text = value.string("a name such as \"www.example.com\"", findings)?;
    match Name::parse(text.value, &Name::root()) {
        Ok(name) if text.value != "@" => Some(name.to_folded()),
        Ok(_) => {
            value.expected("a whole name such as \"www.example.com\"", findings);
            None
        }
        Err(error) => {
            findings.error(text.span, format!("`{}` is no name: {error}", value.name));
            None
        }
    }
}

fn read_type(value: &Value<'_>, findings: &mut Findings<'_>) -> Option<RecordType> {
    let text = value.string("a type such as \"A\"", findings)?;
    let rtype = text.value.parse::<RecordType>().ok().filter(|rtype| !rtype.is_meta());
    if rtype.is_none() {
        findings.error(text.span, format!("`{}` is no type of record", text.value));
    }
    rtype
}

fn read_expect(
    value: &Value<'_>,
    rtype: Option<RecordType>,
    findings: &mut Findings<'_>,
) -> Box<[IpAddr]> {
    let texts = value.strings("an address or a list of addresses", findings);
    if texts.len() > CHECK_EXPECTED_ADDRESSES {
        let message =
            format!("a check may expect {CHECK_EXPECTED_ADDRESSES} addresses, not {}", texts.len());
        findings.error(value.span(), message);
        return Box::default();
    }
    let mut addresses = Vec::with_capacity(texts.len());
    for text in texts {
        let Ok(address) = text.value.parse::<IpAddr>() else {
            let message = format!("`{}` is no IPv4 or IPv6 address", text.value);
            findings
                .error(text.span, message)
                .help("without `expect` any record of the type will do");
            continue;
        };
        let has_it = if address.is_ipv4() { RecordType::A } else { RecordType::AAAA };
        if rtype.is_some_and(|rtype| rtype != has_it) {
            let message = format!("`{address}` is never in an answer of that type");
            findings.error(text.span, message).help(format!("write type = \"{has_it}\""));
        }
        addresses.push(address);
    }
    addresses.into()
}
