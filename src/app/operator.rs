//! The task that keeps health in order beside the prober: it sets and ends overrides, and has what is known of targets written down.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};

use super::desk::Desk;
use crate::admin::OverrideOrder;
use crate::health::{Event, Happening};
use crate::limits::MEMORY_SECONDS;
use crate::probe::Prober;
use crate::snapshot::Published;
use crate::store::State;

/// Overrides end on the second.
const TICK: Duration = Duration::from_secs(1);

/// What the task needs.
pub(super) struct Operator {
    pub(super) desk: Arc<Desk>,
    pub(super) published: Published,
    pub(super) prober: Arc<Prober>,
    /// Nothing: what is known of targets is not written.
    pub(super) state: Option<Arc<State>>,
    pub(super) orders: mpsc::Receiver<OverrideOrder>,
    /// What happens: after a change, what is known of targets is written within the second.
    pub(super) events: mpsc::Receiver<Arc<Event>>,
}

impl Operator {
    /// Works as long as the process serves.
    pub(super) async fn run(mut self) {
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // Ticks until the next look at what is known of targets.
        let mut until_memory = MEMORY_SECONDS;
        loop {
            tokio::select! {
                Some(order) = self.orders.recv() => self.carry_out(order).await,
                Some(event) = self.events.recv() => {
                    if matches!(event.what, Happening::Endpoint { .. } | Happening::Confirmed { .. }) {
                        until_memory = 0;
                    }
                }
                _ = tick.tick() => {
                    self.desk.tick(&self.published).await;
                    until_memory = until_memory.checked_sub(1).unwrap_or_else(|| {
                        self.keep_memories();
                        MEMORY_SECONDS
                    });
                }
            }
        }
    }

    /// The prober keeps them as well, for the day when it must be started anew.
    fn keep_memories(&self) {
        // Nothing while the prober stands still: what was written last holds.
        let memories = self.prober.memories();
        if let (Some(state), Some(memories)) = (&self.state, memories) {
            state.keep_memories(memories);
        }
    }

    async fn carry_out(&self, order: OverrideOrder) {
        // Whoever asked may have gone.
        match order {
            OverrideOrder::Set { draft, reply } => {
                let _ = reply.send(self.desk.set(draft, &self.published).await);
            }
            OverrideOrder::Lift { id, author, reply } => {
                let _ = reply.send(self.desk.lift(id, &author, &self.published).await);
            }
        }
    }
}
