//! Below the map: a bar for each pool, as long as its share.
//!
//! Neighbour: `world.rs` puts it under the map and makes the page as high as [`height`] says.

use std::fmt::Write;

use super::markup::{clamped, escape, percent, shortened};
use super::palette::pool_colour;
use super::projection::WIDTH;
use super::world::PoolLegend;

const ROW: f64 = 54.0;
const BAR: f64 = 30.0;
/// Where the bars begin, and how wide all of the traffic is.
const LEFT: f64 = 560.0;
const WHOLE: f64 = 1120.0;
const EDGE: f64 = 60.0;
/// What fits before the bars.
const NAME_CHARACTERS: usize = 28;

/// How high the legend of so many pools is.
pub(super) fn height(pools: usize) -> f64 {
    f64::from(u32::try_from(pools).unwrap_or(u32::MAX)) * ROW + 70.0
}

/// The rows, and a line that explains the map, below `top` in units of the page.
pub(super) fn draw_legend(pools: &[PoolLegend], top: f64) -> String {
    let mut group = String::from("<g>");
    let mut y = top;
    for (index, pool) in pools.iter().enumerate() {
        draw_row(&mut group, index, pool, y);
        y += ROW;
    }
    let _ = write!(
        group,
        "<text class=\"note\" x=\"{EDGE}\" y=\"{:.0}\">A country has the colour of the pool that serves most of it, the paler \
         the smaller that pool's share. Grey: no data.</text></g>",
        y + 32.0
    );
    group
}

fn draw_row(group: &mut String, index: usize, pool: &PoolLegend, y: f64) {
    let (share, colour) = (clamped(pool.share), pool_colour(index));
    let text = y + BAR / 2.0 + 10.0;
    let (swatch, name) = (EDGE + 34.0, escape(&shortened(&pool.name, NAME_CHARACTERS)));
    let _ = write!(
        group,
        "<rect x=\"{EDGE}\" y=\"{:.0}\" width=\"22\" height=\"22\" rx=\"4\" fill=\"{colour}\"/>\
         <text class=\"row\" x=\"{swatch}\" y=\"{text:.0}\">{name}</text>\
         <rect class=\"track\" x=\"{LEFT}\" y=\"{y:.0}\" width=\"{WHOLE}\" height=\"{BAR}\" rx=\"4\"/>",
        y + 4.0
    );
    if share > 0.0 {
        let _ = write!(
            group,
            "<rect x=\"{LEFT}\" y=\"{y:.0}\" width=\"{:.1}\" height=\"{BAR}\" rx=\"4\" fill=\"{colour}\"/>",
            share * WHOLE
        );
    }
    let _ = write!(
        group,
        "<text class=\"row\" x=\"{:.0}\" y=\"{text:.0}\" text-anchor=\"end\">{}</text>",
        LEFT + WHOLE + 130.0,
        percent(share)
    );
    if pool.is_down {
        let _ = write!(
            group,
            "<text class=\"row down\" x=\"{:.0}\" y=\"{text:.0}\" text-anchor=\"end\">down</text>",
            WIDTH - EDGE
        );
    }
}
