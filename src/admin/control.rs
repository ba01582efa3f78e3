//! The control socket: what changes the server, kept apart from the admin address, which only reads.
//!
//! A Unix socket in the state directory that its owner alone may open; HTTP/1 with one path, `POST /api/v1/reload`. Who asks
//! waits until the new zones are served, or learns why not. The client here is what `meridian reload` asks with.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use crate::limits::CONTROL_ANSWER_OCTETS;

/// The socket's name in the state directory.
const SOCKET_NAME: &str = "control";
const RELOAD_PATH: &str = "/api/v1/reload";

/// Zones of many million names take some minutes on a small machine.
const PATIENCE: Duration = Duration::from_secs(600);

/// What `meridian reload` asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReloadRequest {
    /// Take the files over whatever they change.
    #[serde(default)]
    pub yes: bool,
}

/// A zone that is served.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReloadedZone {
    pub zone: String,
    pub serial: u32,
    pub names: usize,
}

/// What became of a reload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "result", rename_all = "lowercase")]
pub enum ReloadReport {
    Reloaded {
        generation: u64,
        zones: Vec<ReloadedZone>,
        /// Why the geo database on disk was not taken over.
        geodb_refused: Option<String>,
    },
    Refused {
        why: String,
        /// `yes` would have it taken over.
        is_forcible: bool,
    },
}

/// A request on its way to the one who reloads.
#[derive(Debug)]
pub struct ReloadOrder {
    pub request: ReloadRequest,
    pub reply: oneshot::Sender<ReloadReport>,
}

/// Makes the socket, in the place of one that a dead server left. The caller has the directory's lock, so that no living server
/// has it.
///
/// # Errors
/// The directory can't be written to, or its path is too long for a socket's (107 octets).
pub fn bind_control(directory: &Path) -> io::Result<UnixListener> {
    // Made where nobody else can look, and shown when its permissions are right.
    let aside = directory.join(".control.new");
    match fs::remove_dir_all(&aside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    DirBuilder::new().mode(0o700).create(&aside)?;
    let unfinished = aside.join(SOCKET_NAME);
    let bound = UnixListener::bind(&unfinished).and_then(|listener| {
        fs::set_permissions(&unfinished, Permissions::from_mode(0o600))?;
        fs::rename(&unfinished, directory.join(SOCKET_NAME))?;
        Ok(listener)
    });
    let _ = fs::remove_dir_all(&aside);
    bound
}

/// Serves the socket for ever; orders go to the one who reloads.
pub async fn serve_control(listener: UnixListener, orders: mpsc::Sender<ReloadOrder>) {
    let router = Router::new().route(RELOAD_PATH, post(order_reload)).with_state(orders);
    if let Err(error) = axum::serve(listener, router).await {
        tracing::error!("the control socket is closed: {error}");
    }
}

async fn order_reload(
    State(orders): State<mpsc::Sender<ReloadOrder>>,
    Json(request): Json<ReloadRequest>,
) -> Response {
    let (reply, answer) = oneshot::channel();
    let stopping = || (StatusCode::SERVICE_UNAVAILABLE, "the server is stopping\n").into_response();
    if orders.send(ReloadOrder { request, reply }).await.is_err() {
        return stopping();
    }
    match answer.await {
        Ok(report @ ReloadReport::Reloaded { .. }) => Json(report).into_response(),
        Ok(report) => (StatusCode::CONFLICT, Json(report)).into_response(),
        Err(_) => stopping(),
    }
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Asks the server that has a state directory to reload, and waits for what becomes of it.
///
/// # Errors
/// No server listens there, or it does not answer.
pub async fn ask_reload(directory: &Path, request: ReloadRequest) -> Result<ReloadReport, Failure> {
    let path: PathBuf = directory.join(SOCKET_NAME);
    let stream = UnixStream::connect(&path).await.map_err(|error| {
        format!(
            "no server listens at {}: {error}\n  is it running, and is this its --state directory?",
            path.display()
        )
    })?;
    match timeout(PATIENCE, exchange(stream, request)).await {
        Ok(answer) => answer,
        Err(_) => Err(format!("the server did not answer within {} s", PATIENCE.as_secs()).into()),
    }
}

async fn exchange(stream: UnixStream, request: ReloadRequest) -> Result<ReloadReport, Failure> {
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let driver = tokio::spawn(connection);
    let request = hyper::Request::post(RELOAD_PATH)
        .header("host", "control")
        .header("content-type", "application/json")
        .body(Full::<Bytes>::from(serde_json::to_vec(&request)?))?;
    let response = sender.send_request(request).await?;
    let body = Limited::new(response.into_body(), CONTROL_ANSWER_OCTETS).collect().await?;
    let body = body.to_bytes();
    driver.abort();
    serde_json::from_slice(&body)
        .map_err(|_| format!("the server says: {}", String::from_utf8_lossy(&body).trim()).into())
}
