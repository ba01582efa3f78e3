//! Where a server's log goes: standard error, by a thread of its own.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tracing_appender::non_blocking::{ErrorCounter, NonBlocking, NonBlockingBuilder, WorkerGuard};

/// How many lines nobody has.
#[derive(Clone, Debug)]
pub struct LogLoss {
    dropped: ErrorCounter,
    failed: Arc<AtomicU64>,
}

impl LogLoss {
    /// Those that there was no room for, as nobody took those before, and those that could not be written.
    pub fn lines(&self) -> u64 {
        let dropped = u64::try_from(self.dropped.dropped_lines()).unwrap_or(u64::MAX);
        dropped.saturating_add(self.failed.load(Ordering::Relaxed))
    }
}

/// Lines go to a queue of so many at most, and on from there. What is in it is written when the guard goes out of scope, if somebody
/// takes it within a second.
pub fn open_log(lines: usize) -> (NonBlocking, LogLoss, WorkerGuard) {
    let failed = Arc::new(AtomicU64::new(0));
    let output = Output { file: own_stderr(), failed: Arc::clone(&failed) };
    let builder = NonBlockingBuilder::default().lossy(true).buffered_lines_limit(lines);
    let (writer, guard) = builder.thread_name("meridian-log").finish(output);
    let loss = LogLoss { dropped: writer.error_counter(), failed };
    (writer, loss, guard)
}

/// Standard error without the lock that everybody else would wait for while this writes.
fn own_stderr() -> Box<dyn Write + Send> {
    match io::stderr().as_fd().try_clone_to_owned() {
        Ok(descriptor) => Box::new(File::from(descriptor)),
        Err(_) => Box::new(io::stderr()),
    }
}

/// Counts what can't be written.
struct Output {
    file: Box<dyn Write + Send>,
    failed: Arc<AtomicU64>,
}

impl Write for Output {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        if self.file.write_all(octets).is_err() {
            self.failed.fetch_add(1, Ordering::Relaxed);
        }
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
