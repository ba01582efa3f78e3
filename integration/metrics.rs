//! What the server says about itself: metrics, health, readiness, and why a client gets its answer.

mod harness;

use std::net::TcpListener;
use std::time::{Duration, Instant};

use harness::fingerprint::{
    API, API_CNAME, CLIENTS, Deployment, EU_WEST_1, FILE, US_EAST_1, zone_on_loopback,
};
use harness::http;
use harness::responder::Responder;
use harness::server::{Directory, Server, run};
use harness::tools::{dig, dig_short};
use harness::wire::{A, AAAA, Ask, TXT, TcpClient, UdpClient};
use harness::{PATIENCE, example, wait_until};
use serde_json::Value;

#[test]
fn requests_and_responses_are_counted_by_transport_family_type_and_code() {
    let server = example::serve(&[]);
    let before = server.metrics();
    for _ in 0..3 {
        server.ask(&Ask::new("example.com", A));
    }
    server.ask(&Ask::new("missing.example.com", TXT));
    UdpClient::connect(server.ipv6()).exchange(&Ask::new("www.example.net", AAAA));
    TcpClient::connect(server.ipv4()).exchange(&Ask::new("example.com", A));
    server.ask(&Ask::new("example.com", A).option(8, &[1]));
    let after = server.metrics();
    let grown =
        |name: &str, labels: &[(&str, &str)]| after.sum(name, labels) - before.sum(name, labels);
    for (labels, expected) in [
        (&[("proto", "udp"), ("family", "1"), ("type", "A")][..], 4.0),
        (&[("proto", "udp"), ("family", "1"), ("type", "TXT")], 1.0),
        (&[("proto", "udp"), ("family", "2"), ("type", "AAAA")], 1.0),
        (&[("proto", "tcp"), ("family", "1"), ("type", "A")], 1.0),
        (&[], 7.0),
    ] {
        assert_eq!(grown("meridian_dns_requests_total", labels), expected, "{labels:?}");
    }
    for (labels, expected) in [
        (&[("proto", "udp"), ("family", "1"), ("rcode", "NOERROR")][..], 3.0),
        (&[("proto", "udp"), ("family", "1"), ("rcode", "NXDOMAIN")], 1.0),
        (&[("proto", "udp"), ("family", "1"), ("rcode", "FORMERR")], 1.0),
        (&[("proto", "udp"), ("family", "2"), ("rcode", "REFUSED")], 1.0),
        (&[("proto", "tcp"), ("family", "1"), ("rcode", "NOERROR")], 1.0),
        (&[], 7.0),
    ] {
        assert_eq!(grown("meridian_dns_responses_total", labels), expected, "{labels:?}");
    }
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(after.value("meridian_build_info", &[("version", version)]), 1.0);
    assert_eq!(after.value("meridian_zones", &[("state", "served")]), 3.0);
    assert_eq!(after.value("meridian_zones", &[("state", "refused")]), 0.0);
    assert_eq!(after.value("meridian_config_last_reload_successful", &[]), 1.0);
    assert!(after.value("meridian_geodb_build_timestamp_seconds", &[]) > 1.7e9);
}

#[test]
fn health_and_ready_answer() {
    let server = example::serve(&[]);
    let health = server.get("/health");
    assert_eq!((health.status, &*health.body), (200, "{\"status\":\"ok\"}"));
    let ready = server.get("/ready");
    assert_eq!((ready.status, &*ready.body), (200, "{\"status\":\"ready\"}"));
    assert_eq!(server.get("/no-such-path").status, 404);
}

