//! What is spoken to an endpoint, and what is taken for an answer.
//!
//! | protocol | succeeds if |
//! |---|---|
//! | [`HttpCheck`] | the status is one of a set, and the body has what it must have |
//! | [`TcpCheck`] | the connection is accepted, and says what it must say |
//! | [`DnsCheck`] | the name has records of the type |
//! | ICMP | an echo comes back |
//! | [`GrpcCheck`] | `grpc.health.v1.Health/Check` says SERVING |
//! | [`PrometheusCheck`] | every value of a PromQL query is on the right side of a limit |
//! | [`ExternalCheck`] | somebody says so, and said it lately |
//! | [`CalculatedCheck`] | enough of other checks do |
//!
//! All of it has `Eq` and `Hash`, because equal checks of one address are one; so a regular expression is its text, and a limit its
//! bits.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use regex::bytes::{Regex, RegexBuilder};

use super::check::{CheckSpec, ProbeAddress};
use super::status_set::StatusSet;
use crate::limits::{CHECK_BODY_TEXT_OCTETS, CHECK_HOST_OCTETS, CHECK_PATH_OCTETS, REGEX_OCTETS};
use crate::wire::{Name, RecordType};

/// The protocol of a check.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    Http(HttpCheck),
    Tcp(TcpCheck),
    Dns(DnsCheck),
    /// An echo request over an unprivileged socket.
    Icmp,
    Grpc(GrpcCheck),
    Prometheus(PrometheusCheck),
    External(ExternalCheck),
    Calculated(CalculatedCheck),
}

impl Protocol {
    /// Whether the prober sends something. What others report and what is calculated is not probed.
    pub fn is_probed(&self) -> bool {
        !matches!(self, Self::External(_) | Self::Calculated(_))
    }

    /// How TLS is spoken below it, if it is.
    pub fn tls(&self) -> Option<&TlsCheck> {
        match self {
            Self::Http(http) => http.tls.as_ref(),
            Self::Tcp(tcp) => tcp.tls.as_ref(),
            Self::Grpc(grpc) => grpc.tls.as_ref(),
            Self::Prometheus(metric) => metric.tls.as_ref(),
            Self::Dns(_) | Self::Icmp | Self::External(_) | Self::Calculated(_) => None,
        }
    }
}

/// What an HTTP or HTTPS check asks for and what it takes for an answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HttpCheck {
    /// With TLS below HTTP.
    pub tls: Option<TlsCheck>,
    /// A token of RFC 9110 §9.1 in capitals: GET, HEAD, POST, OPTIONS.
    pub method: Box<str>,
    /// Path and query, as [`HttpCheck::parse_path`] gives it: begins with a slash, printable ASCII.
    pub path: Box<str>,
    /// Host header and, where it is a DNS name, SNI, as [`HttpCheck::parse_host`] gives it. Without one the Host header is the
    /// target's address and no SNI is sent.
    pub host: Option<Box<str>>,
    /// Further header fields, names in small letters.
    pub headers: Box<[(Box<str>, Box<str>)]>,
    /// The statuses that pass.
    pub expect: StatusSet,
    /// What the first [`BODY_OCTETS`](crate::limits::BODY_OCTETS) of the body must have in them (Route 53 rule 61).
    pub body: Option<Pattern>,
    /// HTTP/2: by ALPN with TLS, with prior knowledge without (RFC 9113 §3).
    pub is_http2: bool,
    /// How many redirects are followed; none unless asked for.
    pub redirects: u8,
}

/// TLS 1.2 or later below a check.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct TlsCheck {
    /// Whether the certificate is validated. By default it is not (Route 53 rule 62).
    pub is_verified: bool,
    /// A file of certificates in PEM that are trusted instead of the system's; read by the prober.
    pub authorities: Option<Box<str>>,
    /// The name that is asked for and validated, where it is not the host's.
    pub server_name: Option<Box<str>>,
    /// No name is asked for at all.
    pub hides_name: bool,
    /// How long before its end a certificate is warned of; never if zero.
    pub warns_before: Duration,
}

/// What a TCP check says and hears. Without either, a connection that is accepted is a success (Route 53 rule 60).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct TcpCheck {
    pub tls: Option<TlsCheck>,
    /// The name for TLS.
    pub host: Option<Box<str>>,
    /// Octets to send when the connection stands.
    pub send: Option<Box<[u8]>>,
    /// What the first [`BODY_OCTETS`](crate::limits::BODY_OCTETS) that come back must have in them.
    pub expect: Option<Pattern>,
}

