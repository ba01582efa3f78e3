//! The server's own file, `meridian.toml`: read like a zone file, so that its mistakes are explained in the same way.
//!
//! Every setting may be absent; flags and environment variables come before it, defaults after it.

mod health;
mod places;
mod url;
mod webhooks;

pub use health::HealthSettings;
pub use url::WebhookUrl;
pub use webhooks::{WebhookKind, WebhookSettings};

use std::net::SocketAddr;
use std::path::PathBuf;

use ipnet::IpNet;

use super::Source;
use super::diagnostic::{Diagnostic, Findings};
use super::expectation::Share;
use super::reader::{Spanned, Table, Value};
use super::syntax;
use super::value::{closest, parse_share};
use crate::geo::Override;
use crate::limits::{IDENTITY_OCTETS, WORKERS};

/// How UDP and TCP are served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Io {
    /// Our own workers on batched system calls.
    Sockets,
    /// `hickory-server`, where those calls are not to be had.
    Hickory,
}

/// What the settings file says. Paths are as written; a relative one is relative to where the server was started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// The directory of the zone files.
    pub zones: Option<PathBuf>,
    /// Where DNS is served, UDP and TCP.
    pub listen: Option<Vec<SocketAddr>>,
    /// Where the API, the dashboard and the metrics are.
    pub admin: Option<SocketAddr>,
    /// The database of places.
    pub geodb: Option<PathBuf>,
    /// The database of autonomous systems.
    pub asndb: Option<PathBuf>,
    /// What is known better than the databases do, each network once.
    pub overrides: Vec<(IpNet, Override)>,
    /// Clients who may have an answer explained in the answer; none if it is empty.
    pub explain_to: Vec<IpNet>,
    /// A reload that changes a larger share of answers is refused.
    pub max_change: Option<Share>,
    /// Where serials are kept over a restart.
    pub state: Option<PathBuf>,
    pub io: Option<Io>,
    /// UDP workers per address, 1 to [`WORKERS`].
    pub workers: Option<usize>,
    /// Whether a zone file that is refused keeps the server from starting.
    pub strict: Option<bool>,
    /// Which server this is, told to those who ask: 1 to [`IDENTITY_OCTETS`] octets.
    pub identity: Option<String>,
    /// Whether the version is told to those who ask.
    pub show_version: Option<bool>,
    /// How far probes are trusted, and what they may reach.
    pub health: HealthSettings,
    /// Who is told what happens to health, each under a name of its own.
    pub webhooks: Vec<WebhookSettings>,
}

const NOTES: &[(&str, &str)] = &[
    ("asndb", "in the settings file it is `asn` of [geo]"),
    ("asn", "it belongs into [geo]"),
    ("overrides", "they belong into [geo]"),
    ("webhooks", "each webhook has its own table: [[webhook]]"),
    ("sentinels", "they belong into [health]"),
    ("guard", "it belongs into [health]"),
];

/// Reads the settings file.
///
/// # Errors
/// Everything that is wrong with it.
pub fn read_settings(source: &Source) -> Result<Settings, Vec<Diagnostic>> {
    let mut findings = Findings::new(source);
    let settings = match syntax::parse(source, &mut findings) {
        Some(tree) => {
            let mut table = Table::new("the settings", tree.get_ref());
            let settings = read(&mut table, &mut findings);
            table.finish(NOTES, &mut findings);
            settings
        }
        None => Settings::default(),
    };
    if findings.has_errors() { Err(findings.finish()) } else { Ok(settings) }
}

fn read(table: &mut Table<'_>, findings: &mut Findings<'_>) -> Settings {
    let geo = places::read_databases(table, findings);
    Settings {
        zones: read_path(table, "zones", findings),
        listen: table.take("listen").map(|item| read_addresses(&item.value, findings)),
        admin: table.take("admin").and_then(|item| {
            let text = item.value.string(ADDRESS, findings)?;
            read_address(&text, findings)
        }),
        geodb: geo.database,
        asndb: geo.asn,
        overrides: geo.overrides,
        explain_to: table
            .take("explain_to")
            .map(|item| places::read_networks(&item.value, findings))
            .unwrap_or_default(),
        max_change: table.take("max_change").and_then(|item| read_change(&item.value, findings)),
        state: read_path(table, "state", findings),
        io: table.take("io").and_then(|item| read_io(&item.value, findings)),
        workers: table.take("workers").and_then(|item| read_workers(&item.value, findings)),
        strict: table.take("strict").and_then(|item| item.value.boolean(findings)),
        identity: table.take("identity").and_then(|item| read_identity(&item.value, findings)),
        show_version: table.take("show_version").and_then(|item| item.value.boolean(findings)),
        health: health::read_health(table, findings),
        webhooks: webhooks::read_webhooks(table, findings),
    }
}

const ADDRESS: &str = "an address with a port such as \"127.0.0.1:5300\"";

