//! The entry: what is refused before any zone is looked at, and the frame around every answer.

use std::net::IpAddr;

use super::answer::{Answering, FLAG_AUTHORITATIVE};
use super::chain::Chain;
use super::story::Story;
use crate::health::View;
use crate::limits::{
    HEADER_OCTETS, PLAIN_ANSWER_OCTETS, STREAM_MESSAGE_OCTETS, TCP_IDLE_SECONDS, UDP_ANSWER_OCTETS,
};
use crate::policy::{NoTrace, Random, Target};
use crate::snapshot::{Live, Snapshot};
use crate::wire::{
    Class, Composer, ExtendedError, Labels, OptOptions, OptRecord, Owner, Rcode, RecordType,
    Rejection, Request, Section, Ttl,
};
use crate::zone::{ZoneId, ZoneState};

/// How a query came, and so how large its answer may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transport {
    Udp,
    /// TCP and what is built on it: a message is as long as its length field can say.
    Stream,
}

/// Who asks.
#[derive(Clone, Copy, Debug)]
pub struct Client {
    /// The address that the query came from: a resolver's, most times.
    pub address: IpAddr,
    pub transport: Transport,
}

/// What became of a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Length of the answer; 0 is silence.
    pub octets: usize,
    pub rcode: Rcode,
    /// The type asked for, if a question was read.
    pub qtype: Option<RecordType>,
    /// The zone that the first name of the answer belongs to.
    pub zone: Option<ZoneId>,
    /// The pool that was chosen, or the multivalue policy whose pools were, and whether as a last resort.
    pub pool: Option<(ZoneId, Target, bool)>,
    pub is_truncated: bool,
    pub has_subnet: bool,
}

/// Room that a worker keeps from query to query, so that answering takes none.
#[derive(Debug)]
pub struct Scratch {
    reading: Reading,
    /// Queries that were read and not answered yet.
    ahead: Box<[Reading]>,
    tools: Tools,
}

/// What answers are made with.
#[derive(Debug)]
struct Tools {
    chain: Chain,
    labels: Labels,
    random: Random,
}

/// A query, read.
#[derive(Clone, Debug)]
struct Reading {
    request: Request,
    rejection: Option<Rejection>,
    /// That of the name, if there is one to look up.
    fingerprint: u64,
}

impl Scratch {
    /// What draws are made from.
    pub fn random(&mut self) -> &mut Random {
        &mut self.tools.random
    }
}

impl Reading {
    fn empty() -> Self {
        Self { request: Request::empty(), rejection: None, fingerprint: 0 }
    }
}

impl Scratch {
    /// `seed` should differ between workers, and be unknown outside.
    pub fn new(seed: u64) -> Self {
        Self::for_batch(seed, 0)
    }

    /// The same with room to read so many queries ahead.
    pub fn for_batch(seed: u64, queries: usize) -> Self {
        Self {
            reading: Reading::empty(),
            ahead: vec![Reading::empty(); queries].into(),
            tools: Tools {
                chain: Chain::empty(),
                labels: Labels::default(),
                random: Random::new(seed),
            },
        }
    }
}

/// About what a processor's second cache holds beside everything else.
const CLOSE_BY_OCTETS: usize = 1 << 20;

/// The largest query that this server takes over UDP, as its OPT records say.
const ADVERTISED_OCTETS: u16 = 1232;

/// How long an idle connection may stay, in the unit of the keepalive option (RFC 7828 §3.1).
const KEEPALIVE_TENTHS: u16 = (TCP_IDLE_SECONDS * 10) as u16;

/// Answers queries from one snapshot and one view.
#[derive(Clone, Copy, Debug)]
pub struct Engine<'a> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) view: &'a View,
    /// The time on the clock that the view's recoveries are stamped with; without it every recovery is long over.
    pub(super) now_ms: u64,
    /// Whether operators had set anything when this engine was made; what they set later is for the next one, which has the time.
    pub(super) has_overrides: bool,
    /// Goes into the answer, as far as there is room.
    pub(super) explanation: Option<&'a str>,
    /// The zone files say something else by now, and were refused.
    pub(super) is_stale: bool,
}

impl<'a> From<&'a Live> for Engine<'a> {
    fn from(live: &'a Live) -> Self {
        Self { is_stale: live.is_stale, ..Self::new(&live.snapshot, &live.view) }
    }
}

impl<'a> Engine<'a> {
    /// An engine over what is current.
    pub fn new(snapshot: &'a Snapshot, view: &'a View) -> Self {
        let has_overrides = view.has_overrides();
        Self { snapshot, view, now_ms: u64::MAX, has_overrides, explanation: None, is_stale: false }
    }

