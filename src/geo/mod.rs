//! Where a client is: from databases to the class and the scope that an answer needs.
//!
//! A policy asks two things of an address: which of *its* places the client is in, and for how large a prefix that is true
//! (the EDNS Client Subnet scope). Both are compiled before the first query:
//!
//! ```text
//! .mmdb ─ tree.rs, file.rs ─▶ Database: every prefix → LocationId → Location ─┐
//! .mmdb ─ tree.rs, file.rs ─▶ AsnDatabase: every prefix → Asn                 │ overlay.rs
//! settings, zone files ─────▶ Overrides, networks, LatencyTable               ┴─▶ Atlas: every prefix → Position
//!                                           class_of[position], one for each zone │ merged.rs
//!                                                                                 ▼
//!                                   class_of[coarse class], one for each policy Merged
//!                                                                                 │ prefix_map.rs
//!                                                                                 ▼
//!                                                            PrefixMap: address → (class, scope)
//! ```
//!
//! | question | ask | cost |
//! |---|---|---|
//! | which answer set, and which scope? (each query) | [`PrefixMap::lookup`] | tens of nanoseconds, no allocation |
//! | which position has a client of whom a few bits are known? | [`Atlas::position_of`] | a search over all prefixes |
//! | where is this address, and who says so? (`explain`, tests) | [`Atlas::locate`] | a few such searches |
//! | how many addresses are treated alike? (`simulate`, `diff`) | [`AddressRange::walk`] | a look-up per stretch |
//! | is this code a country? what continent? (zone files) | [`CountryCode::parse`], [`CountryCode::continent`] | a search over 250 rows |
//! | is this code a subdivision? (zone files, databases) | [`Subdivision::parse`], [`Subdivision::parse_parts`] | a search over 5,000 lines |
//! | where is it, and how far from there? (zone files) | [`Coordinates`], [`AwsRegion::parse`] | a search, and some sines |
//! | which countries are the EU, or Western Europe? (zone files) | [`built_in_group`] | a sorted list |
//!
//! Neighbours: `config` compiles places into classes, `policy` uses classes, `app` reads the file. This module knows
//! nothing of DNS, files, sockets or clocks.
//!
//! Invariants, each with a test:
//! - Both families are covered without gaps: every address has a position (perhaps [`PositionId::UNKNOWN`]) and a class.
//! - The scope is exact: all addresses in it have the class, and no shorter prefix is true (rule B9).
//! - No database locates special-purpose address space, only an override does; continents are Amazon's (rule 31), never the database's.
//! - No octets make [`Database::read`] or [`AsnDatabase::read`] panic, or take more than bounded time and memory.
#![deny(
    unsafe_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::arithmetic_side_effects
)]

mod asn;
mod asn_database;
mod atlas;
mod continent;
mod coordinates;
mod country;
mod country_table;
mod database;
mod error;
mod file;
mod group;
mod latency_table;
mod leaves;
mod lines;
mod location;
mod merged;
mod nesting;
mod overlay;
mod overrides;
mod prefix;
mod prefix_map;
mod region;
mod shape;
mod special;
mod stretch;
mod subdivision;
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

pub use asn::Asn;
pub use asn_database::AsnDatabase;
pub use atlas::{
    Atlas, AtlasParts, Located, LocationSource, Network, NetworkId, Position, PositionId, RowSetId,
};
pub use continent::Continent;
pub use coordinates::Coordinates;
pub use country::CountryCode;
pub use database::{Database, DatabaseMatch, LocationId};
pub use error::DatabaseError;
pub use group::{built_in_group, built_in_group_names};
pub use latency_table::{LatencyRow, LatencyTable, RegionId, TableError};
pub use location::Location;
pub use merged::Merged;
pub use overlay::AtlasError;
pub use overrides::{Override, Overrides, OverridesError};
pub use prefix_map::{PrefixMap, PrefixMatch};
pub use region::AwsRegion;
pub use stretch::{AddressRange, public_ipv4, public_ipv6};
pub use subdivision::Subdivision;
