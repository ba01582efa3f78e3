//! HTTP/2 and gRPC, against hyper's server and against peers that only pretend.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::AsyncWriteExt;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;

use super::responder::{Asked, Responder, close_after, deserted};
use super::*;
use crate::health::{GrpcCheck, Pattern};

/// What a server sends behind the header.
#[derive(Clone, Default)]
struct Script {
    status: u16,
    fields: Vec<(&'static str, String)>,
    body: Vec<u8>,
    trailers: Vec<(&'static str, &'static str)>,
}

type Body = http_body_util::combinators::BoxBody<Bytes, Infallible>;

fn play(script: &Script) -> Response<Body> {
    let mut response = Response::builder().status(script.status);
    for (name, value) in &script.fields {
        response = response.header(*name, value);
    }
    let mut trailers = HeaderMap::new();
    for (name, value) in &script.trailers {
        trailers.insert(*name, value.parse().unwrap());
    }
    let data = Frame::data(Bytes::from(script.body.clone()));
    let frames = Frames { frames: vec![Frame::trailers(trailers), data] };
    let has_trailers = !script.trailers.is_empty();
    let body = if has_trailers { frames.boxed() } else { Full::from(script.body.clone()).boxed() };
    response.body(body).unwrap()
}

/// Frames from the last to the first.
struct Frames {
    frames: Vec<Frame<Bytes>>,
}

impl hyper::body::Body for Frames {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        std::task::Poll::Ready(self.frames.pop().map(Ok))
    }
}

async fn answer(
    request: Request<Incoming>,
    script: Script,
    asked: Asked,
) -> Result<Response<Body>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    asked.put(format!("{} {} {:?} {body:?}", head.method, head.uri, head.headers));
    Ok(play(&script))
}

/// An HTTP/2 server, with TLS if there is an acceptor.
async fn server(script: Script, asked: &Asked, acceptor: Option<TlsAcceptor>) -> Responder {
    let asked = asked.clone();
    Responder::start(move |stream| {
        let (script, asked, acceptor) = (script.clone(), asked.clone(), acceptor.clone());
        async move {
            let service = service_fn(move |request| answer(request, script.clone(), asked.clone()));
            let builder = http2::Builder::new(TokioExecutor::new());
            match acceptor {
                None => drop(builder.serve_connection(TokioIo::new(stream), service).await),
                Some(acceptor) => {
                    if let Ok(stream) = acceptor.accept(stream).await {
                        drop(builder.serve_connection(TokioIo::new(stream), service).await);
                    }
                }
            }
        }
    })
    .await
}

fn acceptor(protocols: &[&[u8]]) -> TlsAcceptor {
    let made = rcgen::generate_simple_self_signed(vec!["www.example.com".to_owned()]).unwrap();
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key.into())
        .unwrap();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    TlsAcceptor::from(Arc::new(config))
}

fn http2(tls: bool) -> HttpCheck {
    HttpCheck {
        tls: tls.then(TlsCheck::default),
        is_http2: true,
        host: Some("www.example.com".into()),
        body: Some(Pattern::parse_text("NEEDLE").unwrap()),
        ..http()
    }
}

fn ok(body: &[u8]) -> Script {
    Script { status: 200, body: body.to_vec(), ..Script::default() }
}

async fn ask(check: HttpCheck, endpoint: &Responder) -> Observation {
    probe(&target(Protocol::Http(check), endpoint.address)).await
}

#[tokio::test]
async fn http_2_is_spoken_with_prior_knowledge_and_with_alpn() {
    for tls in [false, true] {
        let asked = Asked::default();
        let endpoint = server(ok(b"NEEDLE"), &asked, tls.then(|| acceptor(&[b"h2"]))).await;
        let observation = ask(http2(tls), &endpoint).await;
        assert!(is_success(&observation), "{tls}: {observation}");
        let scheme = if tls { "https" } else { "http" };
        let line = format!("GET {scheme}://www.example.com:{}/healthz ", endpoint.address.port());
        assert!(asked.text().starts_with(&line), "{}", asked.text());
        let other = server(ok(b"hay"), &asked, tls.then(|| acceptor(&[b"h2"]))).await;
        assert_eq!(ask(http2(tls), &other).await, failed(FailureReason::Body));
        let wrong = Script { status: 503, ..ok(b"NEEDLE") };
        let wrong = server(wrong, &asked, tls.then(|| acceptor(&[b"h2"]))).await;
        assert_eq!(ask(http2(tls), &wrong).await, failed(FailureReason::Status(503)));
    }
}

