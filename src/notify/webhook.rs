//! A receiver that is ready to be told: its settings with what their files hold.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, version};

use crate::config::WebhookSettings;
use crate::limits::{WEBHOOK_AUTHORITIES_OCTETS, WEBHOOK_TOKEN_OCTETS};

/// A receiver.
pub struct Webhook {
    pub(super) settings: WebhookSettings,
    pub(super) token: Option<Secret>,
    /// Nothing for a plain `http`.
    pub(super) tls: Option<TlsConnector>,
}

/// A text that no log shows: it has no `Debug`.
pub(super) struct Secret(Box<str>);

impl Secret {
    /// For the request, and for nothing else.
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

/// Why a webhook can't be used. What its files hold is not repeated.
#[derive(Debug)]
pub struct WebhookError {
    name: Box<str>,
    problem: Problem,
}

#[derive(Debug)]
enum Problem {
    File(PathBuf, io::Error),
    /// Its mode allows more than reading and writing to its owner.
    OpenToOthers(PathBuf, u32),
    TooLong(PathBuf, usize),
    NoToken(PathBuf),
    NoAuthorities(PathBuf),
    NoSystemAuthorities,
}

impl fmt::Display for WebhookError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the webhook `{}` can't be used: ", self.name)?;
        match &self.problem {
            Problem::File(path, error) => write!(f, "can't read {}: {error}", path.display()),
            Problem::OpenToOthers(path, mode) => write!(
                f,
                "{path} holds a secret and has mode {mode:04o}: chmod 600 {path}",
                path = path.display()
            ),
            Problem::TooLong(path, most) => {
                write!(f, "{} has more than {most} octets", path.display())
            }
            Problem::NoToken(path) => write!(
                f,
                "{} must hold one line of visible ASCII characters, the token",
                path.display()
            ),
            Problem::NoAuthorities(path) => {
                write!(f, "{} holds no certificate in PEM", path.display())
            }
            Problem::NoSystemAuthorities => f.write_str(
                "this system has no certificates of authorities: install them (ca-certificates), or name a file with `ca`",
            ),
        }
    }
}

impl std::error::Error for WebhookError {}

impl Webhook {
    /// Reads the files that the settings name. They are not read again while the server runs.
    ///
    /// # Errors
    /// A file that can't be read, that others may open, or that does not hold what it is for.
    pub fn open(settings: WebhookSettings) -> Result<Self, WebhookError> {
        let token = settings.token_file.as_deref().map(read_token).transpose();
        let tls = settings.url.is_tls.then(|| connector(settings.authorities.as_deref()));
        match (token, tls.transpose()) {
            (Ok(token), Ok(tls)) => Ok(Self { settings, token, tls }),
            (Err(problem), _) | (_, Err(problem)) => {
                Err(WebhookError { name: settings.name, problem })
            }
        }
    }

    /// As logs and metrics call it.
    pub fn name(&self) -> &str {
        &self.settings.name
    }
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook").field("settings", &self.settings).finish_non_exhaustive()
    }
}

fn read_token(path: &Path) -> Result<Secret, Problem> {
    let (octets, mode) = read(path, WEBHOOK_TOKEN_OCTETS)?;
    if mode & 0o177 != 0 {
        return Err(Problem::OpenToOthers(path.to_owned(), mode));
    }
    let token = octets.trim_ascii();
    if token.is_empty() || !token.iter().all(u8::is_ascii_graphic) {
        return Err(Problem::NoToken(path.to_owned()));
    }
    Ok(Secret(String::from_utf8_lossy(token).into()))
}

/// What a file holds, and its permissions, of the same open file.
fn read(path: &Path, most: usize) -> Result<(Vec<u8>, u32), Problem> {
    let fail = |error| Problem::File(path.to_owned(), error);
    let file = File::open(path).map_err(fail)?;
    let mode = file.metadata().map_err(fail)?.mode() & 0o7777;
    let mut octets = Vec::new();
    file.take(most as u64 + 1).read_to_end(&mut octets).map_err(fail)?;
    if octets.len() > most {
        return Err(Problem::TooLong(path.to_owned(), most));
    }
    Ok((octets, mode))
}

/// Verifies certificates against the authorities of a file, else of the system.
fn connector(authorities: Option<&Path>) -> Result<TlsConnector, Problem> {
    let roots = match authorities {
        Some(path) => read_authorities(path)?,
        None => system_authorities()?,
    };
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&version::TLS13, &version::TLS12])
        // Fails only for a provider without cipher suites of a version; this one is compiled in with both.
        .expect("aws-lc-rs has cipher suites for TLS 1.2 and 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

fn read_authorities(path: &Path) -> Result<RootCertStore, Problem> {
    let (octets, _) = read(path, WEBHOOK_AUTHORITIES_OCTETS)?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&octets) {
        let is_added = certificate.is_ok_and(|certificate| roots.add(certificate).is_ok());
        if !is_added {
            return Err(Problem::NoAuthorities(path.to_owned()));
        }
    }
    if roots.is_empty() { Err(Problem::NoAuthorities(path.to_owned())) } else { Ok(roots) }
}

fn system_authorities() -> Result<RootCertStore, Problem> {
    let mut roots = RootCertStore::empty();
    // Some systems ship certificates that rustls does not take; the rest is enough.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() { Err(Problem::NoSystemAuthorities) } else { Ok(roots) }
}
