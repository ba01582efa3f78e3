//! What the admin address and the control socket both give to read: overrides, events, health.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use serde::{Deserialize, Serialize};

use super::control::{HeldOverride, Problem};
use super::health::HealthReport;
use super::http::Admin;
use crate::health::Event;
use crate::limits::EVENTS_PER_ANSWER;

/// Events that are given if nobody says how many.
const USUAL_EVENTS: usize = 100;

/// All overrides that hold, the oldest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OverrideReport {
    pub overrides: Vec<HeldOverride>,
}

/// Some events, in order of their numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventReport {
    pub events: Vec<Event>,
}

/// Which events.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EventQuery {
    /// Those after this number, the first ones of them; the last ones of all if it is left out.
    since: Option<u64>,
    limit: Option<usize>,
}

pub(super) async fn list_overrides(State(admin): State<Arc<Admin>>) -> Json<OverrideReport> {
    Json(OverrideReport { overrides: admin.condition.read().overrides.to_vec() })
}

pub(super) async fn list_events(
    State(admin): State<Arc<Admin>>,
    query: Result<Query<EventQuery>, axum::extract::rejection::QueryRejection>,
) -> Result<Json<EventReport>, Problem> {
    let Query(EventQuery { since, limit }) =
        query.map_err(|error| Problem::malformed(error.body_text()))?;
    let most = limit.unwrap_or(USUAL_EVENTS).min(EVENTS_PER_ANSWER);
    let events = match since {
        Some(number) => admin.journal.after(number, most),
        None => admin.journal.latest(most),
    };
    Ok(Json(EventReport { events: events.iter().map(|event| Event::clone(event)).collect() }))
}

pub(super) async fn report_health(State(admin): State<Arc<Admin>>) -> Json<HealthReport> {
    Json(HealthReport::new(&admin))
}
