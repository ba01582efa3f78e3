//! The ICMP check: an echo request (RFC 792, RFC 4443 §4.1) over an unprivileged socket, and the echo that belongs to it.
//!
//! Such a socket carries echoes only: the kernel puts in identifier and checksum, and gives us what bears our identifier. It
//! exists if our group is in `net.ipv4.ping_group_range`; if not, that is our own side's matter. The payload is random, so that
//! nobody can answer who has not seen the request.

use std::net::SocketAddr;

use socket2::Protocol;

use super::blame::{Miss, Raised, judge_io};
use super::connect::open_datagrams;
use super::random::random;
use super::trial::Trial;

/// Octets of an echo's header.
const HEADER: usize = 8;

/// Octets of the payload: two random numbers.
const PAYLOAD: usize = 16;

/// Sends one echo request and waits for its echo.
pub(super) async fn probe(trial: &Trial<'_>) -> Result<(), Miss> {
    let is_ipv4 = trial.address.is_ipv4();
    let address = SocketAddr::new(trial.address.ip(), 0);
    let protocol = if is_ipv4 { Protocol::ICMPV4 } else { Protocol::ICMPV6 };
    let socket = open_datagrams(trial, address, protocol)?;
    let (request, echo) = write(is_ipv4)?;
    let sent = socket.send(&request).await;
    sent.map_err(|error| judge_io(&error, Raised::AtOnce))?;
    let mut datagram = [0; HEADER + PAYLOAD + 1];
    loop {
        let received = socket.recv(&mut datagram).await;
        let octets = received.map_err(|error| judge_io(&error, Raised::Afterwards))?;
        if is_echo(datagram.get(..octets).unwrap_or_default(), &echo) {
            return Ok(());
        }
    }
}

/// A request, and the echo that is due; checksum and identifier are the kernel's.
fn write(is_ipv4: bool) -> Result<([u8; HEADER + PAYLOAD], [u8; HEADER + PAYLOAD]), Miss> {
    let (request_type, echo_type) = if is_ipv4 { (8, 0) } else { (128, 129) };
    let [first, second, third] = [random()?, random()?, random()?].map(u64::to_be_bytes);
    let [high, low, ..] = third;
    let payload = first.into_iter().chain(second);
    let header = [request_type, 0, 0, 0, 0, 0, high, low];
    let mut request = [0; HEADER + PAYLOAD];
    for (to, from) in request.iter_mut().zip(header.into_iter().chain(payload)) {
        *to = from;
    }
    let mut echo = request;
    if let Some(kind) = echo.first_mut() {
        *kind = echo_type;
    }
    Ok((request, echo))
}

/// Whether type, code, sequence number and payload are those of the echo that is due.
fn is_echo(datagram: &[u8], echo: &[u8]) -> bool {
    datagram.len() == echo.len()
        && datagram.get(..2) == echo.get(..2)
        && datagram.get(6..) == echo.get(6..)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_echo_has_the_requests_sequence_and_payload() {
        for (is_ipv4, kinds) in [(true, [8, 0]), (false, [128, 129])] {
            let (request, echo) = write(is_ipv4).unwrap();
            assert_eq!([request[0], echo[0]], kinds);
            let mut received = echo;
            received[2..6].copy_from_slice(&[1, 2, 3, 4]);
            assert!(is_echo(&received, &echo));
            assert!(!is_echo(&request, &echo), "our own request is no echo");
            for at in [0, 1, 6, 7, 8, 23] {
                let mut other = received;
                other[at] ^= 1;
                assert!(!is_echo(&other, &echo), "{at}");
            }
            assert!(!is_echo(&received[..23], &echo) && !is_echo(&[], &echo));
        }
        assert_ne!(write(true).unwrap().0, write(true).unwrap().0);
    }
}
