//! What operators set against health, and take back.
//!
//! What was typed ([`OverrideRequest`]) becomes a [`Draft`], which can't be wrong in itself; the one who keeps the overrides knows
//! whether it matches anything, and gives it its number and its time.

use axum::Json;
use axum::extract::{ConnectInfo, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use super::Control;
use super::peer::Peer;
use super::problem::{Problem, ReadJson};
use crate::config::parse_duration;
use crate::health::{Action, Override, Switch};
use crate::limits::{OVERRIDE_PATTERN_OCTETS, OVERRIDE_SECONDS, REASON_OCTETS};

/// What `meridian depool` asks for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OverrideRequest {
    /// A glob over zones; all if it is left out.
    #[serde(default = "every_zone")]
    pub zone: String,
    pub pattern: String,
    pub action: ActionWord,
    /// How much of its draws a drain takes away in a minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent_per_minute: Option<f64>,
    pub reason: String,
    /// Who asks, if not the user at the other end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// After how long it ends by itself: `30m`.
    #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
    pub lasts: Option<String>,
}

/// The kind of an override.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ActionWord {
    Up,
    Down,
    Drain,
}

fn every_zone() -> String {
    "*".to_owned()
}

/// An override that is not set yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    pub zone: String,
    pub pattern: String,
    pub action: Action,
    pub reason: String,
    pub author: String,
    /// Milliseconds until it ends by itself.
    pub lasts_ms: Option<u64>,
}

/// An override that holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldOverride {
    #[serde(flatten)]
    pub set: Override,
    /// How many pools, endpoints and targets of policies it is for.
    pub matches: usize,
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OverrideChange {
    #[serde(flatten)]
    pub held: HeldOverride,
    /// Why a restart would not know of it; nothing if it would.
    pub unpersisted: Option<String>,
}

type Reply = oneshot::Sender<Result<OverrideChange, Problem>>;

/// A request on its way to the one who keeps the overrides.
#[derive(Debug)]
pub enum OverrideOrder {
    Set { draft: Draft, reply: Reply },
    Lift { id: u64, author: String, reply: Reply },
}

impl OverrideRequest {
    /// Checks what can be checked without the zones.
    fn compile(self, peer: &Peer) -> Result<Draft, Problem> {
        let zone = self.zone.trim_end_matches('.').to_ascii_lowercase();
        let zone = if zone.is_empty() { every_zone() } else { zone };
        let author = self.author.unwrap_or_else(|| peer.name());
        check_text("zone", &zone, OVERRIDE_PATTERN_OCTETS)?;
        check_text("pattern", &self.pattern, OVERRIDE_PATTERN_OCTETS)?;
        check_text("reason", &self.reason, REASON_OCTETS)?;
        check_text("author", &author, REASON_OCTETS)?;
        Ok(Draft {
            zone,
            action: compile_action(self.action, self.percent_per_minute)?,
            lasts_ms: self.lasts.as_deref().map(compile_length).transpose()?,
            pattern: self.pattern,
            reason: self.reason,
            author,
        })
    }
}

/// Text that goes into logs and tables: not empty, not endless, and on one line.
pub(super) fn check_text(what: &str, text: &str, most: usize) -> Result<(), Problem> {
    if text.trim().is_empty() {
        return Err(Problem::malformed(format!("{what}: it is missing")));
    }
    if text.len() > most {
        return Err(Problem::malformed(format!("{what}: it has more than {most} octets")));
    }
    if text.chars().any(char::is_control) {
        return Err(Problem::malformed(format!("{what}: it has a control character")));
    }
    Ok(())
}

fn compile_action(word: ActionWord, percent: Option<f64>) -> Result<Action, Problem> {
    match (word, percent) {
        (ActionWord::Up, None) => Ok(Action::Up),
        (ActionWord::Down, None) => Ok(Action::Down),
        (ActionWord::Drain, Some(percent)) => {
            let most = f64::from(Switch::MOST_PER_MINUTE);
            let thousandths = (percent * 10.0).round();
            if (1.0..=most).contains(&thousandths) {
                // In range, and whole.
                Ok(Action::Drain { per_minute: thousandths as u16 })
            } else {
                let most = most / 10.0;
                Err(Problem::malformed(format!("percent_per_minute: write 0.1 to {most}")))
            }
        }
        (ActionWord::Drain, None) => {
            Err(Problem::malformed("percent_per_minute: a drain needs its pace"))
        }
        (_, Some(_)) => Err(Problem::malformed("percent_per_minute: it belongs to a drain")),
    }
}

