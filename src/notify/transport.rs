//! One message to one receiver: a POST over HTTP/1.1 on a connection of its own, within fixed times, without redirects.

use std::error::Error;
use std::io;
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{
    ACCEPT, AUTHORIZATION, CONNECTION, CONTENT_TYPE, HOST, HeaderValue, RETRY_AFTER, USER_AGENT,
};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::rustls::pki_types::ServerName;

use super::webhook::Webhook;
use crate::config::WebhookKind;
use crate::limits::{
    PROBE_DETAIL_CHARACTERS, PROBE_HEADER_FIELDS, PROBE_HEADER_OCTETS, WEBHOOK_ADDRESSES,
    WEBHOOK_REPLY_OCTETS, WEBHOOK_SECONDS,
};

/// Lets the operator of a receiver find us in a log.
const AGENT: &str = concat!("meridian/", env!("CARGO_PKG_VERSION"), " (notification)");

/// Where Alertmanager takes alerts, below its URL.
const ALERTS_PATH: &str = "/api/v2/alerts";

/// Why a message was not taken.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// It would not be taken another time either.
    Refused(String),
    /// It may be taken later, and the time that the receiver asks for.
    Later(String, Option<Duration>),
}

/// Sends a body of JSON.
pub(super) async fn post(webhook: &Webhook, body: Vec<u8>) -> Result<(), Failure> {
    let (_, whole) = WEBHOOK_SECONDS;
    match timeout(Duration::from_secs(whole), exchange(webhook, body)).await {
        Ok(result) => result,
        Err(_) => Err(later(format!("no answer within {whole} s"))),
    }
}

async fn exchange(webhook: &Webhook, body: Vec<u8>) -> Result<(), Failure> {
    let request = write_request(webhook, body).map_err(|error| {
        // The URL and the token were looked at; if they make no request all the same, no other try will.
        Failure::Refused(format!("no request can be made of it: {error}"))
    })?;
    let (connect, _) = WEBHOOK_SECONDS;
    let stream = match timeout(Duration::from_secs(connect), open(webhook)).await {
        Ok(stream) => stream.map_err(|error| later(explain(&error)))?,
        Err(_) => return Err(later(format!("no connection within {connect} s"))),
    };
    judge(&send(stream, request).await?, webhook)
}

fn later(why: String) -> Failure {
    Failure::Later(why, None)
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// A connection to the first address of the host that takes one, with TLS if the URL says so.
async fn open(webhook: &Webhook) -> io::Result<Box<dyn Stream>> {
    let url = &webhook.settings.url;
    let addresses = lookup_host((&*url.host, url.port)).await?;
    let mut result = Err(io::Error::other("the host has no address"));
    for address in addresses.take(WEBHOOK_ADDRESSES) {
        result = TcpStream::connect(address).await;
        if result.is_ok() {
            break;
        }
    }
    let stream = result?;
    stream.set_nodelay(true)?;
    let Some(tls) = &webhook.tls else { return Ok(Box::new(stream)) };
    let name = ServerName::try_from(url.host.to_string()).map_err(io::Error::other)?;
    Ok(Box::new(tls.connect(name, stream).await?))
}

fn write_request(webhook: &Webhook, body: Vec<u8>) -> hyper::http::Result<Request<Full<Bytes>>> {
    let url = &webhook.settings.url;
    let mut request = Request::post(write_path(&url.path, webhook.settings.kind))
        .header(HOST, url.authority())
        .header(USER_AGENT, AGENT)
        .header(ACCEPT, "*/*")
        .header(CONTENT_TYPE, "application/json")
        .header(CONNECTION, "close");
    if let Some(token) = &webhook.token {
        let mut value = HeaderValue::try_from(format!("Bearer {}", token.reveal()))?;
        value.set_sensitive(true);
        request = request.header(AUTHORIZATION, value);
    }
    request.body(Full::new(body.into()))
}

/// Of an Alertmanager the URL names the server, with the path that it may be behind.
fn write_path(path: &str, kind: WebhookKind) -> String {
    if kind != WebhookKind::Alertmanager || path.ends_with(ALERTS_PATH) {
        return path.to_owned();
    }
    format!("{}{ALERTS_PATH}", path.trim_end_matches('/'))
}

async fn send(
    stream: Box<dyn Stream>,
    request: Request<Full<Bytes>>,
) -> Result<Response<Bytes>, Failure> {
    let (mut sender, mut connection) = http1::Builder::new()
        .max_buf_size(PROBE_HEADER_OCTETS)
        .max_header_size(PROBE_HEADER_OCTETS)
        .max_headers(PROBE_HEADER_FIELDS)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|error| later(explain(&error)))?;
    let mut reply = Box::pin(async move {
        let reply = sender.send_request(request).await.map_err(|error| later(explain(&error)))?;
        Ok(read_reply(reply).await)
    });
    tokio::select! {
        biased;
        reply = &mut reply => reply,
        // The connection has done all it can: the reply is in, or the error why it is not.
        _ = &mut connection => reply.await,
    }
}

