//! The state machine against the rules it implements, and against a model that remembers everything.

#![allow(clippy::unwrap_used, clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::health::{
    CheckSpec, Damping, FailureReason, NothingReason, Protocol, Recovery, TcpCheck, Threshold,
};

fn check(down_after: u8, up_after: u8) -> CheckSpec {
    CheckSpec {
        down_after: Threshold::try_from(down_after).unwrap(),
        up_after: Threshold::try_from(up_after).unwrap(),
        recovery: Recovery::Damped(Damping::NONE),
        ..CheckSpec::new(Protocol::Tcp(TcpCheck::default()), 80)
    }
}

/// `+` success, `-` failure, `?` an error of our own side.
fn observation(letter: char) -> Observation {
    match letter {
        '+' => Observation::Success { latency: Duration::from_millis(1) },
        '-' => Observation::Failure(FailureReason::Refused),
        _ => Observation::Nothing(NothingReason::NoRoute),
    }
}

/// The statuses after each result, as letters: `U` up, `D` down, `_` unknown.
fn run(results: &str, check: &CheckSpec) -> String {
    let now = Moment(1_000);
    let mut machine = Machine::new(now);
    let mut statuses = String::new();
    for letter in results.chars() {
        machine = machine.observe(&observation(letter), check, now).0;
        statuses.push(letter_of(machine.status()));
    }
    statuses
}

fn letter_of(status: Status) -> char {
    match status {
        Status::Unknown => '_',
        Status::Up => 'U',
        Status::Down => 'D',
    }
}

/// The definition, over the whole history: the first observation decides; later the newest run decides once it is long enough.
fn model(results: &str, check: &CheckSpec) -> String {
    let (mut status, mut history) = (Status::Unknown, String::new());
    let (down_after, up_after) = (check.down_after.as_u8(), check.up_after.as_u8());
    let mut statuses = String::new();
    for letter in results.chars() {
        if letter != '?' {
            history.push(letter);
            let run = history.chars().rev().take_while(|&past| past == letter).count();
            status = match (status, letter) {
                (Status::Unknown, '+') => Status::Up,
                (Status::Unknown, _) => Status::Down,
                (_, '+') if run >= up_after.into() => Status::Up,
                (_, '-') if run >= down_after.into() => Status::Down,
                (status, _) => status,
            };
        }
        statuses.push(letter_of(status));
    }
    statuses
}

#[test]
fn rule_59_down_takes_consecutive_failures() {
    assert_eq!(run("+--+---", &check(3, 3)), "UUUUUUD");
    assert_eq!(run("+-", &check(1, 3)), "UD");
    assert_eq!(run("+----------", &check(10, 3)), "UUUUUUUUUUD");
}

#[test]
fn rule_59_up_takes_consecutive_successes() {
    assert_eq!(run("-++-+++", &check(3, 3)), "DDDDDDU");
    assert_eq!(run("-+", &check(3, 1)), "DU");
    assert_eq!(run("-++", &check(3, 2)), "DDU");
}

#[test]
fn the_first_observation_decides_at_once() {
    assert_eq!(run("+", &check(10, 10)), "U");
    assert_eq!(run("-", &check(10, 10)), "D");
    assert_eq!(run("??-", &check(10, 10)), "__D");
}

#[test]
fn rule_69_a_new_check_counts_as_up_until_data() {
    let machine = Machine::new(Moment(1_000));
    let view = crate::health::View::new(1);
    view.set(crate::health::TargetId(0), machine.status());
    assert_eq!(machine.status(), Status::Unknown);
    assert!(view.is_up(Some(crate::health::TargetId(0))));
    assert_eq!(run("???", &check(1, 1)), "___");
}

#[test]
fn an_error_of_our_own_side_counts_nothing_and_breaks_no_run() {
    assert_eq!(run("+??????", &check(1, 1)), "UUUUUUU");
    assert_eq!(run("+-?-?-", &check(3, 3)), "UUUUUD");
    assert_eq!(run("-+?+", &check(3, 2)), "DDDU");
}

