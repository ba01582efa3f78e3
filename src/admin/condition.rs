//! How the server is doing as a whole: what `/ready` says, and what an operator should look at.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;

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
        zones.chain(reload).chain(geodb).collect()
    }
}

/// The state of affairs, as the one who changes it and those who read it share it.
#[derive(Clone, Debug, Default)]
pub struct Condition {
    standing: Arc<ArcSwap<Standing>>,
}

impl Condition {
    /// What holds now.
    pub fn read(&self) -> Arc<Standing> {
        self.standing.load_full()
    }

    /// Changes what holds. One task does this: start-up first, reloads after it.
    pub fn update(&self, change: impl FnOnce(&mut Standing)) {
        let mut standing = Standing::clone(&self.standing.load());
        change(&mut standing);
        self.standing.store(Arc::new(standing));
    }
}

impl Reload {
    /// A reload that ended now.
    pub fn now(refused: Option<String>) -> Self {
        let at = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |age| age.as_secs());
        Self { refused, at }
    }
}
