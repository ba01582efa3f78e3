//! hickory-server as the portable back end: its sockets, our engine.
//!
//! hickory-server gives a handler the octets of the request and takes records back, not octets; so an answer is taken apart and
//! put together again, with RDATA as it was. What it decides before a handler is asked, or after, stays its own. That is
//! where it differs from our sockets, and where a test may differ:
//!
//! |difference|what it is|
//! |---|---|
//! | unread | a message that hickory-proto can't read gets FORMERR without question or OPT, also one that is an answer, and is not counted |
//! | streams of silence | a TCP connection stays when a message on it deserves no answer, until it is idle too long |
//! | wildcard addresses | an answer on a wildcard address leaves from whichever address the system takes |
//! | own address | a query that claims to come from the server itself is answered; the answer to that answer is silence |
//! | many connections | the number of TCP connections is not bounded by us, and a message may take as long to arrive as a connection may be idle |
//! | longer answers | names in record data are compressed less, so that an answer is cut sooner; one that is too long for TCP is cut there, too |
//! | a task per datagram | a burst of datagrams is held in memory, each in a task with room for its answer, until the tasks have run |
//!
//! So it is for systems without recvmmsg, and for comparison.
//!
//! Everything that depends on hickory-server's interfaces is in this file.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hickory_proto::op::{Edns, Header, HeaderCounts, Metadata};
use hickory_proto::rr::rdata::NULL;
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType};
use hickory_proto::serialize::binary::{BinDecodable, BinDecoder, BinEncoder, DecodeError};
use hickory_server::net::runtime::Time;
use hickory_server::net::xfer::Protocol;
use hickory_server::server::{Request, RequestHandler, ResponseHandler, ResponseInfo};
use hickory_server::zone_handler::{MessageResponse, MessageResponseBuilder, Queries};
use socket2::Socket;

use super::counters::{Counters, Origin, Tally, Writers};
use super::current_engine;
use crate::limits::{STREAM_MESSAGE_OCTETS, TCP_IDLE_SECONDS, UDP_ANSWER_OCTETS};
use crate::query::{Client, Scratch, Transport};
use crate::snapshot::Published;
use crate::sys::random_seed;

/// Answers that hickory-server holds for one TCP connection.
const RESPONSE_BUFFER: usize = 32;

/// Hands requests to the engine.
struct Adapter {
    published: Published,
    udp: Arc<Tally>,
    stream: Arc<Tally>,
    seed: AtomicU64,
}

/// Serves one address. The UDP sockets beyond the first are closed: hickory-server spreads queries by tasks.
pub(super) fn start(
    address: SocketAddr,
    udp: Vec<Socket>,
    tcp: TcpListener,
    published: &Published,
    counters: &Counters,
) -> io::Result<tokio::task::JoinHandle<()>> {
    let tally =
        |transport| counters.tally(Origin { transport, is_ipv6: address.is_ipv6() }, Writers::Many);
    let adapter = Adapter {
        published: published.clone(),
        udp: tally(Transport::Udp),
        stream: tally(Transport::Stream),
        seed: AtomicU64::new(random_seed()?),
    };
    let mut server = hickory_server::Server::new(adapter);
    if let Some(socket) = udp.into_iter().next() {
        socket.set_nonblocking(true)?;
        server.register_socket(tokio::net::UdpSocket::from_std(socket.into())?);
    }
    let listener = tokio::net::TcpListener::from_std(tcp)?;
    server.register_listener(listener, Duration::from_secs(TCP_IDLE_SECONDS), RESPONSE_BUFFER);
    Ok(tokio::spawn(async move {
        if let Err(error) = server.block_until_done().await {
            tracing::error!(%error, %address, "hickory-server ended");
        }
    }))
}

/// An answer of the engine, as hickory-server takes it.
struct Answer {
    metadata: Metadata,
    /// The question as it stood in the query, if the engine echoes it.
    queries: Queries,
    answers: Vec<Record>,
    authorities: Vec<Record>,
    additionals: Vec<Record>,
    edns: Option<Edns>,
}

impl Answer {
    fn read(octets: &[u8]) -> Result<Self, DecodeError> {
        let mut decoder = BinDecoder::new(octets);
        let Header { mut metadata, counts } = Header::read(&mut decoder)?;
        let queries = Queries::read(&mut decoder, counts.queries.into())?;
        let answers = read_records(&mut decoder, counts.answers)?;
        let authorities = read_records(&mut decoder, counts.authorities)?;
        let mut additionals = read_records(&mut decoder, counts.additionals)?;
        let opt = additionals.iter().position(|record| record.record_type() == RecordType::OPT);
        let edns = opt.map(|place| Edns::from(&additionals.remove(place)));
        metadata.merge_response_code(edns.as_ref().map_or(0, Edns::rcode_high));
        Ok(Self { metadata, queries, answers, authorities, additionals, edns })
    }

