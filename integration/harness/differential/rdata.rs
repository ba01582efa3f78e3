//! Record data, each both as a zone file writes it and as a message has it.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::domain_name::DomainName;

pub const A: u16 = 1;
pub const NS: u16 = 2;
pub const CNAME: u16 = 5;
pub const SOA: u16 = 6;
pub const PTR: u16 = 12;
pub const HINFO: u16 = 13;
pub const MX: u16 = 15;
pub const TXT: u16 = 16;
pub const AAAA: u16 = 28;
pub const SRV: u16 = 33;
pub const NAPTR: u16 = 35;
pub const DNAME: u16 = 39;
pub const OPT: u16 = 41;
pub const DS: u16 = 43;
pub const SSHFP: u16 = 44;
pub const RRSIG: u16 = 46;
pub const NSEC: u16 = 47;
pub const DNSKEY: u16 = 48;
pub const TLSA: u16 = 52;
pub const SVCB: u16 = 64;
pub const HTTPS: u16 = 65;
pub const ANY: u16 = 255;
pub const CAA: u16 = 257;
/// For private use (RFC 6895 §3.1), written as RFC 3597 has it.
pub const UNKNOWN: u16 = 65_280;

/// What zone files and people call the types.
const MNEMONICS: &[(u16, &str)] = &[
    (A, "A"),
    (NS, "NS"),
    (CNAME, "CNAME"),
    (SOA, "SOA"),
    (PTR, "PTR"),
    (HINFO, "HINFO"),
    (MX, "MX"),
    (TXT, "TXT"),
    (AAAA, "AAAA"),
    (SRV, "SRV"),
    (NAPTR, "NAPTR"),
    (DNAME, "DNAME"),
    (DS, "DS"),
    (SSHFP, "SSHFP"),
    (RRSIG, "RRSIG"),
    (NSEC, "NSEC"),
    (DNSKEY, "DNSKEY"),
    (TLSA, "TLSA"),
    (SVCB, "SVCB"),
    (HTTPS, "HTTPS"),
    (ANY, "ANY"),
    (CAA, "CAA"),
];

/// The mnemonic of a type, or `TYPE123`.
pub fn mnemonic(rtype: u16) -> String {
    let known = MNEMONICS.iter().find(|(number, _)| *number == rtype);
    known.map_or_else(|| format!("TYPE{rtype}"), |(_, text)| (*text).to_owned())
}

/// The data of one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rdata {
    /// Names are absolute.
    pub text: String,
    /// As [`comparable`] has it.
    pub octets: Vec<u8>,
    /// The host that the record sends its reader to.
    pub target: Option<DomainName>,
}

/// Octets that tell two records of a type apart: names in them are uncompressed, and in lower case (RFC 4034 §6.2; SVCB's too,
/// which costs nothing here).
pub fn comparable(rtype: u16, octets: Vec<u8>) -> Vec<u8> {
    match rtype {
        NS | CNAME | SOA | PTR | MX | SRV | NAPTR | DNAME | SVCB | HTTPS => {
            octets.to_ascii_lowercase()
        }
        _ => octets,
    }
}

fn rdata(rtype: u16, text: String, octets: Vec<u8>) -> Rdata {
    Rdata { text, octets: comparable(rtype, octets), target: None }
}

fn pointing(rtype: u16, text: String, octets: Vec<u8>, target: &DomainName) -> Rdata {
    Rdata { target: Some(target.clone()), ..rdata(rtype, text, octets) }
}

pub fn a(host: u32) -> Rdata {
    let address = Ipv4Addr::from_bits(host);
    rdata(A, address.to_string(), address.octets().to_vec())
}

pub fn aaaa(host: u64) -> Rdata {
    let address = Ipv6Addr::from_bits(0x2001_0db8_u128 << 96 | u128::from(host));
    rdata(AAAA, address.to_string(), address.octets().to_vec())
}

/// NS, CNAME, PTR or DNAME.
pub fn name(rtype: u16, target: &DomainName) -> Rdata {
    pointing(rtype, target.to_string(), target.wire(), target)
}

