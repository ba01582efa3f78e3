//! The HTTP and HTTPS checks: one GET to a fixed address, judged by its status alone.
//!
//! No redirect is followed, no body is read, the connection is closed. hyper's client speaks over a stream that we
//! connected, which is what lets address, SNI and Host differ.

use std::net::{IpAddr, SocketAddr};

use http_body_util::Empty;
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, CONNECTION, HOST, USER_AGENT};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;

use super::blame::{Miss, judge_http};
use super::connect::{Bounded, connect};
use super::tls;
use crate::health::{FailureReason, HttpCheck, NothingReason, ProbeAddress};
use crate::limits::{PROBE_HEADER_FIELDS, PROBE_HEADER_OCTETS};

/// Lets the operator of an endpoint find us in a log.
const AGENT: &str = concat!("meridian/", env!("CARGO_PKG_VERSION"), " (health check)");

/// A request has no body.
type Body = Empty<Bytes>;

/// Asks `address` for the check's path; `target` is what the Host header says if the check names no host.
pub(super) async fn probe(
    address: SocketAddr,
    check: &HttpCheck,
    target: &ProbeAddress,
    tls: &TlsConnector,
) -> Result<(), Miss> {
    let request = write_request(check, target, address.port())?;
    let stream = Bounded::new(connect(address).await?);
    let status = if check.tls.is_some() {
        let stream = tls::handshake(stream, host_name(check, target), address, tls).await?;
        exchange(stream, request).await?
    } else {
        exchange(stream, request).await?
    };
    let passes = check.expect.contains(status);
    if passes { Ok(()) } else { Err(Miss::Failure(FailureReason::Status(status))) }
}

/// Sends the request and reads as far as the status and the header fields behind it (Route 53 rule 64).
async fn exchange<S>(stream: S, request: Request<Body>) -> Result<u16, Miss>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (mut sender, mut connection) = http1::Builder::new()
        .max_buf_size(PROBE_HEADER_OCTETS)
        .max_header_size(PROBE_HEADER_OCTETS)
        .max_headers(PROBE_HEADER_FIELDS)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|error| judge_http(&error))?;
    let mut response = Box::pin(sender.send_request(request));
    let result = tokio::select! {
        biased;
        result = &mut response => result,
        // The connection has done all it can: the response is in, or the error why it is not.
        _ = &mut connection => response.await,
    };
    result.map(|response| response.status().as_u16()).map_err(|error| judge_http(&error))
}

fn write_request(
    check: &HttpCheck,
    target: &ProbeAddress,
    port: u16,
) -> Result<Request<Body>, Miss> {
    Request::get(&*check.path)
        .header(HOST, write_host(check, target, port))
        .header(USER_AGENT, AGENT)
        .header(ACCEPT, "*/*")
        .header(CONNECTION, "close")
        .body(Body::new())
        // `config` lets no such path or host through; if one comes all the same, it is our fault.
        .map_err(|_| Miss::Nothing(NothingReason::BadCheck))
}

/// The name to ask for: the check's host, else the endpoint's own name, without the final dot of the root.
fn host_name<'a>(check: &'a HttpCheck, target: &'a ProbeAddress) -> Option<&'a str> {
    match (&check.host, target) {
        (Some(host), _) => Some(host),
        (None, ProbeAddress::Name(name)) => Some(name.strip_suffix('.').unwrap_or(name)),
        (None, ProbeAddress::Ip(_)) => None,
    }
}

/// The Host header: the check's host, or the address; the port only if it is not the scheme's own (Route 53 rule 63).
fn write_host(check: &HttpCheck, target: &ProbeAddress, port: u16) -> String {
    let host = match host_name(check, target) {
        // An IPv6 address stands in brackets (RFC 3986 §3.2.2), and this prints it so.
        Some(host) => match host.parse::<IpAddr>() {
            Ok(address) => ProbeAddress::Ip(address).to_string(),
            Err(_) => host.to_owned(),
        },
        None => target.to_string(),
    };
    let own_port = if check.tls.is_some() { 443 } else { 80 };
    if port == own_port { host } else { format!("{host}:{port}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::TlsCheck;

    fn host_header(tls: bool, host: Option<&str>, address: &str, port: u16) -> String {
        let tls = tls.then(TlsCheck::default);
        let check = HttpCheck { tls, host: host.map(Into::into), ..HttpCheck::new("/") };
        let address = match address.parse() {
            Ok(address) => ProbeAddress::Ip(address),
            Err(_) => ProbeAddress::Name(address.into()),
        };
        write_host(&check, &address, port)
    }

    #[test]
    fn rule_63_the_host_header_has_the_port_unless_it_is_the_schemes() {
        let www = Some("www.example.com");
        assert_eq!(host_header(false, www, "192.0.2.1", 80), "www.example.com");
        assert_eq!(host_header(true, www, "192.0.2.1", 443), "www.example.com");
        assert_eq!(host_header(true, www, "192.0.2.1", 80), "www.example.com:80");
        assert_eq!(host_header(false, www, "192.0.2.1", 443), "www.example.com:443");
        assert_eq!(host_header(false, www, "192.0.2.1", 8080), "www.example.com:8080");
    }

    #[test]
    fn rule_63_without_a_host_the_header_is_the_address() {
        assert_eq!(host_header(false, None, "192.0.2.1", 80), "192.0.2.1");
        assert_eq!(host_header(true, None, "192.0.2.1", 8443), "192.0.2.1:8443");
        assert_eq!(host_header(false, None, "2001:db8::1", 80), "[2001:db8::1]");
        assert_eq!(host_header(true, None, "2001:db8::1", 8443), "[2001:db8::1]:8443");
        assert_eq!(host_header(true, Some("2001:db8::1"), "192.0.2.1", 443), "[2001:db8::1]");
        assert_eq!(host_header(false, None, "lb.example.net", 80), "lb.example.net");
        assert_eq!(host_header(true, None, "lb.example.net.", 8443), "lb.example.net:8443");
    }

    #[test]
    fn a_path_that_config_should_have_refused_is_our_fault() {
        let check = HttpCheck::new("/a b");
        let result = write_request(&check, &ProbeAddress::Name("a.example".into()), 80);
        assert_eq!(result.err(), Some(Miss::Nothing(NothingReason::BadCheck)));
    }
}
