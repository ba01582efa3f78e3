//! Globs, the order of overrides, their ends, and the switches of a view.

use super::*;

fn one(id: u64, zone: &str, pattern: &str, action: Action) -> Override {
    Override {
        id,
        zone: zone.into(),
        pattern: pattern.into(),
        action,
        reason: "maintenance".into(),
        author: "me".into(),
        set_ms: 1_000_000,
        ends_ms: None,
    }
}

/// How the switch of a thing stands when these are set.
fn stand(set: &[Override], zone: &str, name: SwitchName<'_>, now: u64, steady: u64) -> Switch {
    let view = View::with_switches(0, 1);
    apply_overrides(set, [(SwitchId(0), zone, name)], &view, now, steady);
    view.switch(SwitchId(0))
}

const US: SwitchName<'_> = SwitchName::Pool("us");
const US_ONE: SwitchName<'_> = SwitchName::Endpoint { pool: "us", endpoint: "192.0.2.1" };
const REGION_US: SwitchName<'_> = SwitchName::Target { policy: "by-region", target: "us" };

#[test]
fn a_glob_stands_for_a_whole_text() {
    for (pattern, text, expected) in [
        ("*", "", true),
        ("*", "anything", true),
        ("?", "", false),
        ("us", "us", true),
        ("us", "US", false),
        ("us", "us-east", false),
        ("us*", "us-east", true),
        ("*east", "us-east", true),
        ("*a*b*c", "xaybzc", true),
        ("*a*b*c", "xaybz", false),
        ("u?-*-?", "us-east-1", true),
        ("u?-*-?", "us-east-10", false),
        ("**", "x", true),
        ("*ab", "aab", true),
        ("é?", "éü", true),
        ("", "", true),
        ("", "x", false),
    ] {
        assert_eq!(is_match(pattern, text, false), expected, "{pattern} and {text}");
    }
    assert!(is_match("*.Example.COM", "www.example.com", true));
}

/// What would take longer than the universe where each star is tried anew.
#[test]
fn many_stars_take_no_time() {
    let pattern = "*a".repeat(100);
    assert!(!is_match(&pattern, &"a".repeat(99), false));
    assert!(is_match(&pattern, &"a".repeat(5_000), false));
    assert!(!is_match(&format!("{pattern}b"), &"a".repeat(5_000), false));
}

#[test]
fn a_pattern_is_about_pools_or_about_what_has_a_slash() {
    let is_for = |pattern: &str| {
        let pattern = one(1, "*", pattern, Action::Down);
        [US, US_ONE, REGION_US].map(|name| pattern.is_for(&name))
    };
    assert_eq!(is_for("us"), [true, false, false]);
    assert_eq!(is_for("*"), [true, false, false]);
    assert_eq!(is_for("us/*"), [false, true, false]);
    assert_eq!(is_for("*/192.0.2.?"), [false, true, false]);
    assert_eq!(is_for("by-region/us"), [false, false, true]);
    assert_eq!(is_for("*/*"), [false, true, true]);
    let record = SwitchName::Endpoint { pool: "us", endpoint: "a/b" };
    assert!(one(1, "*", "us/a/*", Action::Down).is_for(&record));
    for (zone, apex, expected) in [
        ("*", "example.com", true),
        ("Example.Com", "example.com", true),
        ("example.com.", "example.com", true),
        ("*.com", "example.org", false),
        (".", ".", true),
    ] {
        assert_eq!(one(1, zone, "us", Action::Up).is_for_zone(apex), expected, "{zone} {apex}");
    }
}

#[test]
fn the_newest_that_matches_wins_however_wide_it_is() {
    let both =
        [one(1, "*", "us/192.0.2.1", Action::Up), one(2, "example.com", "us/*", Action::Down)];
    assert_eq!(stand(&both, "example.com", US_ONE, 0, 0), Switch::Down);
    assert_eq!(stand(&both, "example.org", US_ONE, 0, 0), Switch::Up);
    assert_eq!(stand(&both, "example.com", US, 0, 0), Switch::Free);
}

