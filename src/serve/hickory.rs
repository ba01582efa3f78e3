//! hickory-server as the portable back end: its sockets, our engine.
//!
//! hickory-server gives a handler the octets of the request and takes records back, not octets; so an answer is decoded and
//! encoded again. What it decides before a handler is asked stays its own: it answers some malformed messages itself.
//! Everything that depends on hickory-server's interfaces is in this file.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hickory_proto::op::{Header, HeaderCounts, Message};
use hickory_server::net::runtime::Time;
use hickory_server::net::xfer::Protocol;
use hickory_server::server::{Request, RequestHandler, ResponseHandler, ResponseInfo};
use hickory_server::zone_handler::MessageResponseBuilder;
use socket2::Socket;

use super::counters::{Counters, Origin, Tally, Writers};
use crate::limits::{STREAM_MESSAGE_OCTETS, TCP_IDLE_SECONDS};
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
        let engine = Engine { snapshot: &live.snapshot, view: &live.view };
        let mut scratch = Scratch::new(self.seed.fetch_add(1, Ordering::Relaxed));
        let client = Client { address: request.src().ip().to_canonical(), transport };
        let mut out = vec![0; STREAM_MESSAGE_OCTETS];
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
        let mut builder = MessageResponseBuilder::from_message_request(request);
        if let Some(edns) = &message.edns {
            builder.edns(edns);
        }
        let response = builder.build(
            message.metadata,
            &message.answers,
            &message.authorities,
            [],
            &message.additionals,
        );
        match handle.send_response(response).await {
            Ok(info) => info,
            Err(error) => {
                tracing::debug!(%error, "an answer could not be sent");
                Header { metadata: message.metadata, counts: HeaderCounts::default() }.into()
            }
        }
    }
}
