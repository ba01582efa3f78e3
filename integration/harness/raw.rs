//! Datagrams from addresses and ports that no socket of ours has: whole IPv4 packets, which takes CAP_NET_RAW. Who lacks it
//! gets it in a network of its own, where there is nothing but loopback.

use std::io::{Error, ErrorKind};
use std::net::{SocketAddr, SocketAddrV4};

use socket2::{Domain, Protocol, Socket, Type};

use super::network;

/// IPPROTO_RAW: what is sent begins with the IPv4 header.
fn raw_socket() -> Result<Socket, Error> {
    Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(255)))
}

/// Runs the body of the named test where raw sockets can be made: here, or in a process that begins it again in a network of
/// its own. Panics with the reason if there is no such place.
pub fn with_raw_sockets(test: &str, body: impl FnOnce()) {
    match raw_socket() {
        Ok(_) => body(),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            assert!(
                !network::is_alone(),
                "no raw sockets, not even alone: this test needs CAP_NET_RAW ({error})"
            );
            begin_again_alone(test);
        }
        Err(error) => panic!("no raw sockets: {error}"),
    }
}

fn begin_again_alone(test: &str) {
    let (_, test) = test.split_once("::").expect("the crate and the test");
    let is_left_out = !network::alone(test, || unreachable!("it is not alone yet"));
    assert!(!is_left_out, "no CAP_NET_RAW here, and no network of its own where it could be had");
}

/// Sends one datagram over loopback.
pub fn send(from: SocketAddrV4, to: SocketAddrV4, payload: &[u8]) {
    assert!(to.ip().is_loopback(), "{to} is not this machine");
    let mut packet = vec![0x45, 0];
    // The kernel fills in the total length, the identification and the checksum of the header.
    packet.extend([0; 6]);
    packet.extend([64, 17, 0, 0]);
    packet.extend(from.ip().octets());
    packet.extend(to.ip().octets());
    packet.extend(from.port().to_be_bytes());
    packet.extend(to.port().to_be_bytes());
    packet.extend(((payload.len() + 8) as u16).to_be_bytes());
    // No checksum (RFC 768).
    packet.extend([0, 0]);
    packet.extend(payload);
    let socket = raw_socket().expect("a raw socket");
    let sent = socket.send_to(&packet, &SocketAddr::V4(to).into()).expect("a packet can be sent");
    assert_eq!(sent, packet.len());
}
