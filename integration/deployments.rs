//! The shipped zones of deployments D1, D3, D4 and D5 with loopback regions, walked through their failure scenarios. D2 has a
//! file of its own, `fingerprint.rs`. Who gets what in each state of health is in the `[[test]]` blocks of the zones; here it
//! is asked of a live server, whose prober finds the state out.

mod harness;

use std::net::Ipv4Addr;
use std::time::Duration;

use harness::deployment::{Deployment, Region, SCALED_EVERY, Shipped};
use harness::tools::{dig, dig_short};
use harness::wire::{A, AAAA, Ask, UdpClient};

const US: &str = "8.8.8.0/24";
const CANADA: &str = "142.150.0.0/24";
const MEXICO: &str = "132.248.0.0/24";
const GERMANY: &str = "46.4.0.0/24";
const SWITZERLAND: &str = "129.132.0.0/24";
const POLAND: &str = "149.156.0.0/24";
const JAPAN: &str = "133.11.0.0/24";
const AUSTRALIA: &str = "139.130.0.0/24";
const BRAZIL: &str = "200.160.0.0/24";
const NOBODY_KNOWS: &str = "10.1.2.0/24";

const fn loopback(deployment: u8, host: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, deployment, 0, host)
}

/// Deployment D1.
static AIMIXER: Shipped<4> = Shipped {
    file: "aimixer.toml",
    check: "api",
    every: "10s",
    timeout: "1500ms",
    down_after: 5,
    up_after: 3,
    regions: [
        Region {
            pool: "us-west",
            shipped: ["192.0.2.10", "2001:db8:1::10"],
            loopback: loopback(1, 1),
        },
        Region {
            pool: "us-east",
            shipped: ["192.0.2.20", "2001:db8:2::10"],
            loopback: loopback(1, 2),
        },
        Region {
            pool: "eu-west",
            shipped: ["198.51.100.10", "2001:db8:3::10"],
            loopback: loopback(1, 3),
        },
        Region {
            pool: "ap",
            shipped: ["203.0.113.10", "2001:db8:4::10"],
            loopback: loopback(1, 4),
        },
    ],
};

/// Deployment D3.
static AITBC: Shipped<3> = Shipped {
    file: "aitbc.toml",
    check: "api",
    every: "30s",
    timeout: "5s",
    down_after: 3,
    up_after: 2,
    regions: three_regions(3, ["us-east", "eu-west", "ap-southeast"]),
};

/// Deployment D4.
static AGENT: Shipped<3> = Shipped {
    file: "agent.toml",
    check: "api",
    every: "30s",
    timeout: "4s",
    down_after: 3,
    up_after: 3,
    regions: three_regions(4, ["us-east", "eu-west", "ap-southeast"]),
};

/// Deployment D5.
static KEIKO: Shipped<3> = Shipped {
    file: "keiko.toml",
    check: "api-contracts",
    every: "30s",
    timeout: "10s",
    down_after: 3,
    up_after: 3,
    regions: three_regions(5, ["us-east-1", "eu-west-1", "ap-southeast-1"]),
};

