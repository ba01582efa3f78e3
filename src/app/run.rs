//! Start and stop of a server process.

use std::collections::HashSet;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::{TcpListener, UnixListener};
use tokio::sync::mpsc;

use super::announce::announce;
use super::crash::end_at_panics;
use super::desk::Desk;
use super::guard::judge;
use super::load::{LoadError, Loaded, read_sources};
use super::operator::Operator;
use super::output::{complain, is_styled};
use super::recall::Past;
use super::reload::Reloader;
use super::serials::{Assigned, Serials, StateError};
use super::served;
use super::settings::Settings;
use super::signals::Signals;
use super::watch::Watch;
use crate::admin::{
    Admin, Condition, Control, ReloadOrder, bind_control, router, serve_admin, serve_control,
};
use crate::config::{HealthSettings, Source, compile_zones};
use crate::health::{Event, FleetSettings, Happening, View};
use crate::limits::{
    EVENTS_KEPT, EVENTS_PER_ANSWER, FIRST_ROUND_SECONDS, PROBES_IN_FLIGHT, SPARE_DESCRIPTORS,
    TCP_CONNECTIONS,
};
use crate::notify::{Notifier, Webhook, WebhookError};
use crate::probe::{Egress, Prober, ProberOptions};
use crate::serve::{Bound, Counters, ListenError, Server};
use crate::snapshot::{
    Generation, GeoSources, Ingredients, Live, Published, Snapshot, SnapshotError,
};
use crate::store::{Journal, State, StoreError};
use crate::sys::{LogLoss, raise_descriptor_limit, random_seed, return_freed_memory};

/// Why the server does not run.
#[derive(Debug)]
pub enum ServeError {
    Store(StoreError),
    Database(LoadError),
    /// Zone files were refused, and `--strict` asked for all or nothing.
    Strict(usize),
    /// Every zone file was refused, and none of them told for which zone to answer SERVFAIL.
    Nothing,
    Snapshot(SnapshotError),
    Listen(ListenError),
    /// The machine has none of the default addresses.
    NowhereToListen,
    Admin(SocketAddr, io::Error),
    State(StateError),
    Webhook(WebhookError),
    /// Too many clients would get another answer than from the server before.
    Change(String),
    Io(io::Error),
}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(error) => error.fmt(f),
            Self::Database(error) => {
                write!(
                    f,
                    "{error}\n  the server does not start on a database it can't read: repair it, or leave --geodb out to use the built-in one"
                )
            }
            Self::Strict(files) => write!(
                f,
                "{files} zone file(s) refused, and --strict was given: repair them, see above"
            ),
            Self::Nothing => f.write_str("every zone file was refused: repair them, see above"),
            Self::Snapshot(error) => error.fmt(f),
            Self::Listen(error) => error.fmt(f),
            Self::NowhereToListen => {
                f.write_str("this machine has no loopback address: name another with --listen")
            }
            Self::Admin(address, error) => {
                write!(
                    f,
                    "can't listen on {address} for metrics and health: {error}\n  take another address with --admin"
                )
            }
            Self::State(error) => error.fmt(f),
            Self::Webhook(error) => error.fmt(f),
            Self::Change(why) => write!(
                f,
                "{why}\n  that is how the files differ from what this state directory says was served last: start with --yes if it is meant"
            ),
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ServeError {}

