//! What of health outlives the process: the last view, the overrides and the events, in the state directory.
//!
//! ```text
//! journal ──events──┐
//! operator ─overrides┼─▶ bounded queue ─▶ one thread ─ at most one commit per 200 ms ─▶ ledger
//! prober ─memories──┘                        │ fails: keeps what is unwritten, tries again
//!                                            ▼
//!                                       Persistence, for metrics and /health
//! ```
//!
//! Invariants: nobody waits for the disk but who sets an override, and that one not for ever; whatever the disk does, the server
//! serves. What could not be written stays in memory, up to [`EVENTS_KEPT`] events, and is written when that works again.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use tokio::sync::oneshot;

use super::ledger::{Changes, FILE_NAME, Ledger, LedgerError, move_aside};
pub use super::ledger::{Memories, OverrideList, Recalled};
use crate::health::{Event, Memory};
use crate::limits::{
    EVENTS_KEPT, MEMORY_REWRITE_SECONDS, STATE_COMMIT_MS, STATE_LOG_SECONDS,
    STATE_PATIENCE_SECONDS, STATE_QUEUE, STATE_RETRY_SECONDS,
};
use crate::sys::unix_ms;

/// That the state directory can't be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unpersisted {
    /// Since when, in milliseconds since 1970 in UTC.
    pub since_ms: u64,
    pub why: String,
}

/// The state directory's file, written by a thread of its own.
#[derive(Debug)]
pub struct State {
    jobs: SyncSender<Job>,
    standing: Arc<Standing>,
}

/// How the writing goes.
#[derive(Debug, Default)]
struct Standing {
    unpersisted: ArcSwapOption<Unpersisted>,
    /// Events that were not written and never will be.
    lost_events: AtomicU64,
}

enum Job {
    Event(Event),
    Memories(Memories),
    Overrides(OverrideList, oneshot::Sender<Result<(), String>>),
    /// Writes what there is, and ends.
    Close(Option<Memories>, SyncSender<()>),
}

/// What the thread is called that writes: a panic of the library below it must not end the answers.
pub const STATE_THREAD_NAME: &str = "meridian-state";

/// Writes until there is nothing more to write; a panic is told like an error of the disk, and is the end of it.
fn write(writer: Writer, queue: Receiver<Job>) {
    let standing = Arc::clone(&writer.standing);
    if catch_unwind(AssertUnwindSafe(|| writer.write_until_closed(queue))).is_err() {
        tracing::error!(
            "nothing is written to the state directory any more: its file broke the library"
        );
        standing.note_failure("the library that writes it crashed");
    }
}

impl State {
    /// Opens the file in a state directory, and says what it knows. One that can't be opened knows nothing, and is tried again
    /// as long as the process lives.
    pub fn open(directory: &Path) -> (Self, Recalled) {
        let standing = Arc::new(Standing::default());
        let mut writer = Writer::new(directory.join(FILE_NAME), Arc::clone(&standing));
        let recalled = writer.recall();
        let (jobs, queue) = sync_channel(STATE_QUEUE);
        let spawned = thread::Builder::new()
            .name(STATE_THREAD_NAME.to_owned())
            .spawn(move || write(writer, queue));
        if let Err(error) = spawned {
            tracing::error!("nothing is written to the state directory, no thread: {error}");
            standing.note_failure(&error.to_string());
        }
        (Self { jobs, standing }, recalled)
    }

    /// Has an event written. Never waits; an event that finds the queue full is lost, and counted.
    pub fn keep_event(&self, event: Event) {
        if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) =
            self.jobs.try_send(Job::Event(event))
        {
            self.standing.lost_events.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Has what is known of the targets written, if there is anything new in it. Never waits; if the queue is full, the next
    /// ones will do.
    pub fn keep_memories(&self, targets: Vec<Memory>) {
        let _ = self.jobs.try_send(Job::Memories(Memories { at_ms: unix_ms(), targets }));
    }

    /// Has the overrides written, and waits until the disk has them; not for ever.
    ///
    /// # Errors
    /// Why they are not on the disk. They will be when that works again.
    pub async fn keep_overrides(&self, list: OverrideList) -> Result<(), String> {
        let (reply, written) = oneshot::channel();
        if self.jobs.try_send(Job::Overrides(list, reply)).is_err() {
            return Err("too much waits for the disk".to_owned());
        }
        let patience = Duration::from_secs(STATE_PATIENCE_SECONDS);
        match tokio::time::timeout(patience, written).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err("nobody writes to the state directory any more".to_owned()),
            Err(_) => Err(format!("the disk did not take it within {STATE_PATIENCE_SECONDS} s")),
        }
    }

