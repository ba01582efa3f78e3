//! The entry: what is refused before any zone is looked at, and the frame around every answer.

use std::net::IpAddr;

use super::answer::Answering;
use super::story::Story;
use crate::health::View;
use crate::limits::{
    HEADER_OCTETS, NAME_OCTETS, PLAIN_ANSWER_OCTETS, STREAM_MESSAGE_OCTETS, UDP_ANSWER_OCTETS,
};
use crate::policy::{NoTrace, PoolId, Random};
use crate::snapshot::Snapshot;
use crate::wire::{
    Class, Composer, ExtendedError, OptRecord, Rcode, RecordType, Rejection, Request,
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
    /// The pool that was chosen, and whether as a last resort.
    pub pool: Option<(ZoneId, PoolId, bool)>,
    pub is_truncated: bool,
    pub has_subnet: bool,
}

/// Room that a worker keeps from query to query, so that answering takes none.
#[derive(Debug)]
pub struct Scratch {
    pub(super) request: Request,
    /// The name that the answer has come to, in lower case: the question's, then the targets of CNAMEs.
    pub(super) name: [u8; NAME_OCTETS],
    pub random: Random,
}

impl Scratch {
    /// `seed` should differ between workers, and be unknown outside.
    pub fn new(seed: u64) -> Self {
        Self { request: Request::empty(), name: [0; NAME_OCTETS], random: Random::new(seed) }
    }
}

/// The largest query that this server takes over UDP, as its OPT records say.
const ADVERTISED_OCTETS: u16 = 1232;

/// Answers queries from one snapshot and one view.
#[derive(Clone, Copy, Debug)]
pub struct Engine<'a> {
    pub snapshot: &'a Snapshot,
    pub view: &'a View,
}

impl<'a> Engine<'a> {
    /// Answers one message into `out`, which should have room for [`UDP_ANSWER_OCTETS`] or, on a stream,
    /// [`STREAM_MESSAGE_OCTETS`].
    pub fn answer(
        &self,
        scratch: &mut Scratch,
        message: &[u8],
        client: Client,
        out: &mut [u8],
    ) -> Outcome {
        self.answer_aloud(scratch, message, client, out, &mut NoTrace)
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
        let result = scratch.request.parse(message);
        let question_end = HEADER_OCTETS.saturating_add(scratch.request.question_octets());
        let question = message.get(HEADER_OCTETS..question_end).unwrap_or_default();
        let mut frame = Frame { request: &scratch.request, question, client, out };
        let found = match result {
            Err(Rejection::Silence) => return Outcome::silence(),
            Err(Rejection::Code(rcode)) => return frame.refuse(rcode, None),
            Ok(()) => match refusal(&scratch.request) {
                Some(rcode) => return frame.refuse(rcode, None),
                None => {
                    self.snapshot.catalog.find(scratch.request.folded_name(), scratch.request.qtype)
                }
            },
        };
        let Some(zone) = found.zone() else {
            return frame.refuse(
                Rcode::REFUSED,
                Some((ExtendedError::NOT_AUTHORITATIVE, "not a zone of this server")),
            );
        };
        if self.snapshot.catalog.zone(zone).is_none_or(|zone| zone.state == ZoneState::Refused) {
            let text = "the zone's file was refused at start: see the server's log";
            let outcome = frame.refuse(Rcode::SERVFAIL, Some((ExtendedError::INVALID_DATA, text)));
            return Outcome { zone: Some(zone), ..outcome };
        }
        let Some((composer, opt)) = frame.open(None) else {
            return Outcome::silence();
        };
        let answering = Answering {
            engine: self,
            request: &scratch.request,
            client,
            random: &mut scratch.random,
            name: &mut scratch.name,
            composer,
            story,
            rcode: Rcode::NOERROR,
            is_authoritative: true,
            is_truncated: false,
            scope: 0,
            pool: None,
        };
        Outcome { zone: Some(zone), ..answering.run(found, opt) }
    }
}

/// What is refused for its class or type, whatever the name.
fn refusal(request: &Request) -> Option<Rcode> {
    if request.qclass != Class::IN {
        return Some(Rcode::REFUSED);
    }
    match request.qtype {
        RecordType::AXFR | RecordType::IXFR => Some(Rcode::REFUSED),
        RecordType::OPT
        | RecordType::TKEY
        | RecordType::TSIG
        | RecordType::MAILA
        | RecordType::MAILB => Some(Rcode::NOTIMP),
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

/// What every answer to one message has in common.
struct Frame<'q> {
    request: &'q Request,
    question: &'q [u8],
    client: Client,
    out: &'q mut [u8],
}

impl<'q> Frame<'q> {
    /// Octets that the answer may have (RFC 6891 §6.2.3, RFC 9715 §3.1).
    fn limit(&self) -> usize {
        match (self.client.transport, self.request.edns) {
            (Transport::Stream, _) => STREAM_MESSAGE_OCTETS,
            (Transport::Udp, None) => PLAIN_ANSWER_OCTETS,
            (Transport::Udp, Some(edns)) => {
                usize::from(edns.payload).clamp(PLAIN_ANSWER_OCTETS, UDP_ANSWER_OCTETS)
            }
        }
    }

    /// Begins an answer. Nothing if not even the question fits, which no buffer of ours is too small for.
    fn open<'t>(
        &mut self,
        error: Option<(ExtendedError, &'t str)>,
    ) -> Option<(Composer<'_>, Option<OptRecord<'t>>)> {
        let opt = self.request.edns.map(|edns| OptRecord {
            payload: ADVERTISED_OCTETS,
            wants_dnssec: edns.wants_dnssec,
            subnet: edns.subnet.map(|subnet| (subnet, 0)),
            error,
        });
        let limit = self.limit();
        let composer = Composer::start(self.out, limit, self.question, opt.as_ref()).ok()?;
        Some((composer, opt))
    }

    /// An answer without records.
    fn refuse(&mut self, rcode: Rcode, error: Option<(ExtendedError, &str)>) -> Outcome {
        let (id, flags) = (self.request.id, self.request.answer_flags());
        let (qtype, has_subnet) = (
            Some(self.request.qtype).filter(|_| !self.question.is_empty()),
            self.request.subnet().is_some(),
        );
        let octets = self
            .open(error)
            .map_or(0, |(composer, opt)| composer.finish(id, flags, rcode, opt.as_ref()));
        Outcome { octets, rcode, qtype, has_subnet, ..Outcome::silence() }
    }
}
