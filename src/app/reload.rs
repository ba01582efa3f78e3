//! Reload: the next generation is made off to the side, and taken over whole or not at all.

use std::io;
use std::sync::Arc;

use super::load::{Loaded, read_database};
use super::output::{complain, is_styled};
use super::serials::Serials;
use super::settings::Settings;
use super::signals::{Request, Signals};
use crate::admin::{Condition, Reload};
use crate::geo::Database;
use crate::health::View;
use crate::probe::Prober;
use crate::snapshot::{Ingredients, Live, Published, Snapshot};
use crate::sys::socket::WAKE_UP;
use crate::sys::{random_seed, return_freed_memory};

/// What a reload needs.
pub(super) struct Reloader {
    pub(super) settings: Settings,
    pub(super) published: Published,
    pub(super) prober: Arc<Prober>,
    pub(super) condition: Condition,
    /// The database of the generation that is served.
    pub(super) database: Arc<Database>,
    pub(super) serials: Serials,
}

/// What became of the database file.
enum Fresh {
    /// It was read, or there is none to read.
    Read(Arc<Database>),
    /// It can't be used; this says why.
    Refused(String),
}

impl Reloader {
    /// Reloads at each SIGHUP; ends at SIGTERM or SIGINT.
    pub(super) async fn run_until_stopped(mut self, signals: &mut Signals) -> io::Result<()> {
        while signals.next().await == Request::Reload {
            let reloading = tokio::task::spawn_blocking(move || {
                self.reload();
                self
            });
            tokio::select! {
                reloaded = reloading => self = reloaded?,
                // The rest of the reload is nobody's any more.
                () = signals.stop() => return Ok(()),
            }
        }
        Ok(())
    }

    /// Takes over what the files say now. Zones are all or nothing; a database that can't be used leaves the one before in
    /// place, with an alarm.
    fn reload(&mut self) {
        let fresh = self.read_database();
        let database = match &fresh {
            Fresh::Read(database) => Arc::clone(database),
            Fresh::Refused(_) => Arc::clone(&self.database),
        };
        let refused = self.reload_zones(&database).err();
        match &refused {
            None => {
                tracing::info!(
                    generation = self.published.load().snapshot.generation.0,
                    "reloaded"
                );
                self.database = database;
            }
            Some(why) => {
                tracing::error!("reload refused, what was served stays: {why}");
                self.mark_stale();
            }
        }
        let geodb_refused = match (fresh, &refused) {
            (Fresh::Refused(why), _) => Some(why),
            (Fresh::Read(_), Some(_)) if self.settings.geodb.is_some() => {
                Some("it was read, and waits for zone files without mistakes".to_owned())
            }
            (Fresh::Read(_), _) => None,
        };
        self.condition.update(|standing| {
            if refused.is_none() {
                standing.refused_zones.clear();
            }
            standing.geodb_refused = geodb_refused;
            standing.last_reload = Reload::now(refused);
        });
    }

    /// Lets every answer say that it comes from zone files that have changed since (RFC 8914 §4.4).
    fn mark_stale(&self) {
        let live = self.published.load();
        let (snapshot, view) = (Arc::clone(&live.snapshot), Arc::clone(&live.view));
        drop(self.published.swap(Live { snapshot, view, is_stale: true }));
    }

    fn read_database(&self) -> Fresh {
        let Some(path) = self.settings.geodb.as_deref() else {
            return Fresh::Read(Arc::clone(&self.database));
        };
        match read_database(Some(path)) {
            Ok(database) => Fresh::Read(database),
            Err(error) => {
                tracing::error!("geo database refused, the one in use stays: {error}");
                Fresh::Refused(error.to_string())
            }
        }
    }

    fn reload_zones(&mut self, database: &Arc<Database>) -> Result<(), String> {
        let mut loaded = Loaded::read(&self.settings.zones).map_err(|error| error.to_string())?;
        complain(&loaded.render(is_styled()));
        if !loaded.rejected.is_empty() {
            return Err(loaded.refusals().join("; "));
        }
        let assigned = self.serials.assign(&mut loaded.zones);
        let live = self.published.load();
        let snapshot = Snapshot::compile(Ingredients {
            zones: loaded.zones,
            refused: &[],
            database: Arc::clone(database),
            seed: random_seed().map_err(|error| error.to_string())?,
            generation: live.snapshot.generation.next(),
            identity: self.settings.identity.clone(),
            previous: Some(&live.snapshot),
        })
        .map_err(|error| error.to_string())?;
        let view = Arc::new(View::new(snapshot.targets.len()));
        // The new view knows what the old one did before any query sees it.
        self.prober.replace(&snapshot.targets, Arc::clone(&view));
        retire(self.published.swap(Live { snapshot: Arc::new(snapshot), view, is_stale: false }));
        self.serials.remember(assigned);
        Ok(())
    }
}

/// Holds on to what was served until the workers have let go of it. Whoever lets go last frees it, and a million names take
/// some tens of milliseconds to free: that must not be a worker.
fn retire(live: Arc<Live>) {
    tokio::spawn(async move {
        tokio::time::sleep(2 * WAKE_UP).await;
        // If the runtime ends before, so does the process.
        let freeing = tokio::task::spawn_blocking(move || {
            drop(live);
            return_freed_memory();
        });
        let _ = freeing.await;
    });
}