#[test]
fn a_decision_tells_its_streak_and_its_time() {
    let check = check(3, 2);
    let start = Moment(1_000);
    let mut machine = Machine::new(start);
    let mut decisions = Vec::new();
    for (seconds, letter) in (1..).zip("++---?-+?+".chars()) {
        let now = start.after(Duration::from_secs(seconds));
        let (next, decision) = machine.observe(&observation(letter), &check, now);
        machine = next;
        decisions.extend(decision.map(|decision| (seconds, decision)));
        if decision.is_some() {
            assert_eq!(machine.since(), now);
        }
    }
    let decided = |from, to, streak| Decision { from, to, streak };
    assert_eq!(
        decisions,
        [
            (1, decided(Status::Unknown, Status::Up, 1)),
            (5, decided(Status::Up, Status::Down, 3)),
            (10, decided(Status::Down, Status::Up, 2)),
        ]
    );
    assert_eq!((machine.streak(), machine.since()), (2, start.after(Duration::from_secs(10))));
}

/// Every sequence of nine results, with every pair of thresholds from 1 to 4: 19,683 sequences, 16 checks.
#[test]
fn every_short_sequence_agrees_with_the_model() {
    let sequences = (0..3usize.pow(9)).map(|number| -> String {
        (0..9).map(|digit| ['+', '-', '?'][number / 3usize.pow(digit) % 3]).collect()
    });
    for results in sequences {
        for (down_after, up_after) in (1..=4).flat_map(|down| (1..=4).map(move |up| (down, up))) {
            let check = check(down_after, up_after);
            assert_eq!(run(&results, &check), model(&results, &check), "{results} {check:?}");
        }
    }
}

proptest! {
    #[test]
    fn long_sequences_agree_with_the_model(
        results in "[+?-]{0,200}", down_after in 1u8..=10, up_after in 1u8..=10
    ) {
        let check = check(down_after, up_after);
        prop_assert_eq!(run(&results, &check), model(&results, &check));
    }

    #[test]
    fn without_own_errors_the_same_is_decided(results in "[+?-]{0,60}", after in 1u8..=4) {
        let check = check(after, after);
        let clean: String = results.chars().filter(|&letter| letter != '?').collect();
        prop_assert_eq!(run(&results, &check).chars().last().filter(|_| !clean.is_empty()),
            run(&clean, &check).chars().last());
    }
}

/// A check of one-second probes, three failures and three successes.
fn quick(recovery: Recovery) -> CheckSpec {
    let second = Duration::from_secs(1);
    CheckSpec { every: second, retry: second, recovery, ..check(3, 3) }
}

/// One result per second, and the status after each.
fn play(results: impl IntoIterator<Item = bool>, check: &CheckSpec) -> Vec<(u64, Status)> {
    let mut machine = Machine::new(Moment(0));
    let mut changes = Vec::new();
    for (second, is_good) in (0u64..).zip(results) {
        let letter = if is_good { '+' } else { '-' };
        let now = Moment(second * 1000);
        let (next, decision) = machine.observe(&observation(letter), check, now);
        machine = next;
        changes.extend(decision.map(|decision| (second, decision.to)));
    }
    changes
}

#[test]
fn what_went_down_is_held_until_it_was_good_for_long_enough() {
    let check = quick(Recovery::Damped(Damping::DEFAULT));
    let changes = play((0..200).map(|second| !(10..20).contains(&second)), &check);
    assert_eq!(changes, [(0, Status::Up), (12, Status::Down), (49, Status::Up)]);
}

