//! TLS for probes: any certificate will do, the handshake itself must be sound.
//!
//! A certificate is not validated (Route 53 rule 62): a check asks whether the endpoint works, and clients decide for
//! themselves whom they trust. The signature over the handshake is verified, so the endpoint must hold the key of what it
//! presents. No session is resumed: every probe proves a full handshake. Rule 62's TLS 1.0 is not to be had from rustls,
//! which begins at 1.2.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::client::Resumption;
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::crypto::{
    WebPkiSupportedAlgorithms, aws_lc_rs, verify_tls12_signature, verify_tls13_signature,
};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme, version};

use super::blame::{Miss, Raised, judge_io};
use super::connect::Bounded;
use crate::health::FailureReason;

/// Makes what all TLS probes share.
pub(super) fn connector() -> TlsConnector {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let algorithms = provider.signature_verification_algorithms;
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&version::TLS13, &version::TLS12])
        // Fails only for a provider without cipher suites of a version; this one is compiled in with both.
        .expect("aws-lc-rs has cipher suites for TLS 1.2 and 1.3")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate { algorithms }))
        .with_no_client_auth();
    config.resumption = Resumption::disabled();
    TlsConnector::from(Arc::new(config))
}

/// Shakes hands. SNI is sent if the host is a DNS name; RFC 6066 §3 has no SNI for addresses.
pub(super) async fn handshake(
    stream: Bounded,
    host: Option<&str>,
    address: SocketAddr,
    tls: &TlsConnector,
) -> Result<TlsStream<Bounded>, Miss> {
    let name = host.and_then(|host| ServerName::try_from(host.to_owned()).ok());
    let name = name.unwrap_or_else(|| ServerName::from(address.ip()));
    let result = tls.connect(name, stream).await;
    result.map_err(|error| match judge_io(&error, Raised::Afterwards) {
        Miss::Failure(FailureReason::Closed) => {
            Miss::Failure(FailureReason::Tls("connection closed during the handshake".into()))
        }
        miss => miss,
    })
}

/// Accepts every certificate, verifies every signature.
#[derive(Debug)]
struct AnyCertificate {
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
