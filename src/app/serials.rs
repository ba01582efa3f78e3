//! What serial each zone was last served with, over reloads and, with `--state`, over restarts.
//!
//! The rule for the next serial is `config::derive_serial`; here is the memory that it needs. A generation's serials are
//! assigned before it is compiled, and remembered and written only when it is served, so that a reload that is refused
//! changes nothing. A zone whose file is gone or refused keeps its entry, as it may come back.
//!
//! ```text
//! compiled zones ─ assign ─▶ zones with serials ─▶ snapshot ─ published ─▶ remember ─▶ DIR/serials.json
//! ```
//!
//! The file is a convenience, never a reason not to serve: one that can't be read or written is reported, and what it would
//! have told is done without.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::config::{CompiledZone, Digest, ServedSerial, derive_serial};
use crate::limits::SERIALS_FILE_OCTETS;
use crate::wire::{Name, Serial};

const FILE_NAME: &str = "serials.json";
/// Written first and then renamed, so that the file is the old one or the new one and never a part of one.
const UNFINISHED_NAME: &str = ".serials.json.new";
/// Locked by the process that has the directory.
const LOCK_NAME: &str = ".lock";

/// What the file's format is called; another one is not read.
const FORMAT: u32 = 1;

/// The `--state` directory can't be made or is another process's.
#[derive(Debug)]
pub struct StateError {
    directory: PathBuf,
    error: io::Error,
}

impl fmt::Display for StateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let directory = self.directory.display();
        write!(
            f,
            "can't use the state directory {directory}: {}\n  name another with --state, or leave it out to keep nothing",
            self.error
        )
    }
}

impl std::error::Error for StateError {}

/// The serials of one generation, which nobody serves yet.
#[must_use = "serials that are served have to be remembered"]
pub(super) struct Assigned(Vec<(Name, ServedSerial)>);

/// What was served last.
pub(super) struct Serials {
    served: BTreeMap<Name, ServedSerial>,
    /// Where it outlives the process.
    directory: Option<PathBuf>,
    /// Whether the file says something else; a write that failed is tried again.
    is_unwritten: bool,
    /// Held while the process lives: two of them would forget each other's zones.
    _lock: Option<File>,
}

/// The file's contents.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Memory {
    format: u32,
    /// By apex, as people write it.
    zones: BTreeMap<String, Entry>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    serial: u32,
    /// Sixteen hexadecimal digits: many readers of JSON take a number of 64 bits for a fraction.
    digest: String,
}

impl Serials {
    /// Remembers what the directory does, which is made if it is missing; without one, nothing.
    ///
    /// # Errors
    /// The directory is missing and can't be made, or another process has it.
    pub(super) fn open(directory: Option<&Path>) -> Result<Self, StateError> {
        let Some(directory) = directory else {
            tracing::info!(
                "no --state directory: a restart forgets serials; those taken from the files' times may go back with them"
            );
            return Ok(Self {
                served: BTreeMap::new(),
                directory: None,
                is_unwritten: false,
                _lock: None,
            });
        };
        let fail = |error| StateError { directory: directory.to_owned(), error };
        fs::create_dir_all(directory).map_err(fail)?;
        let lock = lock(directory).map_err(fail)?;
        let path = directory.join(FILE_NAME);
        let served = match read(&path) {
            Ok(served) => {
                tracing::info!(path = %path.display(), zones = served.len(), "serials are remembered");
                served
            }
            Err(why) => {
                tracing::error!(path = %path.display(), "serials are forgotten, they may go back: {why}");
                BTreeMap::new()
            }
        };
        let directory = Some(directory.to_owned());
        Ok(Self { served, directory, is_unwritten: false, _lock: Some(lock) })
    }

    /// Gives every zone that has none of its own a serial.
    pub(super) fn assign(&self, zones: &mut [CompiledZone]) -> Assigned {
        Assigned(zones.iter_mut().filter_map(|zone| self.assign_one(zone)).collect())
    }

    fn assign_one(&self, zone: &mut CompiledZone) -> Option<(Name, ServedSerial)> {
        let (typed, digest) = (zone.serial()?, zone.digest());
        let before = self.served.get(&zone.apex).copied();
        if !zone.has_derived_serial {
            warn_of_stale(&zone.apex, typed, digest, before);
            return Some((zone.apex.clone(), ServedSerial { serial: typed, digest }));
        }
        let serial = derive_serial(before, typed, digest);
        if serial != typed {
            tracing::debug!(zone = %zone.apex, %serial, file = %typed, "the file's time is not its serial");
            zone.set_serial(serial);
        }
        Some((zone.apex.clone(), ServedSerial { serial, digest }))
    }

    /// Remembers serials that are served from now on.
    pub(super) fn remember(&mut self, assigned: Assigned) {
        let before = self.served.clone();
        self.served.extend(assigned.0);
        self.is_unwritten |= self.served != before;
        let Some(directory) = self.directory.as_deref().filter(|_| self.is_unwritten) else {
            return;
        };
        match write(directory, &self.served) {
            Ok(()) => self.is_unwritten = false,
            Err(error) => {
                let path = directory.join(FILE_NAME);
                tracing::error!(path = %path.display(), "can't write down serials, a restart forgets them; tried again at the next reload: {error}");
            }
        }
    }
}

