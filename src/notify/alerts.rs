//! What Alertmanager is told: not what happened but what holds, again and again, and once that it ended.
//!
//! Alertmanager groups, repeats and silences by itself, so nothing is held back here. An alert that holds is sent with an end that
//! lies some resends ahead, as Prometheus does it: when this server is gone its alerts end.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::words::{describe, show_time};
use crate::health::{Event, Happening, Moment};
use crate::limits::{WEBHOOK_ALERTS, WEBHOOK_BATCH, WEBHOOK_PATIENCE_SECONDS};

/// How many resends an alert outlives its server.
const RESENDS_AHEAD: u32 = 4;

/// How long a certificate's alert holds without another event: the prober says it again at least daily.
const CERTIFICATE_MS: u64 = 25 * 3_600_000;
/// How long it is told that the prober was started again.
const PROBER_MS: u64 = 600_000;

/// Both clocks: one to measure by, and milliseconds since 1970 to show.
#[derive(Clone, Copy, Debug)]
pub(super) struct Now {
    pub(super) moment: Moment,
    pub(super) wall_ms: u64,
}

/// All alerts of one Alertmanager, by what tells them apart.
#[derive(Debug)]
pub(super) struct Alerts {
    alerts: BTreeMap<Identity, Alert>,
    server: Box<str>,
    resend_after: Duration,
    /// Counts up with each change of an alert.
    version: u64,
    dropped: u64,
}

/// What Alertmanager takes for the same alert: its labels, but for those that are the same for all of a name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Identity {
    name: &'static str,
    target: String,
    /// `example.com/us`; empty if it is of no pool.
    pool: String,
}

#[derive(Debug)]
struct Alert {
    severity: &'static str,
    /// What happened, or what ended it.
    text: String,
    starts_ms: u64,
    end: End,
    /// The event that it comes from.
    number: u64,
    /// Which change it comes from: another one while it was under way must be sent, too.
    version: u64,
    /// When this state of it was sent.
    sent: Option<Moment>,
    /// When its end became known.
    ended: Option<Moment>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// It holds until an event says otherwise.
    Open,
    /// It holds until then, in milliseconds since 1970.
    Until(u64),
    /// It ended then.
    At(u64),
}

/// Alerts under way, with the version that was sent.
pub(super) type Sent = Vec<(Identity, u64)>;

/// What an event means: a name, how bad it is, and what it does.
struct Meaning {
    name: &'static str,
    severity: &'static str,
    change: Change,
}

enum Change {
    Begin,
    BeginUntil(u64),
    End,
}

impl Alerts {
    pub(super) fn new(server: &str, resend_after: Duration) -> Self {
        Self {
            alerts: BTreeMap::new(),
            server: server.into(),
            resend_after,
            version: 0,
            dropped: 0,
        }
    }

    /// How many alerts there are.
    pub(super) fn len(&self) -> usize {
        self.alerts.len()
    }

    /// How many alerts there was no room for.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Takes what an event means.
    pub(super) fn push(&mut self, event: &Event, now: Now) {
        self.version += 1;
        let meaning = meaning_of(event);
        let (target, pools) = place_of(&event.what);
        let Meaning { name, severity, change } = meaning;
        let text = describe(&event.what);
        for pool in pools {
            let identity = Identity { name, target: target.clone(), pool };
            let end = match change {
                Change::Begin => End::Open,
                Change::BeginUntil(until) => End::Until(until),
                Change::End => {
                    let version = self.version;
                    if let Some(alert) = self.alerts.get_mut(&identity) {
                        alert.end_by(event, &text, version, now);
                    }
                    continue;
                }
            };
            self.begin(identity, severity, end, (event, &text));
        }
    }

    fn begin(
        &mut self,
        identity: Identity,
        severity: &'static str,
        end: End,
        (event, text): (&Event, &str),
    ) {
        let holding = self.alerts.get(&identity).filter(|alert| alert.ended.is_none());
        let starts_ms = holding.map_or(event.at_ms, |alert| alert.starts_ms);
        if self.alerts.len() >= WEBHOOK_ALERTS && !self.alerts.contains_key(&identity) {
            self.dropped += 1;
            return;
        }
        let (text, number, version) = (text.to_owned(), event.number, self.version);
        let (sent, ended) = (None, None);
        let alert = Alert { severity, text, starts_ms, end, number, version, sent, ended };
        self.alerts.insert(identity, alert);
    }

