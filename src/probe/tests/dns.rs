//! The DNS check against replies made by another library.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use hickory_proto::op::{Message, MessageType, ResponseCode};
use hickory_proto::rr::rdata::{A, AAAA, CNAME};
use hickory_proto::rr::{Name, RData, Record};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};
use tokio::task::JoinSet;

use super::responder::deserted;
use super::*;
use crate::health::DnsCheck;
use crate::wire;

/// Makes a reply of a query.
type Script = Arc<dyn Fn(&Message, bool) -> Vec<Vec<u8>> + Send + Sync>;

/// A server on one port of UDP and TCP, which sends what its script says; it goes away with this value.
struct Server {
    address: SocketAddr,
    _tasks: JoinSet<()>,
}

impl Server {
    async fn start(
        script: impl Fn(&Message, bool) -> Vec<Vec<u8>> + Send + Sync + 'static,
    ) -> Self {
        let script: Script = Arc::new(script);
        let (udp, tcp) = bind_both().await;
        let address = tcp.local_addr().unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(serve_udp(udp, Arc::clone(&script)));
        tasks.spawn(serve_tcp(tcp, script));
        Self { address, _tasks: tasks }
    }
}

/// The same free port of both; another one if somebody has its other half.
async fn bind_both() -> (UdpSocket, TcpListener) {
    loop {
        let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
        if let Ok(udp) = UdpSocket::bind(tcp.local_addr().unwrap()).await {
            return (udp, tcp);
        }
    }
}

async fn serve_udp(socket: UdpSocket, script: Script) {
    let mut datagram = [0; 512];
    loop {
        let (octets, client) = socket.recv_from(&mut datagram).await.unwrap();
        let query = Message::from_vec(&datagram[..octets]).unwrap();
        for reply in script(&query, false) {
            socket.send_to(&reply, client).await.unwrap();
        }
    }
}

async fn serve_tcp(listener: TcpListener, script: Script) {
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        let length = stream.read_u16().await.unwrap_or(0);
        let mut query = vec![0; usize::from(length)];
        if stream.read_exact(&mut query).await.is_ok() {
            for reply in script(&Message::from_vec(&query).unwrap(), true) {
                stream.write_u16(reply.len().try_into().unwrap()).await.unwrap();
                stream.write_all(&reply).await.unwrap();
            }
        }
    }
}

fn name(text: &str) -> Name {
    Name::from_ascii(text).unwrap()
}

fn a(owner: &str, last: u8) -> Record {
    Record::from_rdata(name(owner), 60, RData::A(A(Ipv4Addr::new(192, 0, 2, last))))
}

fn cname(owner: &str, target: &str) -> Record {
    Record::from_rdata(name(owner), 60, RData::CNAME(CNAME(name(target))))
}

fn respond(query: &Message, code: ResponseCode, answers: &[Record]) -> Message {
    let mut reply = Message::response(query.metadata.id, query.metadata.op_code);
    reply.metadata.response_code = code;
    reply.add_queries(query.queries.clone());
    reply.add_answers(answers.to_vec());
    reply
}

/// A server that gives these answers to everything.
async fn answering(answers: Vec<Record>) -> Server {
    Server::start(move |query, _| {
        vec![respond(query, ResponseCode::NoError, &answers).to_vec().unwrap()]
    })
    .await
}

fn asking(owner: &str, expect: &[IpAddr], is_tcp: bool) -> Protocol {
    Protocol::Dns(DnsCheck {
        name: wire::Name::parse(owner, &wire::Name::root()).unwrap(),
        rtype: wire::RecordType::A,
        is_tcp,
        expect: expect.into(),
    })
}

fn ask(owner: &str, server: &Server) -> ProbeTarget {
    target(asking(owner, &[], false), server.address)
}

fn is_dns(observation: &Observation) -> bool {
    matches!(observation, Observation::Failure(FailureReason::Dns(_)))
}

#[tokio::test]
async fn a_record_of_the_type_is_a_success_over_udp_and_tcp() {
    let server = answering(vec![a("www.example.com.", 1)]).await;
    for is_tcp in [false, true] {
        for owner in ["www.example.com.", "WWW.Example.COM."] {
            let observation = probe(&target(asking(owner, &[], is_tcp), server.address)).await;
            assert!(is_success(&observation), "{owner} {is_tcp}: {observation}");
        }
    }
}

#[tokio::test]
async fn records_of_other_names_and_types_do_not_count() {
    let ipv6 = RData::AAAA(AAAA(Ipv6Addr::LOCALHOST));
    for answers in [
        vec![],
        vec![a("other.example.com.", 1)],
        vec![Record::from_rdata(name("www.example.com."), 60, ipv6)],
        vec![cname("www.example.com.", "a.example.")],
        vec![cname("www.example.com.", "a.example."), a("www.example.com.", 1)],
    ] {
        let server = answering(answers.clone()).await;
        let observation = probe(&ask("www.example.com.", &server)).await;
        assert!(is_dns(&observation), "{answers:?}: {observation}");
    }
}

