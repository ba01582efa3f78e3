//! The map of the world.
//!
//! Countries come from `geodb/world-outlines.txt`, drawn in advance; those too small to be seen there are circles at their
//! coordinates. Everything is fixed numbers and text: no scripts, no fonts, no pictures from elsewhere, and colours for
//! dark viewers by a media query. Neighbours: `dots.rs` and `legend.rs` draw what is not land.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::geo::{Coordinates, CountryCode};

use super::dots::draw_dots;
use super::legend::{self, draw_legend};
use super::markup::{clamped, escape, percent, shortened};
use super::palette::pool_colour;
use super::projection::{HEIGHT, WIDTH, on_canvas};

/// One line a country, sorted: `AD m…z`, path data in units of the map.
const OUTLINES: &str = include_str!("../../geodb/world-outlines.txt");

/// Where the map begins below the title.
const MAP_TOP: f64 = 92.0;
/// Between the map and the bars.
const GAP: f64 = 28.0;
const TITLE_CHARACTERS: usize = 80;
/// How much of its colour a country has whose main pool serves next to nothing of it.
const PALEST: f64 = 0.3;

/// Light, and dark for those who like it dark. Text gets a halo by being drawn twice, which every viewer can do.
const STYLE: &str = "\
text{font-family:system-ui,-apple-system,'Segoe UI','DejaVu Sans',sans-serif;fill:#1f2933}\
.title{font-size:44px;font-weight:600}.row{font-size:28px}.note{font-size:24px;fill:#616e7c}\
.name{font-size:28px;font-weight:600}.down{fill:#c0261c;font-weight:600}\
.page{fill:#fff}.land{fill:#d5dbe1}.track{fill:#e8ecf0}.border{stroke:#fff;stroke-width:.9;stroke-linejoin:round}\
.dot{stroke:#fff;stroke-width:4}.leader{stroke:#1f2933;stroke-width:2}.cross{fill:none;stroke:#c0261c;stroke-width:5;stroke-linecap:round}\
.halo{fill:none;stroke:#fff;stroke-width:7;stroke-linejoin:round;stroke-linecap:round;stroke-opacity:.85}\
@media (prefers-color-scheme:dark){text{fill:#e4e7eb}.note{fill:#9aa5b1}.down{fill:#ff8a80}\
.leader{stroke:#e4e7eb}.page{fill:#14181d}.land{fill:#38424d}.track{fill:#262d35}.border,.dot,.halo{stroke:#14181d}.cross{stroke:#ff8a80}}";

/// A pool as the picture shows it. Its colour follows from its place in the list.
#[derive(Clone, Debug)]
pub struct PoolLegend {
    /// What people call it.
    pub name: String,
    /// Where its dot is; no dot without.
    pub coordinates: Option<Coordinates>,
    /// Its part of all the traffic that the picture is about, from 0 to 1.
    pub share: f64,
    /// Its dot is crossed out.
    pub is_down: bool,
}

/// A country's pools, largest share first, and the share of each.
type Shares = Vec<(usize, f64)>;

/// An SVG document: the countries in the colours of their main pools, a dot for each pool that has coordinates, and a bar
/// for each pool's share. `colours` has for a country the pools that serve it, by their place in `pools`, and the share of
/// each in it, from 0 to 1. Countries that are not listed, or have no share of a listed pool, are grey; the last entry of
/// a country counts. Names may be any text.
pub fn world_map(
    title: &str,
    colours: &[(CountryCode, Vec<(usize, f64)>)],
    pools: &[PoolLegend],
) -> String {
    let below = MAP_TOP + HEIGHT + GAP;
    let page = below + legend::height(pools.len());
    let name = escape(title);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {page}\" role=\"img\">\
         <title>{name}</title><style>{STYLE}</style><rect class=\"page\" width=\"{WIDTH}\" height=\"{page}\"/>\
         <text class=\"title\" x=\"60\" y=\"66\">{}</text><g transform=\"translate(0 {MAP_TOP})\">\n",
        escape(&shortened(title, TITLE_CHARACTERS))
    );
    svg.push_str(&draw_countries(colours, pools));
    svg.push_str(&draw_dots(pools));
    svg.push_str("</g>\n");
    svg.push_str(&draw_legend(pools, below));
    svg.push_str("</svg>\n");
    svg
}

/// Land first, then the circles, so that a small country is not under its neighbour.
fn draw_countries(colours: &[(CountryCode, Shares)], pools: &[PoolLegend]) -> String {
    let shares: BTreeMap<_, _> =
        colours.iter().map(|(country, shares)| (*country, usable(shares, pools))).collect();
    let outlines: BTreeMap<_, _> =
        OUTLINES.lines().filter_map(|line| line.split_once(' ')).collect();
    let (mut land, mut circles) = (String::from("<g class=\"border\">\n"), String::new());
    for country in CountryCode::all() {
        let shares = shares.get(&country).map_or(&[][..], Vec::as_slice);
        let (paint, title) = (paint(shares), title_of(country, shares, pools));
        if let Some(data) = outlines.get(country.as_str()) {
            let _ = writeln!(land, "<path {paint} d=\"{data}\"><title>{title}</title></path>");
        } else if let Some((x, y)) = country.coordinates().map(on_canvas) {
            let radius = if shares.is_empty() { 3 } else { 6 };
            let _ = writeln!(
                circles,
                "<circle {paint} cx=\"{x:.0}\" cy=\"{y:.0}\" r=\"{radius}\"><title>{title}</title></circle>"
            );
        }
    }
    land + &circles + "</g>\n"
}

/// The shares that can be drawn: of pools that are in the legend, more than nothing, the largest first.
fn usable(shares: &[(usize, f64)], pools: &[PoolLegend]) -> Shares {
    let mut usable: Shares = shares
        .iter()
        .map(|(pool, share)| (*pool, clamped(*share)))
        .filter(|(pool, share)| *pool < pools.len() && *share > 0.0)
        .collect();
    usable.sort_by(|left, right| right.1.total_cmp(&left.1).then(left.0.cmp(&right.0)));
    usable
}

/// The attributes that colour a country.
fn paint(shares: &[(usize, f64)]) -> String {
    match shares.first() {
        None => "class=\"land\"".to_owned(),
        Some((pool, share)) => {
            let opacity = PALEST + (1.0 - PALEST) * share;
            format!("fill=\"{}\" fill-opacity=\"{opacity:.2}\"", pool_colour(*pool))
        }
    }
}

/// What a pointer on the country shows, escaped.
fn title_of(country: CountryCode, shares: &[(usize, f64)], pools: &[PoolLegend]) -> String {
    let parts: Vec<_> = shares
        .iter()
        .filter_map(|(pool, share)| Some(format!("{} {}", pools.get(*pool)?.name, percent(*share))))
        .collect();
    let parts = if parts.is_empty() { "no data".to_owned() } else { parts.join(", ") };
    escape(&format!("{}: {parts}", country.name()))
}