    /// Ends what is told of endpoints that are no longer probed, or not in this pool: no event would end it. Two checks may ask the
    /// same of an address and expect other things; each has its pools.
    pub(super) fn retain(&mut self, is_probed: impl Fn(&str, &str) -> bool, now: Now) {
        self.version += 1;
        for (identity, alert) in &mut self.alerts {
            let is_endpoint = matches!(identity.name, ENDPOINT | CERTIFICATE);
            let Identity { target, pool, .. } = identity;
            if is_endpoint && alert.ended.is_none() && !is_probed(target, pool) {
                let text = format!("{target} is no longer probed");
                alert.finish(now.wall_ms, text, self.version, now);
            }
        }
    }

    /// When something must be sent.
    pub(super) fn next_due(&self, now: Now) -> Option<Moment> {
        self.alerts.values().map(|alert| self.due(alert, now)).min()
    }

    fn due(&self, alert: &Alert, now: Now) -> Moment {
        alert.sent.map_or(now.moment, |sent| sent.after(self.resend_after))
    }

    /// What is due, as the body of a request, at most [`WEBHOOK_BATCH`] alerts.
    pub(super) fn take(&mut self, now: Now) -> Option<(Sent, Value)> {
        let patience = Duration::from_secs(WEBHOOK_PATIENCE_SECONDS);
        self.alerts.retain(|_, alert| {
            let is_stale = alert.ended.is_some_and(|at| now.moment.since(at) >= patience);
            let is_over = matches!(alert.end, End::Until(until) if until <= now.wall_ms);
            !is_stale && !is_over
        });
        let is_due = |(_, alert): &(&Identity, &Alert)| self.due(alert, now) <= now.moment;
        let due: Vec<_> = self.alerts.iter().filter(is_due).take(WEBHOOK_BATCH).collect();
        let sent: Sent = due.iter().map(|(id, alert)| ((*id).clone(), alert.version)).collect();
        let body = due.into_iter().map(|(id, alert)| self.show(id, alert, now)).collect();
        (!sent.is_empty()).then_some((sent, Value::Array(body)))
    }

    /// They arrived, or will not be taken for as long as they stay the same. Gives how many of them were news.
    pub(super) fn settle(&mut self, sent: &Sent, now: Now) -> u64 {
        let mut news = 0;
        for (identity, version) in sent {
            let Some(alert) = self.alerts.get_mut(identity) else { continue };
            if alert.version != *version {
                continue;
            }
            news += u64::from(alert.sent.is_none());
            if alert.ended.is_some() {
                self.alerts.remove(identity);
            } else {
                alert.sent = Some(now.moment);
            }
        }
        news
    }

    fn show(&self, identity: &Identity, alert: &Alert, now: Now) -> Value {
        let mut labels = json!({
            "alertname": identity.name,
            "severity": alert.severity,
            "server": self.server,
        });
        for (label, value) in [("target", identity.target.as_str())].into_iter().chain(
            identity.pool.split_once('/').into_iter().flat_map(|(z, p)| [("zone", z), ("pool", p)]),
        ) {
            if !value.is_empty() {
                labels[label] = value.into();
            }
        }
        let ahead_ms = self.resend_after.saturating_mul(RESENDS_AHEAD).as_millis();
        let ends_ms = match alert.end {
            End::Open => now.wall_ms.saturating_add(u64::try_from(ahead_ms).unwrap_or(u64::MAX)),
            // One that ends when it begins would be taken for malformed.
            End::Until(at) | End::At(at) => at.max(alert.starts_ms.saturating_add(1)),
        };
        json!({
            "labels": labels,
            "annotations": { "summary": alert.text, "number": alert.number.to_string() },
            "startsAt": show_time(alert.starts_ms),
            "endsAt": show_time(ends_ms),
        })
    }
}

impl Alert {
    /// Ends it if it holds, because of an event.
    fn end_by(&mut self, event: &Event, text: &str, version: u64, now: Now) {
        if self.ended.is_none() {
            self.number = event.number;
            self.finish(event.at_ms, text.to_owned(), version, now);
        }
    }

