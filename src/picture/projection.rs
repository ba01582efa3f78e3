//! From a place on earth to a place on the canvas.
//!
//! Equal Earth (Šavrič, Patterson and Jenny 2018): areas are true, so that a country's colour weighs what the country
//! does, and shapes look familiar. The map is cut through the Bering Strait and ends at 57° south: nobody asks from
//! Antarctica often enough to give it a fifth of the picture. Neighbour: `geodb/make_places.py` drew
//! `geodb/world-outlines.txt` with the same numbers.

use crate::geo::Coordinates;

/// The size of the map in units of the canvas.
pub(super) const WIDTH: f64 = 2000.0;
pub(super) const HEIGHT: f64 = 870.0;

/// The meridian in the middle, which puts the edges into the Bering Strait.
const CENTRE: f64 = 11.0;
/// Units of the canvas for one of the projection, which is 5.41 wide.
const SCALE: f64 = 369.463_135;
/// How far north the map goes, in units of the projection: 83.7°, the north of Greenland.
const TOP: f64 = 1.305_631_75;
/// What lies further south stays this far inside of the lower edge.
const MARGIN: f64 = 12.0;

/// The coefficients of the paper's polynomial, for the powers 1, 3, 7 and 9.
const POLYNOMIAL: [f64; 4] = [1.340_264, -0.081_106, 0.000_893, 0.003_796];

/// Right and down from the upper left corner of the map, inside of it.
pub(super) fn on_canvas(place: Coordinates) -> (f64, f64) {
    let east = (place.longitude() - CENTRE + 180.0).rem_euclid(360.0) - 180.0;
    let (x, y) = project(place.latitude(), east);
    let inside = |at: f64, size: f64| at.clamp(MARGIN, size - MARGIN);
    (inside(WIDTH / 2.0 + x * SCALE, WIDTH), inside((TOP - y) * SCALE, HEIGHT))
}

/// Equal Earth: degrees to units of the sphere's radius.
fn project(latitude: f64, longitude: f64) -> (f64, f64) {
    let [a1, a2, a3, a4] = POLYNOMIAL;
    let half_root = 3.0_f64.sqrt() / 2.0;
    let t = (half_root * latitude.to_radians().sin()).asin();
    let slope = 9.0 * a4 * t.powi(8) + 7.0 * a3 * t.powi(6) + 3.0 * a2 * t.powi(2) + a1;
    let x = longitude.to_radians() * t.cos() / (half_root * slope);
    let y = a4 * t.powi(9) + a3 * t.powi(7) + a2 * t.powi(3) + a1 * t;
    (x, y)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canvas(latitude: f64, longitude: f64) -> (f64, f64) {
        let (x, y) = on_canvas(Coordinates::new(latitude, longitude).unwrap());
        (x.round(), y.round())
    }

    #[test]
    fn places_are_where_the_outlines_were_drawn() {
        // From make_places.py.
        assert_eq!(canvas(-57.0, 11.0), (1000.0, 858.0), "869 without the margin");
        assert_eq!(canvas(-55.5, -68.0), (655.0, 858.0), "861 without the margin");
        assert_eq!(canvas(0.0, 11.0), (1000.0, 482.0));
        assert_eq!(canvas(83.7, 11.0), (1000.0, 12.0));
    }

    #[test]
    fn the_map_is_cut_in_the_bering_strait() {
        assert!(canvas(66.0, -169.5).0 > 1500.0, "Chukotka is in the east");
        assert!(canvas(65.0, -168.0).0 < 500.0, "Alaska is in the west");
        assert!(canvas(-17.0, 180.0).0 > 1800.0, "Fiji is in the east");
    }

    #[test]
    fn poles_stay_on_the_canvas() {
        for latitude in [-90.0, 90.0] {
            let (x, y) = canvas(latitude, 11.0);
            assert_eq!(x, 1000.0);
            assert!((0.0..=HEIGHT).contains(&y));
        }
    }
}
