//! What the operator knows better than any database: prefixes that are somewhere else, or of another autonomous system.
//!
//! They hold in special-purpose space too, where no database is believed: an office in 10.1.0.0/16 is where they say. Neighbour:
//! `atlas.rs` lays them over the databases. Invariants: in order of address, no prefix twice, none with host bits.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::limits::GEO_OVERRIDES;

use super::asn::Asn;
use super::coordinates::Coordinates;
use super::country::CountryCode;
use super::location::Location;
use super::nesting;
use super::prefix::canonical;
use super::subdivision::Subdivision;

/// What is said of one prefix. What is left out comes from the next shorter override, and at last from the databases.
///
/// A country or a subdivision replaces the whole place, coordinates too: those of the old place would be wrong. Coordinates
/// alone, or an autonomous system, replace nothing else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Override {
    /// If there is a subdivision, its own country counts.
    pub country: Option<CountryCode>,
    pub subdivision: Option<Subdivision>,
    pub coordinates: Option<Coordinates>,
    pub asn: Option<Asn>,
}

impl Override {
    /// Does it say anything of the place?
    pub fn is_place(&self) -> bool {
        self.replaces_place() || self.coordinates.is_some()
    }

    /// Does nothing remain of the place that was known?
    fn replaces_place(&self) -> bool {
        self.country.is_some() || self.subdivision.is_some()
    }

    /// The place, where `known` is what everybody else says.
    pub(super) fn apply(&self, known: Location) -> Location {
        if !self.replaces_place() {
            return Location { coordinates: self.coordinates.or(known.coordinates), ..known };
        }
        Location {
            country: self.subdivision.map(Subdivision::country).or(self.country),
            subdivision: self.subdivision,
            district: None,
            coordinates: self.coordinates,
        }
    }

    /// Both as one, where `outer` is of the next shorter prefix.
    fn inside(self, outer: Self) -> Self {
        let asn = self.asn.or(outer.asn);
        if self.replaces_place() {
            return Self { asn, ..self };
        }
        Self { asn, coordinates: self.coordinates.or(outer.coordinates), ..outer }
    }
}

/// All overrides of one settings file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    networks: Vec<IpNet>,
    own: Vec<Override>,
    /// Each with all that shorter prefixes add.
    whole: Vec<Override>,
    parents: Vec<Option<u32>>,
}

impl Overrides {
    /// Overrides in any order. Host bits are cut off, and prefixes inside ::ffff:0:0/96 are those of IPv4.
    pub fn new(list: impl IntoIterator<Item = (IpNet, Override)>) -> Result<Self, OverridesError> {
        let mut list: Vec<(IpNet, Override)> =
            list.into_iter().map(|(network, said)| (canonical(network), said)).collect();
        if list.len() > GEO_OVERRIDES {
            return Err(OverridesError::TooMany);
        }
        list.sort_by_key(|(network, _)| *network);
        if let Some((network, _)) = list
            .iter()
            .zip(list.iter().skip(1))
            .find_map(|(one, next)| (one.0 == next.0).then_some(one))
        {
            return Err(OverridesError::Twice(*network));
        }
        let (networks, own): (Vec<IpNet>, Vec<Override>) = list.into_iter().unzip();
        let parents = nesting::parents(&networks);
        let mut whole: Vec<Override> = Vec::with_capacity(own.len());
        for (said, parent) in own.iter().zip(&parents) {
            let outer = parent.and_then(|parent| whole.get(parent as usize)).copied();
            whole.push(said.inside(outer.unwrap_or_default()));
        }
        Ok(Self { networks, own, whole, parents })
    }

    /// Are there none?
    pub fn is_empty(&self) -> bool {
        self.networks.is_empty()
    }

    /// All prefixes in order of address, each with what it says itself.
    pub fn iter(&self) -> impl Iterator<Item = (IpNet, Override)> {
        self.networks.iter().copied().zip(self.own.iter().copied())
    }

    /// What an override and all around it say together, by its place among [`Overrides::iter`].
    pub(super) fn whole(&self, at: u32) -> Override {
        self.whole.get(at as usize).copied().unwrap_or_default()
    }

    /// The longest override that holds an address.
    pub(super) fn find(&self, address: IpAddr) -> Option<u32> {
        nesting::innermost(&self.networks, &self.parents, address.to_canonical())
    }

    /// The longest prefix that says anything of the place, from this one outwards.
    pub(super) fn place_network(&self, at: u32) -> Option<IpNet> {
        let mut next = Some(at as usize);
        while let Some(at) = next {
            if self.own.get(at)?.is_place() {
                return self.networks.get(at).copied();
            }
            next = self.parents.get(at).copied().flatten().map(|parent| parent as usize);
        }
        None
    }
}

/// Why overrides cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OverridesError {
    /// The prefix has two.
    Twice(IpNet),
    /// More than [`GEO_OVERRIDES`].
    TooMany,
}

impl fmt::Display for OverridesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Twice(network) => write!(f, "{network} has two overrides: remove one"),
            Self::TooMany => {
                write!(f, "more than {GEO_OVERRIDES} overrides: put them into a database")
            }
        }
    }
}

impl std::error::Error for OverridesError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> IpNet {
        text.parse().unwrap()
    }

    fn country(code: &str) -> Override {
        Override { country: CountryCode::parse(code), ..Override::default() }
    }

    #[test]
    fn prefixes_are_unique() {
        let twice = Overrides::new([
            (network("10.0.0.0/8"), country("DE")),
            (network("::ffff:10.1.0.0/104"), country("FR")),
        ]);
        assert_eq!(twice.unwrap_err(), OverridesError::Twice(network("10.0.0.0/8")));
        assert!(OverridesError::Twice(network("10.0.0.0/8")).to_string().contains("10.0.0.0/8"));
    }

    #[test]
    fn longer_ones_keep_what_they_do_not_say() {
        let coordinates = Coordinates::new(48.86, 2.35);
        let asn = Some(Asn(64_500));
        let overrides = Overrides::new([
            (network("10.1.0.0/16"), Override { asn, ..Override::default() }),
            (network("10.1.1.0/24"), Override { coordinates, ..Override::default() }),
            (network("10.0.0.0/8"), country("FR")),
            (network("10.1.1.128/25"), country("DE")),
        ])
        .unwrap();
        let known = Location { country: CountryCode::parse("US"), ..Location::default() };
        let place = |at| overrides.whole(at).apply(known);
        let france = Location { country: CountryCode::parse("FR"), ..Location::default() };
        assert_eq!((place(1), overrides.whole(1).asn), (france, asn));
        assert_eq!((place(2), overrides.whole(2).asn), (Location { coordinates, ..france }, asn));
        assert_eq!(place(3), country("DE").apply(known), "coordinates of the old place are gone");
        assert_eq!(overrides.place_network(1), Some(network("10.0.0.0/8")));
        assert_eq!(overrides.place_network(2), Some(network("10.1.1.0/24")));
    }

    #[test]
    fn coordinates_alone_keep_the_country() {
        let coordinates = Coordinates::new(48.86, 2.35);
        let known = Location { country: CountryCode::parse("US"), ..Location::default() };
        let said = Override { coordinates, ..Override::default() };
        assert_eq!(said.apply(known), Location { coordinates, ..known });
        let subdivision = Subdivision::parse("US-CA");
        let said = Override { subdivision, ..country("FR") };
        assert_eq!(said.apply(Location::default()).country, CountryCode::parse("US"));
    }
}