impl From<io::Error> for ServeError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Serves until the process is told to stop.
pub async fn serve(settings: Settings, log_loss: LogLoss) -> Result<(), ServeError> {
    end_at_panics();
    let mut signals = Signals::install()?;
    let watch = Watch::new(settings.geo_files());
    let geo = read_sources(&settings).map_err(ServeError::Database)?;
    log_databases(&settings, &geo);
    let mut serials = Serials::open(settings.state.as_deref()).map_err(ServeError::State)?;
    let condition = Condition::default();
    let First { snapshot, assigned, sources } =
        first_snapshot(&settings, &serials, &geo, &condition)?;
    check_change(&settings, &geo, &snapshot)?;
    let control = bind_socket(&settings);
    return_freed_memory();
    let bound = bind_all(&settings)?;
    let listening = TcpListener::bind(settings.admin).await;
    let listener = listening.map_err(|error| ServeError::Admin(settings.admin, error))?;
    let admin_address = listener.local_addr()?;

    let notifier = Arc::new(start_notifier(&settings)?);
    let past = Past::recall(settings.state.as_deref());
    let addresses: Vec<SocketAddr> = bound.iter().map(Bound::address).collect();
    let own = addresses.iter().copied().chain([admin_address]).collect();
    let health = start_health(past, snapshot, &settings, own, &condition)?;
    tell(&notifier, &health.journal, &health.published.load().snapshot);
    let (published, prober) = (health.published.clone(), Arc::clone(&health.prober));
    let counters = Arc::new(Counters::default());
    let admin = Arc::new(Admin {
        published: published.clone(),
        counters: Arc::clone(&counters),
        condition: condition.clone(),
        prober: Arc::clone(&prober),
        notifier: Arc::clone(&notifier),
        journal: Arc::clone(&health.journal),
        state: health.state.clone(),
        log_loss,
    });
    tokio::spawn(serve_admin(listener, router(Arc::clone(&admin))));
    tokio::select! {
        () = await_first_round(&health) => {}
        () = signals.stop() => return Ok(()),
    }
    let server = Server::start(bound, settings.io, &published, &counters)?;
    serials.remember(assigned);
    keep_served(&settings, sources);
    condition.update(|standing| standing.is_serving = true);
    announce(&addresses, admin_address, &published.load().snapshot);
    let orders = take_orders(control, admin, &health);
    let desk = Arc::clone(&health.desk);
    Reloader {
        settings,
        published,
        prober,
        notifier,
        desk,
        condition,
        geo,
        watch,
        serials,
        orders,
    }
    .run_until_stopped(&mut signals)
    .await?;
    server.stop();
    health.close();
    Ok(())
}

/// What health is decided by and kept with.
struct Health {
    published: Published,
    prober: Arc<Prober>,
    desk: Arc<Desk>,
    journal: Arc<Journal>,
    state: Option<Arc<State>>,
    /// The view of the process before is good enough to begin with.
    is_remembered: bool,
    /// The next process is to have this one's.
    is_kept: bool,
}

impl Health {
    /// Writes down what the next start begins with.
    fn close(&self) {
        if let Some(state) = &self.state {
            // A prober that stands still at this moment has nothing better to tell than what was written last.
            state.close(if self.is_kept { self.prober.memories() } else { Some(Vec::new()) });
        }
    }
}

/// Starts probing, with what is remembered of health and of overrides.
fn start_health(
    past: Past,
    snapshot: Snapshot,
    settings: &Settings,
    own: Vec<SocketAddr>,
    condition: &Condition,
) -> Result<Health, ServeError> {
    let is_kept = settings.health.persist;
    let past = if is_kept { past } else { Past { memories: Vec::new(), ..past } };
    let is_remembered = past.knows_all(&snapshot.targets);
    let Past { state, journal, overrides, memories } = past;
    let view = Arc::new(snapshot.new_view());
    let desk = Desk::new(overrides, Arc::clone(&journal), state.clone(), condition.clone());
    let settings = &settings.health;
    let fleet = FleetSettings { guard: settings.guard, sentinels: settings.sentinels.clone() };
    let (egress, sink) = (egress(settings, own), sink(&journal, condition));
    let options = ProberOptions { egress, fleet, memories, sink, ..ProberOptions::default() };
    let prober = start_prober(&snapshot, &view, options)?;
    // Nobody is served yet.
    desk.publish(&snapshot, &view, || ());
    let published = Published::new(Live { snapshot: Arc::new(snapshot), view, is_stale: false });
    Ok(Health { published, prober, desk: Arc::new(desk), journal, state, is_remembered, is_kept })
}

/// Where the prober tells what happens: the journal, and those who ask how the server is doing. What the process before left open is
/// ended here: whoever is told of what holds would else hold it for ever.
fn sink(journal: &Arc<Journal>, condition: &Condition) -> Arc<dyn Fn(Happening) + Send + Sync> {
    let (journal, condition) = (Arc::clone(journal), condition.clone());
    let left_down = Mutex::new(end_what_is_open(&journal));
    Arc::new(move |what| {
        let Some(what) = as_news(what, &left_down) else { return };
        if matches!(what, Happening::ProberRestarted { .. }) {
            let standing = condition.read();
            let reason = "the prober was started anew".to_owned();
            if standing.guard_held.is_some() {
                journal.record(Happening::GuardReleased { reason });
            }
            if standing.blind.is_some() {
                journal.record(Happening::Sighted);
            }
            if standing.silent_sentinels.is_some() {
                journal.record(Happening::SentinelsHeard);
            }
        }
        if is_of_all(&what) {
            condition.update(|standing| standing.note(&what));
        }
        journal.record(what);
    })
}

