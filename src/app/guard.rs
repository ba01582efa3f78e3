//! The guard: what would give too many clients another answer is not taken over without a word from its owner.
//!
//! Everything counts with all endpoints up and by address space, of IPv4 or of IPv6, whichever moves more. The limit is on the largest change of
//! one name: a mistake in one policy of a thousand names is a mistake.

use std::collections::HashSet;

use crate::config::Share;
use crate::outlook::{Basis, Clients, compare};
use crate::snapshot::Snapshot;

/// Names of one refusal that are written out: a log line that can still be read.
const SHOWN: usize = 10;

/// Whether a generation may follow another.
///
/// # Errors
/// Which names change by how much.
pub(super) fn judge(limit: Share, old: &Snapshot, new: &Snapshot) -> Result<(), String> {
    let most = f64::from(limit.0) / f64::from(Share::WHOLE.0);
    let above = |basis| compare(old, new, &Clients::of_space(basis)).above(most);
    let mut above: Vec<(String, f64)> =
        [Basis::Ipv4, Basis::Ipv6].into_iter().flat_map(above).collect();
    above.sort_by(|one, other| other.1.total_cmp(&one.1));
    let mut seen = HashSet::new();
    above.retain(|(name, _)| seen.insert(name.clone()));
    if above.is_empty() {
        return Ok(());
    }
    let shown = above.iter().take(SHOWN);
    let shown: Vec<String> =
        shown.map(|(name, share)| format!("{name} {:.1} %", share * 100.0)).collect();
    let more = match above.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(", and {more} more"),
    };
    Err(format!(
        "more than {} % of the clients would get another answer: {}{more}",
        f64::from(limit.0) / 100.0,
        shown.join(", ")
    ))
}
