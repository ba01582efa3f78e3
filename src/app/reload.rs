//! Reload: the next generation is made off to the side, and taken over whole or not at all.

use std::io;
use std::sync::Arc;

use tokio::sync::mpsc;

use super::desk::Desk;
use super::guard::judge;
use super::load::{Loaded, read_sources};
use super::log::complain_aside;
use super::output::is_styled;
use super::run::{keep_served, keeps_served, retain_probed};
use super::serials::Serials;
use super::settings::Settings;
use super::signals::{Request, Signals};
use super::watch::Watch;
use crate::admin::{Condition, Reload, ReloadOrder, ReloadReport, ReloadedZone};
use crate::config::CompiledZone;
use crate::notify::Notifier;
use crate::probe::Prober;
use crate::snapshot::{GeoSources, Ingredients, Live, Published, Snapshot};
use crate::sys::socket::WAKE_UP;
use crate::sys::{random_seed, return_freed_memory};

/// What a reload needs.
pub(super) struct Reloader {
    pub(super) settings: Settings,
    pub(super) published: Published,
    pub(super) prober: Arc<Prober>,
    pub(super) notifier: Arc<Notifier>,
    pub(super) desk: Arc<Desk>,
    pub(super) condition: Condition,
    /// The databases of the generation that is served.
    pub(super) geo: GeoSources,
    /// Notices when a database is replaced.
    pub(super) watch: Watch,
    pub(super) serials: Serials,
    /// What `meridian reload` asks for.
    pub(super) orders: mpsc::Receiver<ReloadOrder>,
}

/// What became of the database files.
enum Fresh {
    /// They were read, or there are none to read.
    Read(GeoSources),
    /// One can't be used; this says why.
    Refused(String),
}

/// Why there is something to do.
enum Cause {
    Signal,
    Order(ReloadOrder),
    /// A geo database was replaced.
    Databases,
}

/// What there is to do.
#[derive(Clone, Copy)]
enum Kind {
    Files { is_meant: bool },
    Databases,
}

impl Cause {
    fn kind(&self) -> Kind {
        match self {
            Self::Signal => Kind::Files { is_meant: false },
            Self::Order(order) => Kind::Files { is_meant: order.request.yes },
            Self::Databases => Kind::Databases,
        }
    }
}

/// Why zones are not taken over.
enum Refusal {
    /// They can't be served.
    Mistakes(String),
    /// They would move too many clients; nobody said that this is meant.
    Change(String),
}

impl Refusal {
    fn why(&self) -> &str {
        match self {
            Self::Mistakes(why) | Self::Change(why) => why,
        }
    }
}

impl From<String> for Refusal {
    fn from(why: String) -> Self {
        Self::Mistakes(why)
    }
}

