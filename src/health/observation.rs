//! The result of one probe: success, failure, or nothing learnt about the endpoint.
//!
//! The third is what keeps our own trouble from being held against others (RELIABILITY §5.1). Which errno belongs where
//! is `probe`'s knowledge; here are the words, for logs, metrics and status pages.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

/// What one probe learnt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Observation {
    /// The endpoint answered as expected.
    Success {
        /// From the first packet to the verdict: connection, TLS and status line. A name's resolution is not in it.
        latency: Duration,
    },
    /// The endpoint did not answer as expected, and it is its own fault or that of the way to it.
    Failure(FailureReason),
    /// An error of our own side: no observation. It changes nothing and resets nothing.
    Nothing(NothingReason),
}

/// What was wrong with an endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FailureReason {
    /// Nobody listens on the port.
    Refused,
    /// The connection was torn down.
    Reset,
    /// The connection ended before a whole reply.
    Closed,
    /// No verdict within the check's timeout.
    Timeout,
    /// A router, a firewall or the silence of the last hop says that there is no way to the endpoint.
    Unreachable,
    /// A name that does not exist or has no A record (Route 53 rule 64).
    NoAddress,
    /// A status that the check does not expect.
    Status(u16),
    /// The TLS handshake failed; what rustls says about it.
    Tls(Box<str>),
    /// The certificate is not valid, where the check asks for a valid one; what is wrong with it.
    Certificate(Box<str>),
    /// The body does not have in it what the check looks for (Route 53 rule 61).
    Body,
    /// A DNS reply without the records that the check asks for; its response code or what is missing.
    Dns(Box<str>),
    /// A gRPC status, or a service that is not SERVING.
    Grpc(Box<str>),
    /// A value on the wrong side of the limit, or a query that gives none.
    Metric(Box<str>),
    /// Somebody reported it down, and why.
    Reported(Box<str>),
    /// A reply that is no HTTP/1, or larger than Route 53 rule 64 allows; what the parser says about it.
    MalformedReply(Box<str>),
    /// An error that has no case of its own; its text.
    Other(Box<str>),
    /// What was wrong with one address of a name that has several.
    At(IpAddr, Box<FailureReason>),
}

/// What was wrong with ourselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NothingReason {
    /// The kernel has no route to the address, or one that forbids it.
    NoRoute,
    /// No source address or port to connect from.
    NoLocalAddress,
    /// No file descriptor left.
    NoDescriptor,
    /// No memory or buffer left.
    NoMemory,
    /// The operating system does not let us connect.
    Forbidden,
    /// We woke up so late that the time of the probe says nothing about the endpoint.
    Late,
    /// The resolver did not answer, or could not be asked.
    Resolver,
    /// The address is one that probes may not be sent to.
    Blocked,
    /// A file that the check names can't be read.
    NoFile,
    /// A query that gives no value, where what was known last is to hold (Route 53 rule 74).
    NoData,
    /// The check cannot be written as a request.
    BadCheck,
    /// The probe's task panicked; it was restarted.
    Crashed,
}

impl Observation {
    /// The kind of result as a metric's label: one of three.
    pub fn as_label(&self) -> &'static str {
        match self {
            Self::Success { .. } => "success",
            Self::Failure(_) => "failure",
            Self::Nothing(_) => "nothing",
        }
    }
}

impl FailureReason {
    /// The reason as a metric's label: a fixed set, whatever an endpoint answers.
    pub fn as_label(&self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Reset => "reset",
            Self::Closed => "closed",
            Self::Timeout => "timeout",
            Self::Unreachable => "unreachable",
            Self::NoAddress => "no-address",
            Self::Status(_) => "status",
            Self::Tls(_) => "tls",
            Self::Certificate(_) => "certificate",
            Self::Body => "body",
            Self::Dns(_) => "dns",
            Self::Grpc(_) => "grpc",
            Self::Metric(_) => "metric",
            Self::Reported(_) => "reported",
            Self::MalformedReply(_) => "malformed-reply",
            Self::Other(_) => "other",
            Self::At(_, reason) => reason.as_label(),
        }
    }
}

impl NothingReason {
    /// Whether it says something of us as a whole, and not of one check alone: that we can't see.
    pub fn is_general(self) -> bool {
        match self {
            Self::NoRoute
            | Self::NoLocalAddress
            | Self::NoDescriptor
            | Self::NoMemory
            | Self::Forbidden
            | Self::Late
            | Self::Resolver
            | Self::Crashed => true,
            Self::Blocked | Self::NoFile | Self::NoData | Self::BadCheck => false,
        }
    }

    /// The reason as a metric's label.
    pub fn as_label(self) -> &'static str {
        match self {
            Self::NoRoute => "no-route",
            Self::NoLocalAddress => "no-local-address",
            Self::NoDescriptor => "no-descriptor",
            Self::NoMemory => "no-memory",
            Self::Forbidden => "forbidden",
            Self::Late => "late",
            Self::Resolver => "resolver",
            Self::Blocked => "blocked",
            Self::NoFile => "no-file",
            Self::NoData => "no-data",
            Self::BadCheck => "bad-check",
            Self::Crashed => "crashed",
        }
    }
}

impl fmt::Display for FailureReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused => f.write_str("connection refused"),
            Self::Reset => f.write_str("connection reset"),
            Self::Closed => f.write_str("connection closed before a whole reply"),
            Self::Timeout => f.write_str("no answer within the timeout"),
            Self::Unreachable => {
                f.write_str("the network says that the endpoint cannot be reached")
            }
            Self::NoAddress => f.write_str("the name does not exist or has no A record"),
            Self::Status(status) => write!(f, "status {status}"),
            Self::Tls(detail) => write!(f, "TLS: {detail}"),
            Self::Certificate(detail) => write!(f, "certificate: {detail}"),
            Self::Body => f.write_str("the body does not have in it what it must"),
            Self::Dns(detail) => write!(f, "DNS: {detail}"),
            Self::Grpc(detail) => write!(f, "gRPC: {detail}"),
            Self::Metric(detail) => write!(f, "metric: {detail}"),
            Self::Reported(detail) => write!(f, "reported down: {detail}"),
            Self::MalformedReply(detail) => write!(f, "malformed reply: {detail}"),
            Self::Other(detail) => f.write_str(detail),
            Self::At(address, reason) => write!(f, "{address}: {reason}"),
        }
    }
}

impl fmt::Display for NothingReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoRoute => "we have no route to the endpoint",
            Self::NoLocalAddress => "we have no address or port to connect from",
            Self::NoDescriptor => "we have no file descriptor left",
            Self::NoMemory => "we have no memory or buffer left",
            Self::Forbidden => "our operating system forbids the connection",
            Self::Late => "we woke up too late to judge",
            Self::Resolver => "our resolver does not answer",
            Self::Blocked => "probes may not be sent to that address",
            Self::NoFile => "a file that the check names can't be read",
            Self::NoData => "there are no data",
            Self::BadCheck => "the check cannot be written as a request",
            Self::Crashed => "the probe crashed and was restarted",
        })
    }
}

impl fmt::Display for Observation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Success { latency } => write!(f, "answered in {latency:?}"),
            Self::Failure(reason) => reason.fmt(f),
            Self::Nothing(reason) => reason.fmt(f),
        }
    }
}
