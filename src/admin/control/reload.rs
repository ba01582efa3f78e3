//! What `meridian reload` asks, and what it is told.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use super::Control;
use super::problem::{Problem, ReadJson};

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

pub(super) async fn order_reload(
    State(control): State<Control>,
    ReadJson(request): ReadJson<ReloadRequest>,
) -> Result<Response, Problem> {
    let (reply, answer) = oneshot::channel();
    let order = ReloadOrder { request, reply };
    control.reloads.send(order).await.map_err(|_| Problem::stopping())?;
    match answer.await {
        Ok(report @ ReloadReport::Reloaded { .. }) => Ok(Json(report).into_response()),
        Ok(report) => Ok((StatusCode::CONFLICT, Json(report)).into_response()),
        Err(_) => Err(Problem::stopping()),
    }
}
