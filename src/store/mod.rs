//! Where zones and settings come from: files, read whole. And what of health outlives the process.
//!
//! | file | owns |
//! |---|---|
//! | this one | zone files, settings files and geo databases |
//! | `journal` | the log of events |
//! | `state`, `ledger` | the last view, overrides and events in the state directory |
//!
//! Files are read once per load and closed again; nothing is mapped, so that a file that is truncated while the server runs
//! harms nothing. What is read is turned into [`Source`]s, and that is all the rest of the program sees.

mod journal;
mod ledger;
mod state;

pub use journal::Journal;
pub use state::{Memories, OverrideList, Recalled, STATE_THREAD_NAME, State, Unpersisted};

use std::fmt;
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use crate::config::{Included, Source, table_names};
use crate::limits::{
    DATABASE_OCTETS, INCLUDED_FILES, MASTER_OCTETS, TABLE_OCTETS, ZONE_FILE_OCTETS, ZONE_TABLES,
};
use crate::zone::master::included_names;

/// What could not be read.
#[derive(Debug)]
pub struct StoreError {
    path: PathBuf,
    problem: Problem,
}

#[derive(Debug)]
enum Problem {
    Io(io::Error),
    NoDirectory,
    NoZones,
    /// A directory, a pipe, a device: none of them has an end that could be relied on.
    NoFile,
    TooLarge {
        octets: u64,
        most: usize,
    },
    NotUtf8,
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match &self.problem {
            Problem::Io(error) if error.kind() == io::ErrorKind::NotFound => {
                write!(f, "{path} does not exist")
            }
            Problem::Io(error) => write!(f, "can't read {path}: {error}"),
            Problem::NoFile => write!(f, "{path} is no regular file"),
            Problem::NoDirectory => {
                write!(
                    f,
                    "{path} does not exist: name the directory of the zone files with --zones"
                )
            }
            Problem::NoZones => {
                write!(f, "{path} holds no zone file: one whose name ends in .toml or .zone")
            }
            Problem::TooLarge { octets, most } => {
                write!(f, "{path} has {octets} octets or more, {most} is the most for such a file")
            }
            Problem::NotUtf8 => write!(f, "{path} is not UTF-8 text"),
        }
    }
}

impl std::error::Error for StoreError {}

fn fail(path: &Path, problem: Problem) -> StoreError {
    StoreError { path: path.to_owned(), problem }
}

/// A zone file as far as it could be read.
#[derive(Debug)]
pub struct ZoneFile {
    /// What is not UTF-8 in the text was replaced.
    pub source: Source,
    /// Why the file can't be used whatever its text says.
    pub error: Option<StoreError>,
}

/// Reads every zone file of a directory, in order of name. Files whose names begin with a dot are passed over: editors and
/// Kubernetes keep their own there. A file that can't be read is among them, with the error: it is one zone's trouble. An
/// error of the directory is everybody's.
pub fn read_zones(directory: &Path) -> Result<Vec<ZoneFile>, StoreError> {
    let io = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => fail(directory, Problem::NoDirectory),
        _ => fail(directory, Problem::Io(error)),
    };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(io)? {
        let path = entry.map_err(io)?.path();
        let is_hidden =
            path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        let is_zone = path.extension().is_some_and(|end| end == "toml" || end == "zone");
        if is_zone && !is_hidden && !path.is_dir() {
            paths.push(path);
        }
    }
    if paths.is_empty() {
        return Err(fail(directory, Problem::NoZones));
    }
    paths.sort();
    Ok(paths.iter().map(|path| read_zone(path)).collect())
}

/// Reads these zone files, and every zone file of those that are directories.
///
/// # Errors
/// One of the directories can't be read. A file that can't be is among them, with the error.
pub fn read_paths(paths: &[PathBuf]) -> Result<Vec<ZoneFile>, StoreError> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            files.extend(read_zones(path)?);
        } else {
            files.push(read_zone(path));
        }
    }
    Ok(files)
}

