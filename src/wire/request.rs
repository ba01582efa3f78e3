//! A query as it came in: the header, one question, and what EDNS added.
//!
//! [`Request::parse`] decides in the order of RFC 1035 §4.1 and stops at the first thing that is wrong. What it could read
//! before that is kept in [`Request`], because even an error answer echoes the question where there was one.

use super::options::{OPTION_CLIENT_SUBNET, OPTION_EXPLAIN, OPTION_NSID, OPTION_TCP_KEEPALIVE};
use super::reader::{Malformed, Reader};
use super::subnet::ClientSubnet;
use super::types::{Class, Opcode, Rcode, RecordType};
use crate::limits::{EDNS_OPTIONS, HEADER_OCTETS, NAME_OCTETS};

/// What the OPT record of a query said (RFC 6891 §6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edns {
    /// Largest UDP answer the client takes, in octets, as it was written: values below 512 count as 512 (§6.2.3).
    pub payload: u16,
    pub version: u8,
    /// The DO bit (RFC 3225), which goes back as it came.
    pub wants_dnssec: bool,
    pub subnet: Option<ClientSubnet>,
    /// The client asks which server this is (RFC 5001 §2.1).
    pub wants_server: bool,
    /// The client would keep its connection, and asks for how long it may (RFC 7828 §3.2.1).
    pub wants_keepalive: bool,
    /// The client asks why it gets this answer.
    pub wants_explanation: bool,
}

impl Edns {
    /// Whether the answer to it may need options.
    #[inline]
    pub fn asks_for_options(&self) -> bool {
        self.subnet.is_some() || self.wants_server || self.wants_keepalive
    }
}

/// One query, checked.
#[derive(Clone, Debug)]
pub struct Request {
    /// The four leading octets of the header: id and flags.
    pub id: [u8; 2],
    pub flags: u16,
    /// The question's name with ASCII letters in lower case (RFC 4343), in the first `name_octets` octets. Lower case is made sixteen
    /// octets at a time, and what is behind the name has no meaning.
    folded: [u8; FOLDED_OCTETS],
    name_octets: u8,
    pub qtype: RecordType,
    pub qclass: Class,
    pub edns: Option<Edns>,
}

/// The longest name, rounded up.
const FOLDED_OCTETS: usize = NAME_OCTETS.next_multiple_of(16);

/// What to do with a message that is no query to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// Not a query: no answer at all, or two servers could answer each other for ever.
    Silence,
    /// An answer with this code. The question is echoed if it was read.
    Code(Rcode),
}

impl From<Malformed> for Rejection {
    fn from(_: Malformed) -> Self {
        Self::Code(Rcode::FORMERR)
    }
}

const FLAG_RESPONSE: u16 = 0x8000;
/// RD and CD go back as they came (RFC 1035 §4.1.1, RFC 4035 §3.1.6).
const FLAGS_ECHOED: u16 = 0x7910;

impl Request {
    /// A request with nothing in it, to be filled by [`Request::parse`]. Workers make theirs once.
    pub fn empty() -> Self {
        Self {
            id: [0; 2],
            flags: 0,
            folded: [0; FOLDED_OCTETS],
            name_octets: 0,
            qtype: RecordType(0),
            qclass: Class::IN,
            edns: None,
        }
    }

    /// Reads a whole message. On an error, [`Request::question_octets`] says whether the question had been read.
    pub fn parse(&mut self, message: &[u8]) -> Result<(), Rejection> {
        self.name_octets = 0;
        self.edns = None;
        let Some((header, rest)) = message.split_first_chunk::<HEADER_OCTETS>() else {
            return Err(Rejection::Silence);
        };
        let counts = self.read_header(header)?;
        let mut reader = Reader::new(rest);
        if self.opcode() != Opcode::QUERY {
            self.read_what_can_be(&mut reader, &counts);
            return Err(Rejection::Code(Rcode::NOTIMP));
        }
        // QDCOUNT other than 1 has no meaning in a query (RFC 9619 §4).
        if counts.questions != 1 {
            return Err(Rejection::Code(Rcode::FORMERR));
        }
        self.read_question(&mut reader)?;
        // Only IXFR carries a record in the authority section of a query (RFC 1995 §3).
        let authorities = u16::from(self.qtype == RecordType::IXFR);
        if counts.answers != 0 || counts.authorities > authorities {
            return Err(Rejection::Code(Rcode::FORMERR));
        }
        for _ in 0..counts.authorities {
            skip_record(&mut reader)?;
        }
        self.read_additional(&mut reader, counts.additional)?;
        if !reader.is_at_end() {
            return Err(Rejection::Code(Rcode::FORMERR));
        }
        match &self.edns {
            // RFC 6891 §6.1.3.
            Some(edns) if edns.version != 0 => Err(Rejection::Code(Rcode::BADVERS)),
            _ => Ok(()),
        }
    }

