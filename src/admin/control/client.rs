//! The other end of the control socket: what the commands ask with.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::Method;
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::problem::Problem;
use super::reload::{ReloadReport, ReloadRequest};
use super::{RELOAD_PATH, SOCKET_NAME};
use crate::limits::CONTROL_ANSWER_OCTETS;

/// Zones of many million names take some minutes on a small machine.
const PATIENCE: Duration = Duration::from_secs(600);

/// Why there is no answer.
#[derive(Debug)]
pub enum AskError {
    /// The server answered that it won't, and why.
    Problem(Problem),
    /// There is nobody, or nobody who speaks like us.
    Silence(String),
}

impl fmt::Display for AskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Problem(problem) => {
                f.write_str(&problem.detail)?;
                match problem.near.as_slice() {
                    [] => Ok(()),
                    near => write!(f, "\n  near it: {}", near.join(", ")),
                }
            }
            Self::Silence(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for AskError {}

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Asks the server that has a state directory to reload, and waits for what becomes of it.
///
/// # Errors
/// No server listens there, or it does not answer.
pub async fn ask_reload(
    directory: &Path,
    request: ReloadRequest,
) -> Result<ReloadReport, AskError> {
    let (_, body) = request_octets(directory, Method::POST, RELOAD_PATH, &request).await?;
    // What was refused is a report as well.
    serde_json::from_slice(&body).map_err(|_| unclear(&body))
}

/// Asks the server that has a state directory; gives what it answers.
///
/// # Errors
/// No server listens there, it does not answer, or it answers that it won't.
pub async fn ask<T: DeserializeOwned>(
    directory: &Path,
    method: Method,
    path: &str,
    request: &impl Serialize,
) -> Result<T, AskError> {
    let (status, body) = request_octets(directory, method, path, request).await?;
    if (200..300).contains(&status) {
        return serde_json::from_slice(&body).map_err(|_| unclear(&body));
    }
    let problem = serde_json::from_slice(&body).map_err(|_| unclear(&body))?;
    Err(AskError::Problem(problem))
}

fn unclear(body: &[u8]) -> AskError {
    AskError::Silence(format!("the server says: {}", String::from_utf8_lossy(body).trim()))
}

async fn request_octets(
    directory: &Path,
    method: Method,
    path: &str,
    request: &impl Serialize,
) -> Result<(u16, Bytes), AskError> {
    let socket = directory.join(SOCKET_NAME);
    let stream = UnixStream::connect(&socket).await.map_err(|error| {
        AskError::Silence(format!(
            "no server listens at {}: {error}\n  is it running, and is this its --state directory?",
            socket.display()
        ))
    })?;
    let silence = |why: String| AskError::Silence(why);
    match timeout(PATIENCE, exchange(stream, method, path, request)).await {
        Ok(answer) => answer.map_err(|error| silence(error.to_string())),
        Err(_) => {
            Err(silence(format!("the server did not answer within {} s", PATIENCE.as_secs())))
        }
    }
}

async fn exchange(
    stream: UnixStream,
    method: Method,
    path: &str,
    request: &impl Serialize,
) -> Result<(u16, Bytes), Failure> {
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let driver = tokio::spawn(connection);
    let request = hyper::Request::builder()
        .method(method)
        .uri(path)
        .header("host", "control")
        .header("content-type", "application/json")
        .body(Full::<Bytes>::from(serde_json::to_vec(request)?))?;
    let response = sender.send_request(request).await?;
    let status = response.status().as_u16();
    let body = Limited::new(response.into_body(), CONTROL_ANSWER_OCTETS).collect().await?;
    driver.abort();
    Ok((status, body.to_bytes()))
}