    fn finish(&mut self, at_ms: u64, text: String, version: u64, now: Now) {
        (self.end, self.text, self.version) = (End::At(at_ms), text, version);
        (self.sent, self.ended) = (None, Some(now.moment));
    }
}

const ENDPOINT: &str = "MeridianEndpointDown";
const CERTIFICATE: &str = "MeridianCertificateEnds";

fn meaning_of(event: &Event) -> Meaning {
    let (name, severity, change) = match &event.what {
        Happening::Endpoint { to, .. } if to == "down" => (ENDPOINT, "warning", Change::Begin),
        Happening::Endpoint { .. } | Happening::Confirmed { .. } => {
            (ENDPOINT, "warning", Change::End)
        }
        Happening::GuardHeld { .. } => ("MeridianGuardHeld", "critical", Change::Begin),
        Happening::GuardReleased { .. } => ("MeridianGuardHeld", "critical", Change::End),
        Happening::Blind { .. } => ("MeridianBlind", "critical", Change::Begin),
        Happening::Sighted => ("MeridianBlind", "critical", Change::End),
        Happening::SentinelsSilent { .. } => ("MeridianSentinelsSilent", "critical", Change::Begin),
        Happening::SentinelsHeard => ("MeridianSentinelsSilent", "critical", Change::End),
        Happening::Certificate { .. } => {
            let until = event.at_ms.saturating_add(CERTIFICATE_MS);
            (CERTIFICATE, "warning", Change::BeginUntil(until))
        }
        Happening::OverrideSet { .. } => ("MeridianOverride", "info", Change::Begin),
        Happening::OverrideEnded { .. } => ("MeridianOverride", "info", Change::End),
        Happening::ProberRestarted { .. } => {
            let until = event.at_ms.saturating_add(PROBER_MS);
            ("MeridianProberRestarted", "critical", Change::BeginUntil(until))
        }
    };
    Meaning { name, severity, change }
}