    /// Reads the question and OPT of a message of another kind, so that its answer can have them too (RFC 6891 §6.1.1). What
    /// is not as in a query is left alone.
    fn read_what_can_be(&mut self, reader: &mut Reader<'_>, counts: &Counts) {
        let is_like_a_query =
            counts.questions == 1 && counts.answers == 0 && counts.authorities == 0;
        if is_like_a_query && self.read_question(reader).is_ok() {
            // An OPT that was read before an error still stands.
            let _ = self.read_additional(reader, counts.additional);
        }
    }

    #[inline]
    fn read_header(&mut self, header: &[u8; HEADER_OCTETS]) -> Result<Counts, Rejection> {
        let [a, b, c, d, e, f, g, h, i, j, k, l] = *header;
        self.id = [a, b];
        self.flags = u16::from_be_bytes([c, d]);
        if self.flags & FLAG_RESPONSE != 0 {
            return Err(Rejection::Silence);
        }
        Ok(Counts {
            questions: u16::from_be_bytes([e, f]),
            answers: u16::from_be_bytes([g, h]),
            authorities: u16::from_be_bytes([i, j]),
            additional: u16::from_be_bytes([k, l]),
        })
    }

    fn read_question(&mut self, reader: &mut Reader<'_>) -> Result<(), Malformed> {
        let name = reader.question_name()?;
        let qtype = RecordType(reader.u16()?);
        let qclass = Class(reader.u16()?);
        let folded = self.folded.get_mut(..name.len()).ok_or(Malformed)?;
        folded.copy_from_slice(name);
        // Label lengths are below `A`, so that the whole name folds at once.
        let (chunks, _) = self.folded.as_chunks_mut::<16>();
        for chunk in chunks.iter_mut().take(name.len().div_ceil(16)) {
            chunk.make_ascii_lowercase();
        }
        self.name_octets = u8::try_from(name.len()).map_err(|_| Malformed)?;
        (self.qtype, self.qclass) = (qtype, qclass);
        Ok(())
    }

    fn read_additional(&mut self, reader: &mut Reader<'_>, count: u16) -> Result<(), Malformed> {
        for _ in 0..count {
            let is_root = reader.skip_owner()?;
            let rtype = RecordType(reader.u16()?);
            let payload = reader.u16()?;
            let [_, version, high, _] = reader.u32()?.to_be_bytes();
            let length = reader.u16()?;
            let data = reader.take(usize::from(length))?;
            if rtype != RecordType::OPT {
                continue;
            }
            // One OPT, and its owner is the root (RFC 6891 §6.1.1, §6.1.2).
            if self.edns.is_some() || !is_root {
                return Err(Malformed);
            }
            let bare = Edns {
                payload,
                version,
                wants_dnssec: high & 0x80 != 0,
                subnet: None,
                wants_server: false,
                wants_keepalive: false,
                wants_explanation: false,
            };
            let edns = self.edns.insert(bare);
            // The options of a version we don't know are not ours to read, and of those that are wrong none is given back.
            if version == 0 && !data.is_empty() && read_options(edns, data).is_err() {
                *edns = bare;
                return Err(Malformed);
            }
        }
        Ok(())
    }

    /// The question's name in lower case, uncompressed; empty if no question was read.
    #[inline]
    pub fn folded_name(&self) -> &[u8] {
        self.folded.get(..usize::from(self.name_octets)).unwrap_or_default()
    }

    /// Length of the question in the message (name, type and class), or 0 if none was read.
    #[inline]
    pub fn question_octets(&self) -> usize {
        match self.name_octets {
            0 => 0,
            octets => usize::from(octets).saturating_add(4),
        }
    }

    pub fn opcode(&self) -> Opcode {
        let [high, _] = self.flags.to_be_bytes();
        Opcode((high >> 3) & 0x0f)
    }

    /// The flags that an answer begins with: QR, and the opcode, RD and CD of the query.
    pub fn answer_flags(&self) -> u16 {
        FLAG_RESPONSE | (self.flags & FLAGS_ECHOED)
    }

    /// The client subnet of the query, if there was one.
    pub fn subnet(&self) -> Option<ClientSubnet> {
        self.edns.as_ref().and_then(|edns| edns.subnet)
    }
}

struct Counts {
    questions: u16,
    answers: u16,
    authorities: u16,
    additional: u16,
}

fn skip_record(reader: &mut Reader<'_>) -> Result<(), Malformed> {
    reader.skip_owner()?;
    reader.take(8)?;
    let length = reader.u16()?;
    reader.take(usize::from(length))?;
    Ok(())
}

