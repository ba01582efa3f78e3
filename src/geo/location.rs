//! A place, and how the many kinds of databases write it.
//!
//! | who | country | subdivision | coordinates |
//! |---|---|---|---|
//! | GeoIP2, GeoLite2, Enterprise, DB-IP | `country.iso_code`, `registered_country.iso_code` | `subdivisions[…].iso_code` | `location.latitude`, `location.longitude` |
//! | ip-location-db | `country_code` | `state1`, `state2` | `latitude`, `longitude` |
//! | IPtoASN | `country_code` | | |
//! | IPinfo | `country_code`, `country` | `region_code`, `region` | `latitude`, `longitude`; `lat`, `lng`; `loc` |
//!
//! Names of subdivisions (DB-IP Lite and most flat files have nothing else) are no codes, and leave the subdivision unknown.
//! Flat numbers may be texts. Neighbour: `file.rs` decodes each record once by [`Location::read`].

use maxminddb::PathElement::{self, Index, Key};

use super::coordinates::Coordinates;
use super::country::CountryCode;
use super::error::DatabaseError;
use super::file::Record;
use super::subdivision::Subdivision;

type Path = &'static [PathElement<'static>];

/// Where databases write the country, best first. The first text that is there decides, even if it means nothing.
const COUNTRIES: [Path; 4] = [
    &[Key("country"), Key("iso_code")],
    &[Key("registered_country"), Key("iso_code")],
    &[Key("country_code")],
    &[Key("country")],
];

/// Subdivisions as MaxMind nests them, the largest first. No country has more than two levels of them in ISO 3166-2.
const NESTED_SUBDIVISIONS: [Path; 3] = [
    &[Key("subdivisions"), Index(0), Key("iso_code")],
    &[Key("subdivisions"), Index(1), Key("iso_code")],
    &[Key("subdivisions"), Index(2), Key("iso_code")],
];

/// Subdivisions of flat records, the largest first.
const FLAT_SUBDIVISIONS: [Path; 4] =
    [&[Key("state1")], &[Key("state2")], &[Key("region")], &[Key("region_code")]];

/// Where nested records have a latitude and a longitude.
const NESTED_POINT: [Path; 2] =
    [&[Key("location"), Key("latitude")], &[Key("location"), Key("longitude")]];

/// Where flat records have a latitude and a longitude.
const FLAT_POINTS: [[Path; 2]; 2] =
    [[&[Key("latitude")], &[Key("longitude")]], [&[Key("lat")], &[Key("lng")]]];

/// What a database, or an override, knows of a client's place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Location {
    /// The country, if the record named one that exists.
    pub country: Option<CountryCode>,
    /// The largest part of that country that the record names by a code: England.
    pub subdivision: Option<Subdivision>,
    /// The smallest, if it is another: Westminster.
    pub district: Option<Subdivision>,
    pub coordinates: Option<Coordinates>,
}

impl Location {
    /// Does anybody know anything of it?
    pub fn is_known(&self) -> bool {
        *self != Self::default()
    }

    /// What a record says. One without a country may still have coordinates.
    pub(super) fn read(record: &Record<'_>) -> Result<Self, DatabaseError> {
        // What is nested is MaxMind's shape or made like it: then nobody looks for flat keys, which takes longest.
        let is_nested =
            record.has(&[Key("country"), Key("iso_code")])? || record.has(&[Key("location")])?;
        let country = read_country(record)?;
        let (paths, points) = match is_nested {
            true => (&NESTED_SUBDIVISIONS[..], &[NESTED_POINT][..]),
            false => (&FLAT_SUBDIVISIONS[..], &FLAT_POINTS[..]),
        };
        let [subdivision, district] = match country {
            Some(country) => read_subdivisions(record, country, paths)?,
            None => [None, None],
        };
        let mut coordinates = read_coordinates(record, points)?;
        if coordinates.is_none() && !is_nested {
            coordinates = record.text(&[Key("loc")])?.and_then(parse_point);
        }
        Ok(Self { country, subdivision, district, coordinates })
    }
}

/// The country by the first shape that is there. A value of another type under one of the names (IPinfo writes
/// `country = "Germany"` beside `country_code`) is another shape, not damage.
fn read_country(record: &Record<'_>) -> Result<Option<CountryCode>, DatabaseError> {
    for path in COUNTRIES {
        if let Some(code) = record.text(path)? {
            return Ok(CountryCode::parse_lenient(code));
        }
    }
    Ok(None)
}

/// The largest subdivision whose code is known, and the smallest if it is another.
fn read_subdivisions(
    record: &Record<'_>,
    country: CountryCode,
    paths: &[Path],
) -> Result<[Option<Subdivision>; 2], DatabaseError> {
    let mut known = Vec::new();
    for path in paths {
        let code = record.text(path)?;
        known.extend(code.and_then(|code| {
            let part = code.strip_prefix(country.as_str()).and_then(|rest| rest.strip_prefix('-'));
            Subdivision::parse_parts(country, part.unwrap_or(code))
        }));
    }
    let (first, last) = (known.first().copied(), known.last().copied());
    Ok([first, last.filter(|last| Some(*last) != first)])
}

/// The first pair of degrees that is a point on the earth.
fn read_coordinates(
    record: &Record<'_>,
    points: &[[Path; 2]],
) -> Result<Option<Coordinates>, DatabaseError> {
    for [latitude, longitude] in points {
        if let Some(latitude) = record.number(latitude)?
            && let Some(longitude) = record.number(longitude)?
        {
            return Ok(point(latitude, longitude));
        }
    }
    Ok(None)
}

/// `37.38,-122.08`, as IPinfo has it.
fn parse_point(text: &str) -> Option<Coordinates> {
    let (latitude, longitude) = text.split_once(',')?;
    point(latitude.trim().parse().ok()?, longitude.trim().parse().ok()?)
}

/// A point on the earth. Files write 0, 0 for "unknown"; it is open sea.
fn point(latitude: f64, longitude: f64) -> Option<Coordinates> {
    let is_nowhere = latitude == 0.0 && longitude == 0.0;
    Coordinates::new(latitude, longitude).filter(|_| !is_nowhere)
}
