//! The server as its user has it: a process, started with arguments, told apart by its ports, ended by its id.

use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::http::{self, Answer, Metrics};
use super::wire::{Ask, Reply, UdpClient};
use super::{PATIENCE, back_end, wait_until};

/// A directory of its own for each server, gone with it.
pub struct Directory(PathBuf);

impl Directory {
    pub fn create() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        loop {
            let number = NUMBER.fetch_add(1, Ordering::Relaxed);
            let path = std::env::temp_dir()
                .join(format!("meridian-integration-{}-{number}", std::process::id()));
            match std::fs::create_dir(&path) {
                Ok(()) => return Self(path),
                // A process can have this module more than once.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => panic!("{}: {error}", path.display()),
            }
        }
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The program: the one that cargo built for this test, or the one that `MERIDIAN_UNDER_TEST` names.
pub fn program() -> PathBuf {
    std::env::var_os("MERIDIAN_UNDER_TEST")
        .map_or_else(|| env!("CARGO_BIN_EXE_meridian").into(), PathBuf::from)
}

/// The program without any setting of the caller's environment.
pub fn meridian() -> Command {
    let mut command = Command::new(program());
    for (variable, _) in std::env::vars_os() {
        if variable.as_encoded_bytes().starts_with(b"MERIDIAN_") {
            command.env_remove(variable);
        }
    }
    command.env_remove("RUST_LOG").env("NO_COLOR", "1");
    command
}

/// A shell with the environment of another command.
pub fn in_shell(like: &Command, line: &str) -> Command {
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", line]);
    take_environment(&mut shell, like);
    shell
}

/// Sets and removes the variables that another command sets and removes.
pub fn take_environment(command: &mut Command, like: &Command) {
    for (key, value) in like.get_envs() {
        match value {
            Some(value) => command.env(key, value),
            None => command.env_remove(key),
        };
    }
}

/// Runs the program to its end, which must come.
pub fn run(arguments: &[&str]) -> Output {
    let mut child = meridian()
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program can't be run");
    let stdout = read_aside(child.stdout.take().expect("piped"));
    let stderr = read_aside(child.stderr.take().expect("piped"));
    let status = wait(&mut child, &format!("meridian {arguments:?}"));
    Output {
        status,
        stdout: stdout.join().expect("a reader panicked"),
        stderr: stderr.join().expect("a reader panicked"),
    }
}

fn read_aside(mut pipe: impl Read + Send + 'static) -> std::thread::JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut octets = Vec::new();
        let _ = pipe.read_to_end(&mut octets);
        octets
    })
}

/// Sends a signal to a process. False if it is gone.
pub fn signal(child: &Child, name: &str) -> bool {
    let line = format!("kill -{name} {}", child.id());
    let status = Command::new("/bin/sh").args(["-c", &line]).status();
    status.expect("there is no /bin/sh").success()
}