/// What of it somebody has to hear. That a target of which nothing is known is up is what everybody expects, unless it was down when
/// the process before ended.
fn as_news(what: Happening, left_down: &Mutex<HashSet<Named>>) -> Option<Happening> {
    let Happening::Endpoint { target, pools, from, to, reason, streak } = what else {
        return Some(what);
    };
    let mut left_down = left_down.lock().unwrap_or_else(PoisonError::into_inner);
    // Its pools may be others by now.
    let was_down = pairs(&target, &pools).filter(|pair| left_down.remove(pair)).count() > 0;
    let from = match from.as_str() {
        "unknown" if to == "up" && !was_down => return None,
        "unknown" if to == "up" => "down".to_owned(),
        _ => from,
    };
    Some(Happening::Endpoint { target, pools, from, to, reason, streak })
}

/// A target as events name it, in one of its pools.
type Named = (String, String);

fn pairs<'n>(target: &'n str, pools: &'n [String]) -> impl Iterator<Item = Named> + use<'n> {
    pools.iter().map(|pool| (target.to_owned(), pool.clone()))
}

/// Ends what was held, blind or deaf when the process before ended, and gives the targets that were down.
fn end_what_is_open(journal: &Journal) -> HashSet<Named> {
    let (mut down, mut is_held, mut is_blind, mut is_deaf) = (HashSet::new(), false, false, false);
    for event in journal.latest(EVENTS_KEPT) {
        match &event.what {
            Happening::Endpoint { target, pools, to, .. } if to == "down" => {
                down.extend(pairs(target, pools));
            }
            Happening::Endpoint { target, pools, .. } => {
                for pair in pairs(target, pools) {
                    down.remove(&pair);
                }
            }
            Happening::GuardHeld { .. } => is_held = true,
            Happening::GuardReleased { .. } => is_held = false,
            Happening::Blind { .. } => is_blind = true,
            Happening::Sighted => is_blind = false,
            Happening::SentinelsSilent { .. } => is_deaf = true,
            Happening::SentinelsHeard => is_deaf = false,
            _ => {}
        }
    }
    if is_held {
        let reason = "the server was started again".to_owned();
        journal.record(Happening::GuardReleased { reason });
    }
    if is_blind {
        journal.record(Happening::Sighted);
    }
    if is_deaf {
        journal.record(Happening::SentinelsHeard);
    }
    down
}

/// Whether it is about the prober, and not about one endpoint.
fn is_of_all(what: &Happening) -> bool {
    !matches!(what, Happening::Endpoint { .. } | Happening::Certificate { .. })
}

/// What the first reading of the zones gives.
struct First {
    snapshot: Snapshot,
    assigned: Assigned,
    /// Of the zones that are served.
    sources: Vec<Source>,
}

/// Refuses to start if too much changed since the last time, as far as that is known.
fn check_change(
    settings: &Settings,
    geo: &GeoSources,
    snapshot: &Snapshot,
) -> Result<(), ServeError> {
    let (Some(limit), Some(directory)) = (settings.max_change, settings.state.as_deref()) else {
        return Ok(());
    };
    if settings.accept_changes {
        return Ok(());
    }
    let Some(sources) = served::recall(directory) else { return Ok(()) };
    let compiled = compile_zones(&sources);
    let strange = compiled.iter().filter(|compiled| compiled.is_err()).count();
    if strange > 0 {
        tracing::warn!(
            strange,
            "zone files that were served before can't be read any more, and are not compared"
        );
    }
    let zones = compiled.into_iter().filter_map(|compiled| Some(compiled.ok()?.0));
    let before = Snapshot::compile(Ingredients {
        zones: zones.collect(),
        refused: &[],
        geo,
        seed: random_seed()?,
        generation: Generation(0),
        identity: settings.identity.clone(),
        previous: Some(snapshot),
    });
    judge(limit, &before.map_err(ServeError::Snapshot)?, snapshot).map_err(ServeError::Change)
}

