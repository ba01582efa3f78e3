//! An answer read back from its octets and written out for people, by `domain`, which knows every type that a zone can hold.

use domain::base::message::RecordSection;
use domain::base::name::{ParsedName, ToName};
use domain::base::rdata::ComposeRecordData;
use domain::base::wire::ParseError;
use domain::base::{Message, ParsedRecord};
use domain::rdata::AllRecordData;

use crate::wire::{Name, RecordType};
use crate::zone::presentation::print_rdata;

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ReadRecord {
    pub(super) owner: String,
    pub(super) rtype: RecordType,
    /// In wire format, names uncompressed.
    pub(super) rdata: Vec<u8>,
    /// Seconds.
    pub(super) ttl: u32,
    /// The whole record in presentation format.
    pub(super) text: String,
}

/// What an answer holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ReadAnswer {
    pub(super) answers: Vec<ReadRecord>,
    pub(super) authority: Vec<ReadRecord>,
    /// The scope of the client subnet option, if there is one.
    pub(super) scope: Option<u8>,
}

/// Reads a whole message.
///
/// # Errors
/// What is wrong with it, which would be our mistake.
pub(super) fn read_answer(octets: &[u8]) -> Result<ReadAnswer, String> {
    let message = Message::from_octets(octets).map_err(|error| error.to_string())?;
    let opt = message.opt();
    let subnet = opt.as_ref().and_then(|opt| opt.opt().client_subnet());
    Ok(ReadAnswer {
        answers: read_section(message.answer())?,
        authority: read_section(message.authority())?,
        scope: subnet.map(|subnet| subnet.scope_prefix_len()),
    })
}

fn read_section(
    section: Result<RecordSection<'_, &[u8]>, ParseError>,
) -> Result<Vec<ReadRecord>, String> {
    let records = section.map_err(|error| error.to_string())?;
    records.map(|record| read_record(record.map_err(|error| error.to_string())?)).collect()
}

fn read_record(record: ParsedRecord<'_, &[u8]>) -> Result<ReadRecord, String> {
    let owner: domain::base::Name<Vec<u8>> = record.owner().to_name();
    let (owner, _) = Name::from_wire(owner.as_slice()).map_err(|error| error.to_string())?;
    let ttl = record.ttl().as_secs();
    let rtype = RecordType(record.rtype().to_int());
    let record = record
        .into_any_record::<AllRecordData<&[u8], ParsedName<&[u8]>>>()
        .map_err(|error| error.to_string())?;
    let mut rdata = Vec::new();
    record.data().compose_rdata(&mut rdata).map_err(|_| "no room".to_owned())?;
    let text = format!("{owner} {ttl} IN {rtype} {}", print_rdata(rtype, &rdata));
    Ok(ReadRecord { owner: owner.to_string(), rtype, rdata, ttl, text })
}
