//! What can be typed. The help texts are the reference of the command line.

mod operate;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::BoolishValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::app::Typed;
use crate::config::{Io, Share, check_identity, parse_duration};

pub(super) use operate::{
    ConfirmArguments, ControlArguments, DepoolArguments, EventsArguments, HealthArguments,
    OverridesArguments, RepoolArguments, ReportArguments, StateArgument,
};

/// An authoritative GeoDNS server: answers by the client's place, by weights and by the health of the endpoints.
///
/// Without a command it serves the zones in ./zones.
#[derive(Debug, Parser)]
#[command(name = "meridian", version, args_conflicts_with_subcommands = true)]
#[command(after_help = "Example:\n  meridian --zones zones --listen 127.0.0.1:5300")]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub(super) command: Option<Command>,
    #[command(flatten)]
    pub(super) serve: ServeArguments,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Answer DNS queries, and probe the endpoints
    #[command(
        after_help = "Signals:\n  SIGHUP reloads zones and geo database, all or nothing, and so does `meridian reload`;\n  SIGTERM and SIGINT stop.\n\n\
        Logs go to standard error; RUST_LOG=debug tells more.\n\n\
        Example:\n  meridian serve --zones /etc/meridian/zones --listen 192.0.2.53:53 --listen '[2001:db8::53]:53'"
    )]
    Serve(ServeArguments),
    /// Check zone files, and say what is wrong and where
    #[command(
        after_help = "Exit code 0: every file can be served; 1: one can't.\n\nExample:\n  meridian check zones/fingerprint.toml"
    )]
    Check(CheckArguments),
    /// Say why a client gets the answer it gets
    #[command(
        after_help = "Works from the zone files alone, with every endpoint up but those under a --down; with --live a \
        running\nserver answers from the health it sees, but for what --down and --up say.\n\n\
        Examples:\n  meridian explain api.fingerprint.example.com A --client 46.4.0.1\n  \
        meridian explain api.fingerprint.example.com --ecs 2a01:4f8::/32 --down eu-west-1 --json\n  \
        meridian explain api.example.com --up us --at 90s"
    )]
    Explain(ExplainArguments),
    /// Say which share of the clients goes where, by pool and country
    #[command(
        after_help = "Reckoned from the zone files, exactly, with every endpoint up but those under a --down, and beside\nit with all up. \
        Without --weights a country weighs as much as it has addresses: no measure of traffic.\n\n\
        The file of --weights has lines `prefix,count` or `country,count`, both kinds may be mixed:\n  192.0.2.0/24,1200\n  DE,50000\n  unlocated,300\n\n\
        Examples:\n  meridian simulate\n  meridian simulate api.fingerprint.example.com --down us-east-1\n  \
        meridian simulate api.fingerprint.example.com AAAA --weights clients.csv --svg map.svg"
    )]
    Simulate(SimulateArguments),
    /// Say what other zone files would change, and for which share of the clients
    #[command(
        after_help = "Answers are compared by their records, with everything up: another name of a pool, another check\n\
        or another serial is no difference.\n\n\
        Exit code 0: no difference; 2: there is one; 1: an error.\n\n\
        Examples:\n  meridian diff /etc/meridian/zones zones\n  meridian diff old/example.com.toml zones/example.com.toml --json"
    )]
    Diff(DiffArguments),
    /// Have a running server read its files again, and wait until it serves them
    #[command(
        after_help = "Goes by the socket `control` in the server's --state directory. The server refuses what changes more\n\
        answers than its --max-change allows, unless --yes.\n\n\
        Exit code 0: the files are served; 1: they are not, and why.\n\n\
        Examples:\n  meridian reload --state /var/lib/meridian\n  meridian reload --state /var/lib/meridian --yes"
    )]
    Reload(ReloadArguments),
    /// Override health: count a pool, an endpoint or a policy's target as down or up
    #[command(
        after_help = "Goes by the socket `control` in the server's --state directory. Of two overrides for the same thing the\n\
        newer one holds. Residency holds against all of them.\n\n\
        Exit code 0: it holds; 1: it does not, and why.\n\n\
        Examples:\n  meridian depool us --zone example.com --reason 'new disks' --for 2h\n  \
        meridian depool 'us/192.0.2.*' --reason 'rack 7' --drain 10%\n  \
        meridian depool by-region/eu --up --reason 'its check is wrong'"
    )]
    Depool(DepoolArguments),
    /// Take an override back: health decides again
    #[command(
        after_help = "Exit code 0: it is taken back; 1: there is none.\n\nExamples:\n  meridian repool 3\n  meridian repool us"
    )]
    Repool(RepoolArguments),
    /// List the overrides that hold
    #[command(after_help = "Example:\n  meridian overrides --state /var/lib/meridian")]
    Overrides(OverridesArguments),
    /// Say of an external check whether it holds
    #[command(after_help = "Exit code 0: an endpoint took it; 1: none did.\n\n\
        Example:\n  meridian report example.com/deploy down --address 192.0.2.1 --reason 'release 7'")]
    Report(ReportArguments),
    /// Let endpoints come back that answer again and wait for an operator
    #[command(
        after_help = "Exit code 0: something is back; 1: nothing was waiting.\n\nExample:\n  meridian confirm 'example.com/us'"
    )]
    Confirm(ConfirmArguments),
    /// List every endpoint that has a check, and how it is
    #[command(after_help = "Example:\n  meridian health --state /var/lib/meridian")]
    Health(HealthArguments),
    /// List what happened: endpoints that went down or came back, overrides, alarms
    #[command(after_help = "Example:\n  meridian events --since 1200 --json")]
    Events(EventsArguments),
    /// Run the tests that zone files have, and say what is answered instead
    #[command(after_help = "A test is a [[test]] block of a zone file:\n\n  \
        [[test]]\n  name   = \"api\"\n  client = \"46.4.0.0/16\"\n  down   = [\"eu\"]\n  expect = \"us\"\n\n\
        It is asked of the files alone, with every endpoint up but what it lists as down. Draws\nbegin at a fixed seed.\n\n\
        Exit code 0: every test passed; 1: one failed, or a file is refused.\n\n\
        Examples:\n  meridian test\n  meridian test -v zones/fingerprint.toml")]
    Test(TestArguments),
    /// Turn zones of other servers into zone files
    #[command(
        after_help = "Examples:\n  meridian import zonefile db.example.com > zones/example.com.toml\n  \
        meridian import route53 records.json > zones/example.com.toml"
    )]
    Import(ImportArguments),
    /// Ask a running server whether it is alive; for containers
    #[command(after_help = "Example:\n  meridian healthcheck --admin 127.0.0.1:8053")]
    Healthcheck(HealthcheckArguments),
}