/// What it is about, and the pools that have it: one without a name if there is none.
fn place_of(what: &Happening) -> (String, Vec<String>) {
    let none = || vec![String::new()];
    match what {
        Happening::Endpoint { target, pools, .. }
        | Happening::Certificate { target, pools, .. }
        | Happening::Confirmed { target, pools, .. } => {
            (target.clone(), if pools.is_empty() { none() } else { pools.clone() })
        }
        Happening::OverrideSet { id, pattern, .. }
        | Happening::OverrideEnded { id, pattern, .. } => (format!("{pattern} ({id})"), none()),
        _ => (String::new(), none()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RESEND: Duration = Duration::from_secs(60);

    fn at(seconds: u64) -> Now {
        Now { moment: Moment(seconds * 1_000), wall_ms: 1_795_281_186_000 + seconds * 1_000 }
    }

    fn endpoint(number: u64, to: &str, pools: &[&str], now: Now) -> Event {
        let what = Happening::Endpoint {
            target: "tcp://192.0.2.1:80".to_owned(),
            pools: pools.iter().map(ToString::to_string).collect(),
            from: "up".to_owned(),
            to: to.to_owned(),
            reason: "connection refused".to_owned(),
            streak: 3,
        };
        Event { number, at_ms: now.wall_ms, what }
    }

    fn alerts() -> Alerts {
        Alerts::new("ns1", RESEND)
    }

    /// Sends what is due: the pool and the end of each alert.
    fn send(alerts: &mut Alerts, now: Now) -> Vec<(String, String)> {
        let Some((sent, body)) = alerts.take(now) else { return Vec::new() };
        alerts.settle(&sent, now);
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let alerts = body.as_array().unwrap().iter();
        alerts.map(|alert| (text(&alert["labels"]["pool"]), text(&alert["endsAt"]))).collect()
    }

    #[test]
    fn an_alert_is_sent_again_while_it_holds_and_once_when_it_ended() {
        let mut alerts = alerts();
        alerts.push(&endpoint(1, "down", &["example.com/us"], at(0)), at(0));
        let (sent, body) = alerts.take(at(0)).unwrap();
        assert_eq!(
            body[0],
            json!({
                "labels": {
                    "alertname": "MeridianEndpointDown",
                    "severity": "warning",
                    "server": "ns1",
                    "target": "tcp://192.0.2.1:80",
                    "zone": "example.com",
                    "pool": "us",
                },
                "annotations": {
                    "summary": "tcp://192.0.2.1:80 of example.com/us is down: connection refused, 3 times in a row",
                    "number": "1",
                },
                "startsAt": "2026-11-21T17:13:06.000Z",
                "endsAt": "2026-11-21T17:17:06.000Z",
            })
        );
        assert_eq!(alerts.settle(&sent, at(0)), 1);
        assert_eq!(alerts.next_due(at(1)), Some(at(60).moment));
        assert!(send(&mut alerts, at(59)).is_empty());
        let ahead = "2026-11-21T17:18:06.000Z".to_owned();
        assert_eq!(send(&mut alerts, at(60)), [("us".to_owned(), ahead)]);
        alerts.push(&endpoint(2, "up", &["example.com/us"], at(70)), at(70));
        let end = "2026-11-21T17:14:16.000Z".to_owned();
        assert_eq!(send(&mut alerts, at(71)), [("us".to_owned(), end)]);
        assert_eq!((alerts.len(), alerts.next_due(at(72))), (0, None));
    }

    #[test]
    fn what_changed_while_it_was_under_way_is_sent_next() {
        let mut alerts = alerts();
        alerts.push(&endpoint(1, "down", &["a/b"], at(0)), at(0));
        let (sent, _) = alerts.take(at(0)).unwrap();
        alerts.push(&endpoint(2, "up", &["a/b"], at(1)), at(1));
        assert_eq!(alerts.settle(&sent, at(2)), 0);
        assert_eq!(send(&mut alerts, at(2)).len(), 1);
        assert_eq!(alerts.len(), 0);
    }

    #[test]
    fn what_never_began_does_not_end_and_what_lost_its_pool_does() {
        let mut alerts = alerts();
        alerts.push(&endpoint(1, "up", &["a/b"], at(0)), at(0));
        assert_eq!(alerts.len(), 0);
        alerts.push(&endpoint(2, "down", &["a/b", "a/c"], at(1)), at(1));
        assert_eq!(send(&mut alerts, at(1)).len(), 2);
        alerts.push(&endpoint(3, "up", &["a/d"], at(2)), at(2));
        assert_eq!(alerts.len(), 2, "another check of the same text is another endpoint");
        alerts.retain(|_, pool| pool == "a/c", at(2));
        let ended = ("b".to_owned(), "2026-11-21T17:13:08.000Z".to_owned());
        assert!(send(&mut alerts, at(2)).contains(&ended));
        assert_eq!(alerts.len(), 1);
        alerts.retain(|_, _| false, at(3));
        assert_eq!(send(&mut alerts, at(3)).len(), 1);
        assert_eq!(alerts.len(), 0);
    }

    #[test]
    fn a_certificate_and_a_restart_end_by_themselves_and_an_end_that_nobody_takes_is_forgotten() {
        let mut alerts = alerts();
        let what = Happening::ProberRestarted { reason: "stood still".to_owned() };
        alerts.push(&Event { number: 1, at_ms: at(0).wall_ms, what }, at(0));
        let until = "2026-11-21T17:23:06.000Z".to_owned();
        assert_eq!(send(&mut alerts, at(0)), [(String::new(), until)]);
        assert!(send(&mut alerts, at(600)).is_empty());
        assert_eq!(alerts.len(), 0);
        alerts.push(&endpoint(2, "down", &["a/b"], at(700)), at(700));
        alerts.push(&endpoint(3, "up", &["a/b"], at(701)), at(701));
        assert!(alerts.take(at(702)).is_some());
        assert!(alerts.take(at(701 + WEBHOOK_PATIENCE_SECONDS)).is_none());
        assert_eq!(alerts.len(), 0);
    }

    #[test]
    fn no_more_alerts_are_kept_than_there_is_room_for() {
        let mut alerts = alerts();
        let pools: Vec<String> = (0..WEBHOOK_ALERTS + 5).map(|pool| format!("z/{pool}")).collect();
        let pools: Vec<&str> = pools.iter().map(String::as_str).collect();
        alerts.push(&endpoint(1, "down", &pools, at(0)), at(0));
        assert_eq!((alerts.len(), alerts.dropped()), (WEBHOOK_ALERTS, 5));
        let (sent, _) = alerts.take(at(0)).unwrap();
        assert_eq!(sent.len(), WEBHOOK_BATCH);
    }
}