/// Walks the options. One that means nothing to us is ignored (RFC 6891 §6.1.2).
fn read_options(edns: &mut Edns, data: &[u8]) -> Result<(), Malformed> {
    let mut reader = Reader::new(data);
    let mut options = 0usize;
    while !reader.is_at_end() {
        options = options.saturating_add(1);
        if options > EDNS_OPTIONS {
            return Err(Malformed);
        }
        let code = reader.u16()?;
        let length = reader.u16()?;
        let option = reader.take(usize::from(length))?;
        match code {
            // Two prefixes would be two clients: nobody could say whose answer this is.
            OPTION_CLIENT_SUBNET if edns.subnet.is_some() => return Err(Malformed),
            OPTION_CLIENT_SUBNET => edns.subnet = Some(ClientSubnet::parse(option)?),
            OPTION_NSID => edns.wants_server = true,
            OPTION_TCP_KEEPALIVE => edns.wants_keepalive = true,
            OPTION_EXPLAIN => edns.wants_explanation = true,
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A query for `Www.example. A` with the given counts and the octets after the question.
    fn message(flags: u16, counts: [u16; 4], tail: &[u8]) -> Vec<u8> {
        let mut octets = vec![0x12, 0x34];
        octets.extend(flags.to_be_bytes());
        octets.extend(counts.iter().flat_map(|c| c.to_be_bytes()));
        octets.extend(b"\x03Www\x07example\x00\x00\x01\x00\x01");
        octets.extend(tail);
        octets
    }

    fn opt(version: u8, options: &[u8]) -> Vec<u8> {
        let mut octets = vec![0, 0, 41, 4, 208, 0, version, 0x80, 0];
        octets.extend(u16::try_from(options.len()).unwrap().to_be_bytes());
        octets.extend(options);
        octets
    }

    fn parse(octets: &[u8]) -> Result<Request, Rejection> {
        let mut request = Request::empty();
        request.parse(octets).map(|()| request)
    }

    const FORMERR: Rejection = Rejection::Code(Rcode::FORMERR);

    #[test]
    fn a_plain_query() {
        let request = parse(&message(0x0110, [1, 0, 0, 0], &[])).unwrap();
        assert_eq!(request.folded_name(), b"\x03www\x07example\x00");
        assert_eq!((request.qtype, request.qclass), (RecordType::A, Class::IN));
        assert_eq!(request.answer_flags(), 0x8110);
        assert_eq!(request.question_octets(), 17);
        assert!(request.edns.is_none());
    }

    #[test]
    fn edns_and_client_subnet() {
        let subnet = [0, 8, 0, 7, 0, 1, 24, 0, 192, 0, 2];
        let request = parse(&message(0, [1, 0, 0, 1], &opt(0, &subnet))).unwrap();
        let edns = request.edns.unwrap();
        assert_eq!((edns.payload, edns.wants_dnssec), (1232, true));
        assert_eq!(edns.subnet.unwrap().source(), 24);
        let twice = [subnet, subnet].concat();
        assert_eq!(parse(&message(0, [1, 0, 0, 1], &opt(0, &twice))).unwrap_err(), FORMERR);
    }

    #[test]
    fn what_gets_no_answer() {
        assert_eq!(parse(&[]).unwrap_err(), Rejection::Silence);
        assert_eq!(parse(&message(0, [1, 0, 0, 0], &[])[..11]).unwrap_err(), Rejection::Silence);
        assert_eq!(parse(&message(0x8000, [1, 0, 0, 0], &[])).unwrap_err(), Rejection::Silence);
    }

    #[test]
    fn what_gets_an_error() {
        let two = [opt(0, &[]), opt(0, &[])].concat();
        let unfinished = opt(0, &[0, 8, 0, 9, 0]);
        for (octets, code) in [
            (message(0, [0, 0, 0, 0], &[]), Rcode::FORMERR),
            (message(0, [2, 0, 0, 0], &[]), Rcode::FORMERR),
            (message(0, [1, 1, 0, 0], &opt(0, &[])), Rcode::FORMERR),
            (message(0, [1, 0, 1, 0], &opt(0, &[])), Rcode::FORMERR),
            (message(0, [1, 0, 0, 1], &[]), Rcode::FORMERR),
            (message(0, [1, 0, 0, 2], &two), Rcode::FORMERR),
            (message(0, [1, 0, 0, 1], &unfinished), Rcode::FORMERR),
            (message(0, [1, 0, 0, 0], &[0]), Rcode::FORMERR),
            (message(0, [1, 0, 0, 1], &opt(1, &[])), Rcode::BADVERS),
            (message(0x2800, [1, 0, 0, 0], &[]), Rcode::NOTIMP),
        ] {
            assert_eq!(parse(&octets).unwrap_err(), Rejection::Code(code), "{octets:02x?}");
        }
        let mut pointer = message(0, [1, 0, 0, 0], &[]);
        pointer.splice(12.., [0xc0, 12, 0, 1, 0, 1]);
        assert_eq!(parse(&pointer).unwrap_err(), FORMERR);
    }

    #[test]
    fn another_opcode_is_answered_with_question_and_opt() {
        let mut request = Request::empty();
        let status = message(0x1000, [1, 0, 0, 1], &opt(0, &[]));
        assert_eq!(request.parse(&status), Err(Rejection::Code(Rcode::NOTIMP)));
        assert_eq!((request.question_octets(), request.edns.is_some()), (17, true));
    }

    #[test]
    fn no_prefix_of_a_query_panics() {
        let whole = message(0, [1, 0, 0, 1], &opt(0, &[0, 8, 0, 7, 0, 1, 24, 0, 192, 0, 2]));
        for end in 0..whole.len() {
            assert!(parse(&whole[..end]).is_err(), "{end}");
        }
    }
}