/// Reads one zone file, as far as that is possible, with the files that it names: TOML, or a master file if its name ends in
/// `.zone`.
pub fn read_zone(path: &Path) -> ZoneFile {
    let is_master = path.extension().is_some_and(|extension| extension == "zone");
    match if is_master {
        read_master(path)
    } else {
        read_source(path).map(|source| add_tables(path, source))
    } {
        Ok(source) => ZoneFile { source, error: None },
        Err(error) => {
            // Its zone may still be made out, so that its queries get SERVFAIL.
            let text = match error.problem {
                Problem::NotUtf8 => read_checked(path).unwrap_or_default().0,
                _ => Vec::new(),
            };
            let text = String::from_utf8_lossy(&text).into_owned();
            let source = Source::new(path.display().to_string(), text, 0);
            ZoneFile { source, error: Some(error) }
        }
    }
}

/// Reads one file as text.
pub fn read_source(path: &Path) -> Result<Source, StoreError> {
    let (octets, modified) = read_checked(path)?;
    let text = String::from_utf8(octets).map_err(|_| fail(path, Problem::NotUtf8))?;
    Ok(Source::new(path.display().to_string(), text, modified))
}

/// Reads the latency tables of a zone in TOML. One that can't be read is the author's mistake, told where it is named; a change
/// of one is a change of the zone.
fn add_tables(zone_path: &Path, mut source: Source) -> Source {
    let mut octets = 0;
    for (count, name) in table_names(&source.text).into_iter().enumerate() {
        let path = zone_path.with_file_name(&name);
        let text = if count < ZONE_TABLES && octets <= MASTER_OCTETS {
            read_table(&path).map_err(|error| error.to_string())
        } else {
            Err("the zone has too many latency tables, or too much text in them".to_owned())
        };
        if let Ok((text, modified)) = &text {
            octets += text.len();
            source.modified = source.modified.max(*modified);
        }
        let text = text.map(|(text, _)| text);
        source.included.push(Included { by: 0, name, path: path.display().to_string(), text });
    }
    source
}

fn read_table(path: &Path) -> Result<(String, u32), StoreError> {
    let (octets, metadata) = read_at_most(path, TABLE_OCTETS)?;
    let text = String::from_utf8(octets).map_err(|_| fail(path, Problem::NotUtf8))?;
    Ok((text, modified_of(&metadata)))
}

/// Octets of a file of bearable size, and when it was last changed, in seconds since 1970.
fn read_checked(path: &Path) -> Result<(Vec<u8>, u32), StoreError> {
    let (octets, metadata) = read_at_most(path, ZONE_FILE_OCTETS)?;
    Ok((octets, modified_of(&metadata)))
}

fn modified_of(metadata: &Metadata) -> u32 {
    let modified = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    // Serial numbers count modulo 2^32 (RFC 1982), so that the lower half of the seconds is what is wanted for ever.
    modified.map_or(0, |age| (age.as_secs() & u64::from(u32::MAX)) as u32)
}

/// Reads a regular file of at most so many octets. A pipe or a device in its place is an error, not a wait without an end.
fn read_at_most(path: &Path, most: usize) -> Result<(Vec<u8>, Metadata), StoreError> {
    let io = |error| fail(path, Problem::Io(error));
    let file = File::options().read(true).custom_flags(libc::O_NONBLOCK).open(path).map_err(io)?;
    let metadata = file.metadata().map_err(io)?;
    if !metadata.is_file() {
        return Err(fail(path, Problem::NoFile));
    }
    let too_large = |octets| Err(fail(path, Problem::TooLarge { octets, most }));
    let limit = u64::try_from(most).unwrap_or(u64::MAX);
    if metadata.len() > limit {
        return too_large(metadata.len());
    }
    let mut octets = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or(0));
    // It may have grown since.
    let read = file.take(limit.saturating_add(1)).read_to_end(&mut octets).map_err(io)?;
    if read > most { too_large(limit.saturating_add(1)) } else { Ok((octets, metadata)) }
}

