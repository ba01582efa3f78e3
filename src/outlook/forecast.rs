//! Which share of the clients goes to which pool: as things are assumed to be, and with everything up.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde::Serialize;

use super::clients::{Clients, Countries, Tally};
use super::with_selection;
use crate::geo::{Coordinates, CountryCode};
use crate::health::View;
use crate::policy::{Choice, End, Health, Policy, Routing, Rule, Target};
use crate::snapshot::{BoundRoute, Handout, Snapshot, ZoneRouting};
use crate::wire::{Name, RecordType};
use crate::zone::ZoneId;

/// How some clients' selections end.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EndForecast {
    /// The pool, the multivalue policy, `no data` or `SERVFAIL`.
    pub name: String,
    /// Nothing was up, and this is answered all the same.
    pub last_resort: bool,
    /// No endpoint of it is up.
    pub down: bool,
    /// Of all clients, 0 to 1.
    pub share: f64,
    /// With everything up.
    pub share_all_up: f64,
    /// Where the pool is, if the zone says so.
    #[serde(skip)]
    pub coordinates: Option<Coordinates>,
}

/// The clients of one country, or those whom nobody can place.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CountryForecast {
    /// ISO 3166-1 alpha-2.
    #[serde(serialize_with = "as_code")]
    pub country: Option<CountryCode>,
    /// Of all clients, 0 to 1.
    pub weight: f64,
    /// Of these clients, by the ends of the forecast.
    pub shares: Vec<f64>,
    pub shares_all_up: Vec<f64>,
}

fn as_code<S: serde::Serializer>(country: &Option<CountryCode>, to: S) -> Result<S::Ok, S::Error> {
    country.as_ref().map(CountryCode::as_str).serialize(to)
}

/// What becomes of the clients of some names that share a route.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Forecast {
    pub names: Vec<String>,
    #[serde(rename = "type")]
    pub rtype: String,
    /// The policy or pool that the names are routed by.
    pub target: String,
    /// Whether the place of a client makes a difference.
    pub depends_on_place: bool,
    /// The largest share first.
    pub ends: Vec<EndForecast>,
    /// The heaviest first.
    pub countries: Vec<CountryForecast>,
}

/// Makes forecasts of one generation.
#[derive(Debug)]
pub struct Forecaster<'a> {
    pub snapshot: &'a Snapshot,
    /// What is assumed to be up.
    pub view: &'a View,
    pub clients: &'a Clients,
    countries: Countries,
    /// By the address of a route's map.
    tallies: HashMap<usize, Arc<Tally<1>>>,
}

/// What names have in common that one forecast is about.
type Kinship = (ZoneId, Target, bool);

/// Ends with their shares, assumed and with all up.
type Ends = BTreeMap<End, [f64; 2]>;

impl<'a> Forecaster<'a> {
    pub fn new(snapshot: &'a Snapshot, view: &'a View, clients: &'a Clients) -> Self {
        let countries = Countries::of(&snapshot.atlas);
        Self { snapshot, view, clients, countries, tallies: HashMap::new() }
    }

    /// Forecasts of all names that are wanted and routed for a type, in the order of the zones and their names. Names with the
    /// same route share one.
    pub fn forecast(
        &mut self,
        rtype: RecordType,
        is_wanted: impl Fn(&Name) -> bool,
    ) -> Vec<Forecast> {
        let snapshot = self.snapshot;
        let mut groups: Vec<(&BoundRoute, Vec<&Name>)> = Vec::new();
        let mut places: HashMap<Kinship, usize> = HashMap::new();
        for (name, route) in snapshot.routed_names() {
            if !is_wanted(name) || !route.answers(rtype) {
                continue;
            }
            let place =
                *places.entry((route.zone, route.target, route.together)).or_insert_with(|| {
                    groups.push((route, Vec::new()));
                    groups.len().saturating_sub(1)
                });
            if let Some((_, names)) = groups.get_mut(place) {
                names.push(name);
            }
        }
        let forecasts =
            groups.iter().filter_map(|(route, names)| self.forecast_route(route, names, rtype));
        forecasts.collect()
    }

    fn forecast_route(
        &mut self,
        route: &BoundRoute,
        names: &[&Name],
        rtype: RecordType,
    ) -> Option<Forecast> {
        let routing = self.snapshot.routing(route.zone)?;
        let tally = self.tally(route);
        let by_class = self.by_class(route, rtype, &tally);
        let mut total = Ends::new();
        let mut countries: BTreeMap<Option<CountryCode>, (f64, Ends)> = BTreeMap::new();
        for ((country, [class]), weight) in tally.iter() {
            let (whole, ends) = countries.entry(*country).or_default();
            *whole += weight;
            for (end, shares) in by_class.get(class).into_iter().flatten() {
                add(total.entry(*end).or_default(), shares, *weight);
                add(ends.entry(*end).or_default(), shares, *weight);
            }
        }
        let mut order: Vec<(End, [f64; 2])> = total.into_iter().collect();
        order
            .sort_by(|(_, one), (_, other)| other.iter().sum::<f64>().total_cmp(&one.iter().sum()));
        let mut countries: Vec<CountryForecast> = countries
            .into_iter()
            .map(|(country, (weight, ends))| country_forecast(country, weight, &ends, &order))
            .collect();
        countries.sort_by(|one, other| other.weight.total_cmp(&one.weight));
        let ends = order.iter().map(|(end, shares)| self.describe(routing, route, *end, *shares));
        Some(Forecast {
            names: names.iter().map(ToString::to_string).collect(),
            rtype: rtype.to_string(),
            target: describe_target(&routing.named, route.target),
            depends_on_place: route.depends_on_place(),
            ends: ends.collect(),
            countries,
        })
    }