/// Keeps what is served, for the next start to compare with.
pub(super) fn keep_served(settings: &Settings, sources: Vec<Source>) {
    if let Some(directory) = settings.state.as_deref().filter(|_| keeps_served(settings)) {
        served::keep(directory, &sources);
        drop(sources);
        return_freed_memory();
    } else if let Some(directory) = &settings.state {
        // What was kept is older than what is served: nothing may be compared with it.
        served::forget(directory);
    }
}

/// Whether the next start will compare.
pub(super) fn keeps_served(settings: &Settings) -> bool {
    settings.max_change.is_some() && settings.state.is_some()
}

/// Makes the control socket, if there is a state directory. Without the socket there is still SIGHUP.
fn bind_socket(settings: &Settings) -> Option<UnixListener> {
    let directory = settings.state.as_deref()?;
    let bound = bind_control(directory).inspect_err(|error| {
        tracing::error!(
            directory = %directory.display(),
            "no control socket, `meridian reload` and `meridian depool` will not work: {error}"
        );
    });
    bound.ok()
}

/// Begins to take what operators ask for; gives the orders to reload.
fn take_orders(
    control: Option<UnixListener>,
    admin: Arc<Admin>,
    health: &Health,
) -> mpsc::Receiver<ReloadOrder> {
    let (reloads, reload_orders) = mpsc::channel(1);
    let (overrides, orders) = mpsc::channel(1);
    if let Some(listener) = control {
        tokio::spawn(serve_control(listener, Control { admin, reloads, overrides }));
    }
    let operator = Operator {
        desk: Arc::clone(&health.desk),
        published: health.published.clone(),
        prober: Arc::clone(&health.prober),
        state: health.state.clone().filter(|_| health.is_kept),
        orders,
        events: health.journal.listen(),
    };
    tokio::spawn(operator.run());
    reload_orders
}

/// Reads the zones for the first time. What is wrong is printed, and refused by name.
fn first_snapshot(
    settings: &Settings,
    serials: &Serials,
    geo: &GeoSources,
    condition: &Condition,
) -> Result<First, ServeError> {
    let mut loaded = Loaded::read(&settings.zones).map_err(ServeError::Store)?;
    loaded.compare_databases(geo);
    complain(&loaded.render(is_styled()));
    if settings.strict && !loaded.rejected.is_empty() {
        return Err(ServeError::Strict(loaded.rejected.len()));
    }
    let refused = loaded.refused();
    if loaded.zones.is_empty() && refused.is_empty() {
        return Err(ServeError::Nothing);
    }
    let refusals = loaded.refusals();
    for refusal in &refusals {
        tracing::error!("zone file refused; its queries get SERVFAIL: {refusal}");
    }
    condition.update(|standing| standing.refused_zones = refusals);
    let assigned = serials.assign(&mut loaded.zones);
    let sources = if keeps_served(settings) { loaded.take_served() } else { Vec::new() };
    let snapshot = Snapshot::compile(Ingredients {
        zones: loaded.zones,
        refused: &refused,
        geo,
        seed: random_seed()?,
        generation: Generation(1),
        identity: settings.identity.clone(),
        previous: None,
    });
    let snapshot = snapshot.map_err(ServeError::Snapshot)?;
    Ok(First { snapshot, assigned, sources })
}

/// Starts probing with as many sockets at once as leave enough for TCP clients.
fn start_prober(
    snapshot: &Snapshot,
    view: &Arc<View>,
    options: ProberOptions,
) -> io::Result<Arc<Prober>> {
    let descriptors = raise_descriptor_limit()?;
    let in_flight =
        descriptors.saturating_sub(TCP_CONNECTIONS + SPARE_DESCRIPTORS).clamp(16, PROBES_IN_FLIGHT);
    if in_flight < snapshot.targets.len().min(PROBES_IN_FLIGHT) {
        tracing::warn!(
            descriptors,
            in_flight,
            "fewer file descriptors than probes want: raise the limit (LimitNOFILE=, ulimit -n)"
        );
    }
    let options = ProberOptions { in_flight, ..options };
    Ok(Arc::new(Prober::start(snapshot.plan(), Arc::clone(view), options)?))
}

/// Where probes may be sent by a server that listens there.
fn egress(settings: &HealthSettings, own: Vec<SocketAddr>) -> Egress {
    let mut egress = Egress { own, ..Egress::default() };
    egress.deny.extend_from_slice(&settings.deny);
    egress.allow.extend_from_slice(&settings.allow);
    egress
}

