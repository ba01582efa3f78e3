//! Country codes: two letters that are known to mean a country.
//!
//! A [`CountryCode`] can only be made from a code in the table, so that whoever holds one can ask for its name and its
//! continent without a second check. Neighbours: `country_table.rs` has the rows, [`Continent`] the continents,
//! `geodb/country-coordinates.txt` the points.

use std::fmt;

use super::continent::Continent;
use super::coordinates::Coordinates;
use super::country_table::{COUNTRIES, Row};
use super::lines::find;

/// One line a code, sorted: `DE 5098 1036`, hundredths of degrees of latitude and longitude.
const POINTS: &str = include_str!("../../geodb/country-coordinates.txt");

/// An assigned ISO 3166-1 alpha-2 code, or `XK`, in upper case.
///
/// Invariant: the code has a row in the table; there is no way to make another.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CountryCode([u8; 2]);

impl CountryCode {
    /// Reads a code as zone files write it: two upper-case letters, assigned. Lower case is refused here so that the
    /// caller can say "did you mean DE?"; databases go through their own, lenient door.
    pub fn parse(text: &str) -> Option<Self> {
        let code: [u8; 2] = text.as_bytes().try_into().ok()?;
        row(code).map(|_| Self(code))
    }

    /// The two letters.
    pub fn as_str(&self) -> &str {
        // A code is two ASCII letters by the table, so this is never the empty string.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The English short name, for people.
    pub fn name(self) -> &'static str {
        row(self.0).map_or("", |(_, _, name)| name)
    }

    /// The continent that Route 53 counts the country to (rule 31); `None` for BV, CX, EH and HM, which it refuses:
    /// a client located there is matched by its country or by the default only.
    pub fn continent(self) -> Option<Continent> {
        row(self.0).and_then(|(_, continent, _)| *continent)
    }

    /// A point inside of it, in the middle of its largest part (of the contiguous states for US). Every code has one.
    pub fn coordinates(self) -> Option<Coordinates> {
        let (latitude, longitude) = find(POINTS, self.as_str())?.split_once(' ')?;
        Coordinates::read(latitude, longitude)
    }

    /// Whether it is mainland China, whose clients Route 53 sends to its regions there (rule 39).
    pub fn is_china(self) -> bool {
        self.0 == *b"CN"
    }

    /// Every known code, in alphabetical order.
    pub fn all() -> impl Iterator<Item = Self> {
        COUNTRIES.iter().map(|(code, _, _)| Self(*code))
    }

    /// A code of another table of this module, whose tests see to it that the code is assigned.
    pub(super) const fn of_table(code: [u8; 2]) -> Self {
        Self(code)
    }

    /// The two letters as octets.
    pub(super) fn octets(self) -> [u8; 2] {
        self.0
    }

    /// Reads a code as databases write it: any case, nothing else forgiven. `ZZ`, `EU`, `A1` and the like are no
    /// countries.
    pub(super) fn parse_lenient(text: &str) -> Option<Self> {
        Self::parse(&text.to_ascii_uppercase())
    }
}

/// The row of a code, found by halving.
fn row(code: [u8; 2]) -> Option<&'static Row> {
    let at = COUNTRIES.binary_search_by_key(&code, |(code, _, _)| *code).ok()?;
    COUNTRIES.get(at)
}

impl fmt::Display for CountryCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

impl fmt::Debug for CountryCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "CountryCode({self})")
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    /// The codes of one continent, as Route 53's guide prints them.
    fn members(continent: Continent) -> String {
        let codes = CountryCode::all().filter(|code| code.continent() == Some(continent));
        codes.map(|code| code.to_string()).collect::<Vec<_>>().join(" ")
    }

    fn continent(code: &str) -> Option<Continent> {
        CountryCode::parse(code).unwrap().continent()
    }

    #[test]
    fn table_is_sorted_and_holds_each_code_once() {
        assert!(COUNTRIES.is_sorted_by(|left, right| left.0 < right.0));
        assert_eq!(COUNTRIES.len(), 250, "249 of ISO 3166-1 and XK");
        assert!(CountryCode::all().all(|code| !code.name().is_empty()));
    }

    #[test]
    fn every_country_has_a_point_in_it() {
        assert!(POINTS.lines().is_sorted_by(|left, right| left.get(..2) < right.get(..2)));
        assert_eq!(POINTS.lines().count(), COUNTRIES.len());
        assert!(CountryCode::all().all(|code| code.coordinates().is_some()));
        for (code, latitude, longitude) in [
            ("DE", 51.2, 10.4),
            ("US", 39.8, -98.6),
            ("FR", 46.6, 2.4),
            ("GF", 3.9, -53.2),
            ("NZ", -43.5, 171.0),
            ("RU", 61.0, 97.0),
            ("FJ", -17.8, 178.0),
            ("XK", 42.6, 20.9),
            ("SG", 1.35, 103.8),
            ("VA", 41.9, 12.45),
            ("NO", 61.0, 9.5),
            ("SJ", 78.7, 16.0),
            ("CX", -10.5, 105.7),
        ] {
            let found = CountryCode::parse(code).unwrap().coordinates().unwrap();
            let off = found.distance_km(Coordinates::new(latitude, longitude).unwrap());
            assert!(off < 200.0, "{code} is at {found}, {off} km off");
        }
    }

    #[test]
    fn only_assigned_upper_case_codes_are_read() {
        assert_eq!(CountryCode::parse("DE").unwrap().as_str(), "DE");
        for text in ["", "D", "DEU", "de", "De", "ZZ", "EU", "UK", "AN", "A1", "É"] {
            assert_eq!(CountryCode::parse(text), None, "{text:?}");
        }
        assert_eq!(CountryCode::parse_lenient("de"), CountryCode::parse("DE"));
        assert_eq!(CountryCode::parse_lenient("zz"), None);
    }

    #[test]
    fn rule_31_continents_are_amazons() {
        for code in ["TR", "CY", "RU", "XK"] {
            assert_eq!(continent(code), Some(Continent::Europe), "{code}");
        }
        for code in ["GE", "AM", "AZ", "KZ", "CC", "IO"] {
            assert_eq!(continent(code), Some(Continent::Asia), "{code}");
        }
        assert_eq!(continent("TL"), Some(Continent::Oceania));
        assert_eq!(continent("UM"), Some(Continent::Oceania));
        assert_eq!(continent("NA"), Some(Continent::Africa));
        assert_eq!(continent("AF"), Some(Continent::Asia));
    }

    #[test]
    fn rule_31_small_continents_are_whole() {
        assert_eq!(members(Continent::Antarctica), "AQ GS TF");
        assert_eq!(members(Continent::SouthAmerica), "AR BO BR CL CO EC FK GF GY PE PY SR UY VE");
        assert_eq!(
            members(Continent::Oceania),
            "AS AU CK FJ FM GU KI MH MP NC NF NR NU NZ PF PG PN PW SB TK TL TO TV UM VU WF WS"
        );
    }

    #[test]
    fn rule_31_refused_countries_have_no_continent() {
        let without: Vec<_> = CountryCode::all()
            .filter(|code| code.continent().is_none())
            .map(|code| code.to_string())
            .collect();
        assert_eq!(without, ["BV", "CX", "EH", "HM"]);
    }
}