/// A serial of the author's own is served as it is; that secondaries would not take the zone is worth a word.
fn warn_of_stale(apex: &Name, typed: Serial, digest: Digest, before: Option<ServedSerial>) {
    let stale = before.filter(|b| b.digest != digest && !typed.is_newer_than(b.serial));
    if let Some(before) = stale {
        tracing::warn!(
            zone = %apex, serial = %typed, before = %before.serial,
            "the zone has changed, and its serial is not newer than before: raise it, or leave it out of the SOA"
        );
    }
}

/// Takes the directory for this process.
fn lock(directory: &Path) -> io::Result<File> {
    let file =
        File::options().create(true).truncate(false).write(true).open(directory.join(LOCK_NAME))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            Err(io::Error::new(io::ErrorKind::ResourceBusy, "another meridian has it"))
        }
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Reads the file. One that is not there remembers nothing, which is how every server begins.
fn read(path: &Path) -> Result<BTreeMap<Name, ServedSerial>, String> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(error.to_string()),
    };
    let mut octets = Vec::new();
    let most = u64::try_from(SERIALS_FILE_OCTETS).unwrap_or(u64::MAX);
    let length = file.take(most + 1).read_to_end(&mut octets).map_err(|error| error.to_string())?;
    if length > SERIALS_FILE_OCTETS {
        return Err(format!("more than {SERIALS_FILE_OCTETS} octets"));
    }
    parse(&octets)
}

fn parse(octets: &[u8]) -> Result<BTreeMap<Name, ServedSerial>, String> {
    let memory: Memory = serde_json::from_slice(octets).map_err(|error| error.to_string())?;
    if memory.format != FORMAT {
        return Err(format!("its format is {}, this version reads {FORMAT}", memory.format));
    }
    let entries = memory.zones.iter().map(|(apex, entry)| {
        let name = Name::parse(apex, &Name::root()).map_err(|error| format!("{apex}: {error}"))?;
        let digest = u64::from_str_radix(&entry.digest, 16)
            .map_err(|error| format!("digest of {apex}: {error}"))?;
        Ok((name, ServedSerial { serial: Serial(entry.serial), digest: Digest(digest) }))
    });
    entries.collect()
}