    /// Whether answers depend on the time, so that [`Engine::at`] is wanted.
    pub fn asks_time(&self) -> bool {
        self.has_overrides || self.snapshot.has_ramps
    }

    /// The same engine at a moment, in milliseconds on the clock that the view's recoveries are stamped with. Needed only if
    /// [`Engine::asks_time`].
    pub fn at(self, now_ms: u64) -> Self {
        Self { now_ms, ..self }
    }

    /// Answers one message into `out`, which should have room for [`UDP_ANSWER_OCTETS`] or, on a stream,
    /// [`STREAM_MESSAGE_OCTETS`].
    pub fn answer(
        &self,
        scratch: &mut Scratch,
        message: &[u8],
        client: Client,
        out: &mut [u8],
    ) -> Outcome {
        self.read(&mut scratch.reading, message);
        let Scratch { reading, tools, .. } = scratch;
        if self.explains(&reading.request, client) {
            return self.answer_with_reasons(scratch, message, client, out);
        }
        self.answer_reading(reading, tools, message, client, out, &mut NoTrace)
    }

    /// Whether reading queries ahead pays: where the names are more than the processor keeps close by.
    pub fn reads_ahead(&self) -> bool {
        self.snapshot.catalog.memory_octets() > CLOSE_BY_OCTETS
    }

    /// Reads messages, and has the memory that their answers are in come closer, all of it at once: one after the other, each query
    /// would wait for it twice. As many as `scratch` has room for.
    pub fn read_ahead<'m>(&self, scratch: &mut Scratch, messages: impl Iterator<Item = &'m [u8]>) {
        let mut count = 0usize;
        for (reading, message) in scratch.ahead.iter_mut().zip(messages) {
            self.read(reading, message);
            count = count.saturating_add(1);
        }
        let read = scratch.ahead.get(..count).unwrap_or_default();
        self.snapshot.catalog.approach(read.iter().map(|reading| reading.fingerprint));
    }

    /// Answers a message that was read ahead at this place, as [`Engine::answer`] does.
    pub fn answer_ahead(
        &self,
        scratch: &mut Scratch,
        place: usize,
        message: &[u8],
        client: Client,
        out: &mut [u8],
    ) -> Outcome {
        let Scratch { ahead, tools, .. } = scratch;
        let Some(reading) = ahead.get(place) else { return Outcome::silence() };
        if self.explains(&reading.request, client) {
            return self.answer_with_reasons(scratch, message, client, out);
        }
        self.answer_reading(reading, tools, message, client, out, &mut NoTrace)
    }

    /// Whether the client wants to know why, and may.
    fn explains(&self, request: &Request, client: Client) -> bool {
        request.edns.as_ref().is_some_and(|edns| edns.wants_explanation)
            && self.snapshot.identity.explains_to(client.address)
    }

    /// Answers, and tells `story` how.
    pub(super) fn answer_aloud(
        &self,
        scratch: &mut Scratch,
        message: &[u8],
        client: Client,
        out: &mut [u8],
        story: &mut impl Story,
    ) -> Outcome {
        self.read(&mut scratch.reading, message);
        let Scratch { reading, tools, .. } = scratch;
        self.answer_reading(reading, tools, message, client, out, story)
    }

    #[inline]
    fn read(&self, reading: &mut Reading, message: &[u8]) {
        reading.rejection = reading.request.parse(message).err();
        reading.fingerprint = match reading.rejection {
            None => self.snapshot.catalog.fingerprint(reading.request.folded_name()),
            Some(_) => 0,
        };
    }

    #[inline]
    fn answer_reading(
        &self,
        reading: &Reading,
        tools: &mut Tools,
        message: &[u8],
        client: Client,
        out: &mut [u8],
        story: &mut impl Story,
    ) -> Outcome {
        let Reading { request, rejection, fingerprint } = reading;
        let Tools { chain, labels, random } = tools;
        let question_end = HEADER_OCTETS.saturating_add(request.question_octets());
        let question = message.get(HEADER_OCTETS..question_end).unwrap_or_default();
        let frame = Frame { engine: self, request, question, client };
        let found = match rejection {
            Some(Rejection::Silence) => return Outcome::silence(),
            Some(Rejection::Code(rcode)) => return frame.refuse(out, labels, *rcode, None),
            None if request.qclass == Class::CH => return frame.introduce(out, labels),
            None => match refusal(request) {
                Some((rcode, error)) => return frame.refuse(out, labels, rcode, Some(error)),
                None => {
                    let (name, qtype) = (request.folded_name(), request.qtype);
                    self.snapshot.catalog.find_by(*fingerprint, name, qtype)
                }
            },
        };
        let Some(zone) = found.zone() else {
            return frame.refuse(out, labels, Rcode::REFUSED, Some(NOT_OURS));
        };
        if self.snapshot.catalog.zone(zone).is_none_or(|zone| zone.state == ZoneState::Refused) {
            let outcome = frame.refuse(out, labels, Rcode::SERVFAIL, Some(REFUSED_ZONE));
            return Outcome { zone: Some(zone), ..outcome };
        }
        let Some(composer) = frame.open(out, labels, self.is_stale.then_some(STALE)) else {
            return Outcome::silence();
        };
        let answering = Answering {
            frame,
            random,
            chain,
            composer,
            story,
            rcode: Rcode::NOERROR,
            is_authoritative: true,
            is_truncated: false,
            scope: 0,
            pool: None,
            error: None,
        };
        answering.run(found, zone)
    }
}

