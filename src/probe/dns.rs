//! The DNS check: one question, and an answer that has records of the type (RFC 1035 §7.3).
//!
//! A reply is ours if it comes from the address that was asked, with our random identifier and our question. Over UDP anything
//! else is passed over, as others may send it; a reply that is truncated is asked for again over TCP (RFC 7766 §5). Neither EDNS
//! nor a cookie is sent: a health check should not fail on what the oldest servers do not know.

use std::net::{IpAddr, SocketAddr};

use hickory_proto::op::{Message, MessageType, ResponseCode};
use hickory_proto::rr::{DNSClass, Name, RData, RecordType};
use hickory_proto::serialize::binary::BinDecodable;
use socket2::Protocol;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::blame::{Miss, Raised, detail, judge_io};
use super::connect::{connect, open_datagrams};
use super::random::random;
use super::trial::{Trial, within};
use crate::health::{DnsCheck, FailureReason, NothingReason};
use crate::limits::{CNAME_CHAIN, UDP_QUERY_OCTETS};

/// A question as it was asked.
struct Question {
    id: u16,
    name: Name,
    rtype: RecordType,
    /// The whole message.
    octets: Vec<u8>,
}

/// Asks, over TCP where the check says so or UDP is not enough, and judges the reply.
pub(super) async fn probe(trial: &Trial<'_>, check: &DnsCheck) -> Result<(), Miss> {
    let question = Question::new(check)?;
    if !check.is_tcp {
        let reply = within(trial.check().phases.reply, ask_udp(trial, &question)).await?;
        if !reply.metadata.truncation {
            return judge(&reply, &question, &check.expect);
        }
    }
    let reply = ask_tcp(trial, &question).await?;
    judge(&reply, &question, &check.expect)
}

impl Question {
    /// A question with recursion desired: what is asked may be a resolver.
    fn new(check: &DnsCheck) -> Result<Self, Miss> {
        let [high, low, ..] = random()?.to_be_bytes();
        let header = [high, low, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        let class_in = [0, 1];
        let rtype = check.rtype.0;
        let octets = [&header[..], check.name.as_wire(), &rtype.to_be_bytes(), &class_in].concat();
        let name = Name::from_bytes(check.name.as_wire());
        let name = name.map_err(|_| Miss::Nothing(NothingReason::BadCheck))?;
        Ok(Self { id: u16::from_be_bytes([high, low]), name, rtype: rtype.into(), octets })
    }

    /// Whether a message answers it. An error may come without the question (RFC 1035 §4.1.1: a format error).
    fn is_answered_by(&self, message: &Message) -> bool {
        let is_reply = message.metadata.message_type == MessageType::Response;
        let has_question = match message.queries.as_slice() {
            [] => message.metadata.response_code != ResponseCode::NoError,
            [query] => {
                query.name == self.name
                    && query.query_type == self.rtype
                    && query.query_class == DNSClass::IN
            }
            _ => false,
        };
        is_reply && message.metadata.id == self.id && has_question
    }
}

async fn ask_udp(trial: &Trial<'_>, question: &Question) -> Result<Message, Miss> {
    let socket = open_datagrams(trial, trial.address, Protocol::UDP)?;
    let sent = socket.send(&question.octets).await;
    sent.map_err(|error| judge_io(&error, Raised::AtOnce))?;
    let mut datagram = [0; UDP_QUERY_OCTETS];
    loop {
        let received = socket.recv(&mut datagram).await;
        let octets = received.map_err(|error| judge_io(&error, Raised::Afterwards))?;
        let message = datagram.get(..octets).map(Message::from_vec);
        if let Some(Ok(message)) = message.filter(|message| {
            message.as_ref().is_ok_and(|message| question.is_answered_by(message))
        }) {
            return Ok(message);
        }
    }
}

async fn ask_tcp(trial: &Trial<'_>, question: &Question) -> Result<Message, Miss> {
    let phases = &trial.check().phases;
    let judge = |error| judge_io(&error, Raised::Afterwards);
    let address: SocketAddr = trial.address;
    let mut stream = within(phases.connect, connect(trial, address)).await?;
    within(phases.reply, async {
        let length = u16::try_from(question.octets.len()).unwrap_or(u16::MAX).to_be_bytes();
        let framed = [&length[..], &question.octets].concat();
        stream.write_all(&framed).await.map_err(judge)?;
        let length = stream.read_u16().await.map_err(judge)?;
        let mut octets = vec![0; usize::from(length)];
        stream.read_exact(&mut octets).await.map_err(judge)?;
        let message = Message::from_vec(&octets).map_err(|_| failure("a malformed reply"))?;
        let is_ours = question.is_answered_by(&message);
        is_ours.then_some(message).ok_or_else(|| failure("a reply to another question"))
    })
    .await
}

/// Whether the reply has a record of the type, and one of the expected addresses if there are some.
fn judge(reply: &Message, question: &Question, expect: &[IpAddr]) -> Result<(), Miss> {
    let code = reply.metadata.response_code;
    if code != ResponseCode::NoError {
        return Err(failure(&code.to_string()));
    }
    let owner = follow(reply, question);
    let mut answers = reply.answers.iter().filter(|record| {
        record.name == *owner
            && record.record_type() == question.rtype
            && record.dns_class == DNSClass::IN
    });
    if expect.is_empty() {
        return match answers.next() {
            Some(_) => Ok(()),
            None => Err(failure(&format!("no {} record in the answer", question.rtype))),
        };
    }
    let is_expected = answers.any(|record| match &record.data {
        RData::A(address) => expect.contains(&IpAddr::V4(address.0)),
        RData::AAAA(address) => expect.contains(&IpAddr::V6(address.0)),
        _ => false,
    });
    if is_expected { Ok(()) } else { Err(failure("no expected address in the answer")) }
}

/// The name that the question's name stands for in the answer: at most [`CNAME_CHAIN`] steps, whatever order they are in.
fn follow<'m>(reply: &'m Message, question: &'m Question) -> &'m Name {
    let mut owner = &question.name;
    if question.rtype == RecordType::CNAME {
        return owner;
    }
    for _ in 0..CNAME_CHAIN {
        let next = reply.answers.iter().find_map(|record| match &record.data {
            RData::CNAME(target) if record.name == *owner => Some(&target.0),
            _ => None,
        });
        match next {
            Some(next) => owner = next,
            None => break,
        }
    }
    owner
}

fn failure(text: &str) -> Miss {
    Miss::Failure(FailureReason::Dns(detail(text)))
}
