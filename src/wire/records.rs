//! RRsets in the form an answer needs them: encoded once at load, copied per query.
//!
//! Every record is stored with the owner `0xC00C`, a pointer to the question's name (RFC 1035 §4.1.4), because that is the
//! owner in nearly every answer; the composer writes another owner where it must. Names in RDATA stay uncompressed here:
//! what they may share with a message is only known then.

use super::name::ends_in;
use super::reader::Reader;
use super::types::{RecordType, Ttl};

/// The owner of most records of an answer: a pointer to the question, which follows the header.
pub(super) const QUESTION_POINTER: [u8; 2] = [0xc0, 12];

/// Octets of a record before its RDATA: pointer, type, class, TTL and length.
pub(super) const RECORD_PREFIX: usize = 12;

/// One RRset, encoded. Borrowed from the arena of all zones.
#[derive(Clone, Copy, Debug)]
pub struct Records<'a> {
    pub rtype: RecordType,
    /// How many records `octets` holds.
    pub count: u16,
    /// The records one after another, each with a pointer to the question as its owner.
    pub octets: &'a [u8],
}

impl<'a> Records<'a> {
    /// Appends the records of one RRset to `octets`. Nothing if there are too many, or an RDATA is too long to be one.
    pub fn encode(
        rtype: RecordType,
        ttl: Ttl,
        rdata: &[Box<[u8]>],
        octets: &mut Vec<u8>,
    ) -> Option<u16> {
        for data in rdata {
            let length = u16::try_from(data.len()).ok()?;
            octets.extend_from_slice(&QUESTION_POINTER);
            octets.extend_from_slice(&rtype.0.to_be_bytes());
            octets.extend_from_slice(&1u16.to_be_bytes());
            octets.extend_from_slice(&ttl.as_seconds().to_be_bytes());
            octets.extend_from_slice(&length.to_be_bytes());
            octets.extend_from_slice(data);
        }
        u16::try_from(rdata.len()).ok()
    }

    /// The RDATA of each record.
    pub fn rdata(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        self.split().filter_map(|record| record.get(RECORD_PREFIX..))
    }

    /// The records one by one, each with its owner pointer.
    pub(super) fn split(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        Split { rest: self.octets }
    }

    /// TTL of the set; 0 if it is empty, which no loaded set is.
    pub fn ttl(&self) -> u32 {
        let ttl = self.octets.get(6..10).and_then(|octets| octets.first_chunk::<4>());
        ttl.map_or(0, |octets| u32::from_be_bytes(*octets))
    }
}

/// A record of a type with compressible names whose owner is at or above the name of every question that it answers: written once at
/// load, but for where the owner stands in the question.
#[derive(Clone, Debug, Default)]
pub struct Template {
    octets: Box<[u8]>,
    /// Where pointers to the owner's name belong.
    pointers: Box<[usize]>,
}

impl Template {
    /// Writes a record in the form of [`Records`]. Its names at or below the owner are compressed against it, others are not.
    /// Nothing if it is no such record.
    pub fn of(rtype: RecordType, owner: &[u8], record: &[u8]) -> Option<Self> {
        let (before, names) = compressible_names(rtype)?;
        let (prefix, rdata) = record.split_at_checked(RECORD_PREFIX)?;
        let (mut octets, mut pointers) = (prefix.to_vec(), vec![0usize]);
        let (fixed, mut rest) = rdata.split_at_checked(before)?;
        octets.extend_from_slice(fixed);
        for _ in 0..names {
            let name = Reader::new(rest).question_name().ok()?;
            rest = rest.get(name.len()..)?;
            // A root would be pointed to by more octets than it has.
            let is_below = owner.len() > QUESTION_POINTER.len() && ends_in(name, owner);
            let own = if is_below { name.len().saturating_sub(owner.len()) } else { name.len() };
            octets.extend_from_slice(name.get(..own)?);
            if is_below {
                pointers.push(octets.len());
                octets.extend_from_slice(&QUESTION_POINTER);
            }
        }
        octets.extend_from_slice(rest);
        let length = u16::try_from(octets.len().checked_sub(RECORD_PREFIX)?).ok()?;
        octets
            .get_mut(RECORD_PREFIX.checked_sub(2)?..RECORD_PREFIX)?
            .copy_from_slice(&length.to_be_bytes());
        Some(Self { octets: octets.into(), pointers: pointers.into() })
    }

    pub(super) fn octets(&self) -> &[u8] {
        &self.octets
    }

    pub(super) fn pointers(&self) -> &[usize] {
        &self.pointers
    }
}

struct Split<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Split<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let length = self.rest.get(10..12).and_then(|octets| octets.first_chunk::<2>())?;
        let whole = usize::from(u16::from_be_bytes(*length)).saturating_add(RECORD_PREFIX);
        let (record, rest) = self.rest.split_at_checked(whole)?;
        self.rest = rest;
        Some(record)
    }
}

/// Where names stand in the RDATA of a type whose names may be compressed: octets before them, and how many.
///
/// Only the types of RFC 1035 qualify (RFC 3597 §4); compressing any other would break decoders that don't know it. So it would
/// for MB, MD, MF, MG, MR and MINFO: they qualify, but nobody has used them since, and decoders of today don't know them.
pub(super) fn compressible_names(rtype: RecordType) -> Option<(usize, usize)> {
    match rtype {
        RecordType::NS | RecordType::CNAME | RecordType::PTR => Some((0, 1)),
        RecordType::MX => Some((2, 1)),
        RecordType::SOA => Some((0, 2)),
        _ => None,
    }
}

/// Whether records of a type send their reader to a host, see [`host_of`].
#[inline]
pub fn brings_hosts(rtype: RecordType) -> bool {
    matches!(
        rtype,
        RecordType::NS
            | RecordType::MX
            | RecordType::AFSDB
            | RecordType::KX
            | RecordType::SRV
            | RecordType::SVCB
            | RecordType::HTTPS
    )
}

/// The host that a record sends its reader to, uncompressed, for the types whose answers bring its addresses along: NS and MX
/// (RFC 1035 §3.3), AFSDB (RFC 1183 §1), KX (RFC 2230 §4), SRV (RFC 2782), SVCB and HTTPS (RFC 9460 §4.1).
pub fn host_of(rtype: RecordType, rdata: &[u8]) -> Option<&[u8]> {
    let start = match rtype {
        RecordType::NS => 0,
        RecordType::MX
        | RecordType::AFSDB
        | RecordType::KX
        | RecordType::SVCB
        | RecordType::HTTPS => 2,
        RecordType::SRV => 6,
        _ => return None,
    };
    Reader::new(rdata.get(start..)?).question_name().ok()
}
