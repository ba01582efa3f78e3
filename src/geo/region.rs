//! The regions of Amazon Web Services: where they are.
//!
//! Why: zones moved here from Route 53 name AWS regions in latency and geoproximity records, so a pool may say
//! `location = "us-east-1"`. Amazon tells a region's city or less; the points are of the city it is commonly known by, to
//! hundredths of a degree. The list is that of late 2026, of the public partitions: commercial, China, GovCloud and the
//! European Sovereign Cloud; `me-west-1` and `sa-west-1` are in Amazon's own lists by then. Local Zones, their groups,
//! Wavelength and the closed `us-iso*` and `eu-isoe-*` partitions are left out. Neighbour: `coordinates.rs`. Invariant:
//! the table is sorted by name (tested).

use std::fmt;

use super::coordinates::Coordinates;
use super::country::CountryCode;

/// Name, country, latitude and longitude in degrees, place.
type Row = (&'static str, CountryCode, f64, f64, &'static str);

const fn country(code: &[u8; 2]) -> CountryCode {
    CountryCode::of_table(*code)
}

#[rustfmt::skip] // one region a line
const REGIONS: [Row; 41] = [
    ("af-south-1",     country(b"ZA"), -33.93,   18.42, "Cape Town"),
    ("ap-east-1",      country(b"HK"),  22.30,  114.17, "Hong Kong"),
    ("ap-east-2",      country(b"TW"),  25.03,  121.57, "Taipei"),
    ("ap-northeast-1", country(b"JP"),  35.69,  139.69, "Tokyo"),
    ("ap-northeast-2", country(b"KR"),  37.57,  126.98, "Seoul"),
    ("ap-northeast-3", country(b"JP"),  34.69,  135.50, "Osaka"),
    ("ap-south-1",     country(b"IN"),  19.08,   72.88, "Mumbai"),
    ("ap-south-2",     country(b"IN"),  17.39,   78.49, "Hyderabad"),
    ("ap-southeast-1", country(b"SG"),   1.35,  103.82, "Singapore"),
    ("ap-southeast-2", country(b"AU"), -33.87,  151.21, "Sydney"),
    ("ap-southeast-3", country(b"ID"),  -6.21,  106.85, "Jakarta"),
    ("ap-southeast-4", country(b"AU"), -37.81,  144.96, "Melbourne"),
    ("ap-southeast-5", country(b"MY"),   3.15,  101.69, "Kuala Lumpur"),
    ("ap-southeast-6", country(b"NZ"), -36.85,  174.76, "Auckland"),
    ("ap-southeast-7", country(b"TH"),  13.76,  100.50, "Bangkok"),
    ("ca-central-1",   country(b"CA"),  45.50,  -73.57, "Montreal"),
    ("ca-west-1",      country(b"CA"),  51.05, -114.07, "Calgary"),
    ("cn-north-1",     country(b"CN"),  39.90,  116.41, "Beijing"),
    ("cn-northwest-1", country(b"CN"),  37.50,  105.19, "Ningxia"),
    ("eu-central-1",   country(b"DE"),  50.11,    8.68, "Frankfurt"),
    ("eu-central-2",   country(b"CH"),  47.38,    8.54, "Zurich"),
    ("eu-north-1",     country(b"SE"),  59.33,   18.07, "Stockholm"),
    ("eu-south-1",     country(b"IT"),  45.46,    9.19, "Milan"),
    ("eu-south-2",     country(b"ES"),  41.65,   -0.88, "Aragon"),
    ("eu-west-1",      country(b"IE"),  53.35,   -6.26, "Dublin"),
    ("eu-west-2",      country(b"GB"),  51.51,   -0.13, "London"),
    ("eu-west-3",      country(b"FR"),  48.86,    2.35, "Paris"),
    ("eusc-de-east-1", country(b"DE"),  52.40,   13.07, "Brandenburg"),
    ("il-central-1",   country(b"IL"),  32.09,   34.78, "Tel Aviv"),
    ("me-central-1",   country(b"AE"),  25.20,   55.27, "United Arab Emirates"),
    ("me-south-1",     country(b"BH"),  26.23,   50.59, "Bahrain"),
    ("me-west-1",      country(b"SA"),  24.71,   46.68, "Saudi Arabia"),
    ("mx-central-1",   country(b"MX"),  20.59, -100.39, "Querétaro"),
    ("sa-east-1",      country(b"BR"), -23.55,  -46.63, "São Paulo"),
    ("sa-west-1",      country(b"CL"), -33.45,  -70.67, "Santiago"),
    ("us-east-1",      country(b"US"),  39.04,  -77.49, "Northern Virginia"),
    ("us-east-2",      country(b"US"),  39.96,  -83.00, "Ohio"),
    ("us-gov-east-1",  country(b"US"),  39.96,  -83.00, "Ohio"),
    ("us-gov-west-1",  country(b"US"),  45.84, -119.70, "Oregon"),
    ("us-west-1",      country(b"US"),  37.34, -121.89, "Northern California"),
    ("us-west-2",      country(b"US"),  45.84, -119.70, "Oregon"),
];

