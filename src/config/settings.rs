//! The server's own file, `meridian.toml`: read like a zone file, so that its mistakes are explained in the same way.
//!
//! Every setting may be absent; flags and environment variables come before it, defaults after it.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::Source;
use super::diagnostic::{Diagnostic, Findings};
use super::reader::{Spanned, Table, Value};
use super::syntax;
use super::value::closest;
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
    /// The country database.
    pub geodb: Option<PathBuf>,
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
}

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
            table.finish(&[], &mut findings);
            settings
        }
        None => Settings::default(),
    };
    if findings.has_errors() { Err(findings.finish()) } else { Ok(settings) }
}

fn read(table: &mut Table<'_>, findings: &mut Findings<'_>) -> Settings {
    Settings {
        zones: read_path(table, "zones", findings),
        listen: table.take("listen").map(|item| read_addresses(&item.value, findings)),
        admin: table.take("admin").and_then(|item| {
            let text = item.value.string(ADDRESS, findings)?;
            read_address(&text, findings)
        }),
        geodb: read_path(table, "geodb", findings),
        state: read_path(table, "state", findings),
        io: table.take("io").and_then(|item| read_io(&item.value, findings)),
        workers: table.take("workers").and_then(|item| read_workers(&item.value, findings)),
        strict: table.take("strict").and_then(|item| item.value.boolean(findings)),
        identity: table.take("identity").and_then(|item| read_identity(&item.value, findings)),
        show_version: table.take("show_version").and_then(|item| item.value.boolean(findings)),
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