/// Passes on what happens to those who want to be told: first what happened before, as far as it is remembered. The channel only
/// wakes: what there is to tell is read by its number, so that a burst that is too much for the channel loses nothing.
fn tell(notifier: &Arc<Notifier>, journal: &Arc<Journal>, snapshot: &Snapshot) {
    let mut events = journal.listen();
    let past = journal.latest(EVENTS_KEPT);
    let mut last = past.last().map_or(0, |event| event.number);
    notifier.resume(past.iter().map(|event| Event::clone(event)));
    retain_probed(notifier, snapshot);
    let (notifier, journal) = (Arc::clone(notifier), Arc::clone(journal));
    tokio::spawn(async move {
        while events.recv().await.is_some() {
            loop {
                let batch = journal.after(last, EVENTS_PER_ANSWER);
                let Some(newest) = batch.last() else { break };
                last = newest.number;
                batch.iter().for_each(|event| notifier.tell(event));
            }
        }
    });
}

/// Ends the alerts of what is not probed, or not for that pool.
pub(super) fn retain_probed(notifier: &Notifier, snapshot: &Snapshot) {
    let pairs = snapshot.plan().iter().flat_map(|(target, pools)| {
        let target = target.to_string();
        pools.iter().map(move |pool| (target.clone(), pool.to_string()))
    });
    let probed: HashSet<(String, String)> = pairs.collect();
    notifier.retain(|target, pool| probed.contains(&(target.to_owned(), pool.to_owned())));
}

/// Starts to tell webhooks; the journal of events feeds it.
fn start_notifier(settings: &Settings) -> Result<Notifier, ServeError> {
    let webhooks: Result<Vec<Webhook>, WebhookError> =
        settings.webhooks.iter().cloned().map(Webhook::open).collect();
    let webhooks = webhooks.map_err(ServeError::Webhook)?;
    let server = settings.identity.server.as_deref().map_or_else(host_name, str::to_owned);
    Ok(Notifier::start(webhooks, &server, random_seed()?))
}

/// What the machine is called, for those who gave the server no name.
fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    if name.trim().is_empty() { "meridian".to_owned() } else { name.trim().to_owned() }
}

fn log_databases(settings: &Settings, geo: &GeoSources) {
    let database = &geo.database;
    let (kind, built) = (database.kind(), database.build_epoch());
    let networks = database.ipv4_networks() + database.ipv6_networks();
    match &settings.geodb {
        Some(path) => {
            tracing::info!(path = %path.display(), kind, built, networks, "geo database read")
        }
        None => tracing::info!(
            kind,
            built,
            networks,
            "using the built-in country database: good for trying out, wrong here and there; name a current one with --geodb"
        ),
    }
    if let (Some(path), Some(asn)) = (&settings.asndb, &geo.asn) {
        let (kind, built) = (asn.kind(), asn.build_epoch());
        tracing::info!(path = %path.display(), kind, built, "database of autonomous systems read");
    }
}

fn bind_all(settings: &Settings) -> Result<Vec<Bound>, ServeError> {
    let mut bound = Vec::new();
    for &address in &settings.listen {
        match Bound::bind(address, settings.workers) {
            Ok(sockets) => bound.push(sockets),
            Err(error) if settings.is_default_listen && error.lacks_address() => {
                tracing::warn!(%address, "this machine has no such address; left out");
            }
            Err(error) => return Err(ServeError::Listen(error)),
        }
    }
    if bound.is_empty() { Err(ServeError::NowhereToListen) } else { Ok(bound) }
}

/// Waits until every endpoint was probed once, so that the first answers know who is up; but not for those that hang.
async fn await_first_round(health: &Health) {
    if health.is_remembered {
        return;
    }
    let prober = &health.prober;
    let patience = Duration::from_secs(FIRST_ROUND_SECONDS);
    if tokio::time::timeout(patience, prober.first_round()).await.is_err() {
        let statistics = prober.known();
        let pending = statistics.iter().filter(|known| known.tally.total() == 0).count();
        let targets = statistics.len();
        tracing::warn!(
            pending,
            targets,
            "serving before every endpoint answered its first probe; those count as up until it ends"
        );
    }
}
