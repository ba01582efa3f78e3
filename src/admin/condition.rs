//! How the server is doing as a whole: what `/ready` says, and what an operator should look at.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;

use super::control::HeldOverride;
use crate::health::Happening;

/// The outcome of the last reload.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reload {
    /// Why it was refused; nothing if it was not.
    pub refused: Option<String>,
    /// When it ended, in seconds of Unix time; 0 before the first.
    pub at: u64,
}

/// How many reloads were refused, by what was wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Refusals {
    /// Files that can't be served.
    pub mistakes: u64,
    /// Too many clients would have got another answer.
    pub change: u64,
}

/// One state of affairs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Queries are answered.
    pub is_serving: bool,
    /// Zones whose files were refused at start, and why in short.
    pub refused_zones: Vec<String>,
    pub last_reload: Reload,
    /// Since the start.
    pub refusals: Refusals,
    /// Why the geo database on disk could not be used; the one from before serves on.
    pub geodb_refused: Option<String>,
    /// Why the prober holds the last view instead of what it observes.
    pub guard_held: Option<String>,
    /// How many sentinels there are, of which none answers.
    pub silent_sentinels: Option<u32>,
    /// Why probes learn nothing.
    pub blind: Option<String>,
    /// What operators have set, the oldest first.
    pub overrides: Arc<[HeldOverride]>,
}

impl Standing {
    /// What keeps the server from being as it should be; empty if all is well.
    pub fn reasons(&self) -> Vec<String> {
        let reload = self
            .last_reload
            .refused
            .as_ref()
            .map(|why| format!("the last reload was refused: {why}"));
        let geodb =
            self.geodb_refused.as_ref().map(|why| format!("the geo database was refused: {why}"));
        let zones = self.refused_zones.iter().map(|zone| format!("refused at start: {zone}"));
        let guard = self.guard_held.as_ref().map(|why| format!("the last health is held: {why}"));
        let blind = self.blind.as_ref().map(|why| format!("probes learn nothing: {why}"));
        let silent =
            self.silent_sentinels.map(|count| format!("none of {count} sentinels answers"));
        zones.chain(reload).chain(geodb).chain(guard).chain(blind).chain(silent).collect()
    }

    /// Takes in what happened to health as a whole.
    pub fn note(&mut self, what: &Happening) {
        match what {
            Happening::GuardHeld { reason, .. } => self.guard_held = Some(reason.clone()),
            Happening::GuardReleased { .. } => self.guard_held = None,
            Happening::Blind { reason, .. } => self.blind = Some(reason.clone()),
            Happening::Sighted => self.blind = None,
            Happening::SentinelsSilent { sentinels } => self.silent_sentinels = Some(*sentinels),
            Happening::SentinelsHeard => self.silent_sentinels = None,
            _ => {}
        }
    }
}

/// The state of affairs, as the one who changes it and those who read it share it.
#[derive(Clone, Debug, Default)]
pub struct Condition {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    standing: ArcSwap<Standing>,
    /// Held by who changes it: the reloader, the prober, and who keeps the overrides.
    change: Mutex<()>,
}

impl Condition {
    /// What holds now.
    pub fn read(&self) -> Arc<Standing> {
        self.shared.standing.load_full()
    }

    /// Changes what holds. The change must not wait for anything.
    pub fn update(&self, change: impl FnOnce(&mut Standing)) {
        let _changing = self.shared.change.lock().unwrap_or_else(PoisonError::into_inner);
        let mut standing = Standing::clone(&self.shared.standing.load());
        change(&mut standing);
        self.shared.standing.store(Arc::new(standing));
    }
}

impl Reload {
    /// A reload that ended now.
    pub fn now(refused: Option<String>) -> Self {
        let at = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |age| age.as_secs());
        Self { refused, at }
    }
}
