//! What is probed: a check, and the address it is run against.
//!
//! These are compiled values: `config` makes them from what was typed, `probe` carries them out. Everything here has `Eq`
//! and `Hash`, because identical checks of one address run once and because a reload keeps what is equal.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::status_set::StatusSet;
use crate::limits::{CHECK_HOST_OCTETS, CHECK_PATH_OCTETS, CHECK_THRESHOLD};

/// One check of one address. Equal targets share one schedule, one state and one set of statistics.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ProbeTarget {
    /// How to probe. Shared by all addresses of a pool.
    pub check: Arc<CheckSpec>,
    /// Where to probe. Not necessarily an address we hand out (Route 53 rule 5).
    pub address: ProbeAddress,
}

/// Where a probe goes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ProbeAddress {
    /// A fixed address. Private and loopback ones are allowed, unlike at Route 53 (rule 65).
    Ip(IpAddr),
    /// A host name, resolved before every probe, IPv4 only (Route 53 rule 64); no A record is a failure.
    Name(Box<str>),
}

/// How one kind of endpoint is checked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CheckSpec {
    /// What is spoken to the endpoint.
    pub protocol: Protocol,
    /// TCP port, host order.
    pub port: u16,
    /// Time from the end of one probe to the start of the next (Route 53 rule 59).
    pub every: Duration,
    /// Time one probe may take, from the first packet to the verdict. Resolving a name has the same time again.
    pub timeout: Duration,
    /// Consecutive failures that turn Up into Down.
    pub down_after: Threshold,
    /// Consecutive successes that turn Down into Up.
    pub up_after: Threshold,
}

/// The protocol of a check.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// A GET over HTTP/1.1, with or without TLS.
    Http(HttpCheck),
    /// A connection that is accepted is a success.
    Tcp,
}

/// What an HTTP or HTTPS check asks for and what it takes for an answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HttpCheck {
    /// TLS 1.2 or later below HTTP. The certificate is not validated (Route 53 rule 62).
    pub tls: bool,
    /// Path and query, as [`HttpCheck::parse_path`] gives it: begins with a slash, printable ASCII.
    pub path: Box<str>,
    /// Host header and, where it is a DNS name, SNI, as [`HttpCheck::parse_host`] gives it. Without one the Host header is the
    /// target's address and no SNI is sent.
    pub host: Option<Box<str>>,
    /// The statuses that pass.
    pub expect: StatusSet,
}

/// A number of consecutive results, 1 to 10 (Route 53 rule 59).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Threshold(u8);

/// A threshold that is 0 or more than 10.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ThresholdError(pub u8);

/// Why a path or a host cannot be put in a request. The messages are written for the author of a zone file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HttpCheckError {
    /// A character in the path that RFC 3986 §3.3 and §3.4 do not allow, or a fragment.
    PathCharacter(char),
    /// More octets in the path than [`CHECK_PATH_OCTETS`], the leading slash counted.
    PathTooLong(usize),
    /// No octet at all where a host was expected.
    HostEmpty,
    /// A character in the host that stands in no name and no address.
    HostCharacter(char),
    /// More octets in the host than [`CHECK_HOST_OCTETS`].
    HostTooLong(usize),
}

impl Threshold {
    /// Route 53's default in both directions (rule 59).
    pub const DEFAULT: Self = Self(3);

    /// The number of consecutive results, never 0.
    pub fn as_u8(self) -> u8 {
        self.0
    }
}

impl Default for Threshold {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl TryFrom<u8> for Threshold {
    type Error = ThresholdError;

    fn try_from(count: u8) -> Result<Self, ThresholdError> {
        if (1..=CHECK_THRESHOLD).contains(&count) {
            Ok(Self(count))
        } else {
            Err(ThresholdError(count))
        }
    }
}

impl HttpCheck {
    /// The path and query to ask for, with a leading slash put in where the author left it out (Route 53 rule 63).
    ///
    /// # Errors
    /// A character that must be percent-encoded, a fragment, or too many octets.
    pub fn parse_path(text: &str) -> Result<Box<str>, HttpCheckError> {
        if let Some(c) = text.chars().find(|&c| !is_path_character(c)) {
            return Err(HttpCheckError::PathCharacter(c));
        }
        let slash = if text.starts_with('/') { "" } else { "/" };
        let path = format!("{slash}{text}");
        if path.len() > CHECK_PATH_OCTETS {
            return Err(HttpCheckError::PathTooLong(path.len()));
        }
        Ok(path.into())
    }

    /// The host to ask for: a DNS name, an IPv4 or an IPv6 address (without brackets), no port.
    ///
    /// # Errors
    /// Nothing, a character that stands in no host, or too many octets.
    pub fn parse_host(text: &str) -> Result<Box<str>, HttpCheckError> {
        if text.is_empty() {
            return Err(HttpCheckError::HostEmpty);
        }
        if text.len() > CHECK_HOST_OCTETS {
            return Err(HttpCheckError::HostTooLong(text.len()));
        }
        let is_address = text.parse::<IpAddr>().is_ok();
        match text.chars().find(|&c| !is_host_character(c)) {
            Some(c) if !is_address => Err(HttpCheckError::HostCharacter(c)),
            _ => Ok(text.into()),
        }
    }
}

/// RFC 3986 §3.3 and §3.4: unreserved, percent, sub-delims, and `:` `@` `/` `?`.
fn is_path_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-._~%!$&'()*+,;=:@/?".contains(c)
}

/// Letters, digits and hyphen, and the underscore that names in the wild have.
fn is_host_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-._".contains(c)
}

impl fmt::Display for ThresholdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a threshold of {} is not between 1 and {CHECK_THRESHOLD}", self.0)
    }
}

