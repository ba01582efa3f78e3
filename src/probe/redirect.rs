//! Where a reply points at: reading `Location` against the place that sent it (RFC 9110 §10.2.2, RFC 3986 §5).
//!
//! Only `http` and `https` are followed. The port and the scheme may change; whether the address may be probed is asked when
//! the connection is made.

use std::net::{IpAddr, SocketAddr};

use hyper::header::LOCATION;
use hyper::{HeaderMap, Method, Uri};

use super::blame::Miss;
use super::http::{host_name, write_host};
use super::resolve;
use super::trial::Trial;
use crate::health::{FailureReason, HttpCheck, NothingReason, ProbeAddress, TlsCheck};

/// One request of a chain of redirects: where it goes and what it asks for.
pub(super) struct Hop {
    pub(super) address: SocketAddr,
    pub(super) is_tls: bool,
    /// The name of the host; the endpoint's address speaks for itself if it has none.
    pub(super) host: Option<String>,
    pub(super) path: String,
    pub(super) method: Method,
    /// Still the endpoint's own host, and nothing secret sent in the clear.
    pub(super) is_home: bool,
}

impl Hop {
    /// What the check asks for.
    pub(super) fn first(trial: &Trial<'_>, check: &HttpCheck) -> Result<Self, Miss> {
        let host = host_name(check.host.as_deref(), &trial.target.address);
        let method = Method::from_bytes(check.method.as_bytes());
        Ok(Self {
            address: trial.address,
            is_tls: check.tls.is_some(),
            host: host.map(str::to_owned),
            path: check.path.as_ref().to_owned(),
            method: method.map_err(|_| Miss::Nothing(NothingReason::BadCheck))?,
            is_home: true,
        })
    }

    pub(super) fn host_header(&self, trial: &Trial<'_>) -> String {
        let target = match &trial.target.address {
            ProbeAddress::Name(name) => ProbeAddress::Name(name.clone()),
            ProbeAddress::Ip(_) => ProbeAddress::Ip(self.address.ip()),
        };
        write_host(self.host.as_deref(), &target, self.address.port(), self.is_tls)
    }

    /// The check's TLS, without the name that is not for other hosts.
    pub(super) fn tls(&self, check: Option<&TlsCheck>) -> TlsCheck {
        let mut tls = check.cloned().unwrap_or_default();
        if !self.is_home {
            tls.server_name = None;
        }
        tls
    }
}

/// Statuses that say where to go on (RFC 9110 §15.4).
pub(super) fn is_redirect(status: u16) -> bool {
    matches!(status, 301 | 302 | 303 | 307 | 308)
}

/// The reference that a reply gives, without its fragment.
pub(super) fn location(headers: &HeaderMap) -> Option<&str> {
    let location = headers.get(LOCATION)?.to_str().ok()?;
    let location = location.split('#').next().unwrap_or(location).trim();
    (!location.is_empty()).then_some(location)
}

/// The request that follows a redirect.
pub(super) async fn follow(
    from: Hop,
    location: &str,
    status: u16,
    trial: &Trial<'_>,
) -> Result<Hop, Miss> {
    let method = next_method(&from.method, status);
    let Some(absolute) = as_absolute(location, from.is_tls)? else {
        let path = join(&from.path, location);
        let is_path = path.parse::<Uri>().is_ok();
        is_path.then_some(()).ok_or_else(|| malformed("a redirect that is no URL"))?;
        return Ok(Hop { path, method, ..from });
    };
    let uri: Uri = absolute.parse().map_err(|_| malformed("a redirect that is no URL"))?;
    let is_tls = uri.scheme_str().is_some_and(|scheme| scheme.eq_ignore_ascii_case("https"));
    let port = uri.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
    let host = uri.host().filter(|host| !host.is_empty());
    let host = host.ok_or_else(|| malformed("a redirect without a host"))?;
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let is_same = is_same_host(&from, &host);
    let address = if is_same { from.address.ip() } else { find(&host, trial).await? };
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    let before = from.address.port();
    let is_same_port = port == before || (before, port) == (80, 443);
    let is_home = from.is_home && is_same && is_same_port && (is_tls || !from.is_tls);
    let address = SocketAddr::new(address, port);
    Ok(Hop { address, is_tls, host: Some(host), path, method, is_home })
}

/// RFC 9110 §15.4: a 303 is fetched; a POST becomes a GET where everybody has always made it one.
fn next_method(method: &Method, status: u16) -> Method {
    match status {
        303 if *method != Method::HEAD => Method::GET,
        301 | 302 if *method == Method::POST => Method::GET,
        _ => method.clone(),
    }
}

