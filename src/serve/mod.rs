//! Sockets: where queries come in and answers go out. Two back ends over one engine.
//!
//! | `io` | what it is | when |
//! |---|---|---|
//! | [`Io::Sockets`] | `udp`: a thread per core and address with `recvmmsg` and `sendmmsg`; `tcp`: tokio | Linux, the default |
//! | [`Io::Hickory`] | `hickory`: hickory-server's own sockets; each answer is decoded and encoded again | elsewhere, comparison |
//!
//! [`Io::Sockets`]: crate::config::Io::Sockets
//! [`Io::Hickory`]: crate::config::Io::Hickory
//!
//! Nothing here knows a policy: bytes go to [`crate::query::Engine`], bytes come back, and an outcome is counted.

mod counters;
mod hickory;
mod listen;
mod tcp;
mod udp;

use crate::query::Engine;
use crate::snapshot::Live;
use crate::sys::monotonic_ms;

pub use counters::{Counters, Origin, RCODES, TYPES, Tally, Totals, Writers};
pub use listen::{Bound, ListenError, Server};

/// The engine over what is current. The clock is asked only where the time matters.
fn current_engine(live: &Live) -> Engine<'_> {
    let engine = Engine::from(live);
    if engine.asks_time() { engine.at(monotonic_ms()) } else { engine }
}
