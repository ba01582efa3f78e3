//! Subdivisions of countries: ISO 3166-2 codes that are known to mean one.
//!
//! A [`Subdivision`] can only be made from a code of the table, like [`CountryCode`], so that a zone file with `US-CL`
//! is refused and a database cannot invent a place. Neighbours: `geodb/subdivisions.txt` has the rows (code, hundredths
//! of degrees of a point inside of it, name), `geodb/README.md` where they are from, `lines.rs` finds them.

use std::fmt;

use super::coordinates::Coordinates;
use super::country::CountryCode;
use super::lines::find;

/// One line a code, sorted: `US-CA 3712 -11954 California`, with `- -` where no point is known.
const TABLE: &str = include_str!("../../geodb/subdivisions.txt");

/// The most letters and digits that follow the hyphen of a code.
const PART_OCTETS: usize = 3;

/// An ISO 3166-2 code such as `US-CA`, of the country's code and one to three upper-case letters or digits.
///
/// Invariant: the code has a line in the table; there is no way to make another. The order is that of the codes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subdivision {
    country: CountryCode,
    /// What follows the hyphen, filled up with zeros.
    part: [u8; PART_OCTETS],
}

impl Subdivision {
    /// Reads a code as zone files write it, `US-CA`. Lower case is refused, as in [`CountryCode::parse`], so that the
    /// caller can suggest the right spelling.
    pub fn parse(text: &str) -> Option<Self> {
        let (country, part) = text.split_once('-')?;
        let subdivision = Self { country: CountryCode::parse(country)?, part: padded(part)? };
        subdivision.row().map(|_| subdivision)
    }

    /// Reads a code as databases have it: the country elsewhere, and here `CA` alone, in any case.
    pub fn parse_parts(country: CountryCode, part: &str) -> Option<Self> {
        let mut part = padded(part)?;
        part.make_ascii_uppercase();
        let subdivision = Self { country, part };
        subdivision.row().map(|_| subdivision)
    }

    /// The country that this is a part of.
    pub fn country(self) -> CountryCode {
        self.country
    }

    /// What it is called, in English where there is an English name, for people.
    pub fn name(self) -> &'static str {
        self.row().and_then(|row| row.splitn(3, ' ').nth(2)).unwrap_or_default()
    }

    /// A point inside of it, in the middle of its largest part. `None` for about one in seven, mostly districts inside
    /// of regions: the country's point has to do.
    pub fn coordinates(self) -> Option<Coordinates> {
        let mut words = self.row()?.split(' ');
        Coordinates::read(words.next()?, words.next()?)
    }

    /// Every known code, in alphabetical order.
    pub fn all() -> impl Iterator<Item = Self> + Clone {
        TABLE.lines().filter_map(|line| Self::parse(line.split(' ').next()?))
    }

    /// The line of the table without the code.
    fn row(self) -> Option<&'static str> {
        find(TABLE, Code::of(self).as_str())
    }
}

/// One to three octets and zeros; nothing for other lengths. Octets that no code has make a code that no line has.
fn padded(part: &str) -> Option<[u8; PART_OCTETS]> {
    let octets = part.as_bytes();
    let fits = (1..=PART_OCTETS).contains(&octets.len()) && !octets.contains(&0);
    let at = |index| octets.get(index).copied().unwrap_or(0);
    fits.then(|| [at(0), at(1), at(2)])
}

/// A code as text, without an allocation.
struct Code {
    octets: [u8; 6],
    length: usize,
}

impl Code {
    fn of(subdivision: Subdivision) -> Self {
        let [c, d] = subdivision.country.octets();
        let [p, q, r] = subdivision.part;
        let octets = [c, d, b'-', p, q, r];
        let length = octets.iter().position(|octet| *octet == 0).unwrap_or(octets.len());
        Self { octets, length }
    }

    fn as_str(&self) -> &str {
        // Text that is not ASCII may be cut in three octets; then it is no code either.
        self.octets
            .get(..self.length)
            .and_then(|code| str::from_utf8(code).ok())
            .unwrap_or_default()
    }
}

impl fmt::Display for Subdivision {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(Code::of(*self).as_str())
    }
}

impl fmt::Debug for Subdivision {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Subdivision({self})")
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn subdivision(code: &str) -> Subdivision {
        Subdivision::parse(code).unwrap()
    }

    fn country(code: &str) -> CountryCode {
        CountryCode::parse(code).unwrap()
    }

