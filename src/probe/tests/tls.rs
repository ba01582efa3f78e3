//! The HTTPS check: SNI, Host, any certificate, sound handshakes only.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{ServerConfig, SupportedProtocolVersion, version};

use super::responder::{Asked, Responder, close_after, read_request, status_reply};
use super::*;

/// Presents one certificate, whether or not the key belongs to it.
#[derive(Debug)]
struct Present(Arc<CertifiedKey>);

impl ResolvesServerCert for Present {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

fn self_signed() -> (CertificateDer<'static>, PrivateKeyDer<'static>) {
    let made = rcgen::generate_simple_self_signed(vec!["other.example".to_owned()]).unwrap();
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    (made.cert.der().clone(), key.into())
}

fn acceptor(
    certificate: CertificateDer<'static>,
    key: &PrivateKeyDer<'_>,
    version: &'static SupportedProtocolVersion,
) -> TlsAcceptor {
    let key = aws_lc_rs::sign::any_supported_type(key).unwrap();
    let present = Present(Arc::new(CertifiedKey::new(vec![certificate], key)));
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(present));
    TlsAcceptor::from(Arc::new(config))
}

fn honest(version: &'static SupportedProtocolVersion) -> TlsAcceptor {
    let (certificate, key) = self_signed();
    acceptor(certificate, &key, version)
}

/// Serves 200 over TLS and notes `sni <name or none>` and the request.
async fn endpoint(acceptor: TlsAcceptor, asked: Asked) -> Responder {
    Responder::start(move |stream| serve(acceptor.clone(), stream, asked.clone())).await
}

async fn serve(acceptor: TlsAcceptor, stream: TcpStream, asked: Asked) {
    if let Ok(mut stream) = acceptor.accept(stream).await {
        let request = read_request(&mut stream).await;
        let sni = stream.get_ref().1.server_name().unwrap_or("none");
        asked.put(format!("sni {sni}\r\n{request}"));
        close_after(stream, &status_reply(200)).await;
    }
}

#[tokio::test]
async fn rule_62_a_certificate_is_not_validated() {
    for version in [&version::TLS12, &version::TLS13] {
        let endpoint = endpoint(honest(version), Asked::default()).await;
        let check = Protocol::Http(https(Some("www.example.com")));
        let observation = probe(&target(check, endpoint.address)).await;
        assert!(is_success(&observation), "{version:?}: {observation}");
    }
}

#[tokio::test]
async fn rule_63_sni_and_host_are_the_checks_host() {
    let asked = Asked::default();
    let endpoint = endpoint(honest(&version::TLS13), asked.clone()).await;
    let check = Protocol::Http(https(Some("www.example.com")));
    assert!(is_success(&probe(&target(check, endpoint.address)).await));
    let asked = asked.text();
    assert!(asked.starts_with("sni www.example.com\r\nGET /healthz HTTP/1.1\r\n"), "{asked}");
    let host = format!("\r\nhost: www.example.com:{}\r\n", endpoint.address.port());
    assert!(asked.contains(&host), "{asked}");
}

#[tokio::test]
async fn rule_62_without_a_host_no_sni_is_sent() {
    for host in [None, Some("192.0.2.1")] {
        let asked = Asked::default();
        let endpoint = endpoint(honest(&version::TLS13), asked.clone()).await;
        assert!(is_success(&probe(&target(Protocol::Http(https(host)), endpoint.address)).await));
        let asked = asked.text();
        let host = format!("host: {}:{}\r\n", host.unwrap_or("127.0.0.1"), endpoint.address.port());
        assert!(asked.starts_with("sni none\r\n") && asked.contains(&host), "{asked}");
    }
}

#[tokio::test]
async fn a_handshake_signed_with_another_key_is_a_failure() {
    for version in [&version::TLS12, &version::TLS13] {
        let ((certificate, _), (_, other_key)) = (self_signed(), self_signed());
        let endpoint = endpoint(acceptor(certificate, &other_key, version), Asked::default()).await;
        let observation = probe(&target(Protocol::Http(https(None)), endpoint.address)).await;
        assert!(is_tls_failure(&observation), "{version:?}: {observation}");
    }
}

#[tokio::test]
async fn an_endpoint_without_tls_is_a_failure() {
    for garbage in ["HTTP/1.1 400 Bad Request\r\n\r\n", "\x16\x03\x01\x7f\x7f\x01\x01", ""] {
        let endpoint = Responder::start(move |stream| async move {
            let _ = stream.readable().await;
            close_after(stream, garbage.as_bytes()).await;
        })
        .await;
        let observation = probe(&target(Protocol::Http(https(None)), endpoint.address)).await;
        assert!(is_tls_failure(&observation), "{garbage:?}: {observation}");
    }
}