/// The status decides; a body that is too long, or ends too early, is only not shown.
async fn read_reply(reply: Response<Incoming>) -> Response<Bytes> {
    let (head, body) = reply.into_parts();
    let body = Limited::new(body, WEBHOOK_REPLY_OCTETS).collect().await;
    Response::from_parts(head, body.map(|body| body.to_bytes()).unwrap_or_default())
}

fn judge(reply: &Response<Bytes>, webhook: &Webhook) -> Result<(), Failure> {
    let status = reply.status();
    if status.is_success() {
        return Ok(());
    }
    let said = quote(reply.body(), webhook);
    let why = format!("it answered {}{said}", status.as_u16());
    let is_for_later = status.is_server_error()
        || matches!(
            status,
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS
        );
    if is_for_later {
        return Err(Failure::Later(why, asked_time(reply.headers().get(RETRY_AFTER))));
    }
    let note = if status.is_redirection() { ", and redirects are not followed" } else { "" };
    Err(Failure::Refused(format!("{why}{note}")))
}

/// The time of a Retry-After in seconds (RFC 9110 §10.2.3). One that is a date is not taken: our own pace serves as well.
fn asked_time(value: Option<&HeaderValue>) -> Option<Duration> {
    value?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

/// Parts of a URL that are as long as this may be a secret.
const SECRET_OCTETS: usize = 6;

/// What a receiver said, short, on one line, and without a token that it may repeat.
fn quote(body: &[u8], webhook: &Webhook) -> String {
    let mut text = String::from_utf8_lossy(body).into_owned();
    if let Some(token) = &webhook.token {
        text = text.replace(token.reveal(), "…");
    }
    // Of most webhooks the path is the secret, and what says "not found" often repeats it.
    let parts = webhook.settings.url.path.split(['/', '?', '&', '=']);
    for part in parts.filter(|part| part.len() >= SECRET_OCTETS) {
        text = text.replace(part, "…");
    }
    let text: String =
        text.chars().filter(|c| !c.is_control()).take(PROBE_DETAIL_CHARACTERS).collect();
    if text.is_empty() { text } else { format!(" ({text})") }
}

/// An error with what is below it, short and on one line.
fn explain(error: &dyn Error) -> String {
    let below = error.source().map(|below| format!(": {below}")).unwrap_or_default();
    let text = format!("{error}{below}");
    text.chars().filter(|c| !c.is_control()).take(PROBE_DETAIL_CHARACTERS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_an_alertmanager_is_known() {
        for (path, kind, written) in [
            ("/", WebhookKind::Alertmanager, "/api/v2/alerts"),
            ("/am/", WebhookKind::Alertmanager, "/am/api/v2/alerts"),
            ("/am/api/v2/alerts", WebhookKind::Alertmanager, "/am/api/v2/alerts"),
            ("/T1/B2?x=y", WebhookKind::Slack, "/T1/B2?x=y"),
        ] {
            assert_eq!(write_path(path, kind), written);
        }
    }

    #[test]
    fn a_time_that_is_asked_for_is_in_seconds() {
        let asked = |text: &'static str| asked_time(Some(&HeaderValue::from_static(text)));
        assert_eq!(asked("120"), Some(Duration::from_secs(120)));
        assert_eq!(asked("Sat, 21 Nov 2026 17:13:06 GMT"), None);
        assert_eq!(asked("-1"), None);
        assert_eq!(asked_time(None), None);
    }
}