    /// What is left of an answer that is too long: its head, with TC set.
    fn truncate(&mut self) {
        self.metadata.truncation = true;
        self.answers.clear();
        self.authorities.clear();
        self.additionals.clear();
    }
}

fn read_records(decoder: &mut BinDecoder<'_>, count: u16) -> Result<Vec<Record>, DecodeError> {
    (0..count).map(|_| read_record(decoder)).collect()
}

/// Reads a record. RDATA stays octets, as it was written in the zone, but for the types whose names we compress (RFC 3597 §4):
/// hickory-proto refuses empty RDATA, and what it understands it may write otherwise.
fn read_record(decoder: &mut BinDecoder<'_>) -> Result<Record, DecodeError> {
    let whole = u16::try_from(decoder.index()).map(|start| decoder.clone(start));
    let name = Name::read(decoder)?;
    let rtype = RecordType::read(decoder)?;
    if let (true, Ok(mut whole)) = (is_read_whole(rtype), whole) {
        let record = Record::read(&mut whole)?;
        decoder.read_slice(decoder.len().saturating_sub(whole.len()))?;
        return Ok(record);
    }
    let class = DNSClass::read(decoder)?;
    let ttl = decoder.read_u32()?.unverified(/* any number is a TTL to send */);
    let length = decoder.read_u16()?.unverified(/* the next line checks it */);
    let octets = decoder.read_vec(length.into())?.unverified(/* our own RDATA */);
    // `NULL::with` asserts that there is something.
    let rdata = if octets.is_empty() { NULL::new() } else { NULL::with(octets) };
    let mut record = Record::from_rdata(name, ttl, RData::Unknown { code: rtype, rdata });
    record.dns_class = class;
    Ok(record)
}

fn is_read_whole(rtype: RecordType) -> bool {
    use RecordType::{CNAME, MX, NS, OPT, PTR, SOA};
    matches!(rtype, CNAME | MX | NS | OPT | PTR | SOA)
}

impl Adapter {
    /// The engine's answer to a request, or nothing for silence.
    fn answer(&self, request: &Request) -> Option<Answer> {
        let (transport, tally) = match request.protocol() {
            Protocol::Udp => (Transport::Udp, &self.udp),
            _ => (Transport::Stream, &self.stream),
        };
        let live = self.published.load();
        let engine = current_engine(&live);
        let mut scratch = Scratch::new(self.seed.fetch_add(1, Ordering::Relaxed));
        let client = Client { address: request.src().ip().to_canonical(), transport };
        let room =
            if transport == Transport::Udp { UDP_ANSWER_OCTETS } else { STREAM_MESSAGE_OCTETS };
        let mut out = vec![0; room];
        let outcome = engine.answer(&mut scratch, request.as_slice(), client, &mut out);
        tally.count(&outcome);
        if outcome.octets == 0 {
            return None;
        }
        Answer::read(out.get(..outcome.octets)?)
            .inspect_err(|error| {
                tracing::error!(%error, "hickory-proto can't read an answer of ours");
            })
            .ok()
    }
}

/// The response that hickory-server is to send.
fn build(
    answer: &Answer,
) -> MessageResponse<
    '_,
    '_,
    impl Iterator<Item = &Record> + Send,
    impl Iterator<Item = &Record> + Send,
    impl Iterator<Item = &Record> + Send,
    impl Iterator<Item = &Record> + Send,
> {
    MessageResponseBuilder::new(&answer.queries, answer.edns.as_ref()).build(
        answer.metadata,
        &answer.answers,
        &answer.authorities,
        [],
        &answer.additionals,
    )
}

/// Whether the answer is still small enough after hickory-server has encoded it, which compresses less than we do. It would
/// itself cut what is too long for *our* payload size, in the middle of an RRset.
fn fits(request: &Request, answer: &Answer) -> bool {
    let limit = match request.protocol() {
        Protocol::Udp => usize::from(request.max_payload()).min(UDP_ANSWER_OCTETS),
        _ => STREAM_MESSAGE_OCTETS,
    };
    let mut octets = Vec::with_capacity(UDP_ANSWER_OCTETS);
    let emitted = build(answer).destructive_emit(&mut BinEncoder::new(&mut octets));
    emitted.is_ok() && octets.len() <= limit
}

#[async_trait::async_trait]
impl RequestHandler for Adapter {
    async fn handle_request<R: ResponseHandler, T: Time>(
        &self,
        request: &Request,
        mut handle: R,
    ) -> ResponseInfo {
        let Some(mut answer) = self.answer(request) else {
            return Header { metadata: request.metadata, counts: HeaderCounts::default() }.into();
        };
        if !fits(request, &answer) {
            answer.truncate();
        }
        match handle.send_response(build(&answer)).await {
            Ok(info) => info,
            Err(error) => {
                tracing::debug!(%error, "an answer could not be sent");
                Header { metadata: answer.metadata, counts: HeaderCounts::default() }.into()
            }
        }
    }
}
