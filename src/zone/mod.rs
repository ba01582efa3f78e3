//! Zones: their RRsets, the table of all names, and the lookup of RFC 1034 §4.3.2.
//!
//! * [`RRset`] and [`Owner`] are what a source (TOML, master files) is turned into.
//! * [`presentation`] reads RDATA as people write it, and [`master`] the files that hold them.
//! * [`Catalog`] holds every name of every zone in one hash table over one arena, encoded as answers need it, and finds the
//!   node that a question leads to: the name itself, a wildcard, a delegation, or nothing.
//!
//! It knows nothing of policies: a node whose records are chosen per client carries an opaque [`RouteId`].

#![deny(
    unsafe_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::arithmetic_side_effects
)]

mod catalog;
mod data;
pub mod master;
pub mod presentation;
mod table;

pub use catalog::{Catalog, CatalogBuilder, CatalogFull, Found, ServedZone, ZoneId, ZoneState};
pub use data::{Owner, RRset};
pub use table::{Node, RouteId};
