//! The file in the state directory, `health.redb`: what is read from it at start, and what a commit puts into it.
//!
//! redb writes pages aside and then switches one checksummed root, so that a process that is killed, or a machine that loses its
//! power, leaves the commit before or the one after. Values are JSON, which another version can read as far as it knows it; what
//! it does not know is left out.
//!
//! | table | key | value |
//! |---|---|---|
//! | `events` | its number | [`Event`] |
//! | `overrides` | its id | [`Override`] |
//! | `texts` | `memories` | [`Memories`] |
//! | `texts` | `next-override` | the number of the next override |

use std::collections::VecDeque;
use std::fmt::Display;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use redb::{
    Database, ReadOnlyTable, ReadTransaction, ReadableDatabase, ReadableTable, Table,
    TableDefinition, TableError,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::health::{Event, Memory, Override};
use crate::limits::{DAMAGED_KEPT, EVENTS_KEPT, STATE_CACHE_OCTETS};

/// The file's name in the state directory.
pub(super) const FILE_NAME: &str = "health.redb";

/// Has as many octets as processes have begun to read the file and not come to an end with it.
const MARK_NAME: &str = "health.redb.reading";
/// Copies of files that were read so far, which tells their names apart.
static COPIES: AtomicU32 = AtomicU32::new(0);

/// One could be a kill at that very moment.
const FATAL_READS: u64 = 2;

const EVENTS: TableDefinition<u64, &[u8]> = TableDefinition::new("events");
const OVERRIDES: TableDefinition<u64, &[u8]> = TableDefinition::new("overrides");
const TEXTS: TableDefinition<&str, &[u8]> = TableDefinition::new("texts");
const MEMORIES: &str = "memories";
const NEXT_OVERRIDE: &str = "next-override";

/// What was known of all targets at one time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memories {
    /// When, in milliseconds since 1970 in UTC.
    pub at_ms: u64,
    pub targets: Vec<Memory>,
}

/// All overrides that hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OverrideList {
    /// The id of the next one: none is given twice.
    pub next: u64,
    pub overrides: Vec<Override>,
}

/// What a state directory knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recalled {
    pub memories: Memories,
    pub overrides: OverrideList,
    /// In order of their numbers, which need not follow on each other.
    pub events: Vec<Event>,
}

/// What is to be written with the next commit.
#[derive(Clone, Debug, Default)]
pub(super) struct Changes {
    pub(super) memories: Option<Memories>,
    pub(super) overrides: Option<OverrideList>,
    pub(super) events: VecDeque<Event>,
}

impl Changes {
    pub(super) fn is_empty(&self) -> bool {
        self.memories.is_none() && self.overrides.is_none() && self.events.is_empty()
    }
}

/// Why the file can't be used.
#[derive(Debug)]
pub(super) enum LedgerError {
    /// What is in it is not what was written.
    Damaged(String),
    /// The disk is full, fails, or may not be written.
    Unusable(String),
}

impl LedgerError {
    pub(super) fn why(&self) -> &str {
        match self {
            Self::Damaged(why) | Self::Unusable(why) => why,
        }
    }
}

/// The open file.
pub(super) struct Ledger {
    database: Database,
}

impl Ledger {
    /// Opens the file, which is made if there is none. Every checksum in it is looked at, since a damaged page would otherwise be
    /// met later, where it can't be told any more.
    pub(super) fn open(path: &Path) -> Result<Self, LedgerError> {
        let mut database = Database::builder()
            .set_cache_size(STATE_CACHE_OCTETS)
            .create(path)
            .map_err(|error| sort(error.into()))?;
        match database.check_integrity() {
            Ok(_) => Ok(Self { database }),
            Err(error) => {
                // Closing a database that failed this check panics (redb 4.1). The file is about to be moved aside; its
                // descriptor stays open.
                std::mem::forget(database);
                Err(sort(error.into()))
            }
        }
    }

