//! Random trees of policies, and a second evaluator of the rules to compare the engine with.
//!
//! The evaluator is written from the rules alone and shares no code with `policy`: it gives the exact chance of each pool,
//! where the engine draws one. Floats are enough, as a tree of depth 4 multiplies at most four shares.

use std::collections::{BTreeMap, BTreeSet};

use meridian::health::Status;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::harness::{World, Zone};

/// Places in a policy, and who is in them. `BV` is a country without a continent.
const PLACES: [&str; 7] = [
    "country.FR",
    "country.DE",
    "country.US",
    "country.JP",
    "continent.EU",
    "continent.NA",
    "continent.AS",
];

/// Countries of the random databases; `BV` is on no continent.
pub const COUNTRIES: [(&str, Option<&str>); 7] = [
    ("FR", Some("EU")),
    ("DE", Some("EU")),
    ("US", Some("NA")),
    ("CA", Some("NA")),
    ("MX", Some("NA")),
    ("JP", Some("AS")),
    ("BV", None),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    Pool(usize),
    Policy(usize),
}

#[derive(Clone, Debug)]
pub enum Rule {
    Weighted(Vec<(u8, Target)>),
    Failover(Vec<Target>),
    /// By place; the default has its own key, `default`.
    Geolocation(BTreeMap<&'static str, Vec<Target>>),
}

#[derive(Clone, Debug)]
pub struct Policy {
    pub rule: Rule,
    pub evaluate_health: bool,
}

/// A pool with this many endpoints, `192.0.2.1`, … for pool 0 and `192.0.3.1`, … for pool 1.
#[derive(Clone, Copy, Debug)]
pub struct Pool {
    pub endpoints: usize,
    pub is_checked: bool,
}

#[derive(Clone, Debug)]
pub struct Tree {
    pub pools: Vec<Pool>,
    /// The first is the root; a policy names only later ones.
    pub policies: Vec<Policy>,
}

/// The chance of each pool.
pub type Chances = BTreeMap<usize, f64>;

/// Which endpoints are up, by pool.
pub type Health = Vec<Vec<bool>>;

/// What proptest draws for one policy; targets are numbers yet, made valid by [`Sketch::build`].
#[derive(Clone, Debug)]
struct Sketch {
    kind: u8,
    weights: Vec<u8>,
    targets: Vec<u8>,
    places: Vec<(usize, Vec<u8>)>,
    has_default: bool,
    evaluate_health: bool,
}

fn sketch() -> impl Strategy<Value = Sketch> {
    let weight = prop_oneof![2 => Just(0u8), 3 => 1..=4u8, 1 => any::<u8>()];
    let places = vec((0..PLACES.len(), vec(any::<u8>(), 1..=2)), 1..=4);
    (0..3u8, vec(weight, 3), vec(any::<u8>(), 1..=3), places, any::<bool>(), 0..5u8).prop_map(
        |(kind, weights, targets, places, has_default, steadfast)| Sketch {
            kind,
            weights,
            targets,
            places,
            has_default,
            evaluate_health: steadfast != 0,
        },
    )
}

impl Sketch {
    /// A policy that names pools and policies from `first` on.
    fn build(&self, pools: usize, first: usize, policies: usize, always_default: bool) -> Policy {
        let below = policies - first;
        let resolve = |numbers: &[u8]| {
            let mut targets = Vec::new();
            for number in numbers {
                // Policies are as likely as pools, or most trees would be flat.
                let number = usize::from(*number);
                let target = match below > 0 && number % 2 == 0 {
                    true => Target::Policy(first + number / 2 % below),
                    false => Target::Pool(number / 2 % pools),
                };
                if !targets.contains(&target) {
                    targets.push(target);
                }
            }
            targets
        };
        let rule = match self.kind {
            0 => {
                let targets = resolve(&self.targets);
                Rule::Weighted(self.weights.iter().copied().zip(targets).collect())
            }
            1 => Rule::Failover(resolve(&self.targets)),
            _ => {
                let places = self.places.iter();
                let mut places: BTreeMap<_, _> =
                    places.map(|(place, targets)| (PLACES[*place], resolve(targets))).collect();
                if self.has_default || always_default {
                    places.insert("default", resolve(&self.targets));
                }
                Rule::Geolocation(places)
            }
        };
        Policy { rule, evaluate_health: self.evaluate_health }
    }
}

/// Trees of up to four levels with one or two policies each; branches are shared where two policies name the same one.
/// With `always_default` no client is without an answer.
pub fn tree(always_default: bool) -> impl Strategy<Value = Tree> {
    let pool = (1..=2usize, 0..6u8)
        .prop_map(|(endpoints, check)| Pool { endpoints, is_checked: check != 0 });
    let levels = vec(vec(sketch(), 1..=2), 1..=4);
    (vec(pool, 2..=4), levels).prop_map(move |(pools, mut levels)| {
        levels[0].truncate(1);
        let count: usize = levels.iter().map(Vec::len).sum();
        let mut policies = Vec::new();
        let mut first = 0;
        for level in &levels {
            first += level.len();
            let built = level.iter();
            policies.extend(built.map(|s| s.build(pools.len(), first, count, always_default)));
        }
        Tree { pools, policies }
    })
}

impl Tree {
    fn name(target: Target) -> String {
        match target {
            Target::Pool(pool) => format!("pool{pool}"),
            Target::Policy(policy) => format!("policy{policy}"),
        }
    }