/// The reference with scheme and host, if it has a host.
fn as_absolute(location: &str, is_tls: bool) -> Result<Option<String>, Miss> {
    if location.starts_with("//") {
        let scheme = if is_tls { "https:" } else { "http:" };
        return Ok(Some(format!("{scheme}{location}")));
    }
    // RFC 3986 §3.1: a scheme has no slash, no question mark; a colon behind one of these is of the path or the query.
    let before = location.split(['/', '?']).next().unwrap_or_default();
    match before.split_once(':') {
        None => Ok(None),
        Some((scheme, _)) if is_followed(scheme) => Ok(Some(location.to_owned())),
        Some(_) => Err(malformed("a redirect to a scheme that is not http or https")),
    }
}

fn is_followed(scheme: &str) -> bool {
    scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https")
}

fn is_same_host(from: &Hop, host: &str) -> bool {
    match &from.host {
        Some(name) => name.eq_ignore_ascii_case(host.strip_suffix('.').unwrap_or(host)),
        None => host.parse() == Ok(from.address.ip()),
    }
}

/// An address of another host: the first that may be probed (Route 53 rule 64: IPv4 only).
async fn find(host: &str, trial: &Trial<'_>) -> Result<IpAddr, Miss> {
    let egress = &trial.tools.egress;
    if let Ok(address) = host.parse() {
        return if egress.permits(address) {
            Ok(address)
        } else {
            Err(Miss::Nothing(NothingReason::Blocked))
        };
    }
    let addresses = resolve::lookup(host, trial.check().timeout, &trial.tools.lookups).await?;
    let permitted = addresses.into_iter().find(|address| egress.permits(*address));
    permitted.ok_or(Miss::Nothing(NothingReason::Blocked))
}

/// A reference without a host, joined to the path that it was given for (RFC 3986 §5.2.3).
fn join(base: &str, reference: &str) -> String {
    let base = base.split('?').next().unwrap_or(base);
    if reference.starts_with('?') {
        return format!("{base}{reference}");
    }
    let (path, query) = match reference.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (reference, None),
    };
    let folder = base.rsplit_once('/').map_or("", |(folder, _)| folder);
    let path = if path.starts_with('/') { path.to_owned() } else { format!("{folder}/{path}") };
    let path = remove_dots(&path);
    query.map_or(path.clone(), |query| format!("{path}?{query}"))
}

/// RFC 3986 §5.2.4.
fn remove_dots(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    let mut ends_in_folder = false;
    for part in path.split('/').skip(1) {
        ends_in_folder = matches!(part, "." | "..");
        match part {
            "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    let end = if ends_in_folder && !parts.is_empty() { "/" } else { "" };
    format!("/{}{end}", parts.join("/"))
}

fn malformed(text: &str) -> Miss {
    Miss::Failure(FailureReason::MalformedReply(text.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_joined_to_where_it_came_from() {
        for (base, reference, joined) in [
            ("/a/b", "c", "/a/c"),
            ("/a/b", "/c", "/c"),
            ("/a/b/", "c", "/a/b/c"),
            ("/a/b?x=1/2", "c", "/a/c"),
            ("/a/b?x=1", "?y=2", "/a/b?y=2"),
            ("/a/b/c", "../d?e=../f", "/a/d?e=../f"),
            ("/a/b", "../../../d", "/d"),
            ("/a/b", "./", "/a/"),
            ("/a/b/c", "..", "/a/"),
            ("/", "..", "/"),
        ] {
            assert_eq!(join(base, reference), joined, "{base} {reference}");
        }
    }

    #[test]
    fn only_http_and_https_are_followed() {
        let absolute = |location| as_absolute(location, true);
        assert_eq!(absolute("HTTP://a.example/"), Ok(Some("HTTP://a.example/".to_owned())));
        assert_eq!(absolute("//a.example/b"), Ok(Some("https://a.example/b".to_owned())));
        assert_eq!(absolute("/a:b"), Ok(None));
        assert_eq!(absolute("?a:b"), Ok(None));
        for other in ["ftp://a.example/", "file:///etc/passwd", "gopher:x", "javascript:0"] {
            assert!(absolute(other).is_err(), "{other}");
        }
    }

    #[test]
    fn a_method_changes_as_clients_change_it() {
        for (method, status, next) in [
            (Method::POST, 301, Method::GET),
            (Method::POST, 302, Method::GET),
            (Method::POST, 303, Method::GET),
            (Method::POST, 307, Method::POST),
            (Method::HEAD, 303, Method::HEAD),
            (Method::OPTIONS, 308, Method::OPTIONS),
        ] {
            assert_eq!(next_method(&method, status), next);
        }
    }
}