#[tokio::test]
async fn a_handshake_that_stalls_is_a_timeout() {
    let endpoint = Responder::silent().await;
    let observation = probe(&impatient(Protocol::Http(https(None)), endpoint.address, 300)).await;
    assert_eq!(observation, failed(FailureReason::Timeout));
}

/// Empty handshake records are legal octets that lead nowhere.
#[tokio::test]
async fn an_endless_handshake_ends() {
    let endpoint = Responder::start(|mut stream| async move {
        let _ = stream.readable().await;
        let record = [&[22, 3, 3, 0x40, 0, 2, 0x0f, 0xff, 0xff][..], &[0; 0x4000 - 4]].concat();
        let _ = stream.write_all(&record).await;
        while stream.write_all(&[&[22, 3, 3, 0x40, 0][..], &[0; 0x4000]].concat()).await.is_ok() {}
        tokio::time::sleep(Duration::from_secs(3600)).await;
    })
    .await;
    let observation = probe(&target(Protocol::Http(https(None)), endpoint.address)).await;
    assert!(matches!(observation, Observation::Failure(_)), "{observation}");
    assert_ne!(observation, failed(FailureReason::Timeout));
}

fn is_tls_failure(observation: &Observation) -> bool {
    matches!(observation, Observation::Failure(FailureReason::Tls(_)))
}

/// Answers a handshake that names `www` with an alert, and any other with a sound one; notes the names it went through with.
async fn picky(alert: u8, asked: Asked) -> Responder {
    let acceptor = honest(&version::TLS13);
    Responder::start(move |mut stream| {
        let (acceptor, asked) = (acceptor.clone(), asked.clone());
        async move {
            let mut hello = [0; 2048];
            let octets = stream.peek(&mut hello).await.unwrap_or(0);
            if hello[..octets].windows(3).any(|window| window == b"www") {
                let _ = tokio::io::AsyncReadExt::read(&mut stream, &mut hello).await;
                close_after(stream, &[21, 3, 3, 0, 2, 2, alert]).await;
            } else {
                serve(acceptor, stream, asked).await;
            }
        }
    })
    .await
}

#[tokio::test]
async fn rule_62_a_name_that_is_refused_is_left_out_once() {
    // RFC 8446 §6: handshake_failure 40, unrecognized_name 112; bad_certificate 42 is about something else.
    for (alert, passes, connections) in [(112, true, 2), (40, true, 2), (42, false, 1)] {
        let asked = Asked::default();
        let endpoint = picky(alert, asked.clone()).await;
        let check = Protocol::Http(https(Some("www.example.com")));
        let observation = probe(&target(check, endpoint.address)).await;
        assert_eq!(is_success(&observation), passes, "{alert}: {observation}");
        assert!(passes || is_tls_failure(&observation), "{observation}");
        assert_eq!(endpoint.accepted(), connections, "{alert}");
        assert!(!passes || asked.text().starts_with("sni none\r\n"), "{}", asked.text());
        assert!(!passes || asked.text().contains("host: www.example.com"), "{}", asked.text());
    }
}

/// The second handshake is refused as well: there is no third.
#[tokio::test]
async fn rule_62_a_peer_that_refuses_every_name_is_a_failure() {
    let endpoint = Responder::start(|mut stream| async move {
        let _ = tokio::io::AsyncReadExt::read(&mut stream, &mut [0; 2048]).await;
        close_after(stream, &[21, 3, 3, 0, 2, 2, 112]).await;
    })
    .await;
    for (host, connections) in [(Some("www.example.com"), 2), (None, 3)] {
        let observation = probe(&target(Protocol::Http(https(host)), endpoint.address)).await;
        assert!(is_tls_failure(&observation), "{observation}");
        assert_eq!(endpoint.accepted(), connections);
    }
}

#[tokio::test]
async fn a_name_can_be_hidden_or_another_one() {
    for (hides_name, server_name, sni) in [
        (true, None, "none"),
        (false, Some("b.example"), "b.example"),
        (true, Some("b.example"), "none"),
    ] {
        let asked = Asked::default();
        let endpoint = endpoint(honest(&version::TLS13), asked.clone()).await;
        let server_name = server_name.map(Into::into);
        let tls = Some(TlsCheck { hides_name, server_name, ..TlsCheck::default() });
        let check = HttpCheck { tls, ..https(Some("www.example.com")) };
        assert!(is_success(&probe(&target(Protocol::Http(check), endpoint.address)).await));
        let asked = asked.text();
        assert!(asked.starts_with(&format!("sni {sni}\r\n")), "{asked}");
        assert!(asked.contains("host: www.example.com"), "{asked}");
    }
}
