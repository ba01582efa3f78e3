//! Route 53's health checks as checks of a zone file (rules 59 to 74).
//!
//! A check there has an address of its own (rule 5); here a check probes the endpoints of its pools unless it says
//! otherwise. So the address is left out where it is the record's own, and checks that then say the same become one. What
//! comes back there comes back at once, so that every check has `damping = false`.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::listing::{HealthCheck, HealthCheckConfig};
use crate::import::Severity;
use crate::import::draft::Draft;
use crate::import::text::{quote, seconds, slug};
use crate::import::tree::{Check, Line};
use crate::limits::{CALCULATED_CHILDREN, CHECK_BODY_TEXT_OCTETS};

/// Route 53's usual interval in seconds, and number of failures (rule 59).
const INTERVAL: u32 = 30;
const THRESHOLD: u8 = 3;

/// For how long a report of an alarm holds: the longest period that most alarms have.
const ALARM_HOLDS: &str = "5m";
/// For how long that of a routing control does, which a person switches.
const CONTROL_HOLDS: &str = "30d";

/// All checks of an account, by identifier.
pub(super) struct Checks<'l> {
    by_id: BTreeMap<&'l str, &'l HealthCheckConfig>,
    /// Whether there is a listing at all.
    is_listed: bool,
    noted: BTreeSet<&'l str>,
}

impl<'l> Checks<'l> {
    pub(super) fn new(listing: Option<&'l [HealthCheck]>) -> Self {
        let checks = listing.unwrap_or_default();
        let by_id =
            checks.iter().map(|check| (check.id.as_str(), &check.health_check_config)).collect();
        Self { by_id, is_listed: listing.is_some(), noted: BTreeSet::new() }
    }

    /// The check, or nothing and a note.
    pub(super) fn translate(&mut self, id: &str, draft: &mut Draft) -> Option<Rc<Check>> {
        let (id, config) = self.find(id, draft)?;
        // A disabled check is always healthy, as a record without one is: nothing is lost.
        if config.disabled && !config.inverted {
            let reason = "it is disabled, always healthy: its records have no check";
            draft.note_thing(Severity::Warning, subject_of(id), reason);
            return None;
        }
        let mut check = match config.kind.as_str() {
            "CALCULATED" => self.calculate(id, config, draft)?,
            _ => self.translate_single(id, config, draft)?,
        };
        check.lines.extend(flags(config));
        Some(Rc::new(check))
    }

    fn find(&self, id: &str, draft: &mut Draft) -> Option<(&'l str, &'l HealthCheckConfig)> {
        if let Some((id, config)) = self.by_id.get_key_value(id) {
            return Some((*id, *config));
        }
        let reason = if self.is_listed {
            "it is not in the listing of health checks; its records count as always up"
        } else {
            "its records count as always up; give `aws route53 list-health-checks` as --health-checks"
        };
        draft.note_thing(Severity::Error, subject_of(id), reason);
        None
    }

    /// A check that is calculated from no others, without its flags.
    fn translate_single(
        &mut self,
        id: &'l str,
        config: &HealthCheckConfig,
        draft: &mut Draft,
    ) -> Option<Check> {
        let is_first = self.noted.insert(id);
        let mut check = match config.kind.as_str() {
            "HTTP" | "HTTPS" | "HTTP_STR_MATCH" | "HTTPS_STR_MATCH" | "TCP" => probe(config),
            "CLOUDWATCH_METRIC" => report(id, ALARM_HOLDS, missing_of(config)),
            "RECOVERY_CONTROL" => report(id, CONTROL_HOLDS, "last"),
            _ => {
                let reason = "its type is not known here; its records count as always up";
                draft.note_thing(Severity::Error, subject_of(id), reason);
                return None;
            }
        };
        if is_first {
            note_differences(&subject_of(id), config, draft);
        }
        check.origins.insert(id.to_owned());
        Some(check)
    }

    /// Rules 71 to 73.
    fn calculate(
        &mut self,
        id: &'l str,
        config: &HealthCheckConfig,
        draft: &mut Draft,
    ) -> Option<Check> {
        let mut children: Vec<Rc<Check>> = Vec::new();
        let mut seen = BTreeSet::new();
        for child in config.child_health_checks.iter().filter(|id| seen.insert(id.as_str())) {
            children.extend(self.child(id, child, draft));
        }
        let threshold = config.health_threshold.unwrap_or_default();
        if children.is_empty() || children.len() > CALCULATED_CHILDREN {
            let count = children.len();
            let reason = format!(
                "it is calculated from {count} checks that are known here; its records count as always up"
            );
            draft.note_thing(Severity::Error, subject_of(id), reason);
            return None;
        }
        let name = format!("of-{}", slug(id));
        let quorum = format!("at_least = {threshold}");
        let lines = Vec::new();
        let origins = [id.to_owned()].into();
        Some(Check { name, origins, lines, address: None, children, quorum })
    }

    /// One of those that a check is calculated from. It keeps its own address, whatever the record's is; disabled, it counts (rule 73).
    fn child(&mut self, parent: &str, child: &str, draft: &mut Draft) -> Option<Rc<Check>> {
        let (child, config) = self.find(child, draft)?;
        if config.kind == "CALCULATED" {
            let reason = format!("it is calculated itself, and left out of {parent} (rule 72)");
            draft.note_thing(Severity::Error, subject_of(child), reason);
            return None;
        }
        let mut check = self.translate_single(child, config, draft)?;
        check.lines.extend(flags(config));
        Some(Rc::new(check))
    }
}

