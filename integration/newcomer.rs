//! The README's promise: started on the shipped zones without any argument, the server prints questions to try, and they work
//! as printed.
//!
//! The regions of the shipped zones are documentation addresses, which these tests must not contact. So the server runs in a
//! network of its own that has nothing but loopback, and dig with it. Making one needs root or unprivileged user namespaces;
//! where there is neither, the tests say so and end.

mod harness;

use std::path::Path;
use std::process::Command;

use harness::fingerprint::FILE;
use harness::server::{Directory, Server, meridian, program, take_environment};

/// What the shipped zones say for the three clients of the printed questions: United States, Germany, Japan.
const DOCUMENTED: [&str; 3] = ["192.0.2.10", "198.51.100.10", "203.0.113.10"];

/// Starts a shell in a network of its own, with loopback up.
const ALONE: [&str; 3] = ["unshare", "--net", "--map-root-user"];
const LOOPBACK_UP: &str = "ip link set lo up";

/// Whether networks can be made here; if not, says why.
fn can_be_alone() -> bool {
    let output = Command::new(ALONE[0]).args(&ALONE[1..]).args(["sh", "-c", LOOPBACK_UP]).output();
    match output {
        Ok(output) if output.status.success() => true,
        Ok(output) => {
            let why = String::from_utf8_lossy(&output.stderr).into_owned();
            println!("skipped: no network of our own ({})", why.trim());
            false
        }
        Err(error) => {
            println!("skipped: unshare can't be run ({error})");
            false
        }
    }
}

fn copy_shipped_zones(to: &Path) {
    let zones = to.join("zones");
    std::fs::create_dir(&zones).unwrap();
    for file in std::fs::read_dir(harness::repository().join("zones")).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), zones.join(file.file_name())).unwrap();
    }
    assert!(zones.join(FILE).exists());
}

/// The server in a network of its own that a line of shell prepares, started without any argument.
fn start_alone(directory: Directory, prepare: &str) -> Server {
    let mut command = Command::new(ALONE[0]);
    command.args(&ALONE[1..]).arg("--kill-child").args(["sh", "-c"]);
    command.arg(format!("{prepare} && exec '{}'", program().display()));
    take_environment(&mut command, &meridian());
    command.current_dir(directory.path());
    let zones = directory.path().join("zones");
    Server::spawn(command, directory, zones)
        .unwrap_or_else(|refused| panic!("it does not serve: {refused:#?}"))
}

/// Runs a line of shell in the network of the server: from another one nobody would be found.
fn run_beside(server: &Server, line: &str) -> String {
    let output = Command::new("nsenter")
        .args(["--target", &server.process_id().to_string()])
        .args(["--user", "--preserve-credentials", "--net", "sh", "-c", line])
        .output()
        .expect("nsenter can't be run: it comes with unshare, in util-linux");
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

#[test]
fn the_printed_questions_work_as_printed() {
    if !can_be_alone() {
        return;
    }
    let directory = Directory::create();
    copy_shipped_zones(directory.path());
    let server = start_alone(directory, LOOPBACK_UP);
    println!("{}", server.banner.join("\n"));
    let version = format!("meridian {}", env!("CARGO_PKG_VERSION"));
    for line in [
        version.as_str(),
        "  dns    127.0.0.1:5300 (UDP and TCP)",
        "  dns    [::1]:5300 (UDP and TCP)",
        "  admin  http://127.0.0.1:8053",
    ] {
        assert!(server.banner.contains(&line.to_owned()), "no {line:?}");
    }
    let questions: Vec<_> =
        server.banner.iter().filter(|line| line.starts_with("  dig ")).collect();
    assert_eq!(questions.len(), 3);
    for (question, documented) in questions.iter().zip(DOCUMENTED) {
        assert_eq!(run_beside(&server, question), documented, "{question}");
    }
    // The name of the server's own, IPv6, and the other names of the zone.
    for (question, documented) in [
        (
            "dig @::1 -p 5300 +short api.fingerprint.example.com AAAA +subnet=46.4.0.0/24",
            "2001:db8:2::10",
        ),
        (
            "dig @127.0.0.1 -p 5300 +short fingerprint.example.com NS | sort | head -1",
            "ns1.fingerprint.example.com.",
        ),
        ("dig @127.0.0.1 -p 5300 +short ns1.fingerprint.example.com", "192.0.2.53"),
        (
            "dig @127.0.0.1 -p 5300 +short route53.ap-southeast-1.fingerprint.example.com",
            "203.0.113.10",
        ),
    ] {
        assert_eq!(run_beside(&server, question), documented, "{question}");
    }
    let health =
        run_beside(&server, &format!("'{}' healthcheck && echo healthy", program().display()));
    assert_eq!(health, "healthy");
}

/// Containers often have no IPv6. Nobody asked for the default addresses, so those that the machine lacks are left out.
#[test]
fn a_machine_without_ipv6_is_served_on_ipv4() {
    if !can_be_alone() {
        return;
    }
    let directory = Directory::create();
    copy_shipped_zones(directory.path());
    let without = format!("echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6 && {LOOPBACK_UP}");
    let server = start_alone(directory, &without);
    println!("{}", server.banner.join("\n"));
    assert_eq!(server.dns, ["127.0.0.1:5300".parse().unwrap()]);
    let question = "dig @127.0.0.1 -p 5300 api.fingerprint.example.com +short +subnet=46.4.0.0/24";
    assert_eq!(run_beside(&server, question), DOCUMENTED[1]);
}
