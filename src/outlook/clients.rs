//! Who asks: all of address space, or counts of one's own by prefix and country.
//!
//! Address space is what everybody has: how many addresses a country has, which is not how much traffic comes from it. Counts come
//! from a CSV file with two columns, `prefix,count` or `country,count`; the clients of a country are spread evenly over its
//! addresses, those of a prefix over the prefix.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::geo::{AddressRange, Atlas, CountryCode, PrefixMap, public_ipv4, public_ipv6};
use crate::limits::WEIGHT_ROWS;
use crate::policy::Spot;

/// Which address space clients are spread over, where nothing says more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// Each address counts as one client.
    Ipv4,
    /// Each /48 counts as one client. Only those that the database places: nearly all of the rest is not in use.
    Ipv6,
}

/// Where clients are from whom somebody counted.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Origin {
    Network(IpNet),
    Country(CountryCode),
    Nowhere,
}

/// All clients, with their weights.
#[derive(Clone, Debug)]
pub struct Clients {
    pub basis: Basis,
    /// Nothing: address space itself.
    counts: Option<Vec<(Origin, f64)>>,
}

/// What is wrong with a file of counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientsError {
    /// From 1 on; nothing if the file as a whole is meant.
    pub line: Option<usize>,
    pub message: String,
}

impl fmt::Display for ClientsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "line {line}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

impl std::error::Error for ClientsError {}

/// Which country an address is in, as fast as a route's own map.
pub struct Countries {
    map: PrefixMap,
    /// By class less one; class 0 is no country.
    codes: Vec<CountryCode>,
}

/// The weights of clients by country and by their classes in some maps. All together are one.
pub(super) type Tally<const N: usize> = Vec<((Option<CountryCode>, [u32; N]), f64)>;

impl Countries {
    /// The countries of an atlas.
    pub fn of(atlas: &Atlas) -> Self {
        let mut numbers: BTreeMap<CountryCode, u32> = BTreeMap::new();
        let mut codes = Vec::new();
        let positions = atlas.positions().iter();
        let by_position: Vec<u32> = positions
            .map(|position| match Spot::of(atlas, *position).country {
                None => 0,
                Some(country) => *numbers.entry(country).or_insert_with(|| {
                    codes.push(country);
                    u32::try_from(codes.len()).unwrap_or(0)
                }),
            })
            .collect();
        let classes: Vec<u32> = (0..=u32::try_from(codes.len()).unwrap_or(0)).collect();
        Self { map: PrefixMap::build(&atlas.merge(&by_position), &classes), codes }
    }

    fn code(&self, class: u32) -> Option<CountryCode> {
        self.codes.get(usize::try_from(class.checked_sub(1)?).ok()?).copied()
    }
}

impl fmt::Debug for Countries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Countries").field("codes", &self.codes.len()).finish_non_exhaustive()
    }
}

impl Clients {
    /// Address space.
    pub fn of_space(basis: Basis) -> Self {
        Self { basis, counts: None }
    }

    /// Whether somebody counted them.
    pub fn is_counted(&self) -> bool {
        self.counts.is_some()
    }

    /// Reads counts: lines `prefix,count` or `country,count`, a header if there is one, blank lines and lines that begin with
    /// `#`. Lines about the same clients add up.
    ///
    /// # Errors
    /// The first line that can't be read, or that nothing at all was counted.
    pub fn parse(text: &str, basis: Basis) -> Result<Self, ClientsError> {
        let (mut counts, mut total) = (Vec::new(), 0.0);
        let mut is_first = true;
        for (number, line) in (1usize..).zip(text.lines()) {
            let line = line.trim_start_matches('\u{feff}').trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let fail = |message| ClientsError { line: Some(number), message };
            let (origin, count) = split(line).map_err(fail)?;
            let origin = parse_origin(origin);
            let weight =
                count.parse::<f64>().ok().filter(|weight| weight.is_finite() && *weight >= 0.0);
            // The first line may say what the columns are.
            if std::mem::take(&mut is_first) && origin.is_err() && weight.is_none() {
                continue;
            }
            let weight = weight.ok_or_else(|| fail(format!("`{count}` is no count")))?;
            if counts.len() >= WEIGHT_ROWS {
                return Err(fail(format!("more than {WEIGHT_ROWS} lines")));
            }
            total += weight;
            if !total.is_finite() {
                return Err(fail("the counts are too large to be added up".to_owned()));
            }
            counts.push((origin.map_err(fail)?, weight));
        }
        if counts.iter().all(|(_, weight)| *weight == 0.0) {
            return Err(ClientsError { line: None, message: "it counts no clients".to_owned() });
        }
        Ok(Self { basis, counts: Some(counts) })
    }

