//! The expected shares of a tree against the second evaluator, exactly, and against the selection itself, by counting.

use std::cell::Cell;
use std::collections::BTreeMap;

use meridian::health::{Horizon, Status, Switch};
use meridian::outlook::{Basis, Clients, Forecaster, compare};
use meridian::policy::{Choice, End, Lot, NoTrace, Random, Selection, Target};
use meridian::snapshot::BoundRoute;
use meridian::wire::RecordType;
use proptest::prelude::*;

use crate::harness::{SEED, World, Zone, database, home, runner};
use crate::tree::{COUNTRIES, Chances, NODATA, SERVFAIL, Tree, are_equal, tree};

const TREES: u32 = 500;
const DRAWS: u32 = 2_000;

/// A sound table is called wrong less than once in e^30 (`query/shares.rs` says why); 4,000 tables are looked at.
const SURPRISE: f64 = 30.0;

fn route(world: &World) -> &BoundRoute {
    world.snapshot.routed_names().next().expect("a routed name").1
}

/// Runs something with the selection for a client's prefix.
fn with_selection<R>(
    world: &World,
    client: Option<&str>,
    seed: u64,
    run: impl FnOnce(&mut Selection<'_, NoTrace>, Target) -> R,
) -> R {
    let route = route(world);
    let address = client.map_or("192.0.2.200", |client| client.split('/').next().unwrap());
    let place = route.place(address.parse().unwrap(), 24);
    let random = &mut Random::new(seed);
    let sticky = route.sticky_key(address.parse().unwrap());
    let mut selection = Selection {
        routing: &world.snapshot.routing(route.zone).unwrap().bound,
        view: &world.view,
        rtype: RecordType::A,
        area: place.area,
        sticky,
        together: route.together,
        now_ms: 1_000_000,
        lot: world.view.has_overrides().then(|| Lot::draw(sticky, random)),
        random,
        trace: &mut NoTrace,
        horizon: Cell::new(Horizon::NEVER),
    };
    run(&mut selection, route.target)
}

fn shares(world: &World, client: Option<&str>) -> Vec<(End, f64)> {
    with_selection(world, client, 0, |selection, target| selection.shares(target))
}

/// The shares by what is in the answer.
fn answers(world: &World, client: Option<&str>) -> Chances {
    let mut chances = Chances::new();
    for (end, chance) in shares(world, client) {
        let answer = match end.choice {
            Some(Choice::Endpoints(target)) => with_selection(world, client, 0, |selection, _| {
                let pool = selection.routing.handout(target).unwrap();
                let octets = selection.handed_out(pool, RecordType::A).into_iter();
                let address = |o: &[u8]| format!("{}.{}.{}.{}", o[0], o[1], o[2], o[3]);
                let mut addresses: Vec<String> = octets.map(address).collect();
                addresses.sort();
                addresses.join(" ")
            }),
            Some(Choice::ServFail) => SERVFAIL.to_owned(),
            Some(Choice::NoData) | None => NODATA.to_owned(),
        };
        *chances.entry(answer).or_insert(0.0) += chance;
    }
    chances
}

/// How often the selection comes to each end.
fn counts(world: &World, client: Option<&str>, draws: u32) -> BTreeMap<End, u32> {
    let mut counts = BTreeMap::new();
    with_selection(world, client, SEED, |selection, target| {
        for _ in 0..draws {
            let end = match selection.choose(target) {
                Some(chosen) => {
                    End { choice: Some(chosen.choice), is_last_resort: chosen.is_last_resort }
                }
                None => End { choice: None, is_last_resort: false },
            };
            *counts.entry(end).or_insert(0) += 1;
        }
    });
    counts
}

#[track_caller]
fn assert_fit(shares: &[(End, f64)], counts: &BTreeMap<End, u32>) {
    let total = f64::from(counts.values().sum::<u32>());
    for end in counts.keys() {
        assert!(shares.iter().any(|(known, _)| known == end), "{end:?} is not among {shares:?}");
    }
    // Ends that come too rarely for the law to hold are one cell.
    let (mut sum, mut cells, mut rare) = (0.0, 0.0, (0.0, 0.0));
    for (end, share) in shares {
        let seen = f64::from(counts.get(end).copied().unwrap_or(0));
        let expected = share * total;
        if expected < 10.0 {
            rare = (rare.0 + seen, rare.1 + expected);
        } else {
            sum += (seen - expected).powi(2) / expected;
            cells += 1.0;
        }
    }
    assert!(rare.0 <= rare.1 + 10.0 * rare.1.sqrt() + 30.0, "{rare:?}: {shares:?} {counts:?}");
    let freedom: f64 = cells;
    let limit = freedom + 2.0 * (freedom * SURPRISE).sqrt() + 2.0 * SURPRISE;
    assert!(sum <= limit, "chi² {sum:.1} > {limit:.1}: {shares:?} {counts:?}");
}

#[test]
fn shares_are_those_of_the_selection() {
    let result = runner(TREES).run(&(tree(false), any::<u32>()), |(tree, bits)| {
        let world = tree.zone().world();
        let clients = COUNTRIES.iter().map(|(code, _)| (Some(*code), Some(home(code))));
        let clients: Vec<_> = clients.chain([(None, None)]).collect();
        for health in [tree.state(bits), tree.state(0), tree.state(u32::MAX)] {
            tree.apply(&health, &world);
            for (country, client) in &clients {
                let expected = tree.chances(*country, &health);
                let found = answers(&world, client.as_deref());
                assert!(are_equal(&found, &expected), "{country:?}: {found:?}, {expected:?}");
            }
        }
        tree.apply(&tree.state(bits), &world);
        let (_, client) = &clients[bits as usize % clients.len()];
        let client = client.as_deref();
        assert_fit(&shares(&world, client), &counts(&world, client, DRAWS));
        Ok(())
    });
    result.unwrap();
}

/// Whatever operators have set, the exact shares are those of the selection.
#[test]
fn shares_know_overrides() {
    let cases = (tree(false), any::<u32>(), any::<u64>());
    let result = runner(TREES).run(&cases, |(tree, bits, set)| {
        let world = tree.zone().world();
        tree.apply(&tree.state(bits), &world);
        let mut random = Random::new(set);
        let switches: Vec<Switch> = (0..world.view.switch_count())
            .map(|_| match random.below(8) {
                0 => Switch::Up,
                1 | 2 => Switch::Down,
                _ => Switch::Free,
            })
            .collect();
        world.view.set_switches(None, |id| switches[id.0 as usize]);
        for client in [Some(home("DE")), None] {
            let client = client.as_deref();
            assert_fit(&shares(&world, client), &counts(&world, client, 200));
        }
        Ok(())
    });
    result.unwrap();
}

fn share_of(shares: &[(End, f64)], pool: u16) -> f64 {
    let is_wanted = |end: &End| {
        end.choice == Some(Choice::Endpoints(Target::Pool(meridian::policy::PoolId(pool))))
    };
    shares.iter().filter(|(end, _)| is_wanted(end)).map(|(_, share)| share).sum()
}

#[test]
fn probabilities_add_up_to_one_and_say_when_nothing_is_up() {
    let zone = Zone::new().pool("a", "192.0.3.1").pool("b", "192.0.3.2").pool("c", "192.0.3.3");
    let world = zone
        .policy("split", "weighted", "weights = { a = 60, b = 40, c = 0 }")
        .route("www", "split")
        .world();
    world.only_down(&[]);
    let all_up = shares(&world, None);
    assert!((share_of(&all_up, 0) - 0.6).abs() < 1e-12 && all_up.len() == 2, "{all_up:?}");
    world.set("a", Status::Down);
    assert_eq!(share_of(&shares(&world, None), 1), 1.0);
    world.set("b", Status::Down);
    let zero_tier = shares(&world, None);
    assert!(share_of(&zero_tier, 2) == 1.0 && !zero_tier[0].0.is_last_resort, "rule 13");
    world.set("c", Status::Down);
    let nothing = shares(&world, None);
    assert!(nothing.iter().all(|(end, _)| end.is_last_resort), "{nothing:?}");
    assert!((nothing.iter().map(|(_, share)| share).sum::<f64>() - 1.0).abs() < 1e-12);
}

/// IPv4 addresses outside of the blocks of `geo/special.rs`: 224 /8s less 10/8, 0/8 and 127/8, and the smaller blocks.
const PUBLIC: f64 = 221.0 * 16_777_216.0
    - 4_194_304.0 // 100.64.0.0/10
    - 65_536.0 // 169.254.0.0/16
    - 1_048_576.0 // 172.16.0.0/12
    - 65_536.0 // 192.168.0.0/16
    - 131_072.0 // 198.18.0.0/15
    - 5.0 * 256.0;

/// A world in which each country of the trees has networks of different sizes, and all else is nowhere.
fn world_of(tree: &Tree) -> (World, Vec<(Option<&'static str>, f64)>) {
    let mut networks = Vec::new();
    let mut weights = Vec::new();
    for (place, (code, _)) in COUNTRIES.iter().enumerate() {
        let length = 16 + place;
        networks.push((format!("20.{place}.0.0/{length}").parse().unwrap(), Some(*code)));
        weights.push((Some(*code), 2f64.powi(32 - i32::try_from(length).unwrap()) / PUBLIC));
    }
    let placed: f64 = weights.iter().map(|(_, weight)| weight).sum();
    weights.push((None, 1.0 - placed));
    (tree.zone().world_with(database(&networks)), weights)
}

fn distance(one: &Chances, other: &Chances) -> f64 {
    let gained = other
        .iter()
        .map(|(answer, after)| (after - one.get(answer).copied().unwrap_or(0.0)).max(0.0));
    gained.sum()
}

#[test]
fn a_difference_is_the_distance_of_the_second_evaluators_chances() {
    let clients = Clients::of_space(Basis::Ipv4);
    let moved = std::cell::Cell::new(0);
    let result = runner(100).run(&(tree(false), tree(false)), |(old, new)| {
        let (old_world, weights) = world_of(&old);
        let (new_world, _) = world_of(&new);
        let difference = compare(&old_world.snapshot, &new_world.snapshot, &clients);
        let (before, after) = (old.state(u32::MAX), new.state(u32::MAX));
        let each = weights.iter().map(|(country, weight)| {
            weight * distance(&old.chances(*country, &before), &new.chances(*country, &after))
        });
        let expected: f64 = each.sum();
        let found = difference.routed.first().map_or(0.0, |change| change.share);
        prop_assert!((found - expected).abs() < 1e-8, "{found} {expected}");
        prop_assert!(
            difference.routed.iter().all(|change| change.rtype == "A"),
            "no pool has IPv6"
        );
        Ok(())
    });
    result.unwrap();
    // Not only equal trees were compared.
    let small = runner(50).run(&(tree(false), tree(false)), |(old, new)| {
        let worlds = [world_of(&old).0, world_of(&new).0];
        let difference = compare(&worlds[0].snapshot, &worlds[1].snapshot, &clients);
        moved.set(moved.get() + usize::from(!difference.is_empty()));
        let same = compare(&worlds[0].snapshot, &world_of(&old).0.snapshot, &clients);
        prop_assert!(same.is_empty(), "{same:?}");
        Ok(())
    });
    small.unwrap();
    assert!(moved.get() > 25, "{} of 50 pairs differ", moved.get());
}

#[test]
fn a_forecast_weighs_countries_by_their_addresses() {
    let clients = Clients::of_space(Basis::Ipv4);
    let result = runner(50).run(&(tree(false), any::<u32>()), |(tree, bits)| {
        let (world, weights) = world_of(&tree);
        let health = tree.state(bits);
        tree.apply(&health, &world);
        let mut forecaster = Forecaster::new(&world.snapshot, &world.view, &clients);
        let forecasts = forecaster.forecast(RecordType::A, |_| true);
        let countries = &forecasts[0].countries;
        prop_assert_eq!(countries.len(), weights.len());
        for (country, weight) in weights {
            let mut found = countries.iter();
            let found =
                found.find(|one| one.country.map(|code| code.to_string()).as_deref() == country);
            let found = found.expect("the country");
            prop_assert!((found.weight - weight).abs() < 1e-9, "{country:?}");
            let sums =
                [&found.shares, &found.shares_all_up].map(|shares| shares.iter().sum::<f64>());
            prop_assert!(sums.iter().all(|sum| (sum - 1.0).abs() < 1e-9), "{sums:?}");
            let nothing: f64 = tree.chances(country, &health).get(NODATA).copied().unwrap_or(0.0);
            let ends = forecasts[0].ends.iter().zip(&found.shares);
            let no_data = ends.filter(|(end, _)| end.name == "no data").map(|(_, share)| share);
            prop_assert!((no_data.sum::<f64>() - nothing).abs() < 1e-9, "{country:?}");
        }
        Ok(())
    });
    result.unwrap();
}