/// Writes the file anew: aside, to the disk, into its place, and that to the disk too.
fn write(directory: &Path, served: &BTreeMap<Name, ServedSerial>) -> io::Result<()> {
    let zones = served.iter().map(|(apex, ServedSerial { serial, digest })| {
        let entry = Entry { serial: serial.0, digest: format!("{:016x}", digest.0) };
        (apex.to_folded().to_string(), entry)
    });
    let memory = Memory { format: FORMAT, zones: zones.collect() };
    fs::create_dir_all(directory)?;
    let unfinished = directory.join(UNFINISHED_NAME);
    // What a crash left there, or somebody who would have us write elsewhere.
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = File::create_new(&unfinished)?;
    file.write_all(&serde_json::to_vec_pretty(&memory)?)?;
    file.sync_all()?;
    fs::rename(&unfinished, directory.join(FILE_NAME))?;
    File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Source, compile_zone};

    /// A directory of its own, gone with it.
    struct Directory(PathBuf);

    impl Directory {
        fn create(name: &str) -> Self {
            let name = format!("meridian-serials-{name}-{}", std::process::id());
            Self(std::env::temp_dir().join(name))
        }
    }

    impl Drop for Directory {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn zone(apex: &str, address: &str, modified: u32) -> CompiledZone {
        let text = format!(
            "zone = \"{apex}\"\n[names]\n\"@\" = {{ SOA = \"ns1 host\", NS = [\"ns1\", \"ns2\"] }}\n\
             ns1 = {{ A = \"{address}\" }}\nns2 = {{ A = \"192.0.2.2\" }}\n"
        );
        let source = Source::new("t.toml", text, modified);
        compile_zone(&source).expect("a sound zone").0
    }

    /// The serial that a zone gets; it is served if it is to be.
    fn serve(serials: &mut Serials, mut zone: CompiledZone, is_served: bool) -> u32 {
        let assigned = serials.assign(std::slice::from_mut(&mut zone));
        if is_served {
            serials.remember(assigned);
        }
        zone.serial().unwrap().0
    }

    #[test]
    fn what_was_served_is_remembered_and_nothing_else() {
        let mut serials = Serials::open(None).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(serve(&mut serials, zone("a.example", "192.0.2.1", 100), true), 100);
        assert_eq!(serve(&mut serials, zone("a.example", "192.0.2.3", 50), false), 101);
        assert_eq!(serve(&mut serials, zone("a.example", "192.0.2.1", 50), true), 100, "refused");
        assert_eq!(serve(&mut serials, zone("A.Example", "192.0.2.3", 50), true), 101);
        assert_eq!(serve(&mut serials, zone("b.example", "192.0.2.3", 7), true), 7);
        assert_eq!(serve(&mut serials, zone("A.Example", "192.0.2.3", 7), true), 101, "came back");
    }

    #[test]
    fn a_given_serial_is_left_alone_and_what_follows_it_goes_on_from_there() {
        let mut serials = Serials::open(None).unwrap_or_else(|error| panic!("{error}"));
        let mut given = zone("a.example", "192.0.2.1", 500);
        given.has_derived_serial = false;
        assert_eq!(serve(&mut serials, given, true), 500);
        let mut older = zone("a.example", "192.0.2.3", 3);
        older.has_derived_serial = false;
        assert_eq!(serve(&mut serials, older, false), 3);
        assert_eq!(serve(&mut serials, zone("a.example", "192.0.2.3", 3), true), 501);
    }

    #[test]
    fn a_directory_outlives_the_process() {
        let directory = Directory::create("outlives");
        let inner = directory.0.join("deeper");
        let open = || Serials::open(Some(&inner)).unwrap_or_else(|error| panic!("{error}"));
        let odd = "a\\\\.b\\\\032c.example";
        for (apex, modified, expected) in [("a.example", 9, 9), (odd, 5, 5), (".", 4, 4)] {
            let zone = zone(apex, "192.0.2.1", modified);
            assert_eq!(serve(&mut open(), zone, true), expected, "{apex}");
        }
        for (apex, expected) in [("a.example", 10), (odd, 6), (".", 5)] {
            assert_eq!(serve(&mut open(), zone(apex, "192.0.2.3", 1), true), expected, "{apex}");
        }
        let mut files: Vec<_> =
            fs::read_dir(&inner).unwrap().map(|file| file.unwrap().file_name()).collect();
        files.sort();
        assert_eq!(files, [LOCK_NAME, FILE_NAME]);
    }

    /// Two servers with one directory forgot each other's zones.
    #[test]
    fn a_directory_is_one_process_s() {
        let directory = Directory::create("locked");
        let first = Serials::open(Some(&directory.0)).unwrap_or_else(|error| panic!("{error}"));
        let second = Serials::open(Some(&directory.0)).err().expect("it is locked").to_string();
        assert!(second.contains("another meridian has it"), "{second}");
        drop(first);
        assert!(Serials::open(Some(&directory.0)).is_ok());
    }

    /// After a disk that was full once, nothing was written until a zone changed again.
    #[test]
    fn a_write_that_failed_is_tried_again() {
        let directory = Directory::create("again");
        let mut serials = Serials::open(Some(&directory.0)).unwrap_or_else(|e| panic!("{e}"));
        let path = directory.0.join(FILE_NAME);
        fs::create_dir(&path).unwrap();
        assert_eq!(serve(&mut serials, zone("a.example", "192.0.2.1", 3), true), 3);
        fs::remove_dir(&path).unwrap();
        assert_eq!(serve(&mut serials, zone("a.example", "192.0.2.1", 3), true), 3);
        assert_eq!(read(&path).unwrap().len(), 1);
    }

    #[test]
    fn a_damaged_file_is_forgotten_and_written_anew() {
        let directory = Directory::create("damaged");
        fs::create_dir(&directory.0).unwrap();
        let path = directory.0.join(FILE_NAME);
        for damaged in [
            "",
            "{",
            "[]",
            "{\"format\":2,\"zones\":{}}",
            "{\"format\":1,\"zones\":{\"a..b.\":{\"serial\":1,\"digest\":\"0\"}}}",
            "{\"format\":1,\"zones\":{\"a.\":{\"serial\":-1,\"digest\":\"0\"}}}",
            "{\"format\":1,\"zones\":{\"a.\":{\"serial\":1,\"digest\":\"x\"}}}",
        ] {
            assert!(parse(damaged.as_bytes()).is_err(), "{damaged}");
            fs::write(&path, damaged).unwrap();
            let mut serials = Serials::open(Some(&directory.0)).unwrap_or_else(|e| panic!("{e}"));
            assert_eq!(serve(&mut serials, zone("a.example", "192.0.2.1", 3), true), 3);
            assert_eq!(read(&path).unwrap().len(), 1, "{damaged}");
        }
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(read(&path).is_err());
        let mut serials = Serials::open(Some(&directory.0)).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(
            serve(&mut serials, zone("a.example", "192.0.2.1", 3), true),
            3,
            "served all the same"
        );
    }

    #[test]
    fn a_directory_that_can_not_be_made_is_a_clear_error() {
        let directory = Directory::create("file");
        fs::write(&directory.0, "").unwrap();
        let error =
            Serials::open(Some(&directory.0.join("state"))).err().expect("a file is no directory");
        let text = error.to_string();
        fs::remove_file(&directory.0).unwrap();
        assert!(
            text.contains("can't use the state directory") && text.contains("--state"),
            "{text}"
        );
    }
}
