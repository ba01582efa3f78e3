//! `meridian test`: the tests of the shipped zones pass, and a test that fails says where, what and why.

mod harness;

use std::process::Output;

use harness::server::{meridian, run, write_zones};

/// A zone whose tests are put behind it.
const ZONE: &str = r#"
zone = "example.com"

[check.web]
https = "/"

[pool.us]
addresses = ["192.0.2.1"]
check     = "web"

[pool.eu]
addresses = ["192.0.2.2"]
check     = "web"

[pool.alias]
cname = "api"

[pool.many]
addresses = [ADDRESSES]

[policy.world]
type    = "weighted"
weights = { us = 60, eu = 40 }

[policy.rare]
type    = "weighted"
weights = { us = 255, eu = 1 }

[names]
"@"   = { SOA = "ns1 hostmaster", NS = ["ns1", "ns2"] }
ns1   = { A = "192.0.2.53" }
ns2   = { A = "198.51.100.53" }
api   = { policy = "world", ttl = "60s" }
rare  = { policy = "rare" }
alias = { pool = "alias" }
many  = { pool = "many" }
"#;

fn zone_with(tests: &str) -> String {
    let addresses: Vec<String> = (1..=9).map(|host| format!("\"203.0.113.{host}\"")).collect();
    format!("{}\n{tests}\n", ZONE.replace("ADDRESSES", &addresses.join(", ")))
}

/// Runs these tests from a directory in which the zone is `zones/t.toml`.
fn run_tests(tests: &str, arguments: &[&str]) -> Output {
    let (directory, _) = write_zones(&[("t.toml", &zone_with(tests))]);
    let mut command = meridian();
    command.current_dir(directory.path()).arg("test").args(arguments);
    command.output().expect("the program can't be run")
}

fn text(octets: &[u8]) -> &str {
    std::str::from_utf8(octets).expect("UTF-8")
}

/// The last line, the exit code, and what was complained of.
fn verdict(tests: &str) -> (String, Option<i32>, String) {
    let output = run_tests(tests, &[]);
    let last = text(&output.stdout).lines().last().unwrap_or_default().to_owned();
    (last, output.status.code(), text(&output.stderr).to_owned())
}

fn assert_passes(test: &str) {
    let (last, code, errors) = verdict(&format!("[[test]]\n{test}"));
    assert_eq!((last.as_str(), code), ("1 test passed, 0 failed in 1 zone", Some(0)), "{errors}");
}

fn assert_fails(test: &str, found: &str) {
    let (last, code, errors) = verdict(&format!("[[test]]\n{test}"));
    assert_eq!((last.as_str(), code), ("0 tests passed, 1 failed in 1 zone", Some(1)), "{test}");
    assert!(errors.contains(found), "{test}: no {found:?} in\n{errors}");
}

#[test]
fn the_tests_of_the_shipped_zones_pass() {
    let zones = harness::repository().join("zones");
    // Many draws, in the unoptimized program on a busy machine: without a time limit.
    let output = meridian().arg("test").arg("--zones").arg(zones).arg("-v").output();
    let output = output.expect("the program can't be run");
    let printed = text(&output.stdout);
    assert!(output.status.success(), "{printed}{}", text(&output.stderr));
    let passed = printed.lines().filter(|line| line.contains(": passed: ")).count();
    let last = format!("{passed} tests passed, 0 failed in 5 zones");
    assert_eq!(printed.lines().last(), Some(last.as_str()));
    for zone in ["fingerprint", "aimixer", "aitbc", "agent", "keiko"] {
        let count = printed.lines().filter(|line| line.contains(&format!("{zone}.toml:"))).count();
        assert!(count >= 15, "{zone} has {count} tests:\n{printed}");
    }
}

#[test]
fn each_statement_can_hold() {
    assert_passes("name = \"api\"\nexpect = [\"us\", \"eu\"]");
    assert_passes("name = \"api\"\ndown = \"eu\"\nexpect = \"us\"\nanswer = \"192.0.2.1\"");
    assert_passes("name = \"api\"\ndown = [\"192.0.2.1\"]\nexpect = \"eu\"\nttl = \"60s\"");
    assert_passes("name = \"api\"\nshare = { us = \"60%\", eu = \"40%\" }");
    assert_passes("name = \"rare\"\nshare = { us = \"99.61%\", eu = \"0.39%\" }");
    assert_passes("name = \"api\"\nclient = [\"192.0.2.0/24\", \"2001:db8::\"]\nscope = 0");
    assert_passes("name = [\"x\", \"y\"]\nrcode = \"NXDOMAIN\"\nanswer = []");
    // The choice is the first one: the alias, not what it leads to.
    assert_passes("name = \"alias\"\nexpect = \"alias\"");
    assert_passes("name = \"@\"\ntype = \"NS\"\nanswer = [\"NS2\", \"ns1\"]");
    assert_passes(
        "name = \"alias\"\ndown = \"us\"\nanswer = { A = \"192.0.2.2\", CNAME = \"api\" }",
    );
}