fn read_path(
    table: &mut Table<'_>,
    key: &'static str,
    findings: &mut Findings<'_>,
) -> Option<PathBuf> {
    let item = table.take(key)?;
    let text = item.value.string("a path such as \"./zones\"", findings)?;
    if text.value.is_empty() || text.value.contains('\0') {
        findings.error(text.span, format!("`{key}` is no path"));
        return None;
    }
    Some(PathBuf::from(text.value))
}

fn read_addresses(value: &Value<'_>, findings: &mut Findings<'_>) -> Vec<SocketAddr> {
    let texts = value.strings(ADDRESS, findings);
    let mut addresses: Vec<SocketAddr> = Vec::with_capacity(texts.len());
    for text in texts {
        let Some(address) = read_address(&text, findings) else {
            continue;
        };
        if addresses.contains(&address) && address.port() != 0 {
            findings.error(text.span, format!("`{address}` stands here twice"));
        }
        addresses.push(address);
    }
    addresses
}

fn read_address(text: &Spanned<&str>, findings: &mut Findings<'_>) -> Option<SocketAddr> {
    let typed = text.value;
    if let Ok(address) = typed.parse() {
        return Some(address);
    }
    let help = match typed.parse::<std::net::IpAddr>() {
        Ok(address) => format!("add the port: \"{}\"", SocketAddr::new(address, 53)),
        Err(_) => match typed.strip_prefix(':') {
            Some(port) => format!("for all addresses write \"0.0.0.0:{port}\" and \"[::]:{port}\""),
            None => {
                "write an IP address, not a name: \"192.0.2.1:53\" or \"[2001:db8::1]:53\"".into()
            }
        },
    };
    let message = format!("`{typed}` is no address with a port");
    findings.error(text.span.clone(), message).help(help);
    None
}

fn read_change(value: &Value<'_>, findings: &mut Findings<'_>) -> Option<Share> {
    let text = value.string("a share of the answers such as \"30%\"", findings)?;
    match parse_share(text.value) {
        Ok(share) => Some(share),
        Err(error) => {
            let message = format!("`{}` must be a share such as \"30%\"", value.name);
            findings.error(text.span, message).label(error.message).help_if(error.help);
            None
        }
    }
}

fn read_io(value: &Value<'_>, findings: &mut Findings<'_>) -> Option<Io> {
    match value.as_str() {
        Some("sockets") => Some(Io::Sockets),
        Some("hickory") => Some(Io::Hickory),
        other => {
            let guess = other.and_then(|text| closest(text, ["sockets", "hickory"]));
            let help = guess.map(|guess| format!("did you mean \"{guess}\"?"));
            value.expected("\"sockets\" or \"hickory\"", findings).help_if(help);
            None
        }
    }
}

fn read_identity(value: &Value<'_>, findings: &mut Findings<'_>) -> Option<String> {
    let text = value.string("a name for this server such as \"ns1.fra\"", findings)?;
    if let Err(problem) = check_identity(text.value) {
        findings.error(text.span, format!("`identity` {problem}"));
        return None;
    }
    Some(text.value.to_owned())
}

/// Whether a text can be what a server calls itself.
///
/// # Errors
/// The rest of a sentence that begins with the name of the setting.
pub fn check_identity(text: &str) -> Result<(), String> {
    match text.len() {
        1..=IDENTITY_OCTETS if !text.chars().any(char::is_control) => Ok(()),
        1..=IDENTITY_OCTETS => Err("must not hold control characters".to_owned()),
        octets => Err(format!("must have 1 to {IDENTITY_OCTETS} octets, not {octets}")),
    }
}

