//! Master files as operators have them: served from the zones directory, checked, imported to TOML, the root zone, and one
//! with many names.

mod harness;

use std::time::{Duration, Instant};

use harness::random::Random;
use harness::server::{Directory, Server, run};
use harness::wire::{A, Ask, NXDOMAIN, SOA, TXT, UdpClient};
use harness::{PATIENCE, wait_until};

/// What people write for BIND: units, an omitted owner, parentheses, an origin that changes, a generated range, an include.
const ZONE: &str = r#"
; example.net, as BIND has it
$TTL 1h
@   IN  SOA ns1 hostmaster.example.net. (
            2026112101 ; serial
            2h         ; refresh
            30m        ; retry
            2w         ; expire
            1m )       ; minimum
        NS  ns1
        NS  ns2
    300 IN  MX 10 mail
ns1 IN 600  A   192.0.2.53
ns2         A   198.51.100.53
mail        A   192.0.2.25
dkim._domainkey TXT ( "v=DKIM1; k=rsa; p="
                      "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCB" )
$GENERATE 1-20 host-${0,2,d} A 10.0.0.$
$ORIGIN sub.example.net.
www         A   192.0.2.80
    AAAA 2001:db8::80
odd     TYPE65280   \# 4 0a000001
$INCLUDE parts/hosts.inc hosts.example.net.
$ORIGIN example.net.
old         DNAME sub
alias       CNAME www.sub
end         TXT "without a line break at the end""#;

const INCLUDED: &str = "one A 192.0.2.101\ntwo A 192.0.2.102\n@ TXT \"included\"\n";

/// Serves `ZONE` with its include.
fn serve_example() -> Server {
    let hidden = [("example.net.zone", ZONE)];
    let (directory, zones) = harness::server::write_zones(&hidden);
    std::fs::create_dir(zones.join("parts")).unwrap();
    std::fs::write(zones.join("parts/hosts.inc"), INCLUDED).unwrap();
    let mut command = harness::server::meridian();
    command.current_dir(directory.path());
    command.args([
        "serve",
        "--zones",
        "zones",
        "--listen",
        "127.0.0.1:0",
        "--admin",
        "127.0.0.1:0",
    ]);
    Server::spawn(command, directory, zones).unwrap_or_else(|refused| panic!("{refused:#?}"))
}

#[test]
fn a_master_file_is_served_as_it_was_meant() {
    let server = serve_example();
    for (name, qtype, expected) in [
        ("ns1.example.net", A, &["192.0.2.53"][..]),
        ("host-07.example.net", A, &["10.0.0.7"]),
        ("www.sub.example.net", A, &["192.0.2.80"]),
        ("one.hosts.example.net", A, &["192.0.2.101"]),
        ("hosts.example.net", TXT, &["included"]),
        ("end.example.net", TXT, &["without a line break at the end"]),
        (
            "dkim._domainkey.example.net",
            TXT,
            &["v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCB"],
        ),
    ] {
        let found = server.ask(&Ask::new(name, qtype)).rdata();
        assert_eq!(found, expected, "{name}");
    }
    let soa = server.ask(&Ask::new("example.net", SOA));
    let record = &soa.message.answers[0];
    assert_eq!(record.ttl, 3600);
    assert_eq!(
        record.data.to_string(),
        "ns1.example.net. hostmaster.example.net. 2026112101 7200 1800 1209600 60"
    );
    let chain = server.ask(&Ask::new("www.old.example.net", A));
    assert_eq!(chain.message.answers.len(), 3, "DNAME, CNAME, A");
    assert_eq!(server.ask(&Ask::new("host-21.example.net", A)).rcode(), NXDOMAIN);
}

#[test]
fn a_mistake_in_an_included_file_is_told_there() {
    let directory = Directory::create();
    let path = |name: &str| directory.path().join(name).display().to_string();
    let zone = "$TTL 60\n@ SOA ns1 h 1 2h 1h 2w 60\n@ NS ns1\nns1 A 192.0.2.1\n$INCLUDE more.inc\n$INCLUDE gone.inc\n";
    std::fs::write(path("example.org.zone"), zone).unwrap();
    std::fs::write(path("more.inc"), "fine A 192.0.2.2\nbad A 192.0.2\n").unwrap();
    let output = run(&["check", &path("example.org.zone")]);
    assert_eq!(output.status.code(), Some(1));
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert!(complaint.contains(&format!("{}:2:7", path("more.inc"))), "{complaint}");
    assert!(complaint.contains(&format!("{}:6:10", path("example.org.zone"))), "{complaint}");
}

