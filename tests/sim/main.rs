//! A world with an invented clock: endpoints that die, hang, flap and recover, a prober that loses its network, for more than ten
//! minutes in some, and is started anew with what it remembers, an operator who overrides; and the very code that decides and answers in the server, with invariants on every step (RELIABILITY R11 to R16, R36).
//!
//! `MERIDIAN_SEEDS=100000 cargo test --release --test sim` runs more worlds; `MERIDIAN_SEED=7` replays one, and says what happened.

mod endpoint;
mod judge;
mod random;
mod world;

use world::World;

/// Worlds that are run if nobody asks for another number.
const SEEDS: u64 = 1_000;

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable}={text} is no number")))
}

/// Runs a world of every seed. A failing one panics with its seed, by which it replays.
#[test]
fn invariants_hold_in_every_world() {
    if let Some(seed) = number("MERIDIAN_SEED") {
        World::new(seed, true).run();
        return;
    }
    let seeds = number("MERIDIAN_SEEDS").unwrap_or(SEEDS);
    let threads = std::thread::available_parallelism().map_or(1, usize::from) as u64;
    let totals = std::thread::scope(|scope| {
        let runs: Vec<_> = (0..threads)
            .map(|first| {
                scope.spawn(move || {
                    let mut total = world::Summary::default();
                    for seed in (first..seeds).step_by(threads as usize) {
                        total.add(&World::new(seed, false).run());
                    }
                    total
                })
            })
            .collect();
        let mut total = world::Summary::default();
        for run in runs {
            total.add(&run.join().expect("a world broke an invariant; its seed is above"));
        }
        total
    });
    println!("{seeds} worlds: {totals:?}");
    // A simulation in which nothing happens proves nothing.
    assert!(totals.answers > 100 * seeds && totals.changes > seeds && totals.probes > 1000 * seeds);
    assert!(seeds < 100 || totals.holds > 0 && totals.overrides > 0 && totals.outages > 0);
    assert!(seeds < 1000 || totals.restarts > seeds / 4);
    assert!(seeds < 1000 || totals.long_outages > 10 && totals.watched_outages > 10);
}
