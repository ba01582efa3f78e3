//! Writes a response into a fixed buffer: header, question, sections, OPT.
//!
//! Invariants: an RRset is in the message whole or not at all; the question is echoed octet for octet; room for the OPT
//! record is set aside before anything else is written, so that it always fits; compression pointers lead backwards only,
//! and the search for them is bounded by [`COMPRESSION_TARGETS`].

use super::options::{
    OPTION_CLIENT_SUBNET, OPTION_EXTENDED_ERROR, OPTION_NSID, OPTION_TCP_KEEPALIVE,
};
use super::records::{QUESTION_POINTER, RECORD_PREFIX, Records, Template, compressible_names};
use super::subnet::ClientSubnet;
use super::types::{Class, ExtendedError, Rcode, RecordType, Ttl};
use crate::limits::{COMPRESSION_TARGETS, HEADER_OCTETS, NAME_LABELS};

/// The records did not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// Whose record is written.
#[derive(Clone, Copy, Debug)]
pub enum Owner<'a> {
    /// The name of the question.
    Question,
    /// A name that stands in the message already, at this offset.
    At(u16),
    /// A name in uncompressed wire format.
    Name(&'a [u8]),
}

/// The three sections after the question, in the order they are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Section {
    Answer,
    Authority,
    Additional,
}

/// The OPT record of a response (RFC 6891 §6.1.1).
#[derive(Clone, Copy, Debug)]
pub struct OptRecord<'a> {
    /// Largest UDP query that this server takes.
    pub payload: u16,
    /// The DO bit of the query, given back (RFC 3225 §3).
    pub wants_dnssec: bool,
    /// Most answers have none.
    pub options: Option<OptOptions<'a>>,
}

/// The options in such a record.
#[derive(Clone, Copy, Debug, Default)]
pub struct OptOptions<'a> {
    /// The client subnet of the query, and the scope of this answer (RFC 7871 §7.2.1).
    pub subnet: Option<(ClientSubnet, u8)>,
    /// Why the answer is not what was hoped for (RFC 8914), with a text for people.
    pub error: Option<(ExtendedError, &'a str)>,
    /// Why the answer is what it is: the text of one more extended error, without a code that would mean anything.
    pub explanation: Option<&'a str>,
    /// Which server this is (RFC 5001), for a client that asked.
    pub server: Option<&'a [u8]>,
    /// How long an idle connection may stay, in tenths of a second (RFC 7828 §3.1), for a client that asked.
    pub keepalive: Option<u16>,
}

const OPT_PREFIX: usize = 11;
const FLAG_TRUNCATED: u16 = 0x0200;
/// Pointers have 14 bits (RFC 1035 §4.1.4).
const POINTER_LIMIT: usize = 0x4000;

impl OptRecord<'_> {
    /// An OPT record without options.
    pub fn bare(payload: u16, wants_dnssec: bool) -> Self {
        Self { payload, wants_dnssec, options: None }
    }

    /// Octets that the record will take.
    #[inline]
    pub fn octets(&self) -> usize {
        let options = self.options.as_ref().map_or(0, OptOptions::octets);
        OPT_PREFIX.saturating_add(options)
    }
}

impl OptOptions<'_> {
    /// Octets that the options will take.
    fn octets(&self) -> usize {
        let subnet = self.subnet.map_or(0, |(subnet, _)| subnet.octets().len().saturating_add(8));
        let error = self.error.map_or(0, |(_, text)| text.len().saturating_add(6));
        let server = self.server.map_or(0, |name| name.len().saturating_add(4));
        let keepalive = self.keepalive.map_or(0, |_| 6);
        let explanation = self.explanation.map_or(0, |text| text.len().saturating_add(6));
        let options = [subnet, error, explanation, server, keepalive];
        options.into_iter().fold(0, usize::saturating_add)
    }
}

/// Room for what a response remembers of the names in it, to be used again for the next. What is left in it has no meaning.
#[derive(Clone, Debug)]
pub struct Labels {
    /// Where a label is, and the octets of the name from there on, uncompressed.
    targets: [(u16, u8); COMPRESSION_TARGETS],
}

impl Default for Labels {
    fn default() -> Self {
        Self { targets: [(0, 0); COMPRESSION_TARGETS] }
    }
}