/// Waits for the end of a process; one that does not end is killed, and the test fails.
pub fn wait(child: &mut Child, what: &str) -> ExitStatus {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().expect("waiting for a child failed") {
            return status;
        }
        if start.elapsed() > PATIENCE {
            let _ = child.kill();
            panic!("{what} does not end");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A server that did not come to serve.
#[derive(Debug)]
pub struct Refused {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// A running server. Dropping it ends it.
pub struct Server {
    child: Child,
    /// What it printed before it served.
    pub banner: Vec<String>,
    /// Where it answers DNS, in the order of `--listen`.
    pub dns: Vec<SocketAddr>,
    pub admin: SocketAddr,
    zones: PathBuf,
    stderr: Arc<Mutex<String>>,
    /// Kept because the directory goes with it.
    _directory: Directory,
}

impl Server {
    /// Serves zones (file name and text) on free loopback ports, IPv4 and IPv6.
    pub fn start(zones: &[(&str, &str)], arguments: &[&str]) -> Self {
        Self::try_start(zones, arguments).unwrap_or_else(|refused| {
            panic!(
                "meridian ended instead of serving, exit {:?}\n{}\n{}",
                refused.code, refused.stdout, refused.stderr
            )
        })
    }

    /// As [`Server::start`], for tests in which the server may refuse.
    pub fn try_start(zones: &[(&str, &str)], arguments: &[&str]) -> Result<Self, Refused> {
        let (directory, zones_directory) = write_zones(zones);
        let mut command = meridian();
        command.current_dir(directory.path()).arg("serve");
        let defaults: [&[&str]; 4] = [
            &["--io", back_end::NAME],
            &["--zones", "zones"],
            &["--listen", "127.0.0.1:0", "--listen", "[::1]:0"],
            &["--admin", "127.0.0.1:0"],
        ];
        for default in defaults {
            if !arguments.contains(&default[0]) {
                command.args(default);
            }
        }
        command.args(arguments);
        Self::spawn(command, directory, zones_directory)
    }

    /// Serves zones, which are in `./zones`, as the environment says.
    pub fn start_in_environment(zones: &[(&str, &str)], variables: &[(&str, &str)]) -> Self {
        let (directory, zones_directory) = write_zones(zones);
        let mut command = meridian();
        command.current_dir(directory.path()).envs(variables.iter().copied());
        Self::spawn(command, directory, zones_directory)
            .unwrap_or_else(|refused| panic!("{refused:#?}"))
    }

    /// Serves zones from a shell that did something before, `ulimit` for instance.
    pub fn start_after(shell: &str, zones: &[(&str, &str)]) -> Self {
        let (directory, zones_directory) = write_zones(zones);
        let arguments = "serve --zones zones --listen 127.0.0.1:0 --admin 127.0.0.1:0 --io";
        let (program, io) = (program(), back_end::NAME);
        let line = format!("{shell} && exec '{}' {arguments} {io}", program.display());
        let mut command = in_shell(&meridian(), &line);
        command.current_dir(directory.path());
        Self::spawn(command, directory, zones_directory)
            .unwrap_or_else(|refused| panic!("{refused:#?}"))
    }

    /// Runs a command that starts a server, and waits until it says that it serves.
    pub fn spawn(
        mut command: Command,
        directory: Directory,
        zones: PathBuf,
    ) -> Result<Self, Refused> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let stderr = Arc::new(Mutex::new(String::new()));
        let stdout = child.stdout.take().expect("piped");
        let errors = child.stderr.take().expect("piped");
        let kept = Arc::clone(&stderr);
        let reader = std::thread::spawn(move || {
            for line in BufReader::new(errors).lines().map_while(Result::ok) {
                kept.lock().expect("a reader panicked").push_str(&(line + "\n"));
            }
        });
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        let banner = match read_banner(&lines) {
            Ok(banner) => banner,
            Err(printed) => {
                let _ = child.kill();
                let code = child.wait().ok().and_then(|status| status.code());
                let _ = reader.join();
                let stderr = stderr.lock().expect("a reader panicked").clone();
                return Err(Refused { code, stdout: printed.join("\n"), stderr });
            }
        };
        Ok(Self {
            dns: addresses(&banner, "dns"),
            admin: addresses(&banner, "admin")[0],
            banner,
            child,
            zones,
            stderr,
            _directory: directory,
        })
    }

    /// The first address that is IPv4.
    pub fn ipv4(&self) -> SocketAddr {
        *self.dns.iter().find(|dns| dns.is_ipv4()).expect("no IPv4 listener")
    }

    /// The first address that is IPv6.
    pub fn ipv6(&self) -> SocketAddr {
        *self.dns.iter().find(|dns| dns.is_ipv6()).expect("no IPv6 listener")
    }

    /// Asks over UDP and IPv4.
    pub fn ask(&self, ask: &Ask) -> Reply {
        UdpClient::connect(self.ipv4()).exchange(ask)
    }

    pub fn get(&self, path: &str) -> Answer {
        http::get(self.admin, path)
    }

    pub fn metrics(&self) -> Metrics {
        Metrics::scrape(self.admin)
    }

    /// What happened to health so far, the oldest first.
    pub fn events(&self) -> Vec<Value> {
        let answer = self.get("/api/v1/events?since=0&limit=1000");
        let report: Value = serde_json::from_str(&answer.body).expect("JSON");
        report["events"].as_array().unwrap_or_else(|| panic!("{answer:?}")).clone()
    }

    /// How endpoints changed so far, but for their first results: `up-down tcp://192.0.2.1:80`.
    pub fn changes(&self) -> Vec<String> {
        let text = |event: &Value, key: &str| event[key].as_str().unwrap_or_default().to_owned();
        let is_change = |event: &&Value| event["event"] == "endpoint" && event["from"] != "unknown";
        let events = self.events();
        let changes = events.iter().filter(is_change);
        changes
            .map(|one| format!("{}-{} {}", text(one, "from"), text(one, "to"), text(one, "target")))
            .collect()
    }

    /// Writes a zone file as careful tools do: whole, then in its place.
    pub fn write_zone(&self, name: &str, text: &str) {
        let aside = self.zones.join(format!(".{name}"));
        std::fs::write(&aside, text).expect("no room for a zone");
        std::fs::rename(&aside, self.zones.join(name)).expect("no room for a zone");
    }

    pub fn remove_zone(&self, name: &str) {
        std::fs::remove_file(self.zones.join(name)).expect("no such zone file");
    }

    /// Tells the server to read its files again. It is done when what the test looks for is there.
    pub fn reload(&self) {
        self.signal("HUP");
    }

    /// Sends it a signal.
    pub fn signal(&self, name: &str) {
        assert!(signal(&self.child, name), "the server is gone:\n{}", self.stderr());
    }

    /// What the server wrote to stderr so far.
    pub fn stderr(&self) -> String {
        self.stderr.lock().expect("a reader panicked").clone()
    }

    /// Waits until stderr has this text.
    pub fn wait_for_log(&self, text: &str) {
        let (what, start) = (format!("the log says {text:?}"), Instant::now());
        while !self.stderr().contains(text) {
            assert!(
                start.elapsed() < PATIENCE,
                "waited in vain until {what}; it says:\n{}",
                self.stderr()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Memory that the server has in use, in KiB.
    pub fn resident_kib(&self) -> u64 {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(&path).unwrap_or_else(|error| {
            panic!("the server is gone ({path}: {error}):\n{}", self.stderr())
        });
        status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .and_then(|line| line.trim().trim_end_matches(" kB").parse().ok())
            .unwrap_or_else(|| panic!("no VmRSS in {status}"))
    }

    pub fn process_id(&self) -> u32 {
        self.child.id()
    }

    /// Whether the process is there.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Sends a signal that asks it to end, and gives its exit code.
    pub fn stop(mut self, signal: &str) -> Option<i32> {
        self.signal(signal);
        wait(&mut self.child, "a server that was told to stop").code()
    }

    /// Waits until `/ready` answers with this status and a body that has this text.
    pub fn wait_until_ready_says(&self, text: &str) {
        wait_until(&format!("/ready says {text}"), PATIENCE, || {
            self.get("/ready").body.contains(text)
        });
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("the server's log was:\n{}", self.stderr());
        }
    }
}

/// A directory with zone files in its `zones`.
pub fn write_zones(zones: &[(&str, &str)]) -> (Directory, PathBuf) {
    let directory = Directory::create();
    let zones_directory = directory.path().join("zones");
    std::fs::create_dir(&zones_directory).expect("no room for zones");
    for (name, text) in zones {
        std::fs::write(zones_directory.join(name), text).expect("no room for zones");
    }
    (directory, zones_directory)
}

/// Reads until the server serves and has printed what to try; what came so far if it ended instead.
fn read_banner(lines: &Receiver<String>) -> Result<Vec<String>, Vec<String>> {
    let (mut banner, start) = (Vec::<String>::new(), Instant::now());
    loop {
        let serves = banner.iter().any(|line| line.starts_with("  zones "));
        // The lines to try come in one write with the others, or not at all.
        let patience = if serves {
            Duration::from_millis(100)
        } else {
            PATIENCE.saturating_sub(start.elapsed())
        };
        match lines.recv_timeout(patience) {
            Ok(line) => banner.push(line),
            Err(RecvTimeoutError::Timeout) if serves => return Ok(banner),
            Err(_) => return Err(banner),
        }
    }
}

/// The addresses in the lines of one kind: `  dns    127.0.0.1:5300 (UDP and TCP)`.
fn addresses(banner: &[String], kind: &str) -> Vec<SocketAddr> {
    let addresses: Vec<_> = banner
        .iter()
        .filter_map(|line| line.strip_prefix("  ")?.strip_prefix(kind)?.split_whitespace().next())
        .map(|word| word.trim_start_matches("http://"))
        .map(|word| word.parse().unwrap_or_else(|_| panic!("not an address: {word}")))
        .collect();
    assert!(!addresses.is_empty(), "no {kind} line in {banner:#?}");
    addresses
}
