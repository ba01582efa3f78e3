//! What ten thousand endpoints probed every second cost: `cargo bench --bench health`.
//!
//! Starts the release binary on a zone of 100 pools of 100 endpoints each, all on addresses of the loopback network where one process
//! answers HTTP for all of them, and asks names of it at a steady pace meanwhile; then of another process that probes nothing, first
//! beside the one that does, then alone. Prints the processor time that the asked server uses, its memory, how long answers take, and
//! how steady the starts of the probes are as the endpoints see them. Endpoints and questions share the machine with the server.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener, UdpSocket};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use meridian::wire::{Name, RecordType};
use socket2::{Domain, Socket, Type};

const POOLS: usize = 100;
const ENDPOINTS: usize = 100;
/// Until every endpoint has found its place in the second.
const SETTLING: Duration = Duration::from_secs(5);
const LENGTH: Duration = Duration::from_secs(20);
/// Between two questions.
const PACE: Duration = Duration::from_micros(500);

fn main() {
    if std::env::args().any(|argument| argument == "--endpoints") {
        return answer_probes();
    }
    let mut endpoints = Endpoints::start();
    // So is who asks: the wait for a processor is not to be that of this process.
    meridian::sys::run_soon();
    println!(
        "{} endpoints, every 1 s, {} s; questions at 2,000/s",
        POOLS * ENDPOINTS,
        LENGTH.as_secs()
    );
    let probing = Server::start("probing", &zone(Some(endpoints.port)));
    let checked = probing.measure();
    // Whoever probes uses the processors that answers come from. This is what it takes when that is another process.
    let quiet = Server::start("quiet", &zone(None));
    let beside = quiet.measure();
    drop(probing);
    let starts = endpoints.stop();
    let alone = quiet.measure();
    println!("                      probing   beside one   alone");
    println!("                                that does         ");
    let columns = [&checked, &beside, &alone];
    let [a, b, c] = columns.map(|one| one.processor);
    println!("processor, % of one   {a:>7.1}   {b:>10.1}   {c:>5.1}");
    let [a, b, c] = columns.map(|one| one.memory);
    println!("memory, MiB           {a:>7.0}   {b:>10.0}   {c:>5.0}");
    let [a, b, c] = columns.map(|one| one.median);
    println!("answer, median µs     {a:>7}   {b:>10}   {c:>5}");
    let [a, b, c] = columns.map(|one| one.late);
    println!("answer, 99 % µs       {a:>7}   {b:>10}   {c:>5}");
    println!("{starts}");
}

/// What one run showed: of the server that was asked.
struct Figures {
    processor: f64,
    memory: f64,
    median: u128,
    late: u128,
}

/// The process that answers for all endpoints.
struct Endpoints {
    child: Child,
    port: u16,
    out: BufReader<std::process::ChildStdout>,
}

impl Endpoints {
    fn start() -> Self {
        let program = std::env::current_exe().expect("a path");
        // In life they are on other machines, and take no processor away from the server.
        let mut child = Command::new("nice")
            .args(["-n", "19"])
            .arg(program)
            .arg("--endpoints")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a process");
        let mut out = BufReader::new(child.stdout.take().expect("piped"));
        let mut line = String::new();
        out.read_line(&mut line).expect("a port");
        Self { child, port: line.trim().parse().expect("a port"), out }
    }

    /// What the endpoints saw.
    fn stop(&mut self) -> String {
        drop(self.child.stdin.take());
        let mut text = String::new();
        self.out.read_to_string(&mut text).expect("the figures");
        let _ = self.child.wait();
        text.trim().to_owned()
    }
}

/// Answers every request on every loopback address, and keeps when each address was asked; prints the port, and at the end of its
/// input how far the probes of one address lay apart.
fn answer_probes() {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.bind(&SocketAddr::from(([0, 0, 0, 0], 0)).into()).expect("a port");
    // Ten thousand connections a second: a pause of some milliseconds must not refuse any.
    socket.listen(4096).expect("a listening socket");
    let listener = TcpListener::from(socket);
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    println!("{}", listener.local_addr().expect("bound").port());
    listener.set_nonblocking(true).expect("a socket");
    let (over, mut is_over) = tokio::sync::oneshot::channel::<()>();
    std::thread::spawn(move || {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        drop(over);
    });
    let asked = runtime.block_on(async move {
        let listener = tokio::net::TcpListener::from_std(listener).expect("a socket");
        let mut asked: HashMap<Ipv4Addr, Vec<Instant>> = HashMap::new();
        loop {
            tokio::select! {
                _ = &mut is_over => return asked,
                accepted = listener.accept() => {
                    let Ok((stream, _)) = accepted else { continue };
                    if let Ok(SocketAddr::V4(address)) = stream.local_addr() {
                        asked.entry(*address.ip()).or_default().push(Instant::now());
                    }
                    tokio::spawn(answer(stream));
                }
            }
        }
    });
    let mut off: Vec<u128> = Vec::new();
    for times in asked.values() {
        let settled = times.iter().filter(|time| time.duration_since(times[0]) > SETTLING);
        let settled: Vec<&Instant> = settled.collect();
        let gaps = settled.windows(2).map(|pair| pair[1].duration_since(*pair[0]));
        off.extend(gaps.map(|gap| gap.as_micros().abs_diff(1_000_000)));
    }
    off.sort_unstable();
    let at = |hundredths: usize| off.get((off.len() * hundredths / 100).min(off.len() - 1));
    if !off.is_empty() {
        println!(
            "{} probes of {} endpoints; off their second by, µs: median {:?}, 99 % {:?}",
            off.len(),
            asked.len(),
            at(50).expect("not empty"),
            at(99).expect("not empty")
        );
    }
}

