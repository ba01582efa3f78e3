//! Where a client is: from a country database to the class and the scope that an answer needs.
//!
//! A geolocation policy asks two things of an address: which of *its* places the client is in, and for how large a
//! prefix that is true (the EDNS Client Subnet scope). Both are compiled before the first query:
//!
//! ```text
//! .mmdb bytes ─ tree.rs ─▶ leaves ─ database.rs ─▶ Database: every prefix → LocationId → Location (country)
//!                              special.rs ┘                         │ class_of[location], one per partition
//!                                                   prefix_map.rs ─▶ PrefixMap: address → (class, scope)
//! ```
//!
//! | question | ask | cost |
//! |---|---|---|
//! | which answer set, and which scope? (each query) | [`PrefixMap::lookup`] | tens of nanoseconds, no allocation |
//! | where is this address, and who says so? (`explain`, tests) | [`Database::locate`] | a search over all prefixes |
//! | is this code a country? what continent? (zone files) | [`CountryCode::parse`], [`CountryCode::continent`] | a search over 250 rows |
//!
//! Neighbours: `config` compiles places into classes, `policy` uses classes, `app` reads the file. This module knows
//! nothing of DNS, files, sockets or clocks.
//!
//! Invariants, each with a test:
//! - Both families are covered without gaps: every address has a location (perhaps [`LocationId::UNKNOWN`]) and a class.
//! - The scope is exact: all addresses in it have the class, and no shorter prefix is true (rule B9).
//! - Special-purpose address space is never located; continents are Amazon's (rule 31), never the database's.
//! - No bytes make [`Database::read`] panic, or take more than bounded time and memory.
#![deny(
    unsafe_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::arithmetic_side_effects
)]

mod continent;
mod country;
mod country_table;
mod database;
mod error;
mod prefix;
mod prefix_map;
mod special;
mod tree;

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::arithmetic_side_effects,
    reason = "a test may panic"
)]
mod tests;

pub use continent::Continent;
pub use country::CountryCode;
pub use database::{Database, Located, Location, LocationId};
pub use error::DatabaseError;
pub use prefix_map::{PrefixMap, PrefixMatch};