const fn three_regions(deployment: u8, [us, eu, ap]: [&'static str; 3]) -> [Region; 3] {
    [
        Region {
            pool: us,
            shipped: ["192.0.2.10", "2001:db8:1::10"],
            loopback: loopback(deployment, 1),
        },
        Region {
            pool: eu,
            shipped: ["198.51.100.10", "2001:db8:2::10"],
            loopback: loopback(deployment, 2),
        },
        Region {
            pool: ap,
            shipped: ["203.0.113.10", "2001:db8:3::10"],
            loopback: loopback(deployment, 3),
        },
    ]
}

const AIMIXER_API: &str = "api.aimixer.com";
const US_HALVES: &[(&str, f64)] = &[("us-west", 50.0), ("us-east", 50.0)];

#[test]
fn d1_each_country_gets_its_region() {
    let deployment = Deployment::start(&AIMIXER);
    for client in [US, CANADA, MEXICO] {
        deployment.assert_shares(AIMIXER_API, client, US_HALVES);
    }
    for name in [AIMIXER_API, "api-staging.aimixer.com"] {
        let listed = [(GERMANY, "eu-west"), (JAPAN, "ap"), (AUSTRALIA, "ap")];
        deployment.assert_regions(name, &listed);
        deployment.assert_regions(name, &[(POLAND, "eu-west"), (BRAZIL, "us-east")]);
    }
    let server = deployment.server.ipv4();
    assert_eq!(dig_short(server, &["+subnet=46.4.0.0/24", AIMIXER_API]), ["127.1.0.3"]);
    assert_eq!(dig(server, &[AIMIXER_API]).answer[0].ttl, 10);
    let quarters = [("us-west", 25.0), ("us-east", 25.0), ("eu-west", 25.0), ("ap", 25.0)];
    deployment.assert_shares("api-weighted.aimixer.com", US, &quarters);
    let replicas = [("us-west", 8.0), ("us-east", 8.0), ("eu-west", 4.0), ("ap", 3.0)];
    deployment.assert_shares("api-capacity.aimixer.com", US, &replicas);
}

/// A client that nobody can place gets the region that answers the prober the fastest.
#[test]
fn d1_an_unknown_client_gets_the_lowest_latency() {
    let mut deployment = Deployment::start(&AIMIXER);
    for pool in ["us-west", "us-east", "eu-west"] {
        deployment.responder(pool).set_delay(Duration::from_millis(200));
    }
    deployment.wait_for_region(AIMIXER_API, NOBODY_KNOWS, "ap");
    deployment.assert_regions(AIMIXER_API, &[(GERMANY, "eu-west")]);
}

#[test]
fn d1_regions_die_one_after_the_other() {
    let mut deployment = Deployment::start(&AIMIXER);
    deployment.stop(&["us-west"]);
    deployment.assert_regions(
        AIMIXER_API,
        &[(US, "us-east"), (MEXICO, "us-east"), (GERMANY, "eu-west"), (JAPAN, "ap")],
    );
    let direct = |deployment: &Deployment<4>| {
        for region in &AIMIXER.regions {
            let name = format!("{}.aimixer.com", region.pool);
            assert_eq!(deployment.region(&name, US), region.pool, "whatever its health");
        }
    };
    direct(&deployment);
    // The whole US: Europe and Asia take everything.
    deployment.stop(&["us-east"]);
    for client in [US, CANADA, MEXICO] {
        deployment.assert_shares(AIMIXER_API, client, &[("eu-west", 4.0), ("ap", 3.0)]);
    }
    let others = [(GERMANY, "eu-west"), (JAPAN, "ap"), (BRAZIL, "eu-west")];
    deployment.assert_regions(AIMIXER_API, &others);
    let halves = [("eu-west", 50.0), ("ap", 50.0)];
    deployment.assert_shares("api-weighted.aimixer.com", US, &halves);
    // The last one.
    deployment.stop(&["eu-west"]);
    for client in [US, GERMANY, JAPAN, BRAZIL, NOBODY_KNOWS] {
        deployment.assert_regions(AIMIXER_API, &[(client, "ap")]);
    }
    // Everything: as if nothing were down.
    deployment.stop(&["ap"]);
    deployment.assert_shares(AIMIXER_API, US, US_HALVES);
    deployment.assert_regions(AIMIXER_API, &[(GERMANY, "eu-west"), (JAPAN, "ap")]);
    direct(&deployment);
    deployment.restart(&["us-east"]);
    for client in [US, GERMANY, JAPAN, BRAZIL, NOBODY_KNOWS] {
        deployment.assert_regions(AIMIXER_API, &[(client, "us-east")]);
    }
    deployment.restart(&["us-west", "eu-west", "ap"]);
    deployment.assert_shares(AIMIXER_API, US, US_HALVES);
    deployment.assert_regions(AIMIXER_API, &[(GERMANY, "eu-west"), (JAPAN, "ap")]);
}

#[test]
fn d1_clients_survive_the_loss_of_the_whole_us() {
    let mut deployment = Deployment::start(&AIMIXER);
    deployment.drill(AIMIXER_API, US, &["us-west", "us-east"]);
}

const STRATEGIES: [&str; 3] =
    ["api.aitbc.example.com", "api-latency.aitbc.example.com", "api-weighted.aitbc.example.com"];

#[test]
fn d3_each_strategy_chooses_and_fails_over() {
    let [turns, _, weighted] = STRATEGIES;
    let mut deployment = Deployment::start(&AITBC);
    let all = |us, eu, ap| [("us-east", us), ("eu-west", eu), ("ap-southeast", ap)];
    deployment.assert_shares(turns, US, &all(1.0, 1.0, 1.0));
    deployment.assert_shares(weighted, US, &all(50.0, 30.0, 20.0));
    let scope = dig(deployment.server.ipv4(), &["+subnet=46.4.0.0/24", turns]).subnet;
    assert_eq!(scope.as_deref(), Some("46.4.0.0/24/0"), "alike for clients of every place");

    deployment.stop(&["us-east"]);
    deployment.assert_shares(turns, US, &[("eu-west", 1.0), ("ap-southeast", 1.0)]);
    deployment.assert_shares(weighted, US, &[("eu-west", 60.0), ("ap-southeast", 40.0)]);
    deployment.stop(&["eu-west"]);
    for name in STRATEGIES {
        deployment.assert_shares(name, US, &[("ap-southeast", 1.0)]);
    }
    deployment.stop(&["ap-southeast"]);
    deployment.assert_shares(turns, US, &all(1.0, 1.0, 1.0));
    deployment.assert_shares(weighted, US, &all(50.0, 30.0, 20.0));
    deployment.restart(&["eu-west"]);
    for name in STRATEGIES {
        deployment.assert_shares(name, US, &[("eu-west", 1.0)]);
    }
    deployment.restart(&["us-east", "ap-southeast"]);
    deployment.assert_shares(turns, US, &all(1.0, 1.0, 1.0));
    deployment.drill(turns, US, &["us-east"]);
}

/// `least_latency`: clients follow the fastest region, and leave it when it dies or slows down.
#[test]
fn d3_least_latency_follows_the_fastest_region() {
    let [_, latency, _] = STRATEGIES;
    let mut deployment = Deployment::start(&AITBC);
    for (pool, delay_ms) in [("us-east", 300), ("eu-west", 100)] {
        deployment.responder(pool).set_delay(Duration::from_millis(delay_ms));
    }
    // The same for every client.
    let goes_to = |deployment: &Deployment<3>, region: &str| {
        deployment.wait_for_region(latency, GERMANY, region);
        deployment.wait_for_region(latency, JAPAN, region);
    };
    goes_to(&deployment, "ap-southeast");
    deployment.stop(&["ap-southeast"]);
    goes_to(&deployment, "eu-west");
    deployment.responder("us-east").set_delay(Duration::ZERO);
    deployment.responder("eu-west").set_delay(Duration::from_millis(300));
    goes_to(&deployment, "us-east");
}

const AGENT_API: &str = "api.agent.company.com";
const AGENT_NAMES: [&str; 5] = [
    AGENT_API,
    "api-latency.agent.company.com",
    "api-active-active.agent.company.com",
    "api-active-passive.agent.company.com",
    "api-split.agent.company.com",
];
const US_DATA: &str = "us-data.agent.company.com";

/// Clients in twelve states of the European Union and in the United Kingdom.
const BOUND: [&str; 13] = [
    GERMANY,
    "129.199.0.0/24",
    "130.89.0.0/24",
    "147.96.0.0/24",
    "131.114.0.0/24",
    "134.226.0.0/24",
    POLAND,
    "131.130.0.0/24",
    "193.136.0.0/24",
    "128.214.0.0/24",
    "147.102.0.0/24",
    "2a01:4f8::/48",
    "212.58.224.0/24",
];

/// Asks a thousand times for IPv4 and as often for IPv6, all names and clients in turn. Gives the regions of all answers, and
/// how many answers had none.
fn ask_for_the_bound(deployment: &Deployment<3>) -> (Vec<&'static str>, u32) {
    let socket = UdpClient::connect(deployment.server.ipv4());
    let (mut seen, mut empty) = (Vec::new(), 0);
    for turn in 0..1000 {
        let (client, name) = (BOUND[turn % BOUND.len()], AGENT_NAMES[turn % AGENT_NAMES.len()]);
        for rtype in [A, AAAA] {
            let reply = socket.exchange(&Ask::new(name, rtype).subnet(client));
            assert_eq!(reply.rcode(), 0, "{name} for {client}");
            let regions = deployment.regions_in(&reply);
            empty += u32::from(regions.is_empty());
            seen.extend(regions);
        }
    }
    seen.sort_unstable();
    seen.dedup();
    (seen, empty)
}

fn explain(deployment: &Deployment<3>, name: &str, client: &str) -> String {
    deployment.server.get(&format!("/explain?name={name}&type=A&client={client}")).body
}

#[test]
fn d4_the_law_holds_in_every_state_of_health() {
    let mut deployment = Deployment::start(&AGENT);
    let only_eu = (vec!["eu-west"], 0);
    assert_eq!(ask_for_the_bound(&deployment), only_eu);
    deployment.stop(&["eu-west"]);
    assert_eq!(ask_for_the_bound(&deployment), only_eu, "its address anyway, no foreign one");
    let why = explain(&deployment, AGENT_API, GERMANY);
    for part in [
        "pool eu-west passed over: 127.4.0.2 down",
        "pool us-east barred: the client's residency europe does not allow it",
        "pool ap-southeast barred: the client's residency europe does not allow it",
        "nothing that this client may get is up",
    ] {
        assert!(why.contains(part), "no {part:?} in {why}");
    }
    // Those whom no law holds are moved.
    deployment.assert_regions(AGENT_API, &[(SWITZERLAND, "us-east"), (JAPAN, "ap-southeast")]);
    deployment.stop(&["us-east"]);
    assert_eq!(ask_for_the_bound(&deployment), only_eu);
    deployment.assert_regions(AGENT_API, &[(SWITZERLAND, "ap-southeast"), (US, "ap-southeast")]);
    deployment.stop(&["ap-southeast"]);
    assert_eq!(ask_for_the_bound(&deployment), only_eu);
    deployment.assert_regions(AGENT_API, &[(US, "us-east"), (JAPAN, "ap-southeast")]);
    deployment.restart(&["us-east", "ap-southeast"]);
    assert_eq!(ask_for_the_bound(&deployment), only_eu);
    deployment.restart(&["eu-west"]);
    assert_eq!(ask_for_the_bound(&deployment), only_eu);
}

#[test]
fn d4_failing_closed_gives_no_data_and_says_why() {
    let open = "fail    = \"open\"";
    let mut deployment = Deployment::start_with(&AGENT, |zone| {
        assert_eq!(zone.matches(open).count(), 1, "{zone}");
        zone.replace(open, "fail = \"closed\"")
    });
    assert_eq!(ask_for_the_bound(&deployment), (vec!["eu-west"], 0));
    deployment.stop(&["eu-west"]);
    assert_eq!(ask_for_the_bound(&deployment), (vec![], 2000), "no data for anyone of them");
    let why = explain(&deployment, AGENT_API, GERMANY);
    assert!(why.contains("it fails closed: no data"), "{why}");
    let empty = dig(deployment.server.ipv4(), &["+subnet=46.4.0.0/24", AGENT_API]);
    assert_eq!((empty.status.as_str(), empty.answer.len()), ("NOERROR", 0), "{}", empty.text);
    assert_eq!(empty.authority[0].rtype, "SOA", "{}", empty.text);
    deployment.assert_regions(AGENT_API, &[(US, "us-east"), (SWITZERLAND, "us-east")]);
    deployment.restart(&["eu-west"]);
    assert_eq!(ask_for_the_bound(&deployment), (vec!["eu-west"], 0));
}

#[test]
fn d4_us_data_stays_in_the_us() {
    let mut deployment = Deployment::start(&AGENT);
    let assert_all = |deployment: &Deployment<3>| {
        for client in [US, BRAZIL, JAPAN, SWITZERLAND, NOBODY_KNOWS] {
            assert_eq!(deployment.region(US_DATA, client), "us-east", "{client}");
        }
        // Nothing is both in the United States and in Europe.
        let reply = deployment.server.ask(&Ask::new(US_DATA, A).subnet(GERMANY));
        assert_eq!((reply.rcode(), reply.rdata().len()), (0, 0));
        let why = explain(deployment, US_DATA, GERMANY);
        assert!(why.contains("pool us-east barred"), "{why}");
    };
    assert_all(&deployment);
    deployment.stop(&["us-east"]);
    assert_all(&deployment);
    // One after the other: if the last two fail at once, that is rather our own network, and the guard holds them.
    deployment.stop(&["eu-west"]);
    deployment.stop(&["ap-southeast"]);
    assert_all(&deployment);
}

#[test]
fn d4_policies_for_clients_whom_no_law_holds() {
    let [api, latency, both, passive, split] = AGENT_NAMES;
    let mut deployment = Deployment::start(&AGENT);
    let expected = [(US, "us-east"), (JAPAN, "ap-southeast"), (SWITZERLAND, "eu-west")];
    deployment.assert_regions(api, &expected);
    deployment.assert_regions(latency, &expected);
    deployment.assert_regions(api, &[(BRAZIL, "us-east"), (NOBODY_KNOWS, "us-east")]);
    deployment.assert_shares(both, US, &[("us-east", 50.0), ("eu-west", 50.0)]);
    deployment.assert_shares(passive, US, &[("us-east", 1.0)]);
    let by_traffic = [("us-east", 60.0), ("eu-west", 30.0), ("ap-southeast", 10.0)];
    deployment.assert_shares(split, US, &by_traffic);
    deployment.stop(&["us-east"]);
    deployment.assert_regions(api, &[(US, "eu-west"), (BRAZIL, "eu-west")]);
    deployment.assert_regions(latency, &[(US, "eu-west")]);
    deployment.assert_shares(both, US, &[("eu-west", 1.0)]);
    deployment.assert_shares(passive, US, &[("eu-west", 1.0)]);
    deployment.assert_shares(split, US, &[("eu-west", 75.0), ("ap-southeast", 25.0)]);
    deployment.restart(&["us-east"]);
    deployment.assert_shares(passive, US, &[("us-east", 1.0)]);
    deployment.drill(api, US, &["us-east"]);
}

const CONTRACTS: &str = "api-contracts.keiko.example.com";

#[test]
fn d5_failover_in_every_order() {
    let mut deployment = Deployment::start(&KEIKO);
    let [us, eu, ap] = ["us-east-1", "eu-west-1", "ap-southeast-1"];
    let everybody = |deployment: &Deployment<3>, region: &str| {
        for client in [US, GERMANY, JAPAN, NOBODY_KNOWS] {
            assert_eq!(deployment.region(CONTRACTS, client), region, "{client}");
        }
    };
    everybody(&deployment, us);
    let first = dig(deployment.server.ipv4(), &[CONTRACTS]);
    assert_eq!((first.answer[0].rdata.as_str(), first.answer[0].ttl), ("127.5.0.1", 60));
    deployment.stop(&[us]);
    everybody(&deployment, eu);
    deployment.stop(&[eu]);
    everybody(&deployment, ap);
    deployment.restart(&[us]);
    everybody(&deployment, us);
    deployment.stop(&[ap]);
    everybody(&deployment, us);
    deployment.stop(&[us]);
    everybody(&deployment, us);
    deployment.restart(&[eu]);
    everybody(&deployment, eu);
    deployment.restart(&[us, ap]);
    everybody(&deployment, us);
    deployment.drill(CONTRACTS, GERMANY, &[us]);
}

#[test]
fn d5_geo_weighted_and_direct_names() {
    let name = |mode: &str| format!("api-contracts-{mode}.keiko.example.com");
    let (geo, weighted) = (name("geo"), name("weighted"));
    let mut deployment = Deployment::start(&KEIKO);
    let [us, eu, ap] = ["us-east-1", "eu-west-1", "ap-southeast-1"];
    let direct = |deployment: &Deployment<3>| {
        for (mode, region) in [("us-east", us), ("eu-west", eu), ("ap-southeast", ap)] {
            assert_eq!(deployment.region(&name(mode), JAPAN), region, "whatever its health");
        }
    };
    let at_home =
        [(US, us), (BRAZIL, us), (GERMANY, eu), (JAPAN, ap), (AUSTRALIA, ap), (NOBODY_KNOWS, us)];
    deployment.assert_regions(&geo, &at_home);
    deployment.assert_shares(&weighted, US, &[(us, 40.0), (eu, 40.0), (ap, 20.0)]);
    direct(&deployment);
    deployment.stop(&[eu]);
    deployment.assert_regions(&geo, &[(GERMANY, us), (US, us), (JAPAN, ap)]);
    deployment.assert_shares(&weighted, US, &[(us, 40.0), (ap, 20.0)]);
    direct(&deployment);
    deployment.stop(&[us]);
    for client in [US, GERMANY, JAPAN, NOBODY_KNOWS] {
        deployment.assert_regions(&geo, &[(client, ap)]);
    }
    deployment.stop(&[ap]);
    deployment.assert_regions(&geo, &at_home);
    deployment.assert_shares(&weighted, US, &[(us, 40.0), (eu, 40.0), (ap, 20.0)]);
    direct(&deployment);
    deployment.restart(&[us, eu, ap]);
    deployment.assert_regions(&geo, &at_home);
    let calm = deployment.run_client(&weighted, US, SCALED_EVERY * 2);
    assert_eq!(calm.failed, 0, "{calm:?}");
}