    /// Weighs the clients by country and by class. `unknown` are the classes of those of whom nothing is known.
    pub(super) fn tally<const N: usize>(
        &self,
        countries: &Countries,
        maps: [Option<&PrefixMap>; N],
        unknown: [u32; N],
    ) -> Tally<N> {
        let scale = Scale {
            countries,
            maps: maps.map(|map| map.unwrap_or(&countries.map)),
            is_used: maps.map(|map| map.is_some()),
        };
        let mut weights = Weights::new();
        match &self.counts {
            None => weights = self.space(&scale),
            Some(counts) => {
                let spread = counts.iter().any(|(origin, _)| matches!(origin, Origin::Country(_)));
                let space = if spread { by_country(self.space(&scale)) } else { HashMap::new() };
                for (origin, weight) in counts {
                    scale.count(*origin, *weight, &space, unknown, &mut weights);
                }
            }
        }
        let total: f64 = weights.values().sum();
        let mut tally: Tally<N> = weights
            .into_iter()
            .filter(|(_, weight)| *weight > 0.0)
            .map(|((country, classes), weight)| {
                ((countries.code(country), classes), weight / total)
            })
            .collect();
        // The same sums in the same order give the same figures each time.
        tally.sort_by_key(|(key, _)| *key);
        tally
    }

    fn space<const N: usize>(&self, scale: &Scale<'_, N>) -> Weights<N> {
        let mut weights = Weights::new();
        match self.basis {
            Basis::Ipv4 => {
                public_ipv4().iter().for_each(|range| scale.walk(range, 1.0, &mut weights));
            }
            Basis::Ipv6 => {
                public_ipv6().iter().for_each(|range| scale.walk(range, 1.0, &mut weights));
                weights.retain(|(country, _), _| *country != 0);
            }
        }
        weights
    }
}

/// By country's class and the classes of some maps.
type Weights<const N: usize> = HashMap<(u32, [u32; N]), f64>;

/// For each country, the classes of its addresses with their share of it.
type Spread<const N: usize> = HashMap<u32, Vec<([u32; N], f64)>>;

fn by_country<const N: usize>(weights: Weights<N>) -> Spread<N> {
    let mut spread: Spread<N> = HashMap::new();
    for ((country, classes), weight) in weights {
        spread.entry(country).or_default().push((classes, weight));
    }
    for parts in spread.values_mut() {
        let total: f64 = parts.iter().map(|(_, weight)| weight).sum();
        parts.iter_mut().for_each(|(_, weight)| *weight /= total);
    }
    spread
}

/// The maps by which clients are weighed.
struct Scale<'a, const N: usize> {
    countries: &'a Countries,
    maps: [&'a PrefixMap; N],
    /// A route without a map of its own has one class, 0.
    is_used: [bool; N],
}