    fn lines(policy: &Policy) -> (&'static str, String) {
        let names =
            |targets: &[Target]| targets.iter().copied().map(Self::name).collect::<Vec<_>>();
        let (kind, mut lines) = match &policy.rule {
            Rule::Weighted(targets) => {
                let entries =
                    targets.iter().map(|(w, target)| format!("{} = {w}", Self::name(*target)));
                ("weighted", format!("weights = {{ {} }}", entries.collect::<Vec<_>>().join(", ")))
            }
            Rule::Failover(targets) => ("failover", format!("targets = {:?}", names(targets))),
            Rule::Geolocation(places) => {
                let lines = places
                    .iter()
                    .map(|(place, targets)| format!("{place} = {:?}\n", names(targets)));
                ("geolocation", lines.collect())
            }
        };
        lines += &format!("\nevaluate_health = {}", policy.evaluate_health);
        (kind, lines)
    }

    /// The zone in which `www` is routed by this tree.
    pub fn zone(&self) -> Zone {
        let mut zone = Zone::new();
        for (number, pool) in self.pools.iter().enumerate() {
            let addresses = self.addresses(number, |_| true).join(" ");
            let name = Self::name(Target::Pool(number));
            zone = match pool.is_checked {
                true => zone.pool(&name, &addresses),
                false => zone.unchecked(&name, &addresses),
            };
        }
        for (number, policy) in self.policies.iter().enumerate() {
            let (kind, lines) = Self::lines(policy);
            zone = zone.policy(&Self::name(Target::Policy(number)), kind, &lines);
        }
        zone.route("www", "policy0")
    }

    fn addresses(&self, pool: usize, is_wanted: impl Fn(usize) -> bool) -> Vec<String> {
        let endpoints = (0..self.pools[pool].endpoints).filter(|endpoint| is_wanted(*endpoint));
        endpoints.map(|endpoint| format!("192.0.{}.{}", pool + 2, endpoint + 1)).collect()
    }

    /// The pool that an address is of.
    pub fn pool_of(address: &str) -> usize {
        let third = address.split('.').nth(2).unwrap();
        third.parse::<usize>().unwrap() - 2
    }

    /// The answer set of a pool: what is up, or all if nothing is (rules 2 and 4 for values).
    pub fn answer_set(&self, pool: usize, health: &Health) -> Vec<String> {
        let is_up = |endpoint: usize| !self.pools[pool].is_checked || health[pool][endpoint];
        let up = self.addresses(pool, is_up);
        if up.is_empty() { self.addresses(pool, |_| true) } else { up }
    }

    /// Every state of health in which the endpoints of a pool are alike.
    pub fn states(&self) -> impl Iterator<Item = Health> {
        let sizes: Vec<usize> = self.pools.iter().map(|pool| pool.endpoints).collect();
        (0..1u32 << sizes.len()).map(move |bits| {
            let pools = sizes.iter().enumerate();
            pools.map(|(pool, size)| vec![bits >> pool & 1 == 1; *size]).collect()
        })
    }

    /// A state of health by the bits of a number, an endpoint each.
    pub fn state(&self, bits: u32) -> Health {
        let mut bits = (0..32).map(|bit| bits >> bit & 1 == 1).cycle();
        self.pools.iter().map(|pool| bits.by_ref().take(pool.endpoints).collect()).collect()
    }