pub fn mx(preference: u16, target: &DomainName) -> Rdata {
    let octets = [&preference.to_be_bytes()[..], &target.wire()].concat();
    pointing(MX, format!("{preference} {target}"), octets, target)
}

pub fn srv(priority: u16, port: u16, target: &DomainName) -> Rdata {
    let numbers = [priority, 5, port].map(u16::to_be_bytes).concat();
    let octets = [numbers, target.wire()].concat();
    pointing(SRV, format!("{priority} 5 {port} {target}"), octets, target)
}

/// SVCB or HTTPS; priority 0 is the alias mode, which has no parameters (RFC 9460 §2.4.2).
pub fn service(rtype: u16, priority: u16, target: &DomainName) -> Rdata {
    let (text, parameters) =
        if priority == 0 { ("", vec![]) } else { (" port=8443", vec![0, 3, 0, 2, 0x20, 0xfb]) };
    let octets = [&priority.to_be_bytes()[..], &target.wire(), &parameters].concat();
    pointing(rtype, format!("{priority} {target}{text}"), octets, target)
}

pub fn naptr(order: u16, target: &DomainName) -> Rdata {
    let octets = [&order.to_be_bytes()[..], &[0, 10, 1, b's', 3, b'S', b'I', b'P', 0]].concat();
    let octets = [octets, target.wire()].concat();
    pointing(NAPTR, format!("{order} 10 \"s\" \"SIP\" \"\" {target}"), octets, target)
}

pub fn txt(strings: &[Vec<u8>]) -> Rdata {
    let (mut texts, mut octets) = (Vec::new(), Vec::new());
    for string in strings {
        texts.push(quote(string));
        octets.push(string.len() as u8);
        octets.extend(string);
    }
    rdata(TXT, texts.join(" "), octets)
}

fn quote(string: &[u8]) -> String {
    let mut text = String::from("\"");
    for octet in string {
        match octet {
            b'"' | b'\\' => text.extend(['\\', char::from(*octet)]),
            b' '..=b'~' => text.push(char::from(*octet)),
            other => text += &format!("\\{other:03}"),
        }
    }
    text + "\""
}

pub fn hinfo(cpu: &str, os: &str) -> Rdata {
    let [cpu_octets, os_octets] =
        [cpu, os].map(|text| [&[text.len() as u8], text.as_bytes()].concat());
    rdata(HINFO, format!("\"{cpu}\" \"{os}\""), [cpu_octets, os_octets].concat())
}

pub fn caa(issuer: &str) -> Rdata {
    let octets = [b"\x00\x05issue", issuer.as_bytes()].concat();
    rdata(CAA, format!("0 issue \"{issuer}\""), octets)
}

/// SHA-256 of nothing that exists.
pub fn ds(tag: u16, digest: &[u8]) -> Rdata {
    let octets = [&tag.to_be_bytes()[..], &[13, 2], digest].concat();
    rdata(DS, format!("{tag} 13 2 {}", hex(digest)), octets)
}

pub fn sshfp(digest: &[u8]) -> Rdata {
    rdata(SSHFP, format!("4 2 {}", hex(digest)), [&[4, 2], digest].concat())
}

pub fn tlsa(digest: &[u8]) -> Rdata {
    rdata(TLSA, format!("3 1 1 {}", hex(digest)), [&[3, 1, 1], digest].concat())
}

pub fn unknown(octets: &[u8]) -> Rdata {
    let text = format!("\\# {} {}", octets.len(), hex(octets));
    rdata(UNKNOWN, text.trim_end().to_owned(), octets.to_vec())
}

pub fn soa(primary: &DomainName, mailbox: &DomainName, numbers: [u32; 5]) -> Rdata {
    let text = numbers.map(|number| number.to_string()).join(" ");
    let octets = [primary.wire(), mailbox.wire(), numbers.map(u32::to_be_bytes).concat()].concat();
    rdata(SOA, format!("{primary} {mailbox} {text}"), octets)
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}
