//! Redirects: off unless asked for, bounded, and never a way around the egress list.

use super::responder::{Asked, Responder, close_after, read_request};
use super::*;

fn following(redirects: u8) -> HttpCheck {
    HttpCheck { redirects, expect: StatusSet::parse("200").unwrap(), ..http() }
}

fn pointing(status: u16, location: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status} X\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n").into()
}

/// Answers `/healthz` with one reply and everything else with 200, and notes the last request.
async fn endpoint(first: Vec<u8>, asked: &Asked) -> Responder {
    let asked = asked.clone();
    Responder::start(move |mut stream| {
        let (first, asked) = (first.clone(), asked.clone());
        async move {
            let request = read_request(&mut stream).await;
            let is_first = request.contains(" /healthz ");
            asked.put(request);
            let ok = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
            close_after(stream, if is_first { &first } else { ok }).await;
        }
    })
    .await
}

async fn follow(check: HttpCheck, endpoint: &Responder) -> Observation {
    probe(&target(Protocol::Http(check), endpoint.address)).await
}

#[tokio::test]
async fn a_redirect_is_followed_on_the_same_host() {
    for (status, location, path) in [
        (301, "/ready", "/ready"),
        (302, "ready?x=1#part", "/ready?x=1"),
        (303, "?x=1", "/healthz?x=1"),
        (307, "../a/./b", "/a/b"),
        (308, "HTTP://WWW.example.com:{port}/there", "/there"),
        (302, "//www.example.com:{port}", "/"),
    ] {
        let asked = Asked::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let location = location.replace("{port}", &port.to_string());
        let endpoint = Responder::start_on(port, {
            let (asked, first) = (asked.clone(), pointing(status, &location));
            move |mut stream| {
                let (asked, first) = (asked.clone(), first.clone());
                async move {
                    let request = read_request(&mut stream).await;
                    let is_first = request.starts_with("GET /healthz ");
                    asked.put(request);
                    let ok = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
                    close_after(stream, if is_first { &first } else { ok }).await;
                }
            }
        })
        .await;
        let headers = [("authorization".into(), "Bearer t".into())].into();
        let check = HttpCheck { host: Some("www.example.com".into()), headers, ..following(1) };
        let observation = follow(check, &endpoint).await;
        assert!(is_success(&observation), "{location}: {observation}");
        let request = asked.text();
        assert!(request.starts_with(&format!("GET {path} HTTP/1.1\r\n")), "{location}: {request}");
        let host = format!("\r\nhost: www.example.com:{port}\r\n");
        assert!(request.to_ascii_lowercase().contains(&host), "{location}: {request}");
        assert!(request.contains("Bearer t"), "{request}");
    }
}

#[tokio::test]
async fn another_host_is_resolved_and_gets_no_token() {
    let (asked, other_asked) = (Asked::default(), Asked::default());
    let other = endpoint(Vec::new(), &other_asked).await;
    let location = format!("http://localhost:{}/there", other.address.port());
    let first = endpoint(pointing(302, &location), &asked).await;
    let headers = [("authorization".into(), "Bearer t".into())].into();
    let check = HttpCheck { host: Some("www.example.com".into()), headers, ..following(3) };
    let observation = follow(check, &first).await;
    assert!(is_success(&observation), "{observation}");
    assert!(asked.text().contains("Bearer t"));
    let request = other_asked.text();
    assert!(request.starts_with("GET /there ") && !request.contains("Bearer"), "{request}");
    let host = format!("\r\nhost: localhost:{}\r\n", other.address.port());
    assert!(request.to_ascii_lowercase().contains(&host), "{request}");
}

#[tokio::test]
async fn the_last_status_is_the_one_that_is_judged() {
    let asked = Asked::default();
    let circle = endpoint(pointing(302, "/healthz"), &asked).await;
    assert_eq!(follow(following(3), &circle).await, failed(FailureReason::Status(302)));
    assert_eq!(circle.accepted(), 4, "the request and three more");
    let check = HttpCheck { redirects: 3, ..http() };
    assert!(is_success(&follow(check, &circle).await), "a 302 passes where it is expected");
    let nowhere = b"HTTP/1.1 302 X\r\nContent-Length: 0\r\n\r\n".to_vec();
    let nowhere = endpoint(nowhere, &asked).await;
    assert_eq!(follow(following(3), &nowhere).await, failed(FailureReason::Status(302)));
    let off = endpoint(pointing(302, "/ready"), &asked).await;
    assert_eq!(follow(following(0), &off).await, failed(FailureReason::Status(302)));
    assert_eq!(off.accepted(), 1);
}

#[tokio::test]
async fn a_redirect_to_a_denied_address_is_blocked() {
    for location in [
        "http://169.254.169.254/latest/meta-data/",
        "http://[::ffff:169.254.169.254]/",
        "http://[fd00:ec2::254]/",
        "//100.100.100.200/",
        "http://0.0.0.0/",
        // Other ways to write 169.254.169.254, which resolvers understand.
        "http://2852039166/",
        "http://0xa9fea9fe/",
    ] {
        let endpoint = endpoint(pointing(302, location), &Asked::default()).await;
        let observation = follow(following(1), &endpoint).await;
        assert_eq!(observation, Observation::Nothing(NothingReason::Blocked), "{location}");
    }
}

#[tokio::test]
async fn a_redirect_to_something_that_is_no_web_page_is_malformed() {
    for location in ["ftp://a.example/", "file:///etc/passwd", "http://", "http://[::1", "gopher:x"]
    {
        let endpoint = endpoint(pointing(302, location), &Asked::default()).await;
        let observation = follow(following(1), &endpoint).await;
        let is_malformed =
            matches!(observation, Observation::Failure(FailureReason::MalformedReply(_)));
        assert!(is_malformed, "{location}: {observation}");
    }
}

/// Every hop costs of the same 64 KiB.
#[tokio::test]
async fn redirects_together_read_no_more_than_one_probe() {
    let filler = format!("X: {}\r\n", "x".repeat(15_000));
    let first =
        format!("HTTP/1.1 302 X\r\nLocation: /healthz\r\n{filler}Content-Length: 0\r\n\r\n");
    let endpoint = endpoint(first.into(), &Asked::default()).await;
    let observation = follow(following(10), &endpoint).await;
    assert!(
        matches!(observation, Observation::Failure(FailureReason::MalformedReply(_))),
        "{observation}"
    );
    assert_eq!(endpoint.accepted(), 5);
}

#[tokio::test]
async fn a_post_is_repeated_or_becomes_a_get() {
    for (status, method) in [(303, "GET"), (307, "POST")] {
        let asked = Asked::default();
        let endpoint = endpoint(pointing(status, "/ready"), &asked).await;
        let check = HttpCheck { method: "POST".into(), ..following(1) };
        let observation = follow(check, &endpoint).await;
        assert!(is_success(&observation), "{observation}");
        assert!(asked.text().starts_with(&format!("{method} /ready ")), "{}", asked.text());
    }
}
