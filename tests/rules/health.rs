//! Any tree in any state of health gives what the rules say: rules 2, 4, 10 to 16, 19 to 23, 25 to 30 and 51 to 56 at once,
//! by comparing every answer with the second evaluator.

use std::collections::BTreeSet;

use hickory_proto::op::ResponseCode;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::harness::{Question, World, home, question, runner};
use crate::tree::{COUNTRIES, Chances, Health, NODATA, SERVFAIL, are_equal, tree};

/// Seeds per question. A pool with a chance of 15 % is missed by all of them in one of 30,000 cases.
const SEEDS: u64 = 64;

fn clients() -> Vec<(Option<&'static str>, Question)> {
    let located =
        COUNTRIES.iter().map(|(code, _)| (Some(*code), question("www").client(&home(code))));
    located.chain([(None, question("www"))]).collect()
}

/// Every answer is one that the rules allow, and every likely one is answered.
fn check_answers(world: &World, health: &Health, client: &Question, chances: &Chances) {
    let mut seen = BTreeSet::new();
    for seed in 0..SEEDS {
        let reply = world.answer(client, seed);
        let answer = match reply.rcode() {
            ResponseCode::ServFail => SERVFAIL.to_owned(),
            _ if reply.is_nodata() => NODATA.to_owned(),
            _ => reply.addresses().join(" "),
        };
        assert!(chances.contains_key(&answer), "{health:?}: {answer} is not among {chances:?}");
        seen.insert(answer);
    }
    for (answer, chance) in chances.iter().filter(|(_, chance)| **chance > 0.15) {
        assert!(seen.contains(answer), "{health:?}: {answer} of {chance} was never answered");
    }
}

#[test]
fn rule_02_04_answers_are_those_of_the_second_evaluator() {
    let result = runner(80).run(&(tree(false), vec(any::<u32>(), 2)), |(tree, states)| {
        let world = tree.zone().world();
        for bits in states.into_iter().chain([0]) {
            let health = tree.state(bits);
            tree.apply(&health, &world);
            for (country, client) in clients() {
                check_answers(&world, &health, &client, &tree.chances(country, &health));
            }
        }
        Ok(())
    });
    result.unwrap();
}

/// An endpoint that is down is handed out only if its whole pool is, and such a pool only if the tree says so.
#[test]
fn rule_04_with_a_default_no_answer_is_empty() {
    let result = runner(200).run(&(tree(true), any::<u32>()), |(tree, bits)| {
        let world = tree.zone().world();
        for health in [tree.state(bits), tree.state(0), tree.state(u32::MAX)] {
            tree.apply(&health, &world);
            for (country, client) in clients() {
                let reply = world.answer(&client, u64::from(bits));
                prop_assert!(!reply.addresses().is_empty(), "{country:?} with {health:?}");
            }
        }
        Ok(())
    });
    result.unwrap();
}

#[test]
fn the_second_evaluator_knows_the_rules() {
    use crate::tree::{AllDown, Policy, Pool, Rule, Target, Tree};
    let pool = Pool { endpoints: 1, is_checked: true, min_up: 1 };
    let weights = [(10, 0), (20, 1), (0, 2)].map(|(weight, pool)| (weight, Target::Pool(pool)));
    let rule = Rule::Weighted(weights.to_vec());
    let policy = Policy { rule, evaluate_health: true, all_down: AllDown::IgnoreHealth };
    let tree = Tree { pools: vec![pool; 3], policies: vec![policy] };
    let chances = |health: [bool; 3]| tree.chances(None, &health.map(|up| vec![up]).to_vec());
    let answer = |pool: usize| format!("192.0.{}.1", pool + 2);
    let third = Chances::from([(answer(0), 1.0 / 3.0), (answer(1), 2.0 / 3.0)]);
    assert!(are_equal(&chances([true, true, true]), &third));
    assert!(are_equal(&chances([false, true, true]), &Chances::from([(answer(1), 1.0)])));
    assert!(
        are_equal(&chances([false, false, true]), &Chances::from([(answer(2), 1.0)])),
        "rule 13"
    );
    assert!(are_equal(&chances([false, false, false]), &third), "rule 15");
}
