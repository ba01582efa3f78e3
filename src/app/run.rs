//! The life of a server process.

use std::fmt;
use std::io::{self, IsTerminal};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

use super::load::{LoadError, Loaded, read_database};
use super::settings::Settings;
use crate::admin::{Admin, Condition, Reload, router};
use crate::geo::Database;
use crate::health::{ProbeTarget, View};
use crate::limits::FIRST_ROUND_SECONDS;
use crate::probe::Prober;
use crate::serve::{Bound, Counters, ListenError, Server};
use crate::snapshot::{Generation, Handout, Ingredients, Live, Published, Snapshot};
use crate::store::StoreError;
use crate::sys::random_seed;
use crate::zone::CatalogFull;

/// Client subnets to try, in the United States, Germany and Japan.
const EXAMPLE_CLIENTS: [&str; 3] = ["8.8.8.0/24", "46.4.0.0/24", "133.11.0.0/24"];

/// Why the server does not run.
#[derive(Debug)]
pub enum ServeError {
    Store(StoreError),
    Database(LoadError),
    /// Zone files were refused, and `--strict` asked for all or nothing.
    Strict(usize),
    /// Every zone file was refused, and none of them told for which zone to answer SERVFAIL.
    Nothing,
    Catalog(CatalogFull),
    Listen(ListenError),
    Admin(SocketAddr, io::Error),
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
            Self::Catalog(error) => error.fmt(f),
            Self::Listen(error) => error.fmt(f),
            Self::Admin(address, error) => {
                write!(
                    f,
                    "can't listen on {address} for metrics and health: {error}\n  take another address with --admin"
                )
            }
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
pub async fn serve(settings: Settings) -> Result<(), ServeError> {
    let database = read_database(settings.geodb.as_deref()).map_err(ServeError::Database)?;
    log_database(&settings, &database);
    let loaded = Loaded::read(&settings.zones).map_err(ServeError::Store)?;
    eprint!("{}", loaded.render(is_styled()));
    if settings.strict && !loaded.rejected.is_empty() {
        return Err(ServeError::Strict(loaded.rejected.len()));
    }
    let refused = loaded.refused();
    if loaded.zones.is_empty() && refused.is_empty() {
        return Err(ServeError::Nothing);
    }
    let condition = Condition::default();
    let refusals = loaded.refusals();
    for refusal in &refusals {
        tracing::error!("zone file refused; its queries get SERVFAIL: {refusal}");
    }
    condition.update(|standing| standing.refused_zones = refusals);
    let snapshot = Snapshot::compile(Ingredients {
        zones: loaded.zones,
        refused: &refused,
        database: Arc::clone(&database),
        seed: random_seed()?,
        generation: Generation(1),
        previous: None,
    })
    .map_err(ServeError::Catalog)?;
    let bound = bind_all(&settings)?;
    let admin_listener = tokio::net::TcpListener::bind(settings.admin)
        .await
        .map_err(|error| ServeError::Admin(settings.admin, error))?;
    let admin_address = admin_listener.local_addr()?;

    let view = Arc::new(View::new(snapshot.targets.len()));
    let prober = Arc::new(Prober::start(&snapshot.targets, Arc::clone(&view), Arc::new(|_| {})));
    let published = Published::new(Live { snapshot: Arc::new(snapshot), view });
    let counters = Arc::new(Counters::default());
    let admin = Admin {
        published: published.clone(),
        counters: Arc::clone(&counters),
        condition: condition.clone(),
        prober: Arc::clone(&prober),
    };
    tokio::spawn(async move { axum::serve(admin_listener, router(Arc::new(admin))).await });
    await_first_round(&prober, &published.load().snapshot.targets).await;
    let addresses: Vec<SocketAddr> = bound.iter().map(Bound::address).collect();
    let server = Server::start(bound, settings.io, &published, &counters)?;
    condition.update(|standing| standing.is_serving = true);
    announce(&addresses, admin_address, &published.load().snapshot);
    let reloader = Reloader { settings, published, prober, condition, database };
    reloader.run_until_stopped().await?;
    server.stop();
    Ok(())
}

fn log_database(settings: &Settings, database: &Database) {
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
    match &settings.state {
        None => tracing::info!("no --state directory: nothing outlives this process"),
        Some(path) => {
            tracing::warn!(path = %path.display(), "this version keeps nothing in the --state directory")
        }
    }
}

fn bind_all(settings: &Settings) -> Result<Vec<Bound>, ServeError> {
    let bind =
        |address: &SocketAddr| Bound::bind(*address, settings.workers).map_err(ServeError::Listen);
    settings.listen.iter().map(bind).collect()
}

/// Waits until every endpoint was probed once, so that the first answers know who is up; but not for those that hang.
async fn await_first_round(prober: &Prober, targets: &[ProbeTarget]) {
    let patience = Duration::from_secs(FIRST_ROUND_SECONDS);
    if tokio::time::timeout(patience, prober.first_round()).await.is_err() {
        let pending = prober.statistics().iter().filter(|known| known.tally.total() == 0).count();
        let targets = targets.len();
        tracing::warn!(
            pending,
            targets,
            "serving before every endpoint answered its first probe; those count as up"
        );
    }
}

/// Prints what a newcomer needs next.
fn announce(addresses: &[SocketAddr], admin: SocketAddr, snapshot: &Snapshot) {
    use crate::zone::ZoneState;
    let zones = snapshot.catalog.zones();
    let served = zones.iter().filter(|zone| zone.state == ZoneState::Served).count();
    let mut text = format!("meridian {}\n", env!("CARGO_PKG_VERSION"));
    for address in addresses {
        text.push_str(&format!("  dns    {address} (UDP and TCP)\n"));
    }
    text.push_str(&format!("  admin  http://{admin}\n"));
    text.push_str(&format!("  zones  {served} served, {} refused\n", zones.len() - served));
    let name = routed_name(snapshot);
    if let (Some(name), Some(address)) = (name, addresses.first()) {
        text.push_str("\ntry:\n");
        for client in EXAMPLE_CLIENTS {
            let (ip, port) = (reachable(*address).ip(), address.port());
            text.push_str(&format!("  dig @{ip} -p {port} {name} +short +subnet={client}\n"));
        }
    }
    print!("{text}");
}

/// The address that reaches a listener from this machine.
fn reachable(address: SocketAddr) -> SocketAddr {
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

/// A name to try: one whose addresses depend on the client's place, if there is one.
fn routed_name(snapshot: &Snapshot) -> Option<String> {
    let name = snapshot
        .routed_names()
        .max_by_key(|(_, route)| (route.depends_on_place(), route.handout == Handout::Addresses));
    name.map(|(name, _)| name.to_string().trim_end_matches('.').to_owned())
}

/// Whether standard error takes colours (<https://no-color.org>).
pub(crate) fn is_styled() -> bool {
    io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// What a reload needs.
struct Reloader {
    settings: Settings,
    published: Published,
    prober: Arc<Prober>,
    condition: Condition,
    database: Arc<Database>,
}

impl Reloader {
    /// Reloads at each SIGHUP; ends at SIGTERM or SIGINT.
    async fn run_until_stopped(mut self) -> io::Result<()> {
        let mut hangup = signal(SignalKind::hangup())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        loop {
            tokio::select! {
                _ = hangup.recv() => self = tokio::task::spawn_blocking(move || { self.reload(); self }).await?,
                _ = terminate.recv() => return Ok(()),
                _ = interrupt.recv() => return Ok(()),
            }
        }
    }

    /// Takes over what the files say now, all of it or nothing.
    fn reload(&mut self) {
        self.reload_database();
        let refused = self.reload_zones().err();
        match &refused {
            None => {
                tracing::info!(generation = self.published.load().snapshot.generation.0, "reloaded")
            }
            Some(why) => tracing::error!("reload refused, what was served stays: {why}"),
        }
        self.condition.update(|standing| {
            if refused.is_none() {
                standing.refused_zones.clear();
            }
            standing.last_reload = Reload::now(refused);
        });
    }

    /// Reads the database file again. If that fails, the one in use stays, and an alarm is raised.
    fn reload_database(&mut self) {
        let Some(path) = self.settings.geodb.as_deref() else {
            return;
        };
        let result = read_database(Some(path));
        if let Err(error) = &result {
            tracing::error!("geo database refused, the one in use stays: {error}");
        }
        self.condition.update(|standing| {
            standing.geodb_refused = result.as_ref().err().map(ToString::to_string)
        });
        if let Ok(database) = result {
            self.database = database;
        }
    }

    fn reload_zones(&self) -> Result<(), String> {
        let loaded = Loaded::read(&self.settings.zones).map_err(|error| error.to_string())?;
        eprint!("{}", loaded.render(is_styled()));
        if !loaded.rejected.is_empty() {
            return Err(loaded.refusals().join("; "));
        }
        let live = self.published.load();
        let snapshot = Snapshot::compile(Ingredients {
            zones: loaded.zones,
            refused: &[],
            database: Arc::clone(&self.database),
            seed: random_seed().map_err(|error| error.to_string())?,
            generation: live.snapshot.generation.next(),
            previous: Some(&live.snapshot),
        })
        .map_err(|error| error.to_string())?;
        let view = Arc::new(View::new(snapshot.targets.len()));
        // The new view knows what the old one did before any query sees it.
        self.prober.replace(&snapshot.targets, Arc::clone(&view));
        self.published.swap(Live { snapshot: Arc::new(snapshot), view });
        Ok(())
    }
}
