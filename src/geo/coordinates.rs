//! A point on the earth, coarse enough to compare and to hash, and the distance between two.
//!
//! Why hundredths of a degree: Route 53 takes coordinates with at most two decimals, about a kilometre, which is finer
//! than any database knows a client. Whole numbers make equality, order and hashes exact. Neighbours: `country.rs`,
//! `subdivision.rs` and `region.rs` say where their places are. Invariant: latitude is within ±90°, longitude above
//! -180° and at most 180°, so that a point has one spelling.

use std::fmt;

/// The mean radius of the earth in kilometres (IUGG), which haversine wants.
const EARTH_RADIUS_KM: f64 = 6371.0088;
/// Hundredths of a degree in half a turn.
const HALF_TURN: i16 = 18_000;
/// Hundredths of a degree from the equator to a pole.
const QUARTER_TURN: i16 = 9_000;

/// A latitude and a longitude in hundredths of a degree, north and east positive.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Coordinates {
    latitude: i16,
    longitude: i16,
}

impl Coordinates {
    /// A point from degrees, rounded to hundredths. `None` if the latitude is not within ±90 or the longitude not
    /// within ±180, or if either is no number. -180 is read as 180: the same meridian.
    pub fn new(latitude: f64, longitude: f64) -> Option<Self> {
        let is_on_earth = latitude.abs() <= 90.0 && longitude.abs() <= 180.0;
        // In range, so the casts lose nothing but the fraction that rounding left at zero.
        let hundredths = |degrees: f64| (degrees * 100.0).round() as i16;
        is_on_earth.then(|| Self::from_hundredths(hundredths(latitude), hundredths(longitude)))?
    }

    /// A point from the two whole numbers that the tables of this module write.
    pub(super) fn read(latitude: &str, longitude: &str) -> Option<Self> {
        Self::from_hundredths(latitude.parse().ok()?, longitude.parse().ok()?)
    }

    /// A point from hundredths of a degree.
    fn from_hundredths(latitude: i16, longitude: i16) -> Option<Self> {
        let latitudes = -QUARTER_TURN..=QUARTER_TURN;
        let longitudes = -HALF_TURN..=HALF_TURN;
        let longitude_once = if longitude == -HALF_TURN { HALF_TURN } else { longitude };
        let is_on_earth = latitudes.contains(&latitude) && longitudes.contains(&longitude);
        is_on_earth.then_some(Self { latitude, longitude: longitude_once })
    }

    /// Degrees north of the equator.
    pub fn latitude(self) -> f64 {
        f64::from(self.latitude) / 100.0
    }

    /// Degrees east of Greenwich.
    pub fn longitude(self) -> f64 {
        f64::from(self.longitude) / 100.0
    }

    /// The way along a great circle in kilometres, by haversine on a sphere: within 0.6 % of the ellipsoid. Rounded to
    /// metres, so that machines whose sines differ in the last bit agree which of two places is nearer.
    pub fn distance_km(self, other: Self) -> f64 {
        let (from, to) = (self.latitude().to_radians(), other.latitude().to_radians());
        let across = (other.longitude() - self.longitude()).to_radians();
        let half_chord = ((to - from) / 2.0).sin().powi(2)
            + from.cos() * to.cos() * (across / 2.0).sin().powi(2);
        // Rounding can bring antipodes a little above 1, where the arc sine ends.
        let kilometres = 2.0 * EARTH_RADIUS_KM * half_chord.sqrt().min(1.0).asin();
        (kilometres * 1000.0).round() / 1000.0
    }
}

/// Latitude and longitude in degrees with two decimals: `38.90, -77.40`.
impl fmt::Display for Coordinates {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:.2}, {:.2}", self.latitude(), self.longitude())
    }
}

impl fmt::Debug for Coordinates {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Coordinates({self})")
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::arithmetic_side_effects, reason = "a test may panic")]
mod tests {
    use super::*;

    fn point(latitude: f64, longitude: f64) -> Coordinates {
        Coordinates::new(latitude, longitude).unwrap()
    }

    #[test]
    fn degrees_are_rounded_to_hundredths_and_printed_with_two_decimals() {
        assert_eq!(point(38.9, -77.4).to_string(), "38.90, -77.40");
        assert_eq!(point(0.004, -0.004).to_string(), "0.00, 0.00");
        assert_eq!(point(-89.996, 179.996), point(-90.0, 180.0));
        assert_eq!(point(1.236, -1.236).latitude(), 1.24);
        assert_eq!(point(1.236, -1.236).longitude(), -1.24);
    }

    #[test]
    fn only_points_on_earth_are_made() {
        assert_eq!(point(90.0, 180.0), point(90.0, -180.0), "one meridian has one spelling");
        for (latitude, longitude) in [
            (90.001, 0.0),
            (-91.0, 0.0),
            (0.0, 180.001),
            (0.0, -181.0),
            (f64::NAN, 0.0),
            (0.0, f64::NAN),
            (f64::INFINITY, 0.0),
            (0.0, f64::NEG_INFINITY),
            (1e300, 1e300),
        ] {
            assert_eq!(Coordinates::new(latitude, longitude), None, "{latitude}, {longitude}");
        }
        assert_eq!(Coordinates::read("9001", "0"), None);
        assert_eq!(Coordinates::read("-", "-"), None);
        assert_eq!(Coordinates::read("3890", "-7740"), Coordinates::new(38.9, -77.4));
    }

    #[test]
    fn distances_are_those_of_great_circles() {
        let (london, new_york) = (point(51.51, -0.13), point(40.71, -74.01));
        let (sydney, auckland) = (point(-33.87, 151.21), point(-36.85, 174.76));
        // Published great-circle distances, to a few kilometres.
        assert!((london.distance_km(new_york) - 5570.0).abs() < 5.0);
        assert!((sydney.distance_km(auckland) - 2156.0).abs() < 5.0);
        // One degree along the equator and along a meridian.
        assert!((point(0.0, 0.0).distance_km(point(0.0, 1.0)) - 111.195).abs() < 0.001);
        assert!((point(59.5, 7.0).distance_km(point(60.5, 7.0)) - 111.195).abs() < 0.001);
        // The short way across the antimeridian.
        assert!((point(0.0, 179.5).distance_km(point(0.0, -179.5)) - 111.195).abs() < 0.001);
    }

    #[test]
    fn distance_is_a_metric_even_between_antipodes_and_at_the_poles() {
        let half_way_round = std::f64::consts::PI * EARTH_RADIUS_KM;
        assert!((point(90.0, 0.0).distance_km(point(-90.0, 33.0)) - half_way_round).abs() < 0.001);
        assert!(
            (point(12.34, 10.0).distance_km(point(-12.34, -170.0)) - half_way_round).abs() < 0.001
        );
        assert_eq!(point(90.0, 0.0).distance_km(point(90.0, 120.0)), 0.0);
        for latitude in (-90..=90).step_by(15) {
            for longitude in (-180..=180).step_by(30) {
                let (here, there) = (point(48.21, 16.37), point(latitude.into(), longitude.into()));
                assert_eq!(here.distance_km(there), there.distance_km(here));
                assert_eq!(there.distance_km(there), 0.0);
                assert!((0.0..=half_way_round + 0.001).contains(&here.distance_km(there)));
            }
        }
    }
}
