//! The HTTP and HTTPS checks: one request to a fixed address, judged by its status, and by the body if something must be in it.
//!
//! A redirect is followed only where the check asks for it: to the endpoint itself if the host stays the same, else to an address
//! of the new host, which may be denied as any other. The status of the last reply is the one that is judged.

use std::net::IpAddr;

use hyper::body::Bytes;
use hyper::header::{ACCEPT, CONNECTION, HOST, HeaderName, HeaderValue, USER_AGENT};
use hyper::{Method, Request, Uri};

use super::blame::Miss;
use super::connect::{Below, open};
use super::exchange::{Asked, Reply, Wanted, exchange};
use super::redirect::{self, Hop};
use super::trial::{Trial, within};
use crate::health::{FailureReason, HttpCheck, NothingReason, ProbeAddress, TlsCheck};
use crate::limits::BODY_OCTETS;

/// Lets the operator of an endpoint find us in a log.
const AGENT: &str = concat!("meridian/", env!("CARGO_PKG_VERSION"), " (health check)");

/// Header fields of a check, names in small letters.
pub(super) type Fields = [(Box<str>, Box<str>)];

/// What is asked for, and under which name.
pub(super) struct Query<'a> {
    pub(super) method: Method,
    /// Path and query.
    pub(super) path: &'a str,
    /// What the Host header says.
    pub(super) host: String,
    pub(super) headers: &'a Fields,
    pub(super) body: Bytes,
    pub(super) is_tls: bool,
    pub(super) is_http2: bool,
}

/// Asks for the check's path, follows where the check says so, and judges.
pub(super) async fn probe(trial: &Trial<'_>, check: &HttpCheck) -> Result<(), Miss> {
    let mut hop = Hop::first(trial, check)?;
    let mut left = check.redirects;
    loop {
        let reply = ask(trial, check, &hop, left > 0).await?;
        if left == 0 || !redirect::is_redirect(reply.status) {
            return judge(check, &reply);
        }
        left = left.saturating_sub(1);
        hop = match redirect::location(&reply.headers) {
            Some(location) => redirect::follow(hop, location, reply.status, trial).await?,
            None => return judge(check, &reply),
        };
    }
}

async fn ask(
    trial: &Trial<'_>,
    check: &HttpCheck,
    hop: &Hop,
    follows: bool,
) -> Result<Reply, Miss> {
    let query = Query {
        method: hop.method.clone(),
        path: &hop.path,
        host: hop.host_header(trial),
        // A token is for the endpoint, not for whoever it points at.
        headers: if hop.is_home { &check.headers } else { &[] },
        body: Bytes::new(),
        is_tls: hop.is_tls,
        is_http2: check.is_http2,
    };
    let request = write_request(query)?;
    let phases = &trial.check().phases;
    let tls = hop.tls(check.tls.as_ref());
    let below: Below<'_> = hop.is_tls.then_some((&tls, hop.host.as_deref()));
    let opening = open(trial, hop.address, below, check.is_http2);
    let stream = within(phases.connect, opening).await?;
    exchange(stream, check.is_http2, request, phases, &trial.intake, |status| {
        let is_last = !(follows && redirect::is_redirect(status));
        let is_wanted = check.body.is_some() && is_last && check.expect.contains(status);
        if is_wanted { Wanted::Start(BODY_OCTETS) } else { Wanted::Nothing }
    })
    .await
}

fn judge(check: &HttpCheck, reply: &Reply) -> Result<(), Miss> {
    if !check.expect.contains(reply.status) {
        return Err(Miss::Failure(FailureReason::Status(reply.status)));
    }
    match &check.body {
        Some(pattern) if !pattern.is_in(&reply.body) => Err(Miss::Failure(FailureReason::Body)),
        _ => Ok(()),
    }
}

/// Writes a request; what the check says of a header field goes before what we would.
pub(super) fn write_request(query: Query<'_>) -> Result<Asked, Miss> {
    // `config` lets nothing through that can't be written; if it comes all the same, it is our fault.
    try_write(query).ok_or(Miss::Nothing(NothingReason::BadCheck))
}

