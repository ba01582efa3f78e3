//! Certificates: whose are valid where a check asks, when they end, and under which name they are asked for.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use super::responder::{Asked, Responder, close_after, read_request, status_reply};
use super::*;

/// Seconds since 1970 of 2049-12-31 and of 2020-01-02.
const FAR_S: i64 = 2_524_521_600;
const PAST_S: i64 = 1_577_923_200;

/// An authority and the file that it stands in, which goes away with this value.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    path: PathBuf,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let path = std::env::temp_dir().join(format!("meridian-{}-{name}.pem", std::process::id()));
        let mut file = std::fs::File::create(&path).unwrap();
        file.write_all(issuer.pem().as_bytes()).unwrap();
        Self { issuer, path }
    }

    /// A certificate for a name, which is valid until the end of 2049 or ended in 2020, with its key.
    fn issue(
        &self,
        name: &str,
        is_valid: bool,
    ) -> (CertificateDer<'static>, PrivateKeyDer<'static>) {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_before = date_time_ymd(2019, 1, 1);
        params.not_after =
            if is_valid { date_time_ymd(2049, 12, 31) } else { date_time_ymd(2020, 1, 2) };
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let key = PrivatePkcs8KeyDer::from(key.serialize_der());
        (certificate.der().clone(), key.into())
    }

    fn trusting(&self) -> TlsCheck {
        let authorities = Some(self.path.to_str().unwrap().into());
        TlsCheck { is_verified: true, authorities, ..TlsCheck::default() }
    }
}