/// Reads a master file and every file that it includes. Names of included files are relative to the file that includes.
///
/// # Errors
/// Only if the file itself can't be read. What it includes is the author's, and told as a mistake of the file.
pub fn read_master(path: &Path) -> Result<Source, StoreError> {
    let (text, modified) = read_text(path)?;
    let mut octets = text.len();
    let mut files = vec![Reached { path: path.to_owned(), by: 0, names: included_names(&text) }];
    let mut source = Source::new(path.display().to_string(), text, modified);
    let mut by = 0;
    while let Some(Reached { path, names, .. }) = files.get(by).cloned() {
        for name in names {
            let path = path.with_file_name(&name);
            let text = if source.included.len() >= INCLUDED_FILES || octets > MASTER_OCTETS {
                Err("the zone has too many files, or too much text in them".to_owned())
            } else if is_open(&files, by, &path) {
                Err("it includes itself".to_owned())
            } else {
                read_text(&path).map(|(text, _)| text).map_err(|error| error.to_string())
            };
            octets += text.as_ref().map_or(0, String::len);
            let names = text.as_deref().map(included_names).unwrap_or_default();
            files.push(Reached { path: path.clone(), by, names });
            source.included.push(Included { by, name, path: path.display().to_string(), text });
        }
        by += 1;
    }
    Ok(source)
}

/// A file of a zone, the file that includes it, and the names that it includes itself.
#[derive(Clone)]
struct Reached {
    path: PathBuf,
    by: usize,
    names: Vec<String>,
}

/// Whether a file is the one at `by`, or one that includes that one, at any depth.
fn is_open(files: &[Reached], by: usize, path: &Path) -> bool {
    let Ok(path) = path.canonicalize() else { return false };
    let mut place = by;
    while let Some(file) = files.get(place) {
        if file.path.canonicalize().is_ok_and(|open| open == path) {
            return true;
        }
        if place == 0 {
            return false;
        }
        place = file.by;
    }
    false
}

/// Reads a master file as text. Octets beyond ASCII in a file that is not UTF-8 (comments in Latin-1, most times) become decimal
/// escapes, which mean the same (RFC 1035 §5.1).
fn read_text(path: &Path) -> Result<(String, u32), StoreError> {
    let (octets, modified) = read_checked(path)?;
    let text = String::from_utf8(octets).unwrap_or_else(|error| escape_octets(error.as_bytes()));
    Ok((text, modified))
}

fn escape_octets(octets: &[u8]) -> String {
    let mut text = String::with_capacity(octets.len());
    let mut is_escaped = false;
    for &octet in octets {
        match (octet.is_ascii(), is_escaped) {
            (true, _) => text.push(char::from(octet)),
            // The backslash before it begins the decimal escape.
            (false, true) => text.push_str(&format!("{octet:03}")),
            (false, false) => text.push_str(&format!("\\{octet:03}")),
        }
        is_escaped = octet == b'\\' && !is_escaped;
    }
    text
}