impl Reloader {
    /// Reloads at each SIGHUP and when `meridian reload` asks for it, and takes over databases that were replaced; ends at SIGTERM
    /// or SIGINT.
    pub(super) async fn run_until_stopped(mut self, signals: &mut Signals) -> io::Result<()> {
        loop {
            let cause = tokio::select! {
                request = signals.next() => match request {
                    Request::Reload => Cause::Signal,
                    Request::Stop => return Ok(()),
                },
                Some(order) = self.orders.recv() => Cause::Order(order),
                () = self.watch.changed() => Cause::Databases,
            };
            let kind = cause.kind();
            let reloading = tokio::task::spawn_blocking(move || {
                let report = match kind {
                    Kind::Files { is_meant } => Some(self.reload(is_meant)),
                    Kind::Databases => {
                        self.renew_databases();
                        None
                    }
                };
                (self, report)
            });
            let report = tokio::select! {
                reloaded = reloading => {
                    let (reloader, report) = reloaded?;
                    self = reloader;
                    report
                }
                // The rest of the reload is nobody's any more.
                () = signals.stop() => return Ok(()),
            };
            if let (Cause::Order(order), Some(report)) = (cause, report) {
                // Whoever asked may have gone.
                let _ = order.reply.send(report);
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
        if let Some(limit) = self.settings.max_change {
            judge(limit, &live.snapshot, &snapshot)
                .map_err(|why| format!("{why}; {}", self.way_out()))?;
        }
        let (view, is_stale) = (Arc::clone(&live.view), live.is_stale);
        let (kind, built) = (geo.database.kind(), geo.database.build_epoch());
        tracing::info!(kind, built, generation = snapshot.generation.0, "geo database replaced");
        retire(self.published.swap(Live { snapshot, view, is_stale }));
        self.geo = geo;
        Ok(())
    }

    /// Takes over what the files say now. Zones are all or nothing; a database that can't be used leaves the one before in
    /// place, with an alarm. `is_meant` is whether any change is.
    fn reload(&mut self, is_meant: bool) -> ReloadReport {
        self.watch.note();
        let fresh = self.read_databases();
        let geo = match &fresh {
            Fresh::Read(geo) => geo.clone(),
            Fresh::Refused(why) => {
                tracing::error!("geo database refused, the one in use stays: {why}");
                self.geo.clone()
            }
        };
        let reloaded = self.reload_zones(&geo, is_meant);
        match &reloaded {
            Ok(_) => {
                tracing::info!(
                    generation = self.published.load().snapshot.generation.0,
                    "reloaded"
                );
                self.geo = geo;
            }
            Err(refusal) => {
                tracing::error!("reload refused, what was served stays: {}", refusal.why());
                // What a guard holds back is not known to be wanted: what is served is no older than its owner's word.
                if matches!(refusal, Refusal::Mistakes(_)) {
                    self.mark_stale();
                }
            }
        }
        let geodb_refused = match (fresh, &reloaded) {
            (Fresh::Refused(why), _) => Some(why),
            (Fresh::Read(_), Err(refusal)) if !self.settings.geo_files().is_empty() => {
                Some(match refusal {
                    Refusal::Mistakes(_) => {
                        "it was read, and waits for zone files without mistakes".to_owned()
                    }
                    Refusal::Change(_) => {
                        "it was read, and waits for a reload that is taken over".to_owned()
                    }
                })
            }
            (Fresh::Read(_), _) => None,
        };
        self.note(reloaded.as_ref().err(), geodb_refused.clone());
        match reloaded {
            Ok(zones) => {
                let generation = self.published.load().snapshot.generation.0;
                ReloadReport::Reloaded { generation, zones, geodb_refused }
            }
            Err(refusal) => ReloadReport::Refused {
                why: refusal.why().to_owned(),
                is_forcible: matches!(refusal, Refusal::Change(_)),
            },
        }
    }

    /// What to do if a change that was held back is meant.
    fn way_out(&self) -> String {
        match &self.settings.state {
            Some(state) => {
                format!("if that is meant: meridian reload --yes --state {}", state.display())
            }
            None => {
                "if that is meant, start again: without --state nothing is compared then".to_owned()
            }
        }
    }

    /// Lets `/ready` and the metrics know how a reload ended.
    fn note(&self, refusal: Option<&Refusal>, geodb_refused: Option<String>) {
        self.condition.update(|standing| {
            match refusal {
                None => standing.refused_zones.clear(),
                Some(Refusal::Mistakes(_)) => standing.refusals.mistakes += 1,
                Some(Refusal::Change(_)) => standing.refusals.change += 1,
            }
            standing.geodb_refused = geodb_refused;
            standing.last_reload = Reload::now(refusal.map(|refusal| refusal.why().to_owned()));
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

    /// Gives the zones that are served from now on.
    fn reload_zones(
        &mut self,
        geo: &GeoSources,
        is_meant: bool,
    ) -> Result<Vec<ReloadedZone>, Refusal> {
        let mut loaded = Loaded::read(&self.settings.zones).map_err(|error| error.to_string())?;
        loaded.compare_databases(geo);
        complain_aside(loaded.render(is_styled()));
        if !loaded.rejected.is_empty() {
            return Err(loaded.refusals().join("; ").into());
        }
        let assigned = self.serials.assign(&mut loaded.zones);
        let sources = if keeps_served(&self.settings) { loaded.take_served() } else { Vec::new() };
        let zones = loaded.zones.iter().map(describe).collect();
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
        if let Some(limit) = self.settings.max_change.filter(|_| !is_meant) {
            judge(limit, &live.snapshot, &snapshot)
                .map_err(|why| Refusal::Change(format!("{why}; {}", self.way_out())))?;
        }
        let view = Arc::new(snapshot.new_view());
        // The new view knows what the old one did before any query sees it.
        self.prober.replace(snapshot.plan(), Arc::clone(&view));
        retain_probed(&self.notifier, &snapshot);
        let live = Live { snapshot: Arc::new(snapshot), view, is_stale: false };
        let (snapshot, view) = (Arc::clone(&live.snapshot), Arc::clone(&live.view));
        retire(self.desk.publish(&snapshot, &view, || self.published.swap(live)));
        self.serials.remember(assigned);
        keep_served(&self.settings, sources);
        Ok(zones)
    }
}

fn describe(zone: &CompiledZone) -> ReloadedZone {
    ReloadedZone {
        zone: zone.apex.to_string(),
        // Every zone that compiles has an SOA.
        serial: zone.serial().map_or(0, |serial| serial.0),
        names: zone.names.len(),
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
