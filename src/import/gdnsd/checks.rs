//! Service types as checks.
//!
//! gdnsd counts to 20 before a service is up again and to 10 before it is down, or as the file says; here 10 is the most, and what
//! is above it becomes the time that so many successes take. What somebody else finds out, by a command or in a file, is reported.

use std::rc::Rc;

use super::Importer;
use super::vscf::Value;
use crate::import::Severity;
use crate::import::text::{quote, seconds, slug};
use crate::import::tree::{Check, Line};
use crate::limits::{CHECK_EVERY_SECONDS, CHECK_THRESHOLD, RECOVERY_SECONDS};

/// gdnsd's own settings where a service type says nothing.
const INTERVAL: u32 = 10;
const UP_AFTER: u32 = 20;
const DOWN_AFTER: u32 = 10;

/// For how long a report holds in the place of a file, which holds until it is changed: 30 days.
const EXTFILE_HOLDS: u32 = 30 * 86_400;

impl Importer<'_> {
    /// The check of what has these service types: all of them must be up, as in gdnsd.
    pub(super) fn check_of(&mut self, types: Option<&Value>) -> Option<Rc<Check>> {
        let names = types.map(Value::texts).unwrap_or_default();
        let names = names.into_iter().filter(|name| !matches!(*name, "up" | "none"));
        let mut checks: Vec<Rc<Check>> = names.filter_map(|name| self.service_type(name)).collect();
        if checks.len() < 2 {
            return checks.pop();
        }
        let names: Vec<&str> = checks.iter().map(|check| &*check.name).collect();
        let name = slug(&names.join(" "));
        let quorum = "all = true".to_owned();
        Some(Rc::new(Check { name, children: checks, quorum, ..Check::default() }))
    }

    fn service_type(&mut self, name: &str) -> Option<Rc<Check>> {
        let config = self.config.at("service_types").and_then(|types| types.at(name)).cloned();
        let subject = format!("service type {name}");
        let Some(config) = config else {
            if name == "down" {
                let lines = [("icmp", "true"), ("inverted", "true"), ("disabled", "true")];
                let lines = lines.map(|(key, value)| (key, value.to_owned())).to_vec();
                return Some(Rc::new(Check { name: slug(name), lines, ..Check::default() }));
            }
            let reason = "it is not in the configuration; what has it counts as always up";
            self.draft.note_thing(Severity::Error, subject, reason);
            return None;
        };
        let lines = match config.text_at("plugin").unwrap_or_default() {
            "http_status" => {
                let mut lines = http_lines(&config);
                lines.extend(self.timing(&subject, &config));
                lines
            }
            "tcp_connect" => {
                let mut lines = vec![("tcp", config.text_at("port").unwrap_or("80").to_owned())];
                lines.extend(self.timing(&subject, &config));
                lines
            }
            plugin @ ("extmon" | "extfile") => vec![self.report(&subject, plugin, &config)],
            plugin => {
                let reason =
                    format!("`{plugin}` is not known here; what has it counts as always up");
                self.draft.note_thing(Severity::Error, subject, reason);
                return None;
            }
        };
        Some(Rc::new(Check { name: slug(name), lines, ..Check::default() }))
    }

    /// What a command or a file said, and is now to be reported.
    fn report(&mut self, subject: &str, plugin: &str, config: &Value) -> Line {
        let (source, holds, missing) = if plugin == "extmon" {
            // A command that says nothing in time is a failure.
            let every = number(config, "interval", INTERVAL);
            let holds = number(config, "down_thresh", DOWN_AFTER).saturating_mul(every);
            (config.text_at("cmd").unwrap_or("its command"), holds.clamp(1, EXTFILE_HOLDS), "down")
        } else {
            let is_down = config.text_at("def_down").is_some_and(|text| text == "true");
            let missing = if is_down { "down" } else { "up" };
            (config.text_at("file").unwrap_or("its file"), EXTFILE_HOLDS, missing)
        };
        let reason = format!("what {source} says of each address is yours to report to the check");
        self.draft.note_thing(Severity::Warning, subject, reason);
        let holds = quote(&seconds(holds));
        ("external", format!("{{ stale_after = {holds}, missing = {} }}", quote(missing)))
    }

    fn timing(&mut self, subject: &str, config: &Value) -> Vec<Line> {
        let longest = u32::try_from(CHECK_EVERY_SECONDS.1).unwrap_or(u32::MAX);
        let every = number(config, "interval", INTERVAL).clamp(1, longest);
        let timeout = number(config, "timeout", every.checked_div(2).unwrap_or(1)).clamp(1, every);
        let mut lines =
            vec![("every", quote(&seconds(every))), ("timeout", quote(&seconds(timeout)))];
        let most = u32::from(CHECK_THRESHOLD);
        let down_after = number(config, "down_thresh", DOWN_AFTER);
        let up_after = number(config, "up_thresh", UP_AFTER);
        lines.push(("down_after", down_after.clamp(1, most).to_string()));
        lines.push(("up_after", up_after.clamp(1, most).to_string()));
        if down_after > most {
            let reason = format!("its down_thresh of {down_after} becomes {most}, the most");
            self.draft.note_thing(Severity::Warning, subject, reason);
        }
        let mut damping = "false".to_owned();
        if up_after > most {
            let longest = u32::try_from(RECOVERY_SECONDS.1).unwrap_or(u32::MAX);
            let hold = seconds(up_after.saturating_mul(every).min(longest));
            damping = format!("{{ hold = {0}, longest = {0} }}", quote(&hold));
            let reason = format!(
                "its up_thresh of {up_after} becomes {most}, the most, and {hold} without a failure"
            );
            self.draft.note_thing(Severity::Warning, subject, reason);
        }
        lines.push(("damping", damping));
        if let Some(count) = config.text_at("ok_thresh").filter(|count| *count != "1") {
            let reason =
                format!("its ok_thresh of {count} is left out: one success ends a run of failures");
            self.draft.note_thing(Severity::Warning, subject, reason);
        }
        lines
    }
}

fn number(config: &Value, key: &str, usual: u32) -> u32 {
    config.text_at(key).and_then(|number| number.parse().ok()).unwrap_or(usual)
}

fn http_lines(config: &Value) -> Vec<Line> {
    let path = config.text_at("url_path").unwrap_or("/").trim_start_matches('/');
    let mut lines = vec![("http", quote(&format!("/{path}")))];
    lines.extend(config.text_at("vhost").map(|host| ("host", quote(host))));
    let port = config.text_at("port").filter(|port| *port != "80");
    lines.extend(port.map(|port| ("port", port.to_owned())));
    let codes = config.at("ok_codes").map(Value::texts).unwrap_or_else(|| vec!["200"]);
    lines.push(("expect", quote(&codes.join(","))));
    lines
}
