//! How many instructions an answer takes, counted by callgrind in the optimized program: repeatable where time is not.
//!
//! Only with `MERIDIAN_UNDER_TEST` naming an optimized program: counts of any other say nothing. What is counted is all that a worker
//! does with a batch of one datagram but the system calls' own. `instructions.txt` has the counts that hold, and the compiler
//! they were taken with; one that has grown by more than three in a hundred fails.

mod harness;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use harness::server::{Server, meridian, program, take_environment, write_zones};
use harness::wire::{A, Ask, UdpClient};

const COUNTS: &str = "integration/instructions.txt";

/// What may be more, in hundredths.
const TOLERANCE: u64 = 3;

/// Queries that are counted of each kind, after some that are not.
const QUERIES: u32 = 400;

/// What is counted: it is not inlined anywhere.
const WORK: &str = "meridian::serve::udp::Worker::answer";

const ZONE: &str = r#"
zone = "count.example"

[pool.us]
addresses = ["192.0.2.1", "192.0.2.2"]

[pool.eu]
addresses = "192.0.2.3"

[policy.places]
type = "geolocation"
country.US = "order"
country.DE = "eu"
default = "us"

[policy.order]
type = "failover"
targets = ["halves", "eu"]

[policy.halves]
type = "weighted"
weights = { us = 1, eu = 1 }

[policy.countries]
type = "geolocation"
country.US = "us"
country.DE = "eu"
default = "us"

[names]
"@" = { SOA = "ns1 hostmaster", NS = "ns1" }
ns1 = { A = "192.0.2.53" }
www = { A = "192.0.2.80" }
one = { CNAME = "two" }
two = { CNAME = "www" }
"*.wild" = { A = "192.0.2.81" }
sub = { NS = "ns.sub" }
"ns.sub" = { A = "192.0.2.82" }
geo = { policy = "countries" }
nested = { policy = "places" }
"#;

/// The kinds of answers, and what brings them.
const KINDS: [(&str, &str, bool); 8] = [
    ("static", "www", false),
    ("nxdomain", "nobody", false),
    ("nodata", "wild", false),
    ("wildcard", "any.wild", false),
    ("cname", "one", false),
    ("referral", "host.sub", false),
    ("geo", "geo", true),
    ("nested", "nested", true),
];

fn start_counting(out: &Path) -> Server {
    let (directory, zones) = write_zones(&[("count.example.toml", ZONE)]);
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--collect-atstart=no"]);
    command.arg(format!("--toggle-collect={WORK}*"));
    command.arg(format!("--callgrind-out-file={}", out.display()));
    let arguments = ["serve", "--zones", "zones", "--listen", "127.0.0.1:0", "--admin"];
    command.arg(program()).args(arguments).args(["127.0.0.1:0", "--workers", "1"]);
    take_environment(&mut command, &meridian());
    command.current_dir(directory.path());
    Server::spawn(command, directory, zones)
        .unwrap_or_else(|refused| panic!("valgrind (Debian package valgrind): {refused:#?}"))
}

/// Has callgrind write down what it counted, and begin anew.
fn dump(server: &Server) {
    let process = server.process_id().to_string();
    let output = Command::new("callgrind_control").args(["-d", &process]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// The total of the dump with this number.
fn total(out: &Path, number: usize) -> u64 {
    let text = std::fs::read_to_string(format!("{}.{number}", out.display())).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("totals: "));
    line.and_then(|count| count.trim().parse().ok()).unwrap_or_else(|| panic!("no total: {text}"))
}

/// Instructions per answer, by kind.
fn count_all() -> BTreeMap<&'static str, u64> {
    let room = harness::server::Directory::create();
    let out = room.path().join("counts");
    let server = start_counting(&out);
    let client = UdpClient::connect(server.ipv4());
    let mut number = 0;
    let mut counts = BTreeMap::new();
    for (kind, name, has_subnet) in KINDS {
        let name = format!("{name}.count.example");
        for queries in [20, QUERIES] {
            for _ in 0..queries {
                let ask = Ask::new(&name, A).payload(1232);
                let ask = if has_subnet { ask.subnet("8.8.8.0/24") } else { ask };
                client.exchange(&ask);
            }
            dump(&server);
            number += 1;
        }
        counts.insert(kind, total(&out, number) / u64::from(QUERIES));
    }
    counts
}

fn compiler() -> String {
    let output = Command::new("rustc").arg("--version").output().expect("rustc");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn no_answer_takes_more_instructions_than_it_did() {
    if std::env::var_os("MERIDIAN_UNDER_TEST").is_none() {
        println!("left out: MERIDIAN_UNDER_TEST names no optimized program");
        return;
    }
    let counts = count_all();
    for (kind, count) in &counts {
        println!("{kind} {count}");
    }
    let text = std::fs::read_to_string(harness::repository().join(COUNTS)).unwrap();
    let compiler = compiler();
    if !text.lines().any(|line| line == format!("# {compiler}")) {
        println!("not compared: {COUNTS} is of another compiler than {compiler}");
        return;
    }
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (kind, limit) = line.split_once(' ').expect("a kind and a count");
        let (count, limit): (u64, u64) = (counts[kind], limit.parse().expect("a count"));
        assert!(
            count * 100 <= limit * (100 + TOLERANCE),
            "{kind}: {count} instructions, {limit} are known: make it less, or write down why in {COUNTS}"
        );
    }
}