#[tokio::test]
async fn rule_61_over_http_2_the_needle_ends_at_octet_5120() {
    for (end, passes) in [(5120, true), (5121, false)] {
        let body = [&vec![b'x'; end - 6][..], b"NEEDLE", &[b'x'; 200_000]].concat();
        let endpoint = server(ok(&body), &Asked::default(), None).await;
        let observation = ask(http2(false), &endpoint).await;
        assert_eq!(is_success(&observation), passes, "{end}: {observation}");
    }
}

#[tokio::test]
async fn rule_64_over_http_2_more_than_sixteen_kib_of_headers_is_a_failure() {
    let fields = (0..5).map(|_| ("x-filler", "x".repeat(4000))).collect();
    let endpoint = server(Script { fields, ..ok(b"NEEDLE") }, &Asked::default(), None).await;
    let observation = ask(http2(false), &endpoint).await;
    assert!(matches!(observation, Observation::Failure(_)), "{observation}");
}

#[tokio::test]
async fn a_server_that_does_not_offer_http_2_fails() {
    for protocols in [&[b"http/1.1".as_slice()][..], &[]] {
        let endpoint = server(ok(b"NEEDLE"), &Asked::default(), Some(acceptor(protocols))).await;
        let observation = ask(http2(true), &endpoint).await;
        let is_tls = matches!(observation, Observation::Failure(FailureReason::Tls(_)));
        assert!(is_tls, "{observation}");
    }
    let old = Responder::reply("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n").await;
    let observation = ask(http2(false), &old).await;
    assert!(matches!(observation, Observation::Failure(_)), "{observation}");
}

/// Nothing of a probe is left behind: the server sees the connection end with it.
#[tokio::test]
async fn a_server_that_keeps_silent_is_a_timeout_and_the_connection_ends() {
    let asked = Asked::default();
    let seen = asked.clone();
    let endpoint = Responder::start(move |mut stream| {
        let seen = seen.clone();
        async move {
            let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
            seen.put("ended".to_owned());
        }
    })
    .await;
    let target = impatient(Protocol::Http(http2(false)), endpoint.address, 300);
    assert_eq!(probe(&target).await, failed(FailureReason::Timeout));
    eventually("the connection ends", || asked.text() == "ended").await;
}

#[tokio::test]
async fn frames_without_end_are_cut_off() {
    for frame in [
        // SETTINGS and PING, which only want to be answered; and a reserved type, which is passed over.
        &[0, 0, 0, 4, 0, 0, 0, 0, 0][..],
        &[0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8],
        &[0, 0, 0, 0xee, 0, 0, 0, 0, 0],
    ] {
        let endpoint = Responder::start(move |mut stream| async move {
            let _ = stream.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).await;
            while stream.write_all(&frame.repeat(100)).await.is_ok() {}
        })
        .await;
        let observation = ask(http2(false), &endpoint).await;
        let is_failure = matches!(observation, Observation::Failure(_));
        assert!(is_failure && observation != failed(FailureReason::Timeout), "{observation}");
    }
}

#[tokio::test]
async fn a_connection_that_is_refused_or_closed_says_so() {
    let refused = probe(&target(Protocol::Http(http2(false)), deserted().await)).await;
    assert_eq!(refused, failed(FailureReason::Refused));
    let endpoint = Responder::start(|stream| async move {
        let _ = stream.readable().await;
        close_after(stream, b"").await;
    })
    .await;
    assert_eq!(ask(http2(false), &endpoint).await, failed(FailureReason::Closed));
}

