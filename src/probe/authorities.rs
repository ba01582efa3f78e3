//! Whom a check trusts that wants a valid certificate: the system's authorities, or those of a PEM file.
//!
//! They are read before an attempt's time begins, since a slow disk is not the endpoint's fault; once for all checks that name
//! the same file, and again at most once in [`AUTHORITIES_SECONDS`]. A file that hangs holds a thread until it is read, so only
//! [`AUTHORITIES_READS`] are read at once.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Mutex as TaskMutex, Semaphore};
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use tokio_rustls::rustls::RootCertStore;
use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;

use super::blame::Miss;
use crate::health::{NothingReason, TlsCheck};
use crate::limits::{AUTHORITIES_OCTETS, AUTHORITIES_READS, AUTHORITIES_SECONDS};

/// Judges certificates.
pub(super) type Trust = WebPkiServerVerifier;

/// A file in PEM; the system's own authorities if there is none.
type Source = Option<Box<str>>;

/// The authorities that were read; the system's have no path.
pub(super) struct Authorities {
    known: Mutex<HashMap<Source, Arc<TaskMutex<Kept>>>>,
    reads: Arc<Semaphore>,
}

/// What was read last, and when.
type Kept = Option<(Instant, Result<Arc<Trust>, NothingReason>)>;

impl Default for Authorities {
    fn default() -> Self {
        Self { known: Mutex::default(), reads: Arc::new(Semaphore::new(AUTHORITIES_READS)) }
    }
}

impl Authorities {
    /// Whom a check trusts; nothing if it does not ask. Waits at most `limit`.
    pub(super) async fn find(
        &self,
        check: Option<&TlsCheck>,
        limit: Duration,
    ) -> Result<Option<Arc<Trust>>, Miss> {
        let Some(check) = check.filter(|check| check.is_verified) else {
            return Ok(None);
        };
        let found = timeout(limit, self.read(check.authorities.clone())).await;
        match found.unwrap_or(Err(NothingReason::NoFile)) {
            Ok(trust) => Ok(Some(trust)),
            Err(reason) => Err(Miss::Nothing(reason)),
        }
    }

    async fn read(&self, path: Option<Box<str>>) -> Result<Arc<Trust>, NothingReason> {
        let kept = {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(known.entry(path.clone()).or_default())
        };
        let mut kept = kept.lock().await;
        let age = Duration::from_secs(AUTHORITIES_SECONDS);
        if let Some((_, trust)) = kept.as_ref().filter(|(read, _)| read.elapsed() < age) {
            return trust.clone();
        }
        let permit = Arc::clone(&self.reads).acquire_owned().await.ok();
        let reading = spawn_blocking(move || {
            let _permit = permit;
            load(path.as_deref())
        });
        let trust = reading.await.unwrap_or(None).ok_or(NothingReason::NoFile);
        *kept = Some((Instant::now(), trust.clone()));
        trust
    }
}

/// Reads the file, or what the system has; nothing if there is no authority to be had from it.
fn load(path: Option<&str>) -> Option<Arc<Trust>> {
    let certificates = match path {
        None => rustls_native_certs::load_native_certs().certs,
        Some(path) => read_file(path).ok()?,
    };
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(certificates);
    let provider = Arc::new(aws_lc_rs::default_provider());
    Trust::builder_with_provider(Arc::new(roots), provider).build().ok()
}

fn read_file(path: &str) -> io::Result<Vec<CertificateDer<'static>>> {
    let mut text = Vec::new();
    let limit = u64::try_from(AUTHORITIES_OCTETS).unwrap_or(u64::MAX);
    File::open(path)?.take(limit).read_to_end(&mut text)?;
    let certificates: Result<_, _> = CertificateDer::pem_slice_iter(&text).collect();
    certificates.map_err(io::Error::other)
}
