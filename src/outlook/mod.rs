//! Many clients at once: which share of them gets which answer, and what a change moves.
//!
//! A query asks for one client and one draw. Here all clients and all draws are reckoned together, exactly: address space is cut
//! into stretches that a route treats alike ([`crate::geo::AddressRange::walk`]), each stretch has a class, each class a mix of
//! ends ([`crate::policy::Selection::shares`]).
//!
//! | file | owns |
//! |---|---|
//! | `clients` | who asks: address space, or counts by prefix and country |
//! | `forecast` | `meridian simulate`: the shares of pools, whole and by country, beside those with all up |
//! | `answers` | what a route answers with, as sets of records, so that two generations can be compared |
//! | `difference` | `meridian diff`, and the guard of reloads: what changes between two generations, and for how many |
//!
//! Pure, as all above.

#![deny(
    unsafe_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::arithmetic_side_effects
)]

mod answers;
mod clients;
mod difference;
mod forecast;

use std::cell::Cell;

use crate::health::{Horizon, View};
use crate::policy::{AreaId, Lot, NoTrace, Random, Selection};
use crate::snapshot::{BoundRoute, Handout, Snapshot};
use crate::wire::RecordType;

pub use clients::{Basis, Clients, ClientsError, Countries};
pub use difference::{Change, Difference, Kind, RecordChange, TtlChange, compare};
pub use forecast::{CountryForecast, EndForecast, Forecast, Forecaster};

/// Runs something with the selection that a route makes for the clients of an area; nothing if the route's zone is not served.
fn with_selection<R>(
    snapshot: &Snapshot,
    view: &View,
    route: &BoundRoute,
    rtype: RecordType,
    area: AreaId,
    run: impl FnOnce(&Selection<'_, NoTrace>) -> R,
) -> Option<R> {
    let random = &mut Random::new(0);
    let routing = &snapshot.routing(route.zone)?.bound;
    let is_overridden = view.has_overrides_among(routing.switches());
    let selection = Selection {
        routing,
        view,
        rtype: if route.handout == Handout::Alias { RecordType::CNAME } else { rtype },
        area,
        sticky: None,
        together: route.together,
        // Long after every recovery: nothing is ramping up, and all that drains is drained.
        now_ms: u64::MAX,
        lot: is_overridden.then(|| Lot::draw(None, random)),
        random,
        trace: &mut NoTrace,
        horizon: Cell::new(Horizon::NEVER),
    };
    Some(run(&selection))
}
