//! The checks and their schedule: from sockets to observations, and from decisions to the [`View`].
//!
//! ```text
//! schedule: one task per target ──▶ attempt ──▶ trial of each address ──▶ protocol ──▶ (tls) connect ──▶ egress ──▶ socket
//!      ▲ restarted if it panics        │ resolve, timeout, lateness                        │ blame: errno ─▶ whose fault
//!      │                               ▼ Observation
//!   Prober::replace ───────────▶ board (one lock) ──▶ health::Fleet ──▶ View ──▶ sink, log
//!                                  ▲ ticks: a heart that stands still is noticed, and all begins anew (station)
//! ```
//!
//! | file | owns |
//! |---|---|
//! | `station` | the threads that probe, and who watches over them |
//! | `board` | the fleet behind its lock: the only writes to the view |
//! | `schedule` | when a target is probed, spreading, restarting |
//! | `attempt` | one probe: addresses, timeout, lateness, verdict |
//! | `trial` | one address of it: what it may use, what it learns besides |
//! | `http`, `tcp`, `dns`, `icmp`, `grpc`, `prometheus` | the protocols |
//! | `exchange`, `body`, `redirect` | one HTTP request, what comes back, where it leads |
//! | `tls`, `authorities` | TLS below a protocol, and whose certificates are trusted |
//! | `connect`, `stream`, `resolve` | the way to an endpoint, and how much comes back on it |
//! | `egress` | where probes may be sent |
//! | `random` | what a probe knows its answer by |
//! | `lag` | how much of a probe's time was our own |
//! | `blame` | whether an error is the endpoint's or our own |
//!
//! Invariants: the view is written under the board's lock and nowhere else, so that after [`Prober::replace`] returns no
//! result of an old generation can reach the new view under a wrong id; a decision is stored by the task that made the
//! probe, in the same breath, so nothing polls between decision and answer; a probe holds one socket for each address of its
//! target, reads at most [`PROBE_REPLY_OCTETS`](crate::limits::PROBE_REPLY_OCTETS) from each, spawns nothing, and is over after
//! its timeout whatever the endpoint does; no packet is sent to an address that the [egress list](Egress) denies.

#![deny(unsafe_code)]

mod attempt;
mod authorities;
mod blame;
mod board;
mod body;
mod connect;
mod dns;
mod egress;
mod exchange;
mod grpc;
mod http;
mod icmp;
mod lag;
mod prometheus;
mod random;
mod redirect;
mod resolve;
mod schedule;
mod station;
mod stream;
mod tcp;
mod tls;
mod trial;

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::health::{FleetSettings, Guard, Happening, Known, Memory, Plan, View};
use crate::limits::PROBES_IN_FLIGHT;
pub use egress::Egress;
use station::Supervisor;
pub use station::THREAD_NAME;

/// Takes everything that happens to health, in the order of decision per target. Called after the view is written, on a thread that does
/// nothing else, or on the one that watches the prober; one that blocks holds up what is told later. A panic of it is logged on the
/// former, and ends the process on the latter.
pub type Sink = Arc<dyn Fn(Happening) + Send + Sync>;

/// What a prober is given for good.
pub struct ProberOptions {
    /// Probes, and so sockets, at once.
    pub in_flight: usize,
    /// Where they may be sent.
    pub egress: Egress,
    pub fleet: FleetSettings,
    /// What is remembered from before: fresh enough to be believed.
    pub memories: Vec<Memory>,
    pub sink: Sink,
}

impl Default for ProberOptions {
    /// Nothing doubted, nothing remembered, nobody told.
    fn default() -> Self {
        Self {
            in_flight: PROBES_IN_FLIGHT,
            egress: Egress::default(),
            fleet: FleetSettings::default(),
            memories: Vec::new(),
            sink: Arc::new(|_| {}),
        }
    }
}

/// Probes targets until it is dropped, on threads of its own, and keeps a [`View`] up to date.
pub struct Prober {
    supervisor: Arc<Supervisor>,
}

impl Prober {
    /// Probes every target at once, then at its interval; `view` has one slot per target.
    ///
    /// # Errors
    /// The operating system gives no threads.
    pub fn start(plan: &Plan, view: Arc<View>, options: ProberOptions) -> std::io::Result<Self> {
        Ok(Self { supervisor: Supervisor::start(plan, view, options)? })
    }

    /// Resolves when every current target has had one probe that ended, with a result or with an error of our own side, or is
    /// remembered. A target that does not answer takes its whole timeout: the caller bounds the wait by
    /// [`FIRST_ROUND_SECONDS`](crate::limits::FIRST_ROUND_SECONDS).
    pub async fn first_round(&self) {
        self.supervisor.board().first_round().await;
    }

    /// Goes over to another generation of targets and its view.
    ///
    /// A target that is equal to one of the old generation keeps its state, its statistics, its schedule and the probe
    /// under way; its status is in the new view before this returns. A new target starts Unknown and is probed at once;
    /// one that is gone is no longer probed. The old view is not written any more. Never waits for a probe.
    pub fn replace(&self, plan: &Plan, view: Arc<View>) {
        self.supervisor.replace(plan, view);
    }

    /// What is known of every target, in order of id; nothing if the prober stands still at this moment.
    pub fn known(&self) -> Vec<Known> {
        let now = board::now();
        self.supervisor.board().ask(|fleet| fleet.known(now)).unwrap_or_default()
    }

    /// What is worth keeping over a restart; nothing if the prober stands still at this moment.
    pub fn memories(&self) -> Option<Vec<Memory>> {
        self.supervisor.memories()
    }

    /// Takes in a report about an external check, `example.com/deploy`, for one endpoint or for all that have it. Gives how many took
    /// it.
    pub fn report(&self, name: &str, address: Option<&str>, is_up: bool, reason: &str) -> usize {
        let now = board::now();
        let report =
            self.supervisor.board().ask(|fleet| fleet.report(name, address, is_up, reason, now));
        report.unwrap_or(0)
    }

    /// Lets back what answers again and waits for an operator: the targets of which one pool (`example.com/us`), or the text of the
    /// target itself, is meant. Gives them.
    pub fn confirm(&self, author: &str, is_meant: impl Fn(&str) -> bool) -> Vec<String> {
        let now = board::now();
        let is_one_meant = |target: &_, pools: &[Arc<str>]| {
            pools.iter().any(|pool| is_meant(pool)) || is_meant(&format!("{target}"))
        };
        let board = self.supervisor.board();
        board.ask(|fleet| fleet.confirm(author, is_one_meant, now)).unwrap_or_default()
    }

    /// Believes what the guard doubts. Whether it held anything back.
    pub fn release_guard(&self) -> bool {
        let now = board::now();
        self.supervisor.board().ask(|fleet| fleet.release_guard(now)).unwrap_or(false)
    }

    /// Where the guard stands, and whether probes learn nothing; nothing if the prober stands still at this moment.
    pub fn standing(&self) -> Option<(Guard, bool)> {
        self.supervisor.board().ask(|fleet| (fleet.guard(), fleet.is_blind()))
    }

    /// How long ago the prober last showed that it lives: several times a second if all is well.
    pub fn age(&self) -> Duration {
        self.supervisor.board().age()
    }
}

/// Every task is aborted; sockets close as the runtime drops the tasks. A name look-up under way ends by itself.
impl Drop for Prober {
    fn drop(&mut self) {
        self.supervisor.stop();
    }
}

impl fmt::Debug for Prober {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prober").finish_non_exhaustive()
    }
}
