//! Answers, read by hickory-proto; those of meridian also by `domain`, which shares no code with it, and the two must agree.

use std::fmt;

use domain::base::name::ToName;
use domain::base::{Message as OtherMessage, ParsedRecord};
use hickory_proto::op::Message;
use hickory_proto::rr::Record;
use hickory_proto::serialize::binary::{BinEncodable, BinEncoder};

use super::super::decoders::assert_agreement;
use super::domain_name::DomainName;
use super::query_generator::Query;
use super::rdata::{self, comparable};

const HEADER_OCTETS: usize = 12;
const FLAG_AUTHORITATIVE: u16 = 0x0400;
const FLAG_TRUNCATED: u16 = 0x0200;

/// Records of one owner and type that stand together in a section.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SeenSet {
    /// In lower case.
    pub owner: DomainName,
    pub rtype: u16,
    pub ttl: u32,
    /// Sorted; a record that stands there twice is here twice.
    pub data: Vec<Vec<u8>>,
}

/// One answer.
#[derive(Clone, Debug)]
pub struct Decoded {
    pub octets: Vec<u8>,
    pub flags: u16,
    pub rcode: u16,
    /// The question section, octet for octet.
    pub question: Vec<u8>,
    pub answer: Vec<SeenSet>,
    pub authority: Vec<SeenSet>,
    pub additional: Vec<SeenSet>,
    /// The size that an OPT record says the server takes.
    pub edns: Option<u16>,
}

impl Decoded {
    /// Reads an answer with hickory-proto.
    pub fn read(octets: &[u8]) -> Result<Self, String> {
        let message =
            Message::from_vec(octets).map_err(|error| format!("hickory-proto: {error}"))?;
        let flags = u16::from_be_bytes([octets[2], octets[3]]);
        let high = message.edns.as_ref().map_or(0, |edns| edns.rcode_high());
        Ok(Self {
            flags,
            rcode: u16::from(high) << 4 | flags & 0x000f,
            question: question_of(octets),
            answer: group(&message.answers)?,
            authority: group(&message.authorities)?,
            additional: group(&message.additionals)?,
            edns: message.edns.as_ref().map(|edns| edns.max_payload()),
            octets: octets.to_vec(),
        })
    }

    /// Reads an answer with both, and fails if they disagree.
    pub fn read_twice(octets: &[u8]) -> Result<Self, String> {
        let decoded = Self::read(octets)?;
        let by_hickory = summarize(octets)?;
        let by_domain =
            summarize_with_domain(octets).map_err(|error| format!("domain: {error}"))?;
        if by_hickory != by_domain {
            return Err(format!("two decoders:\n  {by_hickory:?}\n  {by_domain:?}"));
        }
        // RDATA and options, too.
        let message = Message::from_vec(octets).map_err(|error| error.to_string())?;
        assert_agreement(octets, &message);
        Ok(decoded)
    }

    pub fn is_authoritative(&self) -> bool {
        self.flags & FLAG_AUTHORITATIVE != 0
    }

    pub fn is_truncated(&self) -> bool {
        self.flags & FLAG_TRUNCATED != 0
    }

    /// The name asked for, and those that the CNAMEs of the answer lead to, in lower case.
    pub fn chain(&self, query: &Query) -> Vec<DomainName> {
        let mut names = vec![query.name.folded()];
        for link in self.answer.iter().filter(|seen| seen.rtype == rdata::CNAME) {
            if let Some(data) = link.data.first().filter(|_| names.last() == Some(&link.owner)) {
                names.push(DomainName::from_wire(data));
            }
        }
        names
    }

    /// Where the chain leads to.
    pub fn end(&self, query: &Query) -> DomainName {
        self.chain(query).pop().unwrap_or_default()
    }

    /// A response that sends its reader elsewhere.
    pub fn is_referral(&self) -> bool {
        self.rcode == 0
            && self.authority.iter().any(|set| set.rtype == rdata::NS)
            && (!self.is_authoritative() || self.answer.iter().all(|set| set.is_link()))
    }
}

impl SeenSet {
    /// A CNAME or a DNAME, which lead on.
    pub fn is_link(&self) -> bool {
        matches!(self.rtype, rdata::CNAME | rdata::DNAME)
    }
}

