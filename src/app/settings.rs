//! Where every setting comes from: the command line, else the environment, else the settings file, else a default.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use ipnet::IpNet;

use crate::config::{self, Diagnostic, HealthSettings, Io, Share, Source, WebhookSettings};
use crate::geo::Override;
use crate::limits::WORKERS;
use crate::snapshot::Identity;
use crate::store::{self, StoreError};

/// The port that needs no privilege.
const DNS_PORT: u16 = 5300;
const ADMIN_PORT: u16 = 8053;

/// What is told of the version.
const VERSION: &str = concat!("meridian ", env!("CARGO_PKG_VERSION"));

/// What was typed on the command line or set in the environment; both are one to us, since clap reads both.
#[derive(Clone, Debug, Default)]
pub struct Typed {
    pub config: Option<PathBuf>,
    pub zones: Option<PathBuf>,
    /// Empty if none was given.
    pub listen: Vec<SocketAddr>,
    pub admin: Option<SocketAddr>,
    pub geodb: Option<PathBuf>,
    pub asndb: Option<PathBuf>,
    pub state: Option<PathBuf>,
    pub max_change: Option<Share>,
    /// The first start may change whatever it changes.
    pub accept_changes: bool,
    pub io: Option<Io>,
    pub workers: Option<usize>,
    pub strict: bool,
    pub identity: Option<String>,
    pub show_version: bool,
}

/// What holds.
#[derive(Clone, Debug)]
pub struct Settings {
    pub zones: PathBuf,
    pub listen: Vec<SocketAddr>,
    /// Nobody asked for these addresses: those that the machine lacks are left out.
    pub is_default_listen: bool,
    pub admin: SocketAddr,
    /// Nothing: the built-in database.
    pub geodb: Option<PathBuf>,
    /// Nothing: no client's autonomous system is known.
    pub asndb: Option<PathBuf>,
    /// What is known better than the databases do, each network once.
    pub overrides: Vec<(IpNet, Override)>,
    /// Where serials outlive the process, and where the control socket is. Nothing: they do not, and there is none.
    pub state: Option<PathBuf>,
    /// What gives a larger share of the clients of any name another answer is refused. Nothing: nothing is.
    pub max_change: Option<Share>,
    /// The start is not refused for that.
    pub accept_changes: bool,
    pub io: Io,
    /// UDP threads per listen address.
    pub workers: usize,
    pub strict: bool,
    pub identity: Identity,
    /// How far probes are trusted, and what they may reach.
    pub health: HealthSettings,
    /// Who is told what happens to health.
    pub webhooks: Vec<WebhookSettings>,
}

/// Why there are no settings.
#[derive(Debug)]
pub enum SettingsError {
    Store(StoreError),
    /// The file's mistakes, and its text to show them in.
    File {
        diagnostics: Vec<Diagnostic>,
        source: Source,
    },
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(error) => error.fmt(f),
            Self::File { diagnostics, source } => {
                let text_of = |path: &str| (path == source.path).then_some(source.text.as_str());
                f.write_str(config::render(diagnostics, text_of, false).trim_end())
            }
        }
    }
}

impl std::error::Error for SettingsError {}

impl Settings {
    /// The files of the geo databases.
    pub(super) fn geo_files(&self) -> Vec<PathBuf> {
        self.geodb.iter().chain(&self.asndb).cloned().collect()
    }

    /// Puts what was typed over the settings file, and that over the defaults.
    pub fn resolve(typed: Typed) -> Result<Self, SettingsError> {
        let file = typed.config.as_deref().map(read_file).transpose()?.unwrap_or_default();
        let listen = Some(typed.listen).filter(|listen| !listen.is_empty()).or(file.listen);
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Ok(Self {
            zones: typed.zones.or(file.zones).unwrap_or_else(|| "zones".into()),
            is_default_listen: listen.is_none(),
            listen: listen.unwrap_or_else(default_listen),
            admin: typed.admin.or(file.admin).unwrap_or_else(default_admin),
            geodb: typed.geodb.or(file.geodb),
            asndb: typed.asndb.or(file.asndb),
            overrides: file.overrides,
            state: typed.state.or(file.state),
            max_change: typed.max_change.or(file.max_change),
            accept_changes: typed.accept_changes,
            io: typed.io.or(file.io).unwrap_or(Io::Sockets),
            workers: typed.workers.or(file.workers).unwrap_or(cores).clamp(1, WORKERS),
            strict: typed.strict || file.strict.unwrap_or(false),
            identity: Identity {
                server: typed.identity.or(file.identity).map(String::into_boxed_str),
                version: (typed.show_version || file.show_version.unwrap_or(false))
                    .then(|| VERSION.into()),
                explains_to: file.explain_to.into(),
            },
            health: file.health,
            webhooks: file.webhooks,
        })
    }
}

fn read_file(path: &Path) -> Result<config::Settings, SettingsError> {
    let source = store::read_source(path).map_err(SettingsError::Store)?;
    config::read_settings(&source)
        .map_err(|diagnostics| SettingsError::File { diagnostics, source })
}

fn default_listen() -> Vec<SocketAddr> {
    [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)]
        .map(|address| SocketAddr::new(address, DNS_PORT))
        .into()
}

fn default_admin() -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), ADMIN_PORT)
}
