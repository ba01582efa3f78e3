//! Files that are wrong: what the server does with them at start and at reload, and what it says.

mod harness;

use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use harness::responder::Responder;
use harness::server::{self, Directory, Refused, Server, run};
use harness::tools::{dig, dig_short};
use harness::wire::{A, Ask, NXDOMAIN, SERVFAIL, SOA, UdpClient};
use harness::{PATIENCE, example, http, wait_until};
use mmdb_writer::{Value, Writer};

/// A zone with one address and one name that is chosen by place.
fn zone(apex: &str, address: &str) -> String {
    format!(
        r#"
zone = "{apex}"
ttl  = "1h"

[pool.germany]
addresses = ["192.0.2.49"]

[pool.rest]
addresses = ["192.0.2.99"]

[policy.by-place]
type       = "geolocation"
country.DE = "germany"
default    = "rest"

[names]
"@"   = {{ SOA = "ns hostmaster", NS = "ns" }}
ns    = {{ A = "192.0.2.53" }}
www   = {{ A = "{address}" }}
place = {{ policy = "by-place" }}
"#
    )
}

/// The zone with a mistake that a human makes.
fn broken(apex: &str) -> String {
    zone(apex, "192.0.2.1").replace("policy = \"by-place\"", "policy = \"by-palce\"")
}

fn address_of(server: &Server, name: &str) -> Vec<String> {
    server.ask(&Ask::new(name, A)).rdata()
}

fn refused(result: Result<Server, Refused>) -> Refused {
    match result {
        Err(refused) => refused,
        Ok(server) => panic!("it serves: {:#?}", server.banner),
    }
}

#[test]
fn a_broken_zone_at_start_is_refused_by_name_and_the_others_are_served() {
    let (good, bad) = (zone("good.example", "192.0.2.1"), broken("bad.example"));
    let server = Server::start(&[("good.toml", &good), ("bad.toml", &bad)], &[]);
    assert!(
        server.banner.contains(&"  zones  1 served, 1 refused".to_owned()),
        "{:#?}",
        server.banner
    );
    assert_eq!(address_of(&server, "www.good.example"), ["192.0.2.1"]);
    for name in ["www.bad.example", "bad.example", "any.thing.bad.example"] {
        let reply = dig(server.ipv4(), &[name, "A"]);
        assert_eq!(reply.status, "SERVFAIL", "{}", reply.text);
        let error = reply.extended_error.unwrap_or_else(|| panic!("no EDE:\n{}", reply.text));
        assert!(error.starts_with("24 (Invalid Data)"), "{error}");
    }
    let reply = server.ask(&Ask::new("www.bad.example", A).payload(1232));
    assert_eq!((reply.rcode(), reply.extended_error().unwrap().0), (SERVFAIL, 24));
    let ready = server.get("/ready");
    assert_eq!(ready.status, 200);
    assert!(ready.body.contains("\"status\":\"degraded\""), "{}", ready.body);
    assert!(ready.body.contains("bad.example"), "{}", ready.body);
    assert_eq!(server.metrics().value("meridian_zones", &[("state", "refused")]), 1.0);
    assert_eq!(server.metrics().value("meridian_zones", &[("state", "served")]), 1.0);
    // What is wrong, where, and what was probably meant.
    let log = server.stderr();
    for text in ["bad.toml:20:20", "by-palce", "did you mean", "by-place", "^"] {
        assert!(log.contains(text), "no {text:?} in\n{log}");
    }
}

#[test]
fn a_zone_that_is_repaired_comes_to_be_served_at_reload() {
    let (good, bad) = (zone("good.example", "192.0.2.1"), broken("bad.example"));
    let server = Server::start(&[("good.toml", &good), ("bad.toml", &bad)], &[]);
    server.write_zone("bad.toml", &zone("bad.example", "192.0.2.2"));
    server.reload();
    server.wait_until_ready_says("\"status\":\"ready\"");
    assert_eq!(address_of(&server, "www.bad.example"), ["192.0.2.2"]);
    assert_eq!(server.metrics().value("meridian_zones", &[("state", "served")]), 2.0);
}