fn compile_length(text: &str) -> Result<u64, Problem> {
    let most = OVERRIDE_SECONDS.saturating_mul(1000);
    let length = parse_duration(text).and_then(|length| u64::try_from(length.as_millis()).ok());
    length
        .filter(|length| (1..=most).contains(length))
        .ok_or_else(|| Problem::malformed(format!("for: `{text}` is no time such as 30m or 12h")))
}

pub(super) async fn set_override(
    State(control): State<Control>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    ReadJson(request): ReadJson<OverrideRequest>,
) -> Result<Response, Problem> {
    let draft = request.compile(&peer)?;
    let change = order(&control, |reply| OverrideOrder::Set { draft, reply }).await?;
    Ok((StatusCode::CREATED, Json(change)).into_response())
}

pub(super) async fn lift_override(
    State(control): State<Control>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    Path(id): Path<u64>,
) -> Result<Json<OverrideChange>, Problem> {
    let author = peer.name();
    order(&control, |reply| OverrideOrder::Lift { id, author, reply }).await.map(Json)
}

async fn order(
    control: &Control,
    make: impl FnOnce(Reply) -> OverrideOrder,
) -> Result<OverrideChange, Problem> {
    let (reply, answer) = oneshot::channel();
    control.overrides.send(make(reply)).await.map_err(|_| Problem::stopping())?;
    answer.await.map_err(|_| Problem::stopping())?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compile(json: &str) -> Result<Draft, String> {
        let request: OverrideRequest = serde_json::from_str(json).map_err(|e| e.to_string())?;
        let peer = Peer::unknown();
        request.compile(&peer).map_err(|problem| problem.detail)
    }

    #[test]
    fn a_request_becomes_a_draft() {
        let whole = "{\"zone\":\"Example.COM.\",\"pattern\":\"us*\",\"action\":\"drain\",\
            \"percent_per_minute\":12.5,\"reason\":\"r\",\"author\":\"a\",\"for\":\"1h30m\"}";
        let draft = compile(whole).unwrap();
        assert_eq!((draft.zone.as_str(), draft.lasts_ms), ("example.com", Some(5_400_000)));
        assert_eq!(draft.action, Action::Drain { per_minute: 125 });
        let short = compile("{\"pattern\":\"us\",\"action\":\"down\",\"reason\":\"r\"}").unwrap();
        assert_eq!((short.zone.as_str(), short.lasts_ms), ("*", None));
        assert_eq!((short.action, short.author.as_str()), (Action::Down, "unknown"));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (json, why) in [
            ("\"pattern\":\"\",\"action\":\"up\",\"reason\":\"r\"", "pattern: it is missing"),
            ("\"pattern\":\"a\",\"action\":\"up\",\"reason\":\" \"", "reason: it is missing"),
            ("\"pattern\":\"a\",\"action\":\"up\"", "missing field `reason`"),
            ("\"pattern\":\"a\",\"action\":\"off\",\"reason\":\"r\"", "unknown variant `off`"),
            ("\"pattern\":\"a\",\"action\":\"drain\",\"reason\":\"r\"", "needs its pace"),
            (
                "\"pattern\":\"a\",\"action\":\"up\",\"percent_per_minute\":1,\"reason\":\"r\"",
                "belongs to a drain",
            ),
            (
                "\"pattern\":\"a\",\"action\":\"drain\",\"percent_per_minute\":0,\"reason\":\"r\"",
                "write 0.1 to 1000",
            ),
            ("\"pattern\":\"a\",\"action\":\"up\",\"reason\":\"r\",\"for\":\"soon\"", "no time"),
            ("\"pattern\":\"a\",\"action\":\"up\",\"reason\":\"r\",\"for\":\"0s\"", "no time"),
            ("\"pattern\":\"a\\n\",\"action\":\"up\",\"reason\":\"r\"", "control character"),
            ("\"pattern\":\"a\",\"action\":\"up\",\"reason\":\"r\",\"x\":1", "unknown field"),
        ] {
            let error = compile(&format!("{{{json}}}")).unwrap_err();
            assert!(error.contains(why), "{json}: {error}");
        }
        let long = "x".repeat(REASON_OCTETS + 1);
        let json = format!("{{\"pattern\":\"a\",\"action\":\"up\",\"reason\":\"{long}\"}}");
        assert!(compile(&json).unwrap_err().contains("more than"));
    }
}