    /// Writes what there is and what is known of the targets at the end, and ends the thread; waits for it, but not for a disk
    /// that stands still. To be called once, from a thread that may wait.
    pub fn close(&self, targets: Option<Vec<Memory>>) {
        let last = targets.map(|targets| Memories { at_ms: unix_ms(), targets });
        let patience = Duration::from_secs(STATE_PATIENCE_SECONDS);
        let (done, ended) = sync_channel(1);
        if self.jobs.try_send(Job::Close(last, done)).is_err()
            || ended.recv_timeout(patience).is_err()
        {
            tracing::error!("the last state is not on the disk: it did not take it in time");
        }
    }

    /// What keeps the state directory from being written; nothing if it is.
    pub fn unpersisted(&self) -> Option<Arc<Unpersisted>> {
        self.standing.unpersisted.load_full()
    }

    /// Events that are in no file and never will be.
    pub fn lost_events(&self) -> u64 {
        self.standing.lost_events.load(Ordering::Relaxed)
    }
}

impl Standing {
    fn note_failure(&self, why: &str) {
        let before = self.unpersisted.load_full();
        let since_ms = before.map_or_else(unix_ms, |before| before.since_ms);
        self.unpersisted.store(Some(Arc::new(Unpersisted { since_ms, why: why.to_owned() })));
    }
}

/// The thread's own.
struct Writer {
    path: PathBuf,
    standing: Arc<Standing>,
    /// Nothing after an error: redb wants the file opened again.
    ledger: Option<Ledger>,
    unwritten: Changes,
    /// The overrides that hold, for a file that has to be begun anew.
    overrides: Option<OverrideList>,
    /// There was a file that could not even be read: what is in it was never heeded.
    is_unread: bool,
    /// What the file says of the targets, and when it was written.
    written: Option<(Memories, Instant)>,
    /// When the next commit may be.
    next: Instant,
    /// When a failure was last told.
    told: Option<Instant>,
}

impl Writer {
    fn new(path: PathBuf, standing: Arc<Standing>) -> Self {
        Self {
            path,
            standing,
            ledger: None,
            unwritten: Changes::default(),
            overrides: None,
            is_unread: false,
            written: None,
            next: Instant::now(),
            told: None,
        }
    }

    fn recall(&mut self) -> Recalled {
        match self.open() {
            Ok(recalled) => {
                self.overrides = Some(recalled.overrides.clone());
                self.unwritten.overrides = None;
                return recalled;
            }
            Err(error) => self.note_failure(error.why()),
        }
        let path = self.path.clone();
        // Damage may have the library panic, which only this thread may.
        let reading = thread::Builder::new()
            .name(STATE_THREAD_NAME.to_owned())
            .spawn(move || Ledger::read_copy(&path));
        match reading.map(thread::JoinHandle::join) {
            Ok(Ok(Ok(recalled))) => {
                self.overrides = Some(recalled.overrides.clone());
                recalled
            }
            _ => {
                self.is_unread = self.path.exists();
                Recalled::default()
            }
        }
    }

    fn write_until_closed(mut self, queue: Receiver<Job>) {
        loop {
            let now = Instant::now();
            let wait = match self.unwritten.is_empty() && self.ledger.is_some() {
                true => Duration::from_secs(STATE_RETRY_SECONDS),
                false => self.next.saturating_duration_since(now),
            };
            match queue.recv_timeout(wait) {
                Ok(Job::Close(last, done)) => {
                    self.unwritten.memories = last.or(self.unwritten.memories.take());
                    let _ = self.commit();
                    // The file is whole only when it is closed.
                    drop(self);
                    // What comes from now on finds nobody, and is counted.
                    drop(queue);
                    let _ = done.send(());
                    return;
                }
                Ok(job) => self.take(job),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return drop(self.commit()),
            }
            let has_work = !self.unwritten.is_empty() || self.ledger.is_none();
            if has_work && Instant::now() >= self.next {
                // What failed is told by `note_failure`, and tried again.
                let _ = self.commit();
            }
        }
    }