#[tokio::test]
async fn a_cname_leads_to_the_records_in_any_order_and_never_in_circles() {
    let chain = vec![
        a("c.example.", 1),
        cname("b.example.", "c.example."),
        cname("www.example.com.", "b.example."),
    ];
    let server = answering(chain).await;
    assert!(is_success(&probe(&ask("www.example.com.", &server)).await));
    let circle =
        vec![cname("www.example.com.", "b.example."), cname("b.example.", "www.example.com.")];
    let server = answering(circle).await;
    assert!(is_dns(&probe(&ask("www.example.com.", &server)).await));
}

#[tokio::test]
async fn one_of_the_expected_addresses_must_be_there() {
    let server = answering(vec![a("www.example.com.", 1), a("www.example.com.", 2)]).await;
    let address = |last| IpAddr::from([192, 0, 2, last]);
    for (expect, passes) in [
        (vec![address(2)], true),
        (vec![address(9), address(1)], true),
        (vec![address(9)], false),
        (vec!["::1".parse().unwrap()], false),
    ] {
        let protocol = asking("www.example.com.", &expect, false);
        let observation = probe(&target(protocol, server.address)).await;
        assert_eq!(is_success(&observation), passes, "{expect:?}: {observation}");
    }
}

#[tokio::test]
async fn an_error_is_a_failure_with_or_without_the_question() {
    for code in [ResponseCode::NXDomain, ResponseCode::ServFail, ResponseCode::Refused] {
        for has_question in [true, false] {
            let server = Server::start(move |query, _| {
                let mut reply = respond(query, code, &[]);
                if !has_question {
                    reply.queries.clear();
                }
                vec![reply.to_vec().unwrap()]
            })
            .await;
            let observation = probe(&ask("www.example.com.", &server)).await;
            assert_eq!(observation, failed(FailureReason::Dns(code.to_string().into())));
        }
    }
}

/// All of these could come from somebody who has not seen the question; the right one comes last.
#[tokio::test]
async fn datagrams_that_answer_something_else_are_passed_over() {
    let server = Server::start(|query, _| {
        let good = respond(query, ResponseCode::NoError, &[a("www.example.com.", 1)]);
        let bad = |change: &dyn Fn(&mut Message)| {
            let mut bad = respond(query, ResponseCode::ServFail, &[]);
            change(&mut bad);
            bad.to_vec().unwrap()
        };
        vec![
            bad(&|message| message.metadata.id ^= 1),
            bad(&|message| message.metadata.message_type = MessageType::Query),
            bad(&|message| message.queries[0].name = name("other.example.")),
            bad(&|message| message.queries[0].query_type = hickory_proto::rr::RecordType::AAAA),
            vec![],
            good.to_vec().unwrap()[..11].to_vec(),
            vec![0xff; 512],
            good.to_vec().unwrap(),
        ]
    })
    .await;
    assert!(is_success(&probe(&ask("www.example.com.", &server)).await));
}

#[tokio::test]
async fn over_tcp_a_reply_to_something_else_is_a_failure() {
    let server = Server::start(|query, _| {
        let mut reply = respond(query, ResponseCode::NoError, &[a("www.example.com.", 1)]);
        reply.metadata.id ^= 1;
        vec![reply.to_vec().unwrap()]
    })
    .await;
    let observation = probe(&target(asking("www.example.com.", &[], true), server.address)).await;
    assert!(is_dns(&observation), "{observation}");
}

#[tokio::test]
async fn a_truncated_reply_is_asked_for_again_over_tcp() {
    for over_tcp in [true, false] {
        let server = Server::start(move |query, is_tcp| {
            let answers = [a("www.example.com.", 1)];
            let mut reply = respond(
                query,
                ResponseCode::NoError,
                if is_tcp == over_tcp { &answers } else { &[] },
            );
            reply.metadata.truncation = !is_tcp;
            vec![reply.to_vec().unwrap()]
        })
        .await;
        let observation = probe(&ask("www.example.com.", &server)).await;
        assert_eq!(is_success(&observation), over_tcp, "{observation}");
    }
}

#[tokio::test]
async fn silence_and_a_port_that_nobody_listens_on_are_failures() {
    let server = Server::start(|_, _| vec![]).await;
    for is_tcp in [false, true] {
        let protocol = asking("www.example.com.", &[], is_tcp);
        let observation = probe(&impatient(protocol.clone(), server.address, 300)).await;
        assert!(!is_success(&observation) && matches!(observation, Observation::Failure(_)));
        let observation = probe(&target(protocol, deserted().await)).await;
        assert_eq!(observation, failed(FailureReason::Refused), "{is_tcp}");
    }
}
