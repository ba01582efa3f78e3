//! Two independent decoders must read one answer alike: hickory-proto, and the `domain` crate.
//!
//! Both are reduced to a [`View`]: header, questions, and records with their RDATA uncompressed. What one takes and the other
//! refuses, or what they read differently, is a fault in the answer, or one that clients of either kind would stumble over.

use domain::base::name::ToName;
use domain::base::opt::UnknownOptData;
use domain::base::rdata::ComposeRecordData;
use domain::base::record::ParsedRecord;
use domain::base::{Message, ParsedName, Rtype};
use domain::rdata::AllRecordData;
use hickory_proto::op::{Message as HickoryMessage, MessageType};
use hickory_proto::rr::Record;
use hickory_proto::serialize::binary::{BinEncodable, BinEncoder, NameEncoding};

/// The Z bit, which hickory-proto does not keep.
const Z: u16 = 0x0040;

/// What a decoder read. Names are uncompressed, in wire format and in the case that they had.
#[derive(Debug, PartialEq, Eq)]
struct View {
    id: u16,
    flags: u16,
    questions: Vec<Question>,
    answers: Vec<ViewedRecord>,
    authorities: Vec<ViewedRecord>,
    additionals: Vec<ViewedRecord>,
    edns: Option<ViewedEdns>,
}

#[derive(Debug, PartialEq, Eq)]
struct Question {
    name: Vec<u8>,
    qtype: u16,
    qclass: u16,
}

#[derive(Debug, PartialEq, Eq)]
struct ViewedRecord {
    owner: Vec<u8>,
    rtype: u16,
    class: u16,
    ttl: u32,
    rdata: Vec<u8>,
}

#[derive(Debug, PartialEq, Eq)]
struct ViewedEdns {
    payload: u16,
    rcode_high: u8,
    version: u8,
    wants_dnssec: bool,
    options: Vec<(u16, Vec<u8>)>,
}

/// Panics unless both decoders read the message, read it to its end, and read the same.
pub fn assert_agreement(octets: &[u8], hickory: &HickoryMessage) {
    let theirs = view_of_hickory(hickory);
    let ours = view_of_domain(octets)
        .unwrap_or_else(|error| panic!("domain can't read {octets:02x?}: {error}"));
    assert_eq!(theirs, ours, "hickory-proto (left) and domain (right) differ on {octets:02x?}");
    let counts = [
        theirs.questions.len(),
        theirs.answers.len(),
        theirs.authorities.len(),
        theirs.additionals.len() + usize::from(theirs.edns.is_some()),
    ];
    let field = |place: usize| usize::from(u16::from_be_bytes([octets[place], octets[place + 1]]));
    assert_eq!([field(4), field(6), field(8), field(10)], counts, "counts of {octets:02x?}");
}

fn view_of_hickory(message: &HickoryMessage) -> View {
    let head = &message.metadata;
    let flag = |is_set: bool, bit: u16| if is_set { bit } else { 0 };
    let flags = flag(head.message_type == MessageType::Response, 0x8000)
        | u16::from(u8::from(head.op_code)) << 11
        | flag(head.authoritative, 0x0400)
        | flag(head.truncation, 0x0200)
        | flag(head.recursion_desired, 0x0100)
        | flag(head.recursion_available, 0x0080)
        | flag(head.authentic_data, 0x0020)
        | flag(head.checking_disabled, 0x0010)
        | u16::from(head.response_code.low());
    let questions = message.queries.iter().map(|query| Question {
        name: encode(query.name()),
        qtype: query.query_type().into(),
        qclass: query.query_class().into(),
    });
    let view = |records: &[Record]| records.iter().map(view_of_hickory_record).collect();
    View {
        id: head.id,
        flags,
        questions: questions.collect(),
        answers: view(&message.answers),
        authorities: view(&message.authorities),
        additionals: view(&message.additionals),
        edns: message.edns.as_ref().map(|edns| ViewedEdns {
            payload: edns.max_payload(),
            rcode_high: edns.rcode_high(),
            version: edns.version(),
            wants_dnssec: edns.flags().dnssec_ok,
            options: edns
                .options()
                .as_ref()
                .iter()
                .map(|(code, option)| ((*code).into(), encode(option)))
                .collect(),
        }),
    }
}

