//! The zone files that were served last, kept in the state directory: what the next start compares with.
//!
//! One file with a line that says what it is and a checksum, then JSON. It is written aside and renamed after every load that was
//! taken over, so that it is the old set or the new one. It is a convenience: one that is missing, damaged or of another version is
//! done without, with a line in the log.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::config::{Included, Source};
use crate::health::stable_hash;
use crate::limits::SERVED_FILE_OCTETS;

const FILE_NAME: &str = "served.json";
const UNFINISHED_NAME: &str = ".served.json.new";

/// The first line begins so; the checksum follows.
const TITLE: &str = "meridian served zones 1 ";

/// A file, as it is kept.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    path: String,
    text: String,
    modified: u32,
    included: Vec<KeptPart>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeptPart {
    by: usize,
    name: String,
    path: String,
    text: Result<String, String>,
}

/// Keeps the files that are served from now on.
pub(super) fn keep(directory: &Path, sources: &[Source]) {
    let path = directory.join(FILE_NAME);
    if let Err(error) = write(directory, sources) {
        tracing::error!(path = %path.display(), "the served zones are not kept, the next start compares with nothing: {error}");
        // An older set would be compared with otherwise.
        let _ = fs::remove_file(path);
    }
}

/// Forgets what was kept.
pub(super) fn forget(directory: &Path) {
    // Most times there is nothing to forget.
    let _ = fs::remove_file(directory.join(FILE_NAME));
}

/// What was served last; nothing if that is not known.
pub(super) fn recall(directory: &Path) -> Option<Vec<Source>> {
    let path = directory.join(FILE_NAME);
    match read(&path) {
        Ok(sources) => sources,
        Err(why) => {
            tracing::error!(path = %path.display(), "what was served before is not known, this start compares with nothing: {why}");
            None
        }
    }
}

fn write(directory: &Path, sources: &[Source]) -> io::Result<()> {
    let texts = |source: &Source| {
        let parts = source.included.iter().map(|part| part.text.as_ref().map_or(0, String::len));
        source.text.len() + parts.sum::<usize>()
    };
    if sources.iter().map(texts).sum::<usize>() > SERVED_FILE_OCTETS {
        let why = format!("they have more than {SERVED_FILE_OCTETS} octets");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, why));
    }
    let kept: Vec<Kept> = sources.iter().map(Kept::of).collect();
    let body = serde_json::to_vec(&kept)?;
    let unfinished = directory.join(UNFINISHED_NAME);
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = File::create_new(&unfinished)?;
    file.write_all(format!("{TITLE}{:016x}\n", stable_hash(&body)).as_bytes())?;
    file.write_all(&body)?;
    file.sync_all()?;
    fs::rename(&unfinished, directory.join(FILE_NAME))?;
    File::open(directory)?.sync_all()
}

/// Reads the file; nothing if there is none, which is how every server begins.
fn read(path: &Path) -> Result<Option<Vec<Source>>, String> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.to_string()),
    };
    // JSON writes some characters with up to six octets.
    let most = u64::try_from(SERVED_FILE_OCTETS).unwrap_or(u64::MAX).saturating_mul(6);
    let mut octets = Vec::new();
    file.take(most).read_to_end(&mut octets).map_err(|error| error.to_string())?;
    parse(&octets).map(Some)
}

fn parse(octets: &[u8]) -> Result<Vec<Source>, String> {
    let end = octets.iter().position(|octet| *octet == b'\n').ok_or("it has no first line")?;
    let (title, body) = octets.split_at(end);
    let body = &body[1..];
    let sum = std::str::from_utf8(title).ok().and_then(|title| title.strip_prefix(TITLE));
    let sum = sum.ok_or("it is of another version")?;
    if sum != format!("{:016x}", stable_hash(body)) {
        return Err("it is damaged: its checksum is another".to_owned());
    }
    let kept: Vec<Kept> = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    Ok(kept.into_iter().map(Kept::into_source).collect())
}

impl Kept {
    fn of(source: &Source) -> Self {
        let part = |part: &Included| KeptPart {
            by: part.by,
            name: part.name.clone(),
            path: part.path.clone(),
            text: part.text.clone(),
        };
        Self {
            path: source.path.clone(),
            text: source.text.clone(),
            modified: source.modified,
            included: source.included.iter().map(part).collect(),
        }
    }

    fn into_source(self) -> Source {
        let mut source = Source::new(self.path, self.text, self.modified);
        let parts = self.included.into_iter();
        source.included = parts
            .map(|KeptPart { by, name, path, text }| Included { by, name, path, text })
            .collect();
        source
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_served_is_recalled_and_damage_is_seen() {
        let directory =
            std::env::temp_dir().join(format!("meridian-served-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        assert_eq!(recall(&directory), None);
        let mut source = Source::new("zones/a.zone", "$INCLUDE b\n", 7);
        let text = Err("not there".to_owned());
        let (name, path) = ("b".to_owned(), "zones/b".to_owned());
        source.included.push(Included { by: 0, name, path, text });
        keep(&directory, std::slice::from_ref(&source));
        assert_eq!(recall(&directory), Some(vec![source.clone()]));
        let path = directory.join(FILE_NAME);
        let whole = fs::read(&path).unwrap();
        for at in [0, 30, whole.len() - 3] {
            let mut damaged = whole.clone();
            damaged[at] ^= 1;
            assert!(parse(&damaged).is_err(), "octet {at}");
        }
        assert!(parse(&whole[..whole.len() - 1]).is_err());
        assert!(parse(b"").is_err());
        let large = Source::new("a", "x".repeat(SERVED_FILE_OCTETS + 1), 1);
        keep(&directory, &[large]);
        assert_eq!(recall(&directory), None, "an older set is not left behind");
        fs::remove_dir_all(&directory).unwrap();
    }
}
