//! Route 53's health checks as checks of a zone file (rules 59 to 74).
//!
//! A check there has an address of its own (rule 5); here a check probes the endpoints of its pools unless it says
//! otherwise. So the address is left out where it is the record's own, and checks that then say the same become one.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::listing::{HealthCheck, HealthCheckConfig};
use crate::import::Severity;
use crate::import::draft::Draft;
use crate::import::text::{quote, seconds, slug};
use crate::import::tree::Check;

/// Route 53's usual interval in seconds, and number of failures (rule 59).
const INTERVAL: u32 = 30;
const THRESHOLD: u8 = 3;

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
        let subject = format!("health check {id}");
        let Some((id, config)) = self.by_id.get_key_value(id) else {
            let reason = if self.is_listed {
                "it is not in the listing of health checks; its records count as always up"
            } else {
                "its records count as always up; give `aws route53 list-health-checks` as --health-checks"
            };
            draft.note_thing(Severity::Error, subject, reason);
            return None;
        };
        let (id, config) = (*id, *config);
        let is_first = self.noted.insert(id);
        if let Some(reason) = reason_against(config) {
            // A disabled check is always healthy, as a record without one is: nothing is lost.
            let is_same = config.disabled && !config.inverted;
            let severity = if is_same { Severity::Warning } else { Severity::Error };
            draft.note_thing(severity, subject, reason);
            return None;
        }
        if is_first {
            note_losses(&subject, config, draft);
        }
        let mut check = translate(config);
        check.origins.insert(id.to_owned());
        Some(Rc::new(check))
    }
}

/// Why there is no check that says the same.
fn reason_against(config: &HealthCheckConfig) -> Option<&'static str> {
    if config.disabled && config.inverted {
        return Some(
            "it is disabled and inverted, always unhealthy; its records count as always up: take them out",
        );
    }
    if config.disabled {
        return Some("it is disabled, always healthy: its records have no check");
    }
    if config.inverted {
        return Some("an inverted check is not known here; its records count as always up");
    }
    match config.kind.as_str() {
        "HTTP" | "HTTPS" | "HTTP_STR_MATCH" | "HTTPS_STR_MATCH" | "TCP" => None,
        "CALCULATED" => {
            Some("a check calculated from others is not known here; its records count as always up")
        }
        "CLOUDWATCH_METRIC" => {
            Some("an alarm of CloudWatch is not known here; its records count as always up")
        }
        "RECOVERY_CONTROL" => {
            Some("a routing control is not known here; its records count as always up")
        }
        _ => Some("its type is not known here; its records count as always up"),
    }
}

fn note_losses(subject: &str, config: &HealthCheckConfig, draft: &mut Draft) {
    let mut note = |reason: String| draft.note_thing(Severity::Warning, subject, reason);
    if config.kind.ends_with("_STR_MATCH") {
        let text = config.search_string.clone().unwrap_or_default();
        note(format!("the body is not searched for `{text}`; the status alone decides"));
    }
    if config.kind.starts_with("HTTPS") && config.enable_sni == Some(false) {
        note("the server's name is sent in the handshake (SNI), which was switched off".to_owned());
    }
    if config.measure_latency {
        note("its latency is not shown by region, which CloudWatch did".to_owned());
    }
    if !config.regions.is_empty() {
        note("it is probed from this server, not from regions of AWS".to_owned());
    }
}

fn translate(config: &HealthCheckConfig) -> Check {
    let host = config.fully_qualified_domain_name.as_deref().filter(|host| !host.is_empty());
    let host = host.map(|host| host.trim_end_matches('.').to_lowercase());
    let own = config.ip_address.clone().filter(|address| !address.is_empty());
    let address = own.clone().or_else(|| host.clone());
    let is_tcp = config.kind == "TCP";
    let is_tls = config.kind.starts_with("HTTPS");
    let mut lines = Vec::new();
    let usual_port = if is_tls { 443 } else { 80 };
    let port = config.port.unwrap_or(usual_port);
    if is_tcp {
        lines.push(("tcp", port.to_string()));
    } else {
        let path = config.resource_path.as_deref().unwrap_or_default().trim_start_matches('/');
        lines.push((if is_tls { "https" } else { "http" }, quote(&format!("/{path}"))));
        lines.extend(host.iter().map(|host| ("host", quote(host))));
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
    Check { name, origins: BTreeSet::new(), lines, address }
}

/// Interval, thresholds and, other than usual here, Route 53's timeouts: 10 s for a connection, and for HTTP 4 s for the
/// connection with 2 s more for the status (rule 60).
fn timing(config: &HealthCheckConfig, is_tcp: bool) -> Vec<(&'static str, String)> {
    let every = config.request_interval.unwrap_or(INTERVAL).max(10);
    let timeout = if is_tcp { 10 } else { 6 };
    let mut lines = vec![("every", quote(&seconds(every))), ("timeout", quote(&seconds(timeout)))];
    let threshold = config.failure_threshold.unwrap_or(THRESHOLD).clamp(1, 10);
    if threshold != THRESHOLD {
        lines.push(("down_after", threshold.to_string()));
    }
    lines
}
