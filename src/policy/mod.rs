//! Policies: which pool a client is sent to, and which of its endpoints.
//!
//! * [`Routing`] is the tree as the zone file means it. `config` builds it and proves it sound.
//! * [`BoundRouting`] is the same tree made ready for one database and one set of probe targets: places are turned into
//!   chains per location, pools into encoded endpoints with the number of the target that decides their health.
//! * [`partition()`] finds which locations a tree tells apart, so that a prefix map can give each client its class and an
//!   exact scope (rule B9).
//! * [`Selection`] walks the bound tree for one query. It depends on nothing but its inputs: the tree, the client's
//!   location, the view of health, the type asked for, and a random number. [`Selection::shares`] gives what many such walks
//!   come to, without walking.
//!
//! The rules are numbered in the manual's chapter on routing; tests carry the numbers.

#![deny(
    unsafe_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::arithmetic_side_effects
)]

mod areas;
mod bound;
mod chain;
mod draws;
mod partition;
mod places;
mod random;
mod select;
mod shares;
mod sticky;
mod switched;
mod trace;
mod tree;

pub(crate) use areas::holds;
pub use areas::{AreaId, Areas, Spot};
pub use bound::{BoundEndpoint, BoundPool, BoundRouting, Health};
pub(crate) use chain::{biased_distance, latencies, latency_source, location_of};
pub use partition::{Partition, partition, pools_reached};
pub(crate) use places::places_of;
pub use random::Random;
pub use select::{Choice, Chosen, Selection};
pub use shares::End;
pub use sticky::{StickyKey, sticky_scope};
pub use switched::{Lot, soonest_turn, switches_of};
pub use trace::{NoTrace, Step, Trace};
pub use tree::{
    AllDown, CheckId, Endpoint, Group, GroupId, Latency, LatencySource, LatencyTarget, MinUp,
    NetworkLocation, Place, Policy, PolicyId, Pool, PoolId, Residency, Route, Routing, Rule, Site,
    TableId, Target, Weight, Weighted,
};