#[test]
fn strict_refuses_to_start_on_a_broken_zone() {
    let (good, bad) = (zone("good.example", "192.0.2.1"), broken("bad.example"));
    let zones = [("good.toml", good.as_str()), ("bad.toml", bad.as_str())];
    let refused = refused(Server::try_start(&zones, &["--strict"]));
    assert_eq!(refused.code, Some(1), "{}", refused.stderr);
    assert!(refused.stderr.contains("bad.toml:20:20"), "{}", refused.stderr);
    assert!(refused.stdout.is_empty(), "{}", refused.stdout);
    drop(Server::start(&zones[..1], &["--strict"]));
}

#[test]
fn a_reload_is_all_or_nothing() {
    let zones = [
        ("one.toml", zone("one.example", "192.0.2.1")),
        ("two.toml", zone("two.example", "192.0.2.2")),
    ];
    let zones: Vec<_> = zones.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let server = Server::start(&zones, &[]);
    let successful = "meridian_config_last_reload_successful";
    assert_eq!(server.metrics().value(successful, &[]), 1.0);

    // One has news, the other a mistake: nothing changes.
    server.write_zone("one.toml", &zone("one.example", "192.0.2.11"));
    server.write_zone("two.toml", &broken("two.example"));
    server.reload();
    server.wait_until_ready_says("degraded");
    assert_eq!(server.get("/ready").status, 200);
    assert_eq!(server.metrics().value(successful, &[]), 0.0);
    assert_eq!(address_of(&server, "www.one.example"), ["192.0.2.1"]);
    assert_eq!(address_of(&server, "www.two.example"), ["192.0.2.2"]);
    assert!(server.stderr().contains("two.toml:20:20"), "{}", server.stderr());

    // The mistake is repaired: both have news.
    server.write_zone("two.toml", &zone("two.example", "192.0.2.12"));
    server.reload();
    server.wait_until_ready_says("\"status\":\"ready\"");
    assert_eq!(server.metrics().value(successful, &[]), 1.0);
    assert_eq!(address_of(&server, "www.one.example"), ["192.0.2.11"]);
    assert_eq!(address_of(&server, "www.two.example"), ["192.0.2.12"]);
}

#[test]
fn zones_come_and_go_at_reload() {
    let server = Server::start(&[("one.toml", &zone("one.example", "192.0.2.1"))], &[]);
    server.write_zone("two.toml", &zone("two.example", "192.0.2.2"));
    server.reload();
    wait_until("the new zone is served", PATIENCE, || {
        address_of(&server, "www.two.example") == ["192.0.2.2"]
    });
    server.remove_zone("one.toml");
    server.reload();
    wait_until("the old zone is gone", PATIENCE, || {
        address_of(&server, "www.one.example").is_empty()
    });
    assert_eq!(dig(server.ipv4(), &["www.one.example"]).status, "REFUSED");
    // No zone at all is a mistake, not a wish.
    server.remove_zone("two.toml");
    server.reload();
    server.wait_until_ready_says("degraded");
    assert_eq!(address_of(&server, "www.two.example"), ["192.0.2.2"]);
}

/// A client that asks without pause during ten reloads is answered each time, by the old zone or by the new one, and never by an
/// older one than before.
#[test]
fn reloads_lose_no_query() {
    let server = Server::start(&[("one.toml", &zone("one.example", "192.0.2.0"))], &[]);
    let client = UdpClient::connect(server.ipv4());
    let done = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&done);
    let asker = std::thread::spawn(move || {
        let (mut asked, mut last) = (0u64, 0);
        // With one socket, and so one worker: two workers may take a new zone one after the other.
        while !told.load(Ordering::Relaxed) {
            let reply = client.exchange(&Ask::new("www.one.example", A));
            let [address] = reply.ipv4()[..] else { panic!("{:?}", reply.message) };
            let round = address.octets()[3];
            assert!(round >= last, "round {round} after round {last}");
            (asked, last) = (asked + 1, round);
        }
        asked
    });
    for round in 1..=10 {
        let new = format!("192.0.2.{round}");
        server.write_zone("one.toml", &zone("one.example", &new));
        server.reload();
        wait_until("the new address is served", PATIENCE, || {
            address_of(&server, "www.one.example") == [new.clone()]
        });
    }
    done.store(true, Ordering::Relaxed);
    let asked = asker.join().expect("a query was lost or answered wrongly");
    println!("{asked} queries during 10 reloads");
    assert!(asked > 100, "{asked} queries show nothing");
}

