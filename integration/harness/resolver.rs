//! A resolver for the prober's look-ups, which answers, errs or is silent as it is told, name by name.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex};

/// What it does with questions for a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    Address(Ipv4Addr),
    /// An IPv6 address, and none of IPv4.
    OnlyIpv6,
    NoSuchName,
    Failure,
    Silence,
}

/// The resolver. It lives as long as the test.
pub struct Resolver {
    replies: Arc<Mutex<HashMap<&'static str, Reply>>>,
}

impl Resolver {
    /// Answers on an address. A name that it was not told of does not exist.
    pub fn start(address: SocketAddr) -> Self {
        let socket = UdpSocket::bind(address).unwrap_or_else(|error| panic!("{address}: {error}"));
        let this = Self { replies: Arc::default() };
        let replies = Arc::clone(&this.replies);
        std::thread::spawn(move || {
            let mut octets = [0; 512];
            while let Ok((length, from)) = socket.recv_from(&mut octets) {
                let reply = answer(&octets[..length], &replies.lock().expect("a reader panicked"));
                if let Some(reply) = reply {
                    let _ = socket.send_to(&reply, from);
                }
            }
        });
        this
    }

    /// From now on, questions for a name whose first label this is get this.
    pub fn set(&self, label: &'static str, reply: Reply) {
        self.replies.lock().expect("a reader panicked").insert(label, reply);
    }
}

/// The reply to a query; nothing if it is to be silent.
fn answer(query: &[u8], replies: &HashMap<&'static str, Reply>) -> Option<Vec<u8>> {
    let length = usize::from(*query.get(12)?);
    let label = std::str::from_utf8(query.get(13..13 + length)?).ok()?.to_ascii_lowercase();
    let end = 12 + query[12..].iter().position(|octet| *octet == 0)? + 1;
    let is_ipv6 = query.get(end..end + 2)? == [0, 28];
    let mut rdata = Vec::new();
    let rcode = match replies.get(label.as_str()).unwrap_or(&Reply::NoSuchName) {
        Reply::Silence => return None,
        Reply::NoSuchName => 3,
        Reply::Failure => 2,
        Reply::Address(address) => {
            if !is_ipv6 {
                rdata.extend(address.octets());
            }
            0
        }
        Reply::OnlyIpv6 => {
            if is_ipv6 {
                rdata.extend([0; 15].into_iter().chain([1]));
            }
            0
        }
    };
    let count = u8::from(!rdata.is_empty());
    // QR, RD, RA; one question, and an answer that lives for no time.
    let mut reply = query[..2].to_vec();
    reply.extend([0x81, 0x80 | rcode, 0, 1, 0, count, 0, 0, 0, 0]);
    reply.extend(&query[12..end + 4]);
    if count > 0 {
        reply.extend([0xc0, 12]);
        reply.extend(&query[end..end + 4]);
        reply.extend([0, 0, 0, 0, 0, rdata.len() as u8]);
        reply.extend(rdata);
    }
    Some(reply)
}
