//! The signals that a server listens to.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// What the process was asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Request {
    Reload,
    Stop,
}

/// SIGHUP, SIGTERM and SIGINT. Made before anything else, since until then SIGHUP ends the process, and the first process
/// of a container does not even get SIGTERM. A signal that comes while nobody waits is kept.
#[derive(Debug)]
pub(super) struct Signals {
    hangup: Signal,
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    pub(super) fn install() -> io::Result<Self> {
        Ok(Self {
            hangup: signal(SignalKind::hangup())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// The next request.
    pub(super) async fn next(&mut self) -> Request {
        tokio::select! {
            _ = self.hangup.recv() => Request::Reload,
            () = stop(&mut self.terminate, &mut self.interrupt) => Request::Stop,
        }
    }

    /// Resolves when the process is to stop; a request to reload stays for later.
    pub(super) async fn stop(&mut self) {
        stop(&mut self.terminate, &mut self.interrupt).await;
    }
}

async fn stop(terminate: &mut Signal, interrupt: &mut Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
