//! BIND, Knot DNS and NSD on loopback: child processes with all their files in a directory of the test, ended by their id.

use std::fmt;
use std::fs::File;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::super::PATIENCE;
use super::super::server::{Directory, signal, wait};
use super::comparison::Transport;
use super::decoding::Decoded;
use super::domain_name::DomainName;
use super::exchange;
use super::query_generator::Query;
use super::rdata::SOA;
use super::zone_set::ZoneSet;

/// Programs may live where users don't look.
const SEARCHED: &[&str] = &["/usr/sbin", "/usr/local/sbin", "/usr/bin", "/usr/local/bin", "/sbin"];

/// Ports are found free and taken a moment later; somebody may have been faster.
const START_ATTEMPTS: usize = 3;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PeerKind {
    Bind,
    Knot,
    Nsd,
}

pub const PEERS: [PeerKind; 3] = [PeerKind::Bind, PeerKind::Knot, PeerKind::Nsd];

impl fmt::Display for PeerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Bind => "BIND",
            Self::Knot => "Knot",
            Self::Nsd => "NSD",
        })
    }
}

impl PeerKind {
    /// The program, the Debian package that has it, and its arguments before the name of its configuration.
    fn command(self) -> (&'static str, &'static str, &'static [&'static str]) {
        match self {
            Self::Bind => ("named", "bind9", &["-f", "-4", "-n", "1", "-c"]),
            Self::Knot => ("knotd", "knot", &["-c"]),
            Self::Nsd => ("nsd", "nsd", &["-d", "-c"]),
        }
    }

    fn program(self) -> String {
        let (program, package, _) = self.command();
        let found = SEARCHED.iter().map(|place| format!("{place}/{program}"));
        found.into_iter().find(|path| Path::new(path).exists()).unwrap_or_else(|| {
            panic!("{program} is not installed: install the package {package}, or let integration/run do it")
        })
    }

    /// What the program is told: no limits, no other work, and its defaults in what an answer is.
    fn configuration(self, set: &ZoneSet, directory: &Path, port: u16) -> String {
        let at = directory.display();
        match self {
            Self::Bind => bind_configuration(set, &at, port),
            Self::Knot => knot_configuration(set, &at, port),
            Self::Nsd => nsd_configuration(set, &at, port),
        }
    }
}

/// Zone checks are off where they are about sense; `max-types-per-name` and its like count what the generator makes much of.
fn bind_configuration(set: &ZoneSet, at: &dyn fmt::Display, port: u16) -> String {
    let mut text = format!(
        "options {{ directory \"{at}\"; listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};
  pid-file none; lock-file none; session-keyfile \"{at}/session.key\"; managed-keys-directory \"{at}\";
  recursion no; dnssec-validation no; notify no; allow-transfer {{ none; }}; empty-zones-enable no;
  check-names primary ignore; check-integrity no; check-mx ignore; check-mx-cname ignore;
  check-srv-cname ignore; check-sibling no; check-wildcard no; check-spf ignore; answer-cookie no; zero-no-soa-ttl no;
  max-records-per-type 0; max-types-per-name 0; }};
controls {{ }};
"
    );
    for (number, zone) in set.zones.iter().enumerate() {
        text +=
            &format!("zone \"{}\" {{ type primary; file \"zone-{number}.zone\"; }};\n", zone.apex);
    }
    text
}

fn knot_configuration(set: &ZoneSet, at: &dyn fmt::Display, port: u16) -> String {
    let mut text = format!(
        "server:
  rundir: \"{at}\"
  listen: 127.0.0.1@{port}
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
log:
  - target: stderr
    any: info
database:
  storage: \"{at}\"
template:
  - id: default
    storage: \"{at}\"
    semantic-checks: off
    journal-content: none
    zonefile-sync: -1
zone:
"
    );
    for (number, zone) in set.zones.iter().enumerate() {
        text += &format!("  - domain: \"{}\"\n    file: \"zone-{number}.zone\"\n", zone.apex);
    }
    text
}

fn nsd_configuration(set: &ZoneSet, at: &dyn fmt::Display, port: u16) -> String {
    let mut text = format!(
        "server:
  ip-address: 127.0.0.1@{port}
  username: \"\"
  chroot: \"\"
  zonesdir: \"{at}\"
  database: \"\"
  pidfile: \"\"
  xfrdir: \"{at}\"
  xfrdfile: \"{at}/xfrd.state\"
  zonelistfile: \"{at}/zone.list\"
  server-count: 1
  rrl-ratelimit: 0
  tcp-query-count: 0
  verbosity: 1
remote-control:
  control-enable: no
"
    );
    for (number, zone) in set.zones.iter().enumerate() {
        text += &format!("zone:\n  name: \"{}\"\n  zonefile: \"zone-{number}.zone\"\n", zone.apex);
    }
    text
}