#[test]
fn an_imported_zone_means_the_same() {
    let directory = Directory::create();
    let path = |name: &str| directory.path().join(name).display().to_string();
    std::fs::create_dir(path("parts")).unwrap();
    std::fs::write(path("parts/hosts.inc"), INCLUDED).unwrap();
    std::fs::write(path("db.example.net"), ZONE).unwrap();
    let output = run(&["import", "zonefile", &path("db.example.net")]);
    let toml = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let imported = Server::start(&[("example.net.toml", &toml)], &[]);
    let original = serve_example();
    for (name, qtype) in [
        ("example.net", SOA),
        ("example.net", 15),
        ("dkim._domainkey.example.net", TXT),
        ("www.old.example.net", A),
        ("odd.sub.example.net", 65280),
        ("host-20.example.net", A),
        ("nowhere.example.net", A),
    ] {
        let ask = Ask::new(name, qtype);
        assert_eq!(imported.ask(&ask).octets, original.ask(&ask).octets, "{name}");
    }
}

#[test]
fn what_a_signed_zone_needs_is_told() {
    let directory = Directory::create();
    let path = directory.path().join("signed.example.zone").display().to_string();
    let zone =
        "$TTL 60\n@ SOA ns1 h 1 2h 1h 2w 60\n@ NS ns1\nns1 A 192.0.2.1\n@ NSEC \\# 4 00000140\n";
    std::fs::write(&path, zone).unwrap();
    let refused = run(&["check", &path]);
    let complaint = String::from_utf8(refused.stderr).unwrap();
    assert!(complaint.contains("the zone is signed"), "{complaint}");
    let imported = run(&["import", "zonefile", &path]);
    assert!(imported.status.success());
    assert!(!String::from_utf8(imported.stdout).unwrap().contains("NSEC"));
}

#[test]
fn the_root_zone_is_a_file_called_root() {
    let zone = "$TTL 1d\n. SOA a.root-servers.example. h.example. 1 2h 1h 2w 60\n. NS a.root-servers.example.\n\
                example. NS ns.example.\nns.example. A 192.0.2.1\na.root-servers.example. A 192.0.2.2\n";
    let server = Server::start(&[("root.zone", zone)], &[]);
    let missing = server.ask(&Ask::new("nowhere", A));
    assert_eq!((missing.rcode(), missing.is_authoritative()), (NXDOMAIN, true));
    let referral = server.ask(&Ask::new("www.example", A));
    assert!(!referral.is_authoritative());
    assert_eq!(referral.message.authorities.len(), 1);
    assert_eq!(referral.message.additionals.len(), 1);
}

/// A million names from a master file when the optimized program is under test, fewer for the other, which is twenty times as slow.
#[test]
fn a_zone_of_many_names_is_loaded_and_reloaded_while_it_answers() {
    let names: u32 =
        if std::env::var_os("MERIDIAN_UNDER_TEST").is_some() { 1_000_000 } else { 50_000 };
    let zone = |serial: u32| {
        let mut text =
            format!("$TTL 5m\n@ SOA ns1 h {serial} 2h 1h 2w 60\n@ NS ns1\nns1 A 192.0.2.1\n");
        for number in 0..names {
            let [_, a, b, c] = number.to_be_bytes();
            text.push_str(&format!("h{number} A 10.{a}.{b}.{c}\n"));
        }
        text
    };
    let start = Instant::now();
    let server = Server::start(&[("big.example.zone", &zone(1))], &[]);
    println!(
        "{names} names served after {:?}, {} KiB resident",
        start.elapsed(),
        server.resident_kib()
    );
    let mut random = Random::from_seed("names", 0x6d69_6c6c);
    let client = UdpClient::connect(server.ipv4());
    let mut ask_some = || {
        let number = random.below(names as usize) as u32;
        let [_, a, b, c] = number.to_be_bytes();
        let found = client.exchange(&Ask::new(&format!("h{number}.big.example"), A)).rdata();
        assert_eq!(found, [format!("10.{a}.{b}.{c}")]);
        let missing = client.exchange(&Ask::new(&format!("x{number}.big.example"), A));
        assert_eq!(missing.rcode(), NXDOMAIN);
    };
    (0..500).for_each(|_| ask_some());
    server.write_zone("big.example.zone", &zone(2));
    server.reload();
    let serial =
        |server: &Server| server.ask(&Ask::new("big.example", SOA)).rdata()[0].contains(" 2 7200");
    let start = Instant::now();
    wait_until("the new serial is served", PATIENCE + Duration::from_secs(40), || {
        (0..20).for_each(|_| ask_some());
        serial(&server)
    });
    println!("reloaded after {:?}, {} KiB resident", start.elapsed(), server.resident_kib());
}
