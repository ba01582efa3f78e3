//! The pools on the map: a dot each, with its name where there is room.
//!
//! Pools are often in one city, so dots make way to the east and names look for a free side. Neighbours: `world.rs` puts
//! the group onto the map. Invariant: each pool that has coordinates has a dot and a name, in the order of the legend.

use std::fmt::Write;

use super::markup::{clamped, escape, percent, shortened, width_of};
use super::palette::pool_colour;
use super::projection::{WIDTH, on_canvas};
use super::world::PoolLegend;

const RADIUS: f64 = 13.0;
/// From centre to centre of two dots that would lie on each other.
const APART: f64 = 2.0 * RADIUS + 4.0;
const FONT_SIZE: f64 = 28.0;
const NAME_CHARACTERS: usize = 24;

/// A rectangle that is taken.
#[derive(Clone, Copy)]
struct Area {
    left: f64,
    top: f64,
    right: f64,
    bottom: f64,
}

impl Area {
    fn overlaps(self, other: Self) -> bool {
        let is_beside = self.right <= other.left || other.right <= self.left;
        let is_above = self.bottom <= other.top || other.bottom <= self.top;
        !is_beside && !is_above
    }

    fn around_dot((x, y): (f64, f64)) -> Self {
        Self { left: x - RADIUS, top: y - RADIUS, right: x + RADIUS, bottom: y + RADIUS }
    }
}

/// Where a name begins or ends: its base line, and the value of `text-anchor`.
struct Label {
    x: f64,
    y: f64,
    anchor: &'static str,
    area: Area,
    /// It stands so far off that a line must lead to it.
    is_led: bool,
}

/// The group of all dots and, above them, their names, in units of the map.
pub(super) fn draw_dots(pools: &[PoolLegend]) -> String {
    let dots = place_dots(pools);
    let mut taken: Vec<_> = dots.iter().map(|(_, dot)| Area::around_dot(*dot)).collect();
    let (mut marks, mut names) = (String::new(), String::new());
    for (index, dot) in &dots {
        let Some(pool) = pools.get(*index) else { continue };
        draw_dot(&mut marks, *index, pool, *dot);
        let name = shortened(&pool.name, NAME_CHARACTERS);
        let label = place_label(*dot, &name, &taken);
        taken.push(label.area);
        draw_name(&mut names, &name, *dot, &label);
    }
    format!("<g>{marks}{names}</g>")
}

/// The number in the legend and the centre of each dot; one that would hide an earlier one moves on to the east.
fn place_dots(pools: &[PoolLegend]) -> Vec<(usize, (f64, f64))> {
    let mut dots: Vec<(usize, (f64, f64))> = Vec::new();
    for (index, pool) in pools.iter().enumerate() {
        let Some((mut x, y)) = pool.coordinates.map(on_canvas) else { continue };
        let mut earlier: Vec<_> = dots.iter().map(|(_, dot)| *dot).collect();
        earlier.sort_by(|left, right| left.0.total_cmp(&right.0));
        for (other, height) in earlier {
            if (x - other).hypot(y - height) < APART {
                x = other + APART;
            }
        }
        dots.push((index, (x, y)));
    }
    dots
}

/// The first free place near a dot: beside it, below, above, then beside it further up or down; the right side if none is.
fn place_label((x, y): (f64, f64), name: &str, taken: &[Area]) -> Label {
    let (width, gap) = (width_of(name, FONT_SIZE), RADIUS + 6.0);
    let label = |x: f64, y: f64, anchor, left: f64, is_led| {
        let area = Area { left, top: y - FONT_SIZE * 0.8, right: left + width, bottom: y + 5.0 };
        Label { x, y, anchor, area, is_led }
    };
    let right =
        |down: f64, away: f64| label(x + away, y + 10.0 + down, "start", x + away, away > gap);
    let left = |down, away| label(x - away, y + 10.0 + down, "end", x - away - width, away > gap);
    let middle = |down: f64| label(x, y + down, "middle", x - width / 2.0, false);
    let near = [right(0.0, gap), left(0.0, gap), middle(gap + 22.0), middle(-gap)];
    let off = [-36.0, 36.0, -72.0, 72.0, -108.0, 108.0].into_iter();
    let far = off.flat_map(|down| [right(down, 2.0 * gap), left(down, 2.0 * gap)]);
    let is_free = |label: &Label| {
        let is_on_map =
            label.area.left >= 0.0 && label.area.right <= WIDTH && label.area.top >= 0.0;
        is_on_map && !taken.iter().any(|area| area.overlaps(label.area))
    };
    near.into_iter().chain(far).find(is_free).unwrap_or_else(|| right(0.0, gap))
}