#[test]
fn each_statement_can_fail() {
    assert_fails("name = \"api\"\nexpect = \"us\"", "found eu");
    // One answer in 256.
    assert_fails("name = \"rare\"\nexpect = \"us\"", "found eu");
    assert_fails("name = \"rare\"\nanswer = \"192.0.2.1\"", "found A 192.0.2.2");
    assert_fails("name = \"api\"\nshare = { us = \"58%\", eu = \"42%\" }", "chi-squared is");
    assert_fails("name = \"api\"\nshare = { us = \"100%\", eu = \"0%\" }", "that has no share");
    assert_fails(
        "name = \"api\"\ndown = \"eu\"\nshare = { us = \"60%\", eu = \"40%\" }",
        "us 100.00%",
    );
    assert_fails("name = \"api\"\nclient = \"192.0.2.0/24\"\nscope = 24", "found /0");
    assert_fails("name = \"ns1\"\nrcode = \"NXDOMAIN\"", "found NOERROR");
    assert_fails("name = \"api\"\nttl = \"5m\"", "found 60 s");
    assert_fails("name = \"x\"\nanswer = \"192.0.2.1\"", "no records were found");
    // Nine endpoints, of which eight are handed out: not always the same.
    let eight: Vec<String> = (1..=8).map(|host| format!("\"203.0.113.{host}\"")).collect();
    let test = format!("name = \"many\"\nanswer = [{}]", eight.join(", "));
    assert_fails(&test, "+ A 203.0.113.9");
}

#[test]
fn a_failure_is_told_with_its_place_and_a_command_that_explains_it() {
    let tests = "[[test]]\nname = \"api\"\nclient = \"46.4.0.0/16\"\ndown = [\"us\"]\nexpect = \"us\"\n\n\
                 [[test]]\nname = \"ns1\"\nanswer = [\"192.0.2.53\", \"192.0.2.54\"]\n\n\
                 [[test]]\nname = \"ns2\"\nanswer = \"198.51.100.53\"";
    let zone = zone_with(tests);
    let line = 1 + zone.lines().position(|line| line == "expect = \"us\"").expect("a line");
    let (last, code, errors) = verdict(tests);
    assert_eq!((last.as_str(), code), ("1 test passed, 2 failed in 1 zone", Some(1)));
    let command = "meridian explain api.example.com. A --client 46.4.0.0/16 --down us";
    let expected = format!(
        "error: test failed: api.example.com. A for client 46.4.0.0/16\n  --> zones/t.toml:{line}:10\n   |\n\
         {line} | expect = \"us\"\n   |          ^^^^ found eu\n   |\n   = help: to see why: {command}\n"
    );
    assert!(errors.contains(&expected), "{errors}");
    for part in ["- expected, + found:", "note: - A 192.0.2.54", "note:   A 192.0.2.53"] {
        assert!(errors.contains(part), "{part}: {errors}");
    }
    // The command works as printed.
    let (directory, _) = write_zones(&[("t.toml", &zone)]);
    let mut explain = meridian();
    explain.current_dir(directory.path()).args(command.split(' ').skip(1));
    let output = explain.output().expect("the program can't be run");
    assert!(text(&output.stdout).contains("pool eu taken"), "{}", text(&output.stdout));
}

#[test]
fn programs_get_json() {
    let tests = "[[test]]\nname = \"api\"\nexpect = \"us\"\n\n[[test]]\nname = \"ns1\"\nanswer = \"192.0.2.53\"";
    let output = run_tests(tests, &["--json"]);
    assert_eq!(output.status.code(), Some(1));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(
        (&report["passed"], &report["failed"], &report["zones"]),
        (&1.into(), &1.into(), &1.into())
    );
    assert_eq!(report["seed"], 1);
    let failed = &report["tests"][0];
    assert_eq!((&failed["passed"], &failed["file"]), (&false.into(), &"zones/t.toml".into()));
    let failure = &failed["failures"][0];
    assert_eq!(failure["statement"], "expect");
    assert_eq!(failure["expected"][0], "us");
    assert_eq!(failure["found"][0], "eu");
    assert_eq!(failure["command"], "meridian explain api.example.com. A");
    assert_eq!(report["tests"][1]["passed"], true);
}

#[test]
fn a_file_that_is_refused_is_a_failure_and_the_others_are_tested() {
    let good = zone_with("[[test]]\nname = \"ns1\"\nanswer = \"192.0.2.53\"");
    let bad =
        good.replace("example.com", "example.org").replace("[[test]]\n", "[[test]]\nnmae = 1\n");
    let (_directory, zones) = write_zones(&[("good.toml", &good), ("bad.toml", &bad)]);
    let output = run(&["test", "--zones", zones.to_str().expect("UTF-8")]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("did you mean `name`?"), "{}", text(&output.stderr));
    assert_eq!(text(&output.stdout), "1 test passed, 0 failed in 1 zone, 1 file refused\n");
    let output = run(&["test", zones.join("good.toml").to_str().expect("UTF-8")]);
    assert_eq!(text(&output.stdout), "1 test passed, 0 failed in 1 zone\n");
    assert!(output.status.success());
}
