//! Random trees of policies, and a second evaluator of the rules to compare the engine with.
//!
//! The evaluator is written from the rules alone and shares no code with `policy`: it gives the exact chance of each answer,
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
    RoundRobin(Vec<Target>),
    /// Of pools.
    Multivalue(Vec<usize>),
}

/// What a policy comes to with everything down, where that is its own decision (B2).
#[derive(Clone, Copy, Debug)]
pub enum AllDown {
    IgnoreHealth,
    NoData,
    ServFail,
    Pool(usize),
}

#[derive(Clone, Debug)]
pub struct Policy {
    pub rule: Rule,
    pub evaluate_health: bool,
    pub all_down: AllDown,
}

/// A pool with this many endpoints, `192.0.2.1`, … for pool 0 and `192.0.3.1`, … for pool 1.
#[derive(Clone, Copy, Debug)]
pub struct Pool {
    pub endpoints: usize,
    pub is_checked: bool,
    /// How many must be up (B3).
    pub min_up: usize,
}

#[derive(Clone, Debug)]
pub struct Tree {
    pub pools: Vec<Pool>,
    /// The first is the root; a policy names only later ones.
    pub policies: Vec<Policy>,
}

/// Answers without addresses.
pub const NODATA: &str = "no data";
pub const SERVFAIL: &str = "SERVFAIL";

/// The chance of each answer: its addresses, sorted, with spaces in between.
pub type Chances = BTreeMap<String, f64>;

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
    all_down: u8,
}

fn sketch() -> impl Strategy<Value = Sketch> {
    let weight = prop_oneof![2 => Just(0u8), 3 => 1..=4u8, 1 => any::<u8>()];
    let places = vec((0..PLACES.len(), vec(any::<u8>(), 1..=2)), 1..=4);
    (0..5u8, vec(weight, 3), vec(any::<u8>(), 1..=3), places, any::<bool>(), 0..5u8, 0..20u8)
        .prop_map(|(kind, weights, targets, places, has_default, steadfast, all_down)| Sketch {
            kind,
            weights,
            targets,
            places,
            has_default,
            evaluate_health: steadfast != 0,
            all_down,
        })
}

impl Sketch {
    /// A policy that names pools and policies from `first` on.
    fn build(&self, drawn: &[Pool], first: usize, policies: usize, always_default: bool) -> Policy {
        let pools = drawn.len();
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
            2 => Rule::RoundRobin(resolve(&self.targets)),
            3 => {
                let members = self.targets.iter().map(|number| usize::from(*number) % pools);
                // A set has no pools with a minimum.
                let members: BTreeSet<usize> =
                    members.filter(|pool| drawn[*pool].min_up == 1).collect();
                match members.is_empty() {
                    true => Rule::Failover(resolve(&self.targets)),
                    false => Rule::Multivalue(members.into_iter().collect()),
                }
            }
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
        let all_down = match self.all_down {
            0 | 1 if !always_default => AllDown::NoData,
            2 | 3 if !always_default => AllDown::ServFail,
            number @ 4..=7 => AllDown::Pool(usize::from(number) % pools),
            _ => AllDown::IgnoreHealth,
        };
        Policy { rule, evaluate_health: self.evaluate_health, all_down }
    }
}