fn subject_of(id: &str) -> String {
    format!("health check {id}")
}

/// Rule 70.
fn flags(config: &HealthCheckConfig) -> impl Iterator<Item = Line> {
    let inverted = config.inverted.then_some(("inverted", "true".to_owned()));
    inverted.into_iter().chain(config.disabled.then_some(("disabled", "true".to_owned())))
}

fn note_differences(subject: &str, config: &HealthCheckConfig, draft: &mut Draft) {
    let mut note = |reason: String| draft.note_thing(Severity::Warning, subject, reason);
    if config.kind == "CLOUDWATCH_METRIC" {
        let alarm = config.alarm_identifier.as_ref().map_or("its alarm", |alarm| &alarm.name);
        note(format!(
            "report the state of {alarm} to the check at least every {ALARM_HOLDS}, or ask Prometheus instead"
        ));
    }
    if config.kind == "RECOVERY_CONTROL" {
        note("its routing control is yours to report to the check".to_owned());
    }
    if config.kind.ends_with("_STR_MATCH") && body_of(config).is_none() {
        note(format!(
            "the body is not searched: its text has not 1 to {CHECK_BODY_TEXT_OCTETS} octets"
        ));
    }
    if config.measure_latency {
        note("its latency is not shown by region, which CloudWatch did".to_owned());
    }
    if !config.regions.is_empty() {
        note("it is probed from this server, not from regions of AWS".to_owned());
    }
}

/// Rule 74.
fn missing_of(config: &HealthCheckConfig) -> &'static str {
    match config.insufficient_data_health_status.as_deref() {
        Some("Healthy") => "up",
        Some("Unhealthy") => "down",
        _ => "last",
    }
}

/// What somebody else reports. Its identifier is its name: no two of them are one.
fn report(id: &str, holds: &str, missing: &str) -> Check {
    let value = format!("{{ stale_after = {}, missing = {} }}", quote(holds), quote(missing));
    let name = format!("external-{}", slug(id));
    Check { name, lines: vec![("external", value)], ..Check::default() }
}

/// What is looked for in the body (rule 61).
fn body_of(config: &HealthCheckConfig) -> Option<&str> {
    let text = config.search_string.as_deref().filter(|_| config.kind.ends_with("_STR_MATCH"));
    text.filter(|text| (1..=CHECK_BODY_TEXT_OCTETS).contains(&text.len()))
}

fn probe(config: &HealthCheckConfig) -> Check {
    let host = config.fully_qualified_domain_name.as_deref().filter(|host| !host.is_empty());
    let host = host.map(|host| host.trim_end_matches('.').to_lowercase());
    let own = config.ip_address.clone().filter(|address| !address.is_empty());
    let address = own.clone().or_else(|| host.clone());
    let is_tcp = config.kind == "TCP";
    let is_tls = config.kind.starts_with("HTTPS");
    let usual_port = if is_tls { 443 } else { 80 };
    let port = config.port.unwrap_or(usual_port);
    let mut lines = Vec::new();
    if is_tcp {
        lines.push(("tcp", port.to_string()));
    } else {
        lines.extend(request(config, is_tls, host.as_deref()));
        if port != usual_port {
            lines.push(("port", port.to_string()));
        }
    }
    lines.extend(timing(config, is_tcp));
    let kind = match (is_tcp, is_tls) {
        (true, _) => "tcp",
        (_, true) => "https",
        _ => "http",
    };
    // Where the address is the record's own the check is that of others too, and is called by its port.
    let who = host.filter(|_| !is_tcp || own.is_none());
    let name = who.map_or_else(|| format!("{kind}-{port}"), |who| format!("{kind}-{}", slug(&who)));
    Check { name, lines, address, ..Check::default() }
}

fn request(config: &HealthCheckConfig, is_tls: bool, host: Option<&str>) -> Vec<Line> {
    let path = config.resource_path.as_deref().unwrap_or_default().trim_start_matches('/');
    let mut lines = vec![(if is_tls { "https" } else { "http" }, quote(&format!("/{path}")))];
    lines.extend(host.map(|host| ("host", quote(host))));
    lines.extend(body_of(config).map(|text| ("body", quote(text))));
    if is_tls && config.enable_sni == Some(false) {
        lines.push(("tls", "{ sni = false }".to_owned()));
    }
    lines
}

/// Interval, thresholds and Route 53's timeouts: 10 s for a connection, and for HTTP 4 s for the connection, 2 s more for the
/// status (rule 60), and 2 s more for a body that is searched (rule 61).
fn timing(config: &HealthCheckConfig, is_tcp: bool) -> Vec<Line> {
    let every = config.request_interval.unwrap_or(INTERVAL).max(10);
    let has_body = body_of(config).is_some();
    let timeout = match (is_tcp, has_body) {
        (true, _) => 10,
        (false, true) => 8,
        (false, false) => 6,
    };
    let mut lines = vec![("every", quote(&seconds(every))), ("timeout", quote(&seconds(timeout)))];
    if !is_tcp {
        let parts = [("connect_timeout", "4s"), ("reply_timeout", "2s"), ("body_timeout", "2s")];
        let parts = parts.into_iter().filter(|(key, _)| has_body || *key != "body_timeout");
        lines.extend(parts.map(|(key, time)| (key, quote(time))));
    }
    let threshold = config.failure_threshold.unwrap_or(THRESHOLD).clamp(1, 10);
    if threshold != THRESHOLD {
        lines.push(("down_after", threshold.to_string()));
    }
    lines.push(("damping", "false".to_owned()));
    lines
}
