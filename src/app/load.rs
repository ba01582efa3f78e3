//! From files to the ingredients of a snapshot, with every complaint on the way.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use crate::config::{self, CompiledZone, Diagnostic, Rejected, Source};
use crate::geo::{Database, DatabaseError};
use crate::store::{self, StoreError, ZoneFile};
use crate::wire::Name;

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
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(error) => error.fmt(f),
            Self::Database { path, error } => write!(f, "{path}: {error}"),
        }
    }
}

impl std::error::Error for LoadError {}

/// Reads the geo database: the file, or the built-in one.
pub fn read_database(path: Option<&Path>) -> Result<Arc<Database>, LoadError> {
    let octets = path.map(store::read_database_file).transpose().map_err(LoadError::Store)?;
    let result = octets.map_or_else(Database::built_in, |octets| Database::read(&octets));
    let name = path.map_or("the built-in database".to_owned(), |path| path.display().to_string());
    result.map(Arc::new).map_err(|error| LoadError::Database { path: name, error })
}