/// A region of Amazon Web Services, such as `us-east-1`.
#[derive(Clone, Copy)]
pub struct AwsRegion(&'static Row);

impl AwsRegion {
    /// Reads a region's name in lower case, as Amazon and zone files write it.
    pub fn parse(name: &str) -> Option<Self> {
        let at = REGIONS.binary_search_by_key(&name, |row| row.0).ok()?;
        REGIONS.get(at).map(Self)
    }

    /// The name: `us-east-1`.
    pub fn name(self) -> &'static str {
        self.0.0
    }

    /// The country that it is in.
    pub fn country(self) -> CountryCode {
        self.0.1
    }

    /// Where it is; every region has a point.
    pub fn coordinates(self) -> Option<Coordinates> {
        Coordinates::new(self.0.2, self.0.3)
    }

    /// The city, state or country that it is known by, for people.
    pub fn place(self) -> &'static str {
        self.0.4
    }

    /// Is it one of those in mainland China, which answer all of China in latency policies (rule 39)? Hong Kong's and
    /// Taipei's are not.
    pub fn is_in_china(self) -> bool {
        self.name().starts_with("cn-")
    }

    /// Every region, in the order of the names.
    pub fn all() -> impl Iterator<Item = Self> {
        REGIONS.iter().map(Self)
    }
}

impl PartialEq for AwsRegion {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for AwsRegion {}

impl fmt::Display for AwsRegion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

impl fmt::Debug for AwsRegion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "AwsRegion({self})")
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn region(name: &str) -> AwsRegion {
        AwsRegion::parse(name).unwrap()
    }

    #[test]
    fn table_is_sorted_and_names_are_read_back() {
        assert!(REGIONS.is_sorted_by(|left, right| left.0 < right.0));
        for one in AwsRegion::all() {
            assert_eq!(region(one.name()), one);
            assert_eq!(CountryCode::parse(one.country().as_str()), Some(one.country()), "{one}");
            assert!(!one.place().is_empty());
        }
        for name in
            ["", "us-east", "US-EAST-1", "us-east-9", "us-iso-east-1", "us-east-1a", "zz-top-1"]
        {
            assert_eq!(AwsRegion::parse(name), None, "{name:?}");
        }
        assert_eq!(
            format!("{}|{:?}", region("us-east-1"), region("eu-west-1")),
            "us-east-1|AwsRegion(eu-west-1)"
        );
    }

    #[test]
    fn regions_are_in_their_countries() {
        for one in AwsRegion::all() {
            let middle = one.country().coordinates().unwrap();
            let off = one.coordinates().unwrap().distance_km(middle);
            // Montreal is 2,400 km from the middle of Canada.
            assert!(off < 4000.0, "{one} is {off} km from the middle of {}", one.country());
        }
        let distance = |left: &str, right: &str| {
            region(left).coordinates().unwrap().distance_km(region(right).coordinates().unwrap())
        };
        assert!((distance("us-east-1", "us-west-2") - 3500.0).abs() < 100.0);
        assert!((distance("eu-west-1", "eu-central-1") - 1090.0).abs() < 30.0);
        assert!((distance("ap-southeast-1", "ap-southeast-2") - 6300.0).abs() < 50.0);
    }

    #[test]
    fn rule_39_china_is_its_two_regions() {
        let in_china: Vec<_> =
            AwsRegion::all().filter(|one| one.is_in_china()).map(AwsRegion::name).collect();
        assert_eq!(in_china, ["cn-north-1", "cn-northwest-1"]);
        let by_country = AwsRegion::all().filter(|one| one.country().as_str() == "CN").count();
        assert_eq!(by_country, 2);
    }
}