/// Writing to a string cannot fail, so results are dropped here and in the neighbours.
fn draw_dot(marks: &mut String, index: usize, pool: &PoolLegend, (x, y): (f64, f64)) {
    let (name, share, colour) =
        (escape(&pool.name), percent(clamped(pool.share)), pool_colour(index));
    let down = if pool.is_down { ", down" } else { "" };
    let _ = write!(
        marks,
        "<g><title>{name}: {share}{down}</title>\
         <circle class=\"dot\" cx=\"{x:.0}\" cy=\"{y:.0}\" r=\"{RADIUS}\" fill=\"{colour}\"/>"
    );
    if pool.is_down {
        let arm = RADIUS + 4.0;
        let (west, east, north, south) = (x - arm, x + arm, y - arm, y + arm);
        let strokes = format!(
            "M{west:.0} {north:.0}L{east:.0} {south:.0}M{west:.0} {south:.0}L{east:.0} {north:.0}"
        );
        let _ = write!(
            marks,
            "<path class=\"halo\" d=\"{strokes}\"/><path class=\"cross\" d=\"{strokes}\"/>"
        );
    }
    marks.push_str("</g>");
}

fn draw_name(names: &mut String, name: &str, (x, y): (f64, f64), label: &Label) {
    let (to_x, to_y, anchor) = (label.x, label.y, label.anchor);
    if label.is_led {
        let _ = write!(
            names,
            "<path class=\"leader\" d=\"M{x:.0} {y:.0}L{to_x:.0} {:.0}\"/>",
            to_y - 10.0
        );
    }
    for class in ["name halo", "name"] {
        let _ = write!(
            names,
            "<text class=\"{class}\" x=\"{to_x:.0}\" y=\"{to_y:.0}\" text-anchor=\"{anchor}\">{}</text>",
            escape(name)
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geo::Coordinates;

    fn pool(name: &str, place: Option<(f64, f64)>) -> PoolLegend {
        let coordinates =
            place.and_then(|(latitude, longitude)| Coordinates::new(latitude, longitude));
        PoolLegend { name: name.into(), coordinates, share: 0.5, is_down: false }
    }

    #[test]
    fn dots_of_one_city_stand_beside_each_other() {
        let london = Some((51.51, -0.13));
        let pools = [pool("a", london), pool("b", london), pool("none", None), pool("c", london)];
        let dots = place_dots(&pools);
        assert_eq!(dots.iter().map(|dot| dot.0).collect::<Vec<_>>(), [0, 1, 3]);
        for (number, left) in dots.iter().enumerate() {
            for right in &dots[number + 1..] {
                let apart = (left.1.0 - right.1.0).hypot(left.1.1 - right.1.1);
                assert!(apart >= APART - 0.001, "{left:?} {right:?}");
            }
        }
    }

    #[test]
    fn names_take_a_free_side_and_stay_on_the_map() {
        let dot = (1000.0, 400.0);
        assert_eq!(place_label(dot, "right", &[]).anchor, "start");
        let right = Area { left: 1010.0, top: 380.0, right: 1100.0, bottom: 420.0 };
        assert_eq!(place_label(dot, "left", &[right]).anchor, "end");
        let everything = Area { left: 0.0, top: 0.0, right: 2000.0, bottom: 870.0 };
        assert_eq!(place_label(dot, "none", &[everything]).anchor, "start");
        let around = Area { left: 900.0, top: 370.0, right: 1100.0, bottom: 430.0 };
        let led = place_label(dot, "led", &[around]);
        assert!(led.is_led && !led.area.overlaps(around));
        assert_eq!(place_label((1990.0, 400.0), "edge", &[]).anchor, "end");
    }
}