/// Before the first round of probes nobody knows who is up, so nothing is answered and `/ready` says so. An endpoint that hangs
/// delays that by a few seconds, not for ever.
#[test]
fn ready_says_no_until_the_first_round_of_probes_is_over() {
    let slow = Responder::start([127, 0, 0, 1], 0).unwrap();
    slow.set_delay(Duration::from_secs(30));
    let zone = example::hanging(slow.address().port());
    // A port that was free a moment ago: the server's own choice is not known before it serves.
    let admin = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let watcher = std::thread::spawn(move || {
        let (mut statuses, start) = (Vec::new(), Instant::now());
        while statuses.last() != Some(&200) && start.elapsed() < PATIENCE {
            if let Ok(answer) = http::try_get(admin, "/ready")
                && statuses.last() != Some(&answer.status)
            {
                statuses.push(answer.status);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        statuses
    });
    let start = Instant::now();
    let admin = admin.to_string();
    let server = Server::start(&[("slow.toml", &zone)], &["--admin", &admin]);
    println!("serving {:.1?} after its start", start.elapsed());
    assert_eq!(watcher.join().unwrap(), [503, 200]);
    // What is not known yet counts as up.
    assert_eq!(dig_short(server.ipv4(), &["www.slow.example"]), ["127.0.0.1"]);
}

#[test]
fn healthcheck_tells_a_live_server_from_a_dead_one() {
    let server = example::serve(&[]);
    let admin = server.admin.to_string();
    assert_eq!(run(&["healthcheck", "--admin", &admin]).status.code(), Some(0));
    // A server that listens everywhere is asked on loopback.
    let everywhere = format!("0.0.0.0:{}", server.admin.port());
    assert_eq!(run(&["healthcheck", "--admin", &everywhere]).status.code(), Some(0));
    drop(server);
    let output = run(&["healthcheck", "--admin", &admin]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains(&admin));
    // A program that takes the connection and says nothing is not alive.
    let mute = TcpListener::bind("127.0.0.1:0").unwrap();
    let admin = mute.local_addr().unwrap().to_string();
    assert_eq!(run(&["healthcheck", "--admin", &admin]).status.code(), Some(1));
}

#[test]
fn endpoint_health_and_probes_are_metrics() {
    let mut deployment = Deployment::start(&[]);
    let labels = |endpoint| {
        [
            ("zone", "fingerprint.example.com."),
            ("pool", "us-east-1"),
            ("endpoint", endpoint),
            ("check", "api"),
        ]
    };
    let us = labels("127.0.0.11");
    let healthy = |deployment: &Deployment| {
        deployment.server.metrics().value("meridian_endpoint_healthy", &us)
    };
    assert_eq!(healthy(&deployment), 1.0);
    let probes = |deployment: &Deployment, result| {
        let with_result = [&us[..], &[("result", result)]].concat();
        deployment.server.metrics().value("meridian_probe_results_total", &with_result)
    };
    assert!(probes(&deployment, "success") >= 1.0);
    assert_eq!(probes(&deployment, "failure"), 0.0);
    deployment.regions[0].stop();
    wait_until("the metric says that us-east-1 is down", PATIENCE, || healthy(&deployment) == 0.0);
    assert!(probes(&deployment, "failure") >= 2.0);
    let all = deployment.server.metrics().sum("meridian_endpoint_healthy", &[("check", "api")]);
    assert_eq!(all, 2.0, "the two others stay up");
    deployment.regions[0].restart();
    wait_until("the metric says that us-east-1 is up", PATIENCE, || healthy(&deployment) == 1.0);
}

/// `explain` from the files tells what the server answers.
#[test]
fn explain_agrees_with_dig_for_every_client() {
    let deployment = Deployment::start(&[]);
    let directory = Directory::create();
    let zone = zone_on_loopback(deployment.regions[0].address().port());
    std::fs::write(directory.path().join(FILE), zone).unwrap();
    let zones = directory.path().to_str().unwrap();
    for (place, client, region) in CLIENTS {
        for name in [API, API_CNAME] {
            let subnet = format!("+subnet={client}");
            let answered = dig(deployment.server.ipv4(), &[&subnet, name]);
            let arguments = ["explain", name, "A", "--client", client, "--zones", zones];
            let json = explain_json(&arguments);
            assert_eq!(json["rcode"], "NOERROR", "{json:#}");
            assert_eq!(rdata(&json), answered.rdata(), "{place}: {json:#}");
            assert_eq!(json["ttl"], answered.answer[0].ttl, "{place}");
            let scope = answered.subnet.unwrap().rsplit('/').next().unwrap().to_owned();
            assert_eq!(json["scope"].to_string(), scope, "{place}: {json:#}");
            let text = explain(&arguments);
            assert!(text.contains(&region.to_string()), "{place}:\n{text}");
            assert!(text.contains(&format!("client {client}")), "{place}:\n{text}");
        }
    }
    let german = explain(&["explain", API, "A", "--client", "46.4.0.1", "--zones", zones]);
    for part in ["DE", "Germany", "by-region", "continent EU", "pool eu-west-1 taken"] {
        assert!(german.contains(part), "no {part:?} in\n{german}");
    }
}

#[test]
fn explain_says_who_was_dropped_and_why() {
    let directory = Directory::create();
    std::fs::write(directory.path().join(FILE), zone_on_loopback(1)).unwrap();
    let zones = directory.path().to_str().unwrap();
    let common = ["explain", API, "A", "--client", "46.4.0.0/24", "--zones", zones];
    let down = [&common[..], &["--down", "eu-west-1"]].concat();
    assert_eq!(rdata(&explain_json(&down)), [US_EAST_1.to_string()]);
    let text = explain(&down);
    assert!(text.contains("pool eu-west-1 passed over: 127.0.0.12 down"), "{text}");
    let all = ["--down", "eu-west-1", "--down", "us-east-1", "--down", "ap-southeast-1"];
    let down = [&common[..], &all].concat();
    let json = explain_json(&down);
    assert_eq!((rdata(&json), &json["last_resort"]), (vec![EU_WEST_1.to_string()], &true.into()));
    let misspelt = [&common[..], &["--down", "eu-wset-1"]].concat();
    let output = run(&misspelt);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("eu-wset-1"));
}

/// With `--live` the running server explains, with the health that it sees.
#[test]
fn explain_live_follows_the_health_of_the_moment() {
    let mut deployment = Deployment::start(&[]);
    let admin = deployment.server.admin.to_string();
    let arguments =
        ["explain", API, "A", "--client", "8.8.8.0/24", "--live", "--admin", admin.as_str()];
    assert_eq!(rdata(&explain_json(&arguments)), [US_EAST_1.to_string()]);
    deployment.regions[0].stop();
    wait_until("us-east-1 is down", PATIENCE, || {
        rdata(&explain_json(&arguments)) == [EU_WEST_1.to_string()]
    });
    let at = deployment.server.ipv4();
    assert_eq!(dig_short(at, &["+subnet=8.8.8.0/24", API]), [EU_WEST_1.to_string()]);
    assert!(explain(&arguments).contains("pool us-east-1 passed over: 127.0.0.11 down"));
}

fn explain(arguments: &[&str]) -> String {
    let output = run(arguments);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {errors}");
    String::from_utf8(output.stdout).expect("explain prints text")
}

fn explain_json(arguments: &[&str]) -> Value {
    let text = explain(&[arguments, &["--json"]].concat());
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// RDATA of the answer's records, sorted as dig's are.
fn rdata(json: &Value) -> Vec<String> {
    let answers = json["answers"].as_array().expect("answers");
    let last = |record: &Value| record.as_str()?.split_whitespace().last().map(str::to_owned);
    let mut rdata: Vec<_> = answers.iter().filter_map(last).collect();
    rdata.sort();
    rdata
}