#[derive(Clone, Debug, Args)]
pub(super) struct ServeArguments {
    /// Settings file in TOML; flags and environment variables win over it
    #[arg(long, value_name = "FILE", env = "MERIDIAN_CONFIG")]
    config: Option<PathBuf>,
    /// Directory of the zone files, *.toml and *.zone [default: zones]
    #[arg(long, value_name = "DIR", env = "MERIDIAN_ZONES")]
    zones: Option<PathBuf>,
    /// Where to answer DNS over UDP and TCP; may be repeated; port 0 takes a free one
    /// [default: port 5300 of 127.0.0.1 and of ::1]
    #[arg(long, value_name = "ADDR:PORT", env = "MERIDIAN_LISTEN", value_delimiter = ',')]
    listen: Vec<SocketAddr>,
    /// Where to serve metrics, health and explanations over HTTP [default: 127.0.0.1:8053]
    #[arg(long, value_name = "ADDR:PORT", env = "MERIDIAN_ADMIN")]
    admin: Option<SocketAddr>,
    /// Geo database: MMDB with country.iso_code, registered_country.iso_code or country_code [default: built in]
    #[arg(long, value_name = "FILE", env = "MERIDIAN_GEODB")]
    geodb: Option<PathBuf>,
    /// Database of autonomous systems: MMDB such as GeoLite2-ASN [default: none]
    #[arg(long, value_name = "FILE", env = "MERIDIAN_ASNDB")]
    asndb: Option<PathBuf>,
    /// Directory for what should outlive the process: the serials of zones that give none, the last health, overrides and events,
    /// with --max-change the zones that were served last; and the control socket [default: kept in memory only, no socket]
    #[arg(long, value_name = "DIR", env = "MERIDIAN_STATE")]
    state: Option<PathBuf>,
    /// Refuse a reload, and with --state a start, that gives a larger share of the clients of any name another answer
    /// [default: no limit]
    #[arg(long, value_name = "SHARE", env = "MERIDIAN_MAX_CHANGE", value_parser = share)]
    max_change: Option<Share>,
    /// Start whatever has changed since the last time; `meridian reload --yes` does it for a reload
    #[arg(long)]
    yes: bool,
    /// Back end of the DNS sockets [default: sockets]
    #[arg(long, value_enum, env = "MERIDIAN_IO")]
    io: Option<IoArgument>,
    /// UDP threads per listen address [default: one per processor]
    #[arg(long, value_name = "N", env = "MERIDIAN_WORKERS", value_parser = clap::value_parser!(u16).range(1..=256))]
    workers: Option<u16>,
    /// Refuse to start if any zone file is refused
    #[arg(long, env = "MERIDIAN_STRICT", value_parser = BoolishValueParser::new())]
    strict: bool,
    /// What this server calls itself, for those who ask: NSID, and id.server and hostname.bind in class CH [default: refused]
    #[arg(long, value_name = "TEXT", env = "MERIDIAN_IDENTITY", value_parser = identity)]
    identity: Option<String>,
    /// Tell the version to those who ask for version.server or version.bind in class CH
    #[arg(long, env = "MERIDIAN_SHOW_VERSION", value_parser = BoolishValueParser::new())]
    show_version: bool,
}