#[test]
fn a_missing_directory_of_zones_is_a_clear_error() {
    let refused = refused(Server::try_start(&[], &["--zones", "/nonexistent/zones"]));
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("/nonexistent/zones does not exist"), "{}", refused.stderr);
    let empty = Directory::create();
    let path = empty.path().to_str().unwrap();
    let refused = self::refused(Server::try_start(&[], &["--zones", path]));
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("holds no zone file"), "{}", refused.stderr);
}

/// When the databases of these tests say they were built: in 2023.
const BUILT: u64 = 1_700_000_000;

/// A database in the shape of GeoIP2 Country, in which the two prefixes have changed countries.
fn write_database(path: &Path, countries: &[(&str, &str)]) {
    let mut writer = Writer::builder("GeoIP2-Country")
        .description(&[("en", "Countries for a test")])
        .build_epoch(SystemTime::UNIX_EPOCH + Duration::from_secs(BUILT))
        .build();
    for (network, code) in countries {
        let place = |code: &str| {
            let names = Value::map([("en", Value::from("Somewhere"))]);
            Value::map([("iso_code", Value::from(code)), ("names", names)])
        };
        let record = Value::map([
            ("continent", Value::map([("code", Value::from("XX"))])),
            ("country", place(code)),
            ("registered_country", place("FR")),
        ]);
        let network: ipnet::IpNet = network.parse().unwrap();
        writer.insert_value(network, record).unwrap();
    }
    std::fs::write(path, writer.to_bytes().unwrap()).unwrap();
}

struct OwnDatabase {
    server: Server,
    path: PathBuf,
    /// Kept because the file goes with it.
    _directory: Directory,
}

impl OwnDatabase {
    fn start(countries: &[(&str, &str)]) -> Self {
        let directory = Directory::create();
        let path = directory.path().join("country.mmdb");
        write_database(&path, countries);
        let zone = zone("one.example", "192.0.2.1");
        let arguments = ["--geodb", path.to_str().unwrap()];
        let server = Server::start(&[("one.toml", &zone)], &arguments);
        Self { server, path, _directory: directory }
    }

    fn answer_for(&self, client: &str) -> Vec<String> {
        self.server.ask(&Ask::new("place.one.example", A).subnet(client)).rdata()
    }
}

#[test]
fn a_geoip2_database_of_ones_own_decides_the_answers() {
    let zone = zone("one.example", "192.0.2.1");
    let built_in = Server::start(&[("one.toml", &zone)], &[]);
    let ask = |client| Ask::new("place.one.example", A).subnet(client);
    assert_eq!(built_in.ask(&ask("46.4.0.0/24")).rdata(), ["192.0.2.49"]);
    assert_eq!(built_in.ask(&ask("8.8.8.0/24")).rdata(), ["192.0.2.99"]);

    let own = OwnDatabase::start(&[("46.4.0.0/16", "US"), ("8.8.8.0/24", "DE")]);
    assert_eq!(own.answer_for("46.4.0.0/24"), ["192.0.2.99"]);
    assert_eq!(own.answer_for("8.8.8.0/24"), ["192.0.2.49"]);
    assert_eq!(own.server.ask(&ask("8.8.8.0/32")).scope(), Some(24));
    let built = own.server.metrics().value("meridian_geodb_build_timestamp_seconds", &[]);
    assert_eq!(built, BUILT as f64);
}

