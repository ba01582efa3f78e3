//! What the black-box tests share: a server as a child process, the endpoints it probes, and clients that ask it.
//!
//! | to | take |
//! |---|---|
//! | run the server on zones of the test | [`server::Server`] |
//! | serve names of every kind, records of every type | [`example::serve`], [`example::serve_types`] |
//! | run the shipped zone of the fingerprint service | [`fingerprint::Deployment`] |
//! | run another shipped zone | [`deployment::Deployment`] |
//! | play an endpoint that can be stopped, slowed down, broken | [`responder::Responder`] |
//! | play one that breaks in every way that is seen on the wire, with TLS or without | [`breakable::Breakable`] |
//! | play one that is a process, to be killed | [`process::Endpoint`] |
//! | lose connections on the way to it | [`relay::Relay`] |
//! | break routes and cables | [`network::alone`], [`network::Far`] |
//! | answer the prober's look-ups of names | [`resolver::Resolver`] |
//! | leave the server little of the processor | [`starve::Starved`] |
//! | send octets and look at the octets that come back | [`wire::Ask`], [`wire::Reply`], [`wire::UdpClient`] |
//! | play a receiver of webhooks | [`receiver::Receiver`] |
//! | send datagrams from addresses that are not ours | [`raw::send`] |
//! | compare with BIND, Knot DNS and NSD | [`differential`] |
//! | ask like a user | [`tools::dig`], [`tools::nslookup`], [`tools::kdig`], [`tools::drill`], [`tools::delv`] |
//! | know which back end a test runs on, and where it may differ | [`back_end`] |
//! | read `/metrics` | [`http::get`], [`http::Metrics`] |
//!
//! Everything stays on loopback addresses. Every wait has an end, and says what it waited for.

#![allow(dead_code, reason = "each test file is a crate of its own, and uses a part of this")]

pub mod back_end;
pub mod breakable;
pub mod certificates;
pub mod decoders;
pub mod deployment;
pub mod differential;
pub mod example;
pub mod fingerprint;
pub mod http;
pub mod network;
pub mod process;
pub mod random;
pub mod raw;
pub mod receiver;
pub mod relay;
pub mod resolver;
pub mod responder;
pub mod server;
pub mod starve;
pub mod tools;
pub mod wire;

use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How long anything may take that is not measured: longer than a loaded machine needs, shorter than patience.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// The repository.
pub fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Waits until `is_true`, and gives the time it took.
pub fn wait_until(what: &str, patience: Duration, mut is_true: impl FnMut() -> bool) -> Duration {
    let start = Instant::now();
    loop {
        if is_true() {
            return start.elapsed();
        }
        assert!(start.elapsed() < patience, "waited {patience:?} in vain until {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