    /// How many of a country's codes there are, and how many have a point.
    fn counts(code: &str) -> (usize, usize) {
        let codes = || Subdivision::all().filter(|one| one.country() == country(code));
        (codes().count(), codes().filter(|one| one.coordinates().is_some()).count())
    }

    #[test]
    fn table_is_sorted_and_every_line_is_a_subdivision_of_a_country() {
        let codes: Vec<_> = TABLE.lines().map(|line| line.split(' ').next().unwrap()).collect();
        assert_eq!(codes.len(), 5056);
        assert!(codes.is_sorted_by(|left, right| left < right));
        let all: Vec<_> = Subdivision::all().collect();
        assert_eq!(all.iter().map(ToString::to_string).collect::<Vec<_>>(), codes);
        assert!(all.is_sorted_by(|left, right| left < right), "in the order of the codes");
        assert!(all.iter().all(|one| !one.name().is_empty() && one.name().trim() == one.name()));
        assert!(size_of::<Subdivision>() <= 8);
    }

    #[test]
    fn codes_of_zone_files_are_read_and_nothing_else_is() {
        let california = subdivision("US-CA");
        assert_eq!(california.to_string(), "US-CA");
        assert_eq!(california.country(), country("US"));
        assert_eq!(california.name(), "California");
        assert_eq!(format!("{california:>7}|{california:?}"), "  US-CA|Subdivision(US-CA)");
        for code in
            ["AD-02", "AT-9", "GB-ENG", "FR-IDF", "BR-SP", "JP-13", "DE-BY", "IN-UK", "NO-32"]
        {
            assert_eq!(subdivision(code).to_string(), code);
        }
        for text in [
            "", "-", "US", "US-", "-CA", "USCA", "us-ca", "US-ca", "US-CL", "US-C", "US-CAA",
            "XX-CA", "US-CA ",
        ] {
            assert_eq!(Subdivision::parse(text), None, "{text:?}");
        }
        for text in
            ["US-CA\0", "US-\0", "US-CAAA", "US-ÅÄ", "US-é", "US-€", "US CA", "US--CA", "DK-015"]
        {
            assert_eq!(Subdivision::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn codes_of_databases_are_read_in_any_case() {
        assert_eq!(Subdivision::parse_parts(country("US"), "CA"), Some(subdivision("US-CA")));
        assert_eq!(Subdivision::parse_parts(country("GB"), "eng"), Some(subdivision("GB-ENG")));
        assert_eq!(Subdivision::parse_parts(country("AT"), "9"), Some(subdivision("AT-9")));
        assert_ne!(
            Subdivision::parse_parts(country("CA"), "ON"),
            Subdivision::parse_parts(country("US"), "ON")
        );
        for part in ["", "US-CA", "ZZZZ", "ZZ", "é"] {
            assert_eq!(Subdivision::parse_parts(country("US"), part), None, "{part:?}");
        }
    }

    #[test]
    fn large_countries_are_whole() {
        for (code, all) in [
            ("US", 57),
            ("CA", 13),
            ("AU", 8),
            ("BR", 27),
            ("IN", 36),
            ("CN", 34),
            ("JP", 47),
            ("DE", 16),
            ("RU", 83),
            ("MX", 32),
        ] {
            assert_eq!(counts(code), (all, all), "{code}");
        }
        for code in ["GB-ENG", "GB-SCT", "GB-WLS", "GB-NIR"] {
            assert!(subdivision(code).coordinates().is_some(), "{code}");
        }
        let without = Subdivision::all().filter(|one| one.coordinates().is_none()).count();
        assert!(without < 800, "{without} without a point");
    }

    #[test]
    fn points_are_where_the_places_are() {
        for (code, latitude, longitude) in [
            ("US-CA", 37.0, -120.0),
            ("US-NY", 43.0, -75.0),
            ("CA-ON", 50.0, -86.0),
            ("AU-WA", -26.0, 122.0),
            ("DE-BY", 49.0, 11.5),
            ("JP-13", 35.7, 139.5),
            ("GB-SCT", 56.8, -4.2),
            ("BR-SP", -22.0, -49.0),
            ("RU-CHU", 66.5, 172.0),
            ("NO-32", 60.0, 11.3),
            ("IR-23", 35.6, 51.5),
            ("ES-CT", 41.8, 1.5),
        ] {
            let (found, expected) =
                (subdivision(code).coordinates().unwrap(), Coordinates::new(latitude, longitude));
            let off = found.distance_km(expected.unwrap());
            assert!(off < 200.0, "{code} is at {found}, {off} km off");
        }
    }
}
