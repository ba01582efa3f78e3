//! Places as Route 53 writes them, as keys and locations of zone files (rules 24, 32 and 43).

use std::collections::BTreeMap;

use super::listing::{CidrDocument, GeoLocation, GeoProximity};
use crate::geo::{Continent, CountryCode};
use crate::import::draft::Collection;
use crate::import::text::{quote, slug};

/// Where local zones are: the third part of their group's name is the airport of their city, as in `us-west-2-lax-1`.
#[rustfmt::skip]
const LOCAL_ZONES: &[(&str, f64, f64)] = &[
    ("akl", -36.85, 174.76), ("atl", 33.75, -84.39), ("bkk", 13.76, 100.50), ("bos", 42.36, -71.06),
    ("bue", -34.60, -58.38), ("ccu", 22.57, 88.36), ("chi", 41.88, -87.63), ("cph", 55.68, 12.57),
    ("del", 28.61, 77.21), ("den", 39.74, -104.99), ("dfw", 32.78, -96.80), ("ham", 53.55, 9.99),
    ("han", 21.03, 105.85), ("hel", 60.17, 24.94), ("hnl", 21.31, -157.86), ("iah", 29.76, -95.37),
    ("las", 36.17, -115.14), ("lax", 34.05, -118.24), ("lim", -12.05, -77.04), ("los", 6.52, 3.38),
    ("mci", 39.10, -94.58), ("mct", 23.59, 58.41), ("mia", 25.76, -80.19), ("mnl", 14.60, 120.98),
    ("msp", 44.98, -93.27), ("nyc", 40.71, -74.01), ("per", -31.95, 115.86), ("phl", 39.95, -75.17),
    ("phx", 33.45, -112.07), ("pdx", 45.52, -122.68), ("qro", 20.59, -100.39), ("scl", -33.45, -70.67),
    ("sea", 47.61, -122.33), ("tpe", 25.03, 121.57), ("waw", 52.23, 21.01),
];

/// The key of a geolocation policy, or why there is none.
pub(super) fn place_of(location: &GeoLocation) -> Result<String, String> {
    let filled = |code: &Option<String>| code.clone().filter(|code| !code.is_empty());
    let (continent, country) = (filled(&location.continent_code), filled(&location.country_code));
    match (continent, country, filled(&location.subdivision_code)) {
        (Some(code), None, None) => Continent::parse(&code)
            .map(|continent| format!("continent.{continent}"))
            .ok_or_else(|| format!("`{code}` is no continent")),
        (None, Some(code), None) if code == "*" => Ok("default".to_owned()),
        (None, Some(code), None) => match CountryCode::parse(&code) {
            Some(country) if country.continent().is_some() => Ok(format!("country.{country}")),
            _ => Err(format!("clients are not located in `{code}`")),
        },
        (None, Some(country), Some(part)) => Ok(format!("subdivision.{country}-{part}")),
        _ => Err("a place has a continent, or a country with or without a subdivision".to_owned()),
    }
}

/// A location of a geoproximity policy as TOML, or why there is none.
pub(super) fn location_of(location: &GeoProximity) -> Result<String, String> {
    if let Some(region) = &location.aws_region {
        return Ok(quote(region));
    }
    if let Some(coordinates) = &location.coordinates {
        let (latitude, longitude) = (coordinates.latitude.trim(), coordinates.longitude.trim());
        let numbers = (latitude.parse::<f64>(), longitude.parse::<f64>());
        let (Ok(latitude), Ok(longitude)) = numbers else {
            return Err(format!("`{latitude}, {longitude}` are no coordinates"));
        };
        return Ok(coordinates_of(latitude, longitude));
    }
    let group = location.local_zone_group.as_deref().unwrap_or_default();
    let known = LOCAL_ZONES.iter().find(|(city, ..)| group.split('-').nth(3) == Some(*city));
    known
        .map(|(_, latitude, longitude)| coordinates_of(*latitude, *longitude))
        .ok_or_else(|| format!("nobody knows here where the local zone group `{group}` is"))
}

/// Coordinates as a zone file has them, to two decimals.
pub(in crate::import) fn coordinates_of(latitude: f64, longitude: f64) -> String {
    format!("{{ lat = {latitude:.2}, lon = {longitude:.2} }}")
}

/// CIDR collections by identifier: a name, and locations with their prefixes.
pub(super) type Collections = BTreeMap<String, (String, Collection)>;

/// Puts the documents of a file together: the blocks of each listing of blocks belong to the collections in their order,
/// since a listing of blocks does not say whose they are.
pub(super) fn read_collections(text: &str) -> Result<Collections, String> {
    let documents = serde_json::Deserializer::from_str(text).into_iter::<CidrDocument>();
    let (mut collections, mut listings) = (Vec::new(), Vec::new());
    for document in documents {
        match document.map_err(|error| error.to_string())? {
            CidrDocument::Collections { cidr_collections } => collections.extend(cidr_collections),
            CidrDocument::Blocks { cidr_blocks } => listings.push(cidr_blocks),
        }
    }
    let mut listings = listings.into_iter();
    let mut found = Collections::new();
    for collection in collections {
        let mut blocks = collection.cidr_blocks;
        if blocks.is_empty() {
            blocks = listings.next().unwrap_or_default();
        }
        let mut locations = Collection::new();
        for block in blocks {
            locations.entry(block.location_name).or_default().push(block.cidr_block);
        }
        found.insert(collection.id, (slug(&collection.name), locations));
    }
    if listings.next().is_some() {
        return Err("there are more listings of CIDR blocks than collections: print `list-cidr-collections` first, then `list-cidr-blocks` of each in the same order".to_owned());
    }
    Ok(found)
}
