//! Certificates of an authority of the test's own.

use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;

use super::server::Directory;

/// The end of certificates that are not valid any more, 2020-01-02, in milliseconds since 1970.
pub const PAST_MS: u64 = 1_577_923_200_000;

/// An authority, and the file that says so.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    directory: Directory,
}

impl Authority {
    pub fn create() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("a certificate");
        let this = Self { issuer, directory: Directory::create() };
        std::fs::write(this.path(), this.issuer.pem()).expect("no room for a certificate");
        this
    }

    /// Its own certificate, as a check's `ca`.
    pub fn path(&self) -> PathBuf {
        self.directory.path().join("authority.pem")
    }

    /// What serves as a name, with a certificate that is valid until the end of 2049 or ended at [`PAST_MS`].
    pub fn certify(&self, name: &str, is_valid: bool) -> Arc<ServerConfig> {
        let mut params = CertificateParams::new(vec![name.to_owned()]).expect("a good name");
        params.not_before = date_time_ymd(2019, 1, 1);
        params.not_after =
            if is_valid { date_time_ymd(2049, 12, 31) } else { date_time_ymd(2020, 1, 2) };
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        let key = PrivatePkcs8KeyDer::from(key.serialize_der());
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("aws-lc-rs has all versions")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key.into())
            .expect("a good certificate");
        Arc::new(config)
    }
}
