//! An endpoint that is a process, so that it can be killed and stopped as real ones are.
//!
//! The process is the test's own program, which begins again at a test of its own that serves: whoever takes [`Endpoint`] has
//!
//! ```text
//! #[test]
//! fn endpoint_process() { process::serve_if_told(); }
//! ```

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::server::signal;

/// Tells the process where to listen: addresses with blanks in between.
const LISTEN: &str = "MERIDIAN_TEST_ENDPOINT";

/// The test that serves, in every program that has such endpoints.
const TEST: &str = "endpoint_process";

/// What it says once it listens.
const READY: &str = "the endpoint listens";

/// A running process; dropping it ends it.
pub struct Endpoint {
    child: Child,
    addresses: Vec<SocketAddr>,
}

impl Endpoint {
    /// Listens on addresses of this machine.
    pub fn start(addresses: &[SocketAddr]) -> Self {
        Self::start_by(Command::new("env"), addresses)
    }

    /// The same by a command that runs the one behind it.
    pub fn start_by(mut runner: Command, addresses: &[SocketAddr]) -> Self {
        let list: Vec<String> = addresses.iter().map(ToString::to_string).collect();
        let mut child = runner
            .arg(std::env::current_exe().expect("the test's own program"))
            .args(["--exact", TEST, "--nocapture"])
            .env(LISTEN, list.join(" "))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{runner:?}: {error}"));
        let stdout = BufReader::new(child.stdout.take().expect("piped"));
        let mut lines = stdout.lines().map_while(Result::ok);
        assert!(lines.any(|line| line.contains(READY)), "no endpoint on {list:?}");
        Self { child, addresses: addresses.to_vec() }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Kills it: what it had in work is torn down, and its ports are closed.
    pub fn kill(&mut self) {
        self.child.kill().expect("a process of ours");
        self.child.wait().expect("a process of ours");
    }

    /// Starts it again after [`Endpoint::kill`].
    pub fn restart(&mut self) {
        *self = Self::start(&self.addresses);
    }

    /// Stops it: the kernel goes on to take connections for it, and nobody says anything.
    pub fn stop(&self) {
        assert!(signal(&self.child, "STOP"), "the endpoint is gone");
    }

    /// Lets it go on after [`Endpoint::stop`].
    pub fn resume(&self) {
        assert!(signal(&self.child, "CONT"), "the endpoint is gone");
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that nobody has on any address of this machine, a moment ago.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).expect("a free port");
    listener.local_addr().expect("it is bound").port()
}

/// Serves until the one who started this process is gone; at once over if nobody did.
pub fn serve_if_told() {
    let Ok(list) = std::env::var(LISTEN) else { return };
    for address in list.split(' ') {
        let address: SocketAddr = address.parse().expect("an address");
        let listener = TcpListener::bind(address).unwrap_or_else(|e| panic!("{address}: {e}"));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                std::thread::spawn(move || answer(stream));
            }
        });
    }
    println!("{READY}");
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
}

/// Answers one request. A prober that went away is no business of ours.
fn answer(mut stream: TcpStream) {
    let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
    if stream.read(&mut [0; 4096]).is_ok_and(|length| length > 0) {
        let _ = stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nfine");
    }
}
