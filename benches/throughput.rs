//! What a query costs over real sockets: `cargo bench --bench throughput`.
//!
//! Starts the release binary with one worker on one processor, asks it from another over loopback, checks every reply, and
//! prints per workload how many queries were answered in a second and how much processor time the server spent on each.
//! The time is the kernel's own account of the server's threads (`/proc/PID/task/*/schedstat`): it hardly moves when the
//! machine is shared, while queries per second do, and it is what one worker on one processor is limited by. The generator
//! makes a system call per datagram and is slower than the server, so that queries per second say little here.

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use meridian::policy::Random;
use meridian::wire::{ClientSubnet, Name, RecordType};

const NAMES: usize = 1000;
/// Queries under way at once, and sockets they are spread over.
const WINDOW: usize = 512;
const SOCKETS: usize = 8;
const SEED: u64 = 20_261_120;
const LENGTH: Duration = Duration::from_secs(3);
const ROUNDS: usize = 3;

struct Server {
    child: Child,
    address: SocketAddr,
}

impl Server {
    /// Starts the program on the zones of a directory, on processor 0 if `taskset` is there.
    fn start(zones: &Path) -> Self {
        let binary = env!("CARGO_BIN_EXE_meridian");
        let mut command = Command::new("taskset");
        command.args(["-c", "0", binary]);
        let arguments =
            ["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--workers", "1", "--zones"];
        let mut child = command
            .args(arguments)
            .arg(zones)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("taskset (Debian package util-linux) should be installed");
        let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let address = lines
            .map_while(Result::ok)
            .find_map(|line| {
                line.trim().strip_prefix("dns    ").map(|rest| rest.replace(" (UDP and TCP)", ""))
            })
            .expect("the server should say where it listens");
        Self { child, address: address.parse().expect("an address") }
    }

    /// Nanoseconds of processor time that all threads have used.
    fn processor_time(&self) -> u64 {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.child.id()))
            .expect("the server should be running");
        tasks
            .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("schedstat")).ok())
            .filter_map(|line| line.split(' ').next()?.parse::<u64>().ok())
            .sum()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Queries of one kind, and the rcode that each of them gets.
struct Workload {
    name: &'static str,
    queries: Vec<Vec<u8>>,
    rcode: u8,
}

fn query(name: &str, subnet: Option<ClientSubnet>) -> Vec<u8> {
    let name = Name::parse(name, &Name::root()).expect(name);
    let mut message = vec![0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1];
    message.extend(name.as_wire());
    message.extend(RecordType::A.0.to_be_bytes());
    message.extend([0, 1, 0, 0, 41, 4, 208, 0, 0, 0, 0]);
    let Some(subnet) = subnet else {
        message.extend([0, 0]);
        return message;
    };
    let length = u8::try_from(subnet.octets().len()).expect("at most 16");
    message.extend([0, length + 8, 0, 8, 0, length + 4, 0, 1, subnet.source(), 0]);
    message.extend(subnet.octets());
    message
}

fn workloads() -> Vec<Workload> {
    let mut random = Random::new(SEED);
    let mut subnet = || {
        let octets = random.next_bits().to_be_bytes();
        let address = [1 + octets[0] % 223, octets[1], octets[2], 0];
        ClientSubnet::from_prefix(address.into(), 24)
    };
    let numbered =
        |kind: &'static str| (0..NAMES).map(move |i| format!("{kind}{i:04}.bench.example"));
    vec![
        Workload {
            name: "static, 1,000 names",
            queries: numbered("n").map(|n| query(&n, None)).collect(),
            rcode: 0,
        },
        Workload {
            name: "NXDOMAIN",
            queries: numbered("x").map(|n| query(&n, None)).collect(),
            rcode: 3,
        },
        Workload {
            name: "geolocation, random /24",
            queries: (0..20_000).map(|_| query("geo.bench.example", Some(subnet()))).collect(),
            rcode: 0,
        },
        Workload {
            name: "geolocation over failover over weighted",
            queries: (0..20_000).map(|_| query("nested.bench.example", Some(subnet()))).collect(),
            rcode: 0,
        },
    ]
}

