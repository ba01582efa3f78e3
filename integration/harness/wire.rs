//! Octets out, octets in. Queries are made by hand, so that they can be wrong; replies are read by hand as far as the header
//! goes, and by two decoders, which must agree: see [`super::decoders`].

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use hickory_proto::op::Message;
use hickory_proto::rr::{RData, Record};

use super::decoders::assert_agreement;

pub const A: u16 = 1;
pub const NS: u16 = 2;
pub const CNAME: u16 = 5;
pub const SOA: u16 = 6;
pub const HINFO: u16 = 13;
pub const MX: u16 = 15;
pub const TXT: u16 = 16;
pub const AAAA: u16 = 28;
pub const OPT: u16 = 41;
pub const DS: u16 = 43;
pub const TKEY: u16 = 249;
pub const TSIG: u16 = 250;
pub const IXFR: u16 = 251;
pub const AXFR: u16 = 252;
pub const MAILB: u16 = 253;
pub const MAILA: u16 = 254;
pub const ANY: u16 = 255;
pub const CAA: u16 = 257;

pub const NOERROR: u16 = 0;
pub const FORMERR: u16 = 1;
pub const SERVFAIL: u16 = 2;
pub const NXDOMAIN: u16 = 3;
pub const NOTIMP: u16 = 4;
pub const REFUSED: u16 = 5;
pub const BADVERS: u16 = 16;

const OPTION_CLIENT_SUBNET: u16 = 8;
const OPTION_EXTENDED_ERROR: u16 = 15;

/// How long a datagram may take on loopback before it counts as lost.
const LOST: Duration = Duration::from_secs(3);

/// A query in the making.
#[derive(Clone, Debug)]
pub struct Ask {
    pub id: u16,
    pub flags: u16,
    name: Vec<u8>,
    qtype: u16,
    pub qclass: u16,
    edns: Option<Edns>,
}

#[derive(Clone, Debug)]
struct Edns {
    payload: u16,
    version: u8,
    flags: u16,
    options: Vec<u8>,
}

impl Ask {
    /// A query as a plain resolver sends it, without EDNS.
    pub fn new(name: &str, qtype: u16) -> Self {
        Self { id: 0x1234, flags: 0, name: encode_name(name), qtype, qclass: 1, edns: None }
    }

    pub fn id(mut self, id: u16) -> Self {
        self.id = id;
        self
    }

    pub fn flags(mut self, flags: u16) -> Self {
        self.flags = flags;
        self
    }

    pub fn class(mut self, qclass: u16) -> Self {
        self.qclass = qclass;
        self
    }

    /// With EDNS, and this size of answers over UDP.
    pub fn payload(mut self, octets: u16) -> Self {
        self.edns().payload = octets;
        self
    }

    /// With EDNS of this version.
    pub fn version(mut self, version: u8) -> Self {
        self.edns().version = version;
        self
    }

    /// With EDNS and the DO bit (RFC 3225).
    pub fn dnssec_ok(mut self) -> Self {
        self.edns().flags |= 0x8000;
        self
    }

    /// With an EDNS option, right or wrong.
    pub fn option(mut self, code: u16, data: &[u8]) -> Self {
        let options = &mut self.edns().options;
        options.extend(code.to_be_bytes());
        options.extend((data.len() as u16).to_be_bytes());
        options.extend(data);
        self
    }

    /// With a client subnet, written `46.4.0.0/24`.
    pub fn subnet(self, prefix: &str) -> Self {
        let (address, source) = prefix.split_once('/').expect("address/length");
        let source: u8 = source.parse().expect("a prefix length");
        let (family, octets) = match address.parse().expect("an address") {
            IpAddr::V4(address) => (1u16, address.octets().to_vec()),
            IpAddr::V6(address) => (2, address.octets().to_vec()),
        };
        let mut data = family.to_be_bytes().to_vec();
        data.extend([source, 0]);
        data.extend(&octets[..usize::from(source.div_ceil(8))]);
        self.option(OPTION_CLIENT_SUBNET, &data)
    }

    fn edns(&mut self) -> &mut Edns {
        self.edns.get_or_insert_with(|| Edns {
            payload: 1232,
            version: 0,
            flags: 0,
            options: Vec::new(),
        })
    }

    /// The question section.
    pub fn question(&self) -> Vec<u8> {
        let mut question = self.name.clone();
        question.extend(self.qtype.to_be_bytes());
        question.extend(self.qclass.to_be_bytes());
        question
    }

