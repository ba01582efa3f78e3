//! The document as a whole: well-formed, complete, harmless, the same every time.

use std::collections::BTreeSet;

use super::*;
use crate::geo::{Coordinates, CountryCode};

type Colours = Vec<(CountryCode, Vec<(usize, f64)>)>;

fn country(code: &str) -> CountryCode {
    CountryCode::parse(code).unwrap()
}

fn pool(name: &str, place: Option<(f64, f64)>, share: f64, is_down: bool) -> PoolLegend {
    let coordinates = place.and_then(|(latitude, longitude)| Coordinates::new(latitude, longitude));
    PoolLegend { name: name.into(), coordinates, share, is_down }
}

fn pools() -> Vec<PoolLegend> {
    vec![
        pool("us", Some((38.9, -77.4)), 0.5, false),
        pool("eu", Some((53.3, -6.3)), 0.375, true),
        pool("asia", None, 0.125, false),
    ]
}

fn colours() -> Colours {
    vec![
        (country("US"), vec![(0, 1.0)]),
        (country("DE"), vec![(0, 0.2), (1, 0.8)]),
        (country("SG"), vec![(2, 1.0)]),
    ]
}

/// Checks that elements are closed in order, that attributes are quoted once each, and that text and values hold no bare
/// markup; gives every element's name and attributes.
fn elements(document: &str) -> Vec<(String, Vec<(String, String)>)> {
    let (mut found, mut open, mut rest) = (Vec::new(), Vec::new(), document);
    while let Some(start) = rest.find('<') {
        check_text(&rest[..start]);
        assert!(!open.is_empty() || rest[..start].trim().is_empty(), "text outside of the root");
        let end = start + rest[start..].find('>').expect("a tag ends");
        let tag = &rest[start + 1..end];
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(name), "closed in order");
        } else {
            let (tag, is_empty) = tag.strip_suffix('/').map_or((tag, false), |tag| (tag, true));
            let (name, attributes) = tag.split_once(' ').unwrap_or((tag, ""));
            assert!(name.chars().all(|c| c.is_ascii_lowercase()), "{name:?}");
            found.push((name.to_owned(), read_attributes(attributes)));
            if !is_empty {
                open.push(name.to_owned());
            }
        }
        rest = &rest[end + 1..];
    }
    assert!(open.is_empty() && rest.trim().is_empty(), "the root is closed");
    found
}

fn check_text(text: &str) {
    for (at, _) in text.match_indices('&') {
        let entities = ["&lt;", "&gt;", "&amp;", "&quot;", "&#39;"];
        assert!(entities.iter().any(|entity| text[at..].starts_with(entity)), "{text:?}");
    }
    assert!(text.chars().all(|c| c == '\n' || c >= ' '), "a control character: {text:?}");
}

fn read_attributes(mut text: &str) -> Vec<(String, String)> {
    let mut attributes = Vec::<(String, String)>::new();
    while !text.trim().is_empty() {
        let (name, rest) = text.trim_start().split_once("=\"").expect("an attribute has a value");
        let (value, rest) = rest.split_once('"').expect("a value is closed");
        assert!(name.chars().all(|c| c.is_ascii_alphabetic() || c == '-'), "{name:?}");
        assert!(attributes.iter().all(|(other, _)| other != name), "{name} twice");
        check_text(value);
        attributes.push((name.to_owned(), value.to_owned()));
        text = rest;
    }
    attributes
}

#[test]
fn the_checker_notices_what_is_not_well_formed() {
    for wrong in
        ["<a>", "<a></b>", "<a b=c/>", "<a b=\"1\" b=\"2\"/>", "<a>&</a>", "<a/>x", "<a>\u{1}</a>"]
    {
        assert!(std::panic::catch_unwind(|| elements(wrong)).is_err(), "{wrong:?}");
    }
    assert_eq!(elements("<a b=\"c\"><d/>&lt;</a>\n").len(), 2);
}

#[test]
fn every_country_is_drawn_once_with_its_name_and_shares() {
    let document = world_map("example.com.", &colours(), &pools());
    let found = elements(&document);
    let shapes = found.iter().filter(|(name, attributes)| {
        let has = |wanted: &str| attributes.iter().any(|(name, _)| name == wanted);
        name == "path"
            && !attributes
                .iter()
                .any(|(_, value)| ["halo", "cross", "leader"].contains(&value.as_str()))
            || name == "circle" && !has("class")
            || attributes.iter().any(|(_, value)| value == "land")
    });
    assert_eq!(shapes.count(), 250);
    assert!(
        document.contains("<title>Germany: eu 80.0 %, us 20.0 %</title>"),
        "largest share first"
    );
    assert!(document.contains("<title>Chad: no data</title>"));
    assert!(
        document.contains("<title>Singapore: asia 100.0 %</title></circle>"),
        "too small for an outline"
    );
    assert!(document.contains("<title>Côte d&#39;Ivoire: no data</title>"));
}