/// On a path that loses one packet in a hundred a hold of ten minutes never came to its end.
#[test]
fn one_failure_after_thirty_successes_does_not_begin_the_hold_anew() {
    let damping = Damping { hold: Duration::from_secs(60), longest: Duration::from_secs(600) };
    let check = quick(Recovery::Damped(damping));
    for (failures, up) in [
        (&[50][..], 79),
        // What was good must be so for as many probes as ever.
        (&[78], 81),
        (&[49], 109),
        (&[50, 70], 130),
        (&[55, 56], 116),
    ] {
        let results =
            (0..200).map(|second| !(10..20).contains(&second) && !failures.contains(&second));
        let changes = play(results, &check);
        assert_eq!(
            changes,
            [(0, Status::Up), (12, Status::Down), (up, Status::Up)],
            "{failures:?}"
        );
    }
}

#[test]
fn the_hold_doubles_up_to_the_longest_and_is_forgiven() {
    let damping = Damping { hold: Duration::from_secs(30), longest: Duration::from_secs(100) };
    let check = quick(Recovery::Damped(damping));
    let (mut machine, mut now) = (Machine::new(Moment(0)), 0);
    let mut step = |letter: char| {
        now += 1;
        let (next, decision) =
            machine.clone().observe(&observation(letter), &check, Moment(now * 1000));
        machine = next;
        decision.map(|decision| (now, decision.to))
    };
    let mut fall_and_rise = || {
        let fallen = (0..3).filter_map(|_| step('-')).last().unwrap().0;
        (0..).find_map(|_| step('+')).unwrap().0 - fallen
    };
    // The first time it was never up before: only the run counts.
    assert_eq!([(); 5].map(|()| fall_and_rise()), [5, 30, 60, 100, 100]);
    for _ in 0..100 {
        assert_eq!(step('+'), None);
    }
    let mut fall_and_rise = || {
        let fallen = (0..3).filter_map(|_| step('-')).last().unwrap().0;
        (0..).find_map(|_| step('+')).unwrap().0 - fallen
    };
    assert_eq!(fall_and_rise(), 30);
}

/// R16: a second of answers and a second of silence in turn, and three losses in ten.
#[test]
fn what_flaps_changes_at_most_twice_in_five_minutes() {
    let check = quick(Recovery::Damped(Damping::DEFAULT));
    for on in 1..=6 {
        for off in 1..=6 {
            let turns = (0..300).map(|second| second % (on + off) < on);
            assert!(play(turns, &check).len() <= 3, "{on} on, {off} off: the first, and two more");
        }
    }
    let mut random = 20_261_121u64;
    for _ in 0..200 {
        let losses = (0..300).map(|_| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (random >> 33) % 10 >= 3
        });
        assert!(play(losses.collect::<Vec<_>>(), &check).len() <= 3);
    }
}

#[test]
fn a_breaker_leaves_alone_tries_and_doubles() {
    let breaker = Breaker { reset: Duration::from_secs(30), longest: Duration::from_secs(300) };
    let check = CheckSpec { recovery: Recovery::Breaker(breaker), ..check(5, 2) };
    let mut machine = Machine::new(Moment(0));
    let mut now = 0;
    let step = |machine: &mut Machine, letter, now: u64| {
        let (next, decision) = machine.clone().observe(&observation(letter), &check, Moment(now));
        *machine = next;
        decision.map(|decision| decision.to)
    };
    assert_eq!(step(&mut machine, '+', now), Some(Status::Up));
    for _ in 0..4 {
        now += 1000;
        assert_eq!(step(&mut machine, '-', now), None);
        assert_eq!(machine.next_probe(&check, Moment(now), Moment(now)), check.retry);
    }
    assert_eq!(step(&mut machine, '-', now), Some(Status::Down));
    for reset in [30, 60, 120, 240, 300, 300] {
        assert_eq!(machine.state(), State::Open { until: Moment(now + reset * 1000) });
        let wait = machine.next_probe(&check, Moment(now), Moment(now));
        assert_eq!(wait, Duration::from_secs(reset));
        now += reset * 1000;
        assert_eq!(step(&mut machine, '-', now), None);
    }
    now += 300_000;
    assert_eq!(step(&mut machine, '+', now), None);
    assert_eq!(machine.state(), State::HalfOpen { successes: 1 });
    assert_eq!(step(&mut machine, '-', now), None);
    now += 300_000;
    assert_eq!(
        (step(&mut machine, '+', now), step(&mut machine, '+', now)),
        (None, Some(Status::Up))
    );
    // It was up for a minute only: its record stands, and the next opening is the longest.
    now += 60_000;
    for _ in 0..5 {
        step(&mut machine, '-', now);
    }
    assert_eq!(machine.state(), State::Open { until: Moment(now + 300_000) });
}

