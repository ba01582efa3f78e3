//! Records back to a master file.

use std::fmt::Write;

use crate::wire::{Name, RecordType, Ttl};
use crate::zone::presentation::print_rdata;

/// Writes records, each with its owner, TTL, type and RDATA, as a master file that reads back to the same records in the
/// same order. Owners are written relative to `origin`, and `$ORIGIN` first.
pub(super) fn print_master<'r>(
    origin: &Name,
    records: impl IntoIterator<Item = (&'r Name, Ttl, RecordType, &'r [u8])>,
) -> String {
    let mut text = format!("$ORIGIN {origin}\n");
    for (owner, ttl, rtype, rdata) in records {
        let owner = owner.display_within(origin);
        let rdata = print_rdata(rtype, rdata);
        // Writing to a string does not fail.
        let _ = writeln!(text, "{owner}\t{}\tIN\t{rtype}\t{rdata}", ttl.as_seconds());
    }
    text
}