fn write_zone(directory: &Path) {
    let mut zone = String::from(
        r#"zone = "bench.example"
[pool.us]
addresses = ["192.0.2.1"]
[pool.eu]
addresses = ["192.0.2.2"]
[pool.ap]
addresses = ["192.0.2.3"]
[policy.split]
type = "weighted"
weights = { us = 60, eu = 40 }
[policy.us-first]
type = "failover"
targets = ["split", "us"]
[policy.eu-first]
type = "failover"
targets = ["eu", "split"]
[policy.geo]
type = "geolocation"
continent.NA = "us"
continent.EU = "eu"
continent.AS = "ap"
default = "us"
[policy.nested]
type = "geolocation"
continent.NA = "us-first"
continent.EU = "eu-first"
default = "us-first"
[names]
"@" = { SOA = "ns hostmaster", NS = "ns" }
ns = { A = "127.0.0.1" }
geo = { policy = "geo", ttl = "60s" }
nested = { policy = "nested", ttl = "60s" }
"#,
    );
    for i in 0..NAMES {
        zone.push_str(&format!("n{i:04} = {{ A = \"10.0.{}.{}\" }}\n", i / 256, i % 256));
    }
    std::fs::write(directory.join("bench.toml"), zone).expect("the zone should be writable");
}

/// Asks for `LENGTH`, each socket with its share of the window. Gives queries answered.
fn ask(server: SocketAddr, workload: &Workload) -> u64 {
    let sockets: Vec<UdpSocket> = (0..SOCKETS)
        .map(|_| {
            let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
            socket.connect(server).expect("loopback");
            socket.set_read_timeout(Some(Duration::from_secs(2))).expect("a timeout");
            socket
        })
        .collect();
    let mut next = workload.queries.iter().cycle();
    let mut reply = [0u8; 1500];
    let mut answered = 0;
    let start = Instant::now();
    while start.elapsed() < LENGTH {
        for socket in &sockets {
            for _ in 0..WINDOW / SOCKETS {
                socket.send(next.next().expect("a cycle")).expect("loopback");
            }
        }
        for socket in &sockets {
            for _ in 0..WINDOW / SOCKETS {
                let length = socket.recv(&mut reply).expect("no reply within two seconds");
                assert!(
                    length > 12 && reply[3] & 15 == workload.rcode,
                    "{}: wrong reply",
                    workload.name
                );
                answered += 1;
            }
        }
    }
    answered
}

fn main() {
    // `cargo test --benches` runs this too, and `cargo bench` filters by name: only a plain run measures.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let directory =
        std::env::temp_dir().join(format!("meridian-throughput-{}", std::process::id()));
    std::fs::create_dir_all(&directory).expect("a temporary directory");
    write_zone(&directory);
    println!(
        "one worker on one processor, loopback, {} s × {ROUNDS} rounds, medians, seed {SEED}",
        LENGTH.as_secs()
    );
    println!(
        "{:<42} {:>12} {:>14} {:>16}",
        "workload", "µs/query", "queries/s/core", "queries/s here"
    );
    let server = Server::start(&directory);
    for workload in workloads() {
        ask(
            server.address,
            &Workload { name: "warm-up", queries: workload.queries.clone(), rcode: workload.rcode },
        );
        let mut rounds: Vec<(f64, f64)> = (0..ROUNDS)
            .map(|_| {
                let (before, start) = (server.processor_time(), Instant::now());
                let answered = ask(server.address, &workload) as f64;
                let spent = (server.processor_time() - before) as f64 / 1000.0;
                (spent / answered, answered / start.elapsed().as_secs_f64())
            })
            .collect();
        rounds.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (cost, rate) = rounds[ROUNDS / 2];
        println!("{:<42} {cost:>12.2} {:>14.0} {rate:>16.0}", workload.name, 1e6 / cost);
    }
    drop(server);
    let _ = std::fs::remove_dir_all(&directory);
}
