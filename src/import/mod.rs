//! Zones from elsewhere as zone files in TOML: Route 53's listings, octoDNS's YAML, gdnsd's configuration.
//!
//! ```text
//! JSON ─ route53 ─┐
//! YAML ─ octodns ─┼─▶ Draft: owners with records and trees ─ write ─▶ TOML text, notes
//! vscf ─ gdnsd ───┘        (tree: pools and policies)
//! ```
//!
//! Each reader makes the same thing, a `Draft`, whose names lead to trees of pools and policies. `tree` knows when the
//! trees of A and AAAA are one; `write` gives the entries their names and prints them. Master files are read by
//! `config`, which serves them as well.
//!
//! Nothing is left out in silence: what a zone file can't say becomes a [`Note`], which is printed where it belongs in the
//! file, too. What is printed is meant to answer as the original did; whoever calls compiles it, as the author will.
//!
//! Pure: texts in, a text out. The same input always gives the same output.

#![deny(
    unsafe_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::arithmetic_side_effects
)]

mod draft;
mod gdnsd;
mod octodns;
mod route53;
mod text;
mod tree;
mod write;

use std::fmt;

pub use gdnsd::{Gdnsd, import_gdnsd};
pub use octodns::import_octodns;
pub use route53::{Route53, import_route53};

/// A zone file, and what it could not take over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// The zone file in TOML.
    pub text: String,
    /// In the order of the zone's names, what concerns the whole zone first.
    pub notes: Vec<Note>,
}

/// How much of the original's answers is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth knowing: nearest equivalent, or a place that wants a look.
    Warning,
    /// Something that was answered before is not answered now.
    Error,
}

/// Something that was not carried over as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    pub severity: Severity,
    /// What it is about: a name with its type, a check, a map.
    pub subject: String,
    /// What was done, and why.
    pub reason: String,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.subject, self.reason)
    }
}

/// Why there is no zone file at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportError {
    message: String,
}

impl ImportError {
    fn new(message: impl Into<String>) -> Self {
        Self { message: message.into() }
    }
}

impl fmt::Display for ImportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ImportError {}
