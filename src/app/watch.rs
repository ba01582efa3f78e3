//! Notices when a file was replaced: the geo databases, which their vendors renew once or twice a week.
//!
//! Asking for the file's stamp every few seconds costs nothing, and works where notification does not: network file systems,
//! and mounts of containers in which a link is switched to another directory. A file counts as replaced only when it is the same
//! at two looks in a row, so that one that is still being written is not read.

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::Duration;

use crate::limits::WATCH_SECONDS;

/// What changes when a file does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    octets: u64,
    modified: (i64, i64),
}

/// Files, as they were when they were last read and when they were last looked at.
#[derive(Debug)]
pub(super) struct Watch {
    files: Vec<PathBuf>,
    known: Vec<Option<Stamp>>,
    seen: Vec<Option<Stamp>>,
}

impl Watch {
    /// Watches files that are about to be read: what is written from now on is noticed.
    pub(super) fn new(files: Vec<PathBuf>) -> Self {
        let known = stamps(&files);
        Self { files, seen: known.clone(), known }
    }

    /// Resolves when a file was replaced and has settled. From then on it counts as known, whatever is made of it. A file that is
    /// gone is no change: it may be on its way.
    pub(super) async fn changed(&mut self) {
        if self.files.is_empty() {
            std::future::pending::<()>().await;
        }
        loop {
            tokio::time::sleep(Duration::from_secs(WATCH_SECONDS)).await;
            if self.look() {
                return;
            }
        }
    }

    /// Takes what there is now as known: it is about to be read.
    pub(super) fn note(&mut self) {
        self.known = stamps(&self.files);
        self.seen = self.known.clone();
    }

    /// Looks once, and says whether something has changed and settled.
    fn look(&mut self) -> bool {
        let now = stamps(&self.files);
        let is_settled = now == self.seen;
        let is_new = |(now, known): (&Option<Stamp>, &Option<Stamp>)| now.is_some() && now != known;
        let is_changed = now.iter().zip(&self.known).any(is_new);
        self.seen.clone_from(&now);
        let is_ready = is_settled && is_changed && now.iter().all(Option::is_some);
        if is_ready {
            self.known = now;
        }
        is_ready
    }
}

fn stamps(files: &[PathBuf]) -> Vec<Option<Stamp>> {
    let stamp = |path: &PathBuf| {
        let metadata = std::fs::metadata(path).ok()?;
        Some(Stamp {
            device: metadata.dev(),
            inode: metadata.ino(),
            octets: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        })
    };
    files.iter().map(stamp).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_file_is_noticed_once_it_has_settled() {
        let directory = std::env::temp_dir().join(format!("meridian-watch-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let file = directory.join("a.mmdb");
        fs::write(&file, "one").unwrap();
        let mut watch = Watch::new(vec![file.clone()]);
        assert!(!watch.look() && !watch.look(), "nothing has changed");
        fs::write(&file, "three").unwrap();
        assert!(!watch.look(), "it may still be written");
        fs::write(&file, "three and four").unwrap();
        assert!(!watch.look());
        assert!(watch.look());
        assert!(!watch.look(), "noticed once");
        fs::remove_file(&file).unwrap();
        assert!(!watch.look() && !watch.look(), "gone is no change");
        let other = directory.join("b.mmdb");
        fs::write(&other, "three and four").unwrap();
        fs::rename(&other, &file).unwrap();
        assert!(!watch.look());
        assert!(watch.look(), "another file of the same size");
        fs::write(&file, "x").unwrap();
        watch.note();
        assert!(!watch.look() && !watch.look(), "read by somebody else");
        fs::remove_dir_all(&directory).unwrap();
    }
}