/// A running peer. Dropping it ends it.
pub struct Peer {
    pub kind: PeerKind,
    pub address: SocketAddr,
    child: Child,
    directory: Directory,
}

impl Peer {
    /// Starts a peer and waits until it serves every zone of the set.
    pub fn start(kind: PeerKind, set: &ZoneSet) -> Self {
        let mut failures = Vec::new();
        for _ in 0..START_ATTEMPTS {
            let mut peer = Self::spawn(kind, set);
            match peer.wait_for_zones(set) {
                Ok(()) => return peer,
                Err(failure) => failures.push(format!("{failure}\n{}", peer.log())),
            }
            // A zone that it does not like today it won't like tomorrow.
            if !peer.log().contains("in use") {
                break;
            }
        }
        panic!("{kind} does not serve {}:\n{}", set.name, failures.join("\n"));
    }

    fn spawn(kind: PeerKind, set: &ZoneSet) -> Self {
        let directory = Directory::create();
        let address = free_address();
        let path = directory.path();
        for (number, zone) in set.zones.iter().enumerate() {
            write(&path.join(format!("zone-{number}.zone")), &zone.master_file());
        }
        let configuration = path.join("server.conf");
        write(&configuration, &kind.configuration(set, path, address.port()));
        let log = File::create(path.join("log")).expect("no room for a log");
        let copy = log.try_clone().expect("no room for a log");
        let (_, _, arguments) = kind.command();
        let child = Command::new(kind.program())
            .args(arguments)
            .arg(&configuration)
            .args(if kind == PeerKind::Bind { &["-g"][..] } else { &[] })
            .current_dir(path)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(copy)
            .spawn()
            .unwrap_or_else(|error| panic!("{kind}: {error}"));
        Self { kind, address, child, directory }
    }

    /// What it wrote so far.
    pub fn log(&self) -> String {
        let octets = std::fs::read(self.directory.path().join("log")).unwrap_or_default();
        String::from_utf8_lossy(&octets).into_owned()
    }

    fn wait_for_zones(&mut self, set: &ZoneSet) -> Result<(), String> {
        let start = Instant::now();
        for zone in &set.zones {
            while !serves(self.address, &zone.apex) {
                if let Ok(Some(status)) = self.child.try_wait() {
                    return Err(format!("{} ended with {status}", self.kind));
                }
                if start.elapsed() > PATIENCE {
                    return Err(format!("waited in vain for {}", zone.apex));
                }
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        Ok(())
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // NSD and its children, one of which is the server, end together only if they are asked to.
        if signal(&self.child, "TERM") {
            wait(&mut self.child, &format!("{} that was told to stop", self.kind));
        }
        if std::thread::panicking() {
            eprintln!("the log of {} was:\n{}", self.kind, self.log());
        }
    }
}

fn write(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}

/// A port of loopback that nobody has for UDP or TCP.
fn free_address() -> SocketAddr {
    loop {
        let socket = UdpSocket::bind(("127.0.0.1", 0)).expect("no UDP socket");
        let address = socket.local_addr().expect("bound");
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}

/// Whether the apex of a zone is answered for: one question, whose answer need not come.
fn serves(server: SocketAddr, apex: &DomainName) -> bool {
    let query = Query { name: apex.clone(), qtype: SOA, edns: None, wants_recursion: false };
    let socket = UdpSocket::bind(("127.0.0.1", 0)).expect("no UDP socket");
    socket.set_read_timeout(Some(Duration::from_millis(200))).expect("no time limit");
    let mut datagram = [0; 512];
    let received = socket
        .send_to(&query.octets(1), server)
        .and_then(|_| socket.recv(&mut datagram))
        .map(|length| Decoded::read(&datagram[..length]));
    matches!(received, Ok(Ok(answer)) if answer.is_authoritative()
        && answer.answer.iter().any(|set| set.rtype == SOA && set.owner == apex.folded()))
}

/// The three of them on one set.
pub fn start_all(set: &ZoneSet) -> Vec<Peer> {
    std::thread::scope(|scope| {
        let starting = PEERS.map(|kind| scope.spawn(move || Peer::start(kind, set)));
        starting
            .map(|peer| peer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .into()
    })
}

/// Asks all servers at once.
pub fn ask_everybody(
    servers: &[SocketAddr],
    queries: &[Query],
    transport: Transport,
) -> Vec<Result<Vec<Vec<u8>>, String>> {
    let ask = match transport {
        Transport::Udp => exchange::ask_all,
        Transport::Tcp => exchange::ask_stream,
    };
    std::thread::scope(|scope| {
        let asking: Vec<_> =
            servers.iter().map(|server| scope.spawn(move || ask(*server, queries))).collect();
        asking.into_iter().map(|asked| asked.join().expect("a client panicked")).collect()
    })
}
