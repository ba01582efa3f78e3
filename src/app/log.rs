//! The log of a server: a pipe that nobody reads, or a disk that stands still, holds up the thread that writes it and no other, not the
//! prober nor a reload. What is not taken is dropped, and counted ([`LogLoss`]).

use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use tracing_appender::non_blocking::WorkerGuard;
use tracing_subscriber::EnvFilter;

use super::output::{complain, is_styled};
use crate::limits::LOG_LINES;
use crate::sys::{LogLoss, open_log};

/// What is logged unless `RUST_LOG` says otherwise. hickory-server writes two lines for each query, and a warning for each
/// datagram that it can't answer: strangers could fill the disk.
const USUAL: &str = "info,hickory=error";

/// How long somebody may take what is written before it is written aside.
const PATIENCE: Duration = Duration::from_millis(1_200);

/// Begins the log, which [`end_log`] ends.
pub fn begin_log() -> (LogLoss, WorkerGuard) {
    let log = std::env::var(EnvFilter::DEFAULT_ENV).unwrap_or_else(|_| USUAL.to_owned());
    let filter =
        EnvFilter::builder().with_default_directive(tracing::Level::INFO.into()).parse_lossy(log);
    let (writer, loss, guard) = open_log(LOG_LINES);
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(writer)
        // Its own complaint about a log that can't be written would be written by whoever logs.
        .log_internal_errors(false)
        .with_ansi(is_styled())
        .with_target(false)
        .init();
    (loss, guard)
}

/// Writes what is left, if somebody takes it.
pub fn end_log(guard: WorkerGuard) {
    aside(move || drop(guard));
}

/// Writes words for the person at the terminal, if somebody takes them.
pub(super) fn complain_aside(text: String) {
    if !text.is_empty() {
        aside(move || complain(&text));
    }
}

/// Does what may stand still, and waits for it, but not for ever.
fn aside(work: impl FnOnce() + Send + 'static) {
    let (done, is_done) = channel();
    let spawned = thread::Builder::new().name("meridian-words".to_owned()).spawn(move || {
        work();
        // Who waited may have lost patience.
        let _ = done.send(());
    });
    if spawned.is_ok() {
        let _ = is_done.recv_timeout(PATIENCE);
    }
}
