//! A target given by name: its A records, looked up anew for every probe (Route 53 rule 64).
//!
//! The system's resolver is asked through getaddrinfo(3), which blocks a thread and cannot be cancelled. A probe stops
//! waiting after its timeout; the look-up goes on in a task of its own and keeps its permit until the thread is free, so a
//! resolver that hangs costs at most [`PROBE_LOOKUPS`](crate::limits::PROBE_LOOKUPS) threads.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::lookup_host;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::blame::Miss;
use crate::health::{FailureReason, NothingReason};
use crate::limits::PROBE_ADDRESSES;

/// How the C libraries say that the name was looked up and is not there (`EAI_NONAME`, `EAI_NODATA`). The standard library
/// keeps only the text; it is not translated, since nothing here calls setlocale(3). What is not in the list, a temporary
/// failure above all, says nothing about the endpoint.
const NO_SUCH_NAME: [&str; 5] = [
    "Name or service not known",                    // glibc, EAI_NONAME
    "No address associated with hostname",          // glibc, EAI_NODATA
    "Name does not resolve",                        // musl, EAI_NONAME
    "Name has no usable address",                   // musl, EAI_NODATA
    "nodename nor servname provided, or not known", // BSD and macOS, EAI_NONAME
];

/// The IPv4 addresses of a name, at least one and at most [`PROBE_ADDRESSES`], waiting at most `limit`.
pub(super) async fn lookup(
    name: &str,
    limit: Duration,
    lookups: &Arc<Semaphore>,
) -> Result<Vec<IpAddr>, Miss> {
    let asking = ask(name.to_owned(), Arc::clone(lookups));
    match timeout(limit, asking).await {
        Ok(Ok(addresses)) => only_ipv4(addresses),
        Ok(Err(error)) => Err(judge(&error)),
        Err(_) => Err(Miss::Nothing(NothingReason::Resolver)),
    }
}

async fn ask(name: String, lookups: Arc<Semaphore>) -> io::Result<Vec<IpAddr>> {
    let permit = lookups.acquire_owned().await.map_err(io::Error::other)?;
    let asking = tokio::spawn(async move {
        let _permit = permit;
        let addresses = lookup_host((name, 0)).await?;
        Ok(addresses.map(|address| address.ip()).collect())
    });
    asking.await.map_err(io::Error::other)?
}

/// Each address once, sorted: the resolver may turn them around, and it must not matter which of too many are left out.
fn only_ipv4(mut addresses: Vec<IpAddr>) -> Result<Vec<IpAddr>, Miss> {
    addresses.retain(IpAddr::is_ipv4);
    addresses.sort_unstable();
    addresses.dedup();
    addresses.truncate(PROBE_ADDRESSES);
    if addresses.is_empty() { Err(Miss::Failure(FailureReason::NoAddress)) } else { Ok(addresses) }
}

fn judge(error: &io::Error) -> Miss {
    let text = error.to_string();
    if NO_SUCH_NAME.iter().any(|known| text.contains(known)) {
        Miss::Failure(FailureReason::NoAddress)
    } else {
        Miss::Nothing(NothingReason::Resolver)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_64_a_name_that_does_not_exist_is_a_failure() {
        for text in NO_SUCH_NAME {
            let error = io::Error::other(format!("failed to lookup address information: {text}"));
            assert_eq!(judge(&error), Miss::Failure(FailureReason::NoAddress));
        }
    }

    #[test]
    fn a_resolver_that_does_not_answer_is_ours() {
        for text in ["Temporary failure in name resolution", "Try again", "System error", "?"] {
            let error = io::Error::other(format!("failed to lookup address information: {text}"));
            assert_eq!(judge(&error), Miss::Nothing(NothingReason::Resolver));
        }
    }

    #[test]
    fn rule_64_only_ipv4_is_taken() {
        let parse = |texts: &[&str]| texts.iter().flat_map(|text| text.parse()).collect::<Vec<_>>();
        assert_eq!(
            only_ipv4(parse(&["2001:db8::1", "192.0.2.2", "192.0.2.1", "192.0.2.2"])),
            Ok(parse(&["192.0.2.1", "192.0.2.2"]))
        );
        let many = (0..=255).map(|last| IpAddr::from([192, 0, 2, last])).collect();
        assert_eq!(only_ipv4(many).unwrap().len(), PROBE_ADDRESSES);
        for none in [&["2001:db8::1"][..], &[]] {
            assert_eq!(only_ipv4(parse(none)), Err(Miss::Failure(FailureReason::NoAddress)));
        }
    }

    #[tokio::test]
    async fn rule_64_a_name_with_ipv6_alone_has_no_address() {
        // A literal is answered without asking anybody.
        let lookups = Arc::new(Semaphore::new(1));
        let result = lookup("::1", Duration::from_secs(5), &lookups).await;
        assert_eq!(result, Err(Miss::Failure(FailureReason::NoAddress)));
        let result = lookup("127.0.0.1", Duration::from_secs(5), &lookups).await;
        assert_eq!(result, Ok(vec![IpAddr::from([127, 0, 0, 1])]));
    }

    #[tokio::test]
    async fn look_ups_that_hang_do_not_pile_up() {
        let lookups = Arc::new(Semaphore::new(0));
        let result = lookup("127.0.0.1", Duration::from_millis(50), &lookups).await;
        assert_eq!(result, Err(Miss::Nothing(NothingReason::Resolver)));
    }
}
