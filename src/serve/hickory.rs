//! hickory-server as the portable back end: its sockets, our engine.
//!
//! hickory-server gives a handler the octets of the request and takes records back, not octets; so an answer is decoded and
//! encoded again. What it decides before a handler is asked stays its own, and differs from our sockets: a message that it
//! can't read gets FORMERR without question or OPT, also one that is itself an answer; the number of TCP connections is not
//! bounded by us; an answer on a wildcard address leaves from whichever address the system takes; messages are spread
//! over tasks, not batched. So it is for systems without recvmmsg, and for comparison.
//!
//! Everything that depends on hickory-server's interfaces is in this file.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hickory_proto::op::{Header, HeaderCounts, Message};
use hickory_proto::rr::Record;
use hickory_proto::serialize::binary::BinEncoder;
use hickory_server::net::runtime::Time;
use hickory_server::net::xfer::Protocol;
use hickory_server::server::{Request, RequestHandler, ResponseHandler, ResponseInfo};
use hickory_server::zone_handler::{MessageResponse, MessageResponseBuilder};
use socket2::Socket;

use super::counters::{Counters, Origin, Tally, Writers};
use crate::limits::{STREAM_MESSAGE_OCTETS, TCP_IDLE_SECONDS, UDP_ANSWER_OCTETS};
use crate::query::{Client, Engine, Scratch, Transport};
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

impl Adapter {
    /// The engine's answer to a request, or nothing for silence.
    fn answer(&self, request: &Request) -> Option<Message> {
        let (transport, tally) = match request.protocol() {
            Protocol::Udp => (Transport::Udp, &self.udp),
            _ => (Transport::Stream, &self.stream),
        };
        let live = self.published.load();
        let engine = Engine::from(&*live);
        let mut scratch = Scratch::new(self.seed.fetch_add(1, Ordering::Relaxed));
        let client = Client { address: request.src().ip().to_canonical(), transport };
        let room =
            if transport == Transport::Udp { UDP_ANSWER_OCTETS } else { STREAM_MESSAGE_OCTETS };
        let mut out = vec![0; room];
        let outcome = engine.answer(&mut scratch, request.as_slice(), client, &mut out);
        tally.count(&outcome);
        match Message::from_vec(out.get(..outcome.octets)?) {
            Ok(message) if outcome.octets != 0 => Some(message),
            Ok(_) => None,
            Err(error) => {
                tracing::error!(%error, "hickory-proto can't read an answer of ours");
                None
            }
        }
    }
}

/// The response that hickory-server is to send.
fn build<'a>(
    request: &'a Request,
    message: &'a Message,
) -> MessageResponse<
    'a,
    'a,
    impl Iterator<Item = &'a Record> + Send + 'a,
    impl Iterator<Item = &'a Record> + Send + 'a,
    impl Iterator<Item = &'a Record> + Send + 'a,
    impl Iterator<Item = &'a Record> + Send + 'a,
> {
    let mut builder = MessageResponseBuilder::from_message_request(request);
    if let Some(edns) = &message.edns {
        builder.edns(edns);
    }
    builder.build(
        message.metadata,
        &message.answers,
        &message.authorities,
        [],
        &message.additionals,
    )
}

/// Whether the answer is still small enough after hickory-server has encoded it, which compresses less than we do. It would
/// itself cut what is too long for *our* payload size, in the middle of an RRset.
fn fits(request: &Request, message: &Message) -> bool {
    if request.protocol() != Protocol::Udp {
        return true;
    }
    let limit = usize::from(request.max_payload()).min(UDP_ANSWER_OCTETS);
    let mut octets = Vec::with_capacity(UDP_ANSWER_OCTETS);
    let emitted = build(request, message).destructive_emit(&mut BinEncoder::new(&mut octets));
    emitted.is_ok() && octets.len() <= limit
}

/// What is left of an answer that is too long: its head, with TC set.
fn without_records(mut message: Message) -> Message {
    message.metadata.truncation = true;
    message.answers.clear();
    message.authorities.clear();
    message.additionals.clear();
    message
}

#[async_trait::async_trait]
impl RequestHandler for Adapter {
    async fn handle_request<R: ResponseHandler, T: Time>(
        &self,
        request: &Request,
        mut handle: R,
    ) -> ResponseInfo {
        let Some(message) = self.answer(request) else {
            return Header { metadata: request.metadata, counts: HeaderCounts::default() }.into();
        };
        let message = if fits(request, &message) { message } else { without_records(message) };
        match handle.send_response(build(request, &message)).await {
            Ok(info) => info,
            Err(error) => {
                tracing::debug!(%error, "an answer could not be sent");
                Header { metadata: message.metadata, counts: HeaderCounts::default() }.into()
            }
        }
    }
}