/// An extended error: its code, and a text for people.
pub(super) type Reason = (ExtendedError, &'static str);

const REFUSED_ZONE: Reason =
    (ExtendedError::INVALID_DATA, "the zone's file was refused at start: see the server's log");
/// The zone files changed since, and what they say was refused (RFC 8914 §4.4). The other is as long.
const STALE: Reason = (ExtendedError::STALE_ANSWER, "newer zone files were refused");
const STALE_DENIAL: Reason =
    (ExtendedError::STALE_NXDOMAIN_ANSWER, "newer zone files were refused");
const NOT_OURS: Reason = (ExtendedError::NOT_AUTHORITATIVE, "not a zone of this server");

/// What is refused for its class or type, whatever the name.
fn refusal(request: &Request) -> Option<(Rcode, Reason)> {
    if request.qclass != Class::IN {
        return Some((Rcode::REFUSED, NOT_OURS));
    }
    match request.qtype {
        RecordType::AXFR | RecordType::IXFR => {
            Some((Rcode::REFUSED, (ExtendedError::PROHIBITED, "zones are not transferred")))
        }
        RecordType::OPT
        | RecordType::TKEY
        | RecordType::TSIG
        | RecordType::MAILA
        | RecordType::MAILB => {
            Some((Rcode::NOTIMP, (ExtendedError::NOT_SUPPORTED, "a type that is no data")))
        }
        _ => None,
    }
}

impl Outcome {
    fn silence() -> Self {
        Self {
            octets: 0,
            rcode: Rcode::NOERROR,
            qtype: None,
            zone: None,
            pool: None,
            is_truncated: false,
            has_subnet: false,
        }
    }
}

/// As much of a text as fits into so many octets as an option.
fn shorten(text: &str, room: usize) -> Option<&str> {
    // Code and length of the option, and the code of the error.
    let most = room.saturating_sub(6).min(text.len());
    let whole = (0..=most).rev().find_map(|at| text.get(..at))?;
    Some(whole).filter(|text| !text.is_empty())
}

/// What every answer to one message has in common.
#[derive(Clone, Copy)]
pub(super) struct Frame<'e, 'q> {
    pub(super) engine: &'e Engine<'e>,
    pub(super) request: &'q Request,
    question: &'q [u8],
    pub(super) client: Client,
}

impl<'e> Frame<'e, '_> {
    /// Octets that the answer may have (RFC 6891 §6.2.3, RFC 9715 §3.1).
    fn limit(&self) -> usize {
        match (self.client.transport, &self.request.edns) {
            (Transport::Stream, _) => STREAM_MESSAGE_OCTETS,
            (Transport::Udp, None) => PLAIN_ANSWER_OCTETS,
            (Transport::Udp, Some(edns)) => {
                usize::from(edns.payload).clamp(PLAIN_ANSWER_OCTETS, UDP_ANSWER_OCTETS)
            }
        }
    }

    /// The OPT record of the answer, if the query had one. `scope` is for the client subnet.
    #[inline]
    fn opt(&self, error: Option<Reason>, scope: u8) -> Option<OptRecord<'e>> {
        let edns = self.request.edns.as_ref()?;
        let mut opt = OptRecord::bare(ADVERTISED_OCTETS, edns.wants_dnssec);
        if error.is_some() || edns.asks_for_options() {
            let keeps = edns.wants_keepalive && self.client.transport == Transport::Stream;
            let server = self.engine.snapshot.identity.server.as_deref().map(str::as_bytes);
            opt.options = Some(OptOptions {
                subnet: edns.subnet.map(|subnet| (subnet, scope)),
                error,
                server: server.filter(|_| edns.wants_server),
                keepalive: keeps.then_some(KEEPALIVE_TENTHS),
                explanation: None,
            });
        }
        Some(opt)
    }

    /// Begins an answer, with room for an OPT record that carries such an error. Nothing if not even the question fits, which
    /// no buffer of ours is too small for.
    #[inline]
    fn open<'o>(
        &self,
        out: &'o mut [u8],
        labels: &'o mut Labels,
        error: Option<Reason>,
    ) -> Option<Composer<'o>> {
        let reserved = self.opt(error, 0);
        Composer::start(out, self.limit(), self.question, reserved.as_ref(), labels).ok()
    }

    /// Closes an answer from a zone, and gives its length. An error that came up on the way is told if there is room: none was
    /// set aside from the beginning.
    #[inline]
    pub(super) fn close(
        &self,
        composer: &mut Composer<'_>,
        flags: u16,
        rcode: Rcode,
        scope: u8,
        error: Option<Reason>,
    ) -> usize {
        let stale = if rcode == Rcode::NXDOMAIN { STALE_DENIAL } else { STALE };
        let mut opt = self.opt(self.engine.is_stale.then_some(stale), scope);
        if let Some(opt) = &mut opt
            && (error.is_some() || self.engine.explanation.is_some())
        {
            self.tell_more(opt, composer, error);
        }
        composer.finish(self.request.id, self.request.answer_flags() | flags, rcode, opt.as_ref())
    }

    /// Adds what no room was set aside for, as far as there is some.
    #[cold]
    fn tell_more<'o>(&self, opt: &mut OptRecord<'o>, composer: &Composer<'_>, error: Option<Reason>)
    where
        'e: 'o,
    {
        let known = opt.octets();
        let options = opt.options.get_or_insert_default();
        if error.is_some() {
            let before = std::mem::replace(&mut options.error, error);
            if !composer.has_room(opt.octets().saturating_sub(known)) {
                opt.options.get_or_insert_default().error = before;
            }
        }
        if let Some(text) = self.engine.explanation {
            opt.options.get_or_insert_default().explanation =
                shorten(text, composer.room().saturating_sub(opt.octets().saturating_sub(known)));
        }
    }

    /// An answer without records.
    fn refuse(
        &self,
        out: &mut [u8],
        labels: &mut Labels,
        rcode: Rcode,
        error: Option<Reason>,
    ) -> Outcome {
        let (id, flags) = (self.request.id, self.request.answer_flags());
        let opt = self.opt(error, 0);
        let octets = self
            .open(out, labels, error)
            .map_or(0, |mut composer| composer.finish(id, flags, rcode, opt.as_ref()));
        Outcome { octets, rcode, ..self.outcome() }
    }

    /// Answers in the CHAOS class: who this server is, if it may be told (RFC 4892).
    fn introduce(&self, out: &mut [u8], labels: &mut Labels) -> Outcome {
        let identity = &self.engine.snapshot.identity;
        let Some(text) = identity.text_of(self.request.folded_name()) else {
            return self.refuse(out, labels, Rcode::REFUSED, Some(NOT_OURS));
        };
        let (id, flags) = (self.request.id, self.request.answer_flags() | FLAG_AUTHORITATIVE);
        let is_asked = matches!(self.request.qtype, RecordType::TXT | RecordType::ANY);
        let mut rdata = [0u8; 256];
        let length = u8::try_from(text.len()).unwrap_or(u8::MAX);
        for (to, from) in rdata.iter_mut().zip([length].iter().chain(text.as_bytes())) {
            *to = *from;
        }
        let rdata = rdata.get(..=usize::from(length)).unwrap_or_default();
        let kind = (RecordType::TXT, Ttl::ZERO);
        let octets = self.open(out, labels, None).map_or(0, |mut composer| {
            let (section, owner) = (Section::Answer, Owner::Question);
            let full = is_asked
                && composer.push_record_of_class(Class::CH, section, owner, kind, rdata).is_err();
            if full {
                composer.set_truncated();
            }
            composer.finish(id, flags, Rcode::NOERROR, self.opt(None, 0).as_ref())
        });
        Outcome { octets, ..self.outcome() }
    }

    /// What there is to count before anything is answered.
    fn outcome(&self) -> Outcome {
        Outcome {
            qtype: Some(self.request.qtype).filter(|_| !self.question.is_empty()),
            has_subnet: self.request.subnet().is_some(),
            ..Outcome::silence()
        }
    }
}