    /// The message.
    pub fn octets(&self) -> Vec<u8> {
        let mut message = Vec::new();
        let additional = u16::from(self.edns.is_some());
        for field in [self.id, self.flags, 1, 0, 0, additional] {
            message.extend(field.to_be_bytes());
        }
        message.extend(self.question());
        if let Some(edns) = &self.edns {
            message.push(0);
            message.extend(OPT.to_be_bytes());
            message.extend(edns.payload.to_be_bytes());
            message.extend([0, edns.version]);
            message.extend(edns.flags.to_be_bytes());
            message.extend((edns.options.len() as u16).to_be_bytes());
            message.extend(&edns.options);
        }
        message
    }
}

fn encode_name(name: &str) -> Vec<u8> {
    let mut octets = Vec::new();
    for label in name.trim_end_matches('.').split('.').filter(|label| !label.is_empty()) {
        octets.push(label.len() as u8);
        octets.extend(label.as_bytes());
    }
    octets.push(0);
    octets
}

/// An answer, as octets and as hickory-proto reads it.
#[derive(Debug)]
pub struct Reply {
    pub octets: Vec<u8>,
    pub message: Message,
}

impl Reply {
    /// Reads an answer. Panics unless two decoders can, and read the same.
    pub fn parse(octets: Vec<u8>) -> Self {
        assert!(octets.len() >= 12, "an answer of {} octets", octets.len());
        let message = Message::from_vec(&octets)
            .unwrap_or_else(|error| panic!("hickory-proto can't read {octets:02x?}: {error}"));
        assert_agreement(&octets, &message);
        Self { octets, message }
    }

    fn field(&self, place: usize) -> u16 {
        u16::from_be_bytes([self.octets[2 * place], self.octets[2 * place + 1]])
    }

    pub fn id(&self) -> u16 {
        self.field(0)
    }

    pub fn flags(&self) -> u16 {
        self.field(1)
    }

    /// QR is set.
    pub fn is_response(&self) -> bool {
        self.flags() & 0x8000 != 0
    }

    /// AA is set.
    pub fn is_authoritative(&self) -> bool {
        self.flags() & 0x0400 != 0
    }

    /// TC is set.
    pub fn is_truncated(&self) -> bool {
        self.flags() & 0x0200 != 0
    }

    /// The response code, with its upper bits from EDNS.
    pub fn rcode(&self) -> u16 {
        let high = self.message.edns.as_ref().map_or(0, |edns| edns.rcode_high());
        u16::from(high) << 4 | self.flags() & 0x000f
    }

    /// QDCOUNT, ANCOUNT, NSCOUNT, ARCOUNT.
    pub fn counts(&self) -> [u16; 4] {
        [self.field(2), self.field(3), self.field(4), self.field(5)]
    }

    /// The IPv4 addresses of the answer.
    pub fn ipv4(&self) -> Vec<Ipv4Addr> {
        self.message.answers.iter().filter_map(ipv4).collect()
    }

    /// The answer records in presentation format, without their owner, class and TTL.
    pub fn rdata(&self) -> Vec<String> {
        let mut rdata: Vec<_> =
            self.message.answers.iter().map(|record| record.data.to_string()).collect();
        rdata.sort();
        rdata
    }

    /// The data of the EDNS options with this code.
    pub fn options(&self, wanted: u16) -> Vec<Vec<u8>> {
        let mut found = Vec::new();
        let mut rest = self.opt_rdata();
        while let [c1, c2, l1, l2, tail @ ..] = rest {
            let length = usize::from(u16::from_be_bytes([*l1, *l2]));
            let (data, after) = tail.split_at(length);
            if u16::from_be_bytes([*c1, *c2]) == wanted {
                found.push(data.to_vec());
            }
            rest = after;
        }
        assert!(rest.is_empty(), "octets behind the options: {rest:02x?}");
        found
    }

    /// RDATA of the OPT record, which this server writes last: found from the end by its fixed beginning.
    fn opt_rdata(&self) -> &[u8] {
        let octets = &self.octets;
        (12..octets.len().saturating_sub(10))
            .rev()
            .find(|&at| {
                let length = usize::from(u16::from_be_bytes([octets[at + 9], octets[at + 10]]));
                octets[at..at + 3] == [0, 0, 41] && at + 11 + length == octets.len()
            })
            .map_or(&[], |at| &octets[at + 11..])
    }

    /// The client subnet option as octets: family, source, scope, address.
    pub fn subnet(&self) -> Option<Vec<u8>> {
        let mut subnets = self.options(OPTION_CLIENT_SUBNET);
        assert!(subnets.len() < 2, "{subnets:02x?}");
        subnets.pop()
    }

    /// The scope of the client subnet.
    pub fn scope(&self) -> Option<u8> {
        self.subnet().map(|subnet| subnet[3])
    }