fn grpc(service: &str, tls: bool) -> Protocol {
    let (tls, host) = (tls.then(TlsCheck::default), Some("health.example".into()));
    Protocol::Grpc(GrpcCheck { tls, host, service: service.into() })
}

/// A reply with a serving status, and with the call's own.
fn serving(status: u8, code: &'static str) -> Script {
    let fields = vec![("content-type", "application/grpc".to_owned())];
    let (body, trailers) = (vec![0, 0, 0, 0, 2, 8, status], vec![("grpc-status", code)]);
    Script { status: 200, fields, body, trailers }
}

fn is_grpc(observation: &Observation) -> bool {
    matches!(observation, Observation::Failure(FailureReason::Grpc(_)))
}

#[tokio::test]
async fn a_service_that_is_serving_passes() {
    for tls in [false, true] {
        let asked = Asked::default();
        let endpoint = server(serving(1, "0"), &asked, tls.then(|| acceptor(&[b"h2"]))).await;
        for (service, body) in [("", r#"b"\0\0\0\0\0""#), ("a.B", r#"b"\0\0\0\0\x05\n\x03a.B""#)] {
            let observation = probe(&target(grpc(service, tls), endpoint.address)).await;
            assert!(is_success(&observation), "{observation}");
            let said = asked.text();
            let path =
                format!("health.example:{}/grpc.health.v1.Health/Check ", endpoint.address.port());
            assert!(said.starts_with("POST ") && said.contains(&path), "{said}");
            assert!(
                said.contains("application/grpc") && said.contains("\"te\": \"trailers\""),
                "{said}"
            );
            assert!(said.ends_with(body), "{said}");
        }
    }
}

#[tokio::test]
async fn any_other_status_is_a_failure_that_says_so() {
    let error = Script {
        trailers: vec![("grpc-status", "5"), ("grpc-message", "unknown service")],
        ..serving(1, "5")
    };
    let fields = vec![("grpc-status", "12".to_owned())];
    let trailers_only = Script { status: 200, fields, ..Script::default() };
    for (script, text) in [
        (serving(2, "0"), "gRPC: NOT_SERVING"),
        (serving(0, "0"), "gRPC: UNKNOWN"),
        (serving(3, "0"), "gRPC: SERVICE_UNKNOWN"),
        (error, "gRPC: status 5 unknown service"),
        (trailers_only, "gRPC: status 12"),
        (ok(b""), "gRPC: no status in the reply"),
        (
            Script { body: vec![1, 0, 0, 0, 2, 8, 1], ..serving(1, "0") },
            "gRPC: a reply that is no HealthCheckResponse",
        ),
    ] {
        let endpoint = server(script, &Asked::default(), None).await;
        let observation = probe(&target(grpc("a", false), endpoint.address)).await;
        assert!(is_grpc(&observation), "{observation}");
        assert_eq!(observation.to_string(), text);
    }
    let endpoint =
        server(Script { status: 404, ..Script::default() }, &Asked::default(), None).await;
    let observation = probe(&target(grpc("a", false), endpoint.address)).await;
    assert_eq!(observation, failed(FailureReason::Status(404)));
}

#[tokio::test]
async fn a_reply_without_end_is_malformed() {
    let endpoint =
        server(Script { body: vec![0; 100_000], ..serving(1, "0") }, &Asked::default(), None).await;
    let observation = probe(&target(grpc("a", false), endpoint.address)).await;
    assert!(
        matches!(observation, Observation::Failure(FailureReason::MalformedReply(_))),
        "{observation}"
    );
}

#[tokio::test]
async fn a_server_that_stalls_in_the_middle_is_a_timeout() {
    let endpoint = Responder::start(|mut stream| async move {
        let _ = stream.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).await;
        tokio::time::sleep(Duration::from_secs(3600)).await;
    })
    .await;
    let observation = probe(&impatient(grpc("a", false), endpoint.address, 300)).await;
    assert_eq!(observation, failed(FailureReason::Timeout));
}