    /// Makes the world's view this state.
    pub fn apply(&self, health: &Health, world: &World) {
        for (number, pool) in self.pools.iter().enumerate().filter(|(_, pool)| pool.is_checked) {
            for (endpoint, is_up) in health[number].iter().enumerate().take(pool.endpoints) {
                let status = if *is_up { Status::Up } else { Status::Down };
                world.set_endpoint(&Self::name(Target::Pool(number)), endpoint, status);
            }
        }
    }

    /// The chance of each pool for a client in a country, or nowhere (rules 2 and 4). Empty if no place takes the client.
    pub fn chances(&self, country: Option<&str>, health: &Health) -> Chances {
        let evaluator = Evaluator { tree: self, country, health };
        let root = Target::Policy(0);
        evaluator.up(root).or_else(|| evaluator.any(root)).unwrap_or_default()
    }
}

/// The rules, for one client and one state of health.
struct Evaluator<'a> {
    tree: &'a Tree,
    country: Option<&'a str>,
    health: &'a Health,
}

impl Evaluator<'_> {
    /// What a target gives of what is up; nothing if nothing is.
    fn up(&self, target: Target) -> Option<Chances> {
        match target {
            Target::Pool(number) => {
                let is_up =
                    !self.tree.pools[number].is_checked || self.health[number].contains(&true);
                is_up.then(|| Chances::from([(number, 1.0)]))
            }
            Target::Policy(number) => self.choose(number, |target| self.branch(target)),
        }
    }

    /// What a target gives if all counts as up.
    fn any(&self, target: Target) -> Option<Chances> {
        match target {
            Target::Pool(number) => Some(Chances::from([(number, 1.0)])),
            Target::Policy(number) => self.choose(number, |target| self.any(target)),
        }
    }

    /// What a target of a policy gives: one whose health is not evaluated is never backed out of (rule 52).
    fn branch(&self, target: Target) -> Option<Chances> {
        let is_steadfast =
            matches!(target, Target::Policy(number) if !self.tree.policies[number].evaluate_health);
        let up = self.up(target);
        if is_steadfast { up.or_else(|| self.any(target)) } else { up }
    }

    fn choose(&self, policy: usize, give: impl Fn(Target) -> Option<Chances>) -> Option<Chances> {
        match &self.tree.policies[policy].rule {
            Rule::Failover(targets) => targets.iter().find_map(|target| give(*target)),
            Rule::Geolocation(places) => {
                let chain = self.chain().into_iter().filter_map(|place| places.get(&*place));
                chain.flatten().find_map(|target| give(*target))
            }
            Rule::Weighted(targets) => {
                let live =
                    targets.iter().filter_map(|(weight, target)| Some((*weight, give(*target)?)));
                mix(live.collect())
            }
        }
    }

    /// Country, continent, default (rules 25, 27 and 29).
    fn chain(&self) -> Vec<String> {
        let known = COUNTRIES.iter().find(|(code, _)| Some(*code) == self.country);
        let country = known.map(|(code, _)| format!("country.{code}"));
        let continent = known.and_then(|(_, continent)| *continent);
        let continent = continent.map(|code| format!("continent.{code}"));
        country.into_iter().chain(continent).chain(["default".to_owned()]).collect()
    }
}

/// Shares by weight of what is live; weight 0 counts if there is nothing else, and then equally (rules 10 to 16).
fn mix(live: Vec<(u8, Chances)>) -> Option<Chances> {
    let has_weight = live.iter().any(|(weight, _)| *weight > 0);
    let share = |weight: u8| if has_weight { f64::from(weight) } else { 1.0 };
    let total: f64 = live.iter().map(|(weight, _)| share(*weight)).sum();
    let mut mixed = Chances::new();
    for (weight, chances) in &live {
        for (pool, chance) in chances.iter().filter(|_| share(*weight) > 0.0) {
            *mixed.entry(*pool).or_insert(0.0) += chance * share(*weight) / total;
        }
    }
    (!live.is_empty()).then_some(mixed)
}

/// Whether two tables of chances are the same, but for rounding.
pub fn are_equal(one: &Chances, other: &Chances) -> bool {
    let pools: BTreeSet<usize> = one.keys().chain(other.keys()).copied().collect();
    let chance = |chances: &Chances, pool| chances.get(&pool).copied().unwrap_or(0.0);
    pools.into_iter().all(|pool| (chance(one, pool) - chance(other, pool)).abs() < 1e-9)
}
