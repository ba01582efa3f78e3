//! What outlives the process with `--state`, and what operators do by the control socket.

mod harness;

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;

use harness::responder::Responder;
use harness::server::{Directory, Server, in_shell, meridian, program, run, write_zones};
use harness::wire::{A, Ask};
use harness::{PATIENCE, back_end, wait_until};
use serde_json::Value;

const FIRST: [u8; 4] = [127, 0, 0, 41];
const SECOND: [u8; 4] = [127, 0, 0, 42];

/// One name that fails over from a pool to another. What is down needs three successes, more than two seconds, to come back.
fn zone(port: u16) -> String {
    format!(
        r#"
zone = "state.example"

[check.web]
http       = "/"
port       = {port}
every      = "1s"
timeout    = "1s"
down_after = 1
up_after   = 3

[pool.first]
addresses = "127.0.0.41"
check     = "web"

[pool.second]
addresses = "127.0.0.42"
check     = "web"

[policy.order]
type    = "failover"
targets = ["first", "second"]

[names]
"@" = {{ SOA = "ns hostmaster", NS = "ns" }}
ns  = {{ A = "192.0.2.53" }}
www = {{ policy = "order" }}
"#
    )
}

/// A server with a state directory, and the endpoints of its two pools.
struct Stage {
    responders: [Responder; 2],
    state: Directory,
}

impl Stage {
    fn set() -> Self {
        let responders = Responder::start_all([FIRST, SECOND].map(Into::into));
        Self { responders, state: Directory::create() }
    }

    fn state(&self) -> &str {
        self.state.path().to_str().unwrap()
    }

    fn serve(&self) -> Server {
        let zone = zone(self.responders[0].address().port());
        Server::start(&[("state.toml", &zone)], &["--state", self.state()])
    }

