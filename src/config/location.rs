//! Where a pool, or a target of a policy, is: `location = "US-VA"`, a region of Amazon's, or a point.

use super::diagnostic::Findings;
use super::place;
use super::reader::{Item, Spanned, Table, Value};
use super::value::closest;
use crate::geo::{AwsRegion, Coordinates, CountryCode, Subdivision};

const EXPECTED: &str =
    "a place such as \"IE\", \"US-VA\", \"us-east-1\" or { lat = 38.9, lon = -77.4 }";

const NOTES: &[(&str, &str)] = &[
    ("latitude", "write lat = 38.9"),
    ("longitude", "write lon = -77.4"),
    ("lng", "write lon = -77.4"),
    ("long", "write lon = -77.4"),
];

/// A place on the earth, as it was typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Whereabouts {
    pub(super) coordinates: Coordinates,
    /// It was given by the name of a region in China (rule 39).
    pub(super) is_in_china: bool,
}

impl Whereabouts {
    /// The place of a region that Amazon has.
    pub(super) fn of_region(region: AwsRegion) -> Option<Self> {
        let coordinates = region.coordinates()?;
        Some(Self { coordinates, is_in_china: region.is_in_china() })
    }
}

/// Reads a place: exactly one way to say it (rule 32).
pub(super) fn read(value: &Value<'_>, findings: &mut Findings<'_>) -> Option<Whereabouts> {
    if let Some(table) = value.as_table("the location") {
        let coordinates = read_point(value, table, findings)?;
        return Some(Whereabouts { coordinates, is_in_china: false });
    }
    let text = value.string(EXPECTED, findings)?;
    if let Some(region) = AwsRegion::parse(text.value) {
        return Whereabouts::of_region(region);
    }
    let known = match (CountryCode::parse(text.value), Subdivision::parse(text.value)) {
        (Some(country), _) => Some(country.coordinates()),
        (None, Some(subdivision)) => Some(subdivision.coordinates()),
        (None, None) => None,
    };
    match known {
        Some(Some(coordinates)) => Some(Whereabouts { coordinates, is_in_china: false }),
        Some(None) => {
            findings
                .error(text.span, format!("it is not known where `{}` is", text.value))
                .help("write a point: location = { lat = 38.9, lon = -77.4 }");
            None
        }
        None => {
            unknown(&text, findings);
            None
        }
    }
}

fn unknown(text: &Spanned<&str>, findings: &mut Findings<'_>) {
    let typed = text.value;
    let region = closest(typed, AwsRegion::all().map(AwsRegion::name)).map(str::to_owned);
    let guess = if findings.is_full() {
        None
    } else if typed.bytes().any(|octet| octet.is_ascii_digit()) {
        region.or_else(|| place::guess_place(typed))
    } else {
        place::guess_place(typed).or(region)
    };
    findings
        .error(text.span.clone(), format!("`{typed}` is no place"))
        .label(guess.map_or(String::new(), |guess| format!("did you mean `{guess}`?")))
        .help(format!("a location is {EXPECTED}"));
}

/// `lat` and `lon`, in degrees with at most two decimals (rule 32).
fn read_point(
    value: &Value<'_>,
    mut table: Table<'_>,
    findings: &mut Findings<'_>,
) -> Option<Coordinates> {
    let point = take_point(value, &mut table, findings);
    table.finish(NOTES, findings);
    point
}

/// The point of a table that may have other keys as well.
pub(super) fn take_point(
    value: &Value<'_>,
    table: &mut Table<'_>,
    findings: &mut Findings<'_>,
) -> Option<Coordinates> {
    let (latitude, longitude) = (table.take("lat"), table.take("lon"));
    let (Some(north), Some(east)) = (&latitude, &longitude) else {
        let missing = if latitude.is_some() { "lon" } else { "lat" };
        findings
            .error(value.span(), format!("the location has no `{missing}`"))
            .help("write { lat = 38.9, lon = -77.4 }: degrees, north and east positive");
        return None;
    };
    let (north, east) = (read_degrees(north, 90, findings), read_degrees(east, 180, findings));
    let (north, east) = north.zip(east)?;
    Coordinates::new(north, east)
}

fn read_degrees(item: &Item<'_>, most: u8, findings: &mut Findings<'_>) -> Option<f64> {
    let number = item.value.as_number().and_then(|text| text.parse::<f64>().ok());
    let Some(degrees) = number.filter(|degrees| degrees.abs() <= f64::from(most)) else {
        item.value.expected(&format!("a number of degrees from -{most} to {most}"), findings);
        return None;
    };
    let text = item.value.as_number().unwrap_or_default();
    let is_plain = text.bytes().all(|octet| octet.is_ascii_digit() || b"+-.".contains(&octet));
    let decimals = text.split_once('.').map_or(0, |(_, decimals)| decimals.len());
    if decimals > 2 || !is_plain {
        findings
            .error(item.value.span(), format!("`{}` has at most two decimals", item.key.value))
            .label(format!("write {degrees:.2}"))
            .help("a hundredth of a degree is about a kilometre");
        return None;
    }
    Some(degrees)
}