    /// The extended error: its code and its text.
    pub fn extended_error(&self) -> Option<(u16, String)> {
        let errors = self.options(OPTION_EXTENDED_ERROR);
        let error = errors.first()?;
        let code = u16::from_be_bytes([error[0], error[1]]);
        Some((code, String::from_utf8_lossy(&error[2..]).into_owned()))
    }

    /// Checks what every answer has in common with its question.
    pub fn assert_answers(&self, ask: &Ask) {
        assert_eq!(self.id(), ask.id);
        assert!(self.is_response());
        assert_eq!(self.flags() & 0x7800, ask.flags & 0x7800, "opcode");
        assert_eq!(self.flags() & 0x0100, ask.flags & 0x0100, "RD");
        assert_eq!(self.flags() & 0x0010, ask.flags & 0x0010, "CD");
        assert_eq!(self.flags() & 0x00e0, 0, "RA, Z and AD");
        let question = ask.question();
        assert_eq!(self.field(2), 1, "QDCOUNT");
        assert_eq!(self.octets[12..12 + question.len()], question, "the question");
        assert_eq!(self.message.edns.is_some(), ask.edns.is_some(), "EDNS");
    }
}

/// The IPv4 address of a record.
pub fn ipv4(record: &Record) -> Option<Ipv4Addr> {
    match record.data {
        RData::A(address) => Some(address.0),
        _ => None,
    }
}

/// A UDP socket that talks to one server.
pub struct UdpClient {
    socket: UdpSocket,
}

impl UdpClient {
    pub fn connect(server: SocketAddr) -> Self {
        let local: IpAddr =
            if server.is_ipv4() { [127, 0, 0, 1].into() } else { [0, 0, 0, 0, 0, 0, 0, 1].into() };
        Self::connect_from(local, server)
    }

    /// From this address of loopback.
    pub fn connect_from(local: IpAddr, server: SocketAddr) -> Self {
        assert!(server.ip().is_loopback(), "{server} is not this machine");
        let socket = UdpSocket::bind((local, 0)).expect("no UDP socket");
        socket.connect(server).expect("no UDP socket");
        socket.set_read_timeout(Some(LOST)).expect("no time limit");
        Self { socket }
    }

    pub fn send(&self, octets: &[u8]) {
        self.socket.send(octets).expect("sending failed");
    }

    /// The next datagram, or nothing within `patience`.
    pub fn receive_within(&self, patience: Duration) -> Option<Vec<u8>> {
        let mut octets = vec![0; 65_536];
        self.socket.set_read_timeout(Some(patience)).expect("no time limit");
        match self.socket.recv(&mut octets) {
            Ok(length) => {
                octets.truncate(length);
                Some(octets)
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                None
            }
            Err(error) => panic!("receiving failed: {error}"),
        }
    }

    pub fn receive(&self) -> Option<Vec<u8>> {
        self.receive_within(LOST)
    }

    /// Sends octets and reads the answer.
    pub fn exchange_octets(&self, octets: &[u8]) -> Reply {
        self.send(octets);
        Reply::parse(self.receive().unwrap_or_else(|| panic!("no answer to {octets:02x?}")))
    }

    /// Asks, and checks what every answer has in common with its question.
    pub fn exchange(&self, ask: &Ask) -> Reply {
        let reply = self.exchange_octets(&ask.octets());
        reply.assert_answers(ask);
        reply
    }
}

/// A TCP connection to one server.
pub struct TcpClient {
    pub stream: TcpStream,
}

impl TcpClient {
    pub fn connect(server: SocketAddr) -> Self {
        assert!(server.ip().is_loopback(), "{server} is not this machine");
        let stream = TcpStream::connect(server).expect("no TCP connection");
        stream.set_nodelay(true).expect("no TCP connection");
        stream.set_read_timeout(Some(LOST)).expect("no time limit");
        Self { stream }
    }

    /// A message with its length in front (RFC 1035 §4.2.2).
    pub fn framed(octets: &[u8]) -> Vec<u8> {
        let mut framed = (octets.len() as u16).to_be_bytes().to_vec();
        framed.extend(octets);
        framed
    }

    pub fn send(&mut self, ask: &Ask) {
        self.write(&Self::framed(&ask.octets()));
    }

    pub fn write(&mut self, octets: &[u8]) {
        self.stream.write_all(octets).expect("sending failed");
    }

    pub fn receive(&mut self) -> Reply {
        let mut length = [0; 2];
        self.stream.read_exact(&mut length).expect("no answer");
        let mut octets = vec![0; usize::from(u16::from_be_bytes(length))];
        self.stream.read_exact(&mut octets).expect("half an answer");
        Reply::parse(octets)
    }

    pub fn exchange(&mut self, ask: &Ask) -> Reply {
        self.send(ask);
        let reply = self.receive();
        reply.assert_answers(ask);
        reply
    }
}
