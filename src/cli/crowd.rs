//! Who the clients are that `simulate` and `diff` count: address space, or a file of counts.

use std::path::Path;

use super::CommandError;
use crate::outlook::{Basis, Clients};
use crate::store;

/// The clients that the flags ask for.
pub(super) fn read_clients(weights: Option<&Path>, ipv6: bool) -> Result<Clients, CommandError> {
    let basis = if ipv6 { Basis::Ipv6 } else { Basis::Ipv4 };
    let Some(path) = weights else { return Ok(Clients::of_space(basis)) };
    let source = store::read_source(path)?;
    Ok(Clients::parse(&source.text, basis)
        .map_err(|error| format!("{}: {error}", path.display()))?)
}

/// What a share is a share of, for people.
pub(super) fn describe(clients: &Clients) -> &'static str {
    match (clients.is_counted(), clients.basis) {
        (true, _) => "the clients that were counted",
        (false, Basis::Ipv4) => "IPv4 address space",
        (false, Basis::Ipv6) => "the /48s of IPv6 that the geo database places",
    }
}

/// The same for programs.
pub(super) fn label(clients: &Clients) -> &'static str {
    match (clients.is_counted(), clients.basis) {
        (true, _) => "counts",
        (false, Basis::Ipv4) => "ipv4-addresses",
        (false, Basis::Ipv6) => "ipv6-48s",
    }
}

/// A share as people read it.
pub(super) fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}