impl Drop for Authority {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Serves 200 and notes the name that was asked for.
async fn endpoint(
    (certificate, key): (CertificateDer<'static>, PrivateKeyDer<'static>),
    asked: &Asked,
) -> Responder {
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let (acceptor, asked) = (TlsAcceptor::from(Arc::new(config)), asked.clone());
    Responder::start(move |stream| {
        let (acceptor, asked) = (acceptor.clone(), asked.clone());
        async move {
            if let Ok(mut stream) = acceptor.accept(stream).await {
                asked.put(stream.get_ref().1.server_name().unwrap_or("none").to_owned());
                read_request(&mut stream).await;
                close_after(stream, &status_reply(200)).await;
            }
        }
    })
    .await
}

fn over(tls: TlsCheck, host: Option<&str>, endpoint: &Responder) -> ProbeTarget {
    let check = HttpCheck { tls: Some(tls), ..https(host) };
    target(Protocol::Http(check), endpoint.address)
}

fn is_certificate(observation: &Observation) -> bool {
    matches!(observation, Observation::Failure(FailureReason::Certificate(_)))
}

const WWW: Option<&str> = Some("www.example.com");

#[tokio::test]
async fn a_valid_certificate_passes_and_tells_its_end() {
    let authority = Authority::new("valid");
    let endpoint = endpoint(authority.issue("www.example.com", true), &Asked::default()).await;
    for tls in [authority.trusting(), TlsCheck::default()] {
        let probed = look(&over(tls, WWW, &endpoint), &tools()).await;
        assert!(is_success(&probed.observation), "{}", probed.observation);
        assert_eq!(probed.certificate_ends_s, Some(FAR_S));
    }
}

#[tokio::test]
async fn rule_62_an_expired_certificate_fails_only_where_it_is_verified() {
    let authority = Authority::new("expired");
    let endpoint = endpoint(authority.issue("www.example.com", false), &Asked::default()).await;
    let probed = look(&over(authority.trusting(), WWW, &endpoint), &tools()).await;
    assert!(is_certificate(&probed.observation), "{}", probed.observation);
    assert_eq!(probed.certificate_ends_s, Some(PAST_S), "known of one that is refused, too");
    let probed = look(&over(TlsCheck::default(), WWW, &endpoint), &tools()).await;
    assert!(is_success(&probed.observation), "{}", probed.observation);
    assert_eq!(probed.certificate_ends_s, Some(PAST_S));
}

#[tokio::test]
async fn another_authority_or_the_systems_does_not_vouch_for_it() {
    let (authority, stranger) = (Authority::new("own"), Authority::new("stranger"));
    let asked = Asked::default();
    let endpoint = endpoint(authority.issue("www.example.com", true), &asked).await;
    for (authorities, certificate) in [
        (stranger.trusting().authorities, true),
        // The system may have no authorities at all, in a small container; then there is no file to trust.
        (None, rustls_native_certs::load_native_certs().certs.iter().any(|one| !one.is_empty())),
    ] {
        let tls = TlsCheck { is_verified: true, authorities, ..TlsCheck::default() };
        let observation = probe(&over(tls, WWW, &endpoint)).await;
        let is_no_file = observation == Observation::Nothing(NothingReason::NoFile);
        assert!(
            if certificate { is_certificate(&observation) } else { is_no_file },
            "{observation}"
        );
    }
}

#[tokio::test]
async fn a_certificate_is_verified_for_the_name_that_was_asked_for() {
    let authority = Authority::new("names");
    let asked = Asked::default();
    let endpoint = endpoint(authority.issue("www.example.com", true), &asked).await;
    let named = |name: &str| TlsCheck { server_name: Some(name.into()), ..authority.trusting() };
    let hidden = |tls| TlsCheck { hides_name: true, ..tls };
    for (tls, host, passes, sni) in [
        (authority.trusting(), WWW, true, "www.example.com"),
        (authority.trusting(), Some("other.example"), false, "other.example"),
        (named("www.example.com"), Some("other.example"), true, "www.example.com"),
        (named("other.example"), WWW, false, "other.example"),
        (hidden(authority.trusting()), WWW, true, "none"),
        (hidden(named("www.example.com")), None, true, "none"),
        (authority.trusting(), None, false, "none"),
    ] {
        asked.put("nobody".to_owned());
        let observation = probe(&over(tls.clone(), host, &endpoint)).await;
        assert_eq!(is_success(&observation), passes, "{tls:?} {host:?}: {observation}");
        assert!(passes || is_certificate(&observation), "{observation}");
        eventually("the endpoint was asked", || asked.text() != "nobody").await;
        assert_eq!(asked.text(), sni, "{tls:?} {host:?}");
    }
}

#[tokio::test]
async fn a_file_that_cannot_be_read_or_has_no_certificate_is_ours() {
    let authority = Authority::new("empty");
    let endpoint = endpoint(authority.issue("www.example.com", true), &Asked::default()).await;
    std::fs::write(&authority.path, "no certificate\n").unwrap();
    let missing =
        TlsCheck { authorities: Some("/nonexistent/ca.pem".into()), ..authority.trusting() };
    for tls in [authority.trusting(), missing] {
        let observation = probe(&over(tls, WWW, &endpoint)).await;
        assert_eq!(observation, Observation::Nothing(NothingReason::NoFile));
    }
    assert_eq!(endpoint.accepted(), 0);
}

/// Once it is read, it holds for a while.
#[tokio::test]
async fn a_file_is_not_read_for_every_probe() {
    let authority = Authority::new("kept");
    let endpoint = endpoint(authority.issue("www.example.com", true), &Asked::default()).await;
    let (tools, target) = (tools(), over(authority.trusting(), WWW, &endpoint));
    assert!(is_success(&look(&target, &tools).await.observation));
    std::fs::remove_file(&authority.path).unwrap();
    assert!(is_success(&look(&target, &tools).await.observation));
    let fresh = look(&target, &super::tools()).await.observation;
    assert_eq!(fresh, Observation::Nothing(NothingReason::NoFile));
}

#[tokio::test]
async fn tcp_has_tls_and_certificates_too() {
    let authority = Authority::new("tcp");
    let valid = endpoint(authority.issue("www.example.com", true), &Asked::default()).await;
    let check = |host: &str| {
        let tls = Some(authority.trusting());
        Protocol::Tcp(TcpCheck { tls, host: Some(host.into()), ..TcpCheck::default() })
    };
    let probed = look(&target(check("www.example.com"), valid.address), &tools()).await;
    assert!(is_success(&probed.observation), "{}", probed.observation);
    assert_eq!(probed.certificate_ends_s, Some(FAR_S));
    let observation = probe(&target(check("other.example"), valid.address)).await;
    assert!(is_certificate(&observation), "{observation}");
}
