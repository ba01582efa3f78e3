//! Whether an error is the endpoint's or our own.
//!
//! The same errno can mean either. `ENETUNREACH` from connect(2) itself is our routing table; the same number some time
//! later is an ICMP message from a router on the way. So every error comes with when it was raised:
//!
//! | errno | raised by the call itself | raised afterwards |
//! |---|---|---|
//! | `ENETUNREACH`, `EHOSTUNREACH`, `EINVAL` (blackhole route) | ours: no route | theirs: unreachable |
//! | `EACCES`, `EPERM` (prohibit route, firewall, seccomp, landlock) | ours: forbidden | theirs: unreachable (ICMPv6 prohibited) |
//! | `EMFILE`, `ENFILE`, `ENOBUFS`, `ENOMEM`, `EADDRNOTAVAIL`, `EAFNOSUPPORT`, `ENETDOWN` | ours | ours |
//! | `ECONNREFUSED`, `ECONNRESET`, `ETIMEDOUT`, all others | theirs | theirs |
//!
//! `EHOSTUNREACH` afterwards is also what the kernel says when the next hop does not answer ARP or neighbour discovery. On
//! our own segment the next hop is the endpoint, and a dead endpoint is what probes are for: it counts as a failure. If the
//! next hop is our gateway that is wrong, and it is wrong for all endpoints at once, which is the guard's case.
//!
//! Sockets for datagrams obey the same table: a port that nobody listens on is told afterwards, as `ECONNREFUSED`. What no errno
//! stands behind says itself whose it is: an address that is [denied](super::egress), a file that can't be read, and a query
//! that gives no value are ours; all that an endpoint answers is its own.

use std::error::Error;
use std::io;

use tokio_rustls::rustls;

use super::stream::Intake;
use crate::health::{FailureReason, NothingReason, Observation};
use crate::limits::PROBE_DETAIL_CHARACTERS;

/// Why a probe did not succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Miss {
    /// The endpoint's side.
    Failure(FailureReason),
    /// Our own side.
    Nothing(NothingReason),
}

/// When an error was raised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Raised {
    /// By the system call, before a packet could come back.
    AtOnce,
    /// By something that came back, or did not.
    Afterwards,
}

/// More came in than [`PROBE_REPLY_OCTETS`](crate::limits::PROBE_REPLY_OCTETS).
#[derive(Debug)]
pub(super) struct TooLong;

impl From<Miss> for Observation {
    fn from(miss: Miss) -> Self {
        match miss {
            Miss::Failure(reason) => Self::Failure(reason),
            Miss::Nothing(reason) => Self::Nothing(reason),
        }
    }
}

impl std::fmt::Display for TooLong {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the reply is too long")
    }
}

impl Error for TooLong {}

/// Judges an error of a socket, or of TLS or the reply's bound above it.
pub(super) fn judge_io(error: &io::Error, raised: Raised) -> Miss {
    if let Some(reason) = error.raw_os_error().and_then(|errno| own_side(errno, raised)) {
        return Miss::Nothing(reason);
    }
    Miss::Failure(judge_peer(error))
}

/// Judges an error of hyper: of the connection below it, or of the reply. HTTP/2 hides what it has of the connection, so the
/// connection itself is asked how it ended.
pub(super) fn judge_http(error: &hyper::Error, intake: &Intake) -> Miss {
    let below = error.source().and_then(<dyn Error>::downcast_ref::<io::Error>);
    // A broken pipe without an errno is HTTP/2's own word for every end of a connection.
    let is_told = |below: &&io::Error| {
        below.raw_os_error().is_some() || below.kind() != io::ErrorKind::BrokenPipe
    };
    if let Some(below) = below.filter(is_told) {
        return judge_io(below, Raised::Afterwards);
    }
    if error.is_incomplete_message() || error.is_canceled() {
        return intake.miss().unwrap_or(Miss::Failure(FailureReason::Closed));
    }
    let text = error.source().map_or_else(|| error.to_string(), ToString::to_string);
    let malformed = Miss::Failure(FailureReason::MalformedReply(detail(&text)));
    if error.is_parse() { malformed } else { intake.miss().unwrap_or(malformed) }
}

/// Judges a reply that is longer than a probe reads.
pub(super) fn judge_too_long(error: &TooLong) -> Miss {
    Miss::Failure(FailureReason::MalformedReply(detail(&error.to_string())))
}

/// What is wrong with a certificate, without the words that introduce it.
pub(super) fn certificate_detail(error: &rustls::Error) -> Box<str> {
    match error {
        rustls::Error::InvalidCertificate(inner) => detail(&inner.to_string()),
        other => detail(&other.to_string()),
    }
}