/// `90s`, `2m`, as zone files have it.
fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text.strip_prefix('+').unwrap_or(text))
        .ok_or_else(|| "write a time such as 90s, 2m or 1h".to_owned())
}

fn identity(text: &str) -> Result<String, String> {
    check_identity(text).map(|()| text.to_owned())
}

fn share(text: &str) -> Result<Share, String> {
    let advice = || format!("`{text}` is no share: write 0% to 100%");
    let percent: f64 =
        text.strip_suffix('%').and_then(|n| n.trim().parse().ok()).ok_or_else(advice)?;
    // In range, and rounded to a hundredth of a percent.
    (0.0..=100.0)
        .contains(&percent)
        .then(|| Share((percent * 100.0).round() as u16))
        .ok_or_else(advice)
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum IoArgument {
    /// Our own workers: recvmmsg and sendmmsg, one thread per processor
    Sockets,
    /// hickory-server's sockets over the same engine
    Hickory,
}

impl ServeArguments {
    pub(super) fn typed(self) -> Typed {
        Typed {
            config: self.config,
            zones: self.zones,
            listen: self.listen,
            admin: self.admin,
            geodb: self.geodb,
            asndb: self.asndb,
            state: self.state,
            max_change: self.max_change,
            accept_changes: self.yes,
            io: self.io.map(|io| match io {
                IoArgument::Sockets => Io::Sockets,
                IoArgument::Hickory => Io::Hickory,
            }),
            workers: self.workers.map(usize::from),
            strict: self.strict,
            identity: self.identity,
            show_version: self.show_version,
        }
    }
}

#[derive(Debug, Args)]
pub(super) struct CheckArguments {
    /// Zone files, or directories of them; without any, the directory of the settings
    #[arg(value_name = "FILE|DIR")]
    pub(super) files: Vec<PathBuf>,
    /// Settings file of the server, whose keys are the defaults here
    #[arg(long, value_name = "FILE", env = "MERIDIAN_CONFIG")]
    config: Option<PathBuf>,
    /// Directory of the zone files [default: zones]
    #[arg(long, value_name = "DIR", env = "MERIDIAN_ZONES")]
    zones: Option<PathBuf>,
    /// Geo database [default: built in]
    #[arg(long, value_name = "FILE", env = "MERIDIAN_GEODB")]
    geodb: Option<PathBuf>,
    /// Database of autonomous systems: MMDB such as GeoLite2-ASN [default: none]
    #[arg(long, value_name = "FILE", env = "MERIDIAN_ASNDB")]
    asndb: Option<PathBuf>,
    /// Print the findings as JSON on standard output
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct TestArguments {
    /// Zone files, or directories of them; without any, the directory of the settings
    #[arg(value_name = "FILE|DIR")]
    pub(super) files: Vec<PathBuf>,
    /// Print a line for each test that passes, too
    #[arg(short, long)]
    pub(super) verbose: bool,
    /// Settings file of the server, whose keys are the defaults here
    #[arg(long, value_name = "FILE", env = "MERIDIAN_CONFIG")]
    config: Option<PathBuf>,
    /// Directory of the zone files [default: zones]
    #[arg(long, value_name = "DIR", env = "MERIDIAN_ZONES")]
    zones: Option<PathBuf>,
    /// Geo database [default: built in]
    #[arg(long, value_name = "FILE", env = "MERIDIAN_GEODB")]
    geodb: Option<PathBuf>,
    /// Database of autonomous systems: MMDB such as GeoLite2-ASN [default: none]
    #[arg(long, value_name = "FILE", env = "MERIDIAN_ASNDB")]
    asndb: Option<PathBuf>,
    /// Print the results as JSON on standard output
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct ExplainArguments {
    /// The name asked for
    pub(super) name: String,
    /// The type asked for
    #[arg(value_name = "TYPE", default_value = "A")]
    pub(super) qtype: String,
    /// The client, as its resolver's client subnet (ECS) would tell: an address (then /24 or /64 of it) or a prefix
    #[arg(long, visible_alias = "ecs", value_name = "ADDR[/LEN]")]
    pub(super) client: Option<String>,
    /// The address that the query comes from
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1")]
    pub(super) resolver: IpAddr,
    /// A pool or an endpoint to count as down; may be repeated
    #[arg(long, value_name = "POOL|ENDPOINT")]
    pub(super) down: Vec<String>,
    /// A pool or an endpoint to count as up again, having just recovered; after every --down; may be repeated
    #[arg(long, value_name = "POOL|ENDPOINT")]
    pub(super) up: Vec<String>,
    /// How long after that recovery the question comes, such as 90s or 2m: weights may be growing [default: 0s]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(super) at: Option<Duration>,
    /// Settings file of the server, whose keys are the defaults here
    #[arg(long, value_name = "FILE", env = "MERIDIAN_CONFIG")]
    config: Option<PathBuf>,
    /// Directory of the zone files [default: zones]
    #[arg(long, value_name = "DIR", env = "MERIDIAN_ZONES")]
    zones: Option<PathBuf>,
    /// Geo database [default: built in]
    #[arg(long, value_name = "FILE", env = "MERIDIAN_GEODB")]
    geodb: Option<PathBuf>,
    /// Database of autonomous systems: MMDB such as GeoLite2-ASN [default: none]
    #[arg(long, value_name = "FILE", env = "MERIDIAN_ASNDB")]
    asndb: Option<PathBuf>,
    /// Ask the running server at --admin, which knows the health of the moment
    #[arg(long)]
    pub(super) live: bool,
    /// Where the running server is [default: 127.0.0.1:8053]
    #[arg(long, value_name = "ADDR:PORT", env = "MERIDIAN_ADMIN")]
    admin: Option<SocketAddr>,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct SimulateArguments {
    /// Names that are routed, and a type in capital letters after them [default: all names, A]
    #[arg(value_name = "NAME|TYPE")]
    pub(super) words: Vec<String>,
    /// A pool or an endpoint to count as down; may be repeated
    #[arg(long, value_name = "POOL|ENDPOINT")]
    pub(super) down: Vec<String>,
    /// Counts of clients, as CSV
    #[arg(long, value_name = "FILE")]
    pub(super) weights: Option<PathBuf>,
    /// Spread clients over IPv6, each /48 one, instead of IPv4
    #[arg(long)]
    pub(super) ipv6: bool,
    /// Draw a map of the world, for one name
    #[arg(long, value_name = "FILE")]
    pub(super) svg: Option<PathBuf>,
    /// Settings file of the server, whose keys are the defaults here
    #[arg(long, value_name = "FILE", env = "MERIDIAN_CONFIG")]
    config: Option<PathBuf>,
    /// Directory of the zone files [default: zones]
    #[arg(long, value_name = "DIR", env = "MERIDIAN_ZONES")]
    zones: Option<PathBuf>,
    /// Geo database [default: built in]
    #[arg(long, value_name = "FILE", env = "MERIDIAN_GEODB")]
    geodb: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct DiffArguments {
    /// A directory of zone files, or one zone file
    pub(super) old: PathBuf,
    /// Another one
    pub(super) new: PathBuf,
    /// Counts of clients, as CSV: see `meridian simulate --help`
    #[arg(long, value_name = "FILE")]
    pub(super) weights: Option<PathBuf>,
    /// Spread clients over IPv6, each /48 one, instead of IPv4
    #[arg(long)]
    pub(super) ipv6: bool,
    /// Settings file of the server, whose keys are the defaults here
    #[arg(long, value_name = "FILE", env = "MERIDIAN_CONFIG")]
    config: Option<PathBuf>,
    /// Geo database [default: built in]
    #[arg(long, value_name = "FILE", env = "MERIDIAN_GEODB")]
    geodb: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct ReloadArguments {
    /// Take the files over whatever they change
    #[arg(long)]
    pub(super) yes: bool,
    /// Settings file of the server, whose keys are the defaults here
    #[arg(long, value_name = "FILE", env = "MERIDIAN_CONFIG")]
    config: Option<PathBuf>,
    /// The server's state directory
    #[arg(long, value_name = "DIR", env = "MERIDIAN_STATE")]
    state: Option<PathBuf>,
    /// Print what the server says as JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct ImportArguments {
    #[command(subcommand)]
    pub(super) command: ImportCommand,
}

#[derive(Debug, Subcommand)]
pub(super) enum ImportCommand {
    /// Print a master file (RFC 1035, as BIND, NSD and Knot have it) as TOML
    #[command(
        after_help = "Mistakes and warnings go to standard error, the TOML to standard output. Comments are lost, and the\n\
        signatures of a signed zone are left out.\n\n\
        Example:\n  meridian import zonefile /etc/bind/db.example.com > zones/example.com.toml"
    )]
    Zonefile(ImportZonefileArguments),
    /// Print a hosted zone of Amazon Route 53 as TOML
    #[command(
        after_help = "What can't be carried over is noted on standard error and in the TOML.\n\n\
        Example:\n  aws route53 list-resource-record-sets --hosted-zone-id ID > records.json\n  \
        aws route53 list-health-checks > checks.json\n  \
        (aws route53 list-cidr-collections; aws route53 list-cidr-blocks --collection-id ID) > cidr.json\n  \
        meridian import route53 records.json --health-checks checks.json --cidr-collections cidr.json\n\n\
        Exit code 0: all of it is answered; 1: something is lost, or the TOML can't be served."
    )]
    Route53(ImportRoute53Arguments),
    /// Print a zone of octoDNS as TOML
    #[command(
        after_help = "What can't be carried over is noted on standard error and in the TOML.\n\n\
        Example:\n  meridian import octodns config/example.com.yaml --zone example.com\n\n\
        Exit code 0: all of it is answered; 1: something is lost, or the TOML can't be served."
    )]
    Octodns(ImportOctodnsArguments),
    /// Print a zone of gdnsd, with what its configuration says of it, as TOML
    #[command(
        after_help = "What can't be carried over is noted on standard error and in the TOML.\n\n\
        Example:\n  meridian import gdnsd /etc/gdnsd/config /etc/gdnsd/zones/example.com --zone example.com\n\n\
        Exit code 0: all of it is answered; 1: something is lost, or the TOML can't be served."
    )]
    Gdnsd(ImportGdnsdArguments),
}