fn try_write(query: Query<'_>) -> Option<Asked> {
    let mut headers = vec![
        (HOST, HeaderValue::from_str(&query.host).ok()?),
        (USER_AGENT, HeaderValue::from_static(AGENT)),
        (ACCEPT, HeaderValue::from_static("*/*")),
        (CONNECTION, HeaderValue::from_static("close")),
    ];
    let own = query.headers.iter().map(|(name, value)| {
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        Some((name, HeaderValue::from_str(value).ok()?))
    });
    let own = own.collect::<Option<Vec<_>>>()?;
    headers.retain(|(name, _)| own.iter().all(|(other, _)| other != name));
    headers.extend(own);
    let mut uri = Uri::builder().path_and_query(query.path);
    if query.is_http2 {
        // RFC 9113 §8.2.2 and §8.3.1: the connection is not the request's matter, and the host is `:authority`.
        headers.retain(|(name, _)| *name != CONNECTION && *name != HOST);
        let scheme = if query.is_tls { "https" } else { "http" };
        uri = uri.scheme(scheme).authority(query.host.as_str());
    }
    let mut request = Request::builder().method(query.method).uri(uri.build().ok()?);
    let fields = request.headers_mut()?;
    for (name, value) in headers {
        fields.append(name, value);
    }
    request.body(query.body.into()).ok()
}

/// The name to ask for: the check's host, else the endpoint's own name, without the final dot of the root.
pub(super) fn host_name<'a>(host: Option<&'a str>, target: &'a ProbeAddress) -> Option<&'a str> {
    match (host, target) {
        (Some(host), _) => Some(host),
        (None, ProbeAddress::Name(name)) => Some(name.strip_suffix('.').unwrap_or(name)),
        (None, ProbeAddress::Ip(_)) => None,
    }
}

/// The Host header: the name, or the address; the port only if it is not the scheme's own (Route 53 rule 63).
pub(super) fn write_host(
    host: Option<&str>,
    target: &ProbeAddress,
    port: u16,
    is_tls: bool,
) -> String {
    let host = match host_name(host, target) {
        // An IPv6 address stands in brackets (RFC 3986 §3.2.2), and this prints it so.
        Some(host) => match host.parse::<IpAddr>() {
            Ok(address) => ProbeAddress::Ip(address).to_string(),
            Err(_) => host.to_owned(),
        },
        None => target.to_string(),
    };
    let own_port = if is_tls { 443 } else { 80 };
    if port == own_port { host } else { format!("{host}:{port}") }
}

/// The TLS of a probe whose only host is its check's.
pub(super) fn below<'a>(
    tls: Option<&'a TlsCheck>,
    host: Option<&'a str>,
    trial: &Trial<'a>,
) -> Below<'a> {
    tls.map(|tls| (tls, host_name(host, &trial.target.address)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host_header(tls: bool, host: Option<&str>, address: &str, port: u16) -> String {
        let address = match address.parse() {
            Ok(address) => ProbeAddress::Ip(address),
            Err(_) => ProbeAddress::Name(address.into()),
        };
        write_host(host, &address, port, tls)
    }

    fn query(
        path: &'static str,
        headers: &'static [(&'static str, &'static str)],
    ) -> Option<Asked> {
        let headers: Vec<_> =
            headers.iter().map(|&(name, value)| (Box::from(name), Box::from(value))).collect();
        let (method, host) = (Method::GET, "a.example".to_owned());
        let body = Bytes::new();
        try_write(Query {
            method,
            path,
            host,
            headers: &headers,
            body,
            is_tls: false,
            is_http2: false,
        })
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
    fn what_config_should_have_refused_is_our_fault() {
        assert!(query("/a", &[("x-token", "1")]).is_some());
        assert!(query("/a b", &[]).is_none());
        assert!(query("/a", &[("x y", "1")]).is_none());
        assert!(query("/a", &[("x", "1\r\nY: 2")]).is_none());
    }

    #[test]
    fn a_field_of_the_check_replaces_ours_and_may_come_twice() {
        let request = query("/", &[("accept", "text/html"), ("x", "1"), ("x", "2")]).unwrap();
        let values = |name| request.headers().get_all(name).iter().collect::<Vec<_>>();
        assert_eq!(values("accept"), ["text/html"]);
        assert_eq!(values("x"), ["1", "2"]);
        assert_eq!(values("host"), ["a.example"]);
    }
}