/// Trees of up to four levels with one or two policies each; branches are shared where two policies name the same one.
/// With `always_default` no client is without an answer.
pub fn tree(always_default: bool) -> impl Strategy<Value = Tree> {
    let pool = (1..=2usize, 0..6u8, 0..4u8).prop_map(|(endpoints, check, minimum)| Pool {
        endpoints,
        is_checked: check != 0,
        min_up: if minimum == 0 { endpoints } else { 1 },
    });
    let levels = vec(vec(sketch(), 1..=2), 1..=4);
    (vec(pool, 2..=4), levels).prop_map(move |(pools, mut levels)| {
        levels[0].truncate(1);
        let count: usize = levels.iter().map(Vec::len).sum();
        let mut policies = Vec::new();
        let mut first = 0;
        for level in &levels {
            first += level.len();
            let built = level.iter();
            policies.extend(built.map(|s| s.build(&pools, first, count, always_default)));
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
            Rule::RoundRobin(targets) => ("round-robin", format!("targets = {:?}", names(targets))),
            Rule::Multivalue(pools) => {
                // The order of a set is of no matter.
                let pools: Vec<Target> = pools.iter().rev().copied().map(Target::Pool).collect();
                ("multivalue", format!("targets = {:?}", names(&pools)))
            }
            Rule::Geolocation(places) => {
                let lines = places
                    .iter()
                    .map(|(place, targets)| format!("{place} = {:?}\n", names(targets)));
                ("geolocation", lines.collect())
            }
        };
        lines += &format!("\nevaluate_health = {}", policy.evaluate_health);
        match policy.all_down {
            AllDown::IgnoreHealth => {}
            AllDown::NoData => lines += "\nall_down = \"nodata\"",
            AllDown::ServFail => lines += "\nall_down = \"servfail\"",
            AllDown::Pool(pool) => {
                lines += &format!("\nall_down = {:?}", Self::name(Target::Pool(pool)));
            }
        }
        (kind, lines)
    }

    /// The zone in which `www` is routed by this tree.
    pub fn zone(&self) -> Zone {
        let mut zone = Zone::new();
        for (number, pool) in self.pools.iter().enumerate() {
            let addresses = self.addresses(number, |_| true).join(" ");
            let name = Self::name(Target::Pool(number));
            let check = if pool.is_checked { "check = \"web\"" } else { "" };
            zone = zone.pool_with(&name, &addresses, &format!("min_up = {}\n{check}", pool.min_up));
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

    /// The answer set of pools as one: what is up, or all if nothing is (rules 2, 4 and 41 for values).
    fn answer_set(&self, pools: &[usize], health: &Health) -> Vec<String> {
        let of_all = |is_wanted: &dyn Fn(usize, usize) -> bool| -> Vec<String> {
            let each = pools.iter().map(|pool| self.addresses(*pool, |e| is_wanted(*pool, e)));
            each.flatten().collect()
        };
        let up = of_all(&|pool, endpoint| !self.pools[pool].is_checked || health[pool][endpoint]);
        let mut set = if up.is_empty() { of_all(&|_, _| true) } else { up };
        set.sort();
        set
    }

    /// Every state of health in which of each pool none, one or all endpoints are up.
    pub fn states(&self) -> impl Iterator<Item = Health> {
        let sizes: Vec<usize> = self.pools.iter().map(|pool| pool.endpoints).collect();
        (0..3usize.pow(sizes.len().try_into().unwrap())).map(move |mut state| {
            let pools = sizes.iter().map(|size| {
                let up = [0, 1, *size][state % 3];
                state /= 3;
                (0..*size).map(|endpoint| endpoint < up).collect()
            });
            pools.collect()
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

    /// The chance of each answer for a client in a country, or nowhere (rules 2 and 4). No data if no place takes the client.
    pub fn chances(&self, country: Option<&str>, health: &Health) -> Chances {
        let evaluator = Evaluator { tree: self, country, health };
        let root = Target::Policy(0);
        let chances = evaluator.up(root).or_else(|| evaluator.resort(root));
        chances.unwrap_or_else(|| Chances::from([(NODATA.to_owned(), 1.0)]))
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
            Target::Pool(number) => self.is_up(number).then(|| self.all_of(&[number])),
            Target::Policy(number) => match &self.tree.policies[number].rule {
                Rule::Multivalue(pools) => {
                    pools.iter().any(|pool| self.is_up(*pool)).then(|| self.all_of(pools))
                }
                _ => self.choose(number, |target| self.branch(target)),
            },
        }
    }

    /// What a target gives if all counts as up.
    fn any(&self, target: Target) -> Option<Chances> {
        match target {
            Target::Pool(number) => Some(self.all_of(&[number])),
            Target::Policy(number) => self.choose(number, |target| self.any(target)),
        }
    }

    /// What becomes of a target with nothing up (rule 4, B2). Who is in no place gets nothing here either.
    fn resort(&self, target: Target) -> Option<Chances> {
        let any = self.any(target)?;
        let Target::Policy(number) = target else {
            return Some(any);
        };
        Some(match self.tree.policies[number].all_down {
            AllDown::IgnoreHealth => any,
            AllDown::NoData => Chances::from([(NODATA.to_owned(), 1.0)]),
            AllDown::ServFail => Chances::from([(SERVFAIL.to_owned(), 1.0)]),
            AllDown::Pool(pool) => self.all_of(&[pool]),
        })
    }

    fn is_up(&self, number: usize) -> bool {
        let pool = self.tree.pools[number];
        let up = self.health[number].iter().filter(|is_up| **is_up).count();
        !pool.is_checked || up >= pool.min_up
    }

    /// The answer set of these pools as one.
    fn all_of(&self, pools: &[usize]) -> Chances {
        Chances::from([(self.tree.answer_set(pools, self.health).join(" "), 1.0)])
    }

    /// What a target of a policy gives: one whose health is not evaluated is never backed out of (rule 52).
    fn branch(&self, target: Target) -> Option<Chances> {
        let is_steadfast =
            matches!(target, Target::Policy(number) if !self.tree.policies[number].evaluate_health);
        let up = self.up(target);
        if is_steadfast { up.or_else(|| self.resort(target)) } else { up }
    }

    fn choose(&self, policy: usize, give: impl Fn(Target) -> Option<Chances>) -> Option<Chances> {
        match &self.tree.policies[policy].rule {
            Rule::Failover(targets) => targets.iter().find_map(|target| give(*target)),
            Rule::RoundRobin(targets) => {
                mix(targets.iter().filter_map(|target| Some((1, give(*target)?))).collect())
            }
            Rule::Multivalue(pools) => Some(self.all_of(pools)),
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
        for (answer, chance) in chances.iter().filter(|_| share(*weight) > 0.0) {
            *mixed.entry(answer.clone()).or_insert(0.0) += chance * share(*weight) / total;
        }
    }
    (!live.is_empty()).then_some(mixed)
}

/// Whether two tables of chances are the same, but for rounding.
pub fn are_equal(one: &Chances, other: &Chances) -> bool {
    let chance = |chances: &Chances, answer| chances.get(answer).copied().unwrap_or(0.0);
    let mut answers = one.keys().chain(other.keys());
    answers.all(|answer| (chance(one, answer) - chance(other, answer)).abs() < 1e-9)
}