    fn take(&mut self, job: Job) {
        match job {
            Job::Event(event) => {
                self.unwritten.events.push_back(event);
                if self.unwritten.events.len() > EVENTS_KEPT {
                    // Ten thousand newer ones take its place.
                    self.unwritten.events.pop_front();
                    self.standing.lost_events.fetch_add(1, Ordering::Relaxed);
                }
            }
            Job::Memories(memories) => {
                if self.has_news(&memories) {
                    self.unwritten.memories = Some(memories);
                }
            }
            Job::Overrides(list, reply) => {
                self.overrides = Some(list.clone());
                self.unwritten.overrides = Some(list);
                // Who asked may have lost patience.
                let _ = reply.send(self.commit());
            }
            Job::Close(..) => {}
        }
    }

    /// Whether memories say more than that time has passed, or it has passed long enough.
    fn has_news(&self, memories: &Memories) -> bool {
        let Some((written, at)) = &self.written else { return true };
        let same = |(one, other): (&Memory, &Memory)| {
            one.key == other.key && one.status == other.status && one.relapses == other.relapses
        };
        let is_same = written.targets.len() == memories.targets.len()
            && written.targets.iter().zip(&memories.targets).all(same);
        !is_same || at.elapsed() >= Duration::from_secs(MEMORY_REWRITE_SECONDS)
    }

    /// Writes what is unwritten; says why if that fails.
    fn commit(&mut self) -> Result<(), String> {
        let result = self.write();
        let pause = match &result {
            Ok(()) => Duration::from_millis(STATE_COMMIT_MS),
            Err(_) => Duration::from_secs(STATE_RETRY_SECONDS),
        };
        self.next = Instant::now() + pause;
        match result {
            Ok(()) => {
                let changes = std::mem::take(&mut self.unwritten);
                if let Some(memories) = changes.memories {
                    self.written = Some((memories, Instant::now()));
                }
                self.note_success();
                Ok(())
            }
            Err(error) => {
                self.ledger = None;
                self.note_failure(error.why());
                Err(error.why().to_owned())
            }
        }
    }

    /// Opens the file; gives what is in it. In one that was lost meanwhile, everything that holds is written again. One that nobody
    /// could read at start is moved aside: overrides in it do not hold, and what is written now would mix with them.
    fn open(&mut self) -> Result<Recalled, LedgerError> {
        let now_s = unix_ms() / 1000;
        let (mut ledger, mut recalled) = Ledger::open_or_replace(&self.path, now_s)?;
        if self.is_unread && recalled != Recalled::default() {
            drop(ledger);
            move_aside(&self.path, now_s, "it could not be read when the server was started")?;
            (ledger, recalled) = Ledger::open_or_replace(&self.path, now_s)?;
        }
        self.is_unread = false;
        self.ledger = Some(ledger);
        if self.unwritten.overrides.is_none() {
            self.unwritten.overrides = self.overrides.clone();
        }
        self.written = None;
        Ok(recalled)
    }

    /// Writes what is unwritten to the file, which is opened if it is not.
    fn write(&mut self) -> Result<(), LedgerError> {
        if self.ledger.is_none() {
            self.open()?;
        }
        match &self.ledger {
            Some(ledger) if !self.unwritten.is_empty() => ledger.write(&self.unwritten),
            _ => Ok(()),
        }
    }

    fn note_success(&mut self) {
        if self.standing.unpersisted.swap(None).is_some() {
            tracing::info!(path = %self.path.display(), "the state directory is written again");
            self.told = None;
        }
    }

    fn note_failure(&mut self, why: &str) {
        self.standing.note_failure(why);
        let quiet = Duration::from_secs(STATE_LOG_SECONDS);
        if self.told.is_none_or(|told| told.elapsed() >= quiet) {
            self.told = Some(Instant::now());
            tracing::error!(
                path = %self.path.display(),
                "what is known of health, overrides and events is kept in memory only: {why}"
            );
        }
    }
}

#[cfg(test)]
mod tests;