/// What a DNS check asks.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DnsCheck {
    pub name: Name,
    pub rtype: RecordType,
    /// Over TCP; over UDP otherwise.
    pub is_tcp: bool,
    /// Addresses of which at least one must be in the answer; any record of the type will do if there are none.
    pub expect: Box<[IpAddr]>,
}

/// What a gRPC check asks: the standard health service, version 1.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct GrpcCheck {
    pub tls: Option<TlsCheck>,
    /// `:authority`, and the name for TLS.
    pub host: Option<Box<str>>,
    /// The service to ask for; the server as a whole if it is empty.
    pub service: Box<str>,
}

/// A PromQL query and the limit of its values: what an alarm of CloudWatch is to Route 53. The probe's address and port are those
/// of the server that is asked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PrometheusCheck {
    pub tls: Option<TlsCheck>,
    /// Host header and the name for TLS.
    pub host: Option<Box<str>>,
    /// What the path of the API, `/api/v1/query`, comes behind; no slash at its end.
    pub prefix: Box<str>,
    /// Further header fields, names in small letters: a token.
    pub headers: Box<[(Box<str>, Box<str>)]>,
    /// The query. `{address}` in it stands for the endpoint's address.
    pub query: Box<str>,
    /// What every value must be.
    pub comparison: Comparison,
    /// What it is compared with.
    pub limit: Limit,
    /// What holds if the query gives no value.
    pub missing: Missing,
}

/// How a value is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Comparison {
    Above,
    AtLeast,
    Below,
    AtMost,
}

/// A number with `Eq`: it is its bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Limit(u64);

/// What is reported from outside.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ExternalCheck {
    /// The zone's apex and the check's name, `example.com/deploy`: what reports are addressed to.
    pub name: Box<str>,
    /// Time after which a report says nothing any more.
    pub stale_after: Duration,
    /// What holds without a report that is fresh.
    pub missing: Missing,
}

/// What holds where there are no data (Route 53 rule 74).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Missing {
    Up,
    Down,
    /// What was known last; up if nothing was.
    #[default]
    Last,
}

/// Other checks, and how many of them must hold (Route 53 rules 71 to 73).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CalculatedCheck {
    /// Never a calculated one among them (rule 72).
    pub children: Box<[Child]>,
    pub quorum: Quorum,
}

/// A check that another is calculated from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Child {
    pub check: Arc<CheckSpec>,
    /// What it probes if that is not the endpoint.
    pub address: Option<ProbeAddress>,
}

/// How many must be up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Quorum {
    /// So many: all for AND, one for OR (rule 71).
    AtLeast(u16),
    /// More than so many in a hundred of those that report at all (rules 66 and 67; Route 53 has 18).
    MoreThan(u8),
}

/// What a body must have in it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Pattern {
    /// These octets, as they are.
    Text(Box<[u8]>),
    /// Something that a regular expression fits.
    Regex(BodyRegex),
}

/// A regular expression over octets; equal if its text is.
#[derive(Clone, Debug)]
pub struct BodyRegex(Regex);

/// Why there is no pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PatternError {
    /// Nothing to look for is everywhere.
    Empty,
    /// More octets than [`CHECK_BODY_TEXT_OCTETS`].
    TooLong(usize),
    /// What the library says of the expression.
    Regex(Box<str>),
}

impl Pattern {
    /// A text to be found as it stands (Route 53 rule 61: at most 255 octets).
    ///
    /// # Errors
    /// It is empty or too long.
    pub fn parse_text(text: &str) -> Result<Self, PatternError> {
        Ok(Self::Text(expect_length(text)?.as_bytes().into()))
    }

    /// A regular expression in the syntax of the `regex` crate, which has no look-around and runs in linear time.
    ///
    /// # Errors
    /// It is empty, too long, compiles to more than [`REGEX_OCTETS`], or is none.
    pub fn parse_regex(text: &str) -> Result<Self, PatternError> {
        let built = RegexBuilder::new(expect_length(text)?).size_limit(REGEX_OCTETS).build();
        let regex = built.map_err(|error| PatternError::Regex(error.to_string().into()))?;
        Ok(Self::Regex(BodyRegex(regex)))
    }

    /// Whether it is in there.
    pub fn is_in(&self, octets: &[u8]) -> bool {
        match self {
            Self::Text(text) => octets.windows(text.len().max(1)).any(|window| *window == **text),
            Self::Regex(BodyRegex(regex)) => regex.is_match(octets),
        }
    }
}