    /// Runs a command that must succeed; gives what it prints.
    fn command(&self, arguments: &[&str]) -> String {
        command_at(self.state(), arguments)
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let text = self.command(&[arguments, &["--json"]].concat());
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    fn overrides(&self) -> Vec<Value> {
        self.json(&["overrides"])["overrides"].as_array().unwrap().clone()
    }

    fn events(&self) -> Vec<Value> {
        self.json(&["events"])["events"].as_array().unwrap().clone()
    }

    fn status_of(&self, pool: &str) -> String {
        let report = self.json(&["health"]);
        let endpoints = report["endpoints"].as_array().unwrap();
        let one = endpoints.iter().find(|endpoint| endpoint["pool"] == pool).unwrap();
        one["status"].as_str().unwrap().to_owned()
    }
}

fn command_at(state: &str, arguments: &[&str]) -> String {
    let output = run(&[arguments, &["--state", state]].concat());
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

fn answer(server: &Server) -> Vec<[u8; 4]> {
    let reply = server.ask(&Ask::new("www.state.example", A));
    reply.ipv4().into_iter().map(|address| address.octets()).collect()
}

/// An endpoint that was down before the restart is down after it, until it was up long enough: whoever forgets hands it out.
fn health_is_remembered_over(end: impl Fn(Server)) {
    let mut stage = Stage::set();
    let server = stage.serve();
    assert_eq!(answer(&server), [FIRST]);
    stage.responders[0].stop();
    wait_until("the first pool is down", PATIENCE, || answer(&server) == [SECOND]);
    let down = stage.events();
    let last = down.last().unwrap();
    assert_eq!((&last["event"], &last["to"]), (&"endpoint".into(), &"down".into()), "{last:#}");
    assert_eq!(last["pools"], serde_json::json!(["state.example/first"]), "{last:#}");
    // What changed is written within the second.
    std::thread::sleep(std::time::Duration::from_secs(2));
    end(server);
    stage.responders[0].restart();
    let server = stage.serve();
    assert_eq!(answer(&server), [SECOND], "{}", server.stderr());
    server.wait_for_log("beginning with the last view of health");
    wait_until("the first pool is back", PATIENCE * 3, || answer(&server) == [FIRST]);
    let events = stage.events();
    assert_eq!(events[..down.len()], down, "the events of the process before");
    let numbers: Vec<u64> = events.iter().map(|event| event["number"].as_u64().unwrap()).collect();
    assert!(numbers.windows(2).all(|two| two[0] < two[1]), "{numbers:?}");
    assert_eq!(stage.status_of("first"), "up");
}

#[test]
fn health_and_events_survive_a_kill() {
    // Dropping a server kills it.
    health_is_remembered_over(drop);
}

#[test]
fn health_and_events_survive_a_stop() {
    health_is_remembered_over(|server| assert_eq!(server.stop("TERM"), Some(0)));
}

#[test]
fn overrides_survive_a_kill_and_end_by_their_time() {
    let stage = Stage::set();
    let server = stage.serve();
    let set = stage.json(&["depool", "first", "--reason", "new disks", "--author", "ops"]);
    assert_eq!((&set["id"], &set["matches"]), (&1.into(), &1.into()), "{set:#}");
    assert_eq!(set["unpersisted"], Value::Null, "{set:#}");
    assert_eq!(answer(&server), [SECOND], "it holds once the command is done");
    let text =
        stage.command(&["depool", "second/*", "--reason", "r", "--drain", "10%", "--for", "1h"]);
    assert_eq!(text, "override 2: second/* is draining 10%/min (matches one thing), for 1h\n");
    stage.command(&["depool", "order/second", "--up", "--reason", "short", "--for", "1s"]);
    let metrics = server.metrics();
    for action in ["up", "down", "drain"] {
        assert_eq!(metrics.value("meridian_overrides", &[("action", action)]), 1.0, "{action}");
    }
    drop(server);
    std::thread::sleep(std::time::Duration::from_millis(1_200));
    let server = stage.serve();
    assert_eq!(answer(&server), [SECOND], "from the first answer on");
    let overrides = stage.overrides();
    let ids: Vec<&Value> = overrides.iter().map(|one| &one["id"]).collect();
    assert_eq!(ids, [1, 2], "the third was over: {overrides:#?}");
    assert_eq!((&overrides[0]["author"], &overrides[0]["action"]), (&"ops".into(), &"down".into()));
    assert!(stage.command(&["overrides"]).contains("new disks"));
    let ended = stage.events().iter().any(|event| {
        event["event"] == "override-ended" && event["id"] == 3 && event["pattern"] == "order/second"
    });
    assert!(ended, "{:#?}", stage.events());
    let next = stage.json(&["depool", "second", "--reason", "r", "--for", "1s"]);
    assert_eq!(next["id"], 4, "no id is given twice");
    wait_until("it ends by its time", PATIENCE, || stage.overrides().len() == 2);
    stage.command(&["repool", "first"]);
    stage.command(&["repool", "2"]);
    assert_eq!(stage.command(&["overrides"]), "no overrides: health decides\n");
    assert_eq!(answer(&server), [FIRST]);
    drop(server);
    let _server = stage.serve();
    assert_eq!(stage.overrides(), Vec::<Value>::new());
}

#[test]
fn overrides_are_kept_over_a_reload() {
    let stage = Stage::set();
    let server = stage.serve();
    stage.command(&["depool", "second", "--reason", "r"]);
    let zone = zone(stage.responders[0].address().port()).replace("second", "spare");
    server.write_zone("state.toml", &zone);
    stage.command(&["reload"]);
    assert_eq!(stage.overrides()[0]["matches"], 0, "it is for nothing now");
    server.wait_for_log("an override matches nothing");
}

#[test]
fn mistakes_are_told_with_exit_code_1() {
    let stage = Stage::set();
    let server = stage.serve();
    let fails = |arguments: &[&str]| {
        let output = run(&[arguments, &["--state", stage.state()]].concat());
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    for (arguments, why) in [
        (&["depool", "frist", "--reason", "r"][..], "near it: first"),
        (&["depool", "first", "--zone", "other.example", "--reason", "r"], "in other.example"),
        (&["depool", "first", "--reason", " "], "reason: it is missing"),
        (&["repool", "7"], "no override is `7`"),
        (&["report", "state.example/deploy", "down"], "no endpoint has the external check"),
        (&["confirm", "first"], "waits for a confirmation"),
    ] {
        let error = fails(arguments);
        assert!(error.contains(why), "{arguments:?}: {error}");
    }
    assert!(stage.overrides().is_empty());
    drop(server);
    assert!(fails(&["overrides"]).contains("no server listens"));
    let output = run(&["overrides"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("Name its state directory"));
}

/// Whoever reaches the admin address reads; only who may open the socket changes anything.
#[test]
fn the_admin_address_changes_nothing_and_problems_are_documents() {
    let stage = Stage::set();
    let server = stage.serve();
    for path in ["/api/v1/overrides", "/api/v1/events?since=0&limit=5", "/api/v1/health"] {
        let answer = server.get(path);
        assert_eq!(answer.status, 200, "{path}");
        serde_json::from_str::<Value>(&answer.body).unwrap();
    }
    let order = "{\"pattern\":\"first\",\"action\":\"down\",\"reason\":\"r\"}";
    for (path, status) in [
        ("/api/v1/overrides", 405),
        ("/api/v1/overrides/1", 404),
        ("/api/v1/reports", 404),
        ("/api/v1/confirm", 404),
        ("/api/v1/guard/release", 404),
        ("/api/v1/reload", 404),
    ] {
        let mut stream = std::net::TcpStream::connect(server.admin).unwrap();
        let answer = exchange(&mut stream, "POST", path, order);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{path}: {answer}");
    }
    assert!(stage.overrides().is_empty());
    let problem = server.get("/api/v1/events?since=x");
    assert_eq!(problem.status, 400);
    assert!(problem.head.contains("application/problem+json"), "{}", problem.head);
    let large = "x".repeat(100_000);
    for (body, status) in [("{", 400), (large.as_str(), 413), ("{\"pattern\":1}", 400)] {
        let mut stream = UnixStream::connect(stage.state.path().join("control")).unwrap();
        let answer = exchange(&mut stream, "POST", "/api/v1/overrides", body);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
        assert!(answer.contains("application/problem+json"), "{answer}");
    }
}

fn exchange(stream: &mut (impl Read + Write), method: &str, path: &str, body: &str) -> String {
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    // A server that has seen enough may close before all of it is written.
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes()));
    let mut octets = Vec::new();
    let _ = stream.read_to_end(&mut octets);
    String::from_utf8_lossy(&octets).into_owned()
}

#[test]
fn a_damaged_file_is_moved_aside_and_serving_goes_on() {
    let stage = Stage::set();
    let server = stage.serve();
    stage.command(&["depool", "second", "--reason", "r"]);
    assert_eq!(server.stop("TERM"), Some(0));
    let file = stage.state.path().join("health.redb");
    let mut octets = std::fs::read(&file).unwrap();
    octets[..4096].fill(0x55);
    std::fs::write(&file, octets).unwrap();
    let server = stage.serve();
    server.wait_for_log("can't be used, and is begun anew");
    assert_eq!(answer(&server), [FIRST]);
    assert!(stage.overrides().is_empty());
    let names = std::fs::read_dir(stage.state.path()).unwrap();
    let names: Vec<_> =
        names.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    assert!(names.iter().any(|name| name.starts_with("health.redb.damaged-")), "{names:?}");
    stage.command(&["depool", "second", "--reason", "r"]);
    assert_eq!(server.metrics().value("meridian_state_persisted", &[]), 1.0);
}

/// On a file system of its own, in a name space of its own; only root can make these.
#[test]
fn a_full_disk_stops_nothing_and_is_written_when_there_is_room() {
    if !Command::new("unshare").args(["-m", "true"]).status().is_ok_and(|status| status.success()) {
        println!("left out: no name spaces here");
        return;
    }
    let stage = Stage::set();
    let zone = zone(stage.responders[0].address().port());
    let (directory, zones) = write_zones(&[("state.toml", &zone)]);
    let disk = directory.path().join("disk");
    std::fs::create_dir(&disk).unwrap();
    let (at, io) = (disk.display(), back_end::NAME);
    let arguments = "serve --zones zones --listen 127.0.0.1:0 --admin 127.0.0.1:0 --state";
    let line = format!(
        "mount -t tmpfs -o size=6m tmpfs {at} && exec '{}' {arguments} {at} --io {io}",
        program().display()
    );
    let mut shell = Command::new("unshare");
    let inner = in_shell(&meridian(), &line);
    shell.arg("-m").arg(inner.get_program()).args(inner.get_args());
    harness::server::take_environment(&mut shell, &inner);
    shell.current_dir(directory.path());
    let server = Server::spawn(shell, directory, zones).unwrap();
    let inside = format!("/proc/{}/root{}", server.process_id(), disk.display());
    assert!(Path::new(&inside).join("health.redb").exists(), "{inside}");
    command_at(&inside, &["depool", "second", "--reason", "before"]);
    let fill = Path::new(&inside).join("fill");
    let mut file = std::fs::File::create(&fill).unwrap();
    while file.write_all(&[1; 4096]).is_ok() {}
    while file.write_all(&[1]).is_ok() {}
    drop(file);
    let mut warned = String::new();
    for n in 0..200 {
        let reason = format!("{n}{}", "x".repeat(400));
        let output = run(&["depool", "second", "--reason", &reason, "--state", &inside]);
        assert_eq!(output.status.code(), Some(0), "it holds all the same");
        warned = String::from_utf8(output.stderr).unwrap();
        if !warned.is_empty() {
            break;
        }
    }
    assert!(warned.contains("a restart would not know of it"), "{warned}");
    assert_eq!(server.metrics().value("meridian_state_persisted", &[]), 0.0);
    for path in ["/health", "/ready"] {
        let answer = server.get(path);
        assert_eq!(answer.status, 200);
        assert!(answer.body.contains("the state directory can't be written"), "{}", answer.body);
    }
    assert!(!answer(&server).is_empty(), "queries are answered");
    std::fs::remove_file(&fill).unwrap();
    wait_until("it is written again", PATIENCE, || {
        server.metrics().value("meridian_state_persisted", &[]) == 1.0
    });
    assert_eq!(server.get("/health").body, "{\"status\":\"ok\"}");
    let told = server.stderr().matches("is kept in memory only").count();
    assert_eq!(told, 1, "one line a minute:\n{}", server.stderr());
}