#[derive(Debug, Args)]
pub(super) struct ImportZonefileArguments {
    /// The master file
    pub(super) file: PathBuf,
    /// The zone that the file is about, below which its relative names are [default: from the file's name, if that is
    /// example.com.zone or db.example.com]
    #[arg(long, value_name = "NAME")]
    pub(super) origin: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct ImportRoute53Arguments {
    /// What `aws route53 list-resource-record-sets` printed
    pub(super) records: PathBuf,
    /// What `aws route53 list-health-checks` printed
    #[arg(long, value_name = "FILE")]
    pub(super) health_checks: Option<PathBuf>,
    /// What `aws route53 list-cidr-collections` printed, followed by `list-cidr-blocks` of each in the same order
    #[arg(long, value_name = "FILE")]
    pub(super) cidr_collections: Option<PathBuf>,
    /// The zone [default: the owner of the SOA]
    #[arg(long, value_name = "NAME")]
    pub(super) zone: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct ImportOctodnsArguments {
    /// The zone's YAML
    pub(super) file: PathBuf,
    /// The zone
    #[arg(long, value_name = "NAME")]
    pub(super) zone: String,
}

#[derive(Debug, Args)]
pub(super) struct ImportGdnsdArguments {
    /// The configuration
    pub(super) config: PathBuf,
    /// The zone file; without one each resource becomes a name
    pub(super) zone_file: Option<PathBuf>,
    /// The zone
    #[arg(long, value_name = "NAME")]
    pub(super) zone: String,
}

#[derive(Debug, Args)]
pub(super) struct HealthcheckArguments {
    /// Settings file of the server, whose keys are the defaults here
    #[arg(long, value_name = "FILE", env = "MERIDIAN_CONFIG")]
    config: Option<PathBuf>,
    /// Where the running server is [default: 127.0.0.1:8053]
    #[arg(long, value_name = "ADDR:PORT", env = "MERIDIAN_ADMIN")]
    admin: Option<SocketAddr>,
}

impl CheckArguments {
    pub(super) fn typed(&self) -> Typed {
        Typed {
            config: self.config.clone(),
            zones: self.zones.clone(),
            geodb: self.geodb.clone(),
            asndb: self.asndb.clone(),
            ..Typed::default()
        }
    }
}

impl TestArguments {
    pub(super) fn typed(&self) -> Typed {
        Typed {
            config: self.config.clone(),
            zones: self.zones.clone(),
            geodb: self.geodb.clone(),
            asndb: self.asndb.clone(),
            ..Typed::default()
        }
    }
}

impl ExplainArguments {
    pub(super) fn typed(&self) -> Typed {
        Typed {
            config: self.config.clone(),
            zones: self.zones.clone(),
            admin: self.admin,
            geodb: self.geodb.clone(),
            asndb: self.asndb.clone(),
            ..Typed::default()
        }
    }
}

impl SimulateArguments {
    pub(super) fn typed(&self) -> Typed {
        Typed {
            config: self.config.clone(),
            zones: self.zones.clone(),
            geodb: self.geodb.clone(),
            ..Typed::default()
        }
    }
}

impl DiffArguments {
    pub(super) fn typed(&self) -> Typed {
        Typed { config: self.config.clone(), geodb: self.geodb.clone(), ..Typed::default() }
    }
}

impl ReloadArguments {
    pub(super) fn typed(&self) -> Typed {
        Typed { config: self.config.clone(), state: self.state.clone(), ..Typed::default() }
    }
}

impl HealthcheckArguments {
    pub(super) fn typed(&self) -> Typed {
        Typed { config: self.config.clone(), admin: self.admin, ..Typed::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn flags_work_with_and_without_the_serve_command() {
        let bare = Arguments::parse_from([
            "meridian",
            "--zones",
            "z",
            "--listen",
            "127.0.0.1:1",
            "--listen",
            "[::1]:1",
        ]);
        assert_eq!(bare.serve.typed().listen.len(), 2);
        let named = Arguments::parse_from(["meridian", "serve", "--zones", "z", "--workers", "2"]);
        let Some(Command::Serve(serve)) = named.command else { panic!() };
        assert_eq!(serve.typed().workers, Some(2));
    }
}