fn view_of_hickory_record(record: &Record) -> ViewedRecord {
    ViewedRecord {
        owner: encode(&record.name),
        rtype: record.record_type().into(),
        class: record.dns_class.into(),
        ttl: record.ttl,
        rdata: encode(&record.data),
    }
}

/// Encodes without compression.
fn encode(what: &impl BinEncodable) -> Vec<u8> {
    let mut octets = Vec::new();
    let mut encoder = BinEncoder::new(&mut octets);
    encoder.set_name_encoding(NameEncoding::Uncompressed);
    what.emit(&mut encoder).expect("hickory-proto can't encode what it read");
    octets
}

fn view_of_domain(octets: &[u8]) -> Result<View, String> {
    let message = Message::from_octets(octets).map_err(|error| error.to_string())?;
    let broken = |error: domain::base::wire::ParseError| error.to_string();
    let mut question = message.question();
    let questions = question
        .by_ref()
        .map(|question| {
            let question = question.map_err(broken)?;
            let name = question.qname().to_vec().into_octets();
            Ok(Question { name, qtype: question.qtype().into(), qclass: question.qclass().into() })
        })
        .collect::<Result<_, String>>()?;
    let mut section = Some(question.answer().map_err(broken)?);
    let (mut sections, mut edns, mut end) = (Vec::new(), None, 0);
    while let Some(mut records) = section {
        let mut viewed = Vec::new();
        for record in records.by_ref() {
            let record = record.map_err(broken)?;
            if record.rtype() == Rtype::OPT {
                if edns.replace(view_of_opt(&record)?).is_some() {
                    return Err("two OPT records".to_owned());
                }
            } else {
                viewed.push(view_of_domain_record(&record)?);
            }
        }
        end = records.pos();
        sections.push(viewed);
        section = records.next_section().map_err(broken)?;
    }
    if end != octets.len() {
        return Err(format!("{} octets behind the last record", octets.len() - end));
    }
    let flags = u16::from_be_bytes([octets[2], octets[3]]) & !Z;
    let [answers, authorities, additionals] =
        sections.try_into().map_err(|_| "not three sections of records".to_owned())?;
    let id = message.header().id();
    Ok(View { id, flags, questions, answers, authorities, additionals, edns })
}

fn view_of_domain_record(record: &ParsedRecord<'_, &[u8]>) -> Result<ViewedRecord, String> {
    let parsed = record
        .to_any_record::<AllRecordData<_, ParsedName<_>>>()
        .map_err(|error| format!("RDATA of {}: {error}", record.rtype()))?;
    let mut rdata = Vec::new();
    parsed.data().compose_rdata(&mut rdata).expect("there is memory");
    Ok(ViewedRecord {
        owner: record.owner().to_vec().into_octets(),
        rtype: record.rtype().into(),
        class: record.class().into(),
        ttl: record.ttl().as_secs(),
        rdata,
    })
}

fn view_of_opt(record: &ParsedRecord<'_, &[u8]>) -> Result<ViewedEdns, String> {
    if !record.owner().is_root() {
        return Err("an OPT record whose owner is not the root".to_owned());
    }
    let opt = record
        .to_record::<domain::base::opt::Opt<_>>()
        .ok()
        .flatten()
        .ok_or_else(|| "RDATA of OPT".to_owned())?;
    let options = opt.data().iter::<UnknownOptData<_>>();
    let options: Result<Vec<_>, _> = options
        .map(|option| option.map(|option| (option.code().into(), option.as_slice().to_vec())))
        .collect();
    let [rcode_high, version, flags, _] = record.ttl().as_secs().to_be_bytes();
    Ok(ViewedEdns {
        payload: record.class().into(),
        rcode_high,
        version,
        wants_dnssec: flags & 0x80 != 0,
        options: options.map_err(|error| error.to_string())?,
    })
}