/// Reads a geo database as octets.
pub fn read_database_file(path: &Path) -> Result<Vec<u8>, StoreError> {
    read_at_most(path, DATABASE_OCTETS).map(|(octets, _)| octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory of its own, gone with it.
    pub(super) struct Directory(PathBuf);

    impl Directory {
        pub(super) fn create(what: &str) -> Self {
            let name = format!("meridian-{what}-{}", std::process::id());
            let path = std::env::temp_dir().join(name);
            let _ = std::fs::remove_dir_all(&path);
            std::fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        pub(super) fn path(&self) -> &Path {
            &self.0
        }
    }

    impl Drop for Directory {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn octets_beyond_ascii_mean_the_same_as_their_escapes() {
        assert_eq!(escape_octets(b"a\xe9 \\\xdc \\\\\xdc"), r"a\233 \220 \\\220");
    }

    /// A pipe kept a reload waiting for ever, a device took all memory.
    #[test]
    fn what_has_no_end_is_not_read() {
        let error = read_source(Path::new("/dev/zero")).unwrap_err().to_string();
        assert_eq!(error, "/dev/zero is no regular file");
    }

    #[test]
    fn a_file_that_includes_itself_is_read_once() {
        let directory = std::env::temp_dir().join(format!("meridian-loop-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let path = directory.join("loop.zone");
        std::fs::write(&path, "$INCLUDE loop.zone\n$INCLUDE other.inc\n").unwrap();
        std::fs::write(directory.join("other.inc"), "$INCLUDE ./loop.zone\n").unwrap();
        let source = read_master(&path).unwrap();
        std::fs::remove_dir_all(&directory).unwrap();
        let texts: Vec<_> = source.included.iter().map(|included| included.text.clone()).collect();
        let itself = || Err("it includes itself".to_owned());
        assert_eq!(texts, [itself(), Ok("$INCLUDE ./loop.zone\n".to_owned()), itself()]);
    }

    #[test]
    fn latency_tables_are_read_with_their_zone() {
        let directory = std::env::temp_dir().join(format!("meridian-table-{}", std::process::id()));
        std::fs::create_dir_all(directory.join("tables")).unwrap();
        let policy = |name: &str, table: &str| {
            format!("[policy.{name}]\ntype = \"latency\"\ntable = \"{table}\"\n")
        };
        let text = [
            policy("a", "tables/one.csv"),
            policy("b", "tables/one.csv"),
            policy("c", "gone.csv"),
            policy("d", "../secret"),
            policy("e", "/etc/passwd"),
            policy("f", "tables"),
            policy("g", "latin.csv"),
        ];
        std::fs::write(directory.join("z.toml"), text.concat()).unwrap();
        let table = directory.join("tables/one.csv");
        std::fs::write(&table, "192.0.2.0/24,us,1\n").unwrap();
        std::fs::write(directory.join("latin.csv"), b"# caf\xe9\n").unwrap();
        let later =
            std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(4_000_000_000);
        File::options().write(true).open(&table).unwrap().set_modified(later).unwrap();
        let source = read_zone(&directory.join("z.toml")).source;
        std::fs::remove_dir_all(&directory).unwrap();
        let names: Vec<&str> = source.included.iter().map(|table| &*table.name).collect();
        assert_eq!(names, ["tables/one.csv", "gone.csv", "tables", "latin.csv"]);
        assert_eq!(source.included[0].text.as_deref(), Ok("192.0.2.0/24,us,1\n"));
        for (table, why) in source.included[1..].iter().zip(["exist", "regular file", "UTF-8"]) {
            assert!(table.text.as_ref().unwrap_err().contains(why), "{:?}", table.text);
        }
        assert_eq!(source.modified, 4_000_000_000, "the later time");
    }

    /// One file that is not text kept every zone from being served.
    #[test]
    fn a_file_that_can_not_be_read_is_its_own_trouble() {
        let directory = std::env::temp_dir().join(format!("meridian-store-{}", std::process::id()));
        std::fs::create_dir_all(directory.join("old.toml")).unwrap();
        std::fs::write(directory.join("a.toml"), "zone = \"a.example\"").unwrap();
        std::fs::write(directory.join("b.toml"), b"zone = \"b.example\" # caf\xe9").unwrap();
        std::fs::write(directory.join(".hidden.toml"), "").unwrap();
        std::os::unix::fs::symlink("/nowhere", directory.join("c.toml")).unwrap();
        let files = read_zones(&directory).unwrap();
        std::fs::remove_dir_all(&directory).unwrap();
        let errors: Vec<bool> = files.iter().map(|file| file.error.is_some()).collect();
        assert_eq!(errors, [false, true, true]);
        assert!(
            files[1].source.text.starts_with("zone = \"b.example\""),
            "its zone can still be told"
        );
    }
}