fn expect_length(text: &str) -> Result<&str, PatternError> {
    match text.len() {
        0 => Err(PatternError::Empty),
        octets if octets > CHECK_BODY_TEXT_OCTETS => Err(PatternError::TooLong(octets)),
        _ => Ok(text),
    }
}

impl BodyRegex {
    /// As it was typed.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl PartialEq for BodyRegex {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl Eq for BodyRegex {}

impl Hash for BodyRegex {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.as_str().hash(state);
    }
}

impl Limit {
    /// The number as it is compared.
    pub fn as_f64(self) -> f64 {
        f64::from_bits(self.0)
    }
}

impl TryFrom<f64> for Limit {
    type Error = NotANumber;

    fn try_from(number: f64) -> Result<Self, NotANumber> {
        if number.is_nan() { Err(NotANumber) } else { Ok(Self(number.to_bits())) }
    }
}

/// A limit that nothing is above or below.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotANumber;

impl PrometheusCheck {
    /// Whether a value is on the right side of the limit. What is no number never is.
    pub fn passes(&self, value: f64) -> bool {
        let limit = self.limit.as_f64();
        match self.comparison {
            Comparison::Above => value > limit,
            Comparison::AtLeast => value >= limit,
            Comparison::Below => value < limit,
            Comparison::AtMost => value <= limit,
        }
    }
}

impl Comparison {
    /// As it is written in PromQL.
    pub fn as_sign(self) -> &'static str {
        match self {
            Self::Above => ">",
            Self::AtLeast => ">=",
            Self::Below => "<",
            Self::AtMost => "<=",
        }
    }
}

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

impl HttpCheck {
    /// A GET of a path, without TLS, that takes what Route 53 takes (rule 60).
    pub fn new(path: &str) -> Self {
        Self {
            tls: None,
            method: "GET".into(),
            path: path.into(),
            host: None,
            headers: Box::default(),
            expect: StatusSet::default(),
            body: None,
            is_http2: false,
            redirects: 0,
        }
    }

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

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("nothing to look for; leave the key out"),
            Self::TooLong(octets) => {
                write!(f, "it has {octets} octets, {CHECK_BODY_TEXT_OCTETS} is the most")
            }
            Self::Regex(problem) => f.write_str(problem),
        }
    }
}

impl std::error::Error for PatternError {}

impl fmt::Display for NotANumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a number")
    }
}

impl std::error::Error for NotANumber {}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

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
    fn rule_61_a_text_is_found_as_it_stands() {
        let pattern = Pattern::parse_text("OK").unwrap();
        assert!(pattern.is_in(b"all OK here") && pattern.is_in(b"OK"));
        assert!(!pattern.is_in(b"ok") && !pattern.is_in(b"O") && !pattern.is_in(b""));
        assert!(Pattern::parse_text(&"x".repeat(255)).is_ok());
        assert_eq!(Pattern::parse_text(&"x".repeat(256)), Err(PatternError::TooLong(256)));
        assert_eq!(Pattern::parse_text(""), Err(PatternError::Empty));
    }

    #[test]
    fn an_expression_is_bounded_and_equal_by_its_text() {
        let parse = |text| Pattern::parse_regex(text);
        assert!(parse("\"status\": *\"(up|ok)\"").unwrap().is_in(b"{\"status\":  \"ok\"}"));
        assert_eq!(parse("a+"), parse("a+"));
        assert_ne!(parse("a+"), parse("a*a"));
        for text in ["(", "a{1000}{1000}", "(?=a)"] {
            assert!(matches!(parse(text), Err(PatternError::Regex(_))), "{text}");
        }
    }

    #[test]
    fn a_value_that_is_no_number_is_never_on_the_right_side() {
        let check = |comparison| PrometheusCheck {
            tls: None,
            host: None,
            prefix: "".into(),
            headers: Box::default(),
            query: "up".into(),
            comparison,
            limit: Limit::try_from(1.0).unwrap(),
            missing: Missing::Last,
        };
        for (comparison, passing) in [
            (Comparison::Above, [false, false, true]),
            (Comparison::AtLeast, [false, true, true]),
            (Comparison::Below, [true, false, false]),
            (Comparison::AtMost, [true, true, false]),
        ] {
            assert_eq!([0.5, 1.0, 1.5].map(|value| check(comparison).passes(value)), passing);
            assert!(!check(comparison).passes(f64::NAN));
        }
        assert!(Limit::try_from(f64::NAN).is_err());
    }
}
