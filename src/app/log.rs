//! The log: lines on standard error, written by a thread of its own.
//!
//! A pipe that nobody reads, or a disk that stands still, holds up that thread and no other: not the prober, not a reload. What it can't
//! take is dropped, and counted ([`ErrorCounter`]).

use std::io::stderr;

use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;

use crate::limits::LOG_LINES;

/// What is logged unless `RUST_LOG` says otherwise. hickory-server writes two lines for each query, and a warning for each
/// datagram that it can't answer: strangers could fill the disk.
const USUAL: &str = "info,hickory=error";

/// Begins the log of a server. What is logged is written out when the guard goes out of scope, if somebody takes it within a second.
pub fn begin_log() -> (ErrorCounter, WorkerGuard) {
    let log = std::env::var(EnvFilter::DEFAULT_ENV).unwrap_or_else(|_| USUAL.to_owned());
    let filter =
        EnvFilter::builder().with_default_directive(tracing::Level::INFO.into()).parse_lossy(log);
    let writer = NonBlockingBuilder::default()
        .lossy(true)
        .buffered_lines_limit(LOG_LINES)
        .thread_name("meridian-log");
    let (writer, guard) = writer.finish(stderr());
    let loss = writer.error_counter();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(writer)
        // Its own complaint about a log that can't be written would be written by whoever logs.
        .log_internal_errors(false)
        .with_ansi(super::is_styled())
        .with_target(false)
        .init();
    (loss, guard)
}