    /// Opens the file and reads all of it; one that is damaged is moved aside, and a new one begun.
    ///
    /// Some damage has redb panic before it is told, and a panic ends the server. So a mark stands beside the file while it is read:
    /// one that ended [`FATAL_READS`] processes in a row counts as damaged.
    pub(super) fn open_or_replace(
        path: &Path,
        now_s: u64,
    ) -> Result<(Self, Recalled), LedgerError> {
        let mark = path.with_file_name(MARK_NAME);
        let read = || Self::open(path).and_then(|ledger| Ok((ledger.recall()?, ledger)));
        let fatal = std::fs::metadata(&mark).map_or(0, |mark| mark.len());
        let result = if fatal < FATAL_READS {
            // Without it there is one way less to notice damage.
            let _ = std::fs::write(&mark, "x".repeat(usize::try_from(fatal).unwrap_or(0) + 1));
            read()
        } else {
            Err(LedgerError::Damaged("processes that read it ended".to_owned()))
        };
        let result = match result {
            Err(LedgerError::Damaged(why)) => {
                move_aside(path, now_s, &why)?;
                read()
            }
            other => other,
        };
        let _ = std::fs::remove_file(&mark);
        result.map(|(recalled, ledger)| (ledger, recalled))
    }

    /// Reads a file that can't be written, as on a disk that was mounted read-only after an error: a copy of it, which may need
    /// repair. To be called from the thread that may panic.
    pub(super) fn read_copy(path: &Path) -> Result<Recalled, LedgerError> {
        let unusable = |error: io::Error| LedgerError::Unusable(error.to_string());
        let number = COPIES.fetch_add(1, Ordering::Relaxed);
        let name = format!("meridian-{}-{number}-{FILE_NAME}", std::process::id());
        let copy = std::env::temp_dir().join(name);
        let mut file = File::open(path).map_err(unusable)?;
        // Never what somebody else has put there.
        let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&copy);
        let recalled = io::copy(&mut file, &mut made.map_err(unusable)?)
            .map_err(unusable)
            .and_then(|_| Self::open(&copy)?.recall());
        let _ = std::fs::remove_file(&copy);
        recalled
    }

    /// Everything in the file.
    pub(super) fn recall(&self) -> Result<Recalled, LedgerError> {
        let reading = self.database.begin_read().map_err(|error| sort(error.into()))?;
        let mut recalled = Recalled::default();
        if let Some(table) = open_table(&reading, EVENTS)? {
            recalled.events = read_values(&table)?;
        }
        if let Some(table) = open_table(&reading, OVERRIDES)? {
            recalled.overrides.overrides = read_values(&table)?;
        }
        if let Some(table) = open_table(&reading, TEXTS)? {
            let text = |key: &str| table.get(key).map_err(|error| sort(error.into()));
            recalled.memories =
                text(MEMORIES)?.and_then(|value| parse(value.value())).unwrap_or_default();
            recalled.overrides.next =
                text(NEXT_OVERRIDE)?.and_then(|value| parse(value.value())).unwrap_or_default();
        }
        Ok(recalled)
    }

    /// Puts all changes into the file at once, and waits until the disk has them.
    pub(super) fn write(&self, changes: &Changes) -> Result<(), LedgerError> {
        self.commit(changes).map_err(sort)
    }

    fn commit(&self, changes: &Changes) -> Result<(), redb::Error> {
        let writing = self.database.begin_write()?;
        {
            let mut texts = writing.open_table(TEXTS)?;
            if let Some(memories) = &changes.memories {
                texts.insert(MEMORIES, &*to_json(memories)?)?;
            }
            if let Some(list) = &changes.overrides {
                texts.insert(NEXT_OVERRIDE, &*to_json(&list.next)?)?;
                let mut table = writing.open_table(OVERRIDES)?;
                table.retain(|id, _| list.overrides.iter().any(|one| one.id == id))?;
                for one in &list.overrides {
                    table.insert(one.id, &*to_json(one)?)?;
                }
            }
            keep_events(&mut writing.open_table(EVENTS)?, &changes.events)?;
        }
        writing.commit()?;
        Ok(())
    }
}

/// Adds events, and lets go of those that are too old.
fn keep_events(
    table: &mut Table<'_, u64, &[u8]>,
    events: &VecDeque<Event>,
) -> Result<(), redb::Error> {
    for event in events {
        table.insert(event.number, &*to_json(event)?)?;
    }
    let kept = u64::try_from(EVENTS_KEPT).unwrap_or(u64::MAX);
    let oldest = events.back().map_or(0, |last| last.number.saturating_add(1).saturating_sub(kept));
    if oldest > 0 {
        table.retain_in(..oldest, |_, _| false)?;
    }
    Ok(())
}