impl std::error::Error for ThresholdError {}

impl fmt::Display for HttpCheckError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PathCharacter('#') => {
                f.write_str("a path has no fragment: leave out # and what follows")
            }
            Self::PathCharacter(c) => {
                write!(f, "the character {c:?} may not stand in a path; write it percent-encoded")
            }
            Self::PathTooLong(octets) => {
                write!(f, "the path has {octets} octets, {CHECK_PATH_OCTETS} is the most")
            }
            Self::HostEmpty => {
                f.write_str("the host is empty; leave the key out to send the address")
            }
            Self::HostCharacter(':') => f.write_str("a host has no port here: use the key `port`"),
            Self::HostCharacter(c) => write!(f, "the character {c:?} may not stand in a host"),
            Self::HostTooLong(octets) => {
                write!(f, "the host has {octets} octets, {CHECK_HOST_OCTETS} is the most")
            }
        }
    }
}

impl std::error::Error for HttpCheckError {}

impl fmt::Display for ProbeAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(IpAddr::V6(address)) => write!(f, "[{address}]"),
            Self::Ip(IpAddr::V4(address)) => write!(f, "{address}"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// `https://192.0.2.1:443/healthz (www.example.com)`, `tcp://[2001:db8::1]:25`.
impl fmt::Display for ProbeTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (address, port) = (&self.address, self.check.port);
        match &self.check.protocol {
            Protocol::Tcp => write!(f, "tcp://{address}:{port}"),
            Protocol::Http(http) => {
                let scheme = if http.tls { "https" } else { "http" };
                write!(f, "{scheme}://{address}:{port}{}", http.path)?;
                http.host.as_ref().map_or(Ok(()), |host| write!(f, " ({host})"))
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn target(protocol: Protocol, address: &str) -> ProbeTarget {
        let check = CheckSpec {
            protocol,
            port: 8443,
            every: Duration::from_secs(10),
            timeout: Duration::from_secs(2),
            down_after: Threshold::DEFAULT,
            up_after: Threshold::DEFAULT,
        };
        ProbeTarget { check: Arc::new(check), address: ProbeAddress::Ip(address.parse().unwrap()) }
    }

    fn https(host: Option<&str>) -> Protocol {
        Protocol::Http(HttpCheck {
            tls: true,
            path: "/healthz".into(),
            host: host.map(Into::into),
            expect: StatusSet::default(),
        })
    }

    #[test]
    fn rule_59_a_threshold_is_one_to_ten_and_three_by_default() {
        assert_eq!(Threshold::default().as_u8(), 3);
        for count in 0..=u8::MAX {
            assert_eq!(Threshold::try_from(count).is_ok(), (1..=10).contains(&count), "{count}");
        }
        assert_eq!(ThresholdError(0).to_string(), "a threshold of 0 is not between 1 and 10");
    }

    #[test]
    fn rule_63_a_path_receives_a_leading_slash() {
        assert_eq!(&*HttpCheck::parse_path("healthz?a=1").unwrap(), "/healthz?a=1");
        assert_eq!(&*HttpCheck::parse_path("/healthz").unwrap(), "/healthz");
        assert_eq!(&*HttpCheck::parse_path("").unwrap(), "/");
    }

    #[test]
    fn a_path_that_would_break_the_request_is_refused() {
        for (text, c) in
            [("/a b", ' '), ("/a\r\nX: y", '\r'), ("/ä", 'ä'), ("/a#b", '#'), ("/\0", '\0')]
        {
            assert_eq!(HttpCheck::parse_path(text), Err(HttpCheckError::PathCharacter(c)));
        }
        assert!(HttpCheck::parse_path(&"a".repeat(254)).is_ok());
        assert_eq!(HttpCheck::parse_path(&"a".repeat(255)), Err(HttpCheckError::PathTooLong(256)));
    }

    #[test]
    fn a_host_is_a_name_or_an_address_without_port() {
        for host in ["www.example.com", "_x.example", "192.0.2.1", "2001:db8::1"] {
            assert_eq!(&*HttpCheck::parse_host(host).unwrap(), host);
        }
        assert_eq!(HttpCheck::parse_host(""), Err(HttpCheckError::HostEmpty));
        assert_eq!(HttpCheck::parse_host("a.example:80"), Err(HttpCheckError::HostCharacter(':')));
        assert_eq!(HttpCheck::parse_host("a\r\nb"), Err(HttpCheckError::HostCharacter('\r')));
        assert_eq!(HttpCheck::parse_host(&"a".repeat(254)), Err(HttpCheckError::HostTooLong(254)));
    }

    #[test]
    fn identical_checks_of_one_address_are_one_target() {
        let set = |targets: Vec<ProbeTarget>| {
            targets.into_iter().collect::<std::collections::HashSet<_>>().len()
        };
        let web = target(https(Some("a.example")), "192.0.2.1");
        assert_eq!(set(vec![web.clone(), target(https(Some("a.example")), "192.0.2.1")]), 1);
        assert_eq!(set(vec![web.clone(), target(https(Some("a.example")), "192.0.2.2")]), 2);
        assert_eq!(set(vec![web, target(https(Some("b.example")), "192.0.2.1")]), 2);
    }

    #[test]
    fn a_target_prints_as_its_address_is_written() {
        let shown = |protocol, address| target(protocol, address).to_string();
        assert_eq!(shown(Protocol::Tcp, "192.0.2.1"), "tcp://192.0.2.1:8443");
        assert_eq!(shown(https(None), "2001:db8::1"), "https://[2001:db8::1]:8443/healthz");
        assert_eq!(
            shown(https(Some("www.example.com")), "192.0.2.1"),
            "https://192.0.2.1:8443/healthz (www.example.com)"
        );
    }
}
