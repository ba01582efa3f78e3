//! The state machine against the rules it implements, and against a model that remembers everything.

#![allow(clippy::unwrap_used, clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::time::{Duration, Instant};

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
    let now = Instant::now();
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
    let machine = Machine::new(Instant::now());
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
    let start = Instant::now();
    let mut machine = Machine::new(start);
    let mut decisions = Vec::new();
    for (seconds, letter) in (1..).zip("++---?-+?+".chars()) {
        let now = start + Duration::from_secs(seconds);
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
    assert_eq!((machine.streak(), machine.since()), (2, start + Duration::from_secs(10)));
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