/// The rows of the table that are ours.
fn own_side(errno: i32, raised: Raised) -> Option<NothingReason> {
    match errno {
        libc::EMFILE | libc::ENFILE => Some(NothingReason::NoDescriptor),
        libc::ENOBUFS | libc::ENOMEM => Some(NothingReason::NoMemory),
        libc::EADDRNOTAVAIL => Some(NothingReason::NoLocalAddress),
        libc::EAFNOSUPPORT | libc::ENETDOWN => Some(NothingReason::NoRoute),
        _ if raised == Raised::Afterwards => None,
        libc::ENETUNREACH | libc::EHOSTUNREACH | libc::EINVAL => Some(NothingReason::NoRoute),
        libc::EACCES | libc::EPERM => Some(NothingReason::Forbidden),
        _ => None,
    }
}

/// The rows that are the endpoint's.
fn judge_peer(error: &io::Error) -> FailureReason {
    if let Some(reason) = error.get_ref().and_then(judge_inner) {
        return reason;
    }
    match error.raw_os_error() {
        Some(libc::ENETUNREACH | libc::EHOSTUNREACH | libc::EACCES | libc::EPERM) => {
            return FailureReason::Unreachable;
        }
        Some(libc::ECONNABORTED | libc::EPIPE) => return FailureReason::Reset,
        _ => {}
    }
    match error.kind() {
        io::ErrorKind::ConnectionRefused => FailureReason::Refused,
        io::ErrorKind::ConnectionReset => FailureReason::Reset,
        io::ErrorKind::TimedOut => FailureReason::Timeout,
        io::ErrorKind::UnexpectedEof => FailureReason::Closed,
        _ => FailureReason::Other(detail(&error.to_string())),
    }
}

/// What rustls or [`TooLong`] wrapped into an I/O error.
fn judge_inner(inner: &(dyn Error + Send + Sync + 'static)) -> Option<FailureReason> {
    if let Some(TooLong) = inner.downcast_ref() {
        return Some(FailureReason::MalformedReply(detail(&TooLong.to_string())));
    }
    let error: &rustls::Error = inner.downcast_ref()?;
    Some(FailureReason::Tls(detail(&error.to_string())))
}

/// A library's text, short and on one line: some of it can be chosen by the peer.
pub(super) fn detail(text: &str) -> Box<str> {
    text.chars().filter(|c| !c.is_control()).take(PROBE_DETAIL_CHARACTERS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(errno: i32, raised: Raised) -> Miss {
        judge_io(&io::Error::from_raw_os_error(errno), raised)
    }

    #[test]
    fn a_missing_route_is_ours_only_if_our_kernel_says_so() {
        for errno in [libc::ENETUNREACH, libc::EHOSTUNREACH] {
            assert_eq!(judge(errno, Raised::AtOnce), Miss::Nothing(NothingReason::NoRoute));
            assert_eq!(judge(errno, Raised::Afterwards), Miss::Failure(FailureReason::Unreachable));
        }
        assert_eq!(judge(libc::EINVAL, Raised::AtOnce), Miss::Nothing(NothingReason::NoRoute));
    }

    #[test]
    fn a_prohibition_is_ours_only_if_our_kernel_says_so() {
        for errno in [libc::EACCES, libc::EPERM] {
            assert_eq!(judge(errno, Raised::AtOnce), Miss::Nothing(NothingReason::Forbidden));
            assert_eq!(judge(errno, Raised::Afterwards), Miss::Failure(FailureReason::Unreachable));
        }
    }

    #[test]
    fn what_we_run_out_of_is_always_ours() {
        for raised in [Raised::AtOnce, Raised::Afterwards] {
            for (errno, reason) in [
                (libc::EMFILE, NothingReason::NoDescriptor),
                (libc::ENFILE, NothingReason::NoDescriptor),
                (libc::ENOBUFS, NothingReason::NoMemory),
                (libc::ENOMEM, NothingReason::NoMemory),
                (libc::EADDRNOTAVAIL, NothingReason::NoLocalAddress),
                (libc::ENETDOWN, NothingReason::NoRoute),
                (libc::EAFNOSUPPORT, NothingReason::NoRoute),
            ] {
                assert_eq!(judge(errno, raised), Miss::Nothing(reason));
            }
        }
    }

    #[test]
    fn what_the_peer_does_is_a_failure_whenever_it_comes() {
        for raised in [Raised::AtOnce, Raised::Afterwards] {
            for (errno, reason) in [
                (libc::ECONNREFUSED, FailureReason::Refused),
                (libc::ECONNRESET, FailureReason::Reset),
                (libc::EPIPE, FailureReason::Reset),
                (libc::ETIMEDOUT, FailureReason::Timeout),
            ] {
                assert_eq!(judge(errno, raised), Miss::Failure(reason));
            }
        }
    }

    #[test]
    fn a_librarys_text_is_short_and_on_one_line() {
        assert_eq!(&*detail("a\r\nb\x1b[31m"), "ab[31m");
        assert_eq!(detail(&"é".repeat(1000)).chars().count(), PROBE_DETAIL_CHARACTERS);
    }
}