fn to_json(value: &impl Serialize) -> Result<Vec<u8>, redb::Error> {
    serde_json::to_vec(value).map_err(|error| redb::Error::Io(error.into()))
}

/// A value of another version of the program may have no meaning here.
fn parse<T: DeserializeOwned>(octets: &[u8]) -> Option<T> {
    serde_json::from_slice(octets).ok()
}

fn read_values<T: DeserializeOwned>(
    table: &ReadOnlyTable<u64, &[u8]>,
) -> Result<Vec<T>, LedgerError> {
    let mut values = Vec::new();
    for entry in table.iter().map_err(|error| sort(error.into()))? {
        let (_, value) = entry.map_err(|error| sort(error.into()))?;
        values.extend(parse::<T>(value.value()));
    }
    Ok(values)
}

/// A table; nothing if nobody has written to it.
fn open_table<K: redb::Key + 'static>(
    reading: &ReadTransaction,
    definition: TableDefinition<K, &'static [u8]>,
) -> Result<Option<ReadOnlyTable<K, &'static [u8]>>, LedgerError> {
    match reading.open_table(definition) {
        Ok(table) => Ok(Some(table)),
        Err(TableError::TableDoesNotExist(_)) => Ok(None),
        Err(error) => Err(sort(error.into())),
    }
}

/// Whose fault an error is: the file's, or that of what it is on.
fn sort(error: redb::Error) -> LedgerError {
    let damaged = |why: &dyn Display| LedgerError::Damaged(why.to_string());
    match &error {
        redb::Error::Io(inner) => match inner.kind() {
            // What redb says of a file that is none of its own, or too short.
            io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => damaged(inner),
            _ => LedgerError::Unusable(inner.to_string()),
        },
        redb::Error::Corrupted(_)
        | redb::Error::UpgradeRequired(_)
        | redb::Error::RepairAborted
        | redb::Error::TableTypeMismatch { .. }
        | redb::Error::TableIsMultimap(_)
        | redb::Error::TypeDefinitionChanged { .. } => damaged(&error),
        _ => LedgerError::Unusable(error.to_string()),
    }
}

/// Moves a file out of the way, whose content is not what it should be, or what nobody knows.
pub(super) fn move_aside(path: &Path, now_s: u64, why: &str) -> Result<(), LedgerError> {
    let aside = name_aside(path, now_s);
    tracing::error!(
        path = %path.display(), aside = %aside.display(),
        "what was known of health, overrides and events can't be used, and is begun anew: {why}"
    );
    std::fs::rename(path, &aside).map_err(|error| LedgerError::Unusable(error.to_string()))?;
    forget_old(path);
    Ok(())
}

/// Lets go of all damaged files but the last [`DAMAGED_KEPT`], by their names: a disk that damages each new one would soon be full of
/// them.
fn forget_old(path: &Path) {
    let Some(Ok(entries)) = path.parent().map(std::fs::read_dir) else { return };
    let paths = entries.flatten().map(|entry| entry.path());
    let mut damaged: Vec<_> = paths.filter_map(|path| Some((moved_at(&path)?, path))).collect();
    damaged.sort();
    let surplus = damaged.len().saturating_sub(DAMAGED_KEPT);
    for (_, path) in damaged.into_iter().take(surplus) {
        // One more or less does no harm.
        let _ = std::fs::remove_file(path);
    }
}

/// When a damaged file was moved aside, and which of that second it is; nothing for any other file.
fn moved_at(path: &Path) -> Option<(u64, u32)> {
    let end = path.file_name()?.to_str()?.strip_prefix(&format!("{FILE_NAME}.damaged-"))?;
    let (second, number) = end.split_once('-').unwrap_or((end, "0"));
    Some((second.parse().ok()?, number.parse().ok()?))
}

/// Where a damaged file goes: a name that no other has.
fn name_aside(path: &Path, now_s: u64) -> PathBuf {
    let named = |end: String| path.with_file_name(format!("{FILE_NAME}.damaged-{end}"));
    let first = named(now_s.to_string());
    if !first.exists() {
        return first;
    }
    (1..).map(|n: u32| named(format!("{now_s}-{n}"))).find(|path| !path.exists()).unwrap_or(first)
}

#[cfg(test)]
mod tests;
