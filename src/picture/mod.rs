//! Pictures for people: a map of the world that shows which pool serves which country.
//!
//! [`world_map`] draws an SVG document, which a browser shows and a document can include. It is text made from text, so it
//! is here, among the pure modules, and whoever has the shares (from a zone, from counters) writes it where they like.
//!
//! | file | owns |
//! |---|---|
//! | `world.rs` | the document: countries, dots, bars |
//! | `legend.rs` | the bars below the map |
//! | `dots.rs` | the pools' dots, and where their names fit |
//! | `projection.rs` | from coordinates to the canvas |
//! | `palette.rs` | one colour a pool |
//! | `markup.rs` | escaping |
//!
//! Neighbour: `geodb/world-outlines.txt` has the countries' outlines, drawn in advance; `geodb/README.md` says from what.
//!
//! Invariants, each with a test: the document is well-formed XML whatever the names are; it refers to nothing outside and
//! runs nothing; the same input gives the same octets.
#![deny(
    unsafe_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::arithmetic_side_effects
)]

mod dots;
mod legend;
mod markup;
mod palette;
mod projection;
mod world;

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

pub use palette::pool_colour;
pub use world::{PoolLegend, world_map};
