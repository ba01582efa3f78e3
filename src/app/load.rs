//! From files to the ingredients of a snapshot, with every complaint on the way.

use std::collections::HashSet;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use crate::config::{self, CompiledZone, DatabaseFacts, Diagnostic, Need, Rejected, Source};
use crate::geo::{AsnDatabase, Database, DatabaseError, Overrides, OverridesError};
use crate::snapshot::GeoSources;
use crate::store::{self, StoreError, ZoneFile};
use crate::wire::Name;

use super::settings::Settings;

/// All zone files of a directory, compiled.
#[derive(Debug)]
pub struct Loaded {
    pub sources: Vec<Source>,
    pub zones: Vec<CompiledZone>,
    /// For each zone, the place of its file among the sources.
    pub origins: Vec<usize>,
    pub warnings: Vec<Diagnostic>,
    /// By the path of the file.
    pub rejected: Vec<(String, Rejected)>,
}

impl Loaded {
    /// Reads and compiles. What is wrong with a file is in [`Loaded::rejected`]; an error is about the directory.
    pub fn read(directory: &Path) -> Result<Self, StoreError> {
        Ok(Self::compile(store::read_zones(directory)?))
    }

    /// Compiles what was read.
    pub fn compile(files: Vec<ZoneFile>) -> Self {
        let (sources, errors): (Vec<Source>, Vec<Option<StoreError>>) =
            files.into_iter().map(|file| (file.source, file.error)).unzip();
        let mut results = config::compile_zones(&sources);
        for ((source, error), result) in sources.iter().zip(errors).zip(&mut results) {
            if let Some(error) = error {
                *result = Err(Rejected::unreadable(source, &error.to_string()));
            }
        }
        let mut loaded = Self {
            sources: Vec::new(),
            zones: Vec::new(),
            origins: Vec::new(),
            warnings: Vec::new(),
            rejected: Vec::new(),
        };
        for ((place, source), result) in sources.iter().enumerate().zip(results) {
            match result {
                Ok((zone, warnings)) => {
                    loaded.zones.push(zone);
                    loaded.origins.push(place);
                    loaded.warnings.extend(warnings);
                }
                Err(rejected) => loaded.rejected.push((source.path.clone(), rejected)),
            }
        }
        Self { sources, ..loaded }
    }

    /// Compares what the zones ask for with what is known of clients; a zone that asks for more is refused.
    pub fn compare_databases(&mut self, geo: &GeoSources) {
        let facts = DatabaseFacts {
            has_subdivisions: geo.database.has_subdivisions(),
            has_coordinates: geo.database.has_coordinates(),
            has_asns: geo.has_asns(),
            kind: geo.database.kind().to_owned(),
        };
        self.compare_facts(&facts);
    }

    fn compare_facts(&mut self, facts: &DatabaseFacts) {
        let needs: Vec<Vec<Need>> = self.zones.iter().map(config::needs).collect();
        if needs.iter().all(Vec::is_empty) {
            return;
        }
        let zones = std::mem::take(&mut self.zones);
        let origins = std::mem::take(&mut self.origins);
        for ((zone, origin), needs) in zones.into_iter().zip(origins).zip(needs) {
            let source = &self.sources[origin];
            let mut found = config::compare_needs(source, &needs, facts);
            if found.iter().any(Diagnostic::is_error) {
                let path = source.path.clone();
                let is_of_zone = |warning: &Diagnostic| warning.path == path;
                found.extend(self.warnings.extract_if(.., |warning| is_of_zone(warning)));
                let rejected = Rejected { apex: Some(zone.apex), diagnostics: found };
                self.rejected.push((path, rejected));
            } else {
                self.warnings.extend(found);
                self.zones.push(zone);
                self.origins.push(origin);
            }
        }
        self.rejected.sort_by(|(one, _), (other, _)| one.cmp(other));
    }

    /// Zones whose files were refused and that no other file serves, each once.
    pub fn refused(&self) -> Vec<Name> {
        let mut refused: Vec<Name> = Vec::new();
        for apex in self.rejected.iter().filter_map(|(_, rejected)| rejected.apex.as_ref()) {
            if !refused.contains(apex) && !self.zones.iter().any(|zone| zone.apex == *apex) {
                refused.push(apex.clone());
            }
        }
        refused
    }

    /// The files of the zones that can be served; they are gone from here.
    pub fn take_served(&mut self) -> Vec<Source> {
        let origins: HashSet<usize> = self.origins.iter().copied().collect();
        let sources = std::mem::take(&mut self.sources).into_iter().enumerate();
        let served = sources.filter(|(place, _)| origins.contains(place));
        served.map(|(_, source)| source).collect()
    }

    /// One line per refused file.
    pub fn refusals(&self) -> Vec<String> {
        self.rejected.iter().map(|(path, rejected)| describe(path, rejected)).collect()
    }

    /// Every diagnostic: those of refused files, then warnings.
    pub fn diagnostics(&self) -> impl Iterator<Item = &Diagnostic> {
        self.rejected.iter().flat_map(|(_, rejected)| &rejected.diagnostics).chain(&self.warnings)
    }