/// The octets between the header and the records, if there is one question.
fn question_of(octets: &[u8]) -> Vec<u8> {
    let mut end = HEADER_OCTETS;
    while let Some(&length @ 1..) = octets.get(end) {
        end += usize::from(length) + 1;
    }
    octets.get(HEADER_OCTETS..end + 5).unwrap_or_default().to_vec()
}

fn group(records: &[Record]) -> Result<Vec<SeenSet>, String> {
    let mut sets: Vec<SeenSet> = Vec::new();
    for record in records {
        let owner = DomainName::from_labels(record.name.iter()).folded();
        let (rtype, ttl) = (u16::from(record.record_type()), record.ttl);
        let data = canonical(record)?;
        match sets.last_mut() {
            Some(set) if set.owner == owner && set.rtype == rtype && set.ttl == ttl => {
                set.data.push(data);
            }
            _ => sets.push(SeenSet { owner, rtype, ttl, data: vec![data] }),
        }
    }
    for set in &mut sets {
        set.data.sort();
    }
    Ok(sets)
}

/// RDATA without compression, names in lower case.
fn canonical(record: &Record) -> Result<Vec<u8>, String> {
    let mut octets = Vec::new();
    let mut encoder = BinEncoder::new(&mut octets);
    encoder.set_canonical_form(true);
    record.data.emit(&mut encoder).map_err(|error| format!("hickory-proto: {error}"))?;
    Ok(comparable(u16::from(record.record_type()), octets))
}

/// What both decoders must agree on: rcode, sections, and owner, type and TTL of each of their records.
#[derive(Debug, PartialEq, Eq)]
struct Summary {
    rcode: u16,
    sections: [Vec<(DomainName, u16, u32)>; 3],
}

fn summarize(octets: &[u8]) -> Result<Summary, String> {
    let message = Message::from_vec(octets).map_err(|error| format!("hickory-proto: {error}"))?;
    let list = |records: &[Record]| {
        let line = |record: &Record| {
            let owner = DomainName::from_labels(record.name.iter());
            (owner, u16::from(record.record_type()), record.ttl)
        };
        records.iter().map(line).collect()
    };
    let sections = [list(&message.answers), list(&message.authorities), list(&message.additionals)];
    Ok(Summary { rcode: u16::from(octets[3] & 0x0f), sections })
}

fn summarize_with_domain(octets: &[u8]) -> Result<Summary, String> {
    let message = OtherMessage::from_octets(octets).map_err(|error| error.to_string())?;
    let (_, answer, authority, additional) =
        message.sections().map_err(|error| error.to_string())?;
    let mut sections = [const { Vec::new() }; 3];
    for (list, section) in sections.iter_mut().zip([answer, authority, additional]) {
        for record in section {
            let record = record.map_err(|error| error.to_string())?;
            // OPT is no record of the zone, and hickory-proto takes it out.
            if record.rtype().to_int() != rdata::OPT {
                list.push(line_of(&record));
            }
        }
    }
    Ok(Summary { rcode: u16::from(message.header().rcode().to_int()), sections })
}

fn line_of(record: &ParsedRecord<'_, &[u8]>) -> (DomainName, u16, u32) {
    let owner: domain::base::Name<Vec<u8>> = record.owner().to_name();
    let labels = owner.iter().map(|label| label.as_slice()).filter(|label| !label.is_empty());
    (DomainName::from_labels(labels), record.rtype().to_int(), record.ttl().as_secs())
}

/// As dig prints it, but shorter.
impl fmt::Display for Decoded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let flags = [(self.is_authoritative(), " aa"), (self.is_truncated(), " tc")];
        let flags: String =
            flags.iter().filter(|(is_set, _)| *is_set).map(|(_, flag)| *flag).collect();
        writeln!(f, "rcode {}{flags}, {} octets", self.rcode, self.octets.len())?;
        let sections = [
            ("answer", &self.answer),
            ("authority", &self.authority),
            ("additional", &self.additional),
        ];
        for (name, sets) in sections {
            for set in sets {
                writeln!(f, "      {name}: {set}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for SeenSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.owner, self.ttl, rdata::mnemonic(self.rtype))?;
        for data in self.data.iter().take(4) {
            write!(
                f,
                " [{}]",
                data.escape_ascii().to_string().chars().take(100).collect::<String>()
            )?;
        }
        match self.data.len().saturating_sub(4) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}
