//! What operators and programs say of checks: reports to external ones, confirmations, and the end of a guard's hold.

use axum::Json;
use axum::extract::{ConnectInfo, State};
use serde::{Deserialize, Serialize};

use super::Control;
use super::overrides::check_text;
use super::peer::Peer;
use super::problem::{Problem, ReadJson};
use crate::health::is_match;
use crate::limits::{OVERRIDE_PATTERN_OCTETS, REASON_OCTETS};

/// What `meridian report` says of an external check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReportRequest {
    /// `example.com/deploy`: the zone and the name of the check.
    pub check: String,
    pub state: ReportedState,
    /// Of which endpoint; all that have the check if it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

/// What can be reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReportedState {
    Up,
    Down,
}

/// How many endpoints took a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportTaken {
    pub endpoints: usize,
}

/// What `meridian confirm` says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfirmRequest {
    pub pattern: String,
}

/// The endpoints that are back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfirmTaken {
    pub targets: Vec<String>,
}

/// Whether a guard was held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuardReleased {
    pub was_held: bool,
}

pub(super) async fn take_report(
    State(control): State<Control>,
    ReadJson(request): ReadJson<ReportRequest>,
) -> Result<Json<ReportTaken>, Problem> {
    let ReportRequest { check, state, address, reason } = request;
    check_text("check", &check, OVERRIDE_PATTERN_OCTETS)?;
    if !reason.is_empty() {
        check_text("reason", &reason, REASON_OCTETS)?;
    }
    let is_up = state == ReportedState::Up;
    // Apexes are written without the final dot here, and often with one.
    let check = check.replacen("./", "/", 1).to_ascii_lowercase();
    let prober = &control.admin.prober;
    match prober.report(&check, address.as_deref(), is_up, &reason) {
        0 => {
            let at = address.map_or_else(String::new, |address| format!(" of {address}"));
            let detail = format!("no endpoint has the external check {check}{at}");
            Err(Problem::missing(detail, Vec::new()))
        }
        endpoints => Ok(Json(ReportTaken { endpoints })),
    }
}

pub(super) async fn confirm(
    State(control): State<Control>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    ReadJson(request): ReadJson<ConfirmRequest>,
) -> Result<Json<ConfirmTaken>, Problem> {
    check_text("pattern", &request.pattern, OVERRIDE_PATTERN_OCTETS)?;
    let admin = &control.admin;
    let author = peer.name();
    // Pools by their name alone, or with their zone: `us`, `example.com/us`.
    let is_meant = |name: &str| {
        let pool = name.split_once('/').map_or(name, |(_, pool)| pool);
        is_match(&request.pattern, name, true) || is_match(&request.pattern, pool, false)
    };
    let targets = admin.prober.confirm(&author, is_meant);
    if targets.is_empty() {
        let detail = format!(
            "nothing that `{}` matches waits for a confirmation: `meridian health` says what does",
            request.pattern
        );
        return Err(Problem::missing(detail, Vec::new()));
    }
    Ok(Json(ConfirmTaken { targets }))
}

pub(super) async fn release_guard(State(control): State<Control>) -> Json<GuardReleased> {
    Json(GuardReleased { was_held: control.admin.prober.release_guard() })
}