    /// All diagnostics as text; empty if there are none.
    pub fn render(&self, styled: bool) -> String {
        let diagnostics: Vec<Diagnostic> = self.diagnostics().cloned().collect();
        let text_of = |path: &str| self.sources.iter().find_map(|source| source.text_of(path));
        config::render(&diagnostics, text_of, styled)
    }
}

fn describe(path: &str, rejected: &Rejected) -> String {
    let errors = rejected.diagnostics.iter().filter(|diagnostic| diagnostic.is_error()).count();
    let first = rejected.diagnostics.iter().find(|diagnostic| diagnostic.is_error());
    let line = first.and_then(Diagnostic::line).map_or(String::new(), |line| format!(":{line}"));
    let message = first.map_or("", |diagnostic| diagnostic.message.as_str());
    let more = if errors > 1 { format!(" (and {} more)", errors - 1) } else { String::new() };
    let zone = rejected.apex.as_ref().map_or_else(String::new, |apex| format!("{apex} in "));
    format!("{zone}{path}{line}: {message}{more}")
}

/// Why there is no geo database.
#[derive(Debug)]
pub enum LoadError {
    Store(StoreError),
    Database { path: String, error: DatabaseError },
    Overrides(OverridesError),
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(error) => error.fmt(f),
            Self::Database { path, error } => write!(f, "{path}: {error}"),
            Self::Overrides(error) => write!(f, "[geo] overrides: {error}"),
        }
    }
}

impl std::error::Error for LoadError {}

/// Reads the geo databases of these settings.
///
/// # Errors
/// One can't be read, or the overrides contradict each other.
pub fn read_sources(settings: &Settings) -> Result<GeoSources, LoadError> {
    let overrides = Overrides::new(settings.overrides.iter().copied());
    Ok(GeoSources {
        database: read_database(settings.geodb.as_deref())?,
        asn: settings.asndb.as_deref().map(read_asn_database).transpose()?,
        overrides: Arc::new(overrides.map_err(LoadError::Overrides)?),
    })
}

/// Reads the geo database: the file, or the built-in one.
fn read_database(path: Option<&Path>) -> Result<Arc<Database>, LoadError> {
    let octets = path.map(store::read_database_file).transpose().map_err(LoadError::Store)?;
    let result = octets.map_or_else(Database::built_in, |octets| Database::read(&octets));
    let name = path.map_or("the built-in database".to_owned(), |path| path.display().to_string());
    result.map(Arc::new).map_err(|error| LoadError::Database { path: name, error })
}

/// Reads the database of autonomous systems.
fn read_asn_database(path: &Path) -> Result<Arc<AsnDatabase>, LoadError> {
    let octets = store::read_database_file(path).map_err(LoadError::Store)?;
    let result = AsnDatabase::read(&octets);
    let path = path.display().to_string();
    result.map(Arc::new).map_err(|error| LoadError::Database { path, error })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone_file(apex: &str, policy: &str) -> ZoneFile {
        let text = format!(
            "zone = \"{apex}\"\n[pool.p]\naddresses = \"192.0.2.1\"\nlocation = \"US\"\n[policy.x]\n{policy}\n[names]\n\
             \"@\" = {{ SOA = \"ns1 h\", NS = [\"ns1\", \"ns2\"] }}\nns1 = {{ A = \"192.0.2.1\" }}\n\
             ns2 = {{ A = \"192.0.2.2\" }}\nwww = {{ policy = \"x\" }}\n"
        );
        ZoneFile { source: Source::new(format!("{apex}.toml"), text, 1), error: None }
    }

    #[test]
    fn zones_that_ask_for_more_than_a_database_knows_are_refused() {
        let mut loaded = Loaded::compile(vec![
            zone_file("a.example", "type = \"failover\"\ntargets = [\"p\"]"),
            zone_file("b.example", "type = \"geolocation\"\nasn.64500 = \"p\""),
            zone_file("c.example", "type = \"geoproximity\"\ntargets = [\"p\"]\ndefault = \"p\""),
        ]);
        assert!(
            loaded.rejected.is_empty() && loaded.warnings.len() == 1,
            "{}",
            loaded.render(false)
        );
        loaded.compare_facts(&DatabaseFacts::default());
        assert_eq!(loaded.origins, [0, 2]);
        let apexes: Vec<String> = loaded.zones.iter().map(|zone| zone.apex.to_string()).collect();
        assert_eq!(apexes, ["a.example.", "c.example."]);
        let [(path, rejected)] = loaded.rejected.as_slice() else { panic!() };
        assert_eq!(
            (path.as_str(), rejected.diagnostics.len()),
            ("b.example.toml", 2),
            "its warning, too"
        );
        assert!(loaded.warnings.is_empty(), "one target has no neighbour: {:?}", loaded.warnings);
    }

    #[test]
    fn databases_are_not_asked_for_what_nobody_needs() {
        let plain = "type = \"failover\"\ntargets = [\"p\"]";
        let mut loaded = Loaded::compile(vec![zone_file("a.example", plain)]);
        loaded.compare_facts(&DatabaseFacts::default());
        assert_eq!(loaded.zones.len(), 1);
    }
}
