//! The clients that people use: BIND's dig, nslookup and delv, Knot's kdig, NLnet Labs' drill.

use std::net::SocketAddr;
use std::process::Command;

/// What dig printed, or kdig or drill, which print nearly the same, taken apart.
#[derive(Debug)]
pub struct Dig {
    pub text: String,
    pub status: String,
    /// `qr aa rd`
    pub flags: Vec<String>,
    pub answer: Vec<Line>,
    pub authority: Vec<Line>,
    pub additional: Vec<Line>,
    /// `46.4.0.0/24/16`: address, source, scope.
    pub subnet: Option<String>,
    /// `20 (Not Authoritative): (not a zone of this server)`
    pub extended_error: Option<String>,
}

/// One record as dig prints it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Line {
    pub owner: String,
    pub ttl: u32,
    pub rtype: String,
    pub rdata: String,
}

/// Runs dig against a server.
pub fn dig(server: SocketAddr, arguments: &[&str]) -> Dig {
    let (at, port) = (format!("@{}", server.ip()), server.port().to_string());
    // Without the user's .digrc; loopback needs no second try to be patient.
    let mut all = vec!["-r", &at, "-p", &port, "+tries=1", "+time=5"];
    all.extend(arguments);
    let text = run("dig", &all);
    Dig::parse(text)
}

/// Runs kdig against a server.
pub fn kdig(server: SocketAddr, arguments: &[&str]) -> Dig {
    let (at, port) = (format!("@{}", server.ip()), server.port().to_string());
    let mut all = vec![at.as_str(), "-p", &port, "+retry=0", "+time=5"];
    all.extend(arguments);
    Dig::parse(run("kdig", &all))
}

/// Runs drill against a server.
pub fn drill(server: SocketAddr, arguments: &[&str]) -> Dig {
    let (at, port) = (format!("@{}", server.ip()), server.port().to_string());
    let mut all = vec!["-p", &port, &at];
    all.extend(arguments);
    Dig::parse(run("drill", &all))
}

/// Runs delv against a server, which then asks like a validating resolver that has no trust anchor. Gives the records that it
/// took for an answer, and what it said.
pub fn delv(server: SocketAddr, arguments: &[&str]) -> (Vec<Line>, String) {
    let (at, port) = (format!("@{}", server.ip()), server.port().to_string());
    let mut all = vec![at.as_str(), "-p", &port, "-i", "+noroot"];
    all.extend(arguments);
    let output = output("delv", &all);
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    let records = text.lines().filter(|line| !line.starts_with(';')).filter_map(Line::parse);
    (records.collect(), text)
}

/// Runs dig with `+short`: the lines of the answer, sorted.
pub fn dig_short(server: SocketAddr, arguments: &[&str]) -> Vec<String> {
    let (at, port) = (format!("@{}", server.ip()), server.port().to_string());
    let mut all = vec!["-r", &at, "-p", &port, "+tries=1", "+time=5", "+short"];
    all.extend(arguments);
    let mut lines: Vec<String> = run("dig", &all).lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

/// Runs nslookup against a server, and gives what it printed. It ends with 1 for NXDOMAIN, which is no failure here.
pub fn nslookup(server: SocketAddr, arguments: &[&str]) -> String {
    let port = format!("-port={}", server.port());
    let host = server.ip().to_string();
    let mut all = vec![port.as_str(), "-timeout=5", "-retry=0"];
    all.extend(arguments);
    all.push(&host);
    let output = output("nslookup", &all);
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn output(program: &str, arguments: &[&str]) -> std::process::Output {
    Command::new(program)
        .args(arguments)
        .env("LC_ALL", "C")
        .env("TERM", "dumb")
        .output()
        .unwrap_or_else(|error| {
            panic!(
                "{program} can't be run ({error}): install bind9-dnsutils, knot-dnsutils and ldnsutils, or let \
                 integration/run do it"
            )
        })
}

fn run(program: &str, arguments: &[&str]) -> String {
    let output = output(program, arguments);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{program} {arguments:?} ended with {}\n{text}{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    text
}

impl Dig {
    fn parse(text: String) -> Self {
        let mut dig = Self {
            status: ["status: ", "rcode: "]
                .iter()
                .find_map(|before| between(&text, before, "id: "))
                .map(|status| status.trim_end_matches([',', ';']).to_owned())
                .unwrap_or_default(),
            flags: [";; flags: ", ";; Flags: "]
                .iter()
                .find_map(|before| between(&text, before, ";"))
                .map(|flags| flags.split(' ').map(str::to_owned).collect())
                .unwrap_or_default(),
            subnet: between(&text, "; CLIENT-SUBNET: ", "\n"),
            extended_error: between(&text, "; EDE: ", "\n"),
            answer: Vec::new(),
            authority: Vec::new(),
            additional: Vec::new(),
            text: String::new(),
        };
        let mut section: Option<&mut Vec<Line>> = None;
        for line in text.lines() {
            section = match line {
                ";; ANSWER SECTION:" => Some(&mut dig.answer),
                ";; AUTHORITY SECTION:" => Some(&mut dig.authority),
                ";; ADDITIONAL SECTION:" => Some(&mut dig.additional),
                line if line.is_empty() || line.starts_with(";;") => None,
                line => {
                    if let Some(section) = section.as_mut() {
                        section.extend(Line::parse(line));
                    }
                    section
                }
            };
        }
        dig.text = text;
        dig
    }

    /// The answer's RDATA, sorted.
    pub fn rdata(&self) -> Vec<&str> {
        let mut rdata: Vec<_> = self.answer.iter().map(|line| line.rdata.as_str()).collect();
        rdata.sort_unstable();
        rdata
    }

    /// Whether the answer is authoritative.
    pub fn is_authoritative(&self) -> bool {
        self.flags.iter().any(|flag| flag == "aa")
    }
}

impl Line {
    fn parse(line: &str) -> Option<Self> {
        let mut words = line.split_whitespace();
        let owner = words.next()?.to_owned();
        let ttl = words.next()?.parse().ok()?;
        let _class = words.next()?;
        let rtype = words.next()?.to_owned();
        let rdata = words.collect::<Vec<_>>().join(" ");
        Some(Self { owner, ttl, rtype, rdata })
    }
}

fn between(text: &str, before: &str, after: &str) -> Option<String> {
    let (_, rest) = text.split_once(before)?;
    let (found, _) = rest.split_once(after)?;
    Some(found.trim().to_owned())
}
