//! TLS for probes: any certificate will do unless a check asks for a valid one, the handshake itself must be sound.
//!
//! By default a certificate is not validated (Route 53 rule 62): a check asks whether the endpoint works, and clients decide for
//! themselves whom they trust. The signature over the handshake is always verified, so the endpoint must hold the key of what it
//! presents. A certificate that is to be valid is judged when the handshake is over and before anything is sent: so its end is
//! known even of one that is refused. A peer that answers the name with an alert is asked once more without it (rule 62).
//! No session is resumed: every probe proves a full handshake. Rule 62's TLS 1.0 is not to be had from rustls, which begins at
//! 1.2.

use std::io;
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
use tokio_rustls::rustls::{
    AlertDescription, ClientConfig, DigitallySignedStruct, Error, SignatureScheme, version,
};
use x509_cert::Certificate;
use x509_cert::der::Decode;

use super::blame::{Miss, Raised, certificate_detail, judge_io};
use super::connect::connect;
use super::stream::Bounded;
use super::trial::Trial;
use crate::health::{FailureReason, TlsCheck};

/// The protocol's name in ALPN (RFC 9113 §3.2).
const HTTP2: &[u8] = b"h2";

/// What all TLS probes share.
pub(super) struct Connectors {
    plain: TlsConnector,
    /// Offers HTTP/2 and nothing else.
    http2: TlsConnector,
}

impl Default for Connectors {
    fn default() -> Self {
        Self { plain: connector(&[]), http2: connector(&[HTTP2]) }
    }
}

fn connector(protocols: &[&[u8]]) -> TlsConnector {
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
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    TlsConnector::from(Arc::new(config))
}

/// Connects and shakes hands, asking for the check's own name or else for the host's.
pub(super) async fn open(
    trial: &Trial<'_>,
    address: SocketAddr,
    check: &TlsCheck,
    host: Option<&str>,
    is_http2: bool,
) -> Result<TlsStream<Bounded>, Miss> {
    let nameless = ServerName::from(address.ip());
    let name = check.server_name.as_deref().or(host);
    // RFC 6066 §3 has no SNI for addresses, and rustls sends none for them.
    let name = name.and_then(|name| ServerName::try_from(name.to_owned()).ok());
    let name = name.unwrap_or_else(|| nameless.clone());
    let asked = if check.hides_name { nameless.clone() } else { name.clone() };
    let has_asked = matches!(asked, ServerName::DnsName(_));
    let shaken = match shake(trial, address, asked, is_http2).await? {
        Err(error) if has_asked && is_about_name(&error) => {
            shake(trial, address, nameless, is_http2).await?
        }
        shaken => shaken,
    };
    let stream = shaken.map_err(|error| judge_handshake(&error))?;
    judge_protocol(&stream, is_http2)?;
    judge_certificate(trial, &stream, check, &name)?;
    Ok(stream)
}

/// One connection and one handshake; the inner error is the handshake's.
async fn shake(
    trial: &Trial<'_>,
    address: SocketAddr,
    name: ServerName<'static>,
    is_http2: bool,
) -> Result<io::Result<TlsStream<Bounded>>, Miss> {
    let connectors = &trial.tools.connectors;
    let connector = if is_http2 { &connectors.http2 } else { &connectors.plain };
    let stream = connect(trial, address).await?;
    Ok(connector.connect(name, stream).await)
}

/// Whether the peer's alert may mean that it does not know the name (RFC 6066 §3; old servers only say that it failed).
fn is_about_name(error: &io::Error) -> bool {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    matches!(
        inner,
        Some(Error::AlertReceived(
            AlertDescription::UnrecognisedName | AlertDescription::HandshakeFailure
        ))
    )
}

fn judge_handshake(error: &io::Error) -> Miss {
    match judge_io(error, Raised::Afterwards) {
        Miss::Failure(FailureReason::Closed) => {
            Miss::Failure(FailureReason::Tls("connection closed during the handshake".into()))
        }
        miss => miss,
    }
}

fn judge_protocol(stream: &TlsStream<Bounded>, is_http2: bool) -> Result<(), Miss> {
    let agreed = stream.get_ref().1.alpn_protocol();
    if is_http2 && agreed != Some(HTTP2) {
        return Err(Miss::Failure(FailureReason::Tls("the endpoint does not offer HTTP/2".into())));
    }
    Ok(())
}

/// Notes when the certificate ends, then judges it if the check wants a valid one.
fn judge_certificate(
    trial: &Trial<'_>,
    stream: &TlsStream<Bounded>,
    check: &TlsCheck,
    name: &ServerName<'_>,
) -> Result<(), Miss> {
    let presented = stream.get_ref().1.peer_certificates().unwrap_or_default();
    let Some((own, others)) = presented.split_first() else {
        let text = "the endpoint presents no certificate".into();
        return Err(Miss::Failure(FailureReason::Tls(text)));
    };
    if let Some(ends_s) = read_end(own) {
        trial.note_certificate(ends_s);
    }
    match trial.trust.as_ref().filter(|_| check.is_verified) {
        None => Ok(()),
        Some(trust) => {
            let judged = trust.verify_server_cert(own, others, name, &[], UnixTime::now());
            let fail =
                |error| Miss::Failure(FailureReason::Certificate(certificate_detail(&error)));
            judged.map(drop).map_err(fail)
        }
    }
}

/// Seconds since 1970 at which a certificate ends (RFC 5280 §4.1.2.5); nothing if it can't be read.
fn read_end(certificate: &CertificateDer<'_>) -> Option<i64> {
    let certificate = Certificate::from_der(certificate).ok()?;
    let end = certificate.tbs_certificate().validity().not_after.to_unix_duration();
    i64::try_from(end.as_secs()).ok()
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
