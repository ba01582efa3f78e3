//! What one zone holds, in the form that every source (TOML now, master files) is turned into.

use super::table::RouteId;
use crate::wire::{Name, RecordType, Ttl};

/// All records of one owner and type. They share one TTL (RFC 2181 §5.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RRset {
    pub rtype: RecordType,
    pub ttl: Ttl,
    /// Each in wire format with names uncompressed; never empty, no two alike (RFC 2181 §5).
    pub rdata: Vec<Box<[u8]>>,
}

/// A name, its records, and the route by which other records are chosen for it.
#[derive(Clone, Copy, Debug)]
pub struct Owner<'a> {
    pub name: &'a Name,
    pub rrsets: &'a [RRset],
    pub route: Option<RouteId>,
}