fn read_workers(value: &Value<'_>, findings: &mut Findings<'_>) -> Option<usize> {
    let most = i64::try_from(WORKERS).unwrap_or(i64::MAX);
    value.integer(1..=most, findings).and_then(|count| usize::try_from(count).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Settings, Vec<Diagnostic>> {
        read_settings(&Source::new("meridian.toml", text, 0))
    }

    #[test]
    fn everything_may_be_absent_or_set() {
        assert_eq!(read("").unwrap(), Settings::default());
        let settings = read(
            "zones = \"z\"\nlisten = [\"127.0.0.1:53\", \"[::1]:0\"]\nadmin = \"127.0.0.1:8053\"\n\
             geodb = \"c.mmdb\"\nstate = \"/var/lib/meridian\"\nio = \"hickory\"\nworkers = 4\nstrict = true\n\
             identity = \"ns1\"\nshow_version = true\n",
        );
        let settings = settings.unwrap();
        assert_eq!(settings.listen.unwrap().len(), 2);
        assert_eq!(settings.io, Some(Io::Hickory));
        assert_eq!((settings.workers, settings.strict), (Some(4), Some(true)));
        assert_eq!(
            (settings.identity.as_deref(), settings.show_version),
            (Some("ns1"), Some(true))
        );
        assert_eq!(read("listen = \"127.0.0.1:53\"").unwrap().listen.unwrap().len(), 1);
    }

    #[test]
    fn databases_and_overrides_are_read() {
        let settings = read(
            "explain_to = [\"127.0.0.0/8\", \"::1/128\"]\nmax_change = \"30%\"\n[geo]\ndatabase = \"c.mmdb\"\n\
             asn = \"a.mmdb\"\n[geo.overrides]\n\"10.1.0.0/16\" = \"DE\"\n\"10.2.0.0/16\" = \"US-CA\"\n\
             \"192.168.0.0/16\" = { country = \"FR\", lat = 48.86, lon = 2.35, asn = 64500 }\n\
             \"192.168.1.0/24\" = { asn = 1 }\n",
        )
        .unwrap();
        assert_eq!(settings.geodb, Some("c.mmdb".into()));
        assert_eq!(settings.asndb, Some("a.mmdb".into()));
        assert_eq!((settings.explain_to.len(), settings.max_change), (2, Some(Share(3_000))));
        let shown: Vec<String> = settings
            .overrides
            .iter()
            .map(|(network, place)| {
                let Override { country, subdivision, coordinates, asn } = place;
                let text = |text: Option<String>| text.unwrap_or_default();
                let (country, subdivision) = (
                    text(country.map(|c| c.to_string())),
                    text(subdivision.map(|s| s.to_string())),
                );
                let (point, asn) = (
                    text(coordinates.map(|c| c.to_string())),
                    text(asn.map(|asn| asn.to_string())),
                );
                format!("{network} {country} {subdivision} {point} {asn}")
            })
            .collect();
        assert_eq!(
            shown,
            [
                "10.1.0.0/16 DE   ",
                "10.2.0.0/16 US US-CA  ",
                "192.168.0.0/16 FR  48.86, 2.35 AS64500",
                "192.168.1.0/24    AS1",
            ]
        );
    }

    #[test]
    fn mistakes_in_geo_are_explained() {
        for (text, message) in [
            ("geodb = \"a\"\ngeo.database = \"b\"", "the database is named twice"),
            ("geo.overrides.\"10.1.0.0/8\" = \"DE\"", "`10.1.0.0/8` has bits behind its length"),
            ("geo.overrides.\"10.0.0.0/8\" = \"UK\"", "`UK` is no country"),
            ("geo.overrides.\"10.0.0.0/8\" = \"US-\"", "`US-` is no subdivision"),
            (
                "geo.overrides.\"10.0.0.0/8\" = { country = \"DE\", subdivision = \"US-CA\" }",
                "US-CA is not in DE (Germany)",
            ),
            ("geo.overrides.\"10.0.0.0/8\" = { lat = 1 }", "the location has no `lon`"),
            ("geo.overrides.\"10.0.0.0/8\" = { city = 1 }", "unknown key `city` in the override"),
            (
                "[geo.overrides]\n\"fd00::/8\" = \"DE\"\n\"FD00::/8\" = \"DE\"",
                "the network fd00::/8 stands here twice",
            ),
            ("geo.geodb = \"a\"", "unknown key `geodb` in [geo]"),
            ("explain_to = [\"127.0.0.1\"]", "`127.0.0.1` is no network"),
            ("max_change = 30", "`max_change` must be a share of the answers such as \"30%\""),
            ("max_change = \"101%\"", "`max_change` must be a share such as \"30%\""),
        ] {
            let found = read(text).unwrap_err();
            assert_eq!(found[0].message, message, "{text}");
            assert_eq!(found.len(), 1, "{text}: {found:?}");
        }
    }

    #[test]
    fn mistakes_are_explained() {
        for (text, message, help) in [
            (
                "listen = \"127.0.0.1\"",
                "`127.0.0.1` is no address with a port",
                "add the port: \"127.0.0.1:53\"",
            ),
            (
                "listen = \":53\"",
                "`:53` is no address with a port",
                "for all addresses write \"0.0.0.0:53\" and \"[::]:53\"",
            ),
            ("workers = 0", "`workers` must be an integer from 1 to 256", ""),
            (
                "io = \"socket\"",
                "`io` must be \"sockets\" or \"hickory\"",
                "did you mean \"sockets\"?",
            ),
            ("strict = \"true\"", "`strict` must be true or false", "write true without quotes"),
            ("identity = \"\"", "`identity` must have 1 to 64 octets, not 0", ""),
            ("zones = \"\"", "`zones` is no path", ""),
            ("listen = []", "`listen` is empty", ""),
        ] {
            let found = read(text).unwrap_err();
            assert_eq!(found[0].message, message);
            assert_eq!(found[0].help.first().map_or("", |help| help), help, "{text}");
        }
        let found = read("listne = 1\nworkers = \"4\"\n").unwrap_err();
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].label, "did you mean `listen`?");
    }
}
