//! A network of a test's own, in name spaces, where routes and cables are broken without anybody else noticing.
//!
//! ```text
//!   the test, the server                     an endpoint, in a process and a network of its own
//!   127.0.0.1, 10.77.0.1 ═══ a cable ═══     10.77.0.11, 10.77.0.12 …
//! ```
//!
//! [`alone`] runs a test again by itself in such a network, with mounts of its own; who can make none leaves the test out and
//! says so. [`Far`] is what is at the other end of the cable.

use std::io::Error;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::Path;
use std::process::{Command, Output};

use super::process::Endpoint;

/// Tells the test that it runs in a network of its own already.
const ALONE: &str = "MERIDIAN_TEST_IS_ALONE";

/// What endpoints at the other end listen on: nobody else is there.
pub const FAR_PORT: u16 = 8080;

/// Whether this process has a network of its own.
pub fn is_alone() -> bool {
    std::env::var_os(ALONE).is_some()
}

/// A command that runs another in a new network with new mounts; nothing if there is none to be had.
fn unshare() -> Option<Command> {
    let shares: [&[&str]; 2] = [&["--net", "--mount"], &["--net", "--mount", "--map-root-user"]];
    let works = |arguments: &&&[&str]| {
        let output = Command::new("unshare").args(**arguments).arg("true").output();
        output.is_ok_and(|output| output.status.success())
    };
    let arguments = shares.iter().find(works)?;
    let mut command = Command::new("unshare");
    command.args(*arguments);
    Some(command)
}

/// Runs the named test of this program again, with nothing but loopback for a network. Nothing if no network is to be had.
///
/// # Errors
/// It can't be run.
pub fn begin_again(test: &str) -> Option<Result<Output, Error>> {
    let program = std::env::current_exe().expect("the test's own program");
    let output = unshare()?
        .args(["sh", "-c", "ip link set lo up && exec \"$0\" --exact \"$1\" --nocapture"])
        .arg(program)
        .arg(test)
        .env(ALONE, "1")
        .output();
    Some(output)
}

/// Runs the body in a network of the named test's own, and gives true; does nothing but say so where there is none.
pub fn alone(test: &str, body: impl FnOnce()) -> bool {
    if is_alone() {
        body();
        return true;
    }
    let Some(output) = begin_again(test) else {
        println!("{test}: what needs a network of its own is left out, no name spaces here");
        return false;
    };
    let output = output.unwrap_or_else(|error| panic!("{test} can't be begun again: {error}"));
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && printed.contains("1 passed"),
        "in a network of its own:\n{printed}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    // What was measured is between the lines of the other run.
    let is_frame =
        |line: &&str| line.is_empty() || line.starts_with("running ") || line.starts_with("test ");
    printed.lines().filter(|line| !is_frame(line)).for_each(|line| println!("{line}"));
    true
}

/// From here on names are looked up as this file says, in the place of `/etc/resolv.conf`.
pub fn resolve_by(configuration: &Path) {
    assert!(is_alone(), "that would be everybody's resolver");
    run(&["mount", "--bind", &configuration.display().to_string(), "/etc/resolv.conf"]);
}

/// An endpoint process at the other end of a cable.
pub struct Far {
    process: Endpoint,
    /// The device at this end, and its address.
    near: String,
    address: String,
}

impl Far {
    /// Puts a cable to a new network, and an endpoint with these addresses there, which are of 10.77.N.0/24 for the cable of this
    /// number.
    pub fn join(number: u8, addresses: &[Ipv4Addr]) -> Self {
        assert!(is_alone(), "the cable would be everybody's");
        let everywhere = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, FAR_PORT).into();
        let mut unshare = Command::new("unshare");
        unshare.arg("--net");
        let process = Endpoint::start_by(unshare, &[everywhere]);
        let this =
            Self { process, near: format!("near{number}"), address: format!("10.77.{number}.1") };
        let (near, id) = (this.near.as_str(), this.process.id().to_string());
        run(&["ip", "link", "add", near, "type", "veth", "peer", "name", "far", "netns", &id]);
        run(&["ip", "address", "add", &format!("{}/24", this.address), "dev", near]);
        for address in addresses {
            this.run(&["ip", "address", "add", &format!("{address}/24"), "dev", "far"]);
        }
        this.run(&["ip", "link", "set", "far", "up"]);
        this.plug();
        this
    }

    /// Pulls the cable out at this end: there is no route any more.
    pub fn pull(&self) {
        run(&["ip", "link", "set", &self.near, "down"]);
    }

    pub fn plug(&self) {
        run(&["ip", "link", "set", &self.near, "up"]);
    }

    /// From now on no packet comes back, and nothing says why.
    pub fn swallow(&self) {
        self.run(&["ip", "route", "add", "blackhole", &self.address]);
    }

    pub fn deliver(&self) {
        self.run(&["ip", "route", "del", "blackhole", &self.address]);
    }

    /// Runs a command in the other network.
    fn run(&self, command: &[&str]) {
        let process = self.process.id().to_string();
        run(&[&["nsenter", "--target", &process, "--net"], command].concat());
    }
}

fn run(command: &[&str]) {
    let output = Command::new(command[0]).args(&command[1..]).output();
    let output = output.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} ended with {}: {errors}", output.status);
}