/// A response under way.
#[derive(Debug)]
pub struct Composer<'a> {
    buffer: &'a mut [u8],
    length: usize,
    /// Octets that the sections may fill; the OPT record lies beyond.
    limit: usize,
    counts: [u16; 3],
    has_question: bool,
    is_truncated: bool,
    /// Length of the question's name.
    question_name: usize,
    /// Labels that later names may point to, so many of them. The question's are found without.
    labels: &'a mut Labels,
    target_count: usize,
    /// Where the RDATA of the latest record with compressible names begins.
    latest_names: usize,
}

/// A state to return to when an RRset turns out not to fit.
#[derive(Clone, Copy, Debug)]
pub struct Mark {
    length: usize,
    counts: [u16; 3],
    target_count: usize,
}

impl<'a> Composer<'a> {
    /// Begins a response of at most `limit` octets in `buffer` with the octets of the question, which may be none. `opt`
    /// is only measured here, and written by [`Composer::finish`].
    pub fn start(
        buffer: &'a mut [u8],
        limit: usize,
        question: &[u8],
        opt: Option<&OptRecord<'_>>,
        labels: &'a mut Labels,
    ) -> Result<Self, Full> {
        let reserved = opt.map_or(0, OptRecord::octets);
        let limit = limit.min(buffer.len()).checked_sub(reserved).ok_or(Full)?;
        let length = HEADER_OCTETS.saturating_add(question.len());
        if length > limit {
            return Err(Full);
        }
        buffer.get_mut(HEADER_OCTETS..length).ok_or(Full)?.copy_from_slice(question);
        Ok(Self {
            buffer,
            length,
            limit,
            counts: [0; 3],
            has_question: !question.is_empty(),
            is_truncated: false,
            question_name: question.len().saturating_sub(4),
            labels,
            target_count: 0,
            latest_names: 0,
        })
    }

    /// The name of the question as it was asked, case and all.
    pub fn question_name(&self) -> &[u8] {
        let end = HEADER_OCTETS.saturating_add(self.question_name);
        self.buffer.get(HEADER_OCTETS..end).unwrap_or_default()
    }

    /// Where the message stands now.
    pub fn mark(&self) -> Mark {
        Mark { length: self.length, counts: self.counts, target_count: self.target_count }
    }

    /// Forgets all that was written since `mark`.
    pub fn rewind(&mut self, mark: Mark) {
        self.length = mark.length;
        self.counts = mark.counts;
        self.target_count = mark.target_count;
    }

    /// Says that an RRset had to be left out (TC, RFC 2181 §9).
    pub fn set_truncated(&mut self) {
        self.is_truncated = true;
    }

    /// Writes a whole RRset or nothing. The records begin with the one numbered `turn` modulo their count, so that equal
    /// records take turns at the front (Route 53 rule 9).
    #[inline]
    pub fn push_records(
        &mut self,
        section: Section,
        owner: Owner<'_>,
        records: &Records<'_>,
        turn: usize,
    ) -> Result<(), Full> {
        let is_plain = compressible_names(records.rtype).is_none();
        if matches!(owner, Owner::Question) && is_plain && records.count == 1 {
            self.put(records.octets)?;
            return self.count(section, records.count);
        }
        let mark = self.mark();
        let result = self.push_each(section, owner, records, turn);
        if result.is_err() {
            self.rewind(mark);
        }
        result
    }

    /// Writes a record whose owner stands at an offset in the question, or nothing if it does not fit.
    pub fn push_template(
        &mut self,
        section: Section,
        template: &Template,
        owner: u16,
    ) -> Result<(), Full> {
        let start = self.length;
        self.put(template.octets())?;
        let pointer = (0xc000 | owner).to_be_bytes();
        for at in template.pointers() {
            let at = start.saturating_add(*at);
            let place = self.buffer.get_mut(at..at.saturating_add(pointer.len())).ok_or(Full)?;
            place.copy_from_slice(&pointer);
        }
        self.count(section, 1)
    }

    fn push_each(
        &mut self,
        section: Section,
        owner: Owner<'_>,
        records: &Records<'_>,
        turn: usize,
    ) -> Result<(), Full> {
        let first = turn.checked_rem(usize::from(records.count)).unwrap_or(0);
        let mut owner = owner;
        for record in records.split().skip(first).chain(records.split().take(first)) {
            let start = self.length;
            self.put_owner(owner)?;
            // The first record's owner serves the rest.
            if let Owner::Name(_) = owner
                && let Some(offset) = self.owner_written_at(start)
            {
                owner = Owner::At(offset);
            }
            self.put_rest_of_record(records.rtype, record)?;
        }
        self.count(section, records.count)
    }

