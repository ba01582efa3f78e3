//! Reload: the next generation is made off to the side, and taken over whole or not at all.

use std::io;
use std::sync::Arc;

use super::load::{Loaded, read_sources};
use super::output::{complain, is_styled};
use super::serials::Serials;
use super::settings::Settings;
use super::signals::{Request, Signals};
use super::watch::Watch;
use crate::admin::{Condition, Reload};
use crate::health::View;
use crate::probe::Prober;
use crate::snapshot::{GeoSources, Ingredients, Live, Published, Snapshot};
use crate::sys::socket::WAKE_UP;
use crate::sys::{random_seed, return_freed_memory};

/// What a reload needs.
pub(super) struct Reloader {
    pub(super) settings: Settings,
    pub(super) published: Published,
    pub(super) prober: Arc<Prober>,
    pub(super) condition: Condition,
    /// The databases of the generation that is served.
    pub(super) geo: GeoSources,
    /// Notices when a database is replaced.
    pub(super) watch: Watch,
    pub(super) serials: Serials,
}

/// What became of the database files.
enum Fresh {
    /// They were read, or there are none to read.
    Read(GeoSources),
    /// One can't be used; this says why.
    Refused(String),
}

impl Reloader {
    /// Reloads at each SIGHUP, and takes over databases that were replaced; ends at SIGTERM or SIGINT.
    pub(super) async fn run_until_stopped(mut self, signals: &mut Signals) -> io::Result<()> {
        loop {
            let is_asked = tokio::select! {
                request = signals.next() => match request {
                    Request::Reload => true,
                    Request::Stop => return Ok(()),
                },
                () = self.watch.changed() => false,
            };
            let reloading = tokio::task::spawn_blocking(move || {
                if is_asked {
                    self.reload()
                } else {
                    self.renew_databases()
                };
                self
            });
            tokio::select! {
                reloaded = reloading => self = reloaded?,
                // The rest of the reload is nobody's any more.
                () = signals.stop() => return Ok(()),
            }
        }
    }

    /// Takes over databases that were replaced, for the zones as they are served: what their files say by now is not asked for.
    fn renew_databases(&mut self) {
        let why = match self.read_databases() {
            Fresh::Read(geo) => self.take_over(geo).err(),
            Fresh::Refused(why) => Some(why),
        };
        if let Some(why) = &why {
            tracing::error!("geo database refused, the one in use stays: {why}");
        }
        self.condition.update(|standing| standing.geodb_refused = why);
    }

    fn take_over(&mut self, geo: GeoSources) -> Result<(), String> {
        let live = self.published.load();
        let missing = geo.missing(live.snapshot.routings().map(|zone| &*zone.named));
        if let Some(what) = missing {
            return Err(format!("it has no {what}, which the zones ask for"));
        }
        let next = live.snapshot.over(&geo, live.snapshot.generation.next());
        let snapshot = Arc::new(next.map_err(|error| error.to_string())?);
        let (view, is_stale) = (Arc::clone(&live.view), live.is_stale);
        let (kind, built) = (geo.database.kind(), geo.database.build_epoch());
        tracing::info!(kind, built, generation = snapshot.generation.0, "geo database replaced");
        retire(self.published.swap(Live { snapshot, view, is_stale }));
        self.geo = geo;
        Ok(())
    }

    /// Takes over what the files say now. Zones are all or nothing; a database that can't be used leaves the one before in
    /// place, with an alarm.
    fn reload(&mut self) {
        self.watch.note();
        let fresh = self.read_databases();
        let geo = match &fresh {
            Fresh::Read(geo) => geo.clone(),
            Fresh::Refused(why) => {
                tracing::error!("geo database refused, the one in use stays: {why}");
                self.geo.clone()
            }
        };
        let refused = self.reload_zones(&geo).err();
        match &refused {
            None => {
                tracing::info!(
                    generation = self.published.load().snapshot.generation.0,
                    "reloaded"
                );
                self.geo = geo;
            }
            Some(why) => {
                tracing::error!("reload refused, what was served stays: {why}");
                self.mark_stale();
            }
        }
        let geodb_refused = match (fresh, &refused) {
            (Fresh::Refused(why), _) => Some(why),
            (Fresh::Read(_), Some(_)) if !self.settings.geo_files().is_empty() => {
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

    fn read_databases(&self) -> Fresh {
        if self.settings.geo_files().is_empty() {
            return Fresh::Read(self.geo.clone());
        }
        match read_sources(&self.settings) {
            Ok(geo) => Fresh::Read(geo),
            Err(error) => Fresh::Refused(error.to_string()),
        }
    }

    fn reload_zones(&mut self, geo: &GeoSources) -> Result<(), String> {
        let mut loaded = Loaded::read(&self.settings.zones).map_err(|error| error.to_string())?;
        loaded.compare_databases(geo);
        complain(&loaded.render(is_styled()));
        if !loaded.rejected.is_empty() {
            return Err(loaded.refusals().join("; "));
        }
        let assigned = self.serials.assign(&mut loaded.zones);
        let live = self.published.load();
        let snapshot = Snapshot::compile(Ingredients {
            zones: loaded.zones,
            refused: &[],
            geo,
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