#[test]
fn every_pool_has_its_colour_its_bar_and_its_dot() {
    let document = world_map("example.com.", &colours(), &pools());
    for (index, share) in ["50.0 %", "37.5 %", "12.5 %"].iter().enumerate() {
        assert!(document.contains(&format!("fill=\"{}\"", pool_colour(index))), "{index}");
        assert!(document.contains(&format!(">{share}</text>")), "{share}");
    }
    assert_eq!(document.matches("class=\"dot\"").count(), 2, "one has no coordinates");
    assert_eq!(document.matches("class=\"cross\"").count(), 1);
    assert_eq!(document.matches(">down</text>").count(), 1);
    let german = "fill=\"#E69F00\" fill-opacity=\"0.86\"";
    assert!(document.contains(german), "paler for 80 %");
}

#[test]
fn hostile_names_stay_text() {
    let evil = "</title><script>alert('\"&\u{0}')</script>]]>";
    let pools = [pool(evil, Some((0.0, 0.0)), f64::NAN, true)];
    let document = world_map(evil, &[(country("FR"), vec![(0, 1.0)])], &pools);
    let names: BTreeSet<_> = elements(&document).into_iter().map(|(name, _)| name).collect();
    let expected = ["circle", "g", "path", "rect", "style", "svg", "text", "title"];
    assert_eq!(names, expected.map(String::from).into());
}

#[test]
fn nothing_is_fetched_and_nothing_runs() {
    let document = world_map("example.com.", &colours(), &pools());
    for (_, attributes) in elements(&document) {
        for (name, value) in attributes {
            assert!(!name.starts_with("on") && !name.contains("href"), "{name}");
            assert!(
                !value.contains("url(") && (name == "xmlns" || !value.contains("://")),
                "{value}"
            );
        }
    }
    assert!(!document.contains("@import") && !document.contains("url("));
}

#[test]
fn shares_that_mean_nothing_are_no_data() {
    let none = [(0, 0.0), (3, 1.0), (1, f64::NAN), (usize::MAX, 1.0), (2, -1.0)];
    let document = world_map("", &[(country("FR"), none.to_vec())], &pools());
    assert!(document.contains("<title>France: no data</title>"));
    let document = world_map("", &[], &[]);
    assert!(elements(&document).iter().any(|(name, _)| name == "svg"));
}

#[test]
fn the_same_input_gives_the_same_picture() {
    let mut backwards = colours();
    backwards.reverse();
    let picture = world_map("example.com.", &colours(), &pools());
    assert_eq!(picture, world_map("example.com.", &backwards, &pools()));
    assert!(picture.len() < 150_000, "{} octets", picture.len());
}

#[test]
fn outlines_are_path_data_on_the_canvas_for_known_countries() {
    let lines: Vec<_> = include_str!("../../geodb/world-outlines.txt").lines().collect();
    assert!(lines.len() > 160 && lines.is_sorted());
    for line in lines {
        let (code, data) = line.split_once(' ').unwrap();
        assert!(CountryCode::parse(code).is_some(), "{code}");
        assert!(data.starts_with('m') && data.ends_with('z'), "{code}");
        let (mut x, mut y) = (0i32, 0i32);
        for ring in data.split_terminator('z') {
            let numbers = read_numbers(ring.strip_prefix('m').unwrap());
            assert!(numbers.len() >= 6 && numbers.len().is_multiple_of(2), "{code}: {ring}");
            (x, y) = (x + numbers[0], y + numbers[1]);
            let (mut at, mut down) = (x, y);
            for step in numbers[2..].chunks(2) {
                (at, down) = (at + step[0], down + step[1]);
                assert!(
                    (0..=2000).contains(&at) && (0..=870).contains(&down),
                    "{code}: {at} {down}"
                );
            }
        }
    }
}

fn read_numbers(text: &str) -> Vec<i32> {
    let spaced = text.replace('l', " ").replace('-', " -");
    spaced.split_whitespace().map(|number| number.parse().unwrap()).collect()
}
