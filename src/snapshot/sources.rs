//! What is known of clients beside the zones: geo databases, and what the operator knows better.

use std::collections::BTreeSet;
use std::sync::Arc;

use ipnet::IpNet;

use crate::geo::{
    Asn, AsnDatabase, Atlas, AtlasError, AtlasParts, Database, LatencyTable, Overrides,
};
use crate::policy::{Place, Routing};

/// The parts of an atlas that zones do not bring along. Cheap to clone.
#[derive(Clone, Debug)]
pub struct GeoSources {
    pub database: Arc<Database>,
    pub asn: Option<Arc<AsnDatabase>>,
    pub overrides: Arc<Overrides>,
}

impl GeoSources {
    /// A database of places alone.
    pub fn of(database: Arc<Database>) -> Self {
        Self { database, asn: None, overrides: Arc::default() }
    }

    /// Whether any client's autonomous system is known.
    pub fn has_asns(&self) -> bool {
        self.asn.is_some() || self.overrides.iter().any(|(_, said)| said.asn.is_some())
    }

    /// What the databases do not know and some tree asks for: nothing, most times.
    pub fn missing<'r>(
        &self,
        mut routings: impl Iterator<Item = &'r Routing>,
    ) -> Option<&'static str> {
        routings.find_map(|routing| {
            let named = routing.places_named();
            let asks = |is_such: fn(&Place) -> bool| named.iter().any(is_such);
            let subdivisions = asks(|place| matches!(place, Place::Subdivision(_)));
            let asns = asks(|place| matches!(place, Place::Asn(_)));
            if subdivisions && !self.database.has_subdivisions() {
                return Some("subdivisions");
            }
            (asns && !self.has_asns()).then_some("autonomous systems")
        })
    }

    /// The atlas for the trees of some zones: cut where any of them looks.
    ///
    /// # Errors
    /// Databases and zones together tell more apart than [`crate::limits`] allows.
    pub fn atlas<'r>(
        &self,
        routings: impl Iterator<Item = &'r Routing>,
    ) -> Result<Atlas, AtlasError> {
        let mut named = Named::default();
        routings.for_each(|routing| named.add(routing));
        Atlas::build(AtlasParts {
            database: Arc::clone(&self.database),
            asn: self.asn.clone(),
            overrides: &self.overrides,
            networks: &named.networks,
            asns: &named.asns,
            tables: &named.tables,
        })
    }
}

/// What the trees of zones name.
#[derive(Debug, Default)]
struct Named {
    networks: Vec<IpNet>,
    asns: BTreeSet<Asn>,
    tables: Vec<Arc<LatencyTable>>,
}

impl Named {
    fn add(&mut self, routing: &Routing) {
        routing.places_named().into_iter().for_each(|place| self.place(place));
        for table in &routing.tables {
            if !self.tables.iter().any(|known| Arc::ptr_eq(known, table)) {
                self.tables.push(Arc::clone(table));
            }
        }
    }

    fn place(&mut self, place: Place) {
        match place {
            Place::Network(network) => self.networks.push(network),
            Place::Asn(asn) => {
                self.asns.insert(asn);
            }
            _ => {}
        }
    }
}
