//! The threads that probe, and who watches over them.
//!
//! Probes have a runtime of their own, whose threads give way to those that answer queries. A heart on it ticks the fleet several
//! times a second; a watchman on a plain thread looks whether it still does. If not, because a task holds the lock or blocks the
//! threads for ever, everything begins anew beside what hangs: with the statuses of the view, so that no answer changes, and what
//! hangs may not write any more (RELIABILITY R18). A watchman that was late himself says nothing: then the whole process stood still.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};
use tokio::sync::Notify;
use tracing::error;

use super::attempt::Tools;
use super::board::{Board, Task, now};
use super::schedule::{self, Watch};
use super::{Egress, ProberOptions, Sink};
use crate::health::{
    FleetSettings, Happening, Memory, Moment, NewMember, Plan, Status, TargetId, View,
};
use crate::sys::give_way;

/// How often the heart beats.
const BEAT: Duration = Duration::from_millis(100);

/// How often the watchman looks.
const LOOK: Duration = Duration::from_millis(100);

/// A heart that has not beaten for so long stands still: with the watchman's own pace, it is noticed within a second.
const STANDSTILL: Duration = Duration::from_millis(800);

/// For how long a heart that was started anew is left alone at the least. Doubles each time, up to [`LONGEST_PATIENCE`]: what kills
/// one after the other must not leave a thread behind each second. It is forgotten when the heart has beaten for as long.
const PATIENCE: Duration = Duration::from_millis(800);
const LONGEST_PATIENCE: Duration = Duration::from_secs(60);

/// Threads that probe. One can be kept busy by handshakes while the other keeps time.
const THREADS: usize = 2;

/// The prober that is current, and how to make another.
pub(super) struct Supervisor {
    in_flight: usize,
    egress: Egress,
    fleet: FleetSettings,
    sink: Sink,
    current: Mutex<Current>,
    is_over: AtomicBool,
}

/// What is probed, and by whom.
struct Current {
    plan: Plan,
    view: Arc<View>,
    station: Station,
}

/// One set of threads with its board.
struct Station {
    board: Arc<Board>,
    tools: Arc<Tools>,
    /// Absent once it was let go of.
    runtime: Option<Runtime>,
}

impl Supervisor {
    pub(super) fn start(
        plan: &Plan,
        view: Arc<View>,
        options: ProberOptions,
    ) -> io::Result<Arc<Self>> {
        let ProberOptions { in_flight, egress, fleet, memories, sink } = options;
        let station = Station::start(in_flight, &egress, &fleet, &sink)?;
        station.replace(plan, &view, &memories);
        let current = Mutex::new(Current { plan: plan.clone(), view, station });
        let is_over = AtomicBool::new(false);
        let supervisor = Arc::new(Self { in_flight, egress, fleet, sink, current, is_over });
        let watched = Arc::downgrade(&supervisor);
        thread::Builder::new().name("watchman".to_owned()).spawn(move || watch(&watched))?;
        Ok(supervisor)
    }

    pub(super) fn board(&self) -> Arc<Board> {
        Arc::clone(&self.lock().station.board)
    }

    pub(super) fn replace(&self, plan: &Plan, view: Arc<View>) {
        let mut current = self.lock();
        (current.plan, current.view) = (plan.clone(), view);
        let Current { plan, view, station } = &*current;
        if !station.replace(plan, view, &[]) {
            self.revive(&mut current, "its lock was not to be had at a reload");
        }
    }

    /// Lets go of the threads.
    pub(super) fn stop(&self) {
        self.is_over.store(true, Ordering::Relaxed);
        self.lock().station.let_go();
    }

    /// Begins anew beside what hangs.
    fn revive(&self, current: &mut Current, reason: &str) {
        match Station::start(self.in_flight, &self.egress, &self.fleet, &self.sink) {
            Ok(station) => {
                let memories = remember(&current.plan, &current.view, now());
                current.station.let_go();
                current.station = station;
                current.station.replace(&current.plan, &current.view, &memories);
                (self.sink)(Happening::ProberRestarted { reason: reason.to_owned() });
                error!("the prober was started anew, all states are held: {reason}");
            }
            Err(problem) => error!("the prober hangs, and can't be started anew: {problem}"),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Station {
    fn start(
        in_flight: usize,
        egress: &Egress,
        fleet: &FleetSettings,
        sink: &Sink,
    ) -> io::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name(THREAD_NAME)
            .on_thread_start(give_way)
            .enable_all()
            .build()?;
        let board = Arc::new(Board::new(fleet.clone(), Arc::clone(sink)));
        let heart = Arc::clone(&board);
        runtime.spawn(async move {
            let mut beats = tokio::time::interval(BEAT);
            loop {
                beats.tick().await;
                heart.tick();
            }
        });
        let tools = Arc::new(Tools::new(in_flight, egress.clone()));
        Ok(Self { board, tools, runtime: Some(runtime) })
    }

    /// Goes over to another generation. False if the board is stuck.
    fn replace(&self, plan: &Plan, view: &Arc<View>, memories: &[Memory]) -> bool {
        let Some(runtime) = &self.runtime else { return true };
        self.board.replace(plan, view, memories, |member: NewMember| {
            let (board, tools) = (Arc::clone(&self.board), Arc::clone(&self.tools));
            let bell = Arc::new(Notify::new());
            let watch = Watch { member, board, tools, bell: Arc::clone(&bell) };
            Task { handle: runtime.spawn(schedule::keep(Arc::new(watch))).abort_handle(), bell }
        })
    }

    fn let_go(&mut self) {
        self.board.retire();
        if let Some(runtime) = self.runtime.take() {
            // Never waits for a thread that hangs.
            runtime.shutdown_background();
        }
    }
}

/// What threads that may panic are called: a panic anywhere else ends the process.
pub const THREAD_NAME: &str = "probe";

/// Looks after the heart until the prober is dropped.
fn watch(supervisor: &Weak<Supervisor>) {
    let (mut patience, mut revived) = (PATIENCE, Instant::now());
    loop {
        let start = Instant::now();
        thread::sleep(LOOK);
        let was_late = start.elapsed() > LOOK * 3;
        let Some(supervisor) = supervisor.upgrade() else { return };
        if supervisor.is_over.load(Ordering::Relaxed) {
            return;
        }
        if revived.elapsed() > patience * 2 {
            patience = PATIENCE;
        }
        if was_late || supervisor.board().age() < STANDSTILL || revived.elapsed() < patience {
            continue;
        }
        let mut current = supervisor.lock();
        // It may have been revived while we waited.
        if current.station.board.age() >= STANDSTILL {
            supervisor.revive(&mut current, "it stood still for almost a second");
            patience = (patience * 2).min(LONGEST_PATIENCE);
            revived = Instant::now();
        }
    }
}

/// What the view still says of every target.
fn remember(plan: &Plan, view: &View, now: Moment) -> Vec<Memory> {
    let ago = |ms: u64| now.0.saturating_sub(ms);
    let memory = |(target, id): (&crate::health::ProbeTarget, TargetId)| {
        let shown = view.status(id);
        Memory {
            key: target.key(),
            status: if target.check.is_inverted { shown.inverted() } else { shown },
            relapses: u8::from(shown == Status::Down),
            changed_ago_ms: 0,
            recovered_ago_ms: view.recovered_ms(id).map(ago),
            seen_ago_ms: Some(0),
            latency_us: view.latency_us(id).unwrap_or(0),
        }
    };
    plan.targets.iter().zip((0u32..).map(TargetId)).map(memory).collect()
}
