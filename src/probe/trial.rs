//! One attempt at one address: what it may use, and what it learns beside its verdict.
//!
//! It outlives the protocol's future, which is dropped when its time is over: what was learnt until then stays.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use tokio::time::timeout;

use super::attempt::Tools;
use super::authorities::Trust;
use super::blame::Miss;
use super::stream::Intake;
use crate::health::{CheckSpec, FailureReason, NothingReason, ProbeTarget};

/// See the module.
pub(super) struct Trial<'a> {
    pub(super) target: &'a ProbeTarget,
    /// The endpoint; a redirect may lead elsewhere.
    pub(super) address: SocketAddr,
    pub(super) tools: &'a Tools,
    /// What certificates are verified against, where the check asks for that.
    pub(super) trust: Option<Arc<Trust>>,
    /// What came in, over all connections of the attempt.
    pub(super) intake: Arc<Intake>,
    certificate_ends_s: OnceLock<i64>,
}

impl<'a> Trial<'a> {
    pub(super) fn new(
        target: &'a ProbeTarget,
        address: SocketAddr,
        tools: &'a Tools,
        trust: Option<Arc<Trust>>,
    ) -> Self {
        let (intake, certificate_ends_s) = (Arc::default(), OnceLock::new());
        Self { target, address, tools, trust, intake, certificate_ends_s }
    }

    pub(super) fn check(&self) -> &'a CheckSpec {
        &self.target.check
    }

    /// Keeps the end of a certificate: the first one is the endpoint's, those behind redirects are others'.
    pub(super) fn note_certificate(&self, ends_s: i64) {
        let _ = self.certificate_ends_s.set(ends_s);
    }

    /// Seconds since 1970 at which the endpoint's certificate ends, once a handshake has shown it.
    pub(super) fn certificate_ends_s(&self) -> Option<i64> {
        self.certificate_ends_s.get().copied()
    }
}

/// Gives a part of a probe the time it may take. If we noticed its end later than half that time, it was ourselves who slept.
pub(super) async fn within<T>(
    limit: Option<Duration>,
    part: impl Future<Output = Result<T, Miss>>,
) -> Result<T, Miss> {
    let Some(limit) = limit else {
        return part.await;
    };
    let start = Instant::now();
    match timeout(limit, part).await {
        Ok(result) => result,
        Err(_) if start.elapsed().saturating_sub(limit) > limit / 2 => {
            Err(Miss::Nothing(NothingReason::Late))
        }
        Err(_) => Err(Miss::Failure(FailureReason::Timeout)),
    }
}
