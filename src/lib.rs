//! meridian: an authoritative DNS server that answers by where the client is, how healthy the endpoints are, and what shares
//! of traffic they should get.
//!
//! This page is the architecture: what the parts are, what each may know, and what holds everywhere. The manual for people
//! who run the server is the README.
//!
//! # Three flows, two meeting points
//!
//! ```text
//! packet ─▶ serve ─▶ query ─▶ zone lookup ─▶ policy selection ─▶ response bytes ─▶ serve ─▶ packet
//! zones/*.toml, zones/*.zone, geodb ─▶ store ─▶ config ─▶ snapshot ─▶ publish Snapshot
//! prober ─▶ health state machines ─▶ View
//! ```
//!
//! They meet in two things that queries only read: an immutable [`snapshot::Snapshot`] (zones, policies, prefix maps), swapped
//! whole, and a [`health::View`] (one byte per probe target), written by the prober alone. A query blocks on nothing, locks
//! nothing, logs nothing and probes nothing. It walks the policy tree against the view of the moment; a change of health
//! rebuilds nothing.
//!
//! # Modules
//!
//! In this order; each may use only those above it, which `tests/tidy.rs` enforces.
//!
//! | module | owns |
//! |---|---|
//! | [`limits`] | every bound, with its reason |
//! | [`wire`] | names, query parsing, response writing, EDNS, client subnet. Bytes are untrusted only here |
//! | [`zone`] | RRsets, the table of names, lookup by RFC 1034 §4.3.2 and RFC 4592, presentation format and master files |
//! | [`geo`] | MMDB → locations → prefix maps with exact scope; continents, countries, subdivisions and where they are |
//! | [`picture`] | a map of the world as SVG: which pool serves which country |
//! | [`health`] | what is probed, one target's state machine, the view |
//! | [`policy`] | the tree of policies and pools, selection, the trace that `explain` prints |
//! | [`config`] | what was typed, with its place in the file → what it means, which cannot be wrong |
//! | [`import`] | zones of other servers → zone files as text |
//! | [`snapshot`] | one generation: compiled, numbered, published |
//! | [`query`] | octets + client + snapshot + view → octets or silence, and an outcome to count |
//! | [`outlook`] | many clients at once: which share of them gets which answer, and what a change moves |
//! | [`sys`] | the only `unsafe`: recvmmsg, sendmmsg, socket options |
//! | [`serve`] | UDP workers, TCP, the hickory-server back end |
//! | [`probe`] | the checks and their schedule |
//! | [`notify`] | webhooks: who is told what happens to health |
//! | [`store`] | where zone files and settings come from |
//! | [`admin`] | HTTP: metrics, health, readiness, explanations |
//! | [`app`] | start, reload, stop |
//! | [`cli`] | the command line |
//!
//! Everything down to [`outlook`] is pure: no sockets, no files, no clock, and randomness only as a seed. So tests, `explain` and
//! the sockets run the same code.
//!
//! # What a query costs
//!
//! One parse with every length checked; one hash of the name in lower case; two cache misses, for a slot and for the node
//! that it names; one copy of a pre-encoded RRset. A routed name adds one look-up in a prefix map and a walk down its policy,
//! a few loads each. Over UDP there is no allocation, no lock, and no system call but `recvmmsg` and `sendmmsg`, which take a batch.
//! `benches/` measures it, with and without sockets.
//!
//! # Where a client is
//!
//! The geo database is read once into a sorted list of networks. For each policy tree [`policy::partition`] finds which
//! locations it tells apart; networks are merged as far as the tree treats them alike, into a [`geo::PrefixMap`]. One look-up
//! gives the client's class and the longest prefix in which everybody gets the same answer set: the scope of RFC 7871. It
//! is worked out over all states of health, so that it never moves when health does.
//!
//! # Trust
//!
//! Octets from the network are checked in [`wire`] and nowhere else. Every bound is in [`limits`]. Modules down to [`outlook`]
//! deny panics, indexing and unchecked arithmetic by lint; `unsafe` is denied outside [`sys`].

#![deny(unsafe_code)]

pub mod admin;
pub mod app;
pub mod cli;
pub mod config;
pub mod geo;
pub mod health;
pub mod import;
pub mod limits;
pub mod notify;
pub mod outlook;
pub mod picture;
pub mod policy;
pub mod probe;
pub mod query;
pub mod serve;
pub mod snapshot;
pub mod store;
#[allow(unsafe_code, reason = "the one module that makes system calls no library wraps")]
pub mod sys;
pub mod wire;
pub mod zone;
