//! The checks and their schedule: from sockets to observations, and from decisions to the [`View`].
//!
//! ```text
//! schedule: one task per target ──▶ attempt ──▶ http (tls) | tcp ──▶ connect ──▶ socket
//!      ▲ restarted if it panics        │ resolve, timeout, lateness     │ blame: errno ─▶ whose fault
//!      │                               ▼ Observation
//!   Prober::replace ───────────▶ board (one lock) ──▶ health::Machine ──▶ View::set ──▶ sink, log
//! ```
//!
//! | file | owns |
//! |---|---|
//! | `board` | which targets there are, what is known of each, and the only writes to the view |
//! | `schedule` | when a target is probed, spreading, restarting |
//! | `attempt` | one probe: address, timeout, lateness, verdict |
//! | `http`, `tls`, `tcp` | the protocols |
//! | `connect`, `resolve` | the way to an endpoint |
//! | `lag` | how much of a probe's time was our own |
//! | `blame` | whether an error is the endpoint's or our own |
//!
//! Invariants: the view is written under the board's lock and nowhere else, so that after [`Prober::replace`] returns no
//! result of an old generation can reach the new view under a wrong id; a decision is stored by the task that made the
//! probe, in the same breath, so nothing polls between decision and answer; a probe holds one socket, reads at most
//! [`PROBE_REPLY_OCTETS`](crate::limits::PROBE_REPLY_OCTETS), and is over after its timeout whatever the endpoint does.

#![deny(unsafe_code)]

mod attempt;
mod blame;
mod board;
mod connect;
mod http;
mod lag;
mod resolve;
mod schedule;
mod tcp;
mod tls;

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use tokio::runtime::Handle;

use crate::health::{Observation, ProbeTarget, Status, Tally, TargetId, View};
use crate::limits::PROBES_IN_FLIGHT;
use attempt::Tools;
use board::Board;
use schedule::Watch;

/// Takes every change of status, in the order of decision per target. Called on the prober's tasks right after the view is
/// written, so it must not block; if it panics, the target's task is restarted and the view keeps the decision.
pub type Sink = Arc<dyn Fn(&Transition) + Send + Sync>;

/// A change of a target's status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transition {
    /// The target's number in the generation that was current when it was decided.
    pub id: TargetId,
    /// What was probed.
    pub target: ProbeTarget,
    /// What was believed.
    pub from: Status,
    /// What is believed now.
    pub to: Status,
    /// The result that decided.
    pub cause: Observation,
    /// Equal results in a row that led here.
    pub streak: u32,
}

/// What is known of one target, at one instant.
#[derive(Clone, Debug)]
pub struct TargetStatistics {
    /// The target's number in the current generation.
    pub id: TargetId,
    /// What is probed.
    pub target: ProbeTarget,
    /// The decided status.
    pub status: Status,
    /// When the status last changed, or when the target became known.
    pub since: Instant,
    /// Equal results in a row up to the last probe.
    pub streak: u32,
    /// Counts and last results. Kept over reloads as long as the target stays the same.
    pub tally: Tally,
}

/// Probes targets until it is dropped, and keeps a [`View`] up to date.
pub struct Prober {
    board: Arc<Board>,
    tools: Arc<Tools>,
    /// Where the tasks run, so that [`Prober::replace`] may be called from any thread.
    runtime: Handle,
}

impl Prober {
    /// Probes every target at once, then at its interval, on the current tokio runtime; `view` has one slot per target.
    ///
    /// # Panics
    /// Outside a tokio runtime with I/O and time enabled.
    pub fn start(targets: &[ProbeTarget], view: Arc<View>, sink: Sink) -> Self {
        Self::start_within(targets, view, sink, PROBES_IN_FLIGHT)
    }

    /// The same with at most `in_flight` probes, and so sockets, at once.
    ///
    /// # Panics
    /// As [`Prober::start`].
    pub fn start_within(
        targets: &[ProbeTarget],
        view: Arc<View>,
        sink: Sink,
        in_flight: usize,
    ) -> Self {
        let prober = Self {
            board: Arc::new(Board::new(sink)),
            tools: Arc::new(Tools::new(in_flight)),
            runtime: Handle::current(),
        };
        prober.replace(targets, view);
        prober
    }

    /// Resolves when every current target has had one probe that ended, with a result or with an error of our own side.
    /// A target that does not answer takes its whole timeout: the caller bounds the wait by
    /// [`FIRST_ROUND_SECONDS`](crate::limits::FIRST_ROUND_SECONDS).
    pub async fn first_round(&self) {
        self.board.first_round().await;
    }

    /// Goes over to another generation of targets and its view.
    ///
    /// A target that is equal to one of the old generation keeps its state, its statistics, its schedule and the probe
    /// under way; its status is in the new view before this returns. A new target starts Unknown and is probed at once;
    /// one that is gone is no longer probed. The old view is not written any more. Never waits for a probe.
    pub fn replace(&self, targets: &[ProbeTarget], view: Arc<View>) {
        self.board.replace(targets, view, |target, run, id| {
            let (board, tools) = (Arc::clone(&self.board), Arc::clone(&self.tools));
            let watch = Watch { target, run, id, board, tools };
            self.runtime.spawn(schedule::keep(Arc::new(watch))).abort_handle()
        });
    }

    /// What is known of every target, in order of id.
    pub fn statistics(&self) -> Vec<TargetStatistics> {
        self.board.statistics()
    }
}

/// Every task is aborted; sockets close as the runtime drops the tasks. A name look-up under way ends by itself.
impl Drop for Prober {
    fn drop(&mut self) {
        self.board.clear();
    }
}

impl fmt::Debug for Prober {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prober").finish_non_exhaustive()
    }
}
