//! Bounds, and that they are met exactly.

use std::time::Duration;

use super::*;
use crate::limits::{POLICY_DEPTH, POLICY_TARGETS, POOL_ENDPOINTS};

#[test]
fn rule_17_a_weight_is_an_integer_up_to_255() {
    let zone = |weight: &str| {
        let pool = "[pool.p]\naddresses = [\"192.0.2.1\"]\n";
        let policy = format!("[policy.w]\ntype = \"weighted\"\nweights.p = {weight}\n");
        zone_with(&format!("{pool}{policy}"), "a = { policy = \"w\" }")
    };
    for weight in ["0", "255", "0xff"] {
        compile(&zone(weight));
    }
    for weight in ["256", "-1", "1.0", "\"1\"", "true", "99999999999999999999"] {
        assert_eq!(errors(&zone(weight)), ["the weight of `p` must be an integer from 0 to 255"]);
    }
}

/// Policies in a chain, each naming the next and a pool.
fn chain(length: usize) -> String {
    let mut text = "[pool.p]\naddresses = [\"192.0.2.1\"]\n".to_owned();
    for level in 0..length {
        let next = if level + 1 == length { "p".to_owned() } else { format!("l{}", level + 1) };
        text.push_str(&format!("[policy.l{level}]\ntype = \"failover\"\ntargets = [\"{next}\"]\n"));
    }
    zone_with(&text, "n = { policy = \"l0\" }")
}

#[test]
fn policies_nest_to_the_limit() {
    compile(&chain(POLICY_DEPTH));
    let found = errors(&chain(POLICY_DEPTH + 3));
    assert_eq!(found, [format!("below the policy `l2` policies nest {} deep", POLICY_DEPTH + 1)]);
    assert_eq!(errors(&chain(20_000)).len(), 2, "too deep, too many; and no overflow of the stack");
}

/// Levels of four policies, each naming all four of the level below: a selection may visit 4, 20, 84 and so on.
fn lattice(levels: usize) -> String {
    let twins = |level: usize| ["a", "b", "c", "d"].map(|twin| format!("{twin}{level}"));
    let mut text = "[pool.p]\naddresses = [\"192.0.2.1\"]\n".to_owned();
    for level in 0..levels {
        let below = if level == 0 { "p".to_owned() } else { twins(level - 1).join("\", \"") };
        for twin in twins(level) {
            text.push_str(&format!(
                "[policy.{twin}]\ntype = \"failover\"\ntargets = [\"{below}\"]\n"
            ));
        }
    }
    let routes = twins(levels - 1).map(|twin| format!("{twin} = {{ policy = \"{twin}\" }}\n"));
    zone_with(&text, &routes.concat())
}

#[test]
fn shared_branches_count_each_time() {
    compile(&lattice(6));
    let over = ["a6", "b6", "c6", "d6"]
        .map(|twin| format!("the policy `{twin}` may look at 9556 targets for one query"));
    assert_eq!(errors(&lattice(9)), over, "only the lowest ones, not all above");
}

#[test]
fn pools_and_policies_are_bounded() {
    let addresses = |count: usize| {
        let list: Vec<String> =
            (0..count).map(|n| format!("\"192.0.{}.{}\"", n / 250, n % 250 + 1)).collect();
        zone_with(&format!("[pool.p]\naddresses = [{}]\n", list.join(", ")), "n = { pool = \"p\" }")
    };
    compile(&addresses(POOL_ENDPOINTS));
    assert_eq!(errors(&addresses(POOL_ENDPOINTS + 1)), ["a pool may have 400 addresses, not 401"]);
    let targets = |count: usize| {
        let pools =
            (0..count).map(|n| format!("[pool.p{n}]\naddresses = [\"192.0.2.{}\"]\n", n + 1));
        let weights: Vec<String> = (0..count).map(|n| format!("p{n} = 1")).collect();
        let policy =
            format!("[policy.w]\ntype = \"weighted\"\nweights = {{ {} }}\n", weights.join(", "));
        zone_with(&format!("{}{policy}", pools.collect::<String>()), "n = { policy = \"w\" }")
    };
    compile(&targets(POLICY_TARGETS));
    assert_eq!(
        errors(&targets(POLICY_TARGETS + 1)),
        ["the policy `w` gives one client 101 targets, 100 is the most"]
    );
}

#[test]
fn an_rrset_fits_into_an_answer() {
    let texts: Vec<String> = (0..300).map(|n| format!("\"{n} {}\"", "x".repeat(240))).collect();
    let found = errors(&zone_with("", &format!("t = {{ TXT = [{}] }}", texts.join(", "))));
    assert!(found[0].contains("octets together"), "{found:?}");
}

#[test]
fn a_large_zone_takes_little_time() {
    let names: String =
        (0..20_000).map(|n| format!("n{n} = {{ A = \"192.0.2.1\", TXT = \"x\" }}\n")).collect();
    let text = zone_with("", &names);
    let start = std::time::Instant::now();
    assert_eq!(compile(&text).0.names.len(), 20_003);
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
}