#[test]
fn an_override_ends_by_its_time_and_not_before() {
    let ending = Override { ends_ms: Some(1_000_500), ..one(1, "*", "us", Action::Down) };
    let list = [ending, one(2, "*", "eu", Action::Down)];
    assert_eq!(stand(&list, "a", US, 1_000_499, 0), Switch::Down);
    assert_eq!(stand(&list, "a", US, 1_000_500, 0), Switch::Free);
}

/// An answer is not to be cached for longer than what an operator said is to last.
#[test]
fn a_view_knows_when_the_next_switch_turns_by_itself() {
    let view = View::with_switches(0, 1);
    let turn = |list: &[Override]| {
        apply_overrides(list, [(SwitchId(0), "a", US)], &view, 1_000_000, 70_000);
        view.next_turn_ms()
    };
    let down = |ends_ms| Override { ends_ms, ..one(1, "*", "us", Action::Down) };
    assert_eq!(turn(&[down(None)]), None);
    assert_eq!(turn(&[down(Some(1_004_000)), down(Some(1_009_000))]), Some(74_000));
    // A drain of a tenth per minute is over after ten minutes.
    assert_eq!(turn(&[one(1, "*", "us", Action::Drain { per_minute: 100 })]), Some(670_000));
    // What is for nothing ends nothing, and what has drained is as if it were down.
    assert_eq!(turn(&[Override { zone: "b".into(), ..down(Some(1_004_000)) }, down(None)]), None);
    let drained = one(1, "*", "us", Action::Drain { per_minute: 10_000 });
    assert_eq!(turn(&[Override { set_ms: 900_000, ..drained }]), None);
    assert_eq!(turn(&[]), None);
}

/// Set a minute ago on the calendar, it began a minute ago on the other clock as well.
#[test]
fn a_drain_begins_where_it_was_set() {
    let drain = [one(1, "*", "us", Action::Drain { per_minute: 100 })];
    let turned = stand(&drain, "a", US, 1_060_000, 500_000);
    assert_eq!(turned, Switch::Drain { since_ms: 440_000, per_minute: 100 });
    assert_eq!(turned.wins(500_000), Some(900));
    // The machine was started after its end.
    assert_eq!(stand(&drain, "a", US, 1_600_000, 5_000), Switch::Down);
    // The calendar was set back.
    assert_eq!(stand(&drain, "a", US, 0, 500_000).wins(500_000), Some(1000));
}

#[test]
fn a_view_is_written_and_every_override_counted() {
    let view = View::with_switches(0, 4);
    let names = || {
        let zones = ["a.example", "a.example", "a.example", "b.example"];
        let names = [US, US_ONE, REGION_US, US];
        (0u32..).map(SwitchId).zip(zones).zip(names).map(|((id, zone), name)| (id, zone, name))
    };
    let list = [
        one(1, "*", "us", Action::Up),
        one(2, "b.*", "*", Action::Down),
        one(3, "*", "asia", Action::Down),
    ];
    assert_eq!(apply_overrides(&list, names(), &view, 0, 0), [2, 1, 0]);
    let stands = [0, 1, 2, 3].map(|id| view.switch(SwitchId(id)));
    assert_eq!(stands, [Switch::Up, Switch::Free, Switch::Free, Switch::Down]);
    assert!(apply_overrides(&[], names(), &view, 0, 0).is_empty());
    assert!(!view.has_overrides());
}

#[test]
fn an_override_is_kept_as_it_was() {
    for one in [
        Override { ends_ms: Some(2_000_000), ..one(1, "*", "us", Action::Up) },
        one(7, "*", "eu/*", Action::Drain { per_minute: 250 }),
    ] {
        let text = serde_json::to_string(&one).unwrap();
        assert_eq!(serde_json::from_str::<Override>(&text).unwrap(), one);
    }
    assert_eq!(Action::Drain { per_minute: 255 }.to_string(), "drain 25.5 % per minute");
    assert_eq!(REGION_US.to_string(), "by-region/us");
}
