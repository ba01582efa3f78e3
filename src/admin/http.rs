//! The paths of the admin address.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;

use super::api::{list_events, list_overrides, report_health};
use super::condition::Condition;
use super::explain::Asked;
use super::metrics::render_metrics;
use crate::notify::Notifier;
use crate::probe::Prober;
use crate::serve::Counters;
use crate::snapshot::Published;
use crate::store::{Journal, State as StateFile};
use crate::sys::{LogLoss, random_seed};

/// A prober that has not shown for so long that it lives is told of: it shows it several times a second.
const PROBER_AGE: Duration = Duration::from_secs(2);

/// What the paths read.
#[derive(Debug)]
pub struct Admin {
    pub published: Published,
    pub counters: Arc<Counters>,
    pub condition: Condition,
    pub prober: Arc<Prober>,
    pub notifier: Arc<Notifier>,
    pub journal: Arc<Journal>,
    /// Nothing without a state directory.
    pub state: Option<Arc<StateFile>>,
    pub log_loss: LogLoss,
}

impl Admin {
    /// What keeps the server from being as it should be; empty if all is well.
    pub(super) fn reasons(&self) -> Vec<String> {
        let mut reasons = self.condition.read().reasons();
        if let Some(unpersisted) = self.state.as_ref().and_then(|state| state.unpersisted()) {
            let why = &unpersisted.why;
            reasons.push(format!("the state directory can't be written: {why}"));
        }
        let age = self.prober.age();
        if age > PROBER_AGE {
            reasons.push(format!("the prober stands still since {} s", age.as_secs()));
        }
        reasons
    }
}

const INDEX: &str = "meridian\n\n\
    /metrics                                            Prometheus metrics\n\
    /health                                             the process is alive; `degraded` says what is wrong\n\
    /ready                                              queries are answered; `degraded` says what is wrong\n\
    /explain?name=api.example.com&type=A&client=8.8.8.0/24   why a client gets its answer, from live health\n\
    /api/v1/health                                      every endpoint\n\
    /api/v1/events?since=0&limit=100                    what happened\n\
    /api/v1/overrides                                   what operators have set\n";

/// All paths. Every one is read-only.
pub fn router(admin: Arc<Admin>) -> Router {
    let pages = Router::new()
        .route("/", get(|| async { INDEX }))
        .route("/metrics", get(serve_metrics))
        .route("/health", get(serve_health))
        .route("/ready", get(serve_ready))
        .route("/explain", get(serve_explanation))
        .with_state(Arc::clone(&admin));
    pages.merge(reading_router(admin))
}

/// The paths that the control socket has as well.
pub(super) fn reading_router(admin: Arc<Admin>) -> Router {
    Router::new()
        .route("/api/v1/health", get(report_health))
        .route("/api/v1/events", get(list_events))
        .route("/api/v1/overrides", get(list_overrides))
        .with_state(admin)
}

/// Alive is alive, whatever is wrong beside: a restart would not make it better.
async fn serve_health(State(admin): State<Arc<Admin>>) -> Response {
    let reasons = admin.reasons();
    if reasons.is_empty() {
        return Json(json!({ "status": "ok" })).into_response();
    }
    Json(json!({ "status": "degraded", "reasons": reasons })).into_response()
}

async fn serve_metrics(State(admin): State<Arc<Admin>>) -> Response {
    match render_metrics(&admin) {
        Ok(text) => ([(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

/// Degraded is ready: the zones that are served are served well, and taking the server out would lose them too.
async fn serve_ready(State(admin): State<Arc<Admin>>) -> Response {
    let standing = admin.condition.read();
    let reasons = admin.reasons();
    if !standing.is_serving {
        return (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "status": "starting" })))
            .into_response();
    }
    if reasons.is_empty() {
        return Json(json!({ "status": "ready" })).into_response();
    }
    Json(json!({ "status": "degraded", "reasons": reasons })).into_response()
}

async fn serve_explanation(
    State(admin): State<Arc<Admin>>,
    Query(pairs): Query<Vec<(String, String)>>,
) -> Response {
    let seed = match random_seed() {
        Ok(seed) => seed,
        Err(error) => {
            return (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response();
        }
    };
    let live = admin.published.load();
    match Asked::read(pairs).and_then(|asked| asked.explain(&live, seed)) {
        Ok(explanation) => Json(explanation).into_response(),
        Err(error) => (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response(),
    }
}