    fn tally(&mut self, route: &BoundRoute) -> Arc<Tally<1>> {
        let key = route.map().map_or(0, |map| Arc::as_ptr(map).addr());
        let (clients, countries) = (self.clients, &self.countries);
        let tally = self.tallies.entry(key).or_insert_with(|| {
            let map = route.map().map(|map| &**map);
            Arc::new(clients.tally(countries, [map], [route.unknown_class()]))
        });
        Arc::clone(tally)
    }

    /// The ends for the clients of each class.
    fn by_class(
        &self,
        route: &BoundRoute,
        rtype: RecordType,
        tally: &Tally<1>,
    ) -> HashMap<u32, Ends> {
        let all_up = View::new(self.snapshot.targets.len());
        let mut by_class: HashMap<u32, Ends> = HashMap::new();
        for ((_, [class]), _) in tally {
            by_class.entry(*class).or_insert_with(|| {
                let area = route.area_of(*class);
                let shares = |view: &View| {
                    with_selection(self.snapshot, view, route, rtype, area, |selection| {
                        selection.shares(route.target)
                    })
                };
                let mut ends = Ends::new();
                for (view, is_assumed) in [(self.view, true), (&all_up, false)] {
                    for (end, share) in shares(view).unwrap_or_default() {
                        let [assumed, before] = ends.entry(end).or_default();
                        *(if is_assumed { assumed } else { before }) += share;
                    }
                }
                ends
            });
        }
        by_class
    }

    fn describe(
        &self,
        routing: &ZoneRouting,
        route: &BoundRoute,
        end: End,
        [share, share_all_up]: [f64; 2],
    ) -> EndForecast {
        let target = match end.choice {
            Some(Choice::Endpoints(target)) => Some(target),
            _ => None,
        };
        let name = match (end.choice, target) {
            (_, Some(target)) => routing.named.target_name(target).to_owned(),
            (Some(Choice::ServFail), _) => "SERVFAIL".to_owned(),
            _ => "no data".to_owned(),
        };
        let pool = target.and_then(|target| routing.bound.handout(target));
        let is_alias = route.handout == Handout::Alias;
        let mut endpoints = pool.into_iter().flat_map(|pool| &pool.endpoints);
        let down = target.is_some()
            && endpoints.all(|endpoint| match endpoint.health.target() {
                Some(target) => !self.view.is_up(Some(target)),
                // Records that are no addresses follow those that are.
                None => !is_alias && endpoint.health != Health::Unchecked,
            });
        let coordinates = target.and_then(|target| coordinates_of(&routing.named, target));
        EndForecast {
            name,
            last_resort: end.is_last_resort,
            down,
            share,
            share_all_up,
            coordinates,
        }
    }
}

fn add(to: &mut [f64; 2], shares: &[f64; 2], weight: f64) {
    to.iter_mut().zip(shares).for_each(|(to, share)| *to += share * weight);
}

fn country_forecast(
    country: Option<CountryCode>,
    weight: f64,
    ends: &Ends,
    order: &[(End, [f64; 2])],
) -> CountryForecast {
    let of = |end: &End| ends.get(end).copied().unwrap_or_default().map(|share| share / weight);
    let shares: Vec<[f64; 2]> = order.iter().map(|(end, _)| of(end)).collect();
    CountryForecast {
        country,
        weight,
        shares: shares.iter().map(|[assumed, _]| *assumed).collect(),
        shares_all_up: shares.iter().map(|[_, all_up]| *all_up).collect(),
    }
}

fn describe_target(routing: &Routing, target: Target) -> String {
    let noun = if matches!(target, Target::Pool(_)) { "pool" } else { "policy" };
    format!("{noun} {}", routing.target_name(target))
}

/// Where a target is, by the policies that measure distances to it.
fn coordinates_of(routing: &Routing, target: Target) -> Option<Coordinates> {
    let at = |policy: &Policy| match &policy.rule {
        Rule::Geoproximity { sites, .. } => {
            sites.iter().find(|site| site.target == target).map(|site| site.coordinates)
        }
        Rule::Latency(latency) => {
            latency.targets.iter().find(|to| to.target == target).and_then(|to| to.coordinates)
        }
        _ => None,
    };
    routing.policies.iter().find_map(at)
}