/// What `check` promises of residency it has proved for every name.
#[test]
fn check_proves_residency_and_says_who_is_left_with_nothing() {
    let directory = Directory::create();
    let file = directory.path().join("a.toml");
    let zone = |more: &str| {
        format!(
            "zone = \"a.example\"\n[pool.eu]\naddresses = \"192.0.2.1\"\n[pool.us]\naddresses = \"192.0.2.2\"\n\
             [residency.law]\nclients = [\"country.DE\"]\npools = [\"eu\"]\n{more}\n[policy.p]\ntype = \"failover\"\n\
             targets = [\"us\", \"eu\"]\n[names]\n\"@\" = {{ SOA = \"ns1 h\", NS = [\"ns1\", \"ns2\"] }}\n\
             ns1 = {{ A = \"192.0.2.53\" }}\nns2 = {{ A = \"192.0.2.54\" }}\nwww = {{ policy = \"p\" }}\n\
             only-us = {{ pool = \"us\" }}\n"
        )
    };
    let check = |more: &str| {
        std::fs::write(&file, zone(more)).unwrap();
        let output = run(&["check", file.to_str().unwrap()]);
        String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap()
    };
    let text = check("");
    for line in [
        "residency law of a.example.: 2 names, its clients get eu only, whatever is up\n",
        "only-us.a.example. has no answer for clients in DE (Germany)",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    let conflict = "[residency.other]\nclients = [\"continent.EU\"]\npools = [\"us\"]";
    let text = check(conflict);
    assert!(text.contains("residency law of a.example.: www.a.example. has no answer"), "{text}");
}

#[test]
fn a_new_database_is_taken_over_at_reload() {
    let own = OwnDatabase::start(&[("8.8.8.0/24", "DE")]);
    assert_eq!(own.answer_for("8.8.8.0/24"), ["192.0.2.49"]);
    write_database(&own.path, &[("8.8.8.0/24", "US"), ("9.9.9.0/24", "DE")]);
    own.server.reload();
    wait_until("the new database is used", PATIENCE, || {
        own.answer_for("9.9.9.0/24") == ["192.0.2.49"]
    });
    assert_eq!(own.answer_for("8.8.8.0/24"), ["192.0.2.99"]);
}

#[test]
fn a_database_that_breaks_is_ignored_at_reload_with_an_alarm() {
    let own = OwnDatabase::start(&[("8.8.8.0/24", "DE")]);
    let whole = std::fs::read(&own.path).unwrap();
    let assert_alarm = |what: &str| {
        own.server.reload();
        own.server.wait_until_ready_says("degraded");
        assert_eq!(own.answer_for("8.8.8.0/24"), ["192.0.2.49"], "{what}");
        assert!(own.server.get("/ready").body.contains("geo database"), "{what}");
        let loaded = own.server.metrics().value("meridian_geodb_last_load_successful", &[]);
        assert_eq!(loaded, 0.0, "{what}");
        own.server.wait_for_log("ERROR");
    };
    let assert_repaired = || {
        std::fs::write(&own.path, &whole).unwrap();
        own.server.reload();
        own.server.wait_until_ready_says("\"status\":\"ready\"");
    };
    std::fs::write(&own.path, b"this was a database once").unwrap();
    assert_alarm("garbage");
    assert_repaired();
    std::fs::write(&own.path, &whole[..whole.len() / 2]).unwrap();
    assert_alarm("half a file");
    assert_repaired();
    std::fs::remove_file(&own.path).unwrap();
    assert_alarm("no file");
    assert_repaired();
}

#[test]
fn a_broken_or_missing_database_is_a_clear_error_at_start() {
    let directory = Directory::create();
    let path = directory.path().join("country.mmdb");
    let path = path.to_str().unwrap();
    let zone = zone("one.example", "192.0.2.1");
    let start = || refused(Server::try_start(&[("one.toml", &zone)], &["--geodb", path]));
    let missing = start();
    assert_eq!(missing.code, Some(1));
    assert!(missing.stderr.contains(&format!("{path} does not exist")), "{}", missing.stderr);
    for garbage in [&b""[..], b"this is no database", &[0xff; 5000]] {
        std::fs::write(path, garbage).unwrap();
        let broken = start();
        assert_eq!(broken.code, Some(1), "{}", broken.stderr);
        assert!(broken.stderr.contains(path), "{}", broken.stderr);
        assert!(!broken.stderr.contains("panicked"), "{}", broken.stderr);
        assert!(broken.stdout.is_empty(), "{}", broken.stdout);
    }
}

#[test]
fn an_address_in_use_is_a_clear_error() {
    let zone = zone("one.example", "192.0.2.1");
    let zones = [("one.toml", zone.as_str())];
    let first = Server::start(&zones, &[]);
    let assert_refused = |arguments: &[&str], address: SocketAddr| {
        let refused = refused(Server::try_start(&zones, arguments));
        assert_eq!(refused.code, Some(1), "{}", refused.stderr);
        let text = format!("can't listen on {address}");
        assert!(refused.stderr.contains(&text), "{}", refused.stderr);
        assert!(refused.stdout.is_empty(), "{}", refused.stdout);
    };
    let (dns, admin) = (first.ipv4().to_string(), first.admin.to_string());
    assert_refused(&["--listen", &dns], first.ipv4());
    assert_refused(&["--admin", &admin], first.admin);
    // A port that only UDP is taken on, as by a resolver of the system.
    let other = UdpSocket::bind("127.0.0.1:0").unwrap();
    let taken = other.local_addr().unwrap();
    assert_refused(&["--listen", &taken.to_string()], taken);
    // The first one never noticed.
    assert_eq!(dig_short(first.ipv4(), &["www.one.example"]), ["192.0.2.1"]);
}

#[test]
fn check_tells_right_from_wrong_by_its_exit_code() {
    let directory = Directory::create();
    let write = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let good = write("good.toml", &zone("good.example", "192.0.2.1"));
    let output = run(&["check", &good]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let in_directory = run(&["check", "--zones", directory.path().to_str().unwrap()]);
    assert_eq!(in_directory.status.code(), Some(0));
    let bad = write("bad.toml", &broken("bad.example"));
    for arguments in [&["check", &bad][..], &["check", &good, &bad]] {
        let output = run(arguments);
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{text}");
        for part in ["error", &format!("{bad}:20:20"), "by-palce", "^", "did you mean", "by-place"]
        {
            assert!(text.contains(part), "no {part:?} in\n{text}");
        }
    }
    assert_eq!(run(&["check", "/nonexistent.toml"]).status.code(), Some(1));
    let shipped = harness::repository().join("zones");
    let output = run(&["check", "--zones", shipped.to_str().unwrap()]);
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    assert!(text.is_empty(), "no warnings: {text}");
}

#[test]
fn every_command_has_help_with_an_example() {
    let help = |arguments: &[&str]| {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
        assert!(output.stderr.is_empty(), "{arguments:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let overview = help(&["--help"]);
    let (_, commands) = overview.split_once("Commands:\n").expect("no commands");
    let commands: Vec<_> = commands
        .lines()
        .take_while(|line| line.starts_with("  "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|command| *command != "help")
        .collect();
    for expected in ["serve", "check", "explain", "healthcheck"] {
        assert!(commands.contains(&expected), "{commands:?}");
    }
    for command in commands {
        let text = help(&[command, "--help"]);
        assert!(text.contains(&format!("  meridian {command}")), "no example: {text}");
        help(&[command, "-h"]);
    }
    assert_eq!(help(&["--version"]), format!("meridian {}\n", env!("CARGO_PKG_VERSION")));
    assert_eq!(run(&["serve", "--no-such-flag"]).status.code(), Some(2));
}

#[test]
fn the_environment_sets_what_flags_set_and_flags_win() {
    let zones = [("one.toml", zone("one.example", "192.0.2.1"))];
    let server = Server::start_in_environment(
        &[(zones[0].0, &zones[0].1)],
        &[
            ("MERIDIAN_ZONES", "zones"),
            ("MERIDIAN_LISTEN", "127.0.0.1:0,127.0.0.2:0,[::1]:0"),
            ("MERIDIAN_ADMIN", "127.0.0.1:0"),
            ("MERIDIAN_WORKERS", "1"),
            ("MERIDIAN_STRICT", "1"),
        ],
    );
    assert_eq!(server.dns.len(), 3);
    for dns in &server.dns {
        assert_eq!(dig_short(*dns, &["www.one.example"]), ["192.0.2.1"]);
    }
    // The container's health check runs with the same environment.
    let admin = server.admin.to_string();
    let check = server::meridian()
        .env("MERIDIAN_ADMIN", &admin)
        .env("MERIDIAN_LISTEN", "0.0.0.0:5300,[::]:5300")
        .env("MERIDIAN_ZONES", "/etc/meridian/zones")
        .arg("healthcheck")
        .status()
        .unwrap();
    assert_eq!(check.code(), Some(0));
    let missing = server.ask(&Ask::new("missing.one.example", A));
    assert_eq!(missing.rcode(), NXDOMAIN);
}

/// A container's engine or an operator may be early: before it serves, while endpoints that hang are still waited for.
#[test]
fn signals_are_heeded_before_it_serves() {
    let slow = Responder::start([127, 0, 0, 1], 0).unwrap();
    slow.set_delay(Duration::from_secs(30));
    let zones = [("slow.toml", example::hanging(slow.address().port()))];
    let status =
        |early: &Early| http::try_get(early.admin, "/ready").map_or(0, |ready| ready.status);
    let start = || {
        let early = Early::start(&zones[0].1);
        wait_until("it starts", PATIENCE, || status(&early) == 503);
        early
    };
    let mut stopped = start();
    assert!(server::signal(&stopped.child, "TERM"));
    assert_eq!(server::wait(&mut stopped.child, "a stopped server").code(), Some(0));
    let reloaded = start();
    assert!(server::signal(&reloaded.child, "HUP"));
    wait_until("it serves in spite of it", PATIENCE, || status(&reloaded) == 200);
}

/// A server that is not waited for.
struct Early {
    child: Child,
    admin: SocketAddr,
    _directory: Directory,
}

impl Early {
    fn start(zone: &str) -> Self {
        let directory = Directory::create();
        std::fs::create_dir(directory.path().join("zones")).unwrap();
        std::fs::write(directory.path().join("zones/slow.toml"), zone).unwrap();
        // A port that was free a moment ago: the server's own choice is not known before it serves.
        let admin = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let child = server::meridian()
            .current_dir(directory.path())
            .args(["serve", "--listen", "127.0.0.1:0", "--admin", &admin.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { child, admin, _directory: directory }
    }
}

impl Drop for Early {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A full disk under the log, or nobody who reads it, is no reason to stop answering.
#[test]
fn a_log_that_can_not_be_written_does_not_end_it() {
    if !Path::new("/dev/full").exists() {
        println!("skipped: no /dev/full here");
        return;
    }
    let zone = zone("one.example", "192.0.2.1");
    let server = Server::start_after("exec 2>/dev/full", &[("one.toml", &zone)]);
    assert_eq!(address_of(&server, "www.one.example"), ["192.0.2.1"]);
    server.write_zone("one.toml", &broken("one.example"));
    server.reload();
    server.wait_until_ready_says("degraded");
    assert_eq!(address_of(&server, "www.one.example"), ["192.0.2.1"]);
}

/// A server whose zone files and state outlive it, and whose zone files have the times that a test gives them.
struct Kept {
    directory: Directory,
}

impl Kept {
    fn create() -> Self {
        let kept = Self { directory: Directory::create() };
        std::fs::create_dir(kept.path("zones")).unwrap();
        kept
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The zone one.example with an address of `www`, as if it had been written then.
    fn write(&self, address: &str, changed: u64) {
        let (path, aside) = (self.path("zones/one.toml"), self.path("zones/.one.toml"));
        std::fs::write(&aside, zone("one.example", address)).unwrap();
        let file = std::fs::File::options().write(true).open(&aside).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(changed)).unwrap();
        std::fs::rename(&aside, path).unwrap();
    }

    fn start(&self, with_state: bool) -> Server {
        let (zones, state) = (self.path("zones"), self.path("state/deep"));
        let (zones, state) = (zones.to_str().unwrap(), state.to_str().unwrap());
        let arguments = ["--zones", zones, "--state", state];
        let arguments = if with_state { &arguments[..] } else { &arguments[..2] };
        Server::start(&[], arguments)
    }

    /// Reloads, and waits until that is done: a zone that comes or goes tells.
    fn reload(&self, server: &Server) {
        let path = self.path("zones/tell.toml");
        let is_there = path.exists();
        if is_there {
            std::fs::remove_file(&path).unwrap();
        } else {
            std::fs::write(&path, zone("tell.example", "192.0.2.7")).unwrap();
        }
        server.reload();
        wait_until("the reload is done", PATIENCE, || {
            address_of(server, "www.tell.example").is_empty() == is_there
        });
    }
}

fn serial_of(server: &Server, apex: &str) -> u32 {
    let soa = server.ask(&Ask::new(apex, SOA)).rdata();
    let serial = soa.first().and_then(|soa| soa.split_whitespace().nth(2));
    serial.unwrap_or_else(|| panic!("{soa:?}")).parse().unwrap()
}

/// When the zone of these tests was first written: in 2023.
const WRITTEN: u64 = 1_700_000_000;

#[test]
fn a_serial_taken_from_a_file_never_goes_back_at_reload() {
    let kept = Kept::create();
    kept.write("192.0.2.1", WRITTEN);
    let server = kept.start(false);
    let written = u32::try_from(WRITTEN).unwrap();
    for (address, changed, expected, what) in [
        ("192.0.2.1", WRITTEN, written, "nothing new"),
        ("192.0.2.1", WRITTEN + 60, written, "touched"),
        ("192.0.2.1", WRITTEN - 60, written, "an older copy of the same"),
        ("192.0.2.2", WRITTEN - 60, written + 1, "an older time, and other contents"),
        ("192.0.2.3", WRITTEN - 60, written + 2, "twice in a second"),
        ("192.0.2.4", WRITTEN + 60, written + 60, "a newer time"),
    ] {
        kept.write(address, changed);
        kept.reload(&server);
        assert_eq!(address_of(&server, "www.one.example"), [address], "{what}");
        assert_eq!(serial_of(&server, "one.example"), expected, "{what}");
    }
    // A negative answer has the same SOA.
    let denied = server.ask(&Ask::new("missing.one.example", A));
    let mut authority = denied.message.authorities.iter().map(|record| record.data.to_string());
    let expected = format!(" {} ", written + 60);
    assert!(
        authority.next_back().is_some_and(|soa| soa.contains(&expected)),
        "{:?}",
        denied.message
    );
    assert!(!kept.path("state").exists());
}

#[test]
fn a_state_directory_keeps_serials_over_a_restart() {
    let kept = Kept::create();
    let written = u32::try_from(WRITTEN).unwrap();
    kept.write("192.0.2.1", WRITTEN);
    let first = kept.start(true);
    assert_eq!(serial_of(&first, "one.example"), written);
    kept.write("192.0.2.2", WRITTEN - 60);
    kept.reload(&first);
    assert_eq!(serial_of(&first, "one.example"), written + 1);
    // A reload that is refused is not remembered.
    std::fs::write(kept.path("zones/bad.toml"), broken("bad.example")).unwrap();
    kept.write("192.0.2.3", WRITTEN + 60);
    first.reload();
    first.wait_until_ready_says("degraded");
    std::fs::remove_file(kept.path("zones/bad.toml")).unwrap();
    kept.write("192.0.2.2", WRITTEN - 60);
    assert_eq!(first.stop("TERM"), Some(0));

    let second = kept.start(true);
    assert_eq!(serial_of(&second, "one.example"), written + 1, "the same contents");
    drop(second);
    kept.write("192.0.2.4", WRITTEN - 90);
    let third = kept.start(true);
    assert_eq!(serial_of(&third, "one.example"), written + 2, "other contents");
    drop(third);

    for damaged in [&b"{ \"format\": 1, \"zones\": { \"one.exa"[..], b"\xff\x00", b""] {
        std::fs::write(kept.path("state/deep/serials.json"), damaged).unwrap();
        let fourth = kept.start(true);
        fourth.wait_for_log("serials are forgotten");
        assert_eq!(serial_of(&fourth, "one.example"), written - 90, "the file's time");
    }
    // It was written anew.
    kept.write("192.0.2.5", WRITTEN - 90);
    assert_eq!(serial_of(&kept.start(true), "one.example"), written - 89);
}

#[test]
fn a_state_directory_that_can_not_be_made_is_a_clear_error() {
    let directory = Directory::create();
    let file = directory.path().join("file");
    std::fs::write(&file, "").unwrap();
    let zone = zone("one.example", "192.0.2.1");
    let state = file.join("state");
    let arguments = ["--state", state.to_str().unwrap()];
    let refused = refused(Server::try_start(&[("one.toml", &zone)], &arguments));
    assert_eq!(refused.code, Some(1), "{}", refused.stderr);
    let expected = format!("can't use the state directory {}", state.display());
    assert!(refused.stderr.contains(&expected), "{}", refused.stderr);
    assert!(refused.stdout.is_empty(), "{}", refused.stdout);
}
