//! One colour for each pool.
//!
//! The first seven are Okabe and Ito's, which people of every kind of colour vision tell apart, and which stand out from
//! white and from near-black. Further ones go round the wheel of hues by the golden angle, so that any two of them are as
//! far apart as can be without knowing how many there will be, and change in lightness, which all eyes see.

/// Okabe and Ito's without their black, those first that differ most on a map.
const FIRST: [&str; 7] =
    ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442"];

/// 360° divided by the square of the golden ratio.
const GOLDEN_ANGLE: f64 = 137.507_764;

/// The colour of the pool that is at `index` in the legend, as `#RRGGBB`. Different for each of the first hundred.
pub fn pool_colour(index: usize) -> String {
    match FIRST.get(index) {
        Some(colour) => (*colour).to_owned(),
        None => further(index.saturating_sub(FIRST.len())),
    }
}

fn further(index: usize) -> String {
    let number = f64::from(u32::try_from(index).unwrap_or(u32::MAX));
    let hue = (number * GOLDEN_ANGLE + 20.0) % 360.0;
    let lightness = [0.35, 0.55, 0.72].into_iter().cycle().nth(index % 3).unwrap_or(0.5);
    let [red, green, blue] = rgb(hue, 0.62, lightness);
    format!("#{red:02X}{green:02X}{blue:02X}")
}

/// From hue (degrees), saturation and lightness (0 to 1), by the formula of CSS Color 4 section 7.1.
fn rgb(hue: f64, saturation: f64, lightness: f64) -> [u8; 3] {
    let reach = saturation * lightness.min(1.0 - lightness);
    [0.0, 8.0, 4.0].map(|offset| {
        let twelfth = (offset + hue / 30.0) % 12.0;
        let part = lightness - reach * (twelfth - 3.0).min(9.0 - twelfth).clamp(-1.0, 1.0);
        // Between 0 and 255 by the formula.
        (part * 255.0).round() as u8
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn colours_are_written_as_css_has_them_and_differ() {
        let colours: BTreeSet<_> = (0..100).map(pool_colour).collect();
        assert_eq!(colours.len(), 100);
        for colour in colours {
            let digits = colour.strip_prefix('#').unwrap();
            assert!(digits.len() == 6 && u32::from_str_radix(digits, 16).is_ok(), "{colour}");
        }
        assert_eq!(pool_colour(0), "#0072B2");
        assert!(pool_colour(usize::MAX).starts_with('#'));
    }

    #[test]
    fn hues_are_converted_as_css_does() {
        assert_eq!(rgb(0.0, 1.0, 0.5), [255, 0, 0]);
        assert_eq!(rgb(120.0, 1.0, 0.25), [0, 128, 0]);
        assert_eq!(rgb(240.0, 1.0, 0.5), [0, 0, 255]);
        assert_eq!(rgb(77.0, 0.0, 1.0), [255, 255, 255]);
    }
}