impl<const N: usize> Scale<'_, N> {
    /// Spreads clients over a range: each address has so much weight.
    fn walk(&self, range: &AddressRange, density: f64, weights: &mut Weights<N>) {
        let mut add = |country: u32, classes: [u32; N], addresses: f64| {
            *weights.entry((country, classes)).or_insert(0.0) += addresses * density;
        };
        match self.maps.as_slice() {
            [first, second] => {
                let maps = [&self.countries.map, *first, *second];
                range.walk(maps, |[country, one, other], addresses| {
                    add(country, self.classes(&[one, other]), addresses);
                });
            }
            [first] => range.walk([&self.countries.map, *first], |[country, one], addresses| {
                add(country, self.classes(&[one]), addresses);
            }),
            _ => {}
        }
    }

    fn classes(&self, found: &[u32]) -> [u32; N] {
        let mut classes = [0; N];
        let used = self.is_used.iter().zip(found);
        for (class, (is_used, found)) in classes.iter_mut().zip(used) {
            *class = if *is_used { *found } else { 0 };
        }
        classes
    }

    /// Counts the clients of one line.
    fn count(
        &self,
        origin: Origin,
        weight: f64,
        space: &Spread<N>,
        unknown: [u32; N],
        weights: &mut Weights<N>,
    ) {
        let mut add = |country, classes, weight| {
            *weights.entry((country, classes)).or_insert(0.0) += weight;
        };
        let place = |code: CountryCode| {
            let at = self.countries.codes.iter().position(|known| *known == code)?;
            u32::try_from(at.saturating_add(1)).ok()
        };
        match origin {
            Origin::Network(network) => {
                let range = AddressRange::from(network);
                self.walk(&range, weight / range.addresses(), weights);
            }
            Origin::Country(code) => match place(code).and_then(|at| Some((at, space.get(&at)?))) {
                Some((at, parts)) => {
                    parts.iter().for_each(|(classes, share)| add(at, *classes, weight * share));
                }
                // The database has no address there, so that nobody who asks is found to be there.
                None => add(0, unknown, weight),
            },
            Origin::Nowhere => add(0, unknown, weight),
        }
    }
}

/// The two columns of a line.
fn split(line: &str) -> Result<(&str, &str), String> {
    let mut columns = line.split(',').map(|column| column.trim().trim_matches('"').trim());
    match (columns.next(), columns.next(), columns.next()) {
        (Some(origin), Some(count), None) => Ok((origin, count)),
        _ => Err("not two columns: write prefix,count or country,count".to_owned()),
    }
}

fn parse_origin(text: &str) -> Result<Origin, String> {
    if text == "unlocated" {
        return Ok(Origin::Nowhere);
    }
    if let Some(country) = CountryCode::parse(text) {
        return Ok(Origin::Country(country));
    }
    if let Some(country) = CountryCode::parse(&text.to_ascii_uppercase()) {
        return Err(format!("`{text}` is no country: did you mean {country}?"));
    }
    let network = match text.parse::<IpNet>() {
        Ok(network) => network,
        Err(_) => text.parse::<IpAddr>().map(IpNet::from).map_err(|_| {
            format!("`{text}` is neither a prefix, nor a country of ISO 3166-1, nor `unlocated`")
        })?,
    };
    if network.trunc() != network {
        return Err(format!(
            "`{text}` has bits behind its length: did you mean {}?",
            network.trunc()
        ));
    }
    Ok(Origin::Network(network))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        Clients::parse(text, Basis::Ipv4).unwrap_err().to_string()
    }

    #[test]
    fn both_kinds_of_lines_are_read_with_or_without_a_header() {
        let text = "prefix,count\n192.0.2.0/24, 5\nDE,2.5\n# a comment\n\n\"2001:db8::/32\",1\nunlocated,3\n10.0.0.1,1\n";
        let clients = Clients::parse(text, Basis::Ipv4).unwrap();
        let counts = clients.counts.unwrap();
        assert_eq!(counts.len(), 5);
        assert_eq!(counts[1], (Origin::Country(CountryCode::parse("DE").unwrap()), 2.5));
        assert_eq!(counts[3], (Origin::Nowhere, 3.0));
        assert_eq!(Clients::parse("US,1", Basis::Ipv4).unwrap().counts.unwrap().len(), 1);
    }

    #[test]
    fn mistakes_are_told_with_their_line() {
        assert_eq!(error("country,count\nde,5\n"), "line 2: `de` is no country: did you mean DE?");
        assert_eq!(error("DE,1\nUS,x\n"), "line 2: `x` is no count");
        assert_eq!(error("DE,-1\n"), "line 1: `-1` is no count");
        assert_eq!(error("DE,inf\n"), "line 1: `inf` is no count");
        assert_eq!(
            error("192.0.2.1/24,1"),
            "line 1: `192.0.2.1/24` has bits behind its length: did you mean 192.0.2.0/24?"
        );
        assert!(error("DE\n").starts_with("line 1: not two columns"));
        assert!(error("DE,1,2\n").starts_with("line 1: not two columns"));
        assert!(error("Germany,1\n").starts_with("line 1: `Germany` is neither"));
        assert_eq!(error("DE,0\n"), "it counts no clients");
        assert_eq!(error(""), "it counts no clients");
    }
}