#[test]
fn what_needs_an_operator_waits_for_one() {
    let check = CheckSpec { recovery: Recovery::Manual, ..check(1, 2) };
    let mut machine = Machine::new(Moment(0));
    for letter in "+-+".chars() {
        machine = machine.observe(&observation(letter), &check, Moment(1)).0;
    }
    assert_eq!(machine.clone().confirm(Moment(2)).1, None, "it is not ready yet");
    machine = machine.observe(&observation('+'), &check, Moment(3)).0;
    assert_eq!((machine.state(), machine.status()), (State::Ready, Status::Down));
    let relapsed = machine.clone().observe(&observation('-'), &check, Moment(4)).0;
    assert_eq!(relapsed.state(), State::Down { successes: 0 });
    let (_, decision) = machine.confirm(Moment(5));
    assert_eq!(decision.map(|decision| decision.to), Some(Status::Up));
}

/// R14: three failures of one-second probes are found within a little more than three seconds; a slow check looks closer at once.
#[test]
fn a_first_failure_is_looked_at_closer() {
    let (every, retry) = (Duration::from_secs(10), Duration::from_secs(2));
    let check = CheckSpec { every, retry, ..check(3, 2) };
    let machine = Machine::new(Moment(0)).observe(&observation('+'), &check, Moment(0)).0;
    assert_eq!(machine.next_probe(&check, Moment(0), Moment(0)), every);
    assert_eq!(machine.horizon(&check, Moment(0)).as_seconds(), Some(14));
    let machine = machine.observe(&observation('-'), &check, Moment(11_500)).0;
    // A second and a half went by while it was silent.
    let wait = machine.next_probe(&check, Moment(10_000), Moment(11_500));
    assert_eq!(wait, Duration::from_millis(500));
    assert_eq!(machine.horizon(&check, Moment(11_500)).as_seconds(), Some(4));
}

proptest! {
    /// No status changes before the horizon that was told, whatever the results are, as long as probes keep their pace.
    #[test]
    fn nothing_changes_before_its_horizon(
        results in "[+?-]{1,80}", down_after in 1u8..=5, up_after in 1u8..=5,
        every in 1u64..=20, retry in 1u64..=20, kind in 0u8..3
    ) {
        let (every, retry) = (Duration::from_secs(every), Duration::from_secs(retry.min(every)));
        let recovery = match kind {
            0 => Recovery::Damped(Damping { hold: Duration::from_secs(7), longest: Duration::from_secs(60) }),
            1 => Recovery::Breaker(Breaker { reset: Duration::from_secs(5), longest: Duration::from_secs(40) }),
            _ => Recovery::Manual,
        };
        let check = CheckSpec { every, retry, recovery, ..check(down_after, up_after) };
        let (mut machine, mut now) = (Machine::new(Moment(0)), Moment(0));
        let mut soonest: Option<Moment> = None;
        for letter in results.chars() {
            let (next, decision) = machine.observe(&observation(letter), &check, now);
            machine = next;
            if decision.is_some() {
                prop_assert!(soonest.is_none_or(|soonest| now >= soonest), "{now:?} {soonest:?}");
                soonest = None;
            }
            let told = machine.horizon(&check, now).as_seconds();
            let told = told.map_or(Moment(u64::MAX), |told| now.after(Duration::from_secs(told.into())));
            // Every horizon that was told since the last change holds.
            soonest = Some(soonest.map_or(told, |before| before.max(told)).min(Moment(u64::MAX)));
            now = now.after(machine.next_probe(&check, now, now));
        }
    }
}