    /// The target of the CNAME that was just written, as the owner of what follows. Nothing if a pointer can't reach it, which
    /// the longest chain of the longest names does not come near.
    pub fn latest_target(&self) -> Option<Owner<'static>> {
        self.owner_written_at(self.latest_names).map(Owner::At)
    }

    /// Where the name is that was written as an owner at `start`: there, or where the pointer leads that it came down to.
    fn owner_written_at(&self, start: usize) -> Option<u16> {
        let first = self.written().get(start..)?.first_chunk::<2>().copied();
        match first {
            Some([high @ 0xc0..=0xff, low]) => Some(u16::from_be_bytes([high & 0x3f, low])),
            _ if start < POINTER_LIMIT => u16::try_from(start).ok(),
            _ => None,
        }
    }

    /// Writes one record of the Internet class, or nothing if it does not fit.
    pub fn push_record(
        &mut self,
        section: Section,
        owner: Owner<'_>,
        rtype: RecordType,
        ttl: Ttl,
        rdata: &[u8],
    ) -> Result<(), Full> {
        self.push_record_of_class(Class::IN, section, owner, (rtype, ttl), rdata)
    }

    /// Writes one record of any class, or nothing if it does not fit.
    pub fn push_record_of_class(
        &mut self,
        class: Class,
        section: Section,
        owner: Owner<'_>,
        (rtype, ttl): (RecordType, Ttl),
        rdata: &[u8],
    ) -> Result<(), Full> {
        let length = u16::try_from(rdata.len()).map_err(|_| Full)?;
        let [high, low] = length.to_be_bytes();
        let [type_high, type_low] = rtype.0.to_be_bytes();
        let [class_high, class_low] = class.0.to_be_bytes();
        let [a, b, c, d] = ttl.as_seconds().to_be_bytes();
        let fixed = [type_high, type_low, class_high, class_low, a, b, c, d, high, low];
        let mark = self.mark();
        let result = self
            .put_owner(owner)
            .and_then(|()| self.put(&fixed))
            .and_then(|()| self.put_rdata(rtype, rdata))
            .and_then(|()| self.count(section, 1));
        if result.is_err() {
            self.rewind(mark);
        }
        result
    }

    /// Whether so many more octets fit, the room for the OPT record left alone.
    pub fn has_room(&self, octets: usize) -> bool {
        self.length.saturating_add(octets) <= self.limit
    }

    /// Octets that the sections still may fill.
    pub fn room(&self) -> usize {
        self.limit.saturating_sub(self.length)
    }

    /// Writes the OPT record and the header, and gives the length of the message.
    pub fn finish(
        &mut self,
        id: [u8; 2],
        flags: u16,
        rcode: Rcode,
        opt: Option<&OptRecord<'_>>,
    ) -> usize {
        let has_question = u16::from(self.has_question);
        let [high, low] = rcode.0.to_be_bytes();
        let extended = (high << 4) | (low >> 4);
        // The room was set aside, so that this can't fail; if it could, an answer without OPT would still be an answer.
        let opt_count = u16::from(opt.is_some_and(|opt| self.put_opt(opt, extended).is_ok()));
        let truncated = if self.is_truncated { FLAG_TRUNCATED } else { 0 };
        let flags = flags | truncated | u16::from(low & 0x0f);
        let [answers, authorities, additional] = self.counts;
        let numbers =
            [flags, has_question, answers, authorities, additional.saturating_add(opt_count)];
        let [flags, questions, answers, authorities, additional] = numbers.map(u16::to_be_bytes);
        let header = [id, flags, questions, answers, authorities, additional];
        if let Some((start, _)) = self.buffer.split_first_chunk_mut::<HEADER_OCTETS>() {
            start.copy_from_slice(header.as_flattened());
        }
        self.length
    }

    fn written(&self) -> &[u8] {
        self.buffer.get(..self.length).unwrap_or_default()
    }

    #[inline]
    fn put(&mut self, octets: &[u8]) -> Result<(), Full> {
        let end = self.length.saturating_add(octets.len());
        if end > self.limit {
            return Err(Full);
        }
        self.buffer.get_mut(self.length..end).ok_or(Full)?.copy_from_slice(octets);
        self.length = end;
        Ok(())
    }

    #[inline]
    fn count(&mut self, section: Section, records: u16) -> Result<(), Full> {
        let counter = match (section, &mut self.counts) {
            (Section::Answer, [counter, _, _])
            | (Section::Authority, [_, counter, _])
            | (Section::Additional, [_, _, counter]) => counter,
        };
        *counter = counter.checked_add(records).ok_or(Full)?;
        Ok(())
    }

    fn put_owner(&mut self, owner: Owner<'_>) -> Result<(), Full> {
        match owner {
            Owner::Question => self.put(&QUESTION_POINTER),
            Owner::At(offset) => self.put(&(0xc000 | offset).to_be_bytes()),
            Owner::Name(name) => self.put_name(name),
        }
    }

    /// Writes what follows the owner of an encoded record, compressing the names of its RDATA where that is allowed.
    fn put_rest_of_record(&mut self, rtype: RecordType, record: &[u8]) -> Result<(), Full> {
        if compressible_names(rtype).is_none() {
            return self.put(record.get(QUESTION_POINTER.len()..).ok_or(Full)?);
        }
        let (prefix, rdata) = record.split_at_checked(RECORD_PREFIX).ok_or(Full)?;
        self.put(prefix.get(QUESTION_POINTER.len()..).ok_or(Full)?)?;
        self.put_rdata(rtype, rdata)
    }

    /// Writes RDATA after a length that was written already, and corrects the length if names were compressed.
    fn put_rdata(&mut self, rtype: RecordType, rdata: &[u8]) -> Result<(), Full> {
        let Some((before, names)) = compressible_names(rtype) else {
            return self.put(rdata);
        };
        let start = self.length;
        self.latest_names = start;
        let (fixed, mut rest) = rdata.split_at_checked(before).ok_or(Full)?;
        self.put(fixed)?;
        for _ in 0..names {
            let name = super::reader::Reader::new(rest).question_name().map_err(|_| Full)?;
            self.put_name(name)?;
            rest = rest.get(name.len()..).ok_or(Full)?;
        }
        self.put(rest)?;
        let length = u16::try_from(self.length.saturating_sub(start)).map_err(|_| Full)?;
        let at = start.checked_sub(2).ok_or(Full)?;
        self.buffer.get_mut(at..start).ok_or(Full)?.copy_from_slice(&length.to_be_bytes());
        Ok(())
    }

    /// Writes a name, as far as possible as a pointer to one that stands in the message already.
    fn put_name(&mut self, name: &[u8]) -> Result<(), Full> {
        let start = self.length;
        let mut rest = name;
        while let Some((&length, after)) = rest.split_first() {
            if length == 0 {
                self.put(&[0])?;
                break;
            }
            if let Some(target) = self.find_target(rest) {
                self.put(&(0xc000 | target).to_be_bytes())?;
                break;
            }
            let whole = usize::from(length).saturating_add(1);
            self.put(rest.get(..whole).ok_or(Full)?)?;
            rest = after.get(usize::from(length)..).ok_or(Full)?;
        }
        self.remember_labels(start, name.len());
        Ok(())
    }

    /// Enters the labels of the name at `offset`, of so many octets uncompressed, as targets, up to the first pointer or the
    /// root.
    fn remember_labels(&mut self, offset: usize, octets: usize) {
        let mut at = offset;
        let mut octets = octets;
        while let Some(&length @ 1..=0x3f) = self.written().get(at)
            && at < POINTER_LIMIT
        {
            let (Some(slot), Ok(target)) =
                (self.labels.targets.get_mut(self.target_count), u16::try_from(at))
            else {
                return;
            };
            *slot = (target, u8::try_from(octets).unwrap_or(u8::MAX));
            self.target_count = self.target_count.saturating_add(1);
            let whole = usize::from(length).saturating_add(1);
            at = at.saturating_add(whole);
            octets = octets.saturating_sub(whole);
        }
    }

    /// Where in the message this name stands, if it does.
    fn find_target(&self, name: &[u8]) -> Option<u16> {
        // The question's name needs no memory: if this is a suffix of it, it stands at its length from the end.
        let in_question = HEADER_OCTETS
            .saturating_add(self.question_name)
            .checked_sub(name.len())
            .filter(|&at| at >= HEADER_OCTETS && self.stands_in_question(at, name));
        if let Some(at) = in_question {
            return u16::try_from(at).ok();
        }
        let targets = self.labels.targets.get(..self.target_count)?;
        // Names of another length can't be equal: most targets are passed over without a look at the message.
        let of_length = targets.iter().filter(|(_, octets)| usize::from(*octets) == name.len());
        of_length
            .map(|(target, _)| *target)
            .find(|&target| self.stands_at(usize::from(target), name))
    }

    /// Whether the question's name has a label that begins at `at`, and is `name` from there on, case ignored.
    fn stands_in_question(&self, at: usize, name: &[u8]) -> bool {
        let end = HEADER_OCTETS.saturating_add(self.question_name);
        let is_same = self.written().get(at..end).is_some_and(|own| own.eq_ignore_ascii_case(name));
        let mut label = HEADER_OCTETS;
        while is_same && label < at {
            let length = self.written().get(label).map_or(0, |&length| usize::from(length));
            label = label.saturating_add(length).saturating_add(1);
        }
        is_same && label == at
    }

    /// Whether the name in the message at `at` is `name`, case ignored.
    fn stands_at(&self, mut at: usize, mut name: &[u8]) -> bool {
        let written = self.written();
        for _ in 0..=NAME_LABELS {
            let Some(&length) = written.get(at) else {
                return false;
            };
            if length >= 0xc0 {
                let Some(&low) = written.get(at.saturating_add(1)) else {
                    return false;
                };
                at = usize::from(u16::from_be_bytes([length & 0x3f, low]));
                continue;
            }
            let end = usize::from(length).saturating_add(1);
            let (Some(ours), Some(theirs)) =
                (written.get(at..at.saturating_add(end)), name.get(..end))
            else {
                return false;
            };
            if !ours.eq_ignore_ascii_case(theirs) {
                return false;
            }
            if length == 0 {
                return true;
            }
            at = at.saturating_add(end);
            name = name.get(end..).unwrap_or_default();
        }
        false
    }

    #[inline]
    fn put_opt(&mut self, opt: &OptRecord<'_>, extended: u8) -> Result<(), Full> {
        let octets = opt.octets();
        self.limit = self.limit.saturating_add(octets);
        let options = u16::try_from(octets.saturating_sub(OPT_PREFIX)).map_err(|_| Full)?;
        let [[type_high, type_low], [payload_high, payload_low], [options_high, options_low]] =
            [RecordType::OPT.0, opt.payload, options].map(u16::to_be_bytes);
        let dnssec = if opt.wants_dnssec { 0x80 } else { 0 };
        let fixed: [u8; OPT_PREFIX] = [
            0,
            type_high,
            type_low,
            payload_high,
            payload_low,
            extended,
            0,
            dnssec,
            0,
            options_high,
            options_low,
        ];
        self.put(&fixed)?;
        match &opt.options {
            None => Ok(()),
            Some(options) => self.put_options(options),
        }
    }

    #[inline(never)]
    fn put_options(&mut self, options: &OptOptions<'_>) -> Result<(), Full> {
        if let Some((subnet, scope)) = &options.subnet {
            self.put_subnet(subnet, *scope)?;
        }
        if let Some((code, text)) = options.error {
            let code = code.0.to_be_bytes();
            self.put_option(OPTION_EXTENDED_ERROR, &[&code, text.as_bytes()])?;
        }
        if let Some(text) = options.explanation {
            let code = ExtendedError::OTHER.0.to_be_bytes();
            self.put_option(OPTION_EXTENDED_ERROR, &[&code, text.as_bytes()])?;
        }
        if let Some(name) = options.server {
            self.put_option(OPTION_NSID, &[name])?;
        }
        match options.keepalive {
            Some(tenths) => self.put_option(OPTION_TCP_KEEPALIVE, &[&tenths.to_be_bytes()]),
            None => Ok(()),
        }
    }

    fn put_subnet(&mut self, subnet: &ClientSubnet, scope: u8) -> Result<(), Full> {
        let address = subnet.octets();
        let length = u16::try_from(address.len()).map_err(|_| Full)?.saturating_add(4);
        let [[code_high, code_low], [length_high, length_low], [family_high, family_low]] =
            [OPTION_CLIENT_SUBNET, length, subnet.family()].map(u16::to_be_bytes);
        self.put(&[
            code_high,
            code_low,
            length_high,
            length_low,
            family_high,
            family_low,
            subnet.source(),
            scope,
        ])?;
        self.put(address)
    }

    fn put_option(&mut self, code: u16, parts: &[&[u8]]) -> Result<(), Full> {
        let octets = parts.iter().fold(0usize, |sum, part| sum.saturating_add(part.len()));
        let length = u16::try_from(octets).map_err(|_| Full)?;
        self.put(&code.to_be_bytes())?;
        self.put(&length.to_be_bytes())?;
        parts.iter().try_for_each(|part| self.put(part))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Name;

    const QUESTION: &[u8] = b"\x03www\x07example\x03com\x00\x00\x01\x00\x01";

    fn name(text: &str) -> Box<[u8]> {
        Name::parse(text, &Name::root()).unwrap().as_wire().into()
    }

    fn encode(rtype: RecordType, rdata: &[Box<[u8]>]) -> Vec<u8> {
        let mut octets = Vec::new();
        Records::encode(rtype, Ttl::from_seconds(60).unwrap(), rdata, &mut octets).unwrap();
        octets
    }

    fn compose(limit: usize, write: impl FnOnce(&mut Composer<'_>)) -> Vec<u8> {
        let (mut buffer, mut labels) = ([0u8; 4096], Labels::default());
        let mut composer =
            Composer::start(&mut buffer, limit, QUESTION, None, &mut labels).unwrap();
        write(&mut composer);
        let length = composer.finish([1, 2], 0x8400, Rcode::NOERROR, None);
        buffer[..length].to_vec()
    }

    #[test]
    fn names_are_compressed_against_the_question_and_each_other() {
        let rdata = [name("ns1.example.com"), name("ns2.ns1.Example.com")];
        let octets = encode(RecordType::NS, &rdata);
        let records = Records { rtype: RecordType::NS, count: 2, octets: &octets };
        let message = compose(512, |composer| {
            composer.push_records(Section::Answer, Owner::Question, &records, 0).unwrap();
        });
        let answers = &message[HEADER_OCTETS + QUESTION.len()..];
        assert_eq!(&answers[10..18], b"\x00\x06\x03ns1\xc0\x10");
        assert_eq!(&answers[18 + 10..18 + 18], b"\x00\x06\x03ns2\xc0\x2d");
        assert_eq!(answers.len(), 36);
    }

    /// A reverse name of IPv6 has more labels than are remembered, and nothing was compressed beside it.
    #[test]
    fn names_are_compressed_beside_a_question_of_many_labels() {
        let question =
            [name(&format!("{}ip6.arpa", "1.".repeat(32))).as_ref(), &[0, 12, 0, 1]].concat();
        let rdata = [name("a.hosting.example"), name("b.hosting.example"), name("x.ip6.arpa")];
        let octets = encode(RecordType::PTR, &rdata);
        let records = Records { rtype: RecordType::PTR, count: 3, octets: &octets };
        let (mut buffer, mut labels) = ([0u8; 512], Labels::default());
        let mut composer = Composer::start(&mut buffer, 512, &question, None, &mut labels).unwrap();
        composer.push_records(Section::Answer, Owner::Question, &records, 0).unwrap();
        let length = composer.finish([0; 2], 0x8000, Rcode::NOERROR, None);
        let answers = &buffer[HEADER_OCTETS + question.len()..length];
        assert_eq!(answers.len(), 3 * 12 + 19 + 4 + 4, "{answers:02x?}");
        assert!(answers.ends_with(b"\x00\x04\x01x\xc0\x4c"), "{answers:02x?}");
    }

    #[test]
    fn a_template_is_the_record_with_pointers_into_the_question() {
        let rdata = [&name("ns.Example.com")[..], &name("root.example.net"), &[7; 20]].concat();
        let octets = encode(RecordType::SOA, &[rdata.into()]);
        let template = Template::of(RecordType::SOA, &name("example.com"), &octets).unwrap();
        let message = compose(512, |composer| {
            composer.push_template(Section::Authority, &template, 16).unwrap();
        });
        let record = &message[HEADER_OCTETS + QUESTION.len()..];
        let names = [&b"\x02ns\xc0\x10"[..], &name("root.example.net")].concat();
        assert_eq!(record[..2], [0xc0, 16]);
        assert_eq!(record[10..12], u16::try_from(names.len() + 20).unwrap().to_be_bytes());
        assert_eq!(record[12..], [&names[..], &[7; 20]].concat());
        assert_eq!(message[6..12], [0, 0, 0, 1, 0, 0]);
        let mut full = Vec::new();
        compose(40, |composer| {
            full.push(composer.push_template(Section::Authority, &template, 16));
        });
        assert_eq!(full, [Err(Full)]);
    }

    #[test]
    fn srv_targets_are_not_compressed() {
        let rdata =
            [[&[0u8, 1, 0, 2, 0, 3][..], &name("www.example.com")].concat().into_boxed_slice()];
        let octets = encode(RecordType::SRV, &rdata);
        let records = Records { rtype: RecordType::SRV, count: 1, octets: &octets };
        let message = compose(512, |composer| {
            composer.push_records(Section::Answer, Owner::Question, &records, 0).unwrap();
        });
        assert!(message.ends_with(&rdata[0]));
    }

    #[test]
    fn a_set_that_does_not_fit_leaves_no_trace() {
        let rdata: Vec<Box<[u8]>> = (0..10u8).map(|i| vec![10, 0, 0, i].into()).collect();
        let octets = encode(RecordType::A, &rdata);
        let records = Records { rtype: RecordType::A, count: 10, octets: &octets };
        let message = compose(100, |composer| {
            assert_eq!(
                composer.push_records(Section::Answer, Owner::Question, &records, 0),
                Err(Full)
            );
            composer.set_truncated();
        });
        assert_eq!(message.len(), HEADER_OCTETS + QUESTION.len());
        assert_eq!(&message[2..8], &[0x86, 0, 0, 1, 0, 0]);
    }

    #[test]
    fn rule_9_records_take_turns_at_the_front() {
        let rdata: Vec<Box<[u8]>> = (0..3u8).map(|i| vec![10, 0, 0, i].into()).collect();
        let octets = encode(RecordType::A, &rdata);
        let records = Records { rtype: RecordType::A, count: 3, octets: &octets };
        let firsts: Vec<u8> = (0..3)
            .map(|turn| {
                let message = compose(512, |composer| {
                    composer
                        .push_records(Section::Answer, Owner::Question, &records, turn)
                        .unwrap();
                });
                message[HEADER_OCTETS + QUESTION.len() + 15]
            })
            .collect();
        assert_eq!(firsts, [0, 1, 2]);
    }

    #[test]
    fn opt_always_fits() {
        let subnet = ClientSubnet::from_prefix("192.0.2.0".parse().unwrap(), 24);
        let opt = OptRecord {
            payload: 1232,
            wants_dnssec: true,
            options: Some(OptOptions {
                subnet: Some((subnet, 20)),
                error: Some((ExtendedError::OTHER, "why")),
                explanation: Some("because"),
                server: Some(b"ns1"),
                keepalive: Some(100),
            }),
        };
        let (mut buffer, mut labels) = ([0u8; 512], Labels::default());
        let rdata: Vec<Box<[u8]>> = (0..40u8).map(|i| vec![10, 0, 0, i].into()).collect();
        let octets = encode(RecordType::A, &rdata[..29]);
        let records = Records { rtype: RecordType::A, count: 28, octets: &octets };
        let mut composer =
            Composer::start(&mut buffer, 512, QUESTION, Some(&opt), &mut labels).unwrap();
        assert_eq!(composer.push_records(Section::Answer, Owner::Question, &records, 0), Err(Full));
        let length = composer.finish([0, 0], 0x8000, Rcode::BADVERS, Some(&opt));
        let tail = &buffer[HEADER_OCTETS + QUESTION.len()..length];
        let expected = [
            &[0, 0, 41, 4, 208, 1, 0, 0x80, 0, 0, 46][..],
            &[0, 8, 0, 7, 0, 1, 24, 20, 192, 0, 2],
            &[0, 15, 0, 5, 0, 0, b'w', b'h', b'y'],
            b"\x00\x0f\x00\x09\x00\x00because",
            &[0, 3, 0, 3, b'n', b's', b'1'],
            &[0, 11, 0, 2, 0, 100],
        ]
        .concat();
        assert_eq!(tail, expected);
    }
}