async fn answer(stream: tokio::net::TcpStream) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = stream;
    let mut request = [0; 1024];
    let _ = stream.read(&mut request).await;
    let _ = stream
        .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        .await;
}

/// Pools of endpoints, a name for each; probed at a port, or not at all.
fn zone(port: Option<u16>) -> String {
    let mut text = "zone = \"bench.example\"\nttl = \"60s\"\n".to_owned();
    if let Some(port) = port {
        text += &format!(
            "[check.web]\nhttp = \"/\"\nport = {port}\nevery = \"1s\"\ntimeout = \"900ms\"\n"
        );
    }
    let check = if port.is_some() { "check = \"web\"\n" } else { "" };
    for pool in 0..POOLS {
        let addresses: Vec<String> =
            (0..ENDPOINTS).map(|number| format!("127.20.{pool}.{}", number + 1)).collect();
        text += &format!("[pool.p{pool}]\naddresses = {addresses:?}\n{check}");
    }
    text += "[names]\n\"@\" = { SOA = \"ns1 hostmaster\", NS = \"ns1\" }\nns1 = { A = \"192.0.2.53\" }\n";
    for pool in 0..POOLS {
        text += &format!("n{pool} = {{ pool = \"p{pool}\" }}\n");
    }
    text
}

/// A server on a zone of its own; ends when it goes out of scope.
struct Server {
    child: Child,
    address: SocketAddrV4,
    directory: PathBuf,
}

impl Server {
    fn start(name: &str, zone: &str) -> Self {
        let directory = format!("meridian-bench-{}-{name}", std::process::id());
        let directory = std::env::temp_dir().join(directory);
        std::fs::create_dir_all(&directory).expect("a directory");
        std::fs::write(directory.join("bench.example.toml"), zone).expect("a file");
        let mut child = Command::new(env!("CARGO_BIN_EXE_meridian"))
            .args(["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"])
            .args(["--workers", "1", "--strict"])
            .arg("--zones")
            .arg(&directory)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the server");
        let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let address = lines.map_while(Result::ok).find_map(|line| {
            line.trim().strip_prefix("dns    ").map(|rest| rest.replace(" (UDP and TCP)", ""))
        });
        let address = address.and_then(|text| text.parse().ok()).expect("where it listens");
        std::thread::sleep(SETTLING);
        Self { child, address, directory }
    }

    /// Asks for a while, and says what that took.
    fn measure(&self) -> Figures {
        let before = processor_time(self.child.id());
        let start = Instant::now();
        let mut times = ask(self.address);
        let spent = processor_time(self.child.id()).saturating_sub(before);
        let processor = spent as f64 / start.elapsed().as_nanos() as f64 * 100.0;
        let memory = resident_kib(self.child.id()) as f64 / 1024.0;
        times.sort_unstable();
        let at = |hundredths: usize| times[(times.len() * hundredths / 100).min(times.len() - 1)];
        Figures { processor, memory, median: at(50).as_micros(), late: at(99).as_micros() }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

/// Asks one name after the other at a steady pace, and gives how long each answer took.
fn ask(server: SocketAddrV4) -> Vec<Duration> {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    socket.connect(server).expect("connected");
    socket.set_read_timeout(Some(Duration::from_secs(1))).expect("a timeout");
    let (start, mut times, mut reply) = (Instant::now(), Vec::new(), [0; 1500]);
    let mut number = 0;
    while start.elapsed() < LENGTH {
        let query = query(&format!("n{}.bench.example", number % POOLS), number);
        let asked = Instant::now();
        socket.send(&query).expect("sent");
        loop {
            let octets = socket.recv(&mut reply).expect("an answer within a second");
            if reply[..2] == query[..2] {
                assert!(octets > 100 && reply[3] & 15 == 0, "an answer with addresses");
                break;
            }
        }
        times.push(asked.elapsed());
        number += 1;
        let due = PACE * u32::try_from(number).expect("few questions");
        std::thread::sleep(due.saturating_sub(start.elapsed()));
    }
    times
}

fn query(name: &str, number: usize) -> Vec<u8> {
    let [.., high, low] = number.to_be_bytes();
    let name = Name::parse(name, &Name::root()).expect(name);
    let mut message = vec![high, low, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    message.extend(name.as_wire());
    message.extend(RecordType::A.0.to_be_bytes());
    message.extend([0, 1]);
    message
}

/// Nanoseconds of processor time that all threads have used.
fn processor_time(process: u32) -> u64 {
    let tasks = std::fs::read_dir(format!("/proc/{process}/task")).expect("a process");
    tasks
        .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("schedstat")).ok())
        .filter_map(|line| line.split(' ').next()?.parse::<u64>().ok())
        .sum()
}

fn resident_kib(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("a process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a size");
    line.trim().trim_end_matches(" kB").trim().parse().expect("a number")
}
